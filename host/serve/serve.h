// SPDX-License-Identifier: Apache-2.0
// `belfry serve`: everything put together, top to bottom, and taken apart in the reverse order.
#pragma once

#include "config/config.h"

namespace belfry::serve {

// Runs the server until it is told to stop. The answer is the exit code: 0 stopped as asked, 1 could not start or work.
int serve(config::Config config);

}  // namespace belfry::serve
