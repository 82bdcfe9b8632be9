// SPDX-License-Identifier: Apache-2.0
// What stands in `authorization`: an OAuth access token for a client's secret, or a token that the service account
// signed itself. Source: Huawei, "OAuth 2.0-based Authentication" and "Service account" (hms.md sections 2 and 3).
#pragma once

#include <belfry/services.hpp>

#include "config.h"

namespace hms {

belfry::HttpRequest token_request(const Config& config, const Account& account);
// Throws Refused: AUTH or CONFIG when an operator must act, RETRY_LATER for trouble that passes.
belfry_credential read_token(const belfry::Services& services, const belfry::HttpAnswer& answer, std::string& value);

// PS256, valid for an hour; used as it is, without an exchange.
belfry_credential sign_token(const belfry::Services& services, const Account& account, std::string& value);

}  // namespace hms
