// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/config.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace belfry::queue_redis {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& key, const std::string& text) {
    throw Refused(BELFRY_CONFIG, key, text);
}

template <class T>
void read_number(const json& value, const std::string& key, uint64_t lowest, uint64_t highest, T& out) {
    if (!value.is_number_unsigned() || value < lowest || value > highest)
        refuse(key, "must be a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
    out = value.get<T>();
}

void read_flag(const json& value, const std::string& key, bool& out) {
    if (!value.is_boolean()) refuse(key, "must be true or false");
    out = value.get<bool>();
}

std::string read_text(const json& value, const std::string& key) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) refuse(key, "must be a text");
    return value.get<std::string>();
}

// "host:port" or "[::1]:port".
void read_place(const std::string& text, const std::string& key, const char* rule, redis::Address& place) {
    const size_t colon = text.rfind(':');
    const auto bad = [&] { refuse(key, rule); };
    if (colon == std::string::npos || colon == 0) bad();
    place.host = text.substr(0, colon);
    if (place.host.front() == '[' && place.host.back() == ']') place.host = place.host.substr(1, colon - 2);
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, place.port);
    if (read.ec != std::errc() || read.ptr != end || place.port == 0 || place.host.empty()) bad();
}

// Or the path of a Unix socket.
void read_address(const std::string& text, redis::Address& place) {
    if (text.front() == '/') {
        place.path = text;
    } else {
        read_place(text, "address", "must be host:port or the path of a Unix socket", place);
    }
}

void read_sentinels(const json& value, Config& config) {
    constexpr size_t kSentinelsMax = 16;
    constexpr const char* kRule = "must be a list of at most 16 host:port";
    if (!value.is_array() || value.empty() || value.size() > kSentinelsMax) refuse("sentinels", kRule);
    for (const json& one : value) {
        if (!one.is_string()) refuse("sentinels", kRule);
        read_place(one.get<std::string>(), "sentinels", kRule, config.sentinels.emplace_back());
    }
}

void read_prefix(const std::string& text, Config& config) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.' || c == ':';
    };
    if (text.size() > 64 || !std::all_of(text.begin(), text.end(), fits))
        refuse("key_prefix", "must be at most 64 letters, digits and characters of _-.:");
    config.key_prefix = text;
}

void read_secret(const json& value, const std::string& key, Secret& secret) {
    secret.is_id = value.is_object() && value.contains("$secret");
    secret.text = read_text(secret.is_id ? value["$secret"] : value, key);
}

// Keys whose value is just a text.
std::string* text_of(const std::string& key, Config& config) {
    const std::pair<const char*, std::string*> texts[] = {
        {"user", &config.place.user},
        {"ca_file", &config.files.ca},
        {"client_certificate_file", &config.files.certificate},
        {"client_key_file", &config.files.key},
        {"master_name", &config.master_name},
        {"sentinel_user", &config.sentinel_user},
        {"sentinel_ca_file", &config.sentinel_files.ca},
        {"sentinel_client_certificate_file", &config.sentinel_files.certificate},
        {"sentinel_client_key_file", &config.sentinel_files.key},
    };
    for (const auto& [name, text] : texts) {
        if (key == name) return text;
    }
    return nullptr;
}

void read_key(const std::string& key, const json& value, Config& config) {
    constexpr uint64_t kLeaseLeastS = 10;  // of a host that beats every 3 s
    constexpr uint64_t kDaysMax = 3650;
    if (std::string* text = text_of(key, config)) {
        *text = read_text(value, key);
    } else if (key == "address") {
        read_address(read_text(value, key), config.place);
    } else if (key == "sentinels") {
        read_sentinels(value, config);
    } else if (key == "key_prefix") {
        read_prefix(read_text(value, key), config);
    } else if (key == "password") {
        read_secret(value, key, config.password);
    } else if (key == "sentinel_password") {
        read_secret(value, key, config.sentinel_password);
    } else if (key == "tls") {
        read_flag(value, key, config.files.tls);
    } else if (key == "sentinel_tls") {
        read_flag(value, key, config.sentinel_files.tls);
    } else if (key == "database") {
        read_number(value, key, 0, 1'000'000, config.place.database);
    } else if (key == "connections") {
        read_number(value, key, 1, 64, config.connections);
    } else if (key == "uid_window_hours") {
        read_number(value, key, 1, kDaysMax * 24, config.uid_window_hours);
    } else if (key == "results_days") {
        read_number(value, key, 1, kDaysMax, config.results_days);
    } else if (key == "dead_days") {
        read_number(value, key, 1, kDaysMax, config.dead_days);
    } else if (key == "backlog_max") {
        read_number(value, key, 1, uint64_t{1} << 40, config.backlog_max);
    } else if (key == "lease_s") {
        read_number(value, key, kLeaseLeastS, 86400, config.lease_s);
    } else {
        refuse(key,
               "unknown key; known are address, user, password, database, tls, ca_file, client_certificate_file, "
               "client_key_file, sentinels, master_name, and sentinel_ before user, password, tls and the three files, "
               "key_prefix, connections, uid_window_hours, results_days, dead_days, backlog_max, lease_s");
    }
}

void check_tls(const TlsFiles& files, const std::string& prefix) {
    const bool any_file = !files.ca.empty() || !files.certificate.empty();
    if (!files.tls && any_file) refuse(prefix + "tls", "must be true for what files of certificates say to count");
    if (files.certificate.empty() != files.key.empty())
        refuse(prefix + "client_key_file", "belongs to " + prefix + "client_certificate_file: give both or neither");
}

void check_sentinels(const Config& config, const json& given) {
    if (!config.sentinels.empty()) {
        if (given.contains("address")) refuse("address", "is told by the sentinels: leave it out, or them");
        if (!config.sentinel_user.empty() && config.sentinel_password.text.empty())
            refuse("sentinel_user", "needs a sentinel_password beside it");
        return;
    }
    for (const auto& [key, value] : given.items()) {
        if (key.starts_with("sentinel_") || key == "master_name") refuse(key, "is for sentinels: name them, too");
    }
}

}  // namespace

std::shared_ptr<const redis::TlsContext> TlsFiles::open() const {
    return tls ? std::make_shared<const redis::TlsContext>(ca, certificate, key) : nullptr;
}

std::shared_ptr<redis::Route> Config::route(const Services& services) const {
    redis::Address server = place;
    server.password = password.read(services);
    server.tls = files.open();
    if (sentinels.empty()) return std::make_shared<redis::Route>(std::move(server));
    std::vector<redis::Address> places = sentinels;
    const std::string their_password = sentinel_password.read(services);
    const std::shared_ptr<const redis::TlsContext> their_tls = sentinel_files.open();
    for (redis::Address& sentinel : places) {
        sentinel.user = sentinel_user;
        sentinel.password = their_password;
        sentinel.tls = their_tls;
    }
    return std::make_shared<redis::Route>(std::move(server),
                                          std::make_unique<redis::Sentinels>(std::move(places), master_name));
}

Config parse_config(std::string_view text) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) refuse("", "the configuration must be a JSON object");
    Config config;
    for (const auto& [key, value] : parsed.items()) read_key(key, value, config);
    check_tls(config.files, "");
    check_tls(config.sentinel_files, "sentinel_");
    if (config.files.tls && !config.place.path.empty()) refuse("tls", "is not for a Unix socket");
    check_sentinels(config, parsed);
    if (!config.place.user.empty() && config.password.text.empty()) refuse("user", "needs a password beside it");
    if (config.results_days * 24 < config.uid_window_hours)
        refuse("results_days", "must not be shorter than uid_window_hours");
    return config;
}

}  // namespace belfry::queue_redis
