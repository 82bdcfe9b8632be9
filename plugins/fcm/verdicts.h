// SPDX-License-Identifier: Apache-2.0
// Answers into verdicts: 2xx by a look at their first bytes, all others by the table in errors.h.
#pragma once

#include <belfry/provider.h>

#include "host.h"

namespace fcm {

void decode(const Host& host, belfry_list answers, belfry_emit emit, void* ctx);

}  // namespace fcm
