// SPDX-License-Identifier: Apache-2.0
// Signs JWTs as a service account would, or wrongly on purpose.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "certificates.h"
#include "fcm/oauth.h"

namespace belfry::simulator {

std::string sign_jwt(EVP_PKEY* key, const nlohmann::json& header, const nlohmann::json& claims);
// The account whose public half is `key`'s.
Account account_for(EVP_PKEY* key, const std::string& project);
Request token_request(const std::string& assertion);

}  // namespace belfry::simulator
