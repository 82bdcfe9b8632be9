// SPDX-License-Identifier: Apache-2.0
// belfry-plugin-probe: the process in which a plugin is tried before the host loads it. Wiring only; see
// plugins/probe.h.
#include "plugins/probe.h"
#include "serve/idle_host.h"

int main(int argc, char** argv) {
    belfry::serve::IdleHost host;
    return belfry::plugins::run_probe_child(argc, argv, host.hosts());
}
