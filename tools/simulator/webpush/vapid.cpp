// SPDX-License-Identifier: Apache-2.0
#include "webpush/vapid.h"

#include <openssl/ecdsa.h>

#include <nlohmann/json.hpp>

#include "fcm/base64url.h"
#include "webpush/decrypt.h"

namespace belfry::simulator::webpush {

namespace {

using Json = nlohmann::json;

constexpr std::chrono::hours kDay{24};
constexpr double kFarFuture = 1e10;  // unix seconds; later times would not fit the clock

// The value of `name` in "t=..., k=...".
std::string_view parameter(std::string_view list, std::string_view name) {
    while (!list.empty()) {
        std::string_view each = list.substr(0, list.find(','));
        list.remove_prefix(std::min(each.size() + 1, list.size()));
        while (each.starts_with(' ')) each.remove_prefix(1);
        while (each.ends_with(' ')) each.remove_suffix(1);
        if (each.size() > name.size() && each.starts_with(name) && each[name.size()] == '=')
            return each.substr(name.size() + 1);
    }
    return {};
}

// `signature` is r and s, 32 bytes each (RFC 7518, 3.4).
bool verify_es256(EVP_PKEY* key, std::string_view signed_part, std::string_view signature) {
    if (signature.size() != 64) return false;
    const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
    ECDSA_SIG* numbers = ECDSA_SIG_new();
    ECDSA_SIG_set0(numbers, BN_bin2bn(bytes, 32, nullptr), BN_bin2bn(bytes + 32, 32, nullptr));
    unsigned char* der = nullptr;
    const int length = i2d_ECDSA_SIG(numbers, &der);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const bool fits =
        length > 0 && EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key) == 1 &&
        EVP_DigestVerify(context, der, static_cast<std::size_t>(length),
                         reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size()) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ECDSA_SIG_free(numbers);
    return fits;
}

Json part_of(std::string_view text) {
    const auto bytes = base64url_decode(text);
    return bytes ? Json::parse(*bytes, nullptr, false) : Json();
}

// What Apple was seen to refuse: other schemes, blanks, angle brackets, a host without a dot.
bool is_strict_subject(const std::string& subject) {
    if (subject.find_first_of(" <>\t") != std::string::npos) return false;
    std::string host;
    if (subject.starts_with("mailto:")) {
        const auto at = subject.find('@');
        if (at == std::string::npos || at == 7) return false;
        host = subject.substr(at + 1);
    } else if (subject.starts_with("https://")) {
        host = subject.substr(8, subject.find('/', 8) - 8);
    }
    const auto dot = host.find('.');
    return dot != std::string::npos && dot > 0 && dot + 1 < host.size();
}

VapidFault check_claims(const Json& claims, const VapidRules& rules) {
    if (!claims.is_object()) return VapidFault::Token;
    if (claims.value("aud", Json()) != rules.origin) return VapidFault::Audience;
    const Json expiry = claims.value("exp", Json());
    if (!expiry.is_number()) return VapidFault::Expiry;
    if (expiry.get<double>() > kFarFuture) return VapidFault::TooLong;
    const auto at = std::chrono::system_clock::time_point(std::chrono::seconds(expiry.get<std::int64_t>()));
    if (at <= rules.now) return VapidFault::Expiry;
    if (at > rules.now + kDay) return VapidFault::TooLong;
    const Json subject = claims.value("sub", Json());
    if (rules.strict_subject && (!subject.is_string() || !is_strict_subject(subject.get<std::string>())))
        return VapidFault::Subject;
    return VapidFault::None;
}

}  // namespace

std::string vapid_problem(VapidFault fault) {
    switch (fault) {
        case VapidFault::None:
            return {};
        case VapidFault::Missing:
            return "the sender is not authenticated: Missing VAPID public key";
        case VapidFault::Scheme:
            return "Unknown auth scheme: the authorization header must be vapid t=<jwt>, k=<key>";
        case VapidFault::Key:
            return "the public key k must be a base64url encoded point of 65 bytes on P-256";
        case VapidFault::Token:
            return "Invalid VAPID token: it is no ES256 JWT, or its signature does not fit";
        case VapidFault::Audience:
            return "Invalid VAPID audience";
        case VapidFault::Expiry:
            return "Invalid VAPID expiry";
        case VapidFault::TooLong:
            return "The VAPID token expiration is too long";
        case VapidFault::Subject:
            return "Invalid VAPID subject";
        case VapidFault::WrongKey:
            return "VAPID public key mismatch";
    }
    return {};
}

Vapid check_vapid(std::string_view authorization, const VapidRules& rules) {
    Vapid vapid;
    const auto failed = [&](VapidFault fault) {
        vapid.fault = fault;
        return vapid;
    };
    if (authorization.empty()) return failed(VapidFault::Missing);
    constexpr std::string_view kScheme = "vapid ";
    if (!authorization.starts_with(kScheme)) return failed(VapidFault::Scheme);
    authorization.remove_prefix(kScheme.size());
    vapid.token = parameter(authorization, "t");
    vapid.key = parameter(authorization, "k");
    if (vapid.token.empty() || vapid.key.empty()) return failed(VapidFault::Scheme);
    const auto point = base64url_decode(vapid.key);
    const Key key = point ? key_of_point(*point) : nullptr;
    if (!key) return failed(VapidFault::Key);
    const std::string_view token = vapid.token;
    const auto first = token.find('.');
    const auto second = token.rfind('.');
    if (first == std::string::npos || first == second) return failed(VapidFault::Token);
    const Json header = part_of(token.substr(0, first));
    const auto signature = base64url_decode(token.substr(second + 1));
    const bool named =
        header.is_object() && header.value("alg", Json()) == "ES256" && header.value("typ", Json("JWT")) == "JWT";
    if (!named || !signature || !verify_es256(key.get(), token.substr(0, second), *signature))
        return failed(VapidFault::Token);
    vapid.fault = check_claims(part_of(token.substr(first + 1, second - first - 1)), rules);
    return vapid;
}

}  // namespace belfry::simulator::webpush
