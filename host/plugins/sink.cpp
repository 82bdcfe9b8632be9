// SPDX-License-Identifier: Apache-2.0
#include "plugins/sink.h"

#include "plugins/missing.h"

namespace belfry::plugins {

std::string Sink::missing(const belfry_sink& table) {
    return join_missing({{"write", table.write != nullptr}, {"flush", table.flush != nullptr}});
}

Sink::Sink(const belfry_sink* table, belfry_instance* instance, Faults& faults)
    : table_(known_part<belfry_sink>(table)), door_(instance, faults, 0) {}

Status Sink::write(std::span<const belfry_event> events, int64_t deadline_mono_ns) {
    return door_.call("sink.write", [&](belfry_instance* i, belfry_why* why) {
        return table_.write(i, list_of(events), deadline_mono_ns, why);
    });
}

Status Sink::flush(int64_t deadline_mono_ns) {
    return door_.call("sink.flush",
                      [&](belfry_instance* i, belfry_why* why) { return table_.flush(i, deadline_mono_ns, why); });
}

}  // namespace belfry::plugins
