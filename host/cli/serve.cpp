// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

namespace belfry::cli {
namespace {

int serve(const Call& call) {
    Result<config::Config> config = config::load(load_args(call, true));
    if (!config) return failed_as_it_stands(call, config.error());
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
            serve,
            {"belfry serve --config /etc/belfry/belfry.toml",
             "belfry serve --data-dir ./data --set http.listen=127.0.0.1:9000"}};
}

}  // namespace belfry::cli
