// SPDX-License-Identifier: Apache-2.0
// Opens a plugin's private copy in this process. It is never closed. Threads: [control].
#pragma once

#include <string>

#include "base/result.h"
#include "plugins/plugin_table.h"

namespace belfry::plugins {

struct Entry {
    EntryFunction call = nullptr;
};

// `copy` is an absolute path. The entry function is taken only from that very file: dlsym also looks into the libraries
// it links. Errors are lines that begin with `file`.
Result<Entry> open_library(const std::string& copy, const std::string& file);

}  // namespace belfry::plugins
