// SPDX-License-Identifier: Apache-2.0
// All pages of the process: who holds a slot, which are free, which wait for something; and the threads that move them.
//
// A page holds a slot of its lane from its claim to its first checkpoint; one that trails behind for late answers holds
// none. Threads: take by the scheduler, the rest [any]. Owner: the delivery core.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "delivery/page.h"
#include "delivery/settler.h"
#include "delivery/wakeup.h"
#include "delivery/workers.h"
#include "policy/lanes.h"

namespace belfry::delivery {

class PagePool final : public PageHost {
public:
    struct Parts {
        const Options& options;
        plugins::Storage& storage;
        Sender& sender;
        StoreClock& clock;
        Gates& gates;
        StoredPushes& stored;
        PreparedCache& prepared;
        StoppedPushes& stopped;
        Progress& progress;
        Settler& settler;
        Wakeup& scheduler;
    };
    PagePool(const Parts& parts, Log& log, Metrics& metrics);
    ~PagePool() override;

    // Slots each lane holds now.
    std::array<uint32_t, policy::kLanes> held() const;
    // Pages that could be taken, whatever their lane.
    uint32_t free_pages() const;
    // A free page, now holding a slot of `lane`; null if there is none.
    Page* take(uint32_t lane);
    // Rings pages whose time has come.
    void tick(int64_t now_mono_ns);
    // Pages look again whether they should stop.
    void recall_all();
    // Pages do not wait for what is unsent any more.
    void begin_stop();
    // True once no page is at work; at most until the deadline.
    bool wait_idle(int64_t deadline_mono_ns);
    // Ends the workers.
    void stop();
    // Since when claims make no sense because the storage or queue cannot be read; mono ns, 0 = all is well.
    int64_t trouble_until() const noexcept { return trouble_until_.load(std::memory_order_relaxed); }

    void runnable(Page& page) override { workers_.push(page); }
    void settle(Page& page) override { settler_.settle(page); }
    void slot_free(Page& page) override;
    void free(Page& page) override;
    void work_added() override { scheduler_.ring(); }
    void storage_trouble(const Error& why) override;
    bool may_trail() const override;
    bool stopping() const override { return stopping_.load(std::memory_order_relaxed); }

private:
    const Options& options_;
    StoreClock& clock_;
    Settler& settler_;
    Wakeup& scheduler_;
    const Logger log_;
    Metric& in_flight_;
    BlockPool blocks_;
    PageWorld world_;
    std::atomic<bool> stopping_{false};
    std::atomic<int64_t> trouble_until_{0};
    mutable std::mutex mutex_;
    std::condition_variable idle_;
    std::vector<std::unique_ptr<Page>> pages_;
    std::vector<Page*> free_;
    std::array<uint32_t, policy::kLanes> held_{};
    Workers workers_;  // ends before the pages
};

}  // namespace belfry::delivery
