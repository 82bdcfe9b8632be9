// SPDX-License-Identifier: Apache-2.0
// The listener's TLS over real sockets: what is refused, what waits for nobody, what is kept.
#include "api/tls_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "api/client_socket.h"
#include "api/tls_fakes.h"
#include "base/clock.h"

namespace belfry::api {
namespace {

namespace fs = std::filesystem;
using Outcome = Transfer::Outcome;

class Tls : public testing::Test {
protected:
    Tls() {
        std::string pattern = (fs::temp_directory_path() / "belfry-tls-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        write_pair(folder_ / "c.pem", folder_ / "k.pem");
        context_ = *tls_context((folder_ / "c.pem").string(), (folder_ / "k.pem").string());
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        peer_ = ends[0];
        ::fcntl(peer_, F_SETFL, O_NONBLOCK);
        socket_.emplace(ends[1], context_);
        server_ = socket_->tls();
    }
    ~Tls() override {
        SSL_free(client_);
        SSL_CTX_free(client_context_);
        socket_.reset();
        ::close(peer_);
        fs::remove_all(folder_);
    }
    // The client's side of the handshake, turn by turn with the server's.
    TlsSocket::Handshake meet(int version = TLS1_3_VERSION) {
        client_context_ = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(client_context_, 0);
        SSL_CTX_set_min_proto_version(client_context_, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(client_context_, version);
        client_ = SSL_new(client_context_);
        SSL_set_fd(client_, peer_);
        SSL_set_connect_state(client_);
        TlsSocket::Handshake step = TlsSocket::Handshake::Waits;
        for (int turns = 0; turns < 10 && step == TlsSocket::Handshake::Waits; ++turns) {
            SSL_do_handshake(client_);
            step = server_->shake_hands();
        }
        SSL_do_handshake(client_);
        return step;
    }
    Transfer receive(size_t room) {
        std::string piece(room, ' ');
        const Transfer got = socket_->receive(piece.data(), room);
        got_.append(piece, 0, got.bytes);
        return got;
    }
    Error refused(const fs::path& cert, const fs::path& key) {
        const Result<TlsContext> made = tls_context(cert.string(), key.string());
        return made ? Error{} : made.error();
    }

    fs::path folder_;
    TlsContext context_;
    std::optional<ClientSocket> socket_;
    TlsSocket* server_ = nullptr;
    std::string got_;
    int peer_ = -1;
    SSL_CTX* client_context_ = nullptr;
    SSL* client_ = nullptr;
};

TEST_F(Tls, NamesTheFileThatIsWrong) {
    EXPECT_EQ(refused(folder_ / "absent.pem", folder_ / "k.pem").where, "http.tls.cert");
    EXPECT_EQ(refused(folder_ / "c.pem", folder_ / "c.pem").where, "http.tls.key");
    write_pair(folder_ / "c2.pem", folder_ / "k2.pem");
    const Error foreign = refused(folder_ / "c.pem", folder_ / "k2.pem");
    EXPECT_EQ(foreign.where, "http.tls.key");
    EXPECT_NE(foreign.message.find("k2.pem"), std::string::npos);
    EXPECT_EQ(foreign.code, ErrorCode::Misconfigured);
}

TEST_F(Tls, GivesTheSystemsReasonForAFileThatCannotBeRead) {
    const std::string absent = refused(folder_ / "absent.pem", folder_ / "k.pem").message;
    EXPECT_NE(absent.find("(No such file or directory)"), std::string::npos) << absent;
}

TEST_F(Tls, SaysWhetherClientsWillTakeTheCertificateNow) {
    const int64_t now_ms = SystemClock().unix_ms();
    const auto said = [&](long from_s, long until_s) {
        write_pair(folder_ / "other.pem", folder_ / "k.pem", from_s, until_s);
        const TlsContext context = *tls_context((folder_ / "other.pem").string(), (folder_ / "k.pem").string());
        const Status valid = check_validity(context, "other.pem", now_ms);
        return valid ? "" : valid.error().to_string();
    };
    EXPECT_EQ(said(-60, 60), "");
    EXPECT_EQ(said(-60, -30).rfind("http.tls.cert: other.pem has expired on 20", 0), 0U);
    EXPECT_EQ(said(30, 60).rfind("http.tls.cert: other.pem is valid from 20", 0), 0U);
}

TEST_F(Tls, SpeaksTls12And13AndNothingOlder) {
    EXPECT_EQ(meet(), TlsSocket::Handshake::Done);
    EXPECT_EQ(SSL_version(client_), TLS1_3_VERSION);
}
TEST_F(Tls, SpeaksTls12) {
    EXPECT_EQ(meet(TLS1_2_VERSION), TlsSocket::Handshake::Done);
    EXPECT_EQ(SSL_version(client_), TLS1_2_VERSION);
}
TEST_F(Tls, RefusesTls11) {
    EXPECT_EQ(meet(TLS1_1_VERSION), TlsSocket::Handshake::Failed);
}

TEST_F(Tls, NeverWaitsInTheHandshake) {
    EXPECT_EQ(server_->shake_hands(), TlsSocket::Handshake::Waits);
    EXPECT_EQ(::write(peer_, "\x16\x03\x01", 3), 3);
    EXPECT_EQ(server_->shake_hands(), TlsSocket::Handshake::Waits);
    EXPECT_FALSE(server_->is_ready());
    EXPECT_EQ(receive(1).outcome, Outcome::Broken);
}

TEST_F(Tls, TellsPlainHttpWhatIsSpokenHere) {
    const std::string request = "GET /health HTTP/1.1\r\n\r\n";
    EXPECT_EQ(::write(peer_, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    EXPECT_EQ(server_->shake_hands(), TlsSocket::Handshake::SpokeHttp);
    char answer[300] = {};
    EXPECT_GT(::read(peer_, answer, sizeof answer - 1), 0);
    EXPECT_EQ(std::string(answer).rfind("HTTP/1.1 400", 0), 0u);
    EXPECT_NE(std::string(answer).find("HTTPS"), std::string::npos);
}

TEST_F(Tls, SaysGoodbyeBeforeTheDescriptorIsClosed) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    socket_.reset();
    char none = 0;
    const int read = SSL_read(client_, &none, 1);
    EXPECT_EQ(SSL_get_error(client_, read), SSL_ERROR_ZERO_RETURN);
}

TEST_F(Tls, CarriesMoreThanOneRecordBothWays) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    EXPECT_EQ(receive(100).outcome, Outcome::WaitsToRead);
    const std::string sent(40'000, 'x');
    ASSERT_EQ(SSL_write(client_, sent.data(), static_cast<int>(sent.size())), static_cast<int>(sent.size()));
    while (got_.size() < sent.size() && receive(3000).outcome == Outcome::Done) {
    }
    EXPECT_EQ(got_, sent);
    EXPECT_EQ(receive(100).outcome, Outcome::WaitsToRead);
    EXPECT_TRUE(socket_->send(sent, std::chrono::seconds(5)));
    std::string heard(sent.size(), ' ');
    for (size_t n = 0; n < heard.size();) {
        const int more = SSL_read(client_, heard.data() + n, static_cast<int>(heard.size() - n));
        ASSERT_GT(more, 0);
        n += static_cast<size_t>(more);
    }
    EXPECT_EQ(heard, sent);
}

TEST_F(Tls, TellsAndSeesTheEnd) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    SSL_shutdown(client_);
    EXPECT_EQ(receive(1).outcome, Outcome::Ended);
    server_->say_goodbye();
    char none = 0;
    EXPECT_EQ(SSL_read(client_, &none, 1), 0);
    EXPECT_EQ(SSL_get_error(client_, 0), SSL_ERROR_ZERO_RETURN);
}

TEST_F(Tls, AnswersWhoClosedItsSideWithoutAGoodbye) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    ASSERT_EQ(SSL_write(client_, "request", 7), 7);
    ::shutdown(peer_, SHUT_WR);
    EXPECT_EQ(receive(100).outcome, Outcome::Done);
    EXPECT_EQ(got_, "request");
    EXPECT_EQ(receive(100).outcome, Outcome::Ended) << "nothing more comes";
    EXPECT_TRUE(socket_->send("answer", std::chrono::seconds(5)));
    char piece[16] = {};
    EXPECT_EQ(SSL_read(client_, piece, sizeof piece), 6);
}

TEST_F(Tls, TakesABrokenPeerForBroken) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    EXPECT_EQ(::write(peer_, "no record of TLS", 16), 16);
    EXPECT_EQ(receive(1).outcome, Outcome::Broken);
    EXPECT_EQ(receive(1).outcome, Outcome::Broken);
    EXPECT_FALSE(socket_->send("x", std::chrono::seconds(5)));
}

}  // namespace
}  // namespace belfry::api
