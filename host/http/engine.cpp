// SPDX-License-Identifier: Apache-2.0
#include "http/engine.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>

#include "http/endpoint_table.h"
#include "http/loop.h"
#include "http/resolver.h"

namespace belfry::http {

namespace {

// A loop that has this much more to do than the idlest one passes new portions on.
constexpr size_t kLoadSlack = 256;
constexpr uint32_t kConnectionsMax = 1024;  // per endpoint and loop
constexpr uint32_t kLoopsMax = 64;

// Waits for the one exchange of a call.
class CallOwner final : public PortionOwner {
public:
    void on_exception(Portion&, Exchange&) noexcept override {}
    void on_complete(Portion&) noexcept override {
        std::lock_guard lock(mutex_);
        complete_ = true;
        changed_.notify_one();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return complete_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool complete_ = false;
};

}  // namespace

struct Engine::Impl {
    Impl(const EngineOptions& options, const Clock& time, Log& log, Metrics& metrics)
        : clock(time), table(loops_of(options), metrics), resolver(options.addresses_of) {
        for (unsigned i = 0; i < loops_of(options); ++i) {
            loops.push_back(std::make_unique<Loop>(i, options, table, resolver, clock, log));
        }
    }

    static unsigned loops_of(const EngineOptions& options) { return std::clamp(options.loops, 1u, kLoopsMax); }
    Result<EndpointId> add(EndpointConfig config, bool passing);
    Loop& loop_for(const Portion& portion);

    const Clock& clock;
    EndpointTable table;
    Resolver resolver;
    std::vector<std::unique_ptr<Loop>> loops;
};

Result<EndpointId> Engine::Impl::add(EndpointConfig config, bool passing) {
    config.connections_max = std::clamp(config.connections_max, 1u, kConnectionsMax);
    return table.add(std::move(config), passing, clock.mono_ns());
}

// An endpoint has a home loop, so that light traffic needs few connections; heavy traffic spreads. Untrusted ones never
// do: there may be many of them.
Loop& Engine::Impl::loop_for(const Portion& portion) {
    const EndpointId id = portion.exchanges.empty() ? 0 : portion.exchanges.front().endpoint;
    Loop& home = *loops[static_cast<size_t>(std::max(id, 0)) % loops.size()];
    if (loops.size() == 1) return home;
    const auto endpoint = table.find(id);
    if (!endpoint || endpoint->passing || endpoint->config.untrusted) return home;
    const auto idlest = std::min_element(loops.begin(), loops.end(),
                                         [](const auto& a, const auto& b) { return a->load() < b->load(); });
    return home.load() > (*idlest)->load() + kLoadSlack ? **idlest : home;
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() {
    stop(0);
}

Result<std::unique_ptr<Engine>> Engine::create(const EngineOptions& options, const Clock& clock, Log& log,
                                               Metrics& metrics) {
    return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>(options, clock, log, metrics)));
}

Result<EndpointId> Engine::add_endpoint(const EndpointConfig& config) {
    return impl_->add(config, false);
}

Result<EndpointId> Engine::add_origin(EndpointId like, std::string_view url) {
    EndpointConfig config;
    config.untrusted = true;
    if (const auto endpoint = impl_->table.find(like)) config = endpoint->config;
    config.url = url;
    return impl_->add(std::move(config), true);
}

void Engine::submit(Portion& portion) {
    for (Exchange& exchange : portion.exchanges) {
        if (exchange.endpoint < 0 && exchange.plan != nullptr) exchange.endpoint = exchange.plan->endpoint;
        exchange.transport = Transport::Pending;
        exchange.phase = exchange.replays = 0;
        exchange.sent_mono_ns = 0;
        exchange.forget_answer();
    }
    portion.finished.store(0, std::memory_order_relaxed);
    portion.recalled_.store(false, std::memory_order_relaxed);
    if (impl_->loop_for(portion).submit(portion)) return;
    for (Exchange& exchange : portion.exchanges) {
        exchange.settle(Transport::NeverSent);
        portion.finished.fetch_add(1, std::memory_order_release);
        if (portion.owner != nullptr) portion.owner->on_exception(portion, exchange);
    }
    if (portion.owner != nullptr) portion.owner->on_complete(portion);
}

void Engine::recall(Portion& portion) {
    if (portion.loop_ != nullptr) portion.loop_->recalled(portion);
}

uint32_t Engine::credit(EndpointId id) const {
    const auto endpoint = impl_->table.find(id);
    return endpoint == nullptr ? 0 : endpoint->credit(impl_->clock.mono_ns());
}

uint32_t Engine::connections(EndpointId id) const {
    const auto endpoint = impl_->table.find(id);
    return endpoint == nullptr ? 0 : static_cast<uint32_t>(std::max(0.0, endpoint->meters.connections.get()));
}

void Engine::retire(EndpointId id) {
    for (const auto& loop : impl_->loops) loop->retire(id);
}

std::string Engine::last_connect_error(EndpointId id) const {
    const auto endpoint = impl_->table.find(id);
    return endpoint == nullptr ? "no such endpoint" : endpoint->connect_error();
}

Result<CallAnswer> Engine::call(EndpointId id, const CallRequest& request, int64_t deadline_mono_ns) {
    const auto endpoint = impl_->table.find(id);
    if (endpoint == nullptr) return error(ErrorCode::InvalidArgument, "no such endpoint");
    std::string lines;
    for (const auto& [name, value] : request.headers) lines += name + ": " + value + "\n";
    const EncodedRequest encoded{request.path, lines, request.body};
    Plan plan;
    plan.endpoint = id;
    plan.method = request.method;
    plan.keep = request.keep;
    plan.answer_max = request.answer_max;
    plan.always_detail = true;
    Exchange exchange;
    exchange.plan = &plan;
    exchange.encoded = &encoded;
    exchange.endpoint = id;
    CallOwner owner;
    Portion portion;
    portion.exchanges = {&exchange, 1};
    portion.owner = &owner;
    portion.high = true;
    portion.unsent_until_mono_ns = deadline_mono_ns;
    portion.answer_until_mono_ns = deadline_mono_ns;
    submit(portion);
    owner.wait();
    const std::string& where = endpoint->origin.authority;
    switch (exchange.transport) {
        case Transport::Answered:
            break;
        case Transport::Unsendable:
            return error(ErrorCode::InvalidArgument, "the request's path or headers are malformed", where);
        case Transport::NeverSent: {
            const std::string why = endpoint->connect_error();
            return error(ErrorCode::Unavailable, why.empty() ? "the request could not be sent in time" : why, where);
        }
        case Transport::Unknown:
        case Transport::Pending: {
            const bool late = impl_->clock.mono_ns() >= deadline_mono_ns;
            return late
                       ? error(ErrorCode::DeadlineExceeded, "no answer in time", where)
                       : error(ErrorCode::Unavailable, "the connection was lost before the answer was complete", where);
        }
    }
    if (exchange.truncated) {
        return error(ErrorCode::TooLarge, "the answer is longer than " + std::to_string(request.answer_max) + " bytes",
                     where);
    }
    CallAnswer answer;
    answer.status = exchange.status;
    answer.body = std::move(exchange.detail->body);
    answer.headers = std::move(exchange.detail->headers);
    answer.date_unix_ms = exchange.detail->date_unix_ms;
    return answer;
}

void Engine::stop(int64_t deadline_mono_ns) {
    for (const auto& loop : impl_->loops) loop->stop(deadline_mono_ns);
    for (const auto& loop : impl_->loops) loop->join();
}

}  // namespace belfry::http
