// SPDX-License-Identifier: Apache-2.0
// Where a database file lies when the configuration does not say.
#pragma once

#include <belfry/plugin.h>

#include <string>
#include <string_view>

namespace belfry::sqlite {

// [control], in start: the file in the instance's private directory (belfry.state/1, below data_dir). Throws Failure if
// the host has none to give.
std::string file_in_state_directory(const belfry_host* host, std::string_view name);

}  // namespace belfry::sqlite
