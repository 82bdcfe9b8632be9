// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

namespace belfry::cli {
namespace {

int serve(const Call& call) {
    Result<config::Config> config = config::load(load_args(call, true));
    if (!config) return failed(call.world, config.error().message);
    return call.hooks.serve(*config);
}

}  // namespace

Command serve_command() {
    return {"serve",
            "",
            "run the server; without any configuration file in embedded mode on loopback",
            with_config_options({}),
            0,
            0,
            serve};
}

}  // namespace belfry::cli
