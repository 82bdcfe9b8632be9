// SPDX-License-Identifier: Apache-2.0
#include "plugins/instances.h"

#include <algorithm>
#include <chrono>

namespace belfry::plugins {

namespace {

constexpr int64_t kStartTimeoutMs = 15'000;  // deadline of one call of start
constexpr int64_t kBackoffFirstMs = 250;
constexpr int64_t kBackoffMaxMs = 30'000;
constexpr std::chrono::milliseconds kLookEvery{100};  // whether the one who waits has given up

}  // namespace

std::string_view name_of(InstanceState state) noexcept {
    switch (state) {
        case InstanceState::Starting:
            return "starting";
        case InstanceState::Running:
            return "running";
        case InstanceState::Retrying:
            return "retrying";
        case InstanceState::Failed:
            return "failed";
        case InstanceState::Ended:
            return "ended";
    }
    return "unknown";
}

Instance::Instance(std::string name, Kind kind, HostFactory& hosts, Log& log, const Clock& clock)
    : name_(std::move(name)),
      kind_(kind),
      hosts_(hosts),
      log_(log, "plugins"),
      clock_(clock),
      faults_(std::make_shared<Faults>(name_, &log)),
      census_(std::make_shared<Census>()),
      control_(std::make_shared<ControlThread>(name_)) {}

std::shared_ptr<Generation> Instance::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

InstanceInfo Instance::info() const {
    const std::lock_guard lock(mutex_);
    InstanceInfo info;
    info.name = name_;
    info.kind = kind_;
    if (component_) {
        info.plugin = component_->plugin->name;
        info.version = component_->plugin->manifest.version;
    }
    info.state = state_;
    info.line = line_;
    info.generation = current_ ? current_->number() : 0;
    info.faults = faults_->total();
    info.full = faults_->full();
    return info;
}

bool Instance::in_start() const {
    const std::lock_guard lock(mutex_);
    return in_start_;
}

bool Instance::runs_as(const PreparedComponent& component) const {
    const std::lock_guard lock(mutex_);
    if (state_ != InstanceState::Running || current_ == nullptr) return false;
    const PreparedComponent& now = current_->component();
    return now.plugin == component.plugin && now.fingerprint == component.fingerprint;
}

// The last reference may go on any thread, destroy runs on the control thread.
Result<std::shared_ptr<Generation>> Instance::begin(const PreparedComponent& component) {
    uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        number = next_number_++;
    }
    const int64_t deadline = clock_.mono_ns() + kStartTimeoutMs * kNsPerMs;
    Result<std::unique_ptr<Generation>> made = Generation::begin(component, hosts_, faults_, number, deadline);
    if (!made) return made.error();
    {
        const std::lock_guard lock(census_->mutex);
        ++census_->living;
    }
    return std::shared_ptr<Generation>(made->release(), [control = control_, census = census_](Generation* generation) {
        control->post_always([generation, census] {
            delete generation;
            const std::lock_guard lock(census->mutex);
            --census->living;
            census->changed.notify_all();
        });
    });
}

void Instance::settle(InstanceState state, const std::string& line) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ == InstanceState::Ended) return;
        state_ = state;
        line_ = line;
    }
    settled_.notify_all();
}

void Instance::attempt() {
    std::optional<PreparedComponent> component;
    {
        const std::lock_guard lock(mutex_);
        // A reload has been faster.
        if (state_ == InstanceState::Ended || current_ != nullptr) return;
        component = component_;
    }
    Result<std::shared_ptr<Generation>> made = begin_attempt(*component);
    if (made) {
        {
            const std::lock_guard lock(mutex_);
            if (state_ == InstanceState::Ended) return;
            current_ = std::move(*made);
        }
        log_.info("instance runs", {{"instance", name_}, {"plugin", component->plugin->name}});
        return settle(InstanceState::Running, {});
    }
    const std::string line = made.error().to_string();
    {
        const std::lock_guard lock(mutex_);
        last_error_ = made.error();
    }
    if (!may_pass(made.error().code)) {
        component->secrets->wipe();
        log_.error("instance cannot start", {{"instance", name_}, {"reason", line}});
        return settle(InstanceState::Failed, line);
    }
    try_again_after(made.error());
}

Result<std::shared_ptr<Generation>> Instance::begin_attempt(const PreparedComponent& component) {
    const auto mark = [this](bool running) {
        const std::lock_guard lock(mutex_);
        in_start_ = running;
    };
    mark(true);
    Result<std::shared_ptr<Generation>> made = begin(component);
    mark(false);
    return made;
}

void Instance::try_again_after(const Error& failure) {
    int64_t delay_ms = 0;
    {
        const std::lock_guard lock(mutex_);
        backoff_ms_ = std::min(std::max(backoff_ms_ * 2, kBackoffFirstMs), kBackoffMaxMs);
        delay_ms = std::max(backoff_ms_, failure.retry_after_ms);
    }
    const std::string line = failure.to_string();
    log_.warning("instance could not start, trying again",
                 {{"instance", name_}, {"reason", line}, {"in_ms", delay_ms}});
    settle(InstanceState::Retrying, line);
    const std::lock_guard lock(mutex_);
    if (state_ != InstanceState::Retrying) return;
    control_->post_after([self = shared_from_this()] { self->attempt(); }, delay_ms);
}

Status Instance::start(PreparedComponent component, const Patience& patience) {
    {
        const std::lock_guard lock(mutex_);
        component_ = std::move(component);
        state_ = InstanceState::Starting;
    }
    if (!control_->post([self = shared_from_this()] { self->attempt(); }))
        return error(ErrorCode::Busy, "too many control calls of this instance are waiting");
    return wait_for_start(patience);
}

Status Instance::wait_for_start(const Patience& patience) {
    const auto began = std::chrono::steady_clock::now();
    auto report_at = began + std::chrono::milliseconds(patience.report_ms);
    const auto over_at = began + std::chrono::milliseconds(patience.wait_ms);
    const auto settled = [this] {
        return state_ == InstanceState::Running || state_ == InstanceState::Failed || state_ == InstanceState::Ended;
    };
    std::unique_lock lock(mutex_);
    while (!settled()) {
        const auto now = std::chrono::steady_clock::now();
        if (patience.given_up && patience.given_up())
            return error(ErrorCode::Cancelled, "not waited for any longer", name_);
        const bool at_work = state_ == InstanceState::Starting || in_start_;
        if (now >= over_at && !(patience.to_the_end && at_work)) break;
        if (now >= report_at) {
            const auto waited_s = std::chrono::duration_cast<std::chrono::seconds>(now - began).count();
            log_.info("instance still starts", {{"instance", name_}, {"seconds", waited_s}});
            report_at = now + std::chrono::milliseconds(patience.report_ms);
        }
        const auto look_at = std::min(report_at, now + kLookEvery);
        settled_.wait_until(lock, now < over_at ? std::min(look_at, over_at) : look_at);
    }
    if (state_ == InstanceState::Running) return {};
    if (state_ == InstanceState::Starting)
        return error(ErrorCode::DeadlineExceeded,
                     "plugin did not finish its start within " + std::to_string(patience.wait_ms) + " ms", name_);
    return last_error_;
}

// [control] So that no attempt with the old component comes between the start and the switch.
Status Instance::take_turn(Turn& turn, const PreparedComponent& component, const Check& check) {
    control_->cancel_delayed();
    Result<std::shared_ptr<Generation>> made = begin(component);
    Status answer = made ? Status() : Status(made.error());
    if (answer && check) answer = check(**made);
    std::shared_ptr<Generation> before;
    {
        const std::lock_guard lock(mutex_);
        if (answer && state_ == InstanceState::Ended)
            answer = error(ErrorCode::Cancelled, "the host is stopping", name_);
        turn.done = answer && !turn.abandoned;
        if (turn.done) {
            before = std::exchange(current_, std::move(*made));
            component_ = component;
            backoff_ms_ = 0;
        }
    }
    if (turn.done) {
        settle(InstanceState::Running, {});
    } else {
        go_on_trying();
    }
    return answer;
}

// A reload that failed leaves the instance as it was, with the attempt it was waiting for.
void Instance::go_on_trying() {
    const std::lock_guard lock(mutex_);
    if (state_ != InstanceState::Retrying) return;
    control_->post_after([self = shared_from_this()] { self->attempt(); }, backoff_ms_);
}

Status Instance::reload(PreparedComponent component, const Check& check, int64_t wait_ms) {
    auto turn = std::make_shared<Turn>();
    const Status ready = control_->run([self = shared_from_this(), turn, component = std::move(component),
                                        check] { return self->take_turn(*turn, component, check); },
                                       wait_ms);
    {
        const std::lock_guard lock(mutex_);
        turn->abandoned = !turn->done;
        if (turn->abandoned) return ready;
    }
    log_.info("instance reloaded", {{"instance", name_}, {"generation", info().generation}});
    return {};
}

void Instance::fail(const Error& why) {
    log_.error("instance cannot start", {{"instance", name_}, {"reason", why.to_string()}});
    {
        const std::lock_guard lock(mutex_);
        last_error_ = why;
    }
    settle(InstanceState::Failed, why.to_string());
}

bool Instance::stop(int64_t wait_ms) {
    std::shared_ptr<Generation> last;
    {
        const std::lock_guard lock(mutex_);
        state_ = InstanceState::Ended;
        last = std::exchange(current_, nullptr);
    }
    settled_.notify_all();
    control_->cancel_delayed();
    last.reset();
    std::unique_lock lock(census_->mutex);
    return census_->changed.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return census_->living == 0; });
}

void Instances::respect(const CrashRecord& record) {
    crashes_ = &record;
    if (record.crashes().empty()) return;
    const CrashRecord::Crash& last = record.crashes().back();
    Logger(log_, "plugins")
        .warning("a plugin crashed the host before",
                 {{"instance", last.instance}, {"unix_s", last.unix_s}, {"record", record.file()}});
}

Status Instances::add(const ComponentSpec& spec, const Patience& patience) {
    Instance* instance = nullptr;
    {
        const std::lock_guard lock(mutex_);
        const auto same = [&](const auto& other) { return other->name() == spec.instance; };
        if (std::any_of(instances_.begin(), instances_.end(), same))
            return error(ErrorCode::Misconfigured, "there are two instances of this name; rename one",
                         section_name(spec.kind, spec.instance));
        instances_.push_back(std::make_shared<Instance>(spec.instance, spec.kind, hosts_, log_, clock_));
        instance = instances_.back().get();
    }
    Result<PreparedComponent> prepared = prepare_component(loader_, spec);
    if (!prepared) {
        instance->fail(prepared.error());
        return spec.settings.critical ? Status(prepared.error()) : Status();
    }
    const bool critical = prepared->settings.critical;
    const std::string blocked = crashes_ == nullptr ? std::string() : crashes_->blocked(spec.instance);
    if (!blocked.empty() && !critical) {
        instance->fail(error(ErrorCode::Misconfigured, blocked, section_name(spec.kind, spec.instance)));
        return {};
    }
    const Status started = instance->start(std::move(*prepared), patience);
    return critical ? started : Status();
}

Result<Reloaded> Instances::reload(const ComponentSpec& spec, const Instance::Check& check, int64_t wait_ms,
                                   Unchanged unchanged) {
    const std::string place = section_name(spec.kind, spec.instance);
    if (spec.kind == Kind::Storage || spec.kind == Kind::Queue)
        return error(ErrorCode::Unsupported,
                     "a changed storage or queue takes effect at the next start; restart Belfry", place);
    Instance* instance = find(spec.instance);
    if (instance == nullptr)
        return error(ErrorCode::NotFound, "there is no such instance; new ones take effect at the next start", place);
    Result<PreparedComponent> prepared = prepare_component(loader_, spec);
    if (!prepared) return prepared.error();
    if (unchanged == Unchanged::Keep && instance->runs_as(*prepared)) return Reloaded::Kept;
    const Status replaced = instance->reload(std::move(*prepared), check, wait_ms);
    if (!replaced) return replaced.error();
    return Reloaded::Replaced;
}

Instance* Instances::find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    for (const auto& instance : instances_) {
        if (instance->name() == name) return instance.get();
    }
    return nullptr;
}

std::vector<InstanceInfo> Instances::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<InstanceInfo> all;
    for (const auto& instance : instances_) all.push_back(instance->info());
    return all;
}

bool Instances::any_in_start() const {
    const std::lock_guard lock(mutex_);
    return std::any_of(instances_.begin(), instances_.end(), [](const auto& instance) { return instance->in_start(); });
}

void Instances::stop(int64_t wait_ms) {
    const std::lock_guard lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
    for (auto it = instances_.rbegin(); it != instances_.rend(); ++it) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
        if ((*it)->stop(std::max<int64_t>(left, 0))) continue;
        Logger(log_, "plugins").warning("instance is still in use at the end", {{"instance", (*it)->name()}});
    }
}

}  // namespace belfry::plugins
