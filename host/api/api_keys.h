// SPDX-License-Identifier: Apache-2.0
// Who calls: API keys and the order in which a request may present them.
//
// Keys are kept and compared as SHA-256, all of them and without leaving early, so that the time of an answer says
// nothing. Threads: authenticate() is [any]; set() replaces all keys at once (reload).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/app.h"

namespace belfry::api {

struct AppKey {
    std::string key;
    std::shared_ptr<const App> app;
};

// What a request says about itself; empty = not given.
struct Credentials {
    std::string_view x_api_key;      // header X-API-Key
    std::string_view authorization;  // header Authorization
    std::string_view query;          // the URL's query, without '?'
};

class ApiKeys {
public:
    void set(const std::vector<AppKey>& keys);
    // The caller's app, or null. X-API-Key decides alone against Authorization; api_key in the query is the last chance
    // of both.
    std::shared_ptr<const App> authenticate(const Credentials& given) const;

private:
    struct Entry {
        std::array<uint8_t, 32> hash{};
        std::shared_ptr<const App> app;
    };
    using Entries = std::vector<Entry>;
    static std::shared_ptr<const App> find(const Entries& entries, std::string_view key);

    mutable std::mutex mutex_;
    std::shared_ptr<const Entries> entries_ = std::make_shared<const Entries>();
};

}  // namespace belfry::api
