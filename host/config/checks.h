// SPDX-License-Identifier: Apache-2.0
// What single settings cannot know: whether they fit together. Threads: [startup] and reload.
#pragma once

#include <string>

#include "config/config.h"
#include "config/settings.h"

namespace belfry::config {

// 1 to 64 letters, digits, '_' or '-'.
bool usable_name(const std::string& name);

// Complains about settings that contradict each other, and gives each provider the proxy it uses.
void check_whole(Config& config, const LoadArgs& args, Reading& reading);

}  // namespace belfry::config
