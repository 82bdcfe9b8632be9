// SPDX-License-Identifier: Apache-2.0
// Push Kit on one port: its token endpoint, v1, v2 and v3 sends and topics, with faults, journal and counters around
// every request.
//
// Threads: [any]; takes World::mutex.  Owner: Simulator.
// Not here: receipts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hms/message_rules.h"
#include "net/session.h"
#include "state/world.h"

namespace belfry::simulator {

class HmsBackend final : public Backend {
public:
    explicit HmsBackend(World& world) : world_(world) {}

    Plan handle(Request&& request) override;
    WireSettings wire_settings(std::uint64_t connection) override;
    AcceptFate on_accept() override;
    void on_connection_event(std::uint64_t connection, ConnectionEvent event) override;
    void on_streams_open(std::uint64_t connection, std::uint32_t open) override;

private:
    struct Call {
        Route route = Route::Other;
        std::string version, owner, verb;  // /{v1}/{app or project id}/{messages:send}
        HmsMessage message;
        JournalEntry entry;
        [[nodiscard]] bool harmony() const { return version == "v3"; }
    };
    [[nodiscard]] static Call read_call(const Request& request);
    void process(const Request& request, Call& call, Plan& plan);
    void send(const Request& request, Call& call, Plan& plan);
    Reply send_to_tokens(const Request& request, Call& call, Plan& plan);
    Reply send_to_topics(const Request& request, Call& call);
    Reply change_topics(const Request& request, const Call& call);
    void deliver(const std::string& token, const Request& request, const std::shared_ptr<const std::string>& body);
    void finish(const Request& request, Call& call, Plan& plan);
    std::string next_id();

    World& world_;
    std::uint64_t requests_ = 0;  // under World::mutex
};

}  // namespace belfry::simulator
