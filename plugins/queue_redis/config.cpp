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

// "host:port", "[::1]:port" or the path of a Unix socket.
void read_address(const std::string& text, redis::Address& place) {
    if (text.front() == '/') {
        place.path = text;
        return;
    }
    const size_t colon = text.rfind(':');
    const auto bad = [] { refuse("address", "must be host:port or the path of a Unix socket"); };
    if (colon == std::string::npos || colon == 0) bad();
    place.host = text.substr(0, colon);
    if (place.host.front() == '[' && place.host.back() == ']') place.host = place.host.substr(1, colon - 2);
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, place.port);
    if (read.ec != std::errc() || read.ptr != end || place.port == 0 || place.host.empty()) bad();
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

void read_password(const json& value, Config& config) {
    config.password_is_id = value.is_object() && value.contains("$secret");
    config.password = read_text(config.password_is_id ? value["$secret"] : value, "password");
}

void read_key(const std::string& key, const json& value, Config& config) {
    constexpr uint64_t kLeaseLeastS = 10;  // of a host that beats every 3 s
    constexpr uint64_t kDaysMax = 3650;
    if (key == "address") return read_address(read_text(value, key), config.place);
    if (key == "key_prefix") return read_prefix(read_text(value, key), config);
    if (key == "password") return read_password(value, config);
    if (key == "tls") return read_flag(value, key, config.tls);
    if (key == "ca_file") {
        config.ca_file = read_text(value, key);
    } else if (key == "client_certificate_file") {
        config.client_certificate_file = read_text(value, key);
    } else if (key == "client_key_file") {
        config.client_key_file = read_text(value, key);
    } else if (key == "user") {
        config.place.user = read_text(value, key);
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
               "client_key_file, key_prefix, connections, uid_window_hours, results_days, dead_days, backlog_max, "
               "lease_s");
    }
}

void check_tls(const Config& config) {
    const bool any_file = !config.ca_file.empty() || !config.client_certificate_file.empty();
    if (!config.tls && any_file) refuse("tls", "must be true for what files of certificates say to count");
    if (config.tls && !config.place.path.empty()) refuse("tls", "is not for a Unix socket");
    if (config.client_certificate_file.empty() != config.client_key_file.empty())
        refuse("client_key_file", "belongs to client_certificate_file: give both or neither");
}

}  // namespace

redis::Address Config::address(const Services& services) const {
    redis::Address address = place;
    address.password = password_is_id ? services.secret(password) : password;
    if (tls) address.tls = std::make_shared<const redis::TlsContext>(ca_file, client_certificate_file, client_key_file);
    return address;
}

Config parse_config(std::string_view text) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) refuse("", "the configuration must be a JSON object");
    Config config;
    for (const auto& [key, value] : parsed.items()) read_key(key, value, config);
    check_tls(config);
    if (!config.place.user.empty() && config.password.empty()) refuse("user", "needs a password beside it");
    if (config.results_days * 24 < config.uid_window_hours)
        refuse("results_days", "must not be shorter than uid_window_hours");
    return config;
}

}  // namespace belfry::queue_redis
