// SPDX-License-Identifier: Apache-2.0
// Push services' answers into verdicts.
#pragma once

#include <belfry/provider.hpp>

#include "keys.h"

namespace webpush {

void decode(const belfry::Services& services, Keys& keys, belfry::Rows<belfry_answer> answers,
            const belfry::Verdicts& verdicts);

}  // namespace webpush
