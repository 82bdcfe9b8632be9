// SPDX-License-Identifier: Apache-2.0
// The app the simulated Push Kit knows: ids, an OAuth client's secret, and a service account's key file.
//
// Made on first start in the given folder (files 0600), used again afterwards.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

#include "hms/state.h"

namespace belfry::simulator {

// Throws std::runtime_error that names the file.
HmsApp prepare_hms_app(const std::string& folder);

// File names and ids, for simulator.json.
nlohmann::ordered_json hms_facts(const HmsApp& app, const std::string& folder);

}  // namespace belfry::simulator
