// SPDX-License-Identifier: Apache-2.0
// A value that is never printed: no stream operator, no conversion; whoever needs it says reveal().
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace belfry::config {

class Secret {
public:
    Secret() = default;
    // `source` says where it came from and may be printed: "file /etc/belfry/key", "environment FCM_KEY",
    // "belfry.toml:7".
    Secret(std::string value, std::string source) : value_(std::move(value)), source_(std::move(source)) {}

    const std::string& reveal() const noexcept { return value_; }
    const std::string& source() const noexcept { return source_; }
    bool empty() const noexcept { return value_.empty(); }

private:
    std::string value_, source_;
};

}  // namespace belfry::config
