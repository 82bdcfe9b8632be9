// SPDX-License-Identifier: Apache-2.0
#include "testing/blocking_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace belfry::simulator {

BlockingSocket::~BlockingSocket() {
    ssl_.reset();
    if (fd_ >= 0) close(fd_);
}

bool BlockingSocket::connect(const std::string& url) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::uint16_t port = 0;
    const auto colon = url.rfind(':') + 1;
    std::from_chars(url.data() + colon, url.data() + url.size(), port);
    address.sin_port = htons(port);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{2, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool BlockingSocket::start_tls(const std::string& ca_file, const std::string& alpn) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1) return false;
    ssl_.reset(SSL_new(context_.get()));
    SSL_set1_host(ssl_.get(), "localhost");
    const std::string offer = static_cast<char>(alpn.size()) + alpn;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(offer.data()),
                        static_cast<unsigned int>(offer.size()));
    SSL_set_fd(ssl_.get(), fd_);
    return SSL_connect(ssl_.get()) == 1;
}

bool BlockingSocket::write(const std::string& bytes) {
    if (ssl_ != nullptr) return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::string BlockingSocket::read() {
    std::string buffer(64 * 1024, '\0');
    const ssize_t count = ssl_ != nullptr ? SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()))
                                          : recv(fd_, buffer.data(), buffer.size(), 0);
    buffer.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return buffer;
}

PlainAnswer http1(BlockingSocket& socket, const std::string& method, const std::string& path, const std::string& body) {
    socket.write(method + ' ' + path +
                 " HTTP/1.1\r\nhost: localhost\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    std::string text;
    std::size_t head = std::string::npos;
    std::size_t length = 0;
    while (head == std::string::npos || text.size() < head + 4 + length) {
        const std::string more = socket.read();
        if (more.empty()) return {};
        text += more;
        head = text.find("\r\n\r\n");
        const auto field = text.find("content-length: ");
        if (head == std::string::npos || field == std::string::npos) continue;
        std::from_chars(text.data() + field + 16, text.data() + text.size(), length);
    }
    PlainAnswer answer;
    std::from_chars(text.data() + 9, text.data() + 12, answer.status);
    answer.body = text.substr(head + 4);
    return answer;
}

PlainAnswer http1(const std::string& url, const std::string& method, const std::string& path, const std::string& body) {
    BlockingSocket socket;
    return socket.connect(url) ? http1(socket, method, path, body) : PlainAnswer{};
}

struct ClientCallbacks {
    static BlockingH2Client& self(void* user_data) { return *static_cast<BlockingH2Client*>(user_data); }

    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
        self(user_data).answers[frame->hd.stream_id].headers[{reinterpret_cast<const char*>(name), name_size}] = {
            reinterpret_cast<const char*>(value), value_size};
        return 0;
    }

    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                       void* user_data) {
        self(user_data).answers[id].body.append(reinterpret_cast<const char*>(data), size);
        return 0;
    }

    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user_data) {
        self(user_data).answers[id].closed = true;
        self(user_data).answers[id].error = error;
        ++self(user_data).closed;
        return 0;
    }

    static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                             nghttp2_data_source* source, void*) {
        auto& body = *static_cast<std::string*>(source->ptr);
        const std::size_t count = std::min(room, body.size());
        std::memcpy(into, body.data(), count);
        body.erase(0, count);
        if (body.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(count);
    }
};

BlockingH2Client::BlockingH2Client(BlockingSocket& socket, const std::vector<nghttp2_settings_entry>& settings)
    : socket_(socket) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, ClientCallbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, ClientCallbacks::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, ClientCallbacks::on_stream_close);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
}

BlockingH2Client::~BlockingH2Client() {
    nghttp2_session_del(session_);
}

std::int32_t BlockingH2Client::post(const std::string& path, const std::string& body) {
    const auto field = [](std::string_view name, std::string_view value) {
        nghttp2_nv nv{};
        nv.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
        nv.namelen = name.size();
        nv.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
        nv.valuelen = value.size();
        return nv;
    };
    const std::array fields{field(":method", "POST"), field(":scheme", "https"), field(":authority", "localhost"),
                            field(":path", path)};
    std::string& kept = bodies_[static_cast<std::int32_t>(nghttp2_session_get_next_stream_id(session_))];
    kept = body;
    nghttp2_data_provider provider{};
    provider.source.ptr = &kept;
    provider.read_callback = ClientCallbacks::read_body;
    return nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &provider, nullptr);
}

bool BlockingH2Client::run(const std::function<bool()>& done) {
    while (true) {
        std::string out;
        while (true) {
            const std::uint8_t* data = nullptr;
            const ssize_t count = nghttp2_session_mem_send(session_, &data);
            if (count <= 0) break;
            out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(count));
        }
        if (!out.empty() && !socket_.write(out)) return false;
        if (done()) return true;
        const std::string in = socket_.read();
        if (in.empty()) return false;
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(in.data());
        if (nghttp2_session_mem_recv(session_, bytes, in.size()) < 0) return false;
        // A peer that breaks HPACK or framing makes nghttp2 give up the session by a GOAWAY of ours.
        if (nghttp2_session_want_read(session_) == 0) return done();
    }
}

}  // namespace belfry::simulator
