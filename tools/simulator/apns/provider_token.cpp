// SPDX-License-Identifier: Apache-2.0
#include "apns/provider_token.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "fcm/base64url.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kHalf = 32;  // r and s of P-256

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// Padded standard base64 passes too.
std::optional<std::string> decode_any_base64(std::string_view text) {
    std::string plain(text);
    while (!plain.empty() && plain.back() == '=') plain.pop_back();
    std::replace(plain.begin(), plain.end(), '+', '-');
    std::replace(plain.begin(), plain.end(), '/', '_');
    return base64url_decode(plain);
}

std::optional<std::string> der_of(const std::string& signature) {
    if (signature.size() != 2 * kHalf) return signature;
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(), ECDSA_SIG_free);
    BIGNUM* r = BN_bin2bn(bytes(signature), kHalf, nullptr);
    BIGNUM* s = BN_bin2bn(bytes(signature) + kHalf, kHalf, nullptr);
    ECDSA_SIG_set0(pair.get(), r, s);
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &der);
    if (size <= 0) return std::nullopt;
    std::string text(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return text;
}

bool verify(EVP_PKEY* key, std::string_view signed_part, const std::string& signature) {
    const auto der = der_of(signature);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (!der || EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1) return false;
    return EVP_DigestVerify(context.get(), bytes(*der), der->size(), bytes(signed_part), signed_part.size()) == 1;
}

std::string text_claim(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    return found != claims.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::optional<ProviderToken> read_provider_token(std::string_view jwt, const std::vector<ApnsKey>& keys) {
    const auto first = jwt.find('.'), last = jwt.rfind('.');
    if (first == std::string_view::npos || first == last || jwt.find('.', first + 1) != last) return std::nullopt;
    const auto head = base64url_decode(jwt.substr(0, first));
    const auto body = base64url_decode(jwt.substr(first + 1, last - first - 1));
    const auto signature = decode_any_base64(jwt.substr(last + 1));
    if (!head || !body || !signature) return std::nullopt;
    const Json header = Json::parse(*head, nullptr, false), claims = Json::parse(*body, nullptr, false);
    if (!header.is_object() || !claims.is_object() || text_claim(header, "alg") != "ES256") return std::nullopt;
    const auto issued = claims.find("iat");
    if (issued == claims.end() || !issued->is_number_integer()) return std::nullopt;
    const std::string key_id = text_claim(header, "kid"), team_id = text_claim(claims, "iss");
    for (const ApnsKey& key : keys) {
        if (key.key_id != key_id || key.team_id != team_id) continue;
        if (!verify(key.key.get(), jwt.substr(0, last), *signature)) return std::nullopt;
        return ProviderToken{&key, issued->get<std::int64_t>()};
    }
    return std::nullopt;
}

}  // namespace belfry::simulator
