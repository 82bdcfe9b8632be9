// SPDX-License-Identifier: Apache-2.0
// belfry-plugin-check: what `belfry plugin check` runs, a program of its own so that the server carries none of it.
#include <exception>
#include <iostream>

#include "check/check.h"

int main(int argc, char** argv) {
    try {
        return belfry::kit::run_check(belfry::kit::parse_options(argc, argv), std::cout, std::cerr);
    } catch (const std::exception& error) {
        std::cerr << "belfry-plugin-check: " << error.what() << "\n";
        return 1;
    }
}
