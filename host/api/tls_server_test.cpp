// SPDX-License-Identifier: Apache-2.0
// The server over TLS on loopback: time that runs while nothing makes the socket readable.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "api/api_fakes.h"
#include "api/server.h"
#include "api/tls_fakes.h"
#include "base/handles.h"

namespace belfry::api {
namespace {

namespace fs = std::filesystem;

// A client that decides itself which records leave together.
class TlsPeer {
public:
    explicit TlsPeer(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        // Hardly anything fits between the server and this client.
        const int room = 4096, segment = 536;
        EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
        EXPECT_EQ(::setsockopt(fd_.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment), 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
    }
    // The handshake's last message and the first bytes of a request leave in one piece.
    bool meet_saying(const std::string& first) {
        while (SSL_do_handshake(ssl_.get()) != 1) {
            flush();
            if (!receive(5000)) return false;
        }
        const bool said = SSL_write(ssl_.get(), first.data(), static_cast<int>(first.size())) > 0;
        flush();
        return said;
    }
    // So many bytes of answers, or what there is when the peer closes or nothing comes for long.
    std::string answer(size_t n) {
        std::string out;
        std::array<char, 8192> bytes{};
        while (out.size() < n) {
            const int got = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
            if (got > 0)
                out.append(bytes.data(), static_cast<size_t>(got));
            else if (!receive(5000))
                break;
        }
        return out;
    }
    bool closed_within(int ms) {
        while (receive(ms)) {
        }
        return closed_;
    }

private:
    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    };
    void flush() {
        std::array<char, 8192> bytes{};
        const int n = BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
        if (n <= 0) return;
        EXPECT_EQ(::send(fd_.get(), bytes.data(), static_cast<size_t>(n), MSG_NOSIGNAL), n);
    }
    bool receive(int ms) {
        pollfd wanted{fd_.get(), POLLIN, 0};
        if (::poll(&wanted, 1, ms) <= 0) return false;
        std::array<char, 8192> bytes{};
        const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
        closed_ = n <= 0;
        if (n > 0) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(n));
        return n > 0;
    }
    UniqueFd fd_;
    std::unique_ptr<SSL_CTX, Free> context_{SSL_CTX_new(TLS_client_method())};
    std::unique_ptr<SSL, Free> ssl_{SSL_new(context_.get())};
    bool closed_ = false;
};

// The reasons of warnings.
class Warnings final : public Log {
public:
    bool enabled(LogLevel) const noexcept override { return true; }
    void write(LogLevel level, std::string_view, std::string_view,
               std::initializer_list<LogField> fields) noexcept override {
        if (level == LogLevel::Warning) reasons.emplace_back(fields.begin()->value);
    }
    void write(LogLevel, std::string_view, std::string_view, const LogField*, size_t) noexcept override {}
    std::vector<std::string> reasons;
};

class TlsServer : public testing::Test {
protected:
    TlsServer() {
        std::string pattern = (fs::temp_directory_path() / "belfry-tls-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        write_pair(folder_ / "c.pem", folder_ / "k.pem");
        options_.listen = "127.0.0.1:0";
        options_.threads_max = 4;
        options_.tls = TlsFiles{(folder_ / "c.pem").string(), (folder_ / "k.pem").string()};
    }
    ~TlsServer() override {
        server_.reset();
        fs::remove_all(folder_);
    }
    void start() {
        Result<std::unique_ptr<Server>> server =
            Server::start(options_, delivery_, devices_, channels_,
                          Insight{[this] { return page_; }, [] { return std::vector<ComponentState>(); }, "1"}, clock_,
                          log_, metrics_);
        ASSERT_TRUE(server) << server.error().to_string();
        server_ = std::move(*server);
    }
    fs::path folder_;
    ServerOptions options_;
    std::string page_;  // what /metrics answers
    FakeDelivery delivery_;
    FakeChannels channels_;
    FakeDevices devices_;
    ManualClock clock_;
    Warnings log_;
    fakes::MemoryMetrics metrics_;
    std::unique_ptr<Server> server_;
};

TEST_F(TlsServer, WarnsOfACertificateThatIsOverAndServesIt) {
    const int64_t begun_ms = SystemClock().unix_ms();
    clock_.advance(std::chrono::milliseconds(begun_ms - clock_.unix_ms()));
    EXPECT_TRUE(Server::check(options_, clock_));
    start();
    EXPECT_EQ(log_.reasons, std::vector<std::string>());
    clock_.advance(std::chrono::hours(2));
    EXPECT_TRUE(server_->set_tls(*options_.tls));
    const std::string why = "http.tls.cert: " + options_.tls->cert + " has expired on ";
    ASSERT_EQ(log_.reasons.size(), 1U);
    EXPECT_EQ(log_.reasons[0].rfind(why, 0), 0U) << log_.reasons[0];
    EXPECT_EQ(Server::check(options_, clock_).error().to_string(), log_.reasons[0]);
    server_.reset();
    start();
    EXPECT_EQ(log_.reasons, std::vector<std::string>(2, log_.reasons[0]));
}

TEST_F(TlsServer, CutsARequestThatBeganWithTheHandshakeInTheTimeOfARequest) {
    options_.request_timeout_s = 30;
    options_.idle_timeout_s = 3600;
    start();
    TlsPeer peer(server_->address());
    ASSERT_TRUE(peer.meet_saying("POST /api/cancel_push HTTP/1.1\r\nHo"));
    // The server may still be busy with the handshake when its clock is moved first.
    bool cut = false;
    for (int turn = 0; turn < 20 && !cut; ++turn) {
        clock_.advance(std::chrono::seconds(31));
        cut = peer.closed_within(1000);
    }
    EXPECT_TRUE(cut);
}

TEST_F(TlsServer, SendsTheRestOfAnAnswerWhenItsClientReadsOn) {
    page_ = "begin" + std::string(300'000, 'p') + "end";
    start();
    TlsPeer peer(server_->address());
    const std::string ask = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_TRUE(peer.meet_saying(ask + ask));
    while (metrics_.value("api_connections") < 1 || metrics_.value("api_requests_in_work") > 0)
        std::this_thread::yield();
    const std::string answers = peer.answer(2 * page_.size() + 100);
    const size_t first = answers.find("\r\n\r\nbegin");
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(answers.substr(first + 4, page_.size()), page_);
    const size_t second = answers.find("\r\n\r\nbegin", first + 4);
    ASSERT_EQ(answers.substr(first + 4 + page_.size(), 15), "HTTP/1.1 200 OK");
    ASSERT_NE(second, std::string::npos);
}

}  // namespace
}  // namespace belfry::api
