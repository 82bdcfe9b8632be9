// SPDX-License-Identifier: Apache-2.0
#include "delivery/page.h"

#include <algorithm>

namespace belfry::delivery {

namespace {

constexpr int64_t kRecheckNs = 50 * kNsPerMs;
constexpr uint32_t kRefusalsTogether = 32;
constexpr int64_t kPatience = 4;  // times straggler_after_ms, then stragglers may be more than their share

}  // namespace

Page::Page(PageWorld& world) : world_(world) {}

Page::~Page() {
    for (Block* block : blocks_) world_.blocks.give_back(block);
}

void Page::start(uint32_t lane) {
    lane_.store(lane, std::memory_order_relaxed);
    reserve();
    post(kStart);
}

// Announces the page's deliveries to its gate before it has read them, so that claims do not run ahead of the pace.
void Page::reserve() {
    item_gate_ = world_.gates.by_number(item_.row.gate);
    reserved_ = 0;
    if (item_gate_ == nullptr) return;
    rows_ = item_gate_->page_rows(lane() == 0, std::min(world_.options.page_rows, kBlobEntriesMax));
    reserved_ = slice() ? rows_ : std::min(rows_, entries_of_item());
    item_gate_->took(reserved_);
    item_gate_->took_page();
}

void Page::post(uint32_t events) {
    const uint32_t before = events_.fetch_or(events | kScheduled, std::memory_order_acq_rel);
    if ((before & kScheduled) == 0) world_.host.runnable(*this);
}

void Page::tick(int64_t now_mono_ns) {
    if (now_mono_ns < next_tick_.load(std::memory_order_relaxed)) return;
    next_tick_.store(kNever, std::memory_order_relaxed);
    post(kTick);
}

void Page::run() {
    for (;;) {
        const uint32_t events = events_.exchange(kScheduled, std::memory_order_acq_rel) & ~kScheduled;
        process(events);
        uint32_t expected = kScheduled;
        if (events_.compare_exchange_strong(expected, 0, std::memory_order_acq_rel)) return;
    }
}

// Refusals that usually concern one device only are judged at once when they are the first, then some together: a page
// of dead tokens would else be looked through for each of them. None waits for longer than until the next tick.
void Page::on_exception(http::Portion& portion, http::Exchange& exchange) noexcept {
    Block& block = *static_cast<BlockPortion&>(portion).block;
    block.raised[exchange.index / 64].fetch_or(uint64_t{1} << (exchange.index % 64), std::memory_order_release);
    const bool refused = exchange.status == 400 || exchange.status == 404 || exchange.status == 410;
    if (refused && refusals_.fetch_add(1, std::memory_order_relaxed) % kRefusalsTogether != 0) return;
    post(kException);
}

void Page::on_complete(http::Portion& portion) noexcept {
    static_cast<BlockPortion&>(portion).block->complete.store(true, std::memory_order_release);
    post(kComplete);
}

void Page::process(uint32_t events) {
    switch (state_) {
        case PageState::Free:  // anything but a start is a late ring
            if ((events & kStart) != 0) begin();
            return;
        case PageState::Reading:  // begin leaves it before any other event is looked at
            BELFRY_ASSERT(false);
            return;
        case PageState::Cutting:  // nothing is sent yet; a recall is looked for when it is
            if ((events & kSettled) != 0) after_cut();
            return;
        case PageState::Sending:
            harvest(false);
            if ((events & kRecall) != 0 || stopped_version_ != world_.stopped.version()) recall_stopped();
            sending();
            return;
        case PageState::Settling:
            harvest(false);
            if ((events & kSettled) != 0) after_settled();
            return;
        case PageState::Trailing:
            harvest(false);
            trail();
            return;
        case PageState::TailSettling:
            if ((events & kSettled) != 0) finish_tail();
            return;
    }
}

void Page::begin() {
    state_ = PageState::Reading;
    refusals_.store(0, std::memory_order_relaxed);
    started_mono_ns_ = world_.clock.mono_ns();
    stopped_version_ = world_.stopped.version();
    read_item();
}

void Page::read_item() {
    read_unix_ms_ = world_.clock.unix_ms();
    cursor_ = kept_to_ = item_.row.after;
    if (read() == Read::Failed) discard_read();
    if (const int64_t border = cut_point(); border != 0) {
        cut(border);
    } else {
        send();
    }
}

void Page::send() {
    if (crowded_out()) {
        world_.host.storage_trouble(error(ErrorCode::Busy, "too many late answers hold the memory of pages"));
        discard_read();
    } else if (only_deferred()) {
        discard_read();
    }
    submit_all();
    if (item_gate_ != nullptr) item_gate_->gave_back(reserved_);
    sent_mono_ns_ = world_.clock.mono_ns();
    state_ = PageState::Sending;
    if (world_.host.stopping() || stopped_version_ != world_.stopped.version()) recall_stopped();
    sending();
}

void Page::sending() {
    if (!may_settle()) {
        const int64_t first = sent_mono_ns_ + world_.options.straggler_after_ms * kNsPerMs;
        next_tick_.store(std::max(first, world_.clock.mono_ns() + kRecheckNs), std::memory_order_relaxed);
        return;
    }
    settle_now();
}

bool Page::may_settle() {
    const uint32_t left = unfinished();
    if (left == 0) return true;
    const int64_t waited = world_.clock.mono_ns() - sent_mono_ns_;
    const int64_t after = world_.options.straggler_after_ms * kNsPerMs;
    const bool few = left * 100 <= submitted_ * world_.options.straggler_percent;
    // Outboxes are few: what waits for late answers must not hold them all.
    for (const Block* block : blocks_) {
        if (block->outboxes_n > 0 && world_.blocks.free_outboxes() < kOutboxesMax / 4) return false;
    }
    // A page of few deliveries never gets to its share; it must not hold its slot for a provider that does not answer.
    if (waited < (few ? after : kPatience * after) || !world_.host.may_trail()) return false;
    return leave_stragglers();
}

void Page::settle_now() {
    next_tick_.store(kNever, std::memory_order_relaxed);
    report_to_gates();
    build_checkpoint();
    settling_ = &ledgers_[0];
    tail_ = true;
    ledgers_[1].clear(groups_.size());
    state_ = PageState::Settling;
    release_harvested_blocks();
    world_.host.settle(*this);
}

void Page::settled(size_t checkpoint, const belfry_paged& answer) {
    code_ = answer.code;
    if (state_ == PageState::TailSettling || state_ == PageState::Cutting) return;
    BELFRY_ASSERT(checkpoint == 0);
    for (size_t i = 0; i < answer.mine.n; ++i) {
        const auto& ref = Rows<belfry_ref>(answer.mine)[i];
        if (ref.owed >= owed_rows_.size()) continue;
        for (Group& group : groups_) {
            const belfry_owed& owed = owed_rows_[ref.owed];
            if (group.stragglers > 0 && group.gate_number == owed.gate &&
                sections_[group.section].member == owed.member) {
                group.mine = ref;
            }
        }
    }
}

void Page::after_settled() {
    if (Gate* gate = std::exchange(item_gate_, nullptr)) gate->gave_page_back();
    world_.host.slot_free(*this);
    state_ = PageState::Trailing;
    trail();
}

void Page::trail() {
    release_harvested_blocks();
    if (!blocks_.empty()) return;
    if (stragglers_ > 0) {
        report_to_gates();
        build_tail();
        if (!checkpoints_.empty()) {
            settling_ = &ledgers_[1];
            state_ = PageState::TailSettling;
            world_.host.settle(*this);
            return;
        }
    }
    recycle();
}

void Page::finish_tail() {
    recycle();
}

void Page::recycle() {
    for (Block* block : blocks_) world_.blocks.give_back(block);
    blocks_.clear();
    sections_.clear();
    groups_.clear();
    filling_.clear();
    returned_.clear();
    origins_.clear();
    checkpoints_.clear();
    last_group_ = 0;
    end_ = full_ = untouched_ = tail_ = false;
    first_key_ = last_key_ = -1;
    regate_ = submitted_ = deferred_ = stragglers_ = not_planned_ = 0;
    last_origin_.like = -1;  // its id is good for a while only
    resends_ = nullptr;
    next_tick_.store(kNever, std::memory_order_relaxed);
    state_ = PageState::Free;
    world_.host.free(*this);
}

// A block goes after those before it in its row: their late answers find their entries through it.
void Page::release_harvested_blocks() {
    size_t kept = 0;
    for (Block* block : blocks_) {
        if (!block->harvested || block->behind) {
            blocks_[kept++] = block;
            continue;
        }
        if (block->next != nullptr) block->next->behind = false;
        world_.blocks.give_back(block);
    }
    blocks_.resize(kept);
}

// A push of this page was stopped, or the process stops: what is not yet written comes back.
void Page::recall_stopped() {
    stopped_version_ = world_.stopped.version();
    bool any = world_.host.stopping();
    for (Section& section : sections_) any = any || world_.stopped.state(section.seed) != 0;
    if (!any) return;
    for (Block* block : blocks_) {
        if (block->portion && !block->complete.load(std::memory_order_acquire)) recall(*block);
    }
}

int64_t Page::hard_stop() const noexcept {
    return started_mono_ns_ + world_.options.hard_stop_ms * kNsPerMs;
}

}  // namespace belfry::delivery
