// SPDX-License-Identifier: Apache-2.0
// The real apns.so under the host's real services. Threads: used by one at a time.
#pragma once

#include <map>
#include <string>

#include "fakes/keychain_p12.h"
#include "fakes/provider_instance.h"
#include "fakes/service_host.h"

namespace belfry::fakes {

// For tests only; belongs to nobody.
inline constexpr const char* kTestP8 = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrokc7H0/tLzT1z0A
P5MhL7+LVzJCfGkju1PfXl6tz5+hRANCAASvqp3r1ORSKKclSxmOoojSjPHAjR/u
OkH189MlzWPnX4bNbQCPNccwGC5jWH7PVfXblRjF5ld24gRzMUrRPZNf
-----END PRIVATE KEY-----
)";

inline const std::string kApnsKeySection = R"("key":{"$secret":"p8"},"key_id":"ABCDE12345","team_id":"TEAM123456")";
inline const std::string kApnsTopic = R"(,"topic":"com.example.app")";

struct ApnsHost {
    static services::SecretReader reader(std::map<std::string, std::string, std::less<>> secrets) {
        return [secrets = std::move(secrets)](std::string_view id) -> Result<std::string> {
            const auto found = secrets.find(id);
            if (found == secrets.end()) return error(ErrorCode::NotFound, "no such secret");
            return found->second;
        };
    }
    ApnsHost() : host({"apns", "apns", "", 0, reader(secrets()), false}) {}
    static std::map<std::string, std::string, std::less<>> secrets() {
        return {{"p8", kTestP8}, {"p12", std::string(kKeychainP12)}, {"password", "secret"}, {"wrong", "nonsense"}};
    }
    TestHost host;
};

class ApnsBed : public ApnsHost, public ProviderInstance {
public:
    explicit ApnsBed(const std::string& section = kApnsKeySection + kApnsTopic)
        : ProviderInstance(BELFRY_APNS_SO, "apns", host.abi(), "{" + section + "}") {}
};

}  // namespace belfry::fakes
