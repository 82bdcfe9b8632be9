// SPDX-License-Identifier: Apache-2.0
// The child's half of the probe: whatever the plugin does to this process is the answer.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <memory>

#include "plugins/library.h"
#include "plugins/plugin_table.h"
#include "plugins/probe.h"
#include "plugins/refusal.h"
#include "plugins/schema.h"

namespace belfry::plugins {

namespace {

constexpr int kResultFd = 3;
constexpr std::string_view kInstance = "probe";
constexpr int kThreadWaits = 50;  // of 2 ms: a joined thread leaves /proc a moment later

void say(std::string_view verb, const std::string& text) {
    const std::string line = std::string(verb) + (text.empty() ? "" : " ") + one_line(text) + "\n";
    // The pipe holds more than one probe ever says.
    static_cast<void>(!::write(kResultFd, line.data(), line.size()));
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 4096> buffer;
    ssize_t n = 0;
    while ((n = ::read(fd, buffer.data(), buffer.size())) > 0 && text.size() <= kManifestBytesMax)
        text.append(buffer.data(), static_cast<size_t>(n));
    return text;
}

ptrdiff_t threads() {
    std::error_code failed;
    return std::distance(std::filesystem::directory_iterator("/proc/self/task", failed),
                         std::filesystem::directory_iterator());
}

// Two instances at once: create is repeatable, and nothing of an instance is shared by accident.
Status try_component(const belfry_plugin& plugin, const Component& component, InstanceHost& host,
                     const std::string& section) {
    std::array<InstancePtr, 2> instances;
    for (InstancePtr& instance : instances) {
        say("stage", "running create of component \"" + component.name + "\"");
        Result<InstancePtr> made = create_instance(plugin, host.abi(), component.name, section, std::string(kInstance));
        if (!made && made.error().code == ErrorCode::Internal)
            return error(ErrorCode::Misconfigured,
                         "create of component \"" + component.name + "\" failed: " + made.error().message);
        if (!made) {
            say("note", "component \"" + component.name + "\" refused the probe's section " + section + ": " +
                            made.error().to_string());
            return {};
        }
        instance = std::move(*made);
        const Result<const void*> table = interface_of(plugin, instance.get(), component, {});
        if (!table) return error(table.error().code, table.error().message);
    }
    for (InstancePtr& instance : instances) {
        say("stage", "running destroy of component \"" + component.name + "\"");
        instance.reset();
    }
    return {};
}

Status probe_plugin(const std::string& copy, const Manifest& manifest, HostFactory& hosts) {
    say("stage", "being opened");
    const Result<Entry> entry = open_library(copy, {});
    if (!entry) return entry.error();
    const std::unique_ptr<InstanceHost> entry_host =
        hosts.make({std::string(kInstance), manifest.id, Kind::Provider, {}, {}, true});
    say("stage", "running its entry function");
    const Result<belfry_plugin> plugin = enter(entry->call, entry_host->abi(), manifest, {});
    if (!plugin) return plugin.error();
    const ptrdiff_t before = threads();
    for (const Component& component : manifest.components) {
        const Result<std::unique_ptr<const Schema>> schema = Schema::parse(component.schema);
        const std::string section = schema ? (*schema)->smallest() : std::string();
        if (section.empty()) {
            say("note", "component \"" + component.name +
                            "\" was not created: its schema needs an example (\"examples\": [{...}])");
            continue;
        }
        const std::unique_ptr<InstanceHost> host =
            hosts.make({std::string(kInstance), manifest.id, component.kind, {}, {}, false});
        if (const Status tried = try_component(*plugin, component, *host, section); !tried) return tried;
    }
    for (int wait = 0; wait < kThreadWaits && threads() > before; ++wait) ::poll(nullptr, 0, 2);
    const ptrdiff_t left = threads() - before;
    if (left <= 0) return {};
    return error(ErrorCode::Misconfigured, "leaves " + std::to_string(left) + (left == 1 ? " thread" : " threads") +
                                               " running after destroy; join them there");
}

}  // namespace

int run_probe_child(int argc, char** argv, HostFactory& hosts) {
    if (argc != 2 || ::fcntl(kResultFd, F_GETFD) < 0) {
        static constexpr std::string_view kUse = "belfry-plugin-probe is started by belfry, not by hand\n";
        static_cast<void>(!::write(STDERR_FILENO, kUse.data(), kUse.size()));
        return 2;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::fcntl(kResultFd, F_SETFD, FD_CLOEXEC);
    const Result<Manifest> manifest = parse_manifest(read_all(STDIN_FILENO), {});
    const Status done = manifest ? probe_plugin(argv[1], *manifest, hosts) : Status(manifest.error());
    if (done)
        say("ok", {});
    else
        say("refused", done.error().message);
    // Destructors of a plugin that was refused are not worth a crash.
    ::_exit(0);
}

}  // namespace belfry::plugins
