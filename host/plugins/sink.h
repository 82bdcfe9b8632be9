// SPDX-License-Identifier: Apache-2.0
// belfry.sink/1 as the host calls it: what each call means is written in plugin_api/include/belfry/sink.h.
//
// Threads: the sink's own thread for write and flush, [work] for query. Owner: a Generation.
#pragma once

#include <belfry/sink.h>

#include <cstdint>
#include <span>
#include <string>

#include "plugins/call.h"

namespace belfry::plugins {

class Sink {
public:
    // The names of mandatory functions that the table lacks, comma separated; empty if it is complete.
    static std::string missing(const belfry_sink& table);

    Sink(const belfry_sink* table, belfry_instance* instance, Faults& faults);

    uint32_t batch_rows_max() const noexcept { return table_.batch_rows_max; }
    uint32_t batch_wait_ms() const noexcept { return table_.batch_wait_ms; }
    bool answers_queries() const noexcept { return table_.query != nullptr; }

    // Unavailable: give the same batch again. InvalidArgument: set it aside.
    Status write(std::span<const belfry_event> events, int64_t deadline_mono_ns);
    Status flush(int64_t deadline_mono_ns);
    // The cursor of the next page; empty: no more.
    template <class Fn>  // const belfry_event&
    Result<std::string> query(const belfry_event_query& what, Fn&& fn) {
        if (table_.query == nullptr) return Door::unsupported("sink.query");
        char next[64] = {};
        const Status done = door_.rows<belfry_event>(
            "sink.query",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.query(i, &what, emit, ctx, next, why);
            },
            fn);
        if (!done) return done.error();
        return std::string(text_of(next));
    }

private:
    const belfry_sink table_;
    Door door_;
};

}  // namespace belfry::plugins
