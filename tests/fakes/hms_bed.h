// SPDX-License-Identifier: Apache-2.0
// The real hms.so under the host's real services. Threads: used by one at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fakes/provider_instance.h"
#include "fakes/rsa_key.h"
#include "fakes/service_host.h"

namespace belfry::fakes {

// As AppGallery Connect writes it.
inline std::string hms_key_file(std::string_view private_key = kTestRsaKey) {
    return R"({"project_id":"9001","key_id":"kid-1","sub_account":"102030","private_key":")" +
           json::escape(private_key) + "\"}";
}

inline constexpr const char* kHmsV1 =
    R"({"app_id":"123","client_secret":{"$secret":"s"},"endpoint":"https://hms.test:7",)"
    R"("token_endpoint":"https://hms.test:8/oauth2/v3/token"})";
inline constexpr const char* kHmsV3 =
    R"({"generation":"v3","service_account":{"$secret":"k"},"endpoint":"https://hms.test:7"})";

// Secrets: "s" the client's, "k" the key file.
struct HmsHost {
    explicit HmsHost(const std::string& secret, const std::string& key_file)
        : host({"hms", "hms", "", 0,
                [=](std::string_view id) -> Result<std::string> { return id == "s" ? secret : key_file; }, false}) {}
    TestHost host;
};
class HmsBed : public HmsHost, public ProviderInstance {
public:
    explicit HmsBed(const std::string& config = kHmsV1,
                    const std::string& secret = "a+b/=", const std::string& key_file = hms_key_file())
        : HmsHost(secret, key_file), ProviderInstance(BELFRY_HMS_SO, "hms", host.abi(), config) {}

    static std::vector<Item> items(const std::vector<std::string>& tokens, std::string_view payload,
                                   uint32_t variant = 0, int64_t expires_unix_ms = 0) {
        std::vector<Item> made;
        for (const std::string& token : tokens) made.push_back({token, "", variant, payload, expires_unix_ms});
        return made;
    }
    static std::vector<std::string> tokens(size_t n) {
        std::vector<std::string> made;
        for (size_t i = 0; i < n; ++i) made.push_back("T" + std::to_string(i));
        return made;
    }
    // Prepares `payload` and writes the request for `tokens`.
    Written one(const std::string& payload, const std::vector<std::string>& tokens, uint32_t variant = 0,
                int64_t expires_unix_ms = 0, uint32_t flags = 0) {
        EXPECT_TRUE(prepare(payload, "", BELFRY_CONTENT_TOKENS, "", flags, expires_unix_ms))
            << trouble.where << ": " << trouble.text;
        if (!has_prepared()) return {};
        const Encoded encoded = encode(items(tokens, payload, variant, expires_unix_ms));
        EXPECT_EQ(encoded.requests.size(), 1U) << (encoded.refused.empty() ? "" : encoded.refused[0].reason);
        return encoded.requests.empty() ? Written{} : encoded.requests[0];
    }
};

}  // namespace belfry::fakes
