// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/output.h"

namespace belfry::cli {
namespace {

int version(const Call& call) {
    if (call.given.has("--json")) {
        print_json({{"version", BELFRY_VERSION}}, call.world);
    } else {
        call.world.out << "belfry " BELFRY_VERSION "\n";
    }
    return kDone;
}

}  // namespace

Command version_command() {
    return {"version", "",      "print the version", {{"--json", "", "print it as JSON"}}, 0,
            0,         version, {"belfry version"}};
}

}  // namespace belfry::cli
