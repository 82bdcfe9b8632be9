// SPDX-License-Identifier: Apache-2.0
#include "config/checks.h"

#include <sys/un.h>

#include <algorithm>
#include <map>

#include "config/wire_names.h"

namespace belfry::config {
namespace {

constexpr size_t kNameBytesMax = 64;

// What is wrong with an address to serve at; empty if nothing.
std::string wrong_listen(const std::string& listen) {
    constexpr std::string_view kUnix = "unix:";
    if (listen.rfind(kUnix, 0) == 0) {
        const size_t size = listen.size() - kUnix.size();
        if (size == 0) return "names no socket; write unix:/run/belfry/api.sock";
        return size < sizeof(sockaddr_un::sun_path) ? "" : "is too long: a socket's path has at most 107 bytes";
    }
    const size_t colon = listen.rfind(':');
    if (colon == std::string::npos) return "has no port; write host:port, for example " + listen + ":8000";
    const std::string host = listen.substr(0, colon), port = listen.substr(colon + 1);
    if (host.empty())
        return "has no host; write 127.0.0.1:" + port + " for this machine alone, 0.0.0.0:" + port + " for everybody";
    if (host.find(':') != std::string::npos && (host.front() != '[' || host.back() != ']'))
        return "is no host:port; an IPv6 address stands in brackets: [::1]:8000";
    const bool number = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
    if (!number || std::stoi(port) > 65535) return "has no port between 0 and 65535";
    return {};
}

class Checks {
public:
    Checks(Config& config, const LoadArgs& args, Reading& reading) : config_(config), args_(args), reading_(reading) {}

    void all() {
        settle_proxies();
        for (const AppConfig& app : config_.apps) check_app(app);
        for (const auto& [plugin, sum] : config_.plugin_pins) {
            if (sum.size() == 64 && sum.find_first_not_of("0123456789abcdef") == std::string::npos) continue;
            reading_.complain(
                config_.file.empty() ? "plugin_pins" : config_.file,
                "plugin_pins." + plugin + " must be 64 small hexadecimal digits, as sha256sum prints them");
        }
        check_keys();
        check_tls();
        if (const std::string wrong = wrong_listen(config_.http.listen); !wrong.empty())
            reading_.complain(config_.file.empty() ? "http.listen" : config_.file,
                              "http.listen = \"" + config_.http.listen + "\" " + wrong);
        if (config_.delivery.retry_base_ms > config_.delivery.retry_max_ms)
            reading_.complain(config_.file.empty() ? "delivery" : config_.file,
                              "delivery.retry_base_ms (" + std::to_string(config_.delivery.retry_base_ms) +
                                  ") is more than delivery.retry_max_ms (" +
                                  std::to_string(config_.delivery.retry_max_ms) + ")");
    }

private:
    // Each provider gets the proxy it uses; credentials never go to another proxy than their own.
    void settle_proxies() {
        check_proxy(config_.proxy, "proxy", config_.file.empty() ? "proxy" : config_.file);
        if (config_.proxy.url == ProxyConfig::kDirect) config_.proxy.url.clear();
        for (ComponentConfig& provider : config_.providers) {
            ProxyConfig& proxy = provider.proxy;
            check_proxy(proxy, "providers." + provider.instance + ".proxy", provider.origin);
            if (proxy.url.empty()) {
                proxy = config_.proxy;
            } else if (proxy.url == ProxyConfig::kDirect) {
                proxy = {};
            } else {
                proxy.looks_up_names = config_.proxy.looks_up_names;
            }
        }
    }

    void check_proxy(const ProxyConfig& proxy, const std::string& key, const std::string& origin) {
        const bool usable = proxy.url.empty() || proxy.url == ProxyConfig::kDirect ||
                            (proxy.url.rfind("http://", 0) == 0 && proxy.url.find('@') == std::string::npos);
        if (!usable)
            reading_.complain(origin, key + ".url must be http://host:port, with " + key + ".user and " + key +
                                          ".password beside it");
        if (proxy.user.empty() && !proxy.password.empty())
            reading_.complain(origin, key + ".password is for nobody; give " + key + ".user, too");
        if (proxy.url.empty() && (!proxy.user.empty() || !proxy.password.empty()))
            reading_.complain(origin, key + ".user and " + key + ".password need " + key + ".url beside them");
    }

    void check_tls() {
        if (config_.http.tls_cert.empty() == config_.http.tls_key.empty()) return;
        const std::string given = config_.http.tls_cert.empty() ? "key" : "cert";
        reading_.complain(config_.file,
                          "http.tls." + given + " alone serves nothing; give tls = { cert = \"...\", key = \"...\" }");
    }

    void check_app(const AppConfig& app) {
        for (const auto& [wire, instance] : app.providers) {
            if (!usable_name(wire)) {
                reading_.complain(app.origin, "apps." + app.name + ".providers." + wire +
                                                  ": a wire name has 1 to 64 letters, digits, '_' or '-'");
            }
        }
        // An app that nobody can use may stay ambiguous: with apps configured that is often "default".
        if (app.keys.empty() && config_.apps.size() > 1) return;
        const Result<std::vector<WireName>> names = wire_names(config_, app);
        if (!names) reading_.complain(names.error().where, names.error().message);
    }

    void check_keys() {
        std::map<std::string, std::string> seen;
        size_t n = 0;
        const auto note = [&](const ApiKey& key) {
            const auto [it, fresh] = seen.emplace(key.key.reveal(), key.name);
            if (!fresh) {
                reading_.complain(key.origin, "the API keys \"" + it->second + "\" and \"" + key.name +
                                                  "\" are the same text; give each its own");
            }
        };
        for (const ApiKey& key : config_.admin.keys) note(key);
        for (const AppConfig& app : config_.apps) {
            n += app.keys.size();
            for (const ApiKey& key : app.keys) note(key);
        }
        if (n == 0 && !config_.file.empty() && args_.need_secrets && reading_.findings.empty()) {
            reading_.complain(config_.file,
                              "no API key is configured; add [api] keys = [ { name = \"backend\", key = { env = "
                              "\"BELFRY_API_KEY\" } } ]");
        }
    }

    Config& config_;
    const LoadArgs& args_;
    Reading& reading_;
};

}  // namespace

bool usable_name(const std::string& name) {
    return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

void check_whole(Config& config, const LoadArgs& args, Reading& reading) {
    Checks(config, args, reading).all();
}

}  // namespace belfry::config
