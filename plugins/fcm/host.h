// SPDX-License-Identifier: Apache-2.0
// The host's services in the words of this plugin: JSON by path, time, log lines. Owner: the instance.
#pragma once

#include <belfry/services.h>

#include <belfry/abi.hpp>
#include <string>
#include <string_view>

namespace fcm {

using belfry::because;
using belfry::collect;
using belfry::one_row;
using belfry::Rows;
using belfry::sized;
using belfry::str;
using belfry::view;

struct Host {
    explicit Host(const belfry_host* host)
        : self(host),
          log(table<belfry_log>(BELFRY_LOG_ID)),
          metrics(table<belfry_metrics>(BELFRY_METRICS_ID)),
          clock(table<belfry_clock>(BELFRY_CLOCK_ID)),
          http(table<belfry_http>(BELFRY_HTTP_ID)),
          crypto(table<belfry_crypto>(BELFRY_CRYPTO_ID)),
          json(table<belfry_json>(BELFRY_JSON_ID)),
          secret(table<belfry_secret>(BELFRY_SECRET_ID)) {}

    bool complete() const { return log && metrics && clock && http && crypto && json && secret; }
    int64_t unix_ms() const { return clock->unix_ms(self); }

    const belfry_host* self;
    const belfry_log* log;
    const belfry_metrics* metrics;
    const belfry_clock* clock;
    const belfry_http* http;
    const belfry_crypto* crypto;
    const belfry_json* json;
    const belfry_secret* secret;

private:
    template <class Table>
    const Table* table(std::string_view id) const {
        return static_cast<const Table*>(self->service(self, str(id)));
    }
};

// A text that passed check(), or is empty.
struct Json {
    const Host& host;
    std::string_view text;

    bool check(belfry_why* why = nullptr) const { return host.json->check(host.self, str(text), why) == BELFRY_OK; }
    belfry_json_value find(std::string_view path) const { return host.json->find(host.self, str(text), str(path)); }
    std::string_view raw(belfry_json_value value) const { return text.substr(value.at.at, value.at.n); }
    Json at(belfry_json_value value) const { return {host, raw(value)}; }
    // What a string means; empty for anything else.
    std::string string(belfry_json_value value) const {
        std::string out;
        if (value.type != BELFRY_JSON_STRING) return out;
        const auto call = [&](belfry_emit emit, void* ctx) {
            host.json->unescape(host.self, str(text), value.at, emit, ctx);
            return belfry_code{BELFRY_OK};
        };
        collect<belfry_str>(call, [&](const belfry_str& row) { out = view(row); });
        return out;
    }
    std::string string(std::string_view path) const { return string(find(path)); }
    std::string escaped() const {
        std::string out;
        const auto call = [&](belfry_emit emit, void* ctx) {
            host.json->escape(host.self, str(text), emit, ctx);
            return belfry_code{BELFRY_OK};
        };
        collect<belfry_str>(call, [&](const belfry_str& row) { out = view(row); });
        return out;
    }
    template <class Fn>  // const belfry_json_entry&; false stops
    void each(belfry_json_value container, Fn&& fn) const {
        if (container.type != BELFRY_JSON_OBJECT && container.type != BELFRY_JSON_ARRAY) return;
        const auto call = [&](belfry_emit emit, void* ctx) {
            host.json->entries(host.self, str(text), container.at, emit, ctx);
            return belfry_code{BELFRY_OK};
        };
        collect<belfry_json_entry>(call, fn);
    }
};

}  // namespace fcm
