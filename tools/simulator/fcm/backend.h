// SPDX-License-Identifier: Apache-2.0
// The data port: FCM and its token endpoint, with faults, journal and counters around every request.
//
// Threads: [any]; takes World::mutex.  Owner: Simulator.
#pragma once

#include <cstdint>
#include <random>

#include "fcm/routes.h"
#include "fcm/validator.h"
#include "net/session.h"
#include "state/world.h"

namespace belfry::simulator {

class FcmBackend final : public Backend {
public:
    explicit FcmBackend(World& world, std::uint64_t seed) : world_(world), random_(seed) {}

    Plan handle(Request&& request) override;
    WireSettings wire_settings(std::uint64_t connection) override;
    AcceptFate on_accept() override;
    void on_connection_event(std::uint64_t connection, ConnectionEvent event) override;
    void on_streams_open(std::uint64_t connection, std::uint32_t open) override;

private:
    struct Call {
        RouteMatch match;
        Route route = Route::Other;
        SendRequest send;
        JournalEntry entry;
    };

    Call read_call(const Request& request);
    Plan decide(const Request& request, Call& call);
    void process(const Request& request, Call& call, Plan& plan);
    void finish(const Request& request, Call& call, Plan& plan);

    World& world_;
    std::mt19937_64 random_;      // under World::mutex
    std::uint64_t messages_ = 0;  // under World::mutex
};

}  // namespace belfry::simulator
