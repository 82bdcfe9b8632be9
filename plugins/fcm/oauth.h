// SPDX-License-Identifier: Apache-2.0
// OAuth 2 for service accounts: a signed assertion is exchanged for an access token (RFC 7523).
#pragma once

#include <belfry/provider.h>

#include "config.h"

namespace fcm {

// The request for a token. Refused with CONFIG if the private key cannot be used.
belfry::HttpRequest token_request(const belfry::Services& services, const Account& account);

// The token in an answer; `value` keeps what the credential borrows. Refused with AUTH or CONFIG: an operator must act;
// with RETRY_LATER: trouble that passes.
belfry_credential read_token(const belfry::Services& services, const Account& account, const belfry::HttpAnswer& answer,
                             std::string& value);

}  // namespace fcm
