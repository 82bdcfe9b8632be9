// SPDX-License-Identifier: Apache-2.0
// The table of all keys: name, field, bounds, help. Defaults are the fields' own.
#include "config/settings.h"

namespace belfry::config {
namespace {

Rule between(int64_t min, int64_t max) {
    return Rule{min, max, {}, false};
}
Rule one_of(std::vector<std::string_view> choices) {
    return Rule{0, 0, std::move(choices), false};
}
Rule path() {
    return Rule{0, 0, {}, true};
}

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kHourMs = 3'600'000;

std::vector<Setting> http_settings(HttpConfig& c) {
    return {
        {"listen", &c.listen,
         "Where the API is served: `host:port` (port 0 takes a free one) or `unix:/path/of.sock`."},
        {"max_body_bytes", &c.max_body_bytes,
         "Longest request body, bytes. Longer ones are answered with HTTP 413 unread.", between(1024, 1024 * kMiB)},
        {"error_mode", &c.error_mode,
         "`standard`: errors travel in the envelope with HTTP 200. `transport`: HTTP status and a bare error. Clients "
         "can ask for "
         "`transport` with the header `X-Centrifugo-Error-Mode`.",
         one_of({"standard", "transport"})},
        {"threads_max", &c.threads_max,
         "Requests handled at the same time. Idle keep-alive connections need no thread.", between(4, 4096)},
        {"body_memory_bytes", &c.body_memory_bytes,
         "Memory that all request bodies in work share; beyond it requests are answered with code 111. A quarter as "
         "much "
         "again is for requests that have not arrived and answers that are not read; beyond it those of longest "
         "standing "
         "are ended.",
         between(kMiB, 16384 * kMiB)},
        {"idle_timeout_s", &c.idle_timeout_s, "An idle keep-alive connection is closed after so many seconds.",
         between(1, 3600)},
        {"request_timeout_s", &c.request_timeout_s,
         "A request must have arrived completely within so many seconds, and its answer be read within as many.",
         between(1, 3600)},
        {"tls.cert", &c.tls_cert,
         "PEM file with the server's certificate and its chain: `tls = { cert = \"...\", key = \"...\" }` serves "
         "HTTPS, "
         "TLS 1.2 and later. Read again on SIGHUP.",
         path()},
        {"tls.key", &c.tls_key, "PEM file with the certificate's key, without a password.", path()},
    };
}

std::vector<Setting> delivery_settings(DeliveryConfig& c) {
    return {
        {"attempts_max", &c.attempts_max,
         "Attempts of one delivery before it goes to the dead letters. Waiting for a paused provider is no attempt.",
         between(1, 100)},
        {"retry_base_ms", &c.retry_base_ms,
         "Shortest back-off after a failed attempt, milliseconds; it doubles with each one, with jitter. A provider's "
         "own hint wins.",
         between(10, kHourMs)},
        {"retry_max_ms", &c.retry_max_ms, "Longest back-off, milliseconds.", between(10, 24 * kHourMs)},
        {"workers", &c.workers, "Threads that prepare and judge pages; 0 = one per core.", between(0, 256)},
    };
}

}  // namespace

std::vector<Section> fixed_sections(Config& c) {
    return {
        {"",
         "Keys at the top of the file.",
         {{"data_dir", &c.data_dir, "Embedded databases, generated keys and plugin state live here. Created at start.",
           path()},
          {"plugin_dirs", &c.plugin_dirs,
           "Folders that are searched for plugins. Default: `../lib/belfry/plugins` from the program's folder, then "
           "`/usr/lib/belfry/plugins`.",
           path()},
          {"dev", &c.dev,
           "Loosens checks that get in the way of development: plugin folders writable by the group only warn."},
          {"plugin_pins", &c.plugin_pins,
           "Table of plugin = SHA-256 of its `.so` file: a plugin listed here is refused unless its file is that "
           "one."}}},
        {"http", "The HTTP API.", http_settings(c.http)},
        {"delivery", "Attempts and back-off.", delivery_settings(c.delivery)},
        {"devices",
         "What becomes of devices by themselves.",
         {{"max_inactive_days", &c.devices.max_inactive_days,
           "Devices that nobody registered or updated for so many days are removed, a few at a time; 0 keeps them.",
           between(0, 36'500)}}},
        {"proxy",
         "The HTTP proxy that all providers use, for networks that let nothing else out. It is asked for tunnels "
         "(CONNECT); what goes through them is TLS from end to end. Proxies named in environment variables are not "
         "used. A change needs no restart, SIGHUP will do.",
         {{"url", &c.proxy.url, "`http://host:port`; empty: providers are reached directly."},
          {"user", &c.proxy.user, "Who we are at the proxy (Basic)."},
          {"password", &c.proxy.password, "Its password."},
          {"looks_up_names", &c.proxy.looks_up_names,
           "Who looks up the names of push services, which come from browsers and could point into your network. "
           "`false`: Belfry does, refuses private addresses and asks the proxy for the address. `true`: the proxy is "
           "told the name and must refuse private addresses itself; for networks that cannot look up outside names."}}},
        {"log",
         "Log lines on standard error.",
         {{"level", &c.log.level, "Least level that is written.", one_of({"debug", "info", "warning", "error"})}}},
        {"metrics",
         "Prometheus metrics at `GET /metrics`.",
         {{"published_names", &c.metrics.published_names,
           "Also write push metrics under the names that Centrifugo PRO publishes (`centrifugo_push_...`), for its "
           "dashboards."}}},
        {"admin",
         "For operators: `/admin/` and the commands that use it.",
         {{"keys", &c.admin.keys,
           "Who may use `/admin/`, as in `[api]`. It sees all apps. Without any, the keys of the app `default` may, as "
           "long as no other app is configured."},
          {"backup_dir", &c.admin.backup_dir, "Where `belfry backup` puts its folders; by default `data_dir`/backups.",
           path()}}},
        {"api",
         "API keys of the app `default`.",
         {{"keys", &c.apps.front().keys,
           "List of `{ name = \"...\", key = ... }`. The key is a secret: a text, `{ file = \"...\" }` or `{ env = "
           "\"...\" }`. A "
           "config file without any key, here or in an app, is refused."}}},
    };
}

Section app_section(AppConfig& app) {
    return {"apps.<app>",
            "Namespaces: devices, topics, users and pushes of one app never meet another's. Without any there is one, "
            "`default`.",
            {{"keys", &app.keys, "API keys of this app, as in `[api]`."},
             {"providers", &app.providers,
              "Table of wire name = provider instance: what clients of this app call `fcm`, `apns` ... Without it "
              "every instance has "
              "its own name, and a plugin's name means its only instance."}}};
}

Section storage_section(ComponentConfig& c) {
    return {"storage",
            "Where devices, topics and users' topics are kept. All other keys of the section go to the plugin.",
            {{"plugin", &c.plugin, "The storage plugin."}}};
}

Section queue_section(ComponentConfig& c) {
    return {"queue",
            "Where accepted pushes wait. All other keys of the section go to the plugin.",
            {{"plugin", &c.plugin, "The queue plugin."}}};
}

Section provider_section(ComponentConfig& c) {
    return {"providers.<name>",
            "A provider instance; `<name>` is the instance. All other keys of the section go to the plugin.",
            {{"plugin", &c.plugin, "The provider plugin; by default the one named like the instance."},
             {"rate.per_minute", &c.per_minute, "Deliveries per minute; 0 leaves it to the plugin's suggestion.",
              between(0, 1'000'000'000)},
             {"max_connections", &c.max_connections, "Connections per endpoint and loop; 0 is the engine's default.",
              between(0, 1024)},
             {"ca_file", &c.ca_file, "PEM file of the only roots to trust for this provider; by default the system's.",
              path()},
             {"plain_loopback", &c.plain_loopback,
              "Accept `http://` URLs, which then reach this machine only (127.0.0.0/8, ::1); all others are TLS."},
             {"proxy.url", &c.proxy.url, "A proxy for this provider alone, or `direct`; by default as in `[proxy]`."},
             {"proxy.user", &c.proxy.user, "With `proxy.url`: who we are there."},
             {"proxy.password", &c.proxy.password, "With `proxy.url`: the password."}}};
}

}  // namespace belfry::config
