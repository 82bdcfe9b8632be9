// SPDX-License-Identifier: Apache-2.0
#include "api/server.h"

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "api/front.h"
#include "api/service.h"

namespace belfry::api {
namespace {

constexpr std::string_view kUnix = "unix:";
// Of the memory for bodies, so much again for halves of requests and rests of answers: bodies are not refused for them.
constexpr int64_t kWaitingShare = 4;

Error unusable(const std::string& listen, const std::string& why) {
    return error(ErrorCode::Misconfigured,
                 "cannot serve on " + listen + " (" + why + "); use host:port or unix:/path in http.listen",
                 "http.listen");
}

// A socket file that a dead server left behind; one that answers is somebody's.
bool is_left_over(const std::string& path) {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return false;
    try {
        Poco::Net::StreamSocket probe;
        probe.connect(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, path));
        return false;
    } catch (const Poco::Exception&) {
        return true;
    }
}

Error unusable(const std::string& listen, const Poco::Exception& fault) {
    if (fault.code() == EACCES && listen.rfind(kUnix, 0) != 0)
        return error(ErrorCode::Misconfigured,
                     "this user may not take the port of " + listen +
                         "; take one from 1024 on, or give it CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=)",
                     "http.listen");
    if (fault.displayText().find("in use") == std::string::npos) return unusable(listen, fault.displayText());
    return error(ErrorCode::Misconfigured,
                 "another program listens on " + listen + "; stop that one or set another address", "http.listen");
}

Result<Poco::Net::ServerSocket> listening_on(const std::string& listen) {
    try {
        Poco::Net::ServerSocket socket;
        if (listen.rfind(kUnix, 0) == 0) {
            const std::string path = listen.substr(kUnix.size());
            if (is_left_over(path)) ::unlink(path.c_str());
            socket.bind(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, path));
        } else {
            if (listen.find(':') == std::string::npos) return unusable(listen, "no port");
            // Address only: two servers on one port would share its clients.
            socket.bind(Poco::Net::SocketAddress(listen), true, false);
        }
        socket.listen(kListenBacklog);
        return socket;
    } catch (const Poco::Exception& fault) {
        return unusable(listen, fault);
    }
}

// Null: plain.
Result<TlsContext> tls_of(const ServerOptions& options) {
    if (!options.tls) return TlsContext();
    if (options.listen.rfind(kUnix, 0) == 0)
        return unusable(options.listen, "http.tls has no use on a unix socket; remove it");
    return tls_context(options.tls->cert, options.tls->key);
}

}  // namespace

struct Server::Impl {
    void set(const Keys& given) {
        keys.set(given.apps);
        const auto everything = std::make_shared<const App>();
        std::vector<AppKey> operators;
        for (const std::string& key : given.admin) operators.push_back({key, everything});
        admin_keys.set(operators);
    }

    Impl(const ServerOptions& options, delivery::Delivery& delivery, audience::Devices& devices,
         plugins::Channels& channels, Insight insight, const Clock& clock, Log& log, Metrics& metrics)
        : watch(clock),
          logger(log, "api"),
          service(delivery, devices, channels, clock, log, metrics),
          admin(delivery, options.back_up, clock),
          http(with_readers(options), service, keys, std::move(insight)) {
        set(options.keys);
        http.offer_admin(admin, admin_keys);
    }

    // Clients that send long bodies slowly, or read exports slowly, may not keep every thread.
    static HttpOptions with_readers(const ServerOptions& options) {
        HttpOptions http = options.http;
        http.body_readers_max = std::max<int64_t>(1, options.threads_max * 3 / 4);
        http.streams_max = std::min<int64_t>(http.streams_max, options.threads_max / 2);
        return http;
    }

    // Served all the same: some clients do not mind.
    void warn_of_validity(const TlsContext& context, const std::string& cert_file) {
        const Status valid = check_validity(context, cert_file, watch.unix_ms());
        if (!valid) logger.warning("certificate is not valid now", {{"reason", valid.error().to_string()}});
    }

    const Clock& watch;
    Logger logger;
    ApiKeys keys, admin_keys;
    Service service;
    Admin admin;
    HttpApi http;
    std::string address, socket_file;
    std::unique_ptr<Front> front;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    stop(0);
}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, delivery::Delivery& delivery,
                                              audience::Devices& devices, plugins::Channels& channels, Insight insight,
                                              const Clock& clock, Log& log, Metrics& metrics) {
    // A client that closes early must not end the process.
    std::signal(SIGPIPE, SIG_IGN);
    const bool local = options.listen.rfind(kUnix, 0) == 0;
    Result<TlsContext> tls = tls_of(options);
    if (!tls) return tls.error();
    Result<Poco::Net::ServerSocket> socket = listening_on(options.listen);
    if (!socket) return socket.error();
    auto impl = std::make_unique<Impl>(options, delivery, devices, channels, std::move(insight), clock, log, metrics);
    impl->address = local ? options.listen : socket->address().toString();
    if (*tls) {
        impl->address = "https://" + impl->address;
        impl->warn_of_validity(*tls, options.tls->cert);
    }
    if (local) impl->socket_file = options.listen.substr(kUnix.size());
    FrontOptions front;
    front.threads_max = static_cast<size_t>(options.threads_max);
    front.connections_max = static_cast<size_t>(options.connections_max);
    front.idle_timeout = std::chrono::seconds(options.idle_timeout_s);
    front.tls = std::move(*tls);
    front.waiting_bytes_max = static_cast<size_t>(options.http.body_memory_bytes / kWaitingShare);
    front.limits.request_timeout = std::chrono::seconds(options.request_timeout_s);
    impl->front = std::make_unique<Front>(front, *socket, impl->http, clock, log, metrics);
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Status Server::check(const ServerOptions& options, const Clock& clock) {
    const Result<TlsContext> tls = tls_of(options);
    if (!tls) return tls.error();
    return *tls ? check_validity(*tls, options.tls->cert, clock.unix_ms()) : Status();
}

const std::string& Server::address() const noexcept {
    return impl_->address;
}

void Server::set_keys(const Keys& keys) {
    impl_->set(keys);
}

Status Server::set_tls(const TlsFiles& files) {
    Result<TlsContext> made = tls_context(files.cert, files.key);
    if (!made) return made.error();
    impl_->warn_of_validity(*made, files.cert);
    impl_->front->set_tls(std::move(*made));
    return {};
}

void Server::announce_stop() noexcept {
    impl_->http.set_stopping();
}

void Server::stop(int64_t deadline_mono_ns) {
    impl_->http.set_stopping();
    impl_->front->stop(deadline_mono_ns);
    if (!impl_->socket_file.empty()) ::unlink(impl_->socket_file.c_str());
}

}  // namespace belfry::api
