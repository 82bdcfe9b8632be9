// SPDX-License-Identifier: Apache-2.0
// Devices as answers show them. Threads: [any].
#pragma once

#include <string>

#include "api/app.h"
#include "api/json_writer.h"
#include "audience/devices.h"

namespace belfry::api {

std::string id_of(const App& app, int64_t key);
void write_device(const App& app, const audience::DeviceRow& row, bool webpush_keys, JsonWriter& out);

}  // namespace belfry::api
