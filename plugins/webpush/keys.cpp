// SPDX-License-Identifier: Apache-2.0
#include "keys.h"

#include <algorithm>
#include <belfry/config.hpp>
#include <cstdlib>

namespace webpush {
namespace {

using belfry::misconfigured;
using belfry::Refused;

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kTokenLifeS = 12 * 3600;  // services take at most 24 h by their own clock
constexpr int64_t kTokenUseS = 11 * 3600;   // then a new one
constexpr int64_t kTokenLeastUseS = 3600;   // even if refused: Apple asks for that
constexpr int64_t kClockSetMs = 60'000;     // unless the clock that the token was made by was wrong
constexpr int64_t kSameMomentS = 60;        // requests that went out together are refused together
constexpr size_t kTokensMax = 4096;         // key and origin pairs kept
constexpr std::string_view kStateKey = "vapid_private_key";

// A pair's number is the end of its public key's digest, short enough for the compact form in which storages keep a
// device. Devices of earlier versions carry more of the digest.
constexpr uint32_t kNumberMask = 0xFFF;

// Some tools trim a private number's leading zeros; what is shorter still is a paste cut off, and could be guessed.
constexpr size_t kScalarBytesMin = 30;
constexpr size_t kScalarBytesMax = 32;

bool is_scalar(const std::string& bytes) {
    return bytes.size() >= kScalarBytesMin && bytes.size() <= kScalarBytesMax;
}

}  // namespace

void Keys::load(const Config& config) {
    subject_ = config.subject;
    if (!config.private_key.empty()) add(services_.secret(config.private_key), "vapid_private_key");
    const std::string clusters = cluster_key(config.private_key.empty());
    if (config.private_key.empty()) add(clusters, std::string(kStateKey));
    if (!config.public_key.empty() && belfry::from_base64(config.public_key) != pairs_.front().public_point) {
        misconfigured("vapid_public_key", "does not belong to vapid_private_key, whose public key is " + public_key());
    }
    for (const std::string& secret : config.previous_keys) add(services_.secret(secret), "vapid_previous_keys");
    // Its private half is printed nowhere, so nobody could name it among the previous ones.
    if (clusters.empty()) return;
    try {
        add(clusters, std::string(kStateKey));
    } catch (const Refused& refused) {
        services_.warning("the key pair that was made before one was configured cannot be used beside it",
                          {{"reason", refused.what()}});
    }
}

// `secret`: PEM, or the private number in base64url as other Web Push tools write it.
void Keys::add(std::string_view secret, const std::string& where) {
    const bool pem = secret.find("-----BEGIN") != std::string_view::npos;
    const std::optional<std::string> scalar = pem ? std::string(secret) : belfry::from_base64(secret);
    if (!scalar || (!pem && !is_scalar(*scalar)))
        misconfigured(where, "must be a P-256 private key: 32 bytes in base64url, or PEM");
    const belfry::P256Key key = belfry::with_credential(where, "", [&] { return services_.p256_key(*scalar); });
    const std::array<uint8_t, 32> digest = services_.sha256(key.public_point);
    const uint32_t number = (uint32_t{digest[2]} << 8 | digest[3]) & kNumberMask;
    const auto known = find(number);
    if (known != pairs_.end() && known->public_point == key.public_point) return;
    if (known != pairs_.end())
        misconfigured(where, "cannot be told from another pair (one in 4,096 is alike); make another");
    pairs_.push_back({number, key.pem, key.public_point, belfry::base64url(key.public_point)});
}

// All nodes of a cluster must agree: who loses the race to write reads what the winner wrote. Empty: there is none.
std::string Keys::cluster_key(bool make) const {
    belfry::StateValue stored = services_.state_get(BELFRY_STATE_CLUSTER, kStateKey);
    if (stored.version == 0 && make) {
        const std::string made = belfry::base64url(services_.p256_key().scalar);
        if (services_.state_put(BELFRY_STATE_CLUSTER, kStateKey, 0, made)) return made;
        stored = services_.state_get(BELFRY_STATE_CLUSTER, kStateKey);
    }
    return stored.value;
}

uint32_t Keys::number_of(std::string_view application_key) const {
    if (application_key.empty()) return pairs_.front().number;
    const auto found = std::find_if(pairs_.begin(), pairs_.end(),
                                    [&](const Pair& pair) { return pair.public_point == application_key; });
    if (found != pairs_.end()) return found->number;
    throw Refused(BELFRY_BAD_REQUEST, "applicationServerKey",
                  "no configured key pair has it; subscribe with " + public_key());
}

std::vector<Keys::Pair>::const_iterator Keys::find(uint32_t number) const {
    return std::find_if(pairs_.begin(), pairs_.end(),
                        [&](const Pair& pair) { return pair.number == (number & kNumberMask); });
}

uint32_t Keys::next(uint32_t number) const {
    const auto pair = find(number);
    return pair == pairs_.end() || pair + 1 == pairs_.end() ? pairs_.front().number : (pair + 1)->number;
}

std::string Keys::sign(const Pair& pair, const std::string& origin) const {
    const std::string claims = belfry::JsonObject(services_)
                                   .text("aud", origin)
                                   .number("exp", services_.unix_ms() / 1000 + kTokenLifeS)
                                   .text("sub", subject_)
                                   .str();
    return "vapid t=" + services_.jwt_sign(BELFRY_JWT_ES256, pair.pem, R"({"typ":"JWT"})", claims) +
           ", k=" + pair.public_key;
}

std::shared_ptr<const std::string> Keys::authorization(uint32_t number, const std::string& origin) {
    const auto pair = find(number);
    if (pair == pairs_.end()) return nullptr;
    const std::lock_guard lock(mutex_);  // signing inside: others would only sign the same
    const int64_t now = services_.mono_ns();
    auto at = tokens_.find({pair->number, origin});
    if (at == tokens_.end()) {
        make_room();
        at = tokens_.emplace(std::pair(pair->number, origin), Token{}).first;
    }
    Token& token = at->second;
    const bool refused = !token.value && token.made_mono_ns != 0;
    if (!token.value || now - token.made_mono_ns > kTokenUseS * kNsPerSecond)
        token = {
            std::make_shared<const std::string>(sign(*pair, origin)), now, services_.unix_ms(), now, refused, false};
    token.used_mono_ns = now;
    return token.value;
}

// Subscriptions choose origins: names that somebody made up push out each other, not those in use.
void Keys::make_room() {
    if (tokens_.size() < kTokensMax) return;
    tokens_.erase(std::min_element(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) {
        return a.second.used_mono_ns < b.second.used_mono_ns;
    }));
}

void Keys::prove(uint32_t number, std::string_view origin) {
    const std::lock_guard lock(mutex_);
    const auto token = tokens_.find({number & kNumberMask, std::string(origin)});
    if (token != tokens_.end() && token->second.value) token->second.proved = true;
}

bool Keys::proved(uint32_t number, std::string_view origin) {
    const std::lock_guard lock(mutex_);
    const auto token = tokens_.find({number & kNumberMask, std::string(origin)});
    return token != tokens_.end() && token->second.value && token->second.proved;
}

bool Keys::distrust(std::string_view origin, bool sent_again) {
    if (sent_again) return false;
    const std::lock_guard lock(mutex_);
    const int64_t now = services_.mono_ns(), unix_ms = services_.unix_ms();
    bool newer = false;
    for (auto& [key, token] : tokens_) {
        if (key.second != origin) continue;
        const int64_t age_s = (now - token.made_mono_ns) / kNsPerSecond;
        const bool clock_was_set = std::abs(unix_ms - token.made_unix_ms - age_s * 1000) > kClockSetMs;
        if (token.value && (age_s > kTokenLeastUseS || clock_was_set)) token.value = nullptr;
        newer = newer || !token.value || (token.in_place && age_s <= kSameMomentS);
    }
    return newer;
}

}  // namespace webpush
