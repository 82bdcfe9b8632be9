// SPDX-License-Identifier: Apache-2.0
// Answers into verdicts, by the tables in codes.h and what only the push knows.
#pragma once

#include <belfry/provider.hpp>

#include "dead_token_gate.h"

namespace hms {

void decode(const belfry::Services& services, DeadTokenGate& gate, belfry::Rows<belfry_answer> answers,
            const belfry::Verdicts& verdicts);

}  // namespace hms
