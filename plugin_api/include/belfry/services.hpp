// SPDX-License-Identifier: Apache-2.0
// The host's services as C++ objects: what can fail throws Refused, what emits returns values.
// Header-only, C++17. Threads: as tagged in services.h.
#pragma once

#include <belfry/services.h>
#include <belfry/storage.h>

#include <array>
#include <belfry/abi.hpp>
#include <belfry/text.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belfry {

// How plugin code says no: thrown anywhere below a call of the host, it becomes the call's code and reason.
class Refused : public std::runtime_error {
public:
    // `where` names the place in the input or configuration; the text says what is wrong and what to do.
    Refused(belfry_code code, std::string where, const std::string& what, uint32_t retry_after_ms = 0)
        : std::runtime_error(what), code_(code), where_(std::move(where)), retry_after_ms_(retry_after_ms) {}
    // What a failed service call said.
    Refused(belfry_code code, const belfry_why& why)
        : Refused(code, why.where, why.text[0] != '\0' ? why.text : "a service of the host failed",
                  why.retry_after_ms) {}

    belfry_code code() const noexcept { return code_; }
    const std::string& where() const noexcept { return where_; }
    uint32_t retry_after_ms() const noexcept { return retry_after_ms_; }

private:
    belfry_code code_;
    std::string where_;
    uint32_t retry_after_ms_;
};

struct HttpRequest {
    std::string method = "GET", path = "/", body;
    std::vector<std::pair<std::string, std::string>> headers;  // lower-case names
};
struct HttpAnswer {
    int32_t status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    int64_t date_unix_ms = 0;

    // Lower-case name; empty if there is none. A view into this answer.
    std::string_view header(std::string_view name) const {
        for (const auto& [key, value] : headers) {
            if (key == name) return value;
        }
        return {};
    }
};
struct ClientIdentity {
    std::string key_pem, certificates_pem, subject_uid;
    int64_t not_after_unix_ms = 0;
};
struct StateValue {
    int64_t version = 0;  // 0: does not exist
    std::string value;
};
struct P256Key {
    std::string pem, public_point, scalar;  // see belfry_p256_key
};

// Every service of the host behind one object, kept by value. A service that the host does not have throws Refused
// with UNSUPPORTED when it is used.
class Services {
public:
    explicit Services(const belfry_host* host) noexcept
        : host_(host),
          log_(find<belfry_log>(BELFRY_LOG_ID)),
          metrics_(find<belfry_metrics>(BELFRY_METRICS_ID)),
          clock_(find<belfry_clock>(BELFRY_CLOCK_ID)),
          http_(find<belfry_http>(BELFRY_HTTP_ID)),
          crypto_(find<belfry_crypto>(BELFRY_CRYPTO_ID)),
          json_(find<belfry_json>(BELFRY_JSON_ID)),
          secret_(find<belfry_secret>(BELFRY_SECRET_ID)),
          state_(find<belfry_state>(BELFRY_STATE_ID)) {}

    const belfry_host* host() const noexcept { return host_; }

    // ---- log: never give it tokens, payloads or secrets ----
    using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;
    void debug(std::string_view event, Fields fields = {}) const { log(BELFRY_LEVEL_DEBUG, event, fields); }
    void info(std::string_view event, Fields fields = {}) const { log(BELFRY_LEVEL_INFO, event, fields); }
    void warning(std::string_view event, Fields fields = {}) const { log(BELFRY_LEVEL_WARNING, event, fields); }
    void error(std::string_view event, Fields fields = {}) const { log(BELFRY_LEVEL_ERROR, event, fields); }

    // ---- metrics: define in create or start ----
    int32_t counter(std::string_view name, std::string_view help) const {
        return define(BELFRY_METRIC_COUNTER, name, help);
    }
    int32_t gauge(std::string_view name, std::string_view help) const {
        return define(BELFRY_METRIC_GAUGE, name, help);
    }
    void record(int32_t metric, double value) const { have(metrics_, BELFRY_METRICS_ID).record(host_, metric, value); }

    // ---- clock ----
    int64_t mono_ns() const { return have(clock_, BELFRY_CLOCK_ID).mono_ns(host_); }
    int64_t unix_ms() const { return have(clock_, BELFRY_CLOCK_ID).unix_ms(host_); }

    // ---- http ----
    // "https://host[:port]". In start.
    int32_t endpoint(std::string_view url, uint32_t flags = 0, std::string_view partition = {}) const {
        belfry_endpoint row = sized<belfry_endpoint>();
        row.flags = flags;
        row.url = str(url);
        row.partition = str(partition);
        return endpoint(row);
    }
    int32_t endpoint(const belfry_endpoint& row) const {
        belfry_why why{};
        const int32_t id = have(http_, BELFRY_HTTP_ID).endpoint(host_, &row, &why);
        if (id < 0) throw Refused(BELFRY_CONFIG, why);
        return id;
    }
    // Control traffic; blocks until the answer or the deadline.
    HttpAnswer call(int32_t endpoint, const HttpRequest& request, int64_t deadline_mono_ns) const;

    // ---- crypto ----
    std::string jwt_sign(belfry_jwt_alg alg, std::string_view key_pem, std::string_view header_json,
                         std::string_view claims_json) const {
        return one_text([&](belfry_emit emit, void* ctx, belfry_why* why) {
            return have(crypto_, BELFRY_CRYPTO_ID)
                .jwt_sign(host_, alg, str(key_pem), str(header_json), str(claims_json), emit, ctx, why);
        });
    }
    std::array<uint8_t, 32> hmac_sha256(std::string_view key, std::string_view data) const {
        std::array<uint8_t, 32> out{};
        have(crypto_, BELFRY_CRYPTO_ID).hmac_sha256(host_, str(key), str(data), out.data());
        return out;
    }
    std::array<uint8_t, 32> sha256(std::string_view data) const {
        std::array<uint8_t, 32> out{};
        have(crypto_, BELFRY_CRYPTO_ID).sha256(host_, str(data), out.data());
        return out;
    }
    void random(void* out, uint32_t n) const { have(crypto_, BELFRY_CRYPTO_ID).random(host_, out, n); }
    // fn(const belfry_sealed&) for each of a contiguous container of belfry_seal_item, in order.
    template <class Items, class Fn>
    void webpush_seal(const Items& items, Fn&& fn, uint32_t flags = 0) const {
        const belfry_crypto& crypto = have(crypto_, BELFRY_CRYPTO_ID);
        if (!BELFRY_HAS(&crypto, webpush_seal)) throw older_host("webpush_seal");
        collect<belfry_sealed>(
            [&](belfry_emit emit, void* ctx) {
                crypto.webpush_seal(host_, flags, list_of(items), emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            fn);
    }
    // A new key pair if `key` is empty; else the one of a PEM text or a bare private number.
    P256Key p256_key(std::string_view key = {}) const;

    // A certificate with its key out of PKCS#12 or PEM.
    ClientIdentity client_identity(std::string_view bytes, std::string_view password) const {
        const belfry_crypto& crypto = have(crypto_, BELFRY_CRYPTO_ID);
        if (!BELFRY_HAS(&crypto, client_identity))
            throw Refused(BELFRY_UNSUPPORTED, {}, "this host reads no client certificates");
        ClientIdentity identity;
        call_or_throw([&](belfry_why* why) {
            return collect<belfry_client_identity>(
                [&](belfry_emit emit, void* ctx) {
                    return crypto.client_identity(host_, str(bytes), str(password), emit, ctx, why);
                },
                [&](const belfry_client_identity& row) {
                    identity = {text(row.key_pem), text(row.certificates_pem), text(row.subject_uid),
                                row.not_after_unix_ms};
                });
        });
        return identity;
    }

    // ---- json: spans of a text, never a tree ----
    void json_check(std::string_view text) const {
        call_or_throw([&](belfry_why* why) { return have(json_, BELFRY_JSON_ID).check(host_, str(text), why); });
    }
    // Type 0 if there is nothing at the path ("error.details", "results.0.error"). The text must be valid.
    belfry_json_value json_find(std::string_view text, std::string_view path) const {
        return have(json_, BELFRY_JSON_ID).find(host_, str(text), str(path));
    }
    // The text that a string value means; nothing if there is no string at the path.
    std::optional<std::string> json_text(std::string_view text, std::string_view path) const {
        const belfry_json_value value = json_find(text, path);
        if (value.type != BELFRY_JSON_STRING) return std::nullopt;
        return json_unescape(text, value.at);
    }
    // Nothing unless there is a whole number that fits.
    std::optional<int64_t> json_int(std::string_view text, std::string_view path) const;
    std::optional<bool> json_bool(std::string_view text, std::string_view path) const {
        const int32_t type = json_find(text, path).type;
        if (type != BELFRY_JSON_TRUE && type != BELFRY_JSON_FALSE) return std::nullopt;
        return type == BELFRY_JSON_TRUE;
    }
    std::string json_unescape(std::string_view text, belfry_span at) const {
        return emitted_text([&](belfry_emit emit, void* ctx) {
            have(json_, BELFRY_JSON_ID).unescape(host_, str(text), at, emit, ctx);
        });
    }
    std::string json_escape(std::string_view raw) const {
        return emitted_text(
            [&](belfry_emit emit, void* ctx) { have(json_, BELFRY_JSON_ID).escape(host_, str(raw), emit, ctx); });
    }
    // fn(const belfry_json_entry&) for each member of the object or element of the array at `at`.
    template <class Fn>
    void json_each(std::string_view text, belfry_span at, Fn&& fn) const {
        collect<belfry_json_entry>(
            [&](belfry_emit emit, void* ctx) {
                have(json_, BELFRY_JSON_ID).entries(host_, str(text), at, emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            fn);
    }

    // ---- secret: in start ----
    std::string secret(std::string_view id) const {
        return one_text([&](belfry_emit emit, void* ctx, belfry_why* why) {
            return have(secret_, BELFRY_SECRET_ID).read(host_, str(id), emit, ctx, why);
        });
    }
    // The secret that a section holds at `path` as {"$secret": id}; nothing if there is none.
    std::optional<std::string> config_secret(std::string_view config, std::string_view path) const {
        const std::optional<std::string> id = json_text(config, std::string(path) + ".$secret");
        if (!id) return std::nullopt;
        return secret(*id);
    }

    // ---- state ----
    std::string state_directory() const {
        return one_text([&](belfry_emit emit, void* ctx, belfry_why* why) {
            return have(state_, BELFRY_STATE_ID).directory(host_, emit, ctx, why);
        });
    }
    StateValue state_get(belfry_state_scope scope, std::string_view key) const;
    // False if the stored version is another one.
    bool state_put(belfry_state_scope scope, std::string_view key, int64_t version, std::string_view value) const {
        belfry_why why{};
        const belfry_code code =
            have(state_, BELFRY_STATE_ID).cas(host_, scope, str(key), version, present(value), &why);
        if (BELFRY_CODE_CLASS(code) == BELFRY_CONFLICT) return false;
        if (code != BELFRY_OK) throw Refused(code, why);
        return true;
    }

private:
    template <class Table>
    const Table* find(const char* id) const noexcept {
        return host_ == nullptr ? nullptr : static_cast<const Table*>(host_->service(host_, str(id)));
    }
    template <class Table>
    static const Table& have(const Table* table, const char* id) {
        if (table == nullptr) throw Refused(BELFRY_UNSUPPORTED, {}, std::string("this host does not offer ") + id);
        return *table;
    }
    static Refused older_host(const char* call) {
        return Refused(BELFRY_UNSUPPORTED, {}, std::string("this host is too old: it does not offer ") + call);
    }
    // An empty value is not a missing one: p == NULL deletes.
    static belfry_str present(std::string_view value) noexcept {
        return value.data() == nullptr ? belfry_str{"", 0} : str(value);
    }
    template <class Call>
    static void call_or_throw(Call&& call) {
        belfry_why why{};
        const belfry_code code = call(&why);
        if (code != BELFRY_OK) throw Refused(code, why);
    }
    // The texts that a call emits, one after the other.
    template <class Call>
    static std::string emitted_text(Call&& call) {
        std::string out;
        collect<belfry_str>(
            [&](belfry_emit emit, void* ctx) {
                call(emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            [&](const belfry_str& row) { out.append(view(row)); });
        return out;
    }
    template <class Call>
    static std::string one_text(Call&& call) {
        std::string out;
        belfry_why why{};
        const belfry_code code = collect<belfry_str>([&](belfry_emit emit, void* ctx) { return call(emit, ctx, &why); },
                                                     [&](const belfry_str& row) { out.append(view(row)); });
        if (code != BELFRY_OK) throw Refused(code, why);
        return out;
    }
    int32_t define(int32_t kind, std::string_view name, std::string_view help) const {
        return have(metrics_, BELFRY_METRICS_ID).define(host_, kind, str(name), str(help));
    }
    void log(int32_t level, std::string_view event, Fields fields) const {
        if (log_ == nullptr || log_->enabled(host_, level) == 0) return;
        std::vector<belfry_header> rows;
        for (const auto& [name, value] : fields) rows.push_back(belfry_header{str(name), str(value)});
        log_->write(host_, level, str(event), list_of(rows));
    }

    const belfry_host* host_;
    const belfry_log* log_;
    const belfry_metrics* metrics_;
    const belfry_clock* clock_;
    const belfry_http* http_;
    const belfry_crypto* crypto_;
    const belfry_json* json_;
    const belfry_secret* secret_;
    const belfry_state* state_;
};

inline HttpAnswer Services::call(int32_t endpoint, const HttpRequest& request, int64_t deadline_mono_ns) const {
    std::string buffer;
    const auto put_in = [&](std::string_view part) {
        const belfry_span span{static_cast<uint32_t>(buffer.size()), static_cast<uint32_t>(part.size())};
        buffer.append(part);
        return span;
    };
    std::string lines;
    for (const auto& [name, value] : request.headers) lines += name + ": " + value + "\n";
    belfry_request row = sized<belfry_request>();
    row.path = put_in(request.path);
    row.headers = put_in(lines);
    row.body = put_in(request.body);
    HttpAnswer answer;
    belfry_why why{};
    const belfry_code code = collect<belfry_answer>(
        [&](belfry_emit emit, void* ctx) {
            return have(http_, BELFRY_HTTP_ID)
                .call(host_, endpoint, str(std::string_view(request.method)), &row, buffer.data(), deadline_mono_ns,
                      emit, ctx, &why);
        },
        [&](const belfry_answer& got) {
            answer.status = got.status;
            answer.body = text(got.body);
            answer.date_unix_ms = got.date_unix_ms;
            for (const belfry_header& header : Rows<belfry_header>(got.headers))
                answer.headers.emplace_back(text(header.name), text(header.value));
        });
    if (code != BELFRY_OK) throw Refused(code, why);
    return answer;
}

inline std::optional<int64_t> Services::json_int(std::string_view text, std::string_view path) const {
    const belfry_json_value value = json_find(text, path);
    if (value.type != BELFRY_JSON_NUMBER) return std::nullopt;
    return whole_number(text.substr(value.at.at, value.at.n));
}

inline P256Key Services::p256_key(std::string_view key) const {
    const belfry_crypto& crypto = have(crypto_, BELFRY_CRYPTO_ID);
    if (!BELFRY_HAS(&crypto, p256_key)) throw older_host("p256_key");
    P256Key made;
    belfry_why why{};
    const belfry_code code = collect<belfry_p256_key>(
        [&](belfry_emit emit, void* ctx) { return crypto.p256_key(host_, str(key), emit, ctx, &why); },
        [&](const belfry_p256_key& row) {
            made = {text(row.pem), text(row.public_point), text(row.scalar)};
        });
    if (code != BELFRY_OK) throw Refused(code, why);
    return made;
}

inline StateValue Services::state_get(belfry_state_scope scope, std::string_view key) const {
    StateValue value;
    belfry_why why{};
    const belfry_code code = collect<belfry_kv>(
        [&](belfry_emit emit, void* ctx) {
            return have(state_, BELFRY_STATE_ID).get(host_, scope, str(key), emit, ctx, &why);
        },
        [&](const belfry_kv& row) {
            value.version = row.version;
            value.value = text(row.value);
        });
    if (code != BELFRY_OK) throw Refused(code, why);
    return value;
}

}  // namespace belfry
