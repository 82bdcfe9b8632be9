// SPDX-License-Identifier: Apache-2.0
// What environment and --set say is laid over the file, --set last. Threads: [startup] and reload.
#pragma once

#include "config/config.h"
#include "config/node.h"
#include "config/settings.h"

namespace belfry::config {

void overlay(Node& root, const LoadArgs& args, Reading& reading);

}  // namespace belfry::config
