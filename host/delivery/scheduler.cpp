// SPDX-License-Identifier: Apache-2.0
#include "delivery/scheduler.h"

#include <algorithm>
#include <chrono>

#include "base/named_thread.h"

namespace belfry::delivery {

namespace {

constexpr uint32_t kItemsPerClaim = 16;
constexpr int64_t kQuietAfterErrorNs = 200 * kNsPerMs;
constexpr const char* kLaneNames[policy::kLanes] = {"high", "normal", "low"};

}  // namespace

Scheduler::Scheduler(const Options& options, plugins::Queue& queue, Node& node, Gates& gates, StoreClock& clock,
                     Wakeup& wakeup, Log& log, Metrics& metrics)
    : options_(options),
      queue_(queue),
      node_(node),
      gates_(gates),
      clock_(clock),
      wakeup_(wakeup),
      log_(log, "delivery") {
    for (uint32_t lane = 0; lane < policy::kLanes; ++lane) {
        lag_[lane] =
            &metrics.gauge("lag_seconds", "How long the item claimed last had waited", {{"lane", kLaneNames[lane]}});
        claims_[lane] = &metrics.counter("items_claimed_total", "Work items claimed", {{"lane", kLaneNames[lane]}});
    }
}

Scheduler::~Scheduler() {
    end();
}

void Scheduler::start(PagePool& pages) {
    pages_ = &pages;
    thread_ = named_thread("scheduler", [this] { run(); });
}

void Scheduler::end() {
    ended_ = true;
    wakeup_.ring();
    if (thread_.joinable()) thread_.join();
}

void Scheduler::run() {
    while (!ended_) {
        const int64_t now = clock_.mono_ns();
        pages_->tick(now);
        const bool quiet = now < quiet_until_ || now < pages_->trouble_until();
        if (!quiet && claim_round()) continue;
        wakeup_.wait(std::chrono::milliseconds(options_.idle_claim_ms));
    }
}

bool Scheduler::claim_round() {
    {
        const std::lock_guard lock(claim_mutex_);
        if (!claiming_) return false;
        in_round_ = true;
    }
    const bool any = claim_lanes();
    {
        const std::lock_guard lock(claim_mutex_);
        in_round_ = false;
    }
    claimed_.notify_all();
    return any;
}

bool Scheduler::claim_lanes() {
    for (const uint32_t lane : shares_.order()) {
        const uint32_t slots = policy::free_slots(lane, options_.page_slots, pages_->held());
        const uint32_t n = std::min({slots, pages_->free_pages(), kItemsPerClaim});
        if (n == 0) continue;
        const std::optional<uint32_t> claimed = claim(lane, n);
        // A queue that cannot be asked for one lane is not asked for the next: each call may take seconds.
        if (!claimed) return false;
        if (*claimed == 0) {
            shares_.idle(lane);
            continue;
        }
        shares_.took(lane, *claimed);
        claims_[lane]->add(*claimed);
        return true;
    }
    return false;
}

// A page for a claimed item, unless claiming has stopped meanwhile.
Page* Scheduler::take(uint32_t lane, const belfry_claimed& row) {
    const std::lock_guard lock(claim_mutex_);
    Page* page = claiming_ ? pages_->take(lane) : nullptr;
    if (page == nullptr) return nullptr;
    page->item().assign(row);
    page->start(lane);
    return page;
}

std::optional<uint32_t> Scheduler::claim(uint32_t lane, uint32_t slots) {
    const uint32_t room = gates_.open_gates(lane == 0, options_.page_slots, options_.page_rows, open_gates_);
    // Mixed items are claimed though every gate be closed: they end, or are moved behind a gate.
    const uint32_t n = std::min(slots, std::max(room, 1u));
    uint32_t claimed = 0;
    int64_t oldest = 0;
    const auto number = static_cast<int32_t>(lane + 1);  // belfry_lane
    const Status done = queue_.claim(node_.id(), number, open_gates_, n, 0, [&](const belfry_claimed& row) {
        if (claimed >= n) {
            log_.error("the queue gave more items than were asked for; they stay claimed",
                       {{"lane", kLaneNames[lane]}});
            return;
        }
        if (take(lane, row) == nullptr) return;
        if (oldest == 0 || row.ready_unix_ms < oldest) oldest = row.ready_unix_ms;
        ++claimed;
    });
    if (!done) {
        quiet_until_ = clock_.mono_ns() + kQuietAfterErrorNs;
        log_.warning("work cannot be claimed, trying again",
                     {{"lane", kLaneNames[lane]}, {"reason", done.error().to_string()}});
    }
    if (!done && claimed == 0) return std::nullopt;
    lag_[lane]->set(claimed == 0 || oldest == 0 ? 0 : static_cast<double>(clock_.unix_ms() - oldest) / 1000.0);
    return claimed;
}

}  // namespace belfry::delivery
