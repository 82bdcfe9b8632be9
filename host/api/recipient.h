// SPDX-License-Identifier: Apache-2.0
// The members of `recipient` and what they address. Threads: [any].
#pragma once

#include <string>
#include <variant>

#include "api/app.h"
#include "api/fault.h"
#include "api/reader.h"
#include "delivery/delivery.h"

namespace belfry::api {

struct Addressed {
    delivery::Recipient recipient;
    std::string field;                       // "recipient.fcm_tokens", for messages
    const ProviderName* provider = nullptr;  // of raw tokens and native topics
};

std::variant<Addressed, Fault> addressed_by(const App& app, const Checked& recipient);

}  // namespace belfry::api
