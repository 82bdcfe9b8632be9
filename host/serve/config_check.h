// SPDX-License-Identifier: Apache-2.0
// What only the whole program can say about a configuration without serving with it, for `belfry config check`.
// Threads: main's, of a program that has no others.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace belfry::serve {

// What is wrong, one line each: data_dir and http.tls as the server would find them, then the section of every
// configured instance, by its plugin's schema and by creating the instance in a process of its own. Providers are also
// started there, without network and with an empty state, since they read their keys and certificates in start; storage
// and queue are not. Nothing is left behind, and data_dir is not made.
std::vector<std::string> check_configuration(const config::Config& config);

}  // namespace belfry::serve
