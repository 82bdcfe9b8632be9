// SPDX-License-Identifier: Apache-2.0
// The hot path allocates per page, not per delivery: counts operator new on the workers while a broadcast runs. Stores,
// provider and loop are plain tables here, because the fakes of other tests allocate as they please.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <thread>

#include "delivery/core_rig.h"

namespace {

thread_local bool worker = false;  // a thread that has read rows
std::atomic<uint64_t> allocations{0};

void* counted(size_t bytes) {
    if (worker) allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t bytes) {
    return counted(bytes);
}
void* operator new[](size_t bytes) {
    return counted(bytes);
}
// std::stable_sort's buffer, by which an allocator that tells apart how memory was got would be misled.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
    try {
        return counted(bytes);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
    std::free(memory);
}

namespace belfry::delivery {
namespace {

constexpr int64_t kFirstKey = int64_t{1} << 48;  // all in one bucket: the slice is never split
constexpr int64_t kPages = 60, kRows = 1'000;

belfry_code scan(belfry_instance*, const belfry_scan* what, belfry_emit emit, void* ctx, int64_t* cursor, int32_t* end,
                 belfry_why*) {
    worker = true;
    char token[] = "token-0000000000";
    belfry_device row = sized<belfry_device>();
    row.provider = str(std::string_view("fake"));
    row.platform = str(std::string_view("android"));
    const int64_t last = std::min(kFirstKey + kPages * kRows, what->hi);
    int64_t key = std::max(what->after + 1, kFirstKey);
    for (uint32_t n = 0; key < last && n < what->want; ++key, ++n) {
        int64_t rest = key - kFirstKey;
        for (size_t digit = sizeof token - 2; rest > 0; --digit, rest /= 10)
            token[digit] = static_cast<char>('0' + rest % 10);
        row.key = key;
        row.token = str(std::string_view(token));
        if (emit(ctx, one_row(row)) != 0) break;
    }
    *cursor = key - 1;
    *end = key >= last ? 1 : 0;
    if (*end != 0) *cursor = what->hi - 1;
    return BELFRY_OK;
}

struct PlainProvider {
    static belfry_code prepare(belfry_instance*, const belfry_content*, belfry_emit emit, void* ctx,
                               belfry_prepared** out, belfry_why*) {
        const belfry_piece piece{BELFRY_PIECE_TOKEN_JSON, 0, 0};
        belfry_plan plan = sized<belfry_plan>();
        plan.credential = -1;
        plan.items_max = 1;
        plan.method = str(std::string_view("POST"));
        plan.path = plan.body = belfry_list{&piece, 1, sizeof piece};
        emit(ctx, one_row(plan));
        *out = reinterpret_cast<belfry_prepared*>(out);
        return BELFRY_OK;
    }
    static void decode(belfry_instance*, belfry_list answers, belfry_emit emit, void* ctx) {
        for (const belfry_answer& answer : Rows<belfry_answer>(answers)) {
            belfry_verdict row = sized<belfry_verdict>();
            row.item = answer.first_item;
            row.outcome = BELFRY_ACCEPTED;
            row.scope = BELFRY_SCOPE_ITEM;
            emit(ctx, one_row(row));
        }
    }
    static belfry_provider table() {
        belfry_provider table = sized<belfry_provider>();
        table.validate = [](belfry_instance*, const belfry_token*, belfry_emit, void*, belfry_why*) {
            return belfry_code{BELFRY_OK};
        };
        table.prepare = prepare;
        table.release = [](belfry_instance*, belfry_prepared*) {};
        table.decode = decode;
        return table;
    }
};

// Answers each portion on a thread of its own.
class PlainLoop final : public Sender {
public:
    PlainLoop() : thread_([this] { run(); }) {}
    ~PlainLoop() override { stop(0); }
    void submit(http::Portion& portion) override {
        {
            const std::lock_guard lock(mutex_);
            waiting_[(first_ + waiting_n_++) % waiting_.size()] = &portion;
        }
        wake_.notify_one();
    }
    void recall(http::Portion&) override {}
    uint32_t credit(http::EndpointId) const override { return 4'000; }
    void retire(http::EndpointId) override {}
    std::string last_connect_error(http::EndpointId) const override { return {}; }
    Result<http::EndpointId> origin(http::EndpointId like, std::string_view) override { return like; }
    uint32_t connections(http::EndpointId) const override { return 1; }
    void stop(int64_t) override {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        wake_.notify_one();
        if (thread_.joinable()) thread_.join();
    }
    std::atomic<uint64_t> answered{0}, allocations_then{0};  // then: when half were answered

private:
    void run() {
        std::unique_lock lock(mutex_);
        while (!ended_ || waiting_n_ > 0) {
            if (waiting_n_ == 0) {
                wake_.wait(lock);
                continue;
            }
            http::Portion* portion = waiting_[first_];
            first_ = (first_ + 1) % waiting_.size();
            --waiting_n_;
            lock.unlock();
            for (http::Exchange& exchange : portion->exchanges) {
                exchange.status = 200;
                exchange.inline_n = 0;
                exchange.settle(http::Transport::Answered);
            }
            answered += portion->exchanges.size();
            if (answered >= kPages * kRows / 2 && allocations_then == 0) allocations_then = allocations.load();
            portion->finished.store(static_cast<uint32_t>(portion->exchanges.size()), std::memory_order_release);
            portion->owner->on_complete(*portion);
            lock.lock();
        }
    }
    std::mutex mutex_;
    std::condition_variable wake_;
    std::array<http::Portion*, 1'024> waiting_{};
    size_t first_ = 0, waiting_n_ = 0;
    bool ended_ = false;
    std::thread thread_;
};

TEST(Page, AllocatesPerPageAndNotPerDelivery) {
    SystemClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    plugins::Faults faults("test");
    fakes::MemoryStorage memory;
    belfry_storage rows = *memory.table();
    rows.scan = scan;
    plugins::Storage storage(&rows, memory.instance(), faults);
    MemoryQueue queue(clock);
    plugins::Queue queue_adapter(queue.table(), queue.instance(), faults);
    const belfry_provider table = PlainProvider::table();
    plugins::Provider provider(&table, nullptr, faults);
    PlainLoop loop;
    Options options;
    options.page_rows = kRows;
    Result<std::unique_ptr<Core>> core =
        make(options, storage, queue_adapter, {{"fake", 0, &provider, nullptr}}, loop, clock, log, metrics);
    ASSERT_TRUE(core) << core.error().to_string();
    ASSERT_TRUE((*core)->start());
    PushRequest push = Rig::to_topic("u");
    push.lane = Lane::Normal;
    ASSERT_TRUE((*core)->accept(std::move(push)));
    ASSERT_TRUE(Rig::eventually([&] { return queue.sums("u").known && queue.sums("u").live_items == 0; }));
    EXPECT_EQ(queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], kPages * kRows);
    const auto pages = static_cast<double>(kPages) / 2;
    const double per_page = static_cast<double>(allocations.load() - loop.allocations_then) / pages;
    RecordProperty("allocations_per_page", std::to_string(per_page));
    std::printf("allocations per page of %d: %.1f\n", static_cast<int>(kRows), per_page);
    EXPECT_GT(allocations.load(), 0u) << "nothing was counted";
    EXPECT_LT(per_page, kRows / 10.0);
    (*core)->stop();
    loop.stop(0);
}

}  // namespace
}  // namespace belfry::delivery
