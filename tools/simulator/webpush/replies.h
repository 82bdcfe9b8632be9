// SPDX-License-Identifier: Apache-2.0
// What each service says: status, body and headers, as they were seen in the field or stand in its source.
#pragma once

#include <string>

#include "net/exchange.h"
#include "webpush/flavour.h"
#include "webpush/vapid.h"

namespace belfry::simulator::webpush {

enum class Refusal : std::uint8_t {
    None,
    UnknownSubscription,
    Gone,
    NotAllowed,  // another method than POST
    NoLength,    // chunked, or no content-length
    NoTtl,
    BadTtl,
    BadUrgency,
    BadTopic,
    BadEncoding,  // Content-Encoding
    BadBody,      // cannot be decrypted
    TooLarge,
    Sender,  // see VapidFault
};

// `why` is for people.
Reply refusal_reply(Flavour flavour, Refusal refusal, VapidFault fault, const std::string& why);
// A scripted failure of this status, in the service's own form.
Reply status_reply(Flavour flavour, int status);
Reply accepted_reply(Flavour flavour, const std::string& message_url, const std::string& message_id,
                     std::int64_t effective_ttl);

}  // namespace belfry::simulator::webpush
