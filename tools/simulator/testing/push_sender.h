// SPDX-License-Identifier: Apache-2.0
// A Web Push sender for tests: seals messages and signs VAPID tokens, or does it wrongly on purpose.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

#include "certificates.h"

namespace belfry::simulator {

class PushSender {
public:
    PushSender() : key_(make_ec_key()) {}

    // k of the Authorization header.
    [[nodiscard]] std::string public_key() const;
    [[nodiscard]] std::string token(const nlohmann::json& claims,
                                    const nlohmann::json& header = {{"typ", "JWT"}, {"alg", "ES256"}}) const;
    [[nodiscard]] std::string authorization(const nlohmann::json& claims) const;
    // `point`, `auth`: raw bytes of the subscription.
    [[nodiscard]] static std::string seal(std::string_view point, std::string_view auth, const std::string& payload);

private:
    Key key_;
};

}  // namespace belfry::simulator
