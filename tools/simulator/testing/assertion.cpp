// SPDX-License-Identifier: Apache-2.0
#include "testing/assertion.h"

#include <memory>

#include "fcm/base64url.h"

namespace belfry::simulator {

std::string sign_jwt(EVP_PKEY* key, const nlohmann::json& header, const nlohmann::json& claims) {
    const std::string signed_part = base64url_encode(header.dump()) + '.' + base64url_encode(claims.dump());
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
    std::string signature(512, '\0');
    std::size_t size = signature.size();
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size());
    signature.resize(size);
    return signed_part + '.' + base64url_encode(signature);
}

Account account_for(EVP_PKEY* key, const std::string& project) {
    EVP_PKEY_up_ref(key);
    return {project, "sender@" + project + ".example", "key-of-" + project, PublicKey(key)};
}

Request token_request(const std::string& assertion) {
    Request request;
    request.method = "POST";
    request.path = "/token";
    request.authority = "localhost";
    request.http2 = true;
    request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
    request.body = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + assertion;
    return request;
}

}  // namespace belfry::simulator
