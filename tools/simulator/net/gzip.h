// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace belfry::simulator {

std::string gzip(std::string_view bytes);

}  // namespace belfry::simulator
