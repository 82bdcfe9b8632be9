// SPDX-License-Identifier: Apache-2.0
// A broadcast to synthetic devices, driven as a host would drive it, with its process killed at random moments.
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr size_t kPage = 1000;
constexpr uint32_t kSlicesMax = 64;

// What the phones got: memory shared with the worker processes, so that it survives them.
class Phones {
public:
    explicit Phones(size_t count) : count_(count) {
        void* memory = ::mmap(nullptr, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        require(memory != MAP_FAILED, "shared memory for the phones");
        received_ = static_cast<std::atomic<uint8_t>*>(memory);
    }
    ~Phones() { ::munmap(received_, count_); }
    Phones(const Phones&) = delete;
    Phones& operator=(const Phones&) = delete;

    void deliver(int64_t key) { received_[key].fetch_add(1, std::memory_order_relaxed); }
    size_t missing() const {
        size_t n = 0;
        for (size_t i = 0; i < count_; ++i) n += received_[i] == 0 ? size_t{1} : 0;
        return n;
    }
    size_t repeated() const {
        size_t n = 0;
        for (size_t i = 0; i < count_; ++i) n += static_cast<size_t>(std::max<int>(1, received_[i]) - 1);
        return n;
    }
    size_t count() const { return count_; }

private:
    size_t count_;
    std::atomic<uint8_t>* received_ = nullptr;
};

// The first attempt of every 37th device fails, and every 91st answers late, as a straggler.
bool fails(int64_t key, uint32_t attempt) {
    return key % 37 == 0 && attempt == 1;
}
bool is_late(int64_t key, uint32_t attempt) {
    return key % 91 == 0 && attempt == 1;
}

Checkpoint deliver_slice(Queue& queue, Phones& phones, const Claimed& slice) {
    Checkpoint page = checkpoint_of(slice, BELFRY_NEXT_RELEASE);
    const std::vector<int64_t> keys = keys_in(slice.after, slice.hi, kPage);
    Owed retry;
    retry.due = queue.now() + 20;
    Owed late;
    late.flags = BELFRY_OWED_MINE;
    late.attempt = 1;
    uint32_t accepted = 0;
    for (const int64_t key : keys) {
        if (fails(key, 1)) {
            retry.keys.push_back(key);
        } else if (is_late(key, 1)) {
            late.keys.push_back(key);
        } else {
            phones.deliver(key);
            ++accepted;
        }
    }
    page.planned = page.cost = static_cast<uint32_t>(keys.size());
    page.tallies = {{BELFRY_FINAL_ACCEPTED, accepted}};
    if (!retry.keys.empty()) page.owed.push_back(retry);
    if (!late.keys.empty()) page.owed.push_back(late);
    if (keys.size() < kPage) {
        page.next = BELFRY_NEXT_FINISH;
    } else {
        page.cursor = keys.back();
        if (slice.live_items < kSlicesMax && slice.hi - page.cursor > 2) {
            page.split_at = page.cursor + (slice.hi - page.cursor) / 2;
            page.split_hi = slice.hi;
        }
    }
    return page;
}

void deliver_list(Queue& queue, Phones& phones, uint64_t item, uint32_t epoch, const std::vector<int64_t>& keys) {
    for (const int64_t key : keys) phones.deliver(key);
    Checkpoint page;
    page.item = item;
    page.epoch = epoch;
    page.tallies = {{BELFRY_FINAL_ACCEPTED, static_cast<uint32_t>(keys.size())}};
    queue.page(page);
}

bool work_once(Queue& queue, Phones& phones) {
    const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 1, {}, 2);
    if (claimed.empty()) return false;
    if (claimed[0].kind == BELFRY_WORK_LIST) {
        deliver_list(queue, phones, claimed[0].item, claimed[0].epoch, claimed[0].keys);
        return true;
    }
    const Checkpoint page = deliver_slice(queue, phones, claimed[0]);
    const Paged paged = queue.page(page);
    require_equal(paged.code, BELFRY_OK, "code of a slice's page");
    for (const belfry_ref& ref : paged.mine)
        deliver_list(queue, phones, ref.item, ref.epoch, page.owed.at(ref.owed).keys);
    return true;
}

// Eight workers and upkeep until the push is done.
void run_host(Context& context, const std::string& uid, Phones& phones, uint64_t node,
              const std::function<void(int64_t)>& report) {
    Queue queue(context, {}, node);
    report(1);
    std::atomic<bool> done{false};
    std::atomic<bool> failed{false};
    std::vector<std::thread> workers;
    for (int i = 0; i < 8; ++i) {
        workers.emplace_back([&] {
            try {
                while (!done) work_once(queue, phones);
            } catch (const std::exception&) {
                failed = done = true;
            }
        });
    }
    while (!done) {
        queue.upkeep();
        if (queue.lookup(uid)->state == BELFRY_PUSH_DONE) done = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    for (std::thread& worker : workers) worker.join();
    require(!failed, "every call of every worker succeeds");
}

// A queue buries what its owners ended over five times without a page in between, as it should: on a busy machine
// that would happen here.
constexpr uint64_t kKills = 4;

// `number`: of this broadcast in its queue, from 0.
void broadcast(Context& context, uint64_t number, size_t devices, uint64_t longest_ms) {
    const std::string uid = "broadcast-" + std::to_string(number);
    const uint64_t node = 10 + 100 * number;
    Phones phones(devices);
    {
        Queue queue(context);
        queue.must_enqueue(slice_push(uid, -1, static_cast<int64_t>(devices)));
    }
    size_t killed = 0;
    for (uint64_t round = 0; round < kKills; ++round) {
        const double ms = 1 + static_cast<double>(context.below(longest_ms * 10)) / 10;
        std::vector<int64_t> reports;
        Clock::time_point start;
        const bool was_killed =
            run_and_kill([&](const auto& report) { run_host(context, uid, phones, node + round, report); },
                         [&](const auto& reported) {
                             if (reported.empty()) start = Clock::now();
                             return !reported.empty() && ms_since(start) > ms;
                         },
                         &reports);
        if (!was_killed) break;
        ++killed;
    }
    require(killed > 0, "at least one kill fell into the broadcast");
    run_host(context, uid, phones, node + kKills, [](int64_t) {});
    require_equal(phones.missing(), size_t{0}, "devices that got nothing");
    // Eight pages are in flight, each with a straggler list of its own at most.
    require(phones.repeated() <= killed * 8 * kPage, "repeats stay within kills x pages in flight x page");
    Queue queue(context, {}, node + kKills + 1);
    const auto view = queue.lookup(uid);
    require_equal(view->planned, static_cast<int64_t>(devices), "planned");
    require(view->planned_final, "planned is final");
    require_equal(view->count(BELFRY_FINAL_ACCEPTED), static_cast<int64_t>(devices), "accepted");
    const belfry_queue_stats stats = queue.stats();
    require_equal(stats.ready[BELFRY_LANE_NORMAL] + stats.claimed[BELFRY_LANE_NORMAL] + stats.delayed, 0, "items left");
}

void random_kills(Context& context) {
    for (uint64_t i = 0; i < 2 * uint64_t{context.scale}; ++i) broadcast(context, i, 200'000, 60);
}

void all_workers_at_once(Context& context) {
    broadcast(context, 0, 60'000 * size_t{context.scale}, 20);
}

constexpr std::array kCases{
    Case{"Q25", "A broadcast reaches every device whatever moments its host is killed at, repeats are bounded", 60,
         &random_kills},
    Case{"Q28", "All workers killed at once, restarted: nothing lost, counters exact", 30, &all_workers_at_once},
};

}  // namespace

std::span<const Case> broadcast_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
