// SPDX-License-Identifier: Apache-2.0
// A whole check: which cases apply to a plugin, in which order they run, and when it makes no sense to go on.
//
// Static cases read files; only after they passed is any code of the plugin run. The contract's first cases create and
// start an instance: without one that starts, nothing further can be said. Then come the contract and the cases of the
// component's kind. Threads: one; every case has a process of its own.
#pragma once

#include <iosfwd>
#include <span>

#include "check/options.h"
#include "check/report.h"
#include "plugins/manifest.h"

namespace belfry::kit {

// Exit codes: 0 everything that ran passed, 1 something failed, 2 wrong usage or no configuration.
int run_check(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace belfry::kit
