// SPDX-License-Identifier: Apache-2.0
#include "delivery/upkeep.h"

#include <algorithm>
#include <chrono>

#include "base/named_thread.h"

namespace belfry::delivery {

namespace {

constexpr uint32_t kUpkeepBudgetMs = 50;

}  // namespace

Upkeep::Upkeep(const Options& options, plugins::Queue& queue, Node& node, StoreClock& clock, StoppedPushes& stopped,
               Wakeup& scheduler, Log& log)
    : options_(options),
      queue_(queue),
      node_(node),
      clock_(clock),
      stopped_(stopped),
      scheduler_(scheduler),
      log_(log, "delivery") {}

Upkeep::~Upkeep() {
    stop();
}

Status Upkeep::start(PagePool& pages, std::function<Status()> may_work, std::function<void()> give_up) {
    pages_ = &pages;
    may_work_ = std::move(may_work);
    give_up_ = std::move(give_up);
    const int64_t asked = clock_.mono_ns();
    const Result<belfry_pulse> first = beat();
    if (!first) return first.error();
    if (may_work_) {
        if (Status may = may_work_(); !may) return may;
    }
    node_.confirm(asked);
    change_ = first->changes;
    beats_ = named_thread("beats", [this] { run_beats(); });
    upkeep_ = named_thread("upkeep", [this] { run_upkeep(); });
    return {};
}

void Upkeep::stop() {
    ended_ = true;
    beat_wakeup_.ring();
    upkeep_wakeup_.ring();
    if (beats_.joinable()) beats_.join();
    if (upkeep_.joinable()) upkeep_.join();
}

Result<belfry_pulse> Upkeep::beat() {
    Result<belfry_pulse> pulse = queue_.beat(node_.id());
    if (pulse) clock_.heard(pulse->store_unix_ms);
    return pulse;
}

// Misconfigured: never again; else it is not known.
Status Upkeep::still_may_work() {
    Status may = may_work_ ? may_work_() : Status();
    if (may) return may;
    log_.warning("stores cannot be worked on", {{"reason", may.error().to_string()}});
    if (may.error().code == ErrorCode::Misconfigured) give_up_();
    return may;
}

void Upkeep::run_beats() {
    while (!ended_) {
        beat_wakeup_.wait(std::chrono::milliseconds(options_.beat_ms));
        if (ended_) return;
        const int64_t asked = clock_.mono_ns();
        const Result<belfry_pulse> done = beat();
        if (!done) log_.warning("heartbeat failed", {{"reason", done.error().to_string()}});
        const bool is_dead = !done && done.error().code == ErrorCode::Cancelled;
        if (!done && !is_dead) continue;
        // Taken for dead: what it held belongs to others, so it goes on as a new node, unless the stores were moved
        // away while it stood still.
        const Status may = still_may_work();
        if (!may && (is_dead || may.error().code == ErrorCode::Misconfigured)) continue;
        if (is_dead) node_.renew();
        node_.confirm(asked);
    }
}

void Upkeep::run_upkeep() {
    while (!ended_) {
        hear_changes();
        const Result<uint32_t> next = queue_.upkeep(node_.id(), kUpkeepBudgetMs);
        if (!next) log_.warning("queue upkeep failed", {{"reason", next.error().to_string()}});
        scheduler_.ring();
        const int64_t wait = next ? std::min<int64_t>(*next, options_.changes_ms) : options_.changes_ms;
        upkeep_wakeup_.wait(std::chrono::milliseconds(std::max<int64_t>(wait, 1)));
    }
}

void Upkeep::hear_changes() {
    bool any = false;
    const Status done = queue_.changes(change_, [&](const belfry_change& row) {
        change_ = std::max(change_, row.number);
        stopped_.set(audience::hash_of({view(row.app), view(row.uid)}), row.state);
        any = true;
    });
    if (!done) log_.warning("stopped pushes cannot be heard of", {{"reason", done.error().to_string()}});
    if (any) pages_->recall_all();
}

void Upkeep::heard(const std::string& app, const std::string& uid, int32_t state) {
    stopped_.set(audience::hash_of({app, uid}), state);
    if (pages_ != nullptr) pages_->recall_all();
}

}  // namespace belfry::delivery
