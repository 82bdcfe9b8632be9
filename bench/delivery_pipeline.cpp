// SPDX-License-Identifier: Apache-2.0
// What delivery itself costs: a broadcast to one topic through the real storage and queue plugins, a provider with the
// plainest verdicts, and loops that answer at once without a socket. Prints one line of JSON; microseconds are of all
// threads together, the answering loops not included.
//
// delivery_pipeline STORAGE_SQLITE.so QUEUE_SQLITE.so [DEVICES] [DIRECTORY]: DIRECTORY keeps the devices for the next
// run.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "conformance/runner/plugin.h"
#include "delivery/core.h"
#include "fakes/facades.h"

namespace {

using namespace belfry;
using Clock_ = std::chrono::steady_clock;

constexpr size_t kBatch = 1000;
constexpr size_t kTokenBytes = 152;
constexpr const char* kTopic = "news";
constexpr std::string_view kAnswer =
    "{\n  \"name\": \"projects/demo-project/messages/0:1500415314455276%31bd1c9631bd1c96\"\n}\n";

// The plainest provider: one plan, every answer is accepted.
struct PlainProvider {
    static belfry_code validate(belfry_instance*, const belfry_token* token, belfry_emit emit, void* ctx, belfry_why*) {
        emit(ctx, one_row(*token));
        return BELFRY_OK;
    }
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
    static void release(belfry_instance*, belfry_prepared*) {}
    static void decode(belfry_instance*, belfry_list answers, belfry_emit emit, void* ctx) {
        belfry_verdict rows[128];
        uint32_t n = 0;
        for (const belfry_answer& answer : Rows<belfry_answer>(answers)) {
            rows[n] = sized<belfry_verdict>();
            rows[n].item = answer.first_item;
            rows[n].outcome = BELFRY_ACCEPTED;
            rows[n].scope = BELFRY_SCOPE_ITEM;
            if (++n == 128) {
                emit(ctx, belfry_list{rows, n, sizeof rows[0]});
                n = 0;
            }
        }
        if (n > 0) emit(ctx, belfry_list{rows, n, sizeof rows[0]});
    }
    static belfry_provider table() {
        belfry_provider table = sized<belfry_provider>();
        table.validate = validate;
        table.prepare = prepare;
        table.release = release;
        table.decode = decode;
        return table;
    }
};

// Answers portions on one thread, and says how much of the process's time that took.
class InstantLoop final : public delivery::Sender {
public:
    InstantLoop() : thread_([this] { run(); }) {}
    ~InstantLoop() override { stop(0); }
    void submit(http::Portion& portion) override {
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(&portion);
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
    double cpu_seconds() const { return cpu_s_; }

private:
    void run() {
        std::unique_lock lock(mutex_);
        while (!ended_ || !waiting_.empty()) {
            if (waiting_.empty()) {
                wake_.wait(lock);
                continue;
            }
            http::Portion* portion = waiting_.front();
            waiting_.pop_front();
            lock.unlock();
            for (http::Exchange& exchange : portion->exchanges) {
                exchange.status = 200;
                exchange.inline_n = static_cast<uint8_t>(kAnswer.size());
                std::memcpy(exchange.inline_body.data(), kAnswer.data(), kAnswer.size());
                exchange.transport = http::Transport::Answered;
            }
            portion->finished.store(static_cast<uint32_t>(portion->exchanges.size()), std::memory_order_release);
            portion->owner->on_complete(*portion);
            lock.lock();
            rusage used{};
            getrusage(RUSAGE_THREAD, &used);
            cpu_s_ = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
        }
    }
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<http::Portion*> waiting_;
    std::atomic<double> cpu_s_{0};
    bool ended_ = false;
    std::thread thread_;
};

double process_cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

long rss_kib() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss;
}

void fill_row(belfry_registration& row, std::string& token, uint64_t i) {
    const uint64_t hash = (i + 1) * 0x9e3779b97f4a7c15ULL;
    token.assign(kTokenBytes, 'x');
    std::snprintf(token.data(), 40, "%016llx%016llx", static_cast<unsigned long long>(hash),
                  static_cast<unsigned long long>(i));
    token[32] = ':';
    row = sized<belfry_registration>();
    row.key = -1;
    row.prefix = 1u << 8 | static_cast<uint32_t>(hash >> 56U);
    std::memcpy(row.identity_hash, &hash, sizeof hash);
    std::memcpy(row.token_hash, &hash, sizeof hash);
    row.provider = str(std::string_view("plain"));
    row.platform = str(std::string_view("android"));
    row.token = str(std::string_view(token));
}

void register_devices(plugins::Storage& storage, size_t devices) {
    std::vector<belfry_registration> rows(kBatch);
    std::vector<std::string> tokens(kBatch);
    const belfry_str topic = str(std::string_view(kTopic));
    for (size_t at = 0; at < devices; at += kBatch) {
        for (size_t i = 0; i < kBatch; ++i) {
            fill_row(rows[i], tokens[i], at + i);
            rows[i].topics = one_row(topic);
        }
        const Status done = storage.register_devices("default", rows, [](const belfry_registered&) {});
        if (!done) throw std::runtime_error(done.error().to_string());
    }
}

int run(int argc, char** argv) {
    const size_t devices = argc > 3 ? static_cast<size_t>(std::atoll(argv[3])) / kBatch * kBatch : 1'000'000;
    const std::string directory =
        argc > 4 ? argv[4]
                 : (std::filesystem::temp_directory_path() / ("pipeline-" + std::to_string(getpid()))).string();
    std::filesystem::create_directories(directory);
    conformance::FakeHost host(directory + "/state");
    conformance::Instance storage_instance(host, argv[1], "{\"path\":\"" + directory + "/storage.db\"}",
                                           BELFRY_STORAGE_ID);
    std::filesystem::remove(directory + "/queue.db");
    conformance::Instance queue_instance(host, argv[2], "{\"path\":\"" + directory + "/queue.db\"}", BELFRY_QUEUE_ID);
    plugins::Faults faults("bench");
    plugins::Storage storage(static_cast<const belfry_storage*>(storage_instance.interface_table()),
                             storage_instance.get(), faults);
    plugins::Queue queue(static_cast<const belfry_queue*>(queue_instance.interface_table()), queue_instance.get(),
                         faults);
    const belfry_provider table = PlainProvider::table();
    plugins::Provider provider(&table, nullptr, faults);
    if (!std::filesystem::exists(directory + "/filled")) {
        register_devices(storage, devices);
        if (argc > 4) std::fclose(std::fopen((directory + "/filled").c_str(), "w"));
    }

    SystemClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    InstantLoop loop;
    Result<std::unique_ptr<delivery::Core>> core =
        delivery::make({}, storage, queue, {{"plain", 0, &provider, nullptr}}, loop, clock, log, metrics);
    if (!core) throw std::runtime_error(core.error().to_string());
    if (const Status started = (*core)->start(); !started) throw std::runtime_error(started.error().to_string());
    const auto began = Clock_::now();
    const double cpu = process_cpu_seconds() - loop.cpu_seconds();
    delivery::PushRequest request;
    request.app = "default";
    request.recipient.filter.emplace();
    request.recipient.filter->topics = {kTopic};
    request.payloads["plain"] = "{\"notification\":{\"title\":\"Hello\"}}";
    const Result<delivery::Accepted> accepted = (*core)->accept(std::move(request));
    if (!accepted) throw std::runtime_error(accepted.error().to_string());
    delivery::PushStatus status;
    do {
        usleep(2'000);
        status = *(*core)->status("default", accepted->uid);
    } while (status.state != "done" && std::chrono::duration<double>(Clock_::now() - began).count() < 300);
    const double seconds = std::chrono::duration<double>(Clock_::now() - began).count();
    const double used = process_cpu_seconds() - loop.cpu_seconds() - cpu;
    (*core)->stop();
    const auto n = static_cast<double>(status.planned);
    std::printf(
        "{\"scenario\":\"delivery_pipeline\",\"devices\":%lld,\"seconds\":%.3f,\"per_second\":%.0f,\"cpu_us_each\":%."
        "3f,"
        "\"loop_us_each\":%.3f,\"rss_mib\":%ld,\"pages\":%.0f}\n",
        static_cast<long long>(status.planned), seconds, n / seconds, used * 1e6 / n, loop.cpu_seconds() * 1e6 / n,
        rss_kib() / 1024, metrics.value("pages_total"));
    return status.planned == static_cast<int64_t>(devices) && status.state == "done" ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: delivery_pipeline STORAGE_SQLITE.so QUEUE_SQLITE.so [DEVICES] [DIRECTORY]\n");
        return 2;
    }
    try {
        return run(argc, argv);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "delivery_pipeline: %s\n", failure.what());
        return 1;
    }
}
