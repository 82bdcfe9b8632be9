// SPDX-License-Identifier: Apache-2.0
// Who may send: the token endpoint for OAuth's client credentials, and the tokens of both kinds on requests (hms.md
// sections 2 and 3).
#pragma once

#include <string>
#include <string_view>

#include "net/exchange.h"
#include "state/world.h"

namespace belfry::simulator {

// Answers POST /oauth2/v3/token: the same token until it expires, with what is left of its life. Under world.mutex.
Reply answer_hms_oauth(World& world, const Request& request);

// The result code that refuses the request, 0 if its bearer is good. v1 and v2 take an access token, and a service
// account's too; v3 only the latter. Under world.mutex.
int check_hms_bearer(World& world, const Request& request, bool harmony);

// Every access token is an expired one from now on; or none was ever issued. Under world.mutex.
void expire_hms_tokens(World& world);
void revoke_hms_tokens(World& world);

}  // namespace belfry::simulator
