// SPDX-License-Identifier: Apache-2.0
// belfry-simulator: start, wait for SIGTERM or SIGINT, stop.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "options.h"
#include "simulator.h"

namespace {

void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
    using namespace belfry::simulator;
    Options options;
    try {
        options = parse_options(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "belfry-simulator: %s\n", error.what());
        return 2;
    }
    if (options.help) {
        std::fputs(help_text().c_str(), stdout);
        return 0;
    }
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    // Before any thread starts, so that all of them leave these signals to sigwait().
    pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
    try {
        const Simulator simulator(options);
        std::fputs(simulator.announcement().c_str(), stdout);
        std::fflush(stdout);
        int signal = 0;
        sigwait(&stop_signals, &signal);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "belfry-simulator: %s\n", error.what());
        return 1;
    }
    return 0;
}
