// SPDX-License-Identifier: Apache-2.0
// The whole program but for signals: state, loops, servers and their threads.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "apns/backend.h"
#include "apns/team.h"
#include "control_api.h"
#include "fcm/backend.h"
#include "hms/backend.h"
#include "identity.h"
#include "net/server.h"
#include "net/sink.h"
#include "net/tls.h"
#include "options.h"
#include "state/world.h"
#include "webpush/service.h"
#include "work_folder.h"

namespace belfry::simulator {

class Simulator final : public Fleet {
public:
    // Listens and serves when it returns; simulator.json is written. Throws std::runtime_error.
    explicit Simulator(const Options& options);
    ~Simulator() override;

    // One line per URL and file.
    [[nodiscard]] std::string announcement() const;

    void set_accepting(bool accepting) override;
    void settings_changed(const Settings& settings) override;
    void silence_connections() override;
    void reset_sink() override;
    [[nodiscard]] nlohmann::ordered_json sink_json() const override;

private:
    struct Lane {
        Loop loop;
        std::unique_ptr<Server> server;
        std::thread thread;
    };

    struct SinkLane {
        Loop loop;
        std::unique_ptr<SinkServer> server;
        std::thread thread;
    };

    void listen(const Options& options);
    void listen_apns(const Options& options);
    void listen_sink(const Options& options);
    void listen_webpush(const Options& options);
    std::string listen_with(const std::string& where, std::string_view option, SSL_CTX* tls, Backend& backend);
    void write_description() const;

    Options options_;
    WorkFolder folder_;
    SystemClock clock_;
    World world_;
    Identity identity_;
    TlsContext tls_;
    ApnsTeam apns_team_;
    TlsContext apns_tls_;
    FcmBackend fcm_;
    webpush::PushServices webpush_;
    ApnsBackend apns_production_, apns_sandbox_, apns_channels_, apns_sandbox_channels_;
    HmsBackend hms_;
    ControlApi control_;
    std::atomic<std::uint64_t> connection_ids_{0};
    std::vector<std::unique_ptr<Lane>> lanes_;          // of FCM, then one for each APNs host and for HMS
    std::vector<std::unique_ptr<Lane>> webpush_lanes_;  // one per flavour
    Lane control_lane_;
    SinkSettings sink_settings_;
    std::vector<std::unique_ptr<SinkLane>> sink_lanes_;
    std::string data_url_;
    std::string apns_url_, apns_sandbox_url_, apns_channels_url_, apns_sandbox_channels_url_, hms_url_;
    std::string sink_url_;  // empty without --sink
    std::string control_url_;
};

}  // namespace belfry::simulator
