// SPDX-License-Identifier: Apache-2.0
// The listener's TLS over real sockets: what is refused, what waits for nobody, what is kept.
#include "api/tls_socket.h"

#include <Poco/AutoPtr.h>
#include <Poco/Net/NetException.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "api/tls_fakes.h"

namespace belfry::api {
namespace {

namespace fs = std::filesystem;

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
        server_ = Poco::AutoPtr<TlsSocket>(new TlsSocket(ends[1], context_, std::chrono::seconds(5)));
    }
    ~Tls() override {
        SSL_free(client_);
        SSL_CTX_free(client_context_);
        server_ = nullptr;
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
    Error refused(const fs::path& cert, const fs::path& key) {
        const Result<TlsContext> made = tls_context(cert.string(), key.string());
        return made ? Error{} : made.error();
    }

    fs::path folder_;
    TlsContext context_;
    Poco::AutoPtr<TlsSocket> server_;
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
    char none = 0;
    EXPECT_THROW(server_->receiveBytes(&none, 1, 0), Poco::Net::NetException);
}

TEST_F(Tls, TellsPlainHttpWhatIsSpokenHere) {
    const std::string request = "GET /health HTTP/1.1\r\n\r\n";
    EXPECT_EQ(::write(peer_, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    EXPECT_EQ(server_->shake_hands(), TlsSocket::Handshake::Failed);
    char answer[300] = {};
    EXPECT_GT(::read(peer_, answer, sizeof answer - 1), 0);
    EXPECT_EQ(std::string(answer).rfind("HTTP/1.1 400", 0), 0u);
    EXPECT_NE(std::string(answer).find("HTTPS"), std::string::npos);
}

// Poco's session closes its socket before the last reference to it goes.
TEST_F(Tls, SaysGoodbyeWhenItClosesAndWritesNothingAfterwards) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    const int fd = server_->sockfd();
    server_->close();
    char none = 0;
    const int read = SSL_read(client_, &none, 1);
    EXPECT_EQ(SSL_get_error(client_, read), SSL_ERROR_ZERO_RETURN);
    int strangers[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, strangers), 0);
    ASSERT_TRUE(strangers[0] == fd || strangers[1] == fd) << "the number was free";
    server_ = nullptr;
    EXPECT_EQ(::read(strangers[0], &none, 1), -1);
    EXPECT_EQ(::read(strangers[1], &none, 1), -1);
    EXPECT_EQ(errno, EAGAIN) << "still open, and nothing was written to it";
    ::close(strangers[0]);
    ::close(strangers[1]);
}

TEST_F(Tls, KeepsWhatItLookedAtForTheReader) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    EXPECT_TRUE(server_->look_ahead(100));
    EXPECT_TRUE(server_->ahead().empty());
    const std::string sent(10'000, 'x');
    ASSERT_EQ(SSL_write(client_, sent.data(), static_cast<int>(sent.size())), static_cast<int>(sent.size()));
    EXPECT_TRUE(server_->look_ahead(100));
    const size_t ahead = server_->ahead().size();
    EXPECT_GE(ahead, 100u);
    EXPECT_LT(ahead, sent.size()) << "only as much as was asked for";
    std::string got;
    char piece[3000];
    while (got.size() < sent.size()) {
        const int n = server_->receiveBytes(piece, sizeof piece, 0);
        got.append(piece, static_cast<size_t>(n));
    }
    EXPECT_EQ(got, sent);
    EXPECT_EQ(server_->sendBytes("answer", 6, 0), 6);
    EXPECT_EQ(SSL_read(client_, piece, sizeof piece), 6);
}

TEST_F(Tls, TellsAndSeesTheEnd) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    SSL_shutdown(client_);
    char none = 0;
    EXPECT_EQ(server_->receiveBytes(&none, 1, 0), 0);
    EXPECT_FALSE(server_->look_ahead(1));
    server_->say_goodbye();
    EXPECT_EQ(SSL_read(client_, &none, 1), 0);
    EXPECT_EQ(SSL_get_error(client_, 0), SSL_ERROR_ZERO_RETURN);
}

TEST_F(Tls, AnswersWhoClosedItsSideWithoutAGoodbye) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    ASSERT_EQ(SSL_write(client_, "request", 7), 7);
    ::shutdown(peer_, SHUT_WR);
    EXPECT_FALSE(server_->look_ahead(100)) << "nothing more comes";
    EXPECT_EQ(server_->ahead(), "request");
    char piece[16] = {};
    EXPECT_EQ(server_->receiveBytes(piece, sizeof piece, 0), 7);
    EXPECT_THROW(server_->receiveBytes(piece, sizeof piece, 0), Poco::Net::NetException) << "this end may be a cut";
    EXPECT_EQ(server_->sendBytes("answer", 6, 0), 6);
    EXPECT_EQ(SSL_read(client_, piece, sizeof piece), 6);
}

TEST_F(Tls, TakesABrokenPeerForBroken) {
    ASSERT_EQ(meet(), TlsSocket::Handshake::Done);
    EXPECT_EQ(::write(peer_, "no record of TLS", 16), 16);
    EXPECT_FALSE(server_->look_ahead(1));
    char none = 0;
    EXPECT_THROW(server_->receiveBytes(&none, 1, 0), Poco::Net::NetException);
    EXPECT_THROW(server_->sendBytes("x", 1, 0), Poco::Net::NetException);
}

}  // namespace
}  // namespace belfry::api
