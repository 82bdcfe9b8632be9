// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/command.h"

namespace belfry::cli {
namespace {

int version(const Call& call) {
    call.world.out << "belfry " BELFRY_VERSION "\n";
    return kDone;
}

}  // namespace

Command version_command() {
    return {"version", "", "print the version", {}, 0, 0, version};
}

}  // namespace belfry::cli
