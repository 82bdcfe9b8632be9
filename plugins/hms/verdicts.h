// SPDX-License-Identifier: Apache-2.0
// Answers into verdicts, by the tables in codes.h and what only the push knows.
#pragma once

#include <belfry/provider.hpp>

namespace hms {

void decode(const belfry::Services& services, belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts);

}  // namespace hms
