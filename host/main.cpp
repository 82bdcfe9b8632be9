// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstring>

#include "config/config.h"
#include "serve/serve.h"

int main(int argc, char** argv) {
    belfry::config::LoadArgs args;
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], "--config") == 0) args.file = argv[i + 1];
    }
    args.environment = belfry::config::process_environment();
    auto config = belfry::config::load(args);
    if (!config) {
        std::fprintf(stderr, "belfry: %s\n", config.error().to_string().c_str());
        return 1;
    }
    return belfry::serve::serve(std::move(*config));
}
