// SPDX-License-Identifier: Apache-2.0
// A delivered message as the app on the phone would see it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "state/phones.h"

namespace belfry::simulator {

nlohmann::ordered_json phone_view(const Delivered& message);

}  // namespace belfry::simulator
