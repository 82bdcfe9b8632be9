// SPDX-License-Identifier: Apache-2.0
#include "delivery/page_pool.h"

#include <chrono>

namespace belfry::delivery {

namespace {

constexpr int64_t kTroublePauseNs = kNsPerSecond;
constexpr auto kIdleLook = std::chrono::milliseconds(5);

}  // namespace

PagePool::PagePool(const Parts& parts, Log& log, Metrics& metrics)
    : options_(parts.options),
      clock_(parts.clock),
      settler_(parts.settler),
      scheduler_(parts.scheduler),
      log_(log, "delivery"),
      in_flight_(metrics.gauge("pages_in_flight", "Pages between claim and checkpoint")),
      // Every slot's arena, and one block for every page that trails.
      blocks_(size_t{parts.options.page_slots} * kPageBlocks + parts.options.straggler_pages_max),
      world_{parts.options,  parts.storage, parts.sender,   parts.clock, parts.gates, parts.stored,
             parts.prepared, parts.stopped, parts.progress, blocks_,     *this,       Logger(log, "delivery")},
      workers_(parts.options.workers) {
    const size_t pages = size_t{parts.options.page_slots} + parts.options.straggler_pages_max;
    for (size_t i = 0; i < pages; ++i) {
        pages_.push_back(std::make_unique<Page>(world_));
        free_.push_back(pages_.back().get());
    }
}

PagePool::~PagePool() {
    stop();
}

std::array<uint32_t, policy::kLanes> PagePool::held() const {
    const std::lock_guard lock(mutex_);
    return held_;
}

uint32_t PagePool::free_pages() const {
    const std::lock_guard lock(mutex_);
    return static_cast<uint32_t>(free_.size());
}

Page* PagePool::take(uint32_t lane) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    Page* page = free_.back();
    free_.pop_back();
    ++held_[lane];
    in_flight_.set(static_cast<double>(pages_.size() - free_.size()));
    return page;
}

void PagePool::slot_free(Page& page) {
    {
        const std::lock_guard lock(mutex_);
        --held_[page.lane()];
    }
    scheduler_.ring();
}

void PagePool::free(Page& page) {
    {
        const std::lock_guard lock(mutex_);
        free_.push_back(&page);
        in_flight_.set(static_cast<double>(pages_.size() - free_.size()));
    }
    idle_.notify_all();
}

void PagePool::storage_trouble(const Error& why) {
    const int64_t now = clock_.mono_ns();
    if (trouble_until_.exchange(now + kTroublePauseNs, std::memory_order_relaxed) > now) return;
    log_.warning("devices or pushes cannot be read, trying again", {{"reason", why.to_string()}});
}

bool PagePool::may_trail() const {
    const std::lock_guard lock(mutex_);
    const size_t at_work = pages_.size() - free_.size();
    const size_t trailing = at_work - (held_[0] + held_[1] + held_[2]);
    // Every slot must be able to get some block.
    return trailing < options_.straggler_pages_max && blocks_.free() >= options_.page_slots;
}

void PagePool::tick(int64_t now_mono_ns) {
    for (const std::unique_ptr<Page>& page : pages_) page->tick(now_mono_ns);
}

void PagePool::recall_all() {
    for (const std::unique_ptr<Page>& page : pages_) page->post(Page::kRecall);
}

void PagePool::begin_stop() {
    stopping_ = true;
    recall_all();
}

bool PagePool::wait_idle(int64_t deadline_mono_ns) {
    std::unique_lock lock(mutex_);
    while (free_.size() < pages_.size()) {
        if (clock_.mono_ns() >= deadline_mono_ns) return false;
        idle_.wait_for(lock, kIdleLook);
        lock.unlock();
        tick(clock_.mono_ns());
        lock.lock();
    }
    return true;
}

void PagePool::stop() {
    workers_.stop();
    // Calls of send that outlast the stop still write into their pages and ring at the workers.
    for (const std::unique_ptr<Page>& page : pages_) page->end_sends();
}

}  // namespace belfry::delivery
