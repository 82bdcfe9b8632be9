// SPDX-License-Identifier: Apache-2.0
// Answers into verdicts: 2xx by a look at their first bytes, all others by the table in errors.h.
#pragma once

#include <belfry/provider.hpp>

namespace fcm {

void decode(const belfry::Services& services, belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts);

}  // namespace fcm
