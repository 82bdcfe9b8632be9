// SPDX-License-Identifier: Apache-2.0
// The life of a push as the rest of the host sees it: accept, steer, look up. Behind it: batchers, scheduler, pages,
// settler.
//
// Threads: every method is [any] and may block for one queue commit, accept_then for reads of the storage only.
// Not here: HTTP, JSON of requests (api/), SQL, a provider's name.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/one_shot.h"
#include "base/result.h"
#include "delivery/provider_status.h"

namespace belfry::delivery {

enum class Lane : uint8_t { ByShape = 0, High = 1, Normal = 2, Low = 3 };
enum class DryRun : uint8_t {
    No,
    Host,
    Provider
};  // Host: everything but the provider call; Provider: the provider's own validation

// Lists are OR inside, AND between; empty = does not restrict.
struct Filter {
    std::vector<int64_t> device_keys;
    std::vector<std::string> users, topics, providers, platforms;  // providers: instance names
    bool all = false;                                              // an empty filter is meant
};
struct RawTokens {
    std::string provider;  // instance name
    std::vector<std::string> tokens;
};
struct NativeTarget {
    enum class Kind : uint8_t { Topic, Condition, Channel } kind = Kind::Topic;
    std::string provider;  // instance name
    std::string value;
};
// Exactly one is set.
struct Recipient {
    std::optional<Filter> filter;
    std::optional<RawTokens> tokens;
    std::optional<NativeTarget> native;
};

struct PushRequest {
    std::string app;
    std::string uid;                        // empty: one is made up
    std::array<uint8_t, 16> fingerprint{};  // of the raw request parameters
    Recipient recipient;
    std::map<std::string, std::string> payloads;  // provider instance -> its JSON, byte for byte
    int64_t send_at_unix_ms = 0;                  // 0 = now
    int64_t expires_unix_ms = 0;                  // 0 = never
    Lane lane = Lane::ByShape;
    DryRun dry_run = DryRun::No;
};

struct Accepted {
    std::string uid;
    bool duplicate = false;
};

enum class CancelResult : uint8_t { Cancelled, AlreadyDone, Unknown };
// AlreadySo: paused (or running) before. Finished: done, cancelled or expired; it can be neither paused nor resumed.
enum class SteerResult : uint8_t { Done, AlreadySo, Finished, Unknown };

struct OutcomeCount {
    std::string provider;  // instance name; empty = not tied to one
    std::string outcome;   // "accepted", "gone", ... (the final outcomes)
    int64_t n = 0;
};
struct PushStatus {
    std::string uid;
    std::string state;  // "delayed", "running", "paused", "done", "cancelled", "expired"
    std::string lane;
    int64_t planned = 0;
    bool planned_final = false;
    std::vector<OutcomeCount> outcomes;
    std::vector<std::string> samples;  // JSON lines: first errors
    int64_t created_unix_ms = 0, send_at_unix_ms = 0, expires_unix_ms = 0, finished_unix_ms = 0;
    std::optional<int64_t> eta_ms;  // while running, once there is something to estimate from
};

// How many devices a recipient would reach now.
struct RecipientCount {
    struct Part {
        std::string provider;  // instance name
        std::string platform;  // as registered; empty for raw tokens
        int64_t devices = 0;
    };
    int64_t devices = 0;      // all of them; also those of parts beyond the bound
    std::vector<Part> parts;  // ordered; at most kCountPartsMax
    int64_t refused = 0;      // raw tokens that their provider would not take; not in `devices`
    bool complete = true;     // false: the deadline came first, `devices` is a lower bound
};
constexpr size_t kCountPartsMax = 256;

// A piece of work that was given up, kept until it is replayed or too old.
struct DeadLetter {
    uint64_t id = 0;
    std::string uid;
    std::string provider;  // instance name; empty = not tied to one
    std::string reason;
    uint32_t attempt = 0;                              // attempts that were made
    uint32_t deliveries = 0;                           // that it holds
    int64_t buried_unix_ms = 0, replayed_unix_ms = 0;  // replayed: 0 = not yet
};
struct DeadPage {
    std::vector<DeadLetter> letters;  // by rising id
    uint64_t next_after = 0;          // 0: no more
};

struct LaneStats {
    int64_t ready = 0, claimed = 0;    // work items
    int64_t oldest_ready_unix_ms = 0;  // 0 = none
};
struct QueueStats {
    LaneStats high, normal, low;
    int64_t delayed = 0, parked = 0, dead = 0;  // work items: due later, of paused pushes, given up
    int64_t running_pushes = 0, delayed_pushes = 0;
    int64_t store_bytes = 0;
};

class Delivery {
public:
    virtual ~Delivery() = default;
    // Checks payloads with their providers and stores the push durably; `done` is called once, after that or with why
    // not, by the caller's thread or one that must not be kept. InvalidArgument (where = the field, e.g.
    // "notification.fcm.message.data"), Conflict (uid used by another request), Busy (backlog bound), StoreFull,
    // Unavailable.
    using AcceptDone = std::function<void(Result<Accepted>&&)>;
    virtual void accept_then(PushRequest&&, AcceptDone done) = 0;
    // The same for a caller who has nothing else to do.
    Result<Accepted> accept(PushRequest&&);
    virtual Result<CancelResult> cancel(const std::string& app, const std::string& uid) = 0;
    // NotFound: no such uid, or forgotten.
    virtual Result<PushStatus> status(const std::string& app, const std::string& uid) = 0;
    struct PushPage {
        std::vector<PushStatus> pushes;  // newest first
        std::string next_cursor;         // empty: no more
    };
    virtual Result<PushPage> list(const std::string& app, const std::string& state, const std::string& cursor,
                                  uint32_t limit) = 0;
    // While a push is paused nothing of it is sent; requests already written end as their answers say.
    virtual Result<SteerResult> pause(const std::string& app, const std::string& uid) = 0;
    virtual Result<SteerResult> resume(const std::string& app, const std::string& uid) = 0;
    // Reads the devices as a push would, at most `budget_ms` long, in constant memory. Unsupported: a native topic or
    // condition, whose members only the provider knows. InvalidArgument: as accept.
    virtual Result<RecipientCount> recipient_count(const std::string& app, const Recipient& recipient,
                                                   int64_t budget_ms) = 0;
    // Dead letters of an app after an id; uid empty = of any push.
    virtual Result<DeadPage> dead(const std::string& app, const std::string& uid, uint64_t after, uint32_t limit) = 0;
    // Puts dead letters back to be tried anew; answers how many were: unknown ids, those replayed before, and those
    // whose push expired (unless that is ignored) or was cancelled are left alone.
    virtual Result<uint32_t> replay(const std::string& app, const std::vector<uint64_t>& ids, bool ignore_expiry) = 0;
    virtual Result<QueueStats> queue_stats() = 0;
    // Every configured provider instance.
    virtual std::vector<ProviderStatus> providers() const = 0;
};

inline Result<Accepted> Delivery::accept(PushRequest&& request) {
    OneShot happened;
    std::optional<Result<Accepted>> answer;
    accept_then(std::move(request), [&](Result<Accepted>&& given) {
        answer.emplace(std::move(given));
        happened.set();
    });
    happened.wait();
    return std::move(*answer);
}

}  // namespace belfry::delivery
