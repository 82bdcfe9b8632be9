// SPDX-License-Identifier: Apache-2.0
// What device requests mean, apart from calling anybody. Threads: [any].
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/app.h"
#include "api/fault.h"
#include "api/reader.h"
#include "audience/devices.h"

namespace belfry::api {

std::variant<audience::Registration, Fault> registration_of(const App& app, const Checked& params);

// Keys of the ids in a list field; `path` is how messages call it.
std::optional<Fault> keys_of(const App& app, const std::vector<std::string>& ids, const std::string& path,
                             std::vector<int64_t>& keys);
// Instances of the wire names in a list field.
std::optional<Fault> instances_of(const App& app, const std::vector<std::string>& wire_names, const std::string& path,
                                  std::vector<std::string>& instances);

}  // namespace belfry::api
