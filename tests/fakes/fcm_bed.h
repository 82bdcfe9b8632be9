// SPDX-License-Identifier: Apache-2.0
// The real fcm.so under the host's real services. Threads: used by one at a time.
#pragma once

#include <string>

#include "base/json.h"
#include "fakes/provider_instance.h"
#include "fakes/rsa_key.h"
#include "fakes/service_host.h"

namespace belfry::fakes {

inline std::string fcm_key_file(const std::string& more = R"("token_uri":"https://token.test:8/token")") {
    return R"({"type":"service_account","project_id":"demo","private_key_id":"kid-1",)"
           R"("client_email":"push@demo.test","private_key":")" +
           json::escape(kTestRsaKey) + "\"" + (more.empty() ? "" : ",") + more + "}";
}

class FcmInstance : public ProviderInstance {
public:
    FcmInstance(const belfry_host* host, const std::string& config)
        : ProviderInstance(BELFRY_FCM_SO, "fcm", host, config) {}
};

// An instance on a host whose HTTP answers are scripted.
struct FcmHost {
    explicit FcmHost(const std::string& key)
        : host({"fcm", "fcm", "", 0, [key](std::string_view) -> Result<std::string> { return key; }, false}) {}
    TestHost host;
};
class FcmBed : public FcmHost, public FcmInstance {
public:
    explicit FcmBed(const std::string& key = fcm_key_file(),
                    const std::string& more_config = R"("endpoint":"https://fcm.test:7")")
        : FcmHost(key),
          FcmInstance(host.abi(),
                      R"({"credentials":{"$secret":"s1"})" + (more_config.empty() ? "" : "," + more_config) + "}") {}
};

}  // namespace belfry::fakes
