// SPDX-License-Identifier: Apache-2.0
// Devices as answers show them. Threads: [any].
#pragma once

#include <string>

#include "api/app.h"
#include "api/json_writer.h"
#include "audience/devices.h"

namespace belfry::api {

std::string id_of(const App& app, int64_t key);
// {"p256dh":...,"auth":...} of providers that keep them; empty for others.
std::string webpush_keys_of(const audience::DeviceRow& row);
// platform, user, meta, topics, timezone and locale; what is empty is left out.
void write_device_state(const audience::DeviceRow& row, JsonWriter& out);
void write_device(const App& app, const audience::DeviceRow& row, bool webpush_keys, JsonWriter& out);

}  // namespace belfry::api
