// SPDX-License-Identifier: Apache-2.0
// A provider instance as delivery sees it: whether work for it may be claimed now, how much, and what it has done
// lately.
//
//   Open -> Throttled (Retry-After) -> Open, ramping up
//        -> Refused (credential or settings wrong) -> probed with a handful after 1, 2, 5, 10 min -> Open by the first
//        success. A few refusals beside successes are their deliveries' own, as at an origin.
//        -> Unreachable (whole pages came back unsent) -> probed after 1 s .. 30 s -> Open by the first answer
//        -> Failing (nearly every answer is a 5xx or does not come, and nobody was served for a while) -> probed after
//        1 s .. 5 s -> Open by the first other answer
//   and closed as long as it is not started or a credential it needs is missing.
//
// While closed its items are not claimed, nothing is sent (the pacer holds what was submitted) and nothing is lost.
// Threads: [any]. Owner: Gates. The state belongs to the instance's name and outlives generations; a new generation
// lifts it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "delivery/authorizer.h"
#include "delivery/credential_watch.h"
#include "delivery/origins.h"
#include "delivery/platforms.h"
#include "delivery/provider_status.h"
#include "delivery/send_pool.h"
#include "delivery/sender.h"
#include "http/pacer.h"
#include "plugins/provider.h"
#include "policy/breaker.h"

namespace belfry::delivery {

constexpr uint32_t kProbePage = 8;      // deliveries of a page that only asks whether a gate may open again
constexpr uint32_t kOutcomes = 12;      // belfry_final values, 0 unused
constexpr uint32_t kShareFull = 1'024;  // an adaptive window, in parts of the whole one
constexpr uint32_t kShareLeast = kShareFull / 64;
constexpr int64_t kPatienceNs = 24 * 3'600 * kNsPerSecond;  // for so long nobody is given up for its failures

// One started instance of a provider. Requests in flight and prepared pushes keep it; it ends with the last of them.
struct Generation {
    uint64_t number = 0;
    plugins::Provider* provider = nullptr;
    std::shared_ptr<void> instance;  // what owns *provider
    std::unique_ptr<Authorizer> authorizer;
    std::unique_ptr<SendPool> sends;  // null: the engine sends for it
};

class Gate {
public:
    Gate(std::string name, uint32_t number, uint64_t per_minute, Sender& sender, const Clock& clock, Log& log,
         Metrics& metrics);

    const std::string& name() const noexcept { return name_; }
    uint32_t number() const noexcept { return number_; }
    // Of what waits until an origin that refused may be asked again (origins.h). 0: it has none.
    uint32_t waiting_number() const noexcept { return waiting_number_; }
    void use_waiting_number(uint32_t number) noexcept { waiting_number_ = number; }  // before others see the gate
    http::Pacer& pacer() noexcept { return pacer_; }
    policy::DeletionBreaker& breaker() noexcept { return breaker_; }
    Origins& origins() noexcept { return origins_; }
    Platforms& platforms() noexcept { return platforms_; }
    CredentialWatch& watch() noexcept { return watch_; }
    // Whether a token is to be removed that this origin (or, if it is none, the instance) called dead.
    bool may_delete(const OriginKey& origin, bool suspect) const;

    std::shared_ptr<Generation> generation() const;
    void switch_to(std::shared_ptr<Generation> next);
    // Endpoints its plans name: their free streams are its credit.
    void uses(http::EndpointId endpoint);
    // Its requests carry up to so many deliveries.
    void packs(uint32_t deliveries) noexcept;

    // How many deliveries may be claimed for it now; 0 = none. `high` is not held back by work of other lanes.
    uint32_t room(bool high) const;
    // Closed for a reason that time, a credential or an operator must lift: rows for it wait as lists.
    bool closed() const;
    // Rows that a page for it should have now: bounded by pace, streams and probing; at least 1.
    uint32_t page_rows(bool high, uint32_t rows_max) const;

    // The most deliveries that a request for it should carry: no more than a second of its pace, or all that comes
    // after such a request, lane high too, waits for longer.
    uint32_t request_deliveries_max() const noexcept;

    // Page slots held for it.
    void took_page() noexcept { pages_.fetch_add(1, std::memory_order_relaxed); }
    void gave_page_back() noexcept { pages_.fetch_sub(1, std::memory_order_relaxed); }
    uint32_t pages() const noexcept { return pages_.load(std::memory_order_relaxed); }
    void took(uint32_t deliveries) noexcept { in_flight_.fetch_add(deliveries, std::memory_order_relaxed); }
    void gave_back(uint32_t deliveries) noexcept { in_flight_.fetch_sub(deliveries, std::memory_order_relaxed); }
    // Room for `n` more requests that settled pages leave behind unanswered; taken if true.
    bool take_stragglers(uint32_t n);
    void straggler_done(uint32_t n) noexcept { stragglers_.fetch_sub(n, std::memory_order_relaxed); }

    void note_success();
    // `by` was accepted. Opens what a few refusals closed a moment before: they were their deliveries' own.
    void note_accepted(const Generation& by);
    bool refuses() const noexcept { return block_.load(std::memory_order_relaxed) == Block::Refused; }
    void note_throttled(int64_t pause_ms);
    // `by`: the generation whose request was refused; an older one says nothing about the current one. False: it has
    // just accepted others and refused few, the refusal is this delivery's own.
    bool note_refused(const Generation& by, std::string_view reason);
    void note_unreachable();
    // Answers of a page. Overload (429, 503) halves the window, pages without any widen it again.
    void note_answers(uint32_t accepted, uint32_t overloaded);
    // Of a page: requests that `failed` for no reason of their own (5xx, no answer in time), and all others.
    void note_failures(uint32_t failed, uint32_t others);
    // It fails everybody, and not for longer than kPatienceNs: a last attempt is no last one then.
    // Other trouble in between does not end it.
    bool fails_everybody() const;
    // What a delivery failed of, for ProviderStatus::last_error.
    void note_error(std::string_view reason);
    // Rows of a platform are deferred until then. Unix ms, 0 = not paused.
    int64_t platform_paused_until(uint32_t platform_hash, int64_t now_unix_ms) const {
        return platforms_.paused_until(platform_hash, now_unix_ms);
    }
    // Open connections of the endpoint are retired, at most once a second.
    void retire_connections(http::EndpointId endpoint);

    void count(int32_t outcome, uint32_t n) { outcomes_[static_cast<size_t>(outcome)]->add(n); }
    void count_attempts(uint32_t n) { attempts_.add(n); }
    ProviderStatus status() const;

private:
    enum class Block : uint8_t { None, Throttled, Refused, Unreachable, Failing };
    static GateState state_of(Block block);
    void open_now();
    void block(Block why, std::string reason, int64_t pause_ms);
    bool probing() const noexcept { return block_.load(std::memory_order_relaxed) != Block::None; }
    uint32_t free_streams() const;
    uint32_t window() const;
    uint32_t most_in_flight(bool high) const;
    void shrink_window();

    const std::string name_;
    const uint32_t number_;
    uint32_t waiting_number_ = 0;
    Sender& sender_;
    const Clock& clock_;
    const Logger log_;
    http::Pacer pacer_;
    policy::DeletionBreaker breaker_;
    Origins origins_;
    Platforms platforms_;
    CredentialWatch watch_;

    std::atomic<Block> block_{Block::None};
    std::atomic<int64_t> blocked_until_{0};  // mono ns; block_ stays until a success after it
    std::atomic<int64_t> failing_since_{0};  // mono ns; 0: another answer came since
    std::atomic<int64_t> worked_at_{0};      // mono ns of the last page of which something was accepted; 0: never
    std::atomic<uint32_t> in_flight_{0}, stragglers_{0}, pages_{0};
    mutable std::atomic<uint32_t> streams_{0};  // the most that were ever free at once
    std::atomic<int64_t> retired_at_{0};
    std::atomic<uint32_t> share_{kShareFull};            // of the window that streams and pace allow
    std::atomic<int64_t> shrunk_at_{0}, widened_at_{0};  // mono ns; 0: never
    std::atomic<uint32_t> packed_{1};                    // the most deliveries of a request

    mutable std::mutex mutex_;  // all below
    std::shared_ptr<Generation> generation_;
    std::vector<http::EndpointId> endpoints_;
    std::string reason_;
    std::string last_error_;
    int64_t last_error_unix_ms_ = 0;
    uint32_t failures_ = 0;
    uint32_t refusals_ = 0;    // since something was accepted, or since it was probed last
    int64_t accepted_at_ = 0;  // mono ns, of this generation; 0: never
    uint32_t failed_run_ = 0;  // requests that failed since one was answered otherwise

    std::array<Metric*, kOutcomes> outcomes_{};
    Metric& attempts_;
    Metric& gate_open_;
};

}  // namespace belfry::delivery
