// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/fake_host.h"

#include <belfry/services.h>

#include <atomic>
#include <belfry/abi.hpp>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "conformance/runner/runner.h"
#include "conformance/runner/trace.h"
#include "services/host_services.h"

namespace belfry::conformance {

namespace {

constexpr size_t kLogLinesMax = 10'000;
constexpr size_t kServices = 8;

class MovableClock final : public Clock {
public:
    int64_t mono_ns() const noexcept override { return system_.mono_ns() + passed_ms.load() * kNsPerMs; }
    int64_t unix_ms() const noexcept override { return system_.unix_ms() + stepped_ms.load() + passed_ms.load(); }
    std::atomic<int64_t> stepped_ms{0}, passed_ms{0};

private:
    SystemClock system_;
};

class RememberedLog final : public Log {
public:
    bool enabled(LogLevel level) const noexcept override { return level >= LogLevel::Info; }
    void write(LogLevel level, std::string_view source, std::string_view event,
               std::initializer_list<LogField> fields) noexcept override {
        write(level, source, event, fields.begin(), fields.size());
    }
    void write(LogLevel level, std::string_view, std::string_view event, const LogField* fields,
               size_t n) noexcept override {
        std::string line = std::to_string(static_cast<int>(level)) + " " + std::string(event);
        for (size_t i = 0; i < n; ++i) line += " " + std::string(fields[i].name) + "=" + fields[i].value;
        const std::lock_guard hold(mutex_);
        if (lines_.size() < kLogLinesMax) lines_.push_back(std::move(line));
    }
    std::vector<std::string> lines() const {
        const std::lock_guard hold(mutex_);
        return lines_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

class KeptMetrics final : public Metrics {
public:
    Metric& counter(std::string_view name, std::string_view, const MetricLabels&) override { return of(name); }
    Metric& gauge(std::string_view name, std::string_view, const MetricLabels&) override { return of(name); }

private:
    Metric& of(std::string_view name) {
        const std::lock_guard hold(mutex_);
        return series_[std::string(name)];
    }
    std::mutex mutex_;
    std::map<std::string, Metric> series_;
};

class ScriptedHttp final : public services::HttpCalls {
public:
    Result<http::EndpointId> add_endpoint(const http::EndpointConfig&) override {
        const std::lock_guard hold(mutex_);
        return static_cast<http::EndpointId>(endpoints_++);
    }
    Result<http::CallAnswer> call(http::EndpointId, const http::CallRequest& request, int64_t) override {
        if (!script) return error(ErrorCode::Unavailable, "there is no network in this check");
        HttpAnswer answer = script({request.method, request.path, request.body, request.headers});
        if (answer.status == 0) return error(ErrorCode::Unavailable, "connection refused");
        http::CallAnswer out;
        out.status = answer.status;
        out.body = std::move(answer.body);
        out.headers = std::move(answer.headers);
        return out;
    }
    size_t endpoints() const {
        const std::lock_guard hold(mutex_);
        return endpoints_;
    }
    std::function<HttpAnswer(const HttpAsked&)> script;

private:
    mutable std::mutex mutex_;
    size_t endpoints_ = 0;
};

class MemoryState final : public services::ClusterState {
public:
    Result<std::optional<services::StoredState>> get(std::string_view key) override {
        const std::lock_guard hold(mutex_);
        const auto found = values_.find(key);
        if (found == values_.end()) return std::optional<services::StoredState>();
        return std::optional(found->second);
    }
    Status cas(std::string_view key, int64_t version, std::optional<std::string_view> value) override {
        const std::lock_guard hold(mutex_);
        services::StoredState& stored = values_[std::string(key)];
        if (stored.version != version) return error(ErrorCode::Conflict, "the stored version differs", "version");
        stored = {std::string(value.value_or("")), version + 1};
        return {};
    }

private:
    std::mutex mutex_;
    std::map<std::string, services::StoredState, std::less<>> values_;
};

}  // namespace

struct FakeHost::Parts {
    Parts(const std::string& directory, Secrets given, std::string its_component);

    struct Bridge {
        belfry_host table;  // first, so that the address of one is the address of the other
        Parts* self;
    };
    static Parts& of(const belfry_host* host) noexcept {
        return *static_cast<const Bridge*>(static_cast<const void*>(host))->self;
    }
    static const void* service(const belfry_host* host, belfry_str id) noexcept;
    template <class Table>
    const Table& real() const noexcept;
    services::InstanceSettings settings();

    const Secrets secrets;
    const std::string component;
    MovableClock clock;
    RememberedLog log;
    KeptMetrics metrics;
    ScriptedHttp http;
    MemoryState cluster;
    services::HostServices services;
    std::unique_ptr<services::InstanceHost> instance;
    Bridge bridge{};
    std::optional<std::set<std::string, std::less<>>> offered;
    std::atomic<uint64_t> asked[kServices]{};
};

namespace {

struct Ids {
    static constexpr std::string_view kAll[kServices] = {BELFRY_LOG_ID,    BELFRY_METRICS_ID, BELFRY_CLOCK_ID,
                                                         BELFRY_HTTP_ID,   BELFRY_CRYPTO_ID,  BELFRY_JSON_ID,
                                                         BELFRY_SECRET_ID, BELFRY_STATE_ID};
    static constexpr size_t of(std::string_view id) noexcept {
        for (size_t i = 0; i < kServices; ++i) {
            if (kAll[i] == id) return i;
        }
        return kServices;
    }
};

template <class Table>
struct IdOf;
template <>
struct IdOf<belfry_log> {
    static constexpr size_t kAt = Ids::of(BELFRY_LOG_ID);
};
template <>
struct IdOf<belfry_metrics> {
    static constexpr size_t kAt = Ids::of(BELFRY_METRICS_ID);
};
template <>
struct IdOf<belfry_clock> {
    static constexpr size_t kAt = Ids::of(BELFRY_CLOCK_ID);
};
template <>
struct IdOf<belfry_http> {
    static constexpr size_t kAt = Ids::of(BELFRY_HTTP_ID);
};
template <>
struct IdOf<belfry_crypto> {
    static constexpr size_t kAt = Ids::of(BELFRY_CRYPTO_ID);
};
template <>
struct IdOf<belfry_json> {
    static constexpr size_t kAt = Ids::of(BELFRY_JSON_ID);
};
template <>
struct IdOf<belfry_secret> {
    static constexpr size_t kAt = Ids::of(BELFRY_SECRET_ID);
};
template <>
struct IdOf<belfry_state> {
    static constexpr size_t kAt = Ids::of(BELFRY_STATE_ID);
};

enum class Traced : uint8_t { Yes, Never };

// A function of a service: counted, traced, then the real one's.
template <auto Member, Traced kTraced = Traced::Yes>
struct Served;
template <class Table, class R, class... Args, R (*Table::*Member)(const belfry_host*, Args...), Traced kTraced>
struct Served<Member, kTraced> {
    static inline const char* name = "";
    static R call(const belfry_host* host, Args... args) {
        FakeHost::Parts& parts = FakeHost::Parts::of(host);
        parts.asked[IdOf<Table>::kAt].fetch_add(1, std::memory_order_relaxed);
        const auto run = [&](auto... passed) {
            return (parts.real<Table>().*Member)(parts.instance->abi(), passed...);
        };
        if (kTraced == Traced::Never || !trace::on()) return run(args...);
        return trace::told<R>(trace::Side::Host, name, run, args...);
    }
    static constexpr auto named(const char* its_name) {
        name = its_name;
        return &call;
    }
};

#define BELFRY_SERVED(kind, member) table.member = Served<&belfry_##kind::member>::named(#kind "." #member)
#define BELFRY_SERVED_QUIETLY(kind, member) table.member = Served<&belfry_##kind::member, Traced::Never>::named("")

template <class Table, class Put>
const Table* made(const Put& put) {
    static const Table made_once = [&] {
        auto table = sized<Table>();
        put(table);
        return table;
    }();
    return &made_once;
}

const void* served_crypto() {
    return made<belfry_crypto>([](belfry_crypto& table) {
        BELFRY_SERVED_QUIETLY(crypto, jwt_sign);  // its arguments are secrets
        BELFRY_SERVED_QUIETLY(crypto, hmac_sha256);
        BELFRY_SERVED(crypto, sha256);
        BELFRY_SERVED_QUIETLY(crypto, random);
        BELFRY_SERVED(crypto, webpush_seal);
        BELFRY_SERVED_QUIETLY(crypto, p256_key);
        BELFRY_SERVED_QUIETLY(crypto, client_identity);
    });
}

const void* served_small(size_t at) {
    switch (at) {
        case IdOf<belfry_log>::kAt:
            return made<belfry_log>([](belfry_log& table) {
                BELFRY_SERVED_QUIETLY(log, enabled);
                BELFRY_SERVED(log, write);
            });
        case IdOf<belfry_metrics>::kAt:
            return made<belfry_metrics>([](belfry_metrics& table) {
                BELFRY_SERVED(metrics, define);
                BELFRY_SERVED_QUIETLY(metrics, record);
            });
        case IdOf<belfry_clock>::kAt:
            return made<belfry_clock>([](belfry_clock& table) {
                BELFRY_SERVED_QUIETLY(clock, mono_ns);
                BELFRY_SERVED_QUIETLY(clock, unix_ms);
            });
        case IdOf<belfry_secret>::kAt:
            return made<belfry_secret>([](belfry_secret& table) { BELFRY_SERVED(secret, read); });
        case IdOf<belfry_state>::kAt:
            return made<belfry_state>([](belfry_state& table) {
                BELFRY_SERVED(state, directory);
                BELFRY_SERVED_QUIETLY(state, get);
                BELFRY_SERVED_QUIETLY(state, cas);
            });
        default:
            return nullptr;
    }
}

const void* served(size_t at) {
    switch (at) {
        case IdOf<belfry_http>::kAt:
            return made<belfry_http>([](belfry_http& table) {
                BELFRY_SERVED(http, endpoint);
                BELFRY_SERVED(http, call);
            });
        case IdOf<belfry_crypto>::kAt:
            return served_crypto();
        case IdOf<belfry_json>::kAt:
            return made<belfry_json>([](belfry_json& table) {
                BELFRY_SERVED(json, check);
                BELFRY_SERVED(json, find);
                BELFRY_SERVED(json, entries);
                BELFRY_SERVED(json, unescape);
                BELFRY_SERVED(json, escape);
            });
        default:
            return served_small(at);
    }
}

#undef BELFRY_SERVED
#undef BELFRY_SERVED_QUIETLY

}  // namespace

template <class Table>
const Table& FakeHost::Parts::real() const noexcept {
    return *static_cast<const Table*>(instance->abi()->service(instance->abi(), str(Ids::kAll[IdOf<Table>::kAt])));
}

FakeHost::Parts::Parts(const std::string& directory, Secrets given, std::string its_component)
    : secrets(std::move(given)),
      component(std::move(its_component)),
      services({log, metrics, clock, http, directory}),
      instance(services.make(settings())) {
    bridge.table = sized<belfry_host>();
    bridge.table.abi_minor = BELFRY_ABI_MINOR;
    bridge.table.service = &Parts::service;
    bridge.self = this;
    services.set_cluster_state(&cluster);
}

services::InstanceSettings FakeHost::Parts::settings() {
    services::InstanceSettings settings;
    settings.name = "check";
    settings.plugin = "check";
    settings.plain_loopback = true;
    settings.read_secret = [this](std::string_view id) -> Result<std::string> {
        const auto found = secrets.find(id);
        if (found == secrets.end()) return error(ErrorCode::NotFound, "there is no such secret", std::string(id));
        return found->second;
    };
    return settings;
}

const void* FakeHost::Parts::service(const belfry_host* host, belfry_str id) noexcept {
    const Parts& parts = of(host);
    const size_t at = Ids::of(view(id));
    if (at == kServices || (parts.offered && !parts.offered->contains(view(id)))) return nullptr;
    return served(at);
}

FakeHost::FakeHost(const std::string& state_directory, Secrets secrets, std::string component)
    : parts_(std::make_unique<Parts>(state_directory, std::move(secrets), std::move(component))) {}
FakeHost::FakeHost(const Context& context, std::string_view folder)
    : FakeHost(context.directory + "/" + std::string(folder), context.secrets, context.component) {}
FakeHost::~FakeHost() = default;

const belfry_host* FakeHost::table() const noexcept {
    return &parts_->bridge.table;
}
const std::string& FakeHost::component() const noexcept {
    return parts_->component;
}
int64_t FakeHost::unix_ms() const noexcept {
    return parts_->clock.unix_ms();
}
int64_t FakeHost::mono_ns() const noexcept {
    return parts_->clock.mono_ns();
}
int64_t FakeHost::far_deadline() const noexcept {
    return mono_ns() + 3600 * kNsPerSecond;
}
void FakeHost::advance_ms(int64_t by) noexcept {
    // Forwards time passes by every clock; backwards goes the wall clock only.
    (by > 0 ? parts_->clock.passed_ms : parts_->clock.stepped_ms) += by;
}
std::vector<std::string> FakeHost::log_lines() const {
    return parts_->log.lines();
}
void FakeHost::answer_http(std::function<HttpAnswer(const HttpAsked&)> answer) {
    parts_->http.script = std::move(answer);
}
size_t FakeHost::endpoints() const {
    return parts_->http.endpoints();
}
void FakeHost::offer_only(std::set<std::string, std::less<>> services) {
    parts_->offered = std::move(services);
}
uint64_t FakeHost::asked(std::string_view service) const {
    const size_t at = Ids::of(service);
    return at == kServices ? 0 : parts_->asked[at].load();
}

}  // namespace belfry::conformance
