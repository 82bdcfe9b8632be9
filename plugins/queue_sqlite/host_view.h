// SPDX-License-Identifier: Apache-2.0
// What this plugin uses of its host: the wall clock and the log. Works without either service.
//
// Threads: [any].
#pragma once

#include <belfry/services.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace belfry::queue_sqlite {

class HostView {
public:
    explicit HostView(const belfry_host* host);
    // The store's clock: the only one that decides what is due or expired.
    int64_t unix_ms() const;
    // For deadlines.
    int64_t mono_ns() const;
    using Field = std::pair<std::string_view, std::string_view>;
    void log(int32_t level, std::string_view event, std::initializer_list<Field> fields) const;

private:
    const belfry_host* host_;
    const belfry_clock* clock_ = nullptr;
    const belfry_log* log_ = nullptr;
};

}  // namespace belfry::queue_sqlite
