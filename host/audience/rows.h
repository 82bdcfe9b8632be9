// SPDX-License-Identifier: Apache-2.0
// Between the storage's rows and the registry's values. Threads: [any].
#pragma once

#include <belfry/storage.h>

#include <string>
#include <vector>

#include "audience/devices.h"
#include "base/result.h"

namespace belfry::audience {

// Views of texts that live longer.
std::vector<belfry_str> views(const std::vector<std::string>& texts);

// A selection as storages take it; refers to `from`.
struct Selected {
    explicit Selected(const Selection& from);
    std::vector<belfry_str> users, topics, providers, platforms;
    belfry_selection which;
};

DeviceRow copied(const belfry_device& from);
// What a storage says about one device or row, in words.
Error refused(belfry_code code);

}  // namespace belfry::audience
