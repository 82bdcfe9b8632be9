// SPDX-License-Identifier: Apache-2.0
// The API's reference page, written from the table that routes and validates. Threads: [any].
#pragma once

#include <string>

namespace belfry::api {

// Markdown; docs/api.md is this text.
std::string reference();

}  // namespace belfry::api
