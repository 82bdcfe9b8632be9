// SPDX-License-Identifier: Apache-2.0
// Tells delivery which generation of each provider to use: at start, after a reload, and when an instance that could
// not start has come up by itself in the background.
//
// Threads: main's. Owner: serve().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/config.h"
#include "delivery/core.h"
#include "plugins/instances.h"

namespace belfry::serve {

class ProviderGenerations {
public:
    ProviderGenerations(const config::Config& config, const plugins::Instances& instances, Log& log)
        : config_(config), instances_(instances), log_(log, "serve") {}

    // Every configured provider; one that does not run has no generation yet, and its work waits.
    std::vector<delivery::ProviderInstance> at_start();
    // Switches delivery to generations it does not know yet.
    void follow(delivery::Core& core);

private:
    const config::Config& config_;
    const plugins::Instances& instances_;
    const Logger log_;
    std::map<std::string, uint64_t> known_;  // instance -> number of the generation that delivery uses
};

}  // namespace belfry::serve
