// SPDX-License-Identifier: Apache-2.0
#include "sqlite/place.h"

#include <belfry/services.h>
#include <belfry/abi.hpp>

#include "sqlite/failure.h"

namespace belfry::sqlite {

std::string file_in_state_directory(const belfry_host* host, std::string_view name) {
    const auto* state = static_cast<const belfry_state*>(host->service(host, str(BELFRY_STATE_ID)));
    if (state == nullptr) throw Failure(BELFRY_CONFIG, "name the database file", "path");
    std::string file;
    belfry_why why{};
    const belfry_code code =
        collect<belfry_str>([&](belfry_emit emit, void* ctx) { return state->directory(host, emit, ctx, &why); },
                            [&](const belfry_str& row) { file = text(row); });
    if (code != BELFRY_OK) throw Failure(code, static_cast<const char*>(why.text), static_cast<const char*>(why.where));
    file += '/';
    file += name;
    return file;
}

}  // namespace belfry::sqlite
