// SPDX-License-Identifier: Apache-2.0
// One APNs host, production or sandbox: device pushes and broadcasts, or the management of channels, which Apple has on
// hosts and ports of its own; with faults, journal and counters around every request.
//
// Threads: [any]; takes World::mutex.  Owner: Simulator.
#pragma once

#include <string>
#include <vector>

#include "apns/state.h"
#include "net/session.h"
#include "state/world.h"

namespace belfry::simulator {

enum class ApnsDuty : std::uint8_t { Pushes, Channels };

class ApnsBackend final : public Backend {
public:
    ApnsBackend(World& world, ApnsEnvironment environment, ApnsDuty duty = ApnsDuty::Pushes)
        : world_(world), environment_(environment), duty_(duty) {}

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
    [[nodiscard]] Route route() const { return duty_ == ApnsDuty::Pushes ? Route::Apns : Route::ApnsChannels; }
    [[nodiscard]] bool is_mine(const Call& call) const;
    void process(const Request& request, ApnsConnection& connection, Call& call, Plan& plan);
    void push(const Request& request, ApnsConnection& connection, Call& call, Plan& plan);
    Reply meet_device(Call& call, Plan& plan);
    void add_ids(const Request& request, Call& call, Plan& plan) const;
    void judge_connection(ApnsConnection& connection, Plan& plan) const;
    void finish(const Request& request, Call& call, Plan& plan);

    World& world_;
    const ApnsEnvironment environment_;
    const ApnsDuty duty_;
};

}  // namespace belfry::simulator
