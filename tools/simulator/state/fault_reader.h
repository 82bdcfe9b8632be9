// SPDX-License-Identifier: Apache-2.0
// Fault rules as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

#include "state/faults.h"

namespace belfry::simulator {

// Fills `rule`, or says which key is wrong and what it may be.
std::optional<std::string> read_fault_rule(const nlohmann::ordered_json& json, FaultRule& rule);
nlohmann::ordered_json fault_rule_json(const FaultRule& rule);

}  // namespace belfry::simulator
