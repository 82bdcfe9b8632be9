// SPDX-License-Identifier: Apache-2.0
// The plugin of a case, opened in the case's process through its entry function, and its instances one call at a time.
//
// Threads: one. Failures are thrown as conformance::Failed.
#pragma once

#include <belfry/plugin.h>

#include <string>
#include <string_view>

#include "check/subject.h"
#include "conformance/runner/fake_host.h"
#include "conformance/runner/runner.h"

namespace belfry::kit {

using conformance::Context;
using conformance::FakeHost;
using conformance::require;

class Opened {
public:
    // `host` is what the entry function sees.
    Opened(const Context& context, const FakeHost& host);

    const belfry_plugin& table() const noexcept { return *table_; }
    const Subject& subject() const noexcept { return subject_; }
    const plugins::Component& component() const noexcept { return *component_; }
    const plugins::Schema& schema() const;
    // Once more, with another host.
    const belfry_plugin* enter(const belfry_host* host) const;

private:
    Subject subject_;
    const plugins::Component* component_ = nullptr;
    const belfry_plugin* (*entry_)(const belfry_host*) = nullptr;
    const belfry_plugin* table_ = nullptr;
};

// One instance, from create to destroy.
class Trial {
public:
    // create, with the case's configuration unless another is given. A refusal needs a reason, whatever it is.
    Trial(const Opened& plugin, const FakeHost& host, std::string_view config);
    ~Trial();
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;

    bool created() const noexcept { return instance_ != nullptr; }
    belfry_code code() const noexcept { return code_; }
    const belfry_why& why() const noexcept { return why_; }
    belfry_instance* get() const noexcept { return instance_; }
    // Whether it started; a refusal needs a reason.
    bool start(const FakeHost& host);
    const void* interface(std::string_view id) const;
    void destroy();

private:
    void judge(const char* call);
    const Opened& plugin_;
    belfry_instance* instance_ = nullptr;
    belfry_code code_ = BELFRY_OK;
    belfry_why why_{};
};

// The same, and both must succeed.
void must_create(const Trial& trial);
void must_start(Trial& trial, const FakeHost& host);

// What this process has: a difference is what a plugin left behind.
size_t open_descriptors();
size_t threads();
// Waits a moment for joined threads to leave /proc.
size_t threads_settled(size_t expected);

}  // namespace belfry::kit
