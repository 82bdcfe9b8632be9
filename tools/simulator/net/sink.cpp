// SPDX-License-Identifier: Apache-2.0
#include "net/sink.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sink_connection.h"

namespace belfry::simulator {

SinkServer::SinkServer(Loop& loop, Endpoint& endpoint, SSL_CTX* tls, const SinkSettings& settings)
    : loop_(loop), tls_(tls), settings_(settings), listener_(listen_on(endpoint)) {}

SinkServer::~SinkServer() {
    connections_.clear();
    close(listener_);
}

void SinkServer::start() {
    loop_.add(listener_, EPOLLIN, *this);
}

void SinkServer::on_events(std::uint32_t) {
    while (true) {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const std::uint64_t id = ++next_id_;
        connections_.emplace(id, std::make_unique<SinkConnection>(*this, id, fd, tls_));
        statistics_.connections.fetch_add(1, std::memory_order_relaxed);
    }
}

SinkConnection* SinkServer::find(std::uint64_t id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

void SinkServer::drop(std::uint64_t id) {
    connections_.erase(id);
}

}  // namespace belfry::simulator
