// SPDX-License-Identifier: Apache-2.0
#include "delivery/core.h"

#include <chrono>
#include <map>
#include <mutex>
#include <span>
#include <thread>

#include "delivery/accept.h"
#include "delivery/gates.h"
#include "delivery/page_pool.h"
#include "delivery/prepared_push.h"
#include "delivery/recipient_counter.h"
#include "delivery/scheduler.h"
#include "delivery/settler.h"
#include "delivery/status.h"
#include "delivery/stopped_pushes.h"
#include "delivery/store_clock.h"
#include "delivery/upkeep.h"
#include "http/engine.h"

namespace belfry::delivery {

namespace {

constexpr int kSteerTries = 20;  // while a small push cannot be paused because it is being sent
constexpr auto kSteerWait = std::chrono::milliseconds(50);
constexpr auto kClaimWait = std::chrono::seconds(1);  // what a claim brings later goes back when the queue ends

class EngineSender final : public Sender {
public:
    explicit EngineSender(http::Engine& engine) : engine_(engine) {}
    void submit(http::Portion& portion) override { engine_.submit(portion); }
    void recall(http::Portion& portion) override { engine_.recall(portion); }
    uint32_t credit(http::EndpointId endpoint) const override { return engine_.credit(endpoint); }
    void retire(http::EndpointId endpoint) override { engine_.retire(endpoint); }
    std::string last_connect_error(http::EndpointId endpoint) const override {
        return engine_.last_connect_error(endpoint);
    }
    Result<http::EndpointId> origin(http::EndpointId like, std::string_view url) override {
        return engine_.add_origin(like, url);
    }
    uint32_t connections(http::EndpointId endpoint) const override { return engine_.connections(endpoint); }
    void stop(int64_t deadline_mono_ns) override { engine_.stop(deadline_mono_ns); }

private:
    http::Engine& engine_;
};

class CoreImpl final : public Core {
public:
    CoreImpl(const Options& options, plugins::Storage& storage, plugins::Queue& queue,
             std::unique_ptr<audience::NameNumbers> numbers, std::vector<std::unique_ptr<Gate>> gates, Sender& sender,
             const Clock& clock, Log& log, Metrics& metrics)
        : options_(options),
          queue_(queue),
          clock_(clock),
          log_(log),
          sender_(sender),
          numbers_(std::move(numbers)),
          gates_(*numbers_, std::move(gates)),
          store_clock_(clock),
          stopped_(clock),
          stored_(queue, options.blob_cache_bytes),
          prepared_(options.prepared_cache_max),
          batcher_(options_, queue, node_, clock, wakeup_),
          acceptor_(storage, queue, gates_, batcher_, clock, metrics),
          counter_(storage, gates_, clock),
          settler_(queue, storage, node_, clock, size_t{options.page_slots} + options.straggler_pages_max, log,
                   metrics),
          pages_({options_, storage, sender, store_clock_, gates_, stored_, prepared_, stopped_, progress_, settler_,
                  wakeup_},
                 log, metrics),
          scheduler_(options_, queue, node_, gates_, store_clock_, wakeup_, log, metrics),
          upkeep_(options_, queue, node_, store_clock_, stopped_, wakeup_, log) {}
    ~CoreImpl() override {
        stop();
        batcher_.stop();  // also of a core that never ran: the acceptor goes before it
    }

    Status start(MayWork may_work) override;
    void stop() override;
    Status switch_provider(const std::string& name, plugins::Provider& provider, std::shared_ptr<void> owner,
                           uint64_t per_minute) override;
    void set_rate(const std::string& name, uint64_t per_minute) override;
    void not_started(const std::string& name, std::string reason, bool operator_must_act) override {
        const std::lock_guard lock(start_failures_mutex_);
        start_failures_[name] = {std::move(reason), operator_must_act};
    }
    void know(const std::string& name, plugins::HostFacts facts) override {
        if (Gate* const gate = gates_.by_name(name)) gate->watch().know(std::move(facts));
    }
    std::vector<ProviderStatus> providers() const override;
    void accept_then(PushRequest&& request, AcceptDone done) override { acceptor_.accept(request, std::move(done)); }
    Result<CancelResult> cancel(const std::string& app, const std::string& uid) override;
    Result<SteerResult> pause(const std::string& app, const std::string& uid) override;
    Result<SteerResult> resume(const std::string& app, const std::string& uid) override;
    Result<RecipientCount> recipient_count(const std::string& app, const Recipient& recipient,
                                           int64_t budget_ms) override {
        return counter_.count(app, recipient, budget_ms);
    }
    Result<DeadPage> dead(const std::string& app, const std::string& uid, uint64_t after, uint32_t limit) override;
    Result<uint32_t> replay(const std::string& app, const std::vector<uint64_t>& ids, bool ignore_expiry) override;
    Result<QueueStats> queue_stats() override;
    Result<PushStatus> status(const std::string& app, const std::string& uid) override;
    Result<PushPage> list(const std::string& app, const std::string& state, const std::string& cursor,
                          uint32_t limit) override;

private:
    Result<belfry_steered> steer(const std::string& app, const std::string& uid, belfry_steer verb);
    Result<SteerResult> steer(const std::string& app, const std::string& uid, belfry_steer verb, int32_t state);
    std::shared_ptr<Generation> make_generation(const std::string& name, plugins::Provider& provider,
                                                std::shared_ptr<void> owner);

    const Options options_;
    plugins::Queue& queue_;
    const Clock& clock_;
    Log& log_;
    Sender& sender_;
    Node node_;
    Wakeup wakeup_;  // the scheduler's
    const std::unique_ptr<audience::NameNumbers> numbers_;
    Gates gates_;
    StoreClock store_clock_;
    StoppedPushes stopped_;
    Progress progress_;
    StoredPushes stored_;
    PreparedCache prepared_;
    Batcher batcher_;
    Acceptor acceptor_;
    RecipientCounter counter_;
    Settler settler_;
    PagePool pages_;
    Scheduler scheduler_;
    Upkeep upkeep_;
    std::atomic<uint64_t> generations_{0};
    bool running_ = false;
    struct StartFailure {
        std::string reason;
        bool operator_must_act = false;
    };
    mutable std::mutex start_failures_mutex_;
    std::map<std::string, StartFailure> start_failures_;  // of instances without a generation, by name
};

Status CoreImpl::start(MayWork may_work) {
    const Status begun = upkeep_.start(pages_, std::move(may_work), [this] { scheduler_.stop_claiming(); });
    if (!begun) return begun;
    scheduler_.start(pages_);
    running_ = true;
    return {};
}

void CoreImpl::stop() {
    if (!std::exchange(running_, false)) return;
    const int64_t deadline = clock_.mono_ns() + options_.stop_total_ms * kNsPerMs;
    // A queue that does not answer lets each call take its time: what cannot be written is given up in time for all.
    settler_.give_up_from(clock_.mono_ns() + (options_.stop_total_ms - options_.stop_answers_ms) * kNsPerMs);
    scheduler_.stop_claiming();
    batcher_.stop();
    scheduler_.wait_claimed(std::chrono::steady_clock::now() + kClaimWait);
    pages_.begin_stop();
    pages_.wait_idle(clock_.mono_ns() + options_.stop_answers_ms * kNsPerMs);
    // Credentials come over the same engine.
    for (const std::unique_ptr<Gate>& gate : gates_.all()) {
        if (const auto generation = gate->generation()) generation->authorizer->stop();
    }
    // Now the engine finishes whatever is still unanswered; its pages settle with that.
    sender_.stop(clock_.mono_ns());
    pages_.wait_idle(deadline);
    scheduler_.end();
    upkeep_.stop();
    settler_.stop(deadline);
    pages_.stop();
    prepared_.clear();
    for (const std::unique_ptr<Gate>& gate : gates_.all()) gate->switch_to(nullptr);
}

std::shared_ptr<Generation> CoreImpl::make_generation(const std::string& name, plugins::Provider& provider,
                                                      std::shared_ptr<void> owner) {
    auto generation = std::make_shared<Generation>();
    generation->number = generations_.fetch_add(1) + 1;
    generation->provider = &provider;
    generation->instance = std::move(owner);
    generation->authorizer = std::make_unique<Authorizer>(provider, name, clock_, log_, [this] { wakeup_.ring(); });
    if (provider.sends()) generation->sends = std::make_unique<SendPool>(provider, clock_);
    generation->authorizer->slot(0);  // so that trouble with it is known before the first push
    return generation;
}

Status CoreImpl::switch_provider(const std::string& name, plugins::Provider& provider, std::shared_ptr<void> owner,
                                 uint64_t per_minute) {
    Gate* gate = gates_.by_name(name);
    if (gate == nullptr) return error(ErrorCode::NotFound, "there is no provider \"" + name + "\"");
    gate->pacer().set_rate(per_minute != 0 ? per_minute : provider.per_minute_default());
    gate->switch_to(make_generation(name, provider, std::move(owner)));
    wakeup_.ring();
    return {};
}

void CoreImpl::set_rate(const std::string& name, uint64_t per_minute) {
    Gate* gate = gates_.by_name(name);
    if (gate == nullptr) return;
    const std::shared_ptr<Generation> current = gate->generation();
    if (current == nullptr) return;
    gate->pacer().set_rate(per_minute != 0 ? per_minute : current->provider->per_minute_default());
    wakeup_.ring();
}

std::vector<ProviderStatus> CoreImpl::providers() const {
    std::vector<ProviderStatus> all;
    const std::lock_guard lock(start_failures_mutex_);
    for (const std::unique_ptr<Gate>& gate : gates_.all()) {
        ProviderStatus& status = all.emplace_back(gate->status());
        const auto failure = start_failures_.find(status.name);
        if (status.state != GateState::NotStarted || failure == start_failures_.end()) continue;
        status.reason = failure->second.reason;
        status.operator_must_act = failure->second.operator_must_act;
    }
    return all;
}

Result<belfry_steered> CoreImpl::steer(const std::string& app, const std::string& uid, belfry_steer verb) {
    belfry_steered answer{};
    const belfry_str value = str(std::string_view(uid));
    const Status done = queue_.steer(app, std::span(&value, 1), verb, [&](const belfry_steered& row) { answer = row; });
    if (!done) return done.error();
    if (BELFRY_CODE_CLASS(answer.code) == BELFRY_INTERNAL)
        return error(ErrorCode::Internal, "the queue gave no answer");
    return answer;
}

Result<CancelResult> CoreImpl::cancel(const std::string& app, const std::string& uid) {
    const Result<belfry_steered> steered = steer(app, uid, BELFRY_STEER_CANCEL);
    if (!steered) return steered.error();
    switch (BELFRY_CODE_CLASS(steered->code)) {
        case BELFRY_OK:
            upkeep_.heard(app, uid, BELFRY_PUSH_CANCELLED);
            return CancelResult::Cancelled;
        case BELFRY_NOT_FOUND:
            return CancelResult::Unknown;
        default:
            return steered->state == BELFRY_PUSH_CANCELLED ? CancelResult::Cancelled : CancelResult::AlreadyDone;
    }
}

// `state`: what the push is in if that was done.
Result<SteerResult> CoreImpl::steer(const std::string& app, const std::string& uid, belfry_steer verb, int32_t state) {
    Result<belfry_steered> steered = steer(app, uid, verb);
    // Its bundle is being sent, which takes a moment.
    for (int tries = 0; steered && steered->code == BELFRY_BUSY && tries < kSteerTries; ++tries) {
        std::this_thread::sleep_for(kSteerWait);
        steered = steer(app, uid, verb);
    }
    if (!steered) return steered.error();
    switch (BELFRY_CODE_CLASS(steered->code)) {
        case BELFRY_OK:
            upkeep_.heard(app, uid, state);
            return SteerResult::Done;
        case BELFRY_NOT_FOUND:
            return SteerResult::Unknown;
        case BELFRY_BUSY:
            return error(ErrorCode::Busy, "the push is being sent at this moment; try again in a second", "uid");
        default:
            return steered->state >= BELFRY_PUSH_DONE ? SteerResult::Finished : SteerResult::AlreadySo;
    }
}

Result<SteerResult> CoreImpl::pause(const std::string& app, const std::string& uid) {
    return steer(app, uid, BELFRY_STEER_PAUSE, BELFRY_PUSH_PAUSED);
}

Result<SteerResult> CoreImpl::resume(const std::string& app, const std::string& uid) {
    const Result<SteerResult> done = steer(app, uid, BELFRY_STEER_RESUME, BELFRY_PUSH_RUNNING);
    wakeup_.ring();
    return done;
}

Result<DeadPage> CoreImpl::dead(const std::string& app, const std::string& uid, uint64_t after, uint32_t limit) {
    DeadPage page;
    bool more = false;
    const Status done = queue_.dead(app, uid, after, limit + 1, [&](const belfry_dead_row& row) {
        more = page.letters.size() >= limit;
        if (more) return;
        DeadLetter& letter = page.letters.emplace_back();
        letter.id = row.id;
        letter.uid = text(row.uid);
        letter.provider = gates_.name_of(row.gate);
        letter.reason = text(row.note);
        letter.attempt = row.attempt;
        letter.deliveries = row.entries;
        letter.buried_unix_ms = row.buried_unix_ms;
        letter.replayed_unix_ms = row.replayed_unix_ms;
    });
    if (!done) return done.error();
    if (more && !page.letters.empty()) page.next_after = page.letters.back().id;
    return page;
}

Result<uint32_t> CoreImpl::replay(const std::string& app, const std::vector<uint64_t>& ids, bool ignore_expiry) {
    const Result<uint32_t> replayed = queue_.replay(app, ids, ignore_expiry);
    wakeup_.ring();
    return replayed;
}

Result<QueueStats> CoreImpl::queue_stats() {
    const Result<belfry_queue_stats> row = queue_.stats();
    if (!row) return row.error();
    const auto lane = [&](int32_t number) {
        return LaneStats{row->ready[number], row->claimed[number], row->oldest_ready_unix_ms[number]};
    };
    QueueStats stats;
    stats.high = lane(BELFRY_LANE_HIGH);
    stats.normal = lane(BELFRY_LANE_NORMAL);
    stats.low = lane(BELFRY_LANE_LOW);
    stats.delayed = row->delayed;
    stats.parked = row->parked;
    stats.dead = row->dead;
    stats.running_pushes = row->running_pushes;
    stats.delayed_pushes = row->delayed_pushes;
    stats.store_bytes = row->store_bytes;
    return stats;
}

Result<PushStatus> CoreImpl::status(const std::string& app, const std::string& uid) {
    std::optional<PushStatus> found;
    const belfry_str value = str(std::string_view(uid));
    const Status done = queue_.lookup(app, std::span(&value, 1), [&](const belfry_push_row& row) {
        found = status_of(row, gates_, progress_, clock_);
    });
    if (!done) return done.error();
    if (!found) return error(ErrorCode::NotFound, "unknown uid", "uid");
    return std::move(*found);
}

Result<Delivery::PushPage> CoreImpl::list(const std::string& app, const std::string& state, const std::string& cursor,
                                          uint32_t limit) {
    const int32_t wanted = state.empty() ? 0 : state_of_word(state);
    if (!state.empty() && wanted == 0)
        return error(ErrorCode::InvalidArgument, "there is no state \"" + state + "\"", "state");
    PushPage page;
    const Result<std::string> next = queue_.list(app, wanted, cursor, limit, [&](const belfry_push_row& row) {
        page.pushes.push_back(status_of(row, gates_, progress_, clock_));
    });
    if (!next) return next.error();
    page.next_cursor = *next;
    return page;
}

}  // namespace

std::unique_ptr<Sender> engine_sender(http::Engine& engine) {
    return std::make_unique<EngineSender>(engine);
}

Result<std::unique_ptr<Core>> make(const Options& options, plugins::Storage& storage, plugins::Queue& queue,
                                   std::vector<ProviderInstance> providers, Sender& sender, const Clock& clock,
                                   Log& log, Metrics& metrics) {
    Result<std::unique_ptr<audience::NameNumbers>> numbers =
        audience::NameNumbers::open(storage, audience::kGateNumbers, audience::kGatesMax);
    if (!numbers) return numbers.error();
    std::vector<std::unique_ptr<Gate>> gates;
    for (const ProviderInstance& instance : providers) {
        const Result<uint32_t> number = (*numbers)->number(instance.name);
        if (!number) return number.error();
        gates.push_back(
            std::make_unique<Gate>(instance.name, *number, instance.per_minute, sender, clock, log, metrics));
    }
    for (const std::unique_ptr<Gate>& gate : gates) {
        const Result<uint32_t> number = (*numbers)->number(gate->name() + std::string(kWaitingSuffix));
        if (!number) return number.error();
        gate->use_waiting_number(*number);
    }
    auto core = std::make_unique<CoreImpl>(options, storage, queue, std::move(*numbers), std::move(gates), sender,
                                           clock, log, metrics);
    for (ProviderInstance& instance : providers) {
        if (instance.provider == nullptr) continue;
        if (const Status switched = core->switch_provider(instance.name, *instance.provider, std::move(instance.owner),
                                                          instance.per_minute);
            !switched) {
            return switched.error();
        }
    }
    return std::unique_ptr<Core>(std::move(core));
}

}  // namespace belfry::delivery
