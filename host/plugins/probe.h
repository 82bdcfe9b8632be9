// SPDX-License-Identifier: Apache-2.0
// Lets a child process load a plugin first: one that crashes, exits or hangs in a constructor, in its entry function or
// in create costs the child, not the host.
//
// Both sides are here. The parent gives the child the manifest on standard input and reads progress from descriptor 3:
// lines "stage <what it does now>", then "ok", or "refused <reason and remedy>"; "note <text>" may come between.
// Threads: [control]; the child is single-threaded unless the plugin is not.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/host_factory.h"

namespace belfry::plugins {

struct ProbeOptions {
    std::string program;                     // belfry-plugin-probe
    std::chrono::milliseconds hang{10'000};  // without progress for so long: killed
    std::chrono::milliseconds slow{2'000};   // longest entry function or create
};

struct ProbeReport {
    std::vector<std::string> notes;  // worth a log line, no reason to refuse
};

// Errors are lines that begin with `file`: refused, crashed, ended the process, hung or too slow.
Result<ProbeReport> probe(const ProbeOptions& options, const std::string& copy, std::string_view manifest,
                          const std::string& file);

// The child: argv is <program> <copy>. What main returns.
int run_probe_child(int argc, char** argv, HostFactory& hosts);

}  // namespace belfry::plugins
