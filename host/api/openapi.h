// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.0 document, written from the table that routes and validates. Threads: [any].
#pragma once

#include <string>
#include <string_view>

namespace belfry::api {

std::string openapi(std::string_view version);

}  // namespace belfry::api
