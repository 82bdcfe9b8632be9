// SPDX-License-Identifier: Apache-2.0
// Answers into verdicts, by the table in reasons.h and what only the push, the configuration and earlier answers know.
#pragma once

#include <belfry/provider.hpp>

#include "config.h"
#include "standing.h"

namespace apns {

struct Instance {
    const belfry::Services& services;
    const Config& config;
    Standing& standing;
    int64_t credential_mono_ns = 0;  // when the provider token was made; 0: a certificate speaks for us
};

// Threads: [any].
void decode(const Instance& instance, belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts);

}  // namespace apns
