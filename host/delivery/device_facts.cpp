// SPDX-License-Identifier: Apache-2.0
#include "delivery/device_facts.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/named_thread.h"

namespace belfry::delivery {

namespace {

constexpr size_t kFactsPerCall = 8'000;
constexpr int64_t kRestPerWork = 7;  // an eighth of one processor for removals
constexpr int64_t kRestMaxNs = 2 * kNsPerSecond;

}  // namespace

DeviceFacts::DeviceFacts(plugins::Storage& storage, const Clock& clock, Log& log, Metrics& metrics)
    : storage_(storage),
      clock_(clock),
      log_(log, "delivery"),
      removed_(metrics.counter("devices_removed_total", "Devices removed", {{"cause", "dead_token"}})),
      forgotten_(metrics.counter("device_facts_forgotten_total",
                                 "Dead tokens and learnt variants for which the storage was too slow")),
      waiting_(kFactsMax),  // a batch has one fact at least
      thread_(named_thread("device-facts", [this] { run(); })) {}

DeviceFacts::~DeviceFacts() {
    stop(0);
}

void DeviceFacts::stop(int64_t deadline_mono_ns) {
    give_up_at_ = deadline_mono_ns;
    waiting_.close();
    { const std::lock_guard lock(resting_); }  // it sees the end, or is waiting already
    wake_.notify_one();
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
    if (before <= kFactsRestMax && before + n > kFactsRestMax) {
        { const std::lock_guard lock(resting_); }
        wake_.notify_one();
    }
}

void DeviceFacts::run() {
    for (;;) {
        const std::vector<Batch> batches = next();
        if (batches.empty()) return;
        const int64_t began = clock_.mono_ns();
        for (const Batch& batch : batches) settle(batch);
        rest(clock_.mono_ns() - began);
    }
}

// Everything that waits; what is said of devices of one app is one batch.
std::vector<DeviceFacts::Batch> DeviceFacts::next() {
    std::vector<Batch> merged;
    for (Batch& batch : waiting_.pop_all(kFactsMax)) {
        const auto fits = [&](const Batch& one) {
            return one.kind == batch.kind && one.app == batch.app &&
                   one.facts.size() + batch.facts.size() <= kFactsPerCall;
        };
        const auto into = std::find_if(merged.begin(), merged.end(), fits);
        if (into == merged.end()) {
            merged.push_back(std::move(batch));
        } else {
            into->facts.insert(into->facts.end(), batch.facts.begin(), batch.facts.end());
        }
    }
    return merged;
}

void DeviceFacts::settle(const Batch& batch) {
    if (clock_.mono_ns() >= give_up_at_) {
        forgotten_.add(static_cast<double>(batch.facts.size()));
        return;
    }
    batch.kind == Kind::Dead ? invalidate(batch) : amend(batch);
    facts_ -= batch.facts.size();
}

// Removing a device costs three times as much as sending to it, so sending has the processors first, unless removals
// would be forgotten otherwise.
void DeviceFacts::rest(int64_t worked_ns) {
    std::unique_lock lock(resting_);
    wake_.wait_for(lock, std::chrono::nanoseconds(std::min(kRestPerWork * worked_ns, kRestMaxNs)),
                   [&] { return waiting_.closed() || facts_ > kFactsRestMax; });
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
