// SPDX-License-Identifier: Apache-2.0
#include "api/api_keys.h"

#include <openssl/crypto.h>

#include "api/query.h"
#include "api/reader.h"
#include "crypto/hash.h"

namespace belfry::api {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// "apikey K", the scheme in any case; empty for anything else.
std::string_view key_of_authorization(std::string_view header) {
    header = trimmed(header);
    const size_t space = header.find(' ');
    if (space == std::string_view::npos || !same_key(header.substr(0, space), "apikey")) return {};
    const std::string_view key = trimmed(header.substr(space));
    return key.find(' ') == std::string_view::npos ? key : std::string_view();
}

}  // namespace

void ApiKeys::set(const std::vector<AppKey>& keys) {
    auto entries = std::make_shared<Entries>();
    for (const AppKey& key : keys) {
        if (!key.key.empty()) entries->push_back({crypto::sha256(key.key), key.app});
    }
    const std::lock_guard lock(mutex_);
    entries_ = std::move(entries);
}

std::shared_ptr<const App> ApiKeys::find(const Entries& entries, std::string_view key) {
    if (key.empty()) return nullptr;
    const crypto::Digest hash = crypto::sha256(key);
    std::shared_ptr<const App> found;
    for (const Entry& entry : entries) {
        if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = entry.app;
    }
    return found;
}

std::shared_ptr<const App> ApiKeys::authenticate(const Credentials& given) const {
    std::shared_ptr<const Entries> entries;
    {
        const std::lock_guard lock(mutex_);
        entries = entries_;
    }
    std::shared_ptr<const App> app =
        find(*entries, given.x_api_key.empty() ? key_of_authorization(given.authorization) : given.x_api_key);
    if (app || given.query.empty()) return app;
    const std::map<std::string, std::string> query = query_of(given.query);
    const auto key = query.find("api_key");
    return key == query.end() ? nullptr : find(*entries, key->second);
}

}  // namespace belfry::api
