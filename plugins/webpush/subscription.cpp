// SPDX-License-Identifier: Apache-2.0
#include "subscription.h"

#include <belfry/json.hpp>

namespace webpush {
namespace {

using belfry::Refused;

constexpr size_t kPointBytes = 65, kAuthBytes = 16;
constexpr size_t kPointText = 87, kAuthText = 22;  // in base64url

std::string key_at(const belfry::Json& json, const std::string& place, size_t bytes) {
    const std::optional<std::string> key = belfry::from_base64(json.string(place));
    if (key && key->size() == bytes) return *key;
    throw Refused(BELFRY_BAD_REQUEST, place, place + " must be " + std::to_string(bytes) + " bytes in base64url");
}

}  // namespace

Subscription read_subscription(const belfry::Services& services, std::string_view text) {
    const belfry::Json json = belfry::Json::of(services, text);
    if (!json.is_object()) {
        throw Refused(BELFRY_BAD_REQUEST, "",
                      "must be the browser's PushSubscription as JSON text: JSON.stringify(subscription)");
    }
    Subscription subscription;
    subscription.endpoint = json.string("endpoint");
    if (subscription.endpoint.empty()) throw Refused(BELFRY_BAD_REQUEST, "endpoint", "endpoint is missing");
    subscription.p256dh = key_at(json, "keys.p256dh", kPointBytes);
    subscription.auth = key_at(json, "keys.auth", kAuthBytes);
    if (json.has("applicationServerKey"))
        subscription.application_key = key_at(json, "applicationServerKey", kPointBytes);
    return subscription;
}

std::string write_keys(const Subscription& subscription) {
    return belfry::base64url(subscription.p256dh) + "." + belfry::base64url(subscription.auth);
}

bool read_keys(std::string_view data, std::string& p256dh, std::string& auth) {
    if (data.size() != kPointText + 1 + kAuthText || data[kPointText] != '.') return false;
    const std::optional<std::string> point = belfry::from_base64(data.substr(0, kPointText));
    const std::optional<std::string> secret = belfry::from_base64(data.substr(kPointText + 1));
    if (!point || !secret) return false;
    p256dh = *point;
    auth = *secret;
    return true;
}

}  // namespace webpush
