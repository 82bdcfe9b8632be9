// SPDX-License-Identifier: Apache-2.0
// Executes the pieces of a plan for one exchange: how long the text is, and the text itself.
// Threads: [any], pure. Both calls with the same source agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "http/plan.h"

namespace belfry::http {

struct PieceSource {
    const Plan& plan;
    const Exchange& exchange;
    int64_t unix_s;  // "now" for TTL_S; kept per request so that its length cannot change between measuring and writing
};

size_t measure(const PieceSource&, std::span<const Piece>);
// Writes exactly measure() bytes; returns their end.
char* write(const PieceSource&, std::span<const Piece>, char* out);

}  // namespace belfry::http
