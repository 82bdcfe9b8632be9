// SPDX-License-Identifier: Apache-2.0
// The raw sink: an HTTP/2 endpoint for benchmarks that reads frame headers only and answers every request alike.
//
// A client can be measured only against a peer several times cheaper than itself. So nothing is validated, HPACK is
// never decoded, answers are one copied template (200, content-type, about 80 bytes of JSON; or a share of them
// another, which calls the token dead), windows are as large as they go, and everything one read brought is answered in
// as few TLS records as it fits.
//
// Threads: [its loop]; settings and statistics are atomics.  Owner: Simulator.
// Not here: HTTP/1.1, faults, per-stream flow control towards the client (a stream window below one answer ends the
// connection with FLOW_CONTROL_ERROR).
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"

namespace belfry::simulator {

// A request that was worth noting; bodies are told apart by their length, for nobody reads them.
struct SinkNote {
    std::uint32_t bytes;
    std::int64_t arrived_ns;  // of the steady clock, which all processes of a machine share
};

struct SinkSettings {
    std::atomic<std::int64_t> latency_ms{0};
    std::atomic<std::uint32_t> stream_limit{100};  // announced, not enforced
    std::atomic<std::uint32_t> note_bytes{0};      // note when bodies (DATA frames) at least so long came; 0: none
    std::atomic<std::uint32_t> gone_percent{0};    // answers that say, in APNs' words, that the token is dead
    std::atomic<bool> gone_is_suspect{false};      // 400 BadDeviceToken instead of 410 Unregistered
};

struct SinkStatistics {
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> bytes_in{0};

    static constexpr std::size_t kNotesMax = 20'000;
    std::mutex mutex;             // of the notes
    std::vector<SinkNote> notes;  // at most kNotesMax
};

class SinkConnection;

class SinkServer final : public Watcher {
public:
    SinkServer(Loop& loop, Endpoint& endpoint, SSL_CTX* tls, const SinkSettings& settings);
    ~SinkServer() override;

    void start();
    void on_events(std::uint32_t events) override;

    [[nodiscard]] Loop& loop() { return loop_; }
    [[nodiscard]] const SinkSettings& settings() const { return settings_; }
    [[nodiscard]] SinkStatistics& statistics() { return statistics_; }
    SinkConnection* find(std::uint64_t id);
    void drop(std::uint64_t id);

private:
    Loop& loop_;
    SSL_CTX* tls_;
    const SinkSettings& settings_;
    SinkStatistics statistics_;
    int listener_;
    std::uint64_t next_id_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<SinkConnection>> connections_;
};

}  // namespace belfry::simulator
