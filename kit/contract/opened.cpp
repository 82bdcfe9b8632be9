// SPDX-License-Identifier: Apache-2.0
#include "contract/opened.h"

#include <poll.h>

#include <belfry/abi.hpp>
#include <filesystem>

#include "conformance/runner/plugin.h"
#include "conformance/runner/trace.h"
#include "plugins/call.h"
#include "plugins/library.h"
#include "plugins/plugin_table.h"

namespace belfry::kit {

namespace {

constexpr int kThreadWaits = 100;  // of 2 ms

size_t entries(const char* folder) {
    std::error_code failed;
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder, failed), std::filesystem::directory_iterator()));
}

void trace(const std::string& line) {
    if (conformance::trace::on()) conformance::trace::write_line(line);
}

}  // namespace

Opened::Opened(const Context& context, const FakeHost& host) {
    Result<Subject> subject = read_subject(context.plugin);
    if (!subject) throw conformance::Failed(subject.error().to_string());
    subject_ = std::move(*subject);
    component_ = subject_.manifest.find(context.component);
    require(component_ != nullptr, "the manifest has the component");
    const Result<plugins::Entry> entry = plugins::open_library(context.plugin, context.plugin);
    if (!entry) throw conformance::Failed(entry.error().to_string());
    entry_ = entry->call;
    const Result<belfry_plugin> checked = plugins::enter(entry_, host.table(), subject_.manifest, context.plugin);
    if (!checked) throw conformance::Failed(checked.error().to_string());
    table_ = entry_(host.table());
}

const plugins::Schema& Opened::schema() const {
    return *subject_.schemas.find(component_->name)->second;
}

const belfry_plugin* Opened::enter(const belfry_host* host) const {
    return entry_(host);
}

Trial::Trial(const Opened& plugin, const FakeHost& host, std::string_view config) : plugin_(plugin) {
    trace("  > create(" + conformance::shown(config) + ")");
    code_ = plugin_.table().create(host.table(), str(std::string_view(plugin.component().name)), str(config),
                                   &instance_, &why_);
    trace("  . create = " + conformance::said(code_, why_));
    if (code_ != BELFRY_OK) instance_ = nullptr;  // whatever *out says then, there is no instance
    judge("create");
    require(code_ != BELFRY_OK || instance_ != nullptr, "create that answers OK gives an instance");
}

Trial::~Trial() {
    if (instance_ != nullptr) destroy();
}

void Trial::judge(const char* call) {
    if (code_ == BELFRY_OK) return;
    require(plugins::text_of(why_.text).size() < sizeof why_.text &&
                plugins::text_of(why_.where).size() < sizeof why_.where,
            std::string(call) + " ends the texts of its reason with NUL");
    require(why_.text[0] != '\0', std::string(call) + " that refuses says why in belfry_why.text; it answered " +
                                      conformance::said(code_, why_) + " without a text");
}

bool Trial::start(const FakeHost& host) {
    why_ = {};
    trace("  > start()");
    code_ = plugin_.table().start(instance_, host.far_deadline(), &why_);
    trace("  . start = " + conformance::said(code_, why_));
    judge("start");
    return code_ == BELFRY_OK;
}

const void* Trial::interface(std::string_view id) const {
    return plugin_.table().get_interface(instance_, str(id));
}

void Trial::destroy() {
    trace("  > destroy()");
    plugin_.table().destroy(instance_);
    trace("  . destroy");
    instance_ = nullptr;
}

void must_create(const Trial& trial) {
    require(trial.created(),
            "create accepts the configuration; it answered " + conformance::said(trial.code(), trial.why()));
}

void must_start(Trial& trial, const FakeHost& host) {
    must_create(trial);
    require(trial.start(host),
            "start succeeds with the configuration; it answered " + conformance::said(trial.code(), trial.why()));
}

size_t open_descriptors() {
    return entries("/proc/self/fd");
}
size_t threads() {
    return entries("/proc/self/task");
}
size_t threads_settled(size_t expected) {
    size_t now = threads();
    for (int wait = 0; wait < kThreadWaits && now > expected; ++wait) {
        ::poll(nullptr, 0, 2);
        now = threads();
    }
    return now;
}

}  // namespace belfry::kit
