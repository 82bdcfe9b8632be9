// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "api/error_catalogue.h"
#include "api/reference.h"
#include "cli/command.h"

namespace belfry::cli {
namespace {

int show_reference(const Call& call) {
    call.world.out << api::reference();
    return kDone;
}

int show_errors(const Call& call) {
    call.world.out << api::error_reference();
    return kDone;
}

}  // namespace

std::vector<Command> api_commands() {
    return {{"api reference",
             "",
             "print the documented reference of the HTTP API",
             {},
             0,
             0,
             show_reference,
             {"belfry api reference | less"}},
            {"api errors",
             "",
             "print what the HTTP API's errors mean",
             {},
             0,
             0,
             show_errors,
             {"belfry api errors | grep 107"}}};
}

}  // namespace belfry::cli
