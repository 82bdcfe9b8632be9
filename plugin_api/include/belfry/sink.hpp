// SPDX-License-Identifier: Apache-2.0
// The C++ SDK for sinks. See plugin.hpp and sink.h.
#pragma once

#include <belfry/sink.h>

#include <belfry/plugin.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace belfry {

class SinkBase : public InstanceBase {
public:
    // Shadow these in the derived class.
    static constexpr uint32_t kBatchRowsMax = 1000;
    static constexpr uint32_t kBatchWaitMs = 1000;

    // [work] Takes a batch. Refused with RETRY_LATER: the same batch comes again; with BAD_REQUEST: it is set aside.
    virtual void write(Rows<belfry_event> events, int64_t deadline_mono_ns) = 0;
    // [work] Everything written so far is durable on return.
    virtual void flush(int64_t deadline_mono_ns) = 0;
    // [work] Optional: events in time order after a cursor; answers the cursor of the next page, empty at the end.
    virtual std::string query(const belfry_event_query& what, const Emit<belfry_event>& emit) {
        static_cast<void>(what), static_cast<void>(emit);
        throw Refused(BELFRY_UNSUPPORTED, {}, "this sink does not answer queries");
    }
};

namespace sdk {

template <class T>
struct SinkTable {
    static belfry_code write(belfry_instance* instance, belfry_list events, int64_t deadline_mono_ns,
                             belfry_why* why) noexcept {
        return walled(why, [&] { self<T>(instance).write(Rows<belfry_event>(events), deadline_mono_ns); });
    }
    static belfry_code flush(belfry_instance* instance, int64_t deadline_mono_ns, belfry_why* why) noexcept {
        return walled(why, [&] { self<T>(instance).flush(deadline_mono_ns); });
    }
    static belfry_code query(belfry_instance* instance, const belfry_event_query* what, belfry_emit emit, void* ctx,
                             char next_cursor[64], belfry_why* why) noexcept {
        return walled(why, [&] {
            const std::string next = self<T>(instance).query(known_part<belfry_event_query>(what), {emit, ctx});
            if (next.size() >= 64) throw Refused(BELFRY_INTERNAL, "cursor", "is longer than 63 bytes");
            put(next_cursor, 64, next);
        });
    }
    static belfry_sink make() noexcept {
        belfry_sink table = sized<belfry_sink>();
        table.batch_rows_max = T::kBatchRowsMax;
        table.batch_wait_ms = T::kBatchWaitMs;
        table.write = write;
        table.flush = flush;
        if constexpr (is_overridden(&T::query, &SinkBase::query)) table.query = query;
        return table;
    }
};

}  // namespace sdk

// Completes a sink: class Acme final : public belfry::Sink<Acme>.
template <class T>
class Sink : public SinkBase {
public:
    const void* table(std::string_view id) const noexcept final {
        static const belfry_sink made = sdk::SinkTable<T>::make();
        return id == BELFRY_SINK_ID ? &made : nullptr;
    }
};

}  // namespace belfry
