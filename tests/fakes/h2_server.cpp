// SPDX-License-Identifier: Apache-2.0
#include "fakes/h2_server.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <future>

#include "base/assert.h"
#include "base/handles.h"

namespace belfry::fakes {

namespace {

using SslCtx = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using Session = std::unique_ptr<nghttp2_session, FreeWith<nghttp2_session_del>>;

int64_t steady_ns() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

nghttp2_nv field(const std::string& name, const std::string& value) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct H2Server::Impl {
    struct Peer {
        Impl* server = nullptr;
        int number = 0;
        UniqueFd fd;
        Ssl ssl;
        Session session;
        bool handshaken = false, frozen = false, leaving = false, dead = false;
        int32_t last_stream = INT32_MAX;  // later ones are ignored
        std::map<int32_t, SeenRequest> requests;
        std::map<int32_t, std::pair<std::string, size_t>> bodies;  // of answers, and how much of each was sent
        uint32_t streams = 0;
        std::vector<uint8_t> output;
    };
    struct Later {
        int64_t due;
        int peer;
        int32_t stream;
        Reply reply;
    };

    Impl(const TestCa& ca, ServerScript s) : script(std::move(s)), wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        make_context(ca);
        listener.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        BELFRY_ASSERT(bind(listener.get(), any, length) == 0 && listen(listener.get(), 128) == 0);
        BELFRY_ASSERT(getsockname(listener.get(), any, &length) == 0);
        port = ntohs(address.sin_port);
    }

    void make_context(const TestCa& ca) {
        context.reset(SSL_CTX_new(TLS_server_method()));
        leaf = ca.issue(script.names, script.certificate_days);
        BELFRY_ASSERT(SSL_CTX_use_certificate(context.get(), leaf.certificate.get()) == 1);
        BELFRY_ASSERT(SSL_CTX_use_PrivateKey(context.get(), leaf.key.get()) == 1);
        SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (script.require_client_certificate) {
            BELFRY_ASSERT(SSL_CTX_load_verify_file(context.get(), ca.file().c_str()) == 1);
            SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        }
        SSL_CTX_set_alpn_select_cb(context.get(), &Impl::select_alpn, this);
    }

    static int select_alpn(SSL*, const unsigned char** out, unsigned char* n, const unsigned char* in, unsigned in_n,
                           void* self) {
        static constexpr unsigned char kH2[] = {2, 'h', '2'};
        unsigned char* chosen = nullptr;
        if (!static_cast<Impl*>(self)->script.offer_h2) return SSL_TLSEXT_ERR_NOACK;
        if (SSL_select_next_proto(&chosen, n, kH2, sizeof kH2, in, in_n) != OPENSSL_NPN_NEGOTIATED)
            return SSL_TLSEXT_ERR_NOACK;
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
    }

    // Callbacks of nghttp2.
    static Peer& peer_of(void* user) { return *static_cast<Peer*>(user); }
    static int on_begin(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        Peer& peer = peer_of(user);
        if (frame->hd.type != NGHTTP2_HEADERS) return 0;
        SeenRequest& request = peer.requests[frame->hd.stream_id];
        request.connection = peer.number;
        request.stream = frame->hd.stream_id;
        const std::lock_guard lock(peer.server->mutex);
        peer.server->most_streams = std::max(peer.server->most_streams, ++peer.streams);
        return 0;
    }
    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_n,
                         const uint8_t* value, size_t value_n, uint8_t, void* user) {
        SeenRequest& request = peer_of(user).requests[frame->hd.stream_id];
        const std::string key(reinterpret_cast<const char*>(name), name_n);
        const std::string text(reinterpret_cast<const char*>(value), value_n);
        if (key == ":method")
            request.method = text;
        else if (key == ":path")
            request.path = text;
        else if (key == ":authority")
            request.authority = text;
        else
            request.headers[key] = text;
        return 0;
    }
    static int on_data(nghttp2_session*, uint8_t, int32_t stream, const uint8_t* bytes, size_t n, void* user) {
        peer_of(user).requests[stream].body.append(reinterpret_cast<const char*>(bytes), n);
        return 0;
    }
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        Peer& peer = peer_of(user);
        if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
            const std::lock_guard lock(peer.server->mutex);
            ++peer.server->pings;
        }
        Impl& server = *peer.server;
        if (frame->hd.type == NGHTTP2_HEADERS && server.script.early_status != 0) {
            Reply reply;
            reply.status = server.script.early_status;
            server.later.push_back({0, peer.number, frame->hd.stream_id, reply});
            return 0;
        }
        const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && end)
            peer.server->complete(peer, frame->hd.stream_id);
        return 0;
    }
    static int on_close(nghttp2_session*, int32_t stream, uint32_t, void* user) {
        Peer& peer = peer_of(user);
        peer.bodies.erase(stream);
        if (peer.requests.erase(stream) > 0) --peer.streams;
        return 0;
    }
    static ssize_t read_body(nghttp2_session*, int32_t stream, uint8_t* out, size_t room, uint32_t* flags,
                             nghttp2_data_source*, void* user) {
        auto& [text, done] = peer_of(user).bodies[stream];
        const size_t n = std::min(room, text.size() - done);
        std::memcpy(out, text.data() + done, n);
        done += n;
        if (done == text.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(n);
    }

    void complete(Peer& peer, int32_t stream) {
        if (stream > peer.last_stream) return;
        SeenRequest request = peer.requests[stream];
        request.at_ns = steady_ns();
        request.complete = true;
        {
            const std::lock_guard lock(mutex);
            journal.push_back(request);
        }
        Reply reply = script.reply ? script.reply(request) : Reply{};
        if (reply.action == Reply::Action::Silence) return;
        later.push_back({request.at_ns + int64_t{reply.delay_ms} * 1'000'000, peer.number, stream, std::move(reply)});
    }

    void answer(Peer& peer, int32_t stream, Reply& reply) {
        if (!peer.session) return;
        if (reply.action == Reply::Action::Refuse || reply.action == Reply::Action::Reset) {
            const uint32_t code =
                reply.action == Reply::Action::Refuse ? NGHTTP2_REFUSED_STREAM : NGHTTP2_INTERNAL_ERROR;
            nghttp2_submit_rst_stream(peer.session.get(), NGHTTP2_FLAG_NONE, stream, code);
            return;
        }
        const std::string status = std::to_string(reply.status), status_name = ":status";
        std::vector<nghttp2_nv> fields{field(status_name, status)};
        for (const auto& [name, value] : reply.headers) fields.push_back(field(name, value));
        if (reply.action == Reply::Action::HeadThenReset) {
            nghttp2_submit_headers(peer.session.get(), NGHTTP2_FLAG_NONE, stream, nullptr, fields.data(), fields.size(),
                                   nullptr);
            write(peer);
            nghttp2_submit_rst_stream(peer.session.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_INTERNAL_ERROR);
            return;
        }
        nghttp2_data_provider provider{};
        provider.read_callback = read_body;
        peer.bodies[stream] = {std::move(reply.body), 0};
        nghttp2_submit_response(peer.session.get(), stream, fields.data(), fields.size(), &provider);
    }

    void start_session(Peer& peer) {
        nghttp2_session_callbacks* callbacks = nullptr;
        BELFRY_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session* raw = nullptr;
        BELFRY_ASSERT(nghttp2_session_server_new(&raw, callbacks, &peer) == 0);
        nghttp2_session_callbacks_del(callbacks);
        peer.session.reset(raw);
        std::vector<nghttp2_settings_entry> settings{{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, script.window}};
        if (script.streams_max != UINT32_MAX)
            settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, script.streams_max});
        nghttp2_submit_settings(raw, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    }

    // Ends the connection in order: says so, and reads until the other side has, because closing at once would reset
    // it.
    static void leave(Peer& peer) {
        if (peer.leaving) return;
        peer.leaving = true;
        SSL_shutdown(peer.ssl.get());
        shutdown(peer.fd.get(), SHUT_WR);
    }

    void read(Peer& peer) {
        if (!script.handshake) return;
        if (peer.leaving) {
            char unwanted[4096];
            const ssize_t n = recv(peer.fd.get(), unwanted, sizeof unwanted, 0);
            peer.dead = n == 0 || (n < 0 && errno != EAGAIN);
            return;
        }
        ERR_clear_error();
        if (!peer.handshaken) {
            const int code = SSL_accept(peer.ssl.get());
            if (code != 1) {
                const int failure = SSL_get_error(peer.ssl.get(), code);
                peer.dead = failure != SSL_ERROR_WANT_READ && failure != SSL_ERROR_WANT_WRITE;
                return;
            }
            peer.handshaken = true;
            {
                const std::lock_guard lock(mutex);
                ++handshakes;
                if (SSL_session_reused(peer.ssl.get()) == 1) ++resumed;
            }
            if (script.close_after_handshake) {
                leave(peer);
                return;
            }
            if (script.settings) start_session(peer);
        }
        if (!peer.session) return;
        uint8_t buffer[16384];
        int n = 0;
        while ((n = SSL_read(peer.ssl.get(), buffer, sizeof buffer)) > 0) {
            if (nghttp2_session_mem_recv(peer.session.get(), buffer, static_cast<size_t>(n)) < 0) peer.dead = true;
        }
        const int failure = SSL_get_error(peer.ssl.get(), n);
        if (failure != SSL_ERROR_WANT_READ && failure != SSL_ERROR_WANT_WRITE) peer.dead = true;
    }

    void write(Peer& peer) {
        if (!peer.session || peer.frozen || peer.leaving || peer.dead) return;
        const uint8_t* bytes = nullptr;
        ssize_t n = 0;
        while ((n = nghttp2_session_mem_send(peer.session.get(), &bytes)) > 0)
            peer.output.insert(peer.output.end(), bytes, bytes + n);
        while (!peer.output.empty()) {
            ERR_clear_error();
            const int written = SSL_write(peer.ssl.get(), peer.output.data(), static_cast<int>(peer.output.size()));
            if (written <= 0) {
                const int failure = SSL_get_error(peer.ssl.get(), written);
                if (failure != SSL_ERROR_WANT_READ && failure != SSL_ERROR_WANT_WRITE) peer.dead = true;
                return;
            }
            peer.output.erase(peer.output.begin(), peer.output.begin() + written);
        }
        if (nghttp2_session_want_read(peer.session.get()) == 0 && nghttp2_session_want_write(peer.session.get()) == 0)
            leave(peer);
    }

    void accept_peers() {
        while (true) {
            UniqueFd fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!fd) return;
            auto peer = std::make_unique<Peer>();
            peer->server = this;
            {
                const std::lock_guard lock(mutex);
                peer->number = accepted++;
                ++open;
            }
            peer->ssl.reset(SSL_new(context.get()));
            SSL_set_fd(peer->ssl.get(), fd.get());
            peer->fd = std::move(fd);
            peers.push_back(std::move(peer));
        }
    }

    int wait_ms() const {
        int64_t due = INT64_MAX;
        for (const Later& one : later) due = std::min(due, one.due);
        if (due == INT64_MAX) return 1000;
        return static_cast<int>(std::clamp<int64_t>((due - steady_ns() + 999'999) / 1'000'000, 0, 1000));
    }

    void answer_due() {
        const int64_t now = steady_ns();
        std::vector<Later> due;
        std::erase_if(later, [&](Later& one) {
            if (one.due > now) return false;
            due.push_back(std::move(one));
            return true;
        });
        for (Later& one : due) {
            for (const auto& peer : peers) {
                if (peer->number == one.peer) answer(*peer, one.stream, one.reply);
            }
        }
    }

    void run_commands() {
        eventfd_t count = 0;
        eventfd_read(wake.get(), &count);
        std::vector<std::function<void()>> now;
        {
            const std::lock_guard lock(mutex);
            now.swap(commands);
        }
        for (const auto& command : now) command();
    }

    void poll_once() {
        std::vector<pollfd> fds{{wake.get(), POLLIN, 0}, {listener.get(), POLLIN, 0}};
        for (const auto& peer : peers) {
            short wanted = peer->frozen ? short{0} : short{POLLIN};
            if (!peer->output.empty() && !peer->frozen) wanted = POLLIN | POLLOUT;
            if (!script.handshake || (peer->handshaken && !script.settings)) wanted = 0;
            fds.push_back({wanted == 0 ? -1 : peer->fd.get(), wanted, 0});
        }
        poll(fds.data(), fds.size(), wait_ms());
        const size_t polled = peers.size();
        if ((fds[0].revents & POLLIN) != 0) run_commands();
        for (size_t i = 0; i < polled; ++i) {
            if (fds[i + 2].revents != 0 && !peers[i]->frozen) read(*peers[i]);
        }
        if (listener && (fds[1].revents & POLLIN) != 0) accept_peers();
        answer_due();
        for (const auto& peer : peers) write(*peer);
        const size_t before = peers.size();
        std::erase_if(peers, [](const auto& peer) { return peer->dead; });
        const std::lock_guard lock(mutex);
        open -= static_cast<int>(before - peers.size());
    }

    void post(std::function<void()> command) {
        const std::lock_guard lock(mutex);
        commands.push_back(std::move(command));
        eventfd_write(wake.get(), 1);
    }

    void for_peers(int connection, const std::function<void(Peer&)>& what) {
        post([this, connection, what] {
            for (const auto& peer : peers) {
                if (connection < 0 || peer->number == connection) what(*peer);
            }
        });
    }

    ServerScript script;
    SslCtx context;
    Leaf leaf;
    UniqueFd listener, wake;
    uint16_t port = 0;
    std::vector<std::unique_ptr<Peer>> peers;
    std::deque<Later> later;
    bool done = false;
    std::thread thread;

    std::mutex mutex;  // of everything below
    std::vector<std::function<void()>> commands;
    std::vector<SeenRequest> journal;
    int accepted = 0, handshakes = 0, resumed = 0, open = 0, pings = 0;
    uint32_t most_streams = 0;
};

H2Server::H2Server(const TestCa& ca, ServerScript script) : impl_(std::make_unique<Impl>(ca, std::move(script))) {
    port_ = impl_->port;
    impl_->thread = std::thread([this] {
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
        while (!impl_->done) impl_->poll_once();
    });
}

H2Server::~H2Server() {
    impl_->post([this] { impl_->done = true; });
    impl_->thread.join();
}

void H2Server::set_streams_max(uint32_t streams, int connection) {
    impl_->for_peers(connection, [streams](Impl::Peer& peer) {
        const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams};
        if (peer.session) nghttp2_submit_settings(peer.session.get(), NGHTTP2_FLAG_NONE, &entry, 1);
    });
}

void H2Server::go_away(int32_t last_stream, uint32_t code, const std::string& debug, int connection) {
    impl_->for_peers(connection, [last_stream, code, debug](Impl::Peer& peer) {
        if (!peer.session) return;
        peer.last_stream = last_stream;
        nghttp2_submit_goaway(peer.session.get(), NGHTTP2_FLAG_NONE, last_stream, code,
                              reinterpret_cast<const uint8_t*>(debug.data()), debug.size());
    });
}

void H2Server::freeze(bool frozen, int connection) {
    impl_->for_peers(connection, [frozen](Impl::Peer& peer) { peer.frozen = frozen; });
}

void H2Server::fall_off(int connection) {
    std::promise<void> done;
    impl_->for_peers(connection, [](Impl::Peer& peer) {
        sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};  // passes no packet to the socket, those of TCP itself included
        const sock_fprog filter{1, &nothing};
        BELFRY_ASSERT(::setsockopt(peer.fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0);
    });
    impl_->post([&done] { done.set_value(); });
    done.get_future().wait();
}

void H2Server::drop(int connection) {
    impl_->for_peers(connection, [](Impl::Peer& peer) { peer.dead = true; });
}

void H2Server::stop_listening() {
    impl_->post([this] { impl_->listener.reset(); });
}

std::vector<SeenRequest> H2Server::journal() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->journal;
}

size_t H2Server::seen() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->journal.size();
}

int H2Server::accepted() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->accepted;
}

int H2Server::handshakes() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->handshakes;
}

int H2Server::resumed() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->resumed;
}

int H2Server::open_connections() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->open;
}

uint32_t H2Server::most_streams() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->most_streams;
}

int H2Server::pings() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->pings;
}

}  // namespace belfry::fakes
