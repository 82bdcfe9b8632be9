// SPDX-License-Identifier: Apache-2.0
// A delivery core over stores in memory, with providers and answers that a test scripts.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "delivery/core.h"
#include "fakes/facades.h"
#include "fakes/memory_queue.h"
#include "fakes/memory_storage.h"
#include "fakes/scripted_provider.h"

namespace belfry::delivery {

using fakes::MemoryQueue;
using fakes::MemoryStorage;
using fakes::ScriptedReply;

inline ScriptedReply accepted(const http::Exchange&) {
    return {};
}
inline ScriptedReply answer(int32_t outcome, int32_t scope = BELFRY_SCOPE_ITEM, uint32_t flags = 0,
                            int64_t after_ms = 0) {
    ScriptedReply reply;
    reply.status = outcome == BELFRY_ACCEPTED ? 200 : 400;
    reply.outcome = outcome;
    reply.scope = scope;
    reply.flags = flags;
    reply.retry_after_ms = after_ms;
    reply.reason = "REASON";
    return reply;
}
inline ScriptedReply without_answer(http::Transport transport) {
    ScriptedReply reply;
    reply.transport = transport;
    return reply;
}

// Remembers the events of warnings and errors.
class EventLog final : public Log {
public:
    bool enabled(LogLevel level) const noexcept override { return level >= LogLevel::Warning; }
    void write(LogLevel, std::string_view, std::string_view event, std::initializer_list<LogField>) noexcept override {
        note(event);
    }
    void write(LogLevel, std::string_view, std::string_view event, const LogField*, size_t) noexcept override {
        note(event);
    }
    size_t count(std::string_view event) {
        const std::lock_guard lock(mutex_);
        return events_[std::string(event)];
    }

private:
    void note(std::string_view event) noexcept {
        const std::lock_guard lock(mutex_);
        ++events_[std::string(event)];
    }
    std::mutex mutex_;
    std::map<std::string, size_t> events_;
};

class Rig {
public:
    explicit Rig(fakes::ScriptedSender::Script script = accepted, std::vector<std::string> names = {"fake"})
        : sender(std::move(script)) {
        options.workers = 2;
        options.attempts.base_ms = 1;
        options.attempts.cap_ms = 20;
        options.straggler_after_ms = 30;
        options.changes_ms = 5;
        options.idle_claim_ms = 2;
        options.stop_answers_ms = 200;
        for (std::string& name : names) {
            providers.push_back(std::make_unique<fakes::ScriptedProvider>());
            instances_.push_back({std::move(name), 0, nullptr, nullptr});
        }
    }
    ~Rig() {
        if (core) core->stop();
        sender.stop(0);
        core.reset();
    }

    void start(bool with_plugins = true) {
        for (size_t i = 0; i < providers.size(); ++i) {
            adapters_.push_back(
                std::make_unique<plugins::Provider>(providers[i]->table(), providers[i]->instance(), faults_));
            instances_[i].provider = with_plugins ? adapters_[i].get() : nullptr;
        }
        Result<std::unique_ptr<Core>> made =
            make(options, storage_adapter, queue_adapter, instances_, sender, clock, log, metrics);
        ASSERT_TRUE(made) << made.error().to_string();
        core = std::move(*made);
        const Status started = core->start();
        ASSERT_TRUE(started) << started.error().to_string();
    }

    // Before start: deliveries per minute of a provider.
    void set_rate(size_t provider, uint64_t per_minute) { instances_[provider].per_minute = per_minute; }
    // A new process over the same stores.
    void restart(fakes::ScriptedSender::Script script, bool with_plugins = true) {
        core.reset();
        adapters_.clear();
        sender.revive(std::move(script));
        start(with_plugins);
    }
    // The first provider starts after all.
    bool switch_on() {
        return core->switch_provider(instances_[0].name, *adapters_[0], nullptr, instances_[0].per_minute).has_value();
    }

    void add_devices(uint32_t n, const std::function<void(uint32_t, MemoryStorage::Device&)>& shape = {}) {
        for (uint32_t i = 0; i < n; ++i) {
            MemoryStorage::Device device;
            device.token = "token-" + std::to_string(i);
            device.user = "user-" + std::to_string(i);
            device.topics = {"news"};
            if (shape) shape(i, device);
            storage.add(MemoryStorage::key_of(i), device);
        }
    }

    static PushRequest to_topic(std::string uid, std::vector<std::string> topics = {"news"}) {
        PushRequest request;
        request.app = "default";
        request.uid = std::move(uid);
        request.recipient.filter.emplace();
        request.recipient.filter->topics = std::move(topics);
        request.payloads["fake"] = "{\"text\":\"hello\"}";
        return request;
    }
    static PushRequest to_tokens(std::string uid, std::vector<std::string> tokens) {
        PushRequest request;
        request.app = "default";
        request.uid = std::move(uid);
        request.recipient.tokens = RawTokens{"fake", std::move(tokens)};
        request.payloads["fake"] = "{\"text\":\"hello\"}";
        return request;
    }
    std::string send(PushRequest request) {
        Result<Accepted> done = core->accept(std::move(request));
        EXPECT_TRUE(done) << done.error().to_string();
        return done ? done->uid : std::string();
    }

    // Looks until `what` holds; the real time is bounded, not waited for.
    static bool eventually(const std::function<bool()>& what, int seconds = 20) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
        while (!what()) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return true;
    }
    bool finished(const std::string& uid) {
        return eventually([&] { return queue.sums(uid).live_items == 0; });
    }
    // Every planned delivery ended in exactly one outcome, and no page broke the queue's rules.
    void expect_sums(const std::string& uid, int64_t planned) {
        const MemoryQueue::Sums sums = queue.sums(uid);
        EXPECT_EQ(sums.planned, planned) << uid;
        EXPECT_EQ(sums.settled(), sums.planned) << uid;
        EXPECT_TRUE(queue.faults().empty()) << queue.faults().front();
    }

    SystemClock clock;
    EventLog log;
    fakes::MemoryMetrics metrics;
    Options options;
    MemoryStorage storage;
    MemoryQueue queue{clock};
    fakes::ScriptedSender sender;
    std::vector<std::unique_ptr<fakes::ScriptedProvider>> providers;
    std::unique_ptr<Core> core;

private:
    plugins::Faults faults_{"fake"};
    plugins::Storage storage_adapter{storage.table(), storage.instance(), faults_};
    plugins::Queue queue_adapter{queue.table(), queue.instance(), faults_};
    std::vector<std::unique_ptr<plugins::Provider>> adapters_;
    std::vector<ProviderInstance> instances_;
};

}  // namespace belfry::delivery
