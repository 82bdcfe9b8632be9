// SPDX-License-Identifier: Apache-2.0
// From configuration to what modules take: plugin instances, apps and keys. Threads: [startup] and reload.
#pragma once

#include <string>
#include <vector>

#include "api/server.h"
#include "config/config.h"
#include "plugins/component.h"
#include "plugins/loader.h"

namespace belfry::serve {

plugins::ComponentSpec spec_of(const config::Config& config, const config::ComponentConfig& component,
                               plugins::Kind kind);

// `data_dir`: where private copies of plugins go.
plugins::LoaderOptions loader_options(const config::Config& config, const std::string& data_dir);

std::vector<std::string> app_names(const config::Config& config);
// Every API key with its app and what the app calls its providers, and the operators' keys.
Result<api::Keys> api_keys(const config::Config& config);
api::ServerOptions server_options(const config::Config& config, api::Keys keys);

}  // namespace belfry::serve
