// SPDX-License-Identifier: Apache-2.0
// One APNs host, production or sandbox: device pushes, broadcast and channel management on one port, with faults,
// journal and counters around every request.
//
// Threads: [any]; takes World::mutex.  Owner: Simulator.
#pragma once

#include <string>
#include <vector>

#include "apns/state.h"
#include "net/session.h"
#include "state/world.h"

namespace belfry::simulator {

class ApnsBackend final : public Backend {
public:
    ApnsBackend(World& world, ApnsEnvironment environment) : world_(world), environment_(environment) {}

    Plan handle(Request&& request) override;
    WireSettings wire_settings(std::uint64_t connection) override;
    AcceptFate on_accept() override;
    void on_connection_event(std::uint64_t connection, ConnectionEvent event) override;
    void on_client_certificate(std::uint64_t connection, ClientCertificate certificate) override;
    void on_streams_open(std::uint64_t connection, std::uint32_t open) override;

private:
    struct Call {
        std::vector<std::string> segments;
        std::string token;  // of a device push, lower case
        JournalEntry entry;
    };
    [[nodiscard]] const char* place() const;
    void process(const Request& request, ApnsConnection& connection, Call& call, Plan& plan);
    void push(const Request& request, ApnsConnection& connection, Call& call, Plan& plan);
    Reply meet_device(Call& call, Plan& plan);
    void add_ids(const Request& request, Call& call, Plan& plan) const;
    void judge_connection(ApnsConnection& connection, Plan& plan) const;
    void finish(const Request& request, Call& call, Plan& plan);

    World& world_;
    const ApnsEnvironment environment_;
};

}  // namespace belfry::simulator
