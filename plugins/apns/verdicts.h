// SPDX-License-Identifier: Apache-2.0
// Answers into verdicts, by the table in reasons.h and what only the push and the configuration know.
#pragma once

#include <belfry/provider.hpp>

#include "config.h"

namespace apns {

void decode(const belfry::Services& services, const Config& config, belfry::Rows<belfry_answer> answers,
            const belfry::Verdicts& verdicts);

}  // namespace apns
