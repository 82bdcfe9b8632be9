// SPDX-License-Identifier: Apache-2.0
// The life of an instance: entry, create, start, destroy, and what they leave behind.
#include <belfry/provider.h>
#include <belfry/queue.h>
#include <belfry/services.h>
#include <belfry/sink.h>
#include <belfry/storage.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <belfry/abi.hpp>
#include <clocale>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "conformance/runner/lent.h"
#include "conformance/runner/plugin.h"
#include "contract/cases.h"
#include "contract/opened.h"
#include "plugins/loader.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Failed;
using conformance::require_equal;

constexpr int kCycles = 5;
constexpr size_t kManyInstances = 16;
constexpr int kMaskLooks = 25, kMaskLookMs = 10;

// What the loader says it found worth a line.
class NoteLog final : public Log {
public:
    explicit NoteLog(Context& context) : context_(context) {}
    bool enabled(LogLevel) const noexcept override { return true; }
    void write(LogLevel level, std::string_view source, std::string_view event,
               std::initializer_list<LogField> fields) noexcept override {
        write(level, source, event, fields.begin(), fields.size());
    }
    void write(LogLevel, std::string_view, std::string_view, const LogField* fields, size_t n) noexcept override {
        for (size_t i = 0; i < n; ++i) {
            if (fields[i].name == "note") context_.note(fields[i].value);
        }
    }

private:
    Context& context_;
};

class EntryHosts final : public plugins::HostFactory {
public:
    explicit EntryHosts(std::string directory) : directory_(std::move(directory)) {}
    std::unique_ptr<plugins::InstanceHost> make(plugins::HostRequest) override {
        return std::make_unique<Served>(directory_);
    }

private:
    class Served final : public plugins::InstanceHost {
    public:
        explicit Served(const std::string& directory) : host_(directory) {}
        const belfry_host* abi() const noexcept override { return host_.table(); }

    private:
        FakeHost host_;
    };
    const std::string directory_;
};

void loads(Context& context) {
    const std::filesystem::path file = context.plugin;
    plugins::LoaderOptions options;
    options.dirs = {file.parent_path().string()};
    options.data_dir = context.directory + "/data";
    options.dev = true;
    options.host_version = "check";
    EntryHosts hosts(context.directory + "/entry");
    NoteLog log(context);
    plugins::Loader loader(options, hosts, log);
    context.step("the loader and the probe look at it");
    const auto loaded = loader.load(file.stem().string());
    if (!loaded) throw Failed(loaded.error().to_string());
}

void starts(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    context.step("create is called");
    Trial trial(plugin, host, context.config);
    must_create(trial);
    context.step("start is called");
    must_start(trial, host);
    context.step("get_interface is called");
    const std::string_view id = plugins::interface_id(plugin.component().kind);
    require(trial.interface(id) != nullptr, "the instance offers " + std::string(id));
    context.step("destroy is called");
    trial.destroy();
}

void entry(Context& context) {
    FakeHost host(context, "state"), log_only(context, "other");
    log_only.offer_only({BELFRY_LOG_ID});
    const Opened plugin(context, host);
    for (const FakeHost* one : {&host, &log_only, &host}) {
        const belfry_plugin* table = plugin.enter(one->table());
        require(table != nullptr, "the entry function accepts a host that offers nothing but belfry.log/1");
        require(table == &plugin.table(), "the entry function answers the same table every time");
    }
    require_equal(host.asked(BELFRY_HTTP_ID) + host.asked(BELFRY_SECRET_ID) + host.asked(BELFRY_STATE_ID), 0,
                  "calls of http, secret and state by the entry function");
}

void create_is_pure(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    // What is opened once for the process, by whatever library, is no business of the instance.
    Trial(plugin, host, context.config);
    std::filesystem::current_path(context.directory);
    const size_t descriptors = open_descriptors(), before = threads();
    const auto files = [&] {
        size_t n = 0;
        for (const auto& one : std::filesystem::recursive_directory_iterator(context.directory)) n += one.exists();
        return n;
    };
    const size_t files_before = files();
    Trial trial(plugin, host, context.config);
    must_create(trial);
    require_equal(open_descriptors(), descriptors, "descriptors that are open after create");
    require_equal(threads(), before, "threads after create: they belong into start");
    require_equal(files(), files_before, "files in the data folder after create");
    for (const char* service : {BELFRY_HTTP_ID, BELFRY_SECRET_ID, BELFRY_STATE_ID})
        require_equal(host.asked(service), 0,
                      std::string("calls of ") + service + " during create: I/O belongs into start");
}

void create_repeats(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    std::deque<Trial> together;
    for (size_t i = 0; i < kManyInstances; ++i) {
        context.step("instance " + std::to_string(i + 1) + " is created beside the others");
        must_create(together.emplace_back(plugin, host, context.config));
        for (size_t other = 0; other < i; ++other)
            require(together[other].get() != together[i].get(), "each create gives an instance of its own");
    }
    // Not in the order they were made.
    while (!together.empty()) {
        together.front().destroy();
        together.pop_front();
        if (together.empty()) break;
        together.back().destroy();
        together.pop_back();
    }
    for (size_t i = 0; i < kManyInstances; ++i) must_create(Trial(plugin, host, context.config));
}

void restarts(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    {
        Trial first(plugin, host, context.config);
        must_start(first, host);
    }
    const size_t descriptors = open_descriptors();
    for (int cycle = 0; cycle < kCycles; ++cycle) {
        context.step("start number " + std::to_string(cycle + 2));
        Trial trial(plugin, host, context.config);
        must_start(trial, host);
    }
    require_equal(open_descriptors(), descriptors, "open descriptors after " + std::to_string(kCycles) + " more lives");
}

void joins_threads(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    const size_t before = threads();
    Trial trial(plugin, host, context.config);
    must_start(trial, host);
    trial.destroy();
    require_equal(threads_settled(before), before, "threads after destroy: it joins those of its instance");
}

void interfaces(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    Trial trial(plugin, host, context.config);
    must_start(trial, host);
    const std::string id(plugins::interface_id(plugin.component().kind));
    const void* table = trial.interface(id);
    require(table != nullptr, "the instance offers " + id);
    require(trial.interface(id) == table, "get_interface answers the same table every time");
    require(*static_cast<const uint32_t*>(table) > sizeof(uint32_t), "the table says its size");
    const std::string longer = id + "x", other = id.substr(0, id.size() - 1) + "9";
    for (const std::string& unknown : {longer, other, id.substr(0, id.size() - 1), std::string("belfry.nothing/1")})
        require(trial.interface(unknown) == nullptr, "get_interface answers NULL to \"" + unknown + "\"");
    require(plugin.table().get_interface(trial.get(), belfry_str{nullptr, 0}) == nullptr,
            "get_interface answers NULL to an empty id");
    // The id is not followed by NUL.
    require(trial.interface(std::string_view(longer).substr(0, id.size())) == table,
            "get_interface goes by the id's length, not by a NUL");
}

// What a library may have changed for everybody.
struct ProcessState {
    ProcessState() {
        for (int number = 1; number < NSIG; ++number) {
            struct sigaction action {};
            if (::sigaction(number, nullptr, &action) == 0)
                handlers[number] = reinterpret_cast<uintptr_t>(action.sa_handler);
        }
        mask = ::umask(0);
        ::umask(mask);
        folder = std::filesystem::current_path().string();
        locale = std::setlocale(LC_ALL, nullptr);
    }
    std::map<int, uintptr_t> handlers;
    mode_t mask = 0;
    std::string folder, locale;
};

void leaves_the_process_alone(Context& context) {
    const ProcessState before;
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    Trial trial(plugin, host, context.config);
    must_start(trial, host);
    for (int moment = 0; moment < 2; ++moment) {
        const ProcessState now;
        for (const auto& [number, handler] : before.handlers)
            require(now.handlers.at(number) == handler,
                    std::string("signal handlers are the host's: that of ") + ::strsignal(number) + " was changed");
        require_equal(now.mask, before.mask, "the process's umask");
        require_equal(now.folder, before.folder, "the process's working folder");
        require_equal(now.locale, before.locale, "the process's locale");
        if (moment == 0) trial.destroy();
    }
}

std::string blocked_signals(const std::string& task) {
    std::ifstream status("/proc/self/task/" + task + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("SigBlk:\t", 0) == 0) return line.substr(8);
    }
    return {};
}

void threads_mask_signals(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    Trial trial(plugin, host, context.config);
    must_start(trial, host);
    // All but those that cannot be blocked, and the two that the C library keeps for itself.
    constexpr uint64_t kWanted = (uint64_t{1} << (SIGTERM - 1)) | (uint64_t{1} << (SIGHUP - 1)) |
                                 (uint64_t{1} << (SIGINT - 1)) | (uint64_t{1} << (SIGUSR1 - 1)) |
                                 (uint64_t{1} << (SIGUSR2 - 1)) | (uint64_t{1} << (SIGCHLD - 1)) |
                                 (uint64_t{1} << (SIGALRM - 1));
    const std::string main_thread = std::to_string(::getpid());
    size_t others = 0;
    // A new thread has every signal masked until it runs for the first time: look for a while.
    for (int look = 0; look < kMaskLooks; ++look) {
        others = 0;
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
            const std::string id = task.path().filename().string();
            const std::string mask = id == main_thread ? std::string() : blocked_signals(id);
            if (mask.empty()) continue;
            ++others;
            require((std::stoull(mask, nullptr, 16) & kWanted) == kWanted,
                    "threads of a plugin mask all signals, so that the host's handlers run on the host's threads");
        }
        if (others == 0) break;
        ::poll(nullptr, 0, kMaskLookMs);
    }
    if (others == 0) conformance::skip("the instance makes no thread");
}

void destroy_before_start(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    for (int i = 0; i < kCycles; ++i) {
        Trial trial(plugin, host, context.config);
        must_create(trial);
        trial.destroy();
    }
}

// Whatever create was lent is gone when start is called.
void config_is_borrowed(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    conformance::Lent lent;
    const belfry_str component = lent.text(plugin.component().name), config = lent.text(context.config);
    belfry_instance* instance = nullptr;
    belfry_why why{};
    belfry_code code = plugin.table().create(host.table(), component, config, &instance, &why);
    require(code == BELFRY_OK, "create accepts the configuration; it answered " + conformance::said(code, why));
    lent.take_back();
    context.step("start, with the memory of create's inputs taken back");
    code = plugin.table().start(instance, host.far_deadline(), &why);
    require(code == BELFRY_OK, "start succeeds; it answered " + conformance::said(code, why));
    context.step("get_interface, with the memory of create's inputs taken back");
    plugin.table().get_interface(instance, str(plugins::interface_id(plugin.component().kind)));
    context.step("destroy, with the memory of create's inputs taken back");
    plugin.table().destroy(instance);
}

constexpr std::array<Case, 2> kGates{{
    {"contract.loads", "the host's own loader and probe accept the plugin", 60, loads},
    {"contract.starts", "an instance is created, starts, offers its interface and ends", 60, starts},
}};

constexpr std::array<Case, 10> kCases{{
    {"contract.entry", "the entry function answers one table, whatever the host offers", 20, entry},
    {"contract.create_is_pure", "create opens nothing, starts nothing and asks for no I/O", 20, create_is_pure},
    {"contract.create_repeats", "many instances of one configuration are created beside each other", 20,
     create_repeats},
    {"contract.destroy_before_start", "an instance that was never started can be ended", 20, destroy_before_start},
    {"contract.restarts", "started and ended again and again, no descriptor stays open", 60, restarts},
    {"contract.joins_threads", "destroy joins every thread of its instance", 60, joins_threads},
    {"contract.interfaces", "exactly the known interface is offered, by its exact id", 30, interfaces},
    {"contract.leaves_the_process_alone", "signal handlers, umask, working folder and locale stay the host's", 30,
     leaves_the_process_alone},
    {"contract.threads_mask_signals", "threads of the plugin take no signals", 30, threads_mask_signals},
    {"contract.config_is_borrowed", "nothing that create was lent is used after it returned", 30, config_is_borrowed},
}};

}  // namespace

std::vector<Case> contract_gates() {
    return {kGates.begin(), kGates.end()};
}
std::span<const Case> life_cases() {
    return kCases;
}

}  // namespace belfry::kit
