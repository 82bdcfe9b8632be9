// SPDX-License-Identifier: Apache-2.0
// The secrets of one instance, by the id that stands in its configuration as {"$secret": id}. Values are overwritten
// when they are no longer needed; nothing here is ever printed.
//
// Threads: [control] of the instance. Owner: its Generation.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::plugins {

class SecretStore {
public:
    SecretStore() = default;
    SecretStore(SecretStore&& other) noexcept { values_.swap(other.values_); }
    SecretStore& operator=(SecretStore&& other) noexcept {
        if (this != &other) {
            wipe();
            values_.swap(other.values_);
        }
        return *this;
    }
    SecretStore(const SecretStore&) = delete;
    SecretStore& operator=(const SecretStore&) = delete;
    ~SecretStore() { wipe(); }

    // Replaces an earlier value of the same id.
    void add(const std::string& id, std::string_view value);
    bool has(std::string_view id) const noexcept { return values_.find(id) != values_.end(); }
    // NotFound: no such secret, or wiped since: plugins read their secrets in start.
    Result<std::string> read(std::string_view id) const;
    // Every secret in the order of ids, for comparing.
    void each(const std::function<void(const std::string& id, const std::string& value)>& see) const;
    void wipe() noexcept;

private:
    std::map<std::string, std::string, std::less<>> values_;
};

// Overwrites a text's bytes before it is emptied.
void wipe(std::string& text) noexcept;

}  // namespace belfry::plugins
