// SPDX-License-Identifier: Apache-2.0
#include "delivery/device_facts.h"

namespace belfry::delivery {

DeviceFacts::DeviceFacts(plugins::Storage& storage, const Clock& clock, Log& log, Metrics& metrics)
    : storage_(storage),
      clock_(clock),
      log_(log, "delivery"),
      removed_(metrics.counter("devices_removed_total", "Devices removed", {{"cause", "dead_token"}})),
      forgotten_(metrics.counter("device_facts_forgotten_total",
                                 "Dead tokens and learnt variants for which the storage was too slow")),
      waiting_(kFactsMax),  // a batch has one fact at least
      thread_([this] { run(); }) {}

DeviceFacts::~DeviceFacts() {
    stop(0);
}

void DeviceFacts::stop(int64_t deadline_mono_ns) {
    give_up_at_ = deadline_mono_ns;
    waiting_.close();
    if (thread_.joinable()) thread_.join();
}

void DeviceFacts::add(const std::string& app, Kind kind, std::vector<belfry_fact> facts) {
    const size_t n = facts.size();
    if (n == 0) return;
    // A batch alone always has room, however large.
    const size_t before = facts_.fetch_add(n);
    if (before > 0 && before + n > kFactsMax) {
        facts_ -= n;
        forgotten_.add(static_cast<double>(n));
        return;
    }
    if (!waiting_.try_push({app, kind, std::move(facts)})) facts_ -= n;
}

void DeviceFacts::run() {
    while (const std::optional<Batch> batch = waiting_.pop()) {
        if (clock_.mono_ns() >= give_up_at_) {
            forgotten_.add(static_cast<double>(batch->facts.size()));
            continue;
        }
        batch->kind == Kind::Dead ? invalidate(*batch) : amend(*batch);
        facts_ -= batch->facts.size();
    }
}

// A dead token that cannot be removed now is found dead again by the next push.
void DeviceFacts::invalidate(const Batch& batch) {
    uint32_t removed = 0;
    const Status done = storage_.invalidate(batch.app, batch.facts,
                                            [&](const belfry_fact_result& row) { removed += row.code == BELFRY_OK; });
    if (!done) log_.warning("dead tokens not removed", {{"app", batch.app}, {"reason", done.error().to_string()}});
    removed_.add(removed);
}

void DeviceFacts::amend(const Batch& batch) {
    const Status done = storage_.amend(batch.app, batch.facts, [](const belfry_fact_result&) {});
    if (!done) log_.warning("learnt variants not kept", {{"app", batch.app}, {"reason", done.error().to_string()}});
}

}  // namespace belfry::delivery
