// SPDX-License-Identifier: Apache-2.0
// What an operator wrote, read member by member: an instance's section of the configuration, or a JSON key file behind
// one of its secrets. Header-only, C++17. Threads: [any], each object by one at a time.
#pragma once

#include <belfry/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

// `where` names the key; `what` says what is wrong with it and what to do.
[[noreturn]] inline void misconfigured(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_CONFIG, where, what);
}

// What `use` makes of the credential at `where`; whatever is refused then is a mistake in the configuration.
template <class Use>
auto with_credential(const std::string& where, const std::string& advice, Use&& use) {
    try {
        return use();
    } catch (const Refused& refused) {
        misconfigured(where, advice.empty() ? std::string(refused.what()) : refused.what() + ("; " + advice));
    }
}

// A view, as Json. The host has checked a section against the manifest's schema, but not a key file.
class Settings {
public:
    explicit Settings(Json json, std::string place = {}) : json_(json), place_(std::move(place)) {}
    static Settings section(const Services& services, std::string_view text) {
        return Settings(Json::checked(services, text));
    }
    // A key file: `place` is the key that its secret stands at; `advice` says where one gets such a file.
    static Settings key_file(const Services& services, std::string_view text, const std::string& place,
                             const std::string& advice) {
        const Json json = Json::of(services, text);
        if (!json.is_object()) misconfigured(place, "is not a JSON key file; " + advice);
        return Settings(json, place + ".");
    }

    const Json& json() const { return json_; }
    // `absent` also for an empty text.
    std::string text(std::string_view name, std::string_view absent = {}) const {
        std::string value = json_.string(name);
        return value.empty() ? std::string(absent) : value;
    }
    // Refused if there is none.
    std::string needed(const std::string& name, const std::string& advice) const {
        std::string value = json_.string(name);
        if (value.empty()) misconfigured(place_ + name, "missing: " + advice);
        return value;
    }
    int64_t number(std::string_view name, int64_t absent) const { return json_.number(name).value_or(absent); }
    bool flag(std::string_view name, bool absent = false) const { return json_.flag(name, absent); }
    // For Services::secret, in start; empty: not given.
    std::string secret_id(std::string_view name) const { return json_.at(name).string("$secret"); }
    std::vector<std::string> texts(std::string_view name) const { return list(name, {}); }
    std::vector<std::string> secret_ids(std::string_view name) const { return list(name, "$secret"); }

private:
    std::vector<std::string> list(std::string_view name, std::string_view member) const {
        std::vector<std::string> out;
        json_.each(name, [&](const belfry_json_entry& entry) { out.push_back(json_.at(entry.value).string(member)); });
        return out;
    }
    Json json_;
    std::string place_;
};

}  // namespace belfry
