// SPDX-License-Identifier: Apache-2.0
// The team the simulated APNs knows: its .p8 keys and a push certificate, as files that a server can be given.
//
// Made on first start in the given folder (files 0600), used again afterwards.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

#include "apns/provider_token.h"

namespace belfry::simulator {

struct ApnsTeam {
    std::vector<ApnsKey> keys;
    std::vector<std::string> topics;
    std::string client_ca_file;
    std::string folder;

    // File names, ids and topics, for simulator.json.
    [[nodiscard]] nlohmann::ordered_json facts() const;
};

// Throws std::runtime_error that names the file.
ApnsTeam prepare_apns_team(const std::string& folder);

}  // namespace belfry::simulator
