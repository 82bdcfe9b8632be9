// SPDX-License-Identifier: Apache-2.0
#include "apns/admission.h"

#include <algorithm>

#include "apns/reasons.h"

namespace belfry::simulator {

namespace {

constexpr std::int64_t kTokenAgeMax = 3600, kRenewalEvery = 20 * 60, kAheadMax = 60;  // seconds

std::int64_t now_s(const World& world) {
    return std::chrono::duration_cast<std::chrono::seconds>(world.simulated_wall().time_since_epoch()).count();
}

std::optional<Reply> admit_certificate(const ApnsConnection& connection) {
    const bool development = connection.certificate->common_name.starts_with("Apple Development");
    if (development && connection.environment == ApnsEnvironment::Production) {
        return apns_refusal(403, "BadCertificateEnvironment");
    }
    return std::nullopt;
}

// A connection belongs to the first key: others of the team only if both are team-scoped.
bool fits_binding(const ApnsKey& bound, const ApnsKey& other) {
    if (bound.key_id == other.key_id) return true;
    return bound.team_id == other.team_id && bound.topic.empty() && other.topic.empty();
}

std::optional<Reply> take_new_token(World& world, ApnsConnection& connection, std::string jwt) {
    const auto token = read_provider_token(jwt, world.apns.keys);
    if (!token) return apns_refusal(403, "InvalidProviderToken");
    const bool right_place =
        connection.environment == ApnsEnvironment::Production ? token->key->production : token->key->sandbox;
    if (!right_place) return apns_refusal(403, "BadEnvironmentKeyIdInToken");
    const std::int64_t now = now_s(world);
    if (connection.token.key != nullptr) {
        if (!fits_binding(*connection.token.key, *token->key)) return apns_refusal(403, "UnrelatedKeyIdInToken");
        if (connection.renewed_s && now - *connection.renewed_s < kRenewalEvery) {
            return apns_refusal(429, "TooManyProviderTokenUpdates");
        }
        connection.renewed_s = now;
    }
    connection.jwt = std::move(jwt);
    connection.token = *token;
    ++connection.jwts;
    return std::nullopt;
}

std::optional<Reply> admit_token(World& world, ApnsConnection& connection, const Request& request) {
    const std::string_view value = request.header("authorization");
    if (value.empty()) return apns_refusal(403, "MissingProviderToken");
    if (!value.starts_with("bearer ") && !value.starts_with("Bearer ")) {
        return apns_refusal(403, "InvalidProviderToken");
    }
    std::string jwt(value.substr(7));
    if (jwt != connection.jwt) {
        if (auto refusal = take_new_token(world, connection, std::move(jwt))) return refusal;
    }
    const std::int64_t age = now_s(world) - connection.token.issued_s;
    if (age < -kAheadMax) return apns_refusal(403, "InvalidProviderToken");
    if (age <= kTokenAgeMax) return std::nullopt;
    connection.wedged = world.settings.apns_wedge_expired;
    return apns_refusal(403, "ExpiredProviderToken");
}

}  // namespace

std::optional<Reply> admit(World& world, ApnsConnection& connection, const Request& request) {
    if (connection.wedged) return apns_refusal(403, "ExpiredProviderToken");
    if (connection.certificate) return admit_certificate(connection);
    return admit_token(world, connection, request);
}

bool may_push_for(const World& world, const ApnsConnection& connection, const std::string& bundle) {
    if (connection.certificate) return bundle == connection.certificate->subject_uid;
    const std::string& topic = connection.token.key->topic;
    if (!topic.empty()) return bundle == topic;
    return std::find(world.apns.topics.begin(), world.apns.topics.end(), bundle) != world.apns.topics.end();
}

}  // namespace belfry::simulator
