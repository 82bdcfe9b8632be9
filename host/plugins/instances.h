// SPDX-License-Identifier: Apache-2.0
// Configured components while the host runs: start, retry, reload, end.
//
// A plugin that fails stops only its own instance. Reload makes a new generation beside the running one and switches to
// it once it has started and passed the caller's check; a failed one changes nothing. Threads: [any]; plugin calls of
// one instance run on its control thread. Owner: main, which ends it after delivery and before the loader and the
// services.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "plugins/component.h"
#include "plugins/control_thread.h"
#include "plugins/crash_record.h"
#include "plugins/generation.h"

namespace belfry::plugins {

enum class InstanceState : uint8_t {
    Starting,
    Running,
    Retrying,  // start failed for a reason that may pass; tried again with back-off
    Failed,    // an operator must act
    Ended
};
std::string_view name_of(InstanceState state) noexcept;

// What a reload does with an instance that runs as its section says already.
enum class Unchanged : uint8_t { Keep, Replace };
enum class Reloaded : uint8_t { Kept, Replaced };

// How long somebody waits for an instance to start.
struct Patience {
    int64_t wait_ms = 0;                  // then it is tried on in the background
    bool to_the_end = false;              // a start that is under way is waited for as long as it takes
    std::function<bool()> given_up = {};  // asked now and then; true: wait no longer. Empty: never
    int64_t report_ms = 10'000;           // the log says this often that it still starts
};

struct InstanceInfo {
    std::string name;
    Kind kind = Kind::Provider;
    std::string plugin, version;  // empty if its plugin was refused
    InstanceState state = InstanceState::Starting;
    std::string line;         // Retrying, Failed: why, and what to do
    uint64_t generation = 0;  // 0: never ran
    uint64_t faults = 0;
    std::string full;  // the calls that last found disk or quota full, and why; empty: none
};

// Shared by the registry and by jobs that still wait on the control thread.
class Instance : public std::enable_shared_from_this<Instance> {
public:
    using Check = std::function<Status(Generation&)>;

    Instance(std::string name, Kind kind, HostFactory& hosts, Log& log, const Clock& clock);
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    const std::string& name() const noexcept { return name_; }
    Kind kind() const noexcept { return kind_; }
    // Null while it does not run. Keep it for as long as something is in flight on it.
    std::shared_ptr<Generation> current() const;
    InstanceInfo info() const;
    // It runs, and a generation made of `component` would be the same but for the rate.
    bool runs_as(const PreparedComponent& component) const;
    const Faults& faults() const noexcept { return *faults_; }

    // Waits until it runs, has failed for good, or patience ends; in that case it is tried on in the background.
    // Cancelled: given up.
    Status start(PreparedComponent component, const Patience& patience);
    // A new generation takes over once it has started and `check` (may be empty; runs on the control thread) has
    // passed.
    Status reload(PreparedComponent component, const Check& check, int64_t wait_ms);
    // A thread is inside the plugin's start.
    bool in_start() const;
    // Remembers why there is nothing to start.
    void fail(const Error& why);
    // Runs a job on the control thread, like authorize. False if too many wait.
    [[nodiscard]] bool post(std::function<void()> job) { return control_->post(std::move(job)); }
    // No more current generation; waits for those in flight. False: some were still in use.
    bool stop(int64_t wait_ms);

private:
    // What generations of this instance share, so that they can outlive it.
    struct Census {
        std::mutex mutex;
        std::condition_variable changed;
        size_t living = 0;
    };
    Result<std::shared_ptr<Generation>> begin(const PreparedComponent& component);
    // [control]
    void attempt();
    Result<std::shared_ptr<Generation>> begin_attempt(const PreparedComponent& component);
    // A reload, unless whoever asked for it has gone meanwhile.
    struct Turn {
        bool abandoned = false, done = false;
    };
    Status take_turn(Turn& turn, const PreparedComponent& component, const Check& check);
    void go_on_trying();
    void try_again_after(const Error& failure);
    Status wait_for_start(const Patience& patience);
    void settle(InstanceState state, const std::string& line);

    const std::string name_;
    const Kind kind_;
    HostFactory& hosts_;
    const Logger log_;
    const Clock& clock_;
    const std::shared_ptr<Faults> faults_;  // shared with generations in flight
    const std::shared_ptr<Census> census_;
    const std::shared_ptr<ControlThread> control_;
    mutable std::mutex mutex_;
    std::condition_variable settled_;
    std::shared_ptr<Generation> current_;
    std::optional<PreparedComponent> component_;
    InstanceState state_ = InstanceState::Starting;
    bool in_start_ = false;  // the plugin's create or start of an attempt is running
    std::string line_;
    Error last_error_;
    uint64_t next_number_ = 1;
    int64_t backoff_ms_ = 0;
};

class Instances {
public:
    Instances(Loader& loader, HostFactory& hosts, Log& log, const Clock& clock)
        : loader_(loader), hosts_(hosts), log_(log), clock_(clock) {}
    ~Instances() { stop(0); }
    Instances(const Instances&) = delete;
    Instances& operator=(const Instances&) = delete;

    // Instances that crashed the host before are then started only if they are critical. Not owned; before the first
    // add.
    void respect(const CrashRecord& record);

    // Prepares and starts. The instance is there afterwards, running or not. An error is returned for critical ones
    // only; for others it is logged and kept in info().
    Status add(const ComponentSpec& spec, const Patience& patience);
    Status add(const ComponentSpec& spec, int64_t wait_ms) { return add(spec, Patience{wait_ms}); }
    // Storage and queue are not reloaded beside themselves: Unsupported.
    Result<Reloaded> reload(const ComponentSpec& spec, const Instance::Check& check, int64_t wait_ms,
                            Unchanged unchanged = Unchanged::Replace);
    // Null: no such instance. Stays valid until *this ends.
    Instance* find(std::string_view name) const;
    std::vector<InstanceInfo> list() const;
    // Some thread is inside a plugin's start.
    bool any_in_start() const;
    // Ends all, latest first.
    void stop(int64_t wait_ms);

private:
    Loader& loader_;
    HostFactory& hosts_;
    Log& log_;
    const Clock& clock_;
    const CrashRecord* crashes_ = nullptr;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Instance>> instances_;  // in the order of adding
};

}  // namespace belfry::plugins
