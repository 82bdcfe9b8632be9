// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "api/reference.h"
#include "cli/command.h"

namespace belfry::cli {
namespace {

int show_reference(const Call& call) {
    call.world.out << api::reference();
    return kDone;
}

}  // namespace

Command api_command() {
    return {"api reference", "", "print the documented reference of the HTTP API", {}, 0, 0, show_reference};
}

}  // namespace belfry::cli
