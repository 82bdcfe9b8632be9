// SPDX-License-Identifier: Apache-2.0
#include "simulator.h"

#include <pthread.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "hms/app.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

std::string url(const char* scheme, const Endpoint& endpoint) {
    const bool ipv6 = endpoint.host.find(':') != std::string::npos;
    const std::string host = ipv6 ? '[' + endpoint.host + ']' : endpoint.host;
    return std::string(scheme) + "://" + host + ':' + std::to_string(endpoint.port);
}

WorldSizes sizes_of(const Options& options) {
    return {static_cast<std::size_t>(options.journal), static_cast<std::size_t>(options.phones)};
}

Settings settings_of(const Options& options) {
    Settings settings;
    settings.latency_ms = options.latency_ms;
    settings.stream_limit = options.stream_limit;
    settings.token_lifetime_s = options.token_lifetime_s;
    settings.quota_per_minute = options.quota_per_minute;
    settings.device_per_minute = options.device_per_minute;
    settings.device_per_hour = options.device_per_hour;
    return settings;
}

void apply_to_sink(SinkSettings& sink, const Settings& settings) {
    sink.latency_ms = settings.latency_ms;
    sink.stream_limit = static_cast<std::uint32_t>(settings.stream_limit);
    sink.note_bytes = static_cast<std::uint32_t>(settings.sink_note_bytes);
    sink.gone_percent = static_cast<std::uint32_t>(settings.sink_gone_percent);
    sink.gone_is_suspect = settings.sink_gone_suspect;
}

// CPU time since the thread started: what a benchmark divides by the requests.
std::int64_t thread_cpu_us(const std::thread& thread) {
    clockid_t clock{};
    timespec used{};
    // native_handle() is not const, but does not change the thread either.
    if (pthread_getcpuclockid(const_cast<std::thread&>(thread).native_handle(), &clock) != 0) return 0;
    clock_gettime(clock, &used);
    return used.tv_sec * 1'000'000 + used.tv_nsec / 1'000;
}

}  // namespace

Simulator::Simulator(const Options& options)
    : options_(options),
      folder_(options.dir),
      world_(clock_, sizes_of(options), static_cast<std::uint64_t>(options.seed)),
      identity_(prepare_identity(folder_.path(), options.projects)),
      tls_(make_tls_context(identity_.certificate_file, identity_.key_file)),
      apns_team_(prepare_apns_team(folder_.path())),
      apns_tls_(make_h2_tls_context(identity_.certificate_file, identity_.key_file, apns_team_.client_ca_file)),
      fcm_(world_, static_cast<std::uint64_t>(options.seed)),
      webpush_(world_),
      apns_production_(world_, ApnsEnvironment::Production),
      apns_sandbox_(world_, ApnsEnvironment::Sandbox),
      apns_channels_(world_, ApnsEnvironment::Production, ApnsDuty::Channels),
      apns_sandbox_channels_(world_, ApnsEnvironment::Sandbox, ApnsDuty::Channels),
      hms_(world_),
      control_(world_, *this, webpush_) {
    world_.projects = options.projects;
    world_.settings = settings_of(options);
    world_.apns.topics = apns_team_.topics;
    world_.apns.keys = std::move(apns_team_.keys);
    world_.hms.app = prepare_hms_app(folder_.path());
    listen(options);
    listen_apns(options);
    hms_url_ = listen_with(options.hms_listen, "--hms-listen", tls_.get(), hms_);
    if (options.sink) listen_sink(options);
    listen_webpush(options);
    const std::string token_url = data_url_ + "/token";
    publish_token_uri(identity_, token_url);
    world_.oauth.set_accounts(std::move(identity_.accounts), token_url);
    // Connections wait in the backlog until the threads run.
    write_description();
    for (auto& lane : lanes_) {
        lane->server->start();
        lane->thread = std::thread([&loop = lane->loop] { loop.run(); });
    }
    for (auto& lane : sink_lanes_) {
        lane->server->start();
        lane->thread = std::thread([&loop = lane->loop] { loop.run(); });
    }
    for (auto& lane : webpush_lanes_) {
        lane->server->start();
        lane->thread = std::thread([&loop = lane->loop] { loop.run(); });
    }
    control_lane_.server->start();
    control_lane_.thread = std::thread([this] { control_lane_.loop.run(); });
}

Simulator::~Simulator() {
    control_lane_.loop.stop();
    control_lane_.thread.join();
    for (auto& lane : lanes_) lane->loop.stop();
    for (auto& lane : sink_lanes_) lane->loop.stop();
    for (auto& lane : webpush_lanes_) lane->loop.stop();
    for (auto& lane : lanes_) lane->thread.join();
    for (auto& lane : sink_lanes_) lane->thread.join();
    for (auto& lane : webpush_lanes_) lane->thread.join();
}

void Simulator::listen(const Options& options) {
    Endpoint data = parse_endpoint(options.listen, "--listen");
    for (std::int64_t i = 0; i < options.threads; ++i) {
        auto lane = std::make_unique<Lane>();
        lane->server = std::make_unique<Server>(lane->loop, data, tls_.get(), fcm_, connection_ids_);
        lanes_.push_back(std::move(lane));
    }
    Endpoint control = parse_endpoint(options.control, "--control");
    control_lane_.server = std::make_unique<Server>(control_lane_.loop, control, nullptr, control_, connection_ids_);
    data_url_ = url("https", data);
    control_url_ = url("http", control);
}

std::string Simulator::listen_with(const std::string& where, std::string_view option, SSL_CTX* tls, Backend& backend) {
    Endpoint endpoint = parse_endpoint(where, option);
    auto lane = std::make_unique<Lane>();
    lane->server = std::make_unique<Server>(lane->loop, endpoint, tls, backend, connection_ids_);
    lanes_.push_back(std::move(lane));
    return url("https", endpoint);
}

void Simulator::listen_apns(const Options& options) {
    SSL_CTX* const tls = apns_tls_.get();
    apns_url_ = listen_with(options.apns_listen, "--apns-listen", tls, apns_production_);
    apns_sandbox_url_ = listen_with(options.apns_sandbox_listen, "--apns-sandbox-listen", tls, apns_sandbox_);
    apns_channels_url_ = listen_with(options.apns_channels_listen, "--apns-channels-listen", tls, apns_channels_);
    apns_sandbox_channels_url_ = listen_with(options.apns_sandbox_channels_listen, "--apns-sandbox-channels-listen",
                                             tls, apns_sandbox_channels_);
}

void Simulator::listen_sink(const Options& options) {
    apply_to_sink(sink_settings_, world_.settings);
    Endpoint sink = parse_endpoint(options.sink_listen, "--sink-listen");
    for (std::int64_t i = 0; i < options.threads; ++i) {
        auto lane = std::make_unique<SinkLane>();
        lane->server = std::make_unique<SinkServer>(lane->loop, sink, tls_.get(), sink_settings_);
        sink_lanes_.push_back(std::move(lane));
    }
    sink_url_ = url("https", sink);
}

// Free ports beside the data port: each flavour is an origin of its own.
void Simulator::listen_webpush(const Options& options) {
    for (const webpush::Flavour flavour : webpush::kFlavours) {
        Endpoint where = parse_endpoint(options.listen, "--listen");
        where.port = 0;
        auto lane = std::make_unique<Lane>();
        lane->server =
            std::make_unique<Server>(lane->loop, where, tls_.get(), webpush_.backend(flavour), connection_ids_);
        webpush_.set_origin(flavour, url("https", where));
        webpush_lanes_.push_back(std::move(lane));
    }
}

void Simulator::write_description() const {
    Json webpush = Json::object();
    for (const webpush::Flavour flavour : webpush::kFlavours)
        webpush[std::string(webpush::flavour_name(flavour))] = webpush_.origin(flavour);
    Json apns = apns_team_.facts();
    apns["url"] = apns_url_;
    apns["sandbox_url"] = apns_sandbox_url_;
    apns["channels_url"] = apns_channels_url_;
    apns["sandbox_channels_url"] = apns_sandbox_channels_url_;
    Json hms = hms_facts(world_.hms.app, folder_.path());
    hms["url"] = hms_url_;
    hms["token_url"] = hms_url_ + "/oauth2/v3/token";
    const Json json = {
        {"fcm_url", sink_url_.empty() ? data_url_ : sink_url_},
        {"strict_url", data_url_},
        {"token_url", data_url_ + "/token"},
        {"control_url", control_url_},
        {"ca_file", identity_.ca_file},
        {"service_account", identity_.service_account_files.front()},
        {"webpush", std::move(webpush)},
        {"apns", std::move(apns)},
        {"hms", std::move(hms)},
    };
    write_private_file(folder_.description_file(), json.dump(2) + '\n');
}

std::string Simulator::announcement() const {
    const std::string sink = sink_url_.empty() ? "" : "raw sink         " + sink_url_ + "\n";
    return sink + "FCM              " + data_url_ + "\n" +                                           //
           "OAuth tokens     " + data_url_ + "/token\n" +                                            //
           "APNs             " + apns_url_ + "\n" +                                                  //
           "APNs sandbox     " + apns_sandbox_url_ + "\n" +                                          //
           "HMS              " + hms_url_ + "\n" +                                                   //
           "Web Push         " + webpush_.origin(webpush::Flavour::Mozilla) + " and three more\n" +  //
           "control          " + control_url_ + "\n" +                                               //
           "CA certificate   " + identity_.ca_file + "\n" +                                          //
           "service account  " + identity_.service_account_files.front() + "\n";
}

void Simulator::set_accepting(bool accepting) {
    for (const auto* lanes : {&lanes_, &webpush_lanes_}) {
        for (auto& lane : *lanes)
            lane->loop.post([&server = *lane->server, accepting] { server.set_accepting(accepting); });
    }
}

void Simulator::settings_changed(const Settings& settings) {
    apply_to_sink(sink_settings_, settings);
    for (auto& lane : lanes_) {
        lane->loop.post([&server = *lane->server] { server.wire_settings_changed(); });
    }
}

void Simulator::silence_connections() {
    for (const auto* lanes : {&lanes_, &webpush_lanes_}) {
        for (auto& lane : *lanes) lane->loop.post([&server = *lane->server] { server.silence_all(); });
    }
}

void Simulator::reset_sink() {
    for (auto& lane : sink_lanes_) {
        lane->server->statistics().requests = 0;
        lane->server->statistics().bytes_in = 0;
        const std::lock_guard lock(lane->server->statistics().mutex);
        lane->server->statistics().notes.clear();
    }
}

Json Simulator::sink_json() const {
    if (sink_lanes_.empty()) return nullptr;
    std::uint64_t requests = 0;
    std::uint64_t connections = 0;
    std::uint64_t bytes_in = 0;
    std::int64_t cpu_us = 0;
    Json notes = Json::array();
    for (const auto& lane : sink_lanes_) {
        SinkStatistics& statistics = lane->server->statistics();
        requests += statistics.requests;
        connections += statistics.connections;
        bytes_in += statistics.bytes_in;
        cpu_us += thread_cpu_us(lane->thread);
        const std::lock_guard lock(statistics.mutex);
        for (const SinkNote& note : statistics.notes) notes.push_back(Json::array({note.bytes, note.arrived_ns}));
    }
    return {{"requests", requests},
            {"connections", connections},
            {"bytes_in", bytes_in},
            {"cpu_us", cpu_us},
            {"notes", std::move(notes)}};
}

}  // namespace belfry::simulator
