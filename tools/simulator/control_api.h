// SPDX-License-Identifier: Apache-2.0
// The control port: JSON over plain HTTP/1.1. README.md lists the calls.
//
// Threads: [its loop]; takes World::mutex.  Owner: Simulator.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

#include "net/session.h"
#include "state/world.h"
#include "webpush/service.h"

namespace belfry::simulator {

// What the control port may ask of the data port's servers; called without World::mutex.
class Fleet {
public:
    virtual ~Fleet() = default;
    virtual void set_accepting(bool accepting) = 0;
    virtual void settings_changed(const Settings& settings) = 0;
    // Every connection that is open now falls silent, its socket stays open.
    virtual void silence_connections() = 0;
    virtual void reset_sink() = 0;
    // Null without --sink.
    [[nodiscard]] virtual nlohmann::ordered_json sink_json() const = 0;
};

class ControlApi final : public Backend {
public:
    ControlApi(World& world, Fleet& fleet, webpush::PushServices& webpush)
        : world_(world), fleet_(fleet), webpush_(webpush) {}

    Plan handle(Request&& request) override;

private:
    using Segments = std::vector<std::string>;

    Reply dispatch(const Request& request, const Segments& segments);
    Reply config(const Request& request);
    Reply faults(const Request& request, const Segments& segments);
    Reply counters();
    Reply journal(const Request& request);
    Reply tokens(const Segments& segments);
    Reply phones(const Request& request, const Segments& segments);
    Reply apns();
    Reply hms(const Request& request, const Segments& segments);
    Reply make_channel(const Request& request);
    Reply follow_channel(const Request& request);
    Reply reset();
    Reply expire_access_tokens();
    void apply_connect_faults();

    World& world_;
    Fleet& fleet_;
    webpush::PushServices& webpush_;
};

}  // namespace belfry::simulator
