// SPDX-License-Identifier: Apache-2.0
// The server over real sockets on loopback: what clients do right, and what they do wrong.
#include "api/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "api/api_fakes.h"
#include "base/handles.h"

namespace belfry::api {
namespace {

// A raw client: bytes out, bytes in.
class Peer {
public:
    explicit Peer(const std::string& address) {
        if (address.rfind("unix:", 0) == 0) {
            sockaddr_un to{};
            to.sun_family = AF_UNIX;
            address.copy(to.sun_path, sizeof to.sun_path - 1, 5);
            fd_.reset(::socket(AF_UNIX, SOCK_STREAM, 0));
            connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
        } else {
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
            fd_.reset(::socket(AF_INET, SOCK_STREAM, 0));
            connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
        }
    }
    bool connected() const { return connected_; }
    void send(const std::string& bytes) const {
        EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    // One whole answer, or what there is when the peer closes or nothing comes for `ms`.
    std::string answer(int ms = 5000) {
        while (true) {
            const size_t head = in_.find("\r\n\r\n");
            if (head != std::string::npos) {
                const size_t at = in_.find("Content-Length: ");
                const size_t length = at == std::string::npos || at > head ? 0 : std::stoul(in_.substr(at + 16));
                const size_t size = head + 4 + length;
                if (in_.size() >= size) {
                    const std::string out = in_.substr(0, size);
                    in_.erase(0, size);
                    return out;
                }
            }
            if (!receive(ms)) return std::exchange(in_, {});
        }
    }
    // What comes next, whatever it is; empty: the peer closed, or nothing comes for `ms`.
    std::string some(int ms) {
        if (in_.empty()) receive(ms);
        return std::exchange(in_, {});
    }
    bool closed_within(int ms) {
        while (receive(ms)) {
        }
        return closed_;
    }
    bool was_reset() const { return reset_; }
    void hang_up() { fd_.reset(); }
    void finish() const { ::shutdown(fd_.get(), SHUT_WR); }

private:
    bool receive(int ms) {
        pollfd wanted{fd_.get(), POLLIN, 0};
        if (::poll(&wanted, 1, ms) <= 0) return false;
        char buffer[4096];
        const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        closed_ = n <= 0;
        reset_ = n < 0;
        if (n > 0) in_.append(buffer, static_cast<size_t>(n));
        return n > 0;
    }
    UniqueFd fd_;
    std::string in_;
    bool connected_ = false, closed_ = false, reset_ = false;
};

std::string post(const std::string& method, const std::string& body, const std::string& more = "") {
    return "POST /api/" + method + " HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\n" + more +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A request up to its body.
std::string head_of_body(size_t length) {
    return "POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nContent-Length: " + std::to_string(length) +
           "\r\n\r\n";
}

const std::string kCancel = R"({"uid":"known"})";
const std::string kDone = R"({"result":{}})";

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Delivery that holds status calls until it is told to go on.
class SlowDelivery final : public delivery::Delivery {
public:
    Result<delivery::Accepted> accept(delivery::PushRequest&&) override { return delivery::Accepted{"u", false}; }
    Result<delivery::CancelResult> cancel(const std::string&, const std::string&) override {
        return delivery::CancelResult::Cancelled;
    }
    Result<delivery::PushStatus> status(const std::string&, const std::string&) override {
        std::unique_lock lock(mutex_);
        ++inside_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
        return delivery::PushStatus{};
    }
    Result<PushPage> list(const std::string&, const std::string&, const std::string&, uint32_t) override {
        return PushPage{};
    }
    Result<delivery::SteerResult> pause(const std::string&, const std::string&) override {
        return delivery::SteerResult::Done;
    }
    Result<delivery::SteerResult> resume(const std::string&, const std::string&) override {
        return delivery::SteerResult::Done;
    }
    Result<delivery::RecipientCount> recipient_count(const std::string&, const delivery::Recipient&, int64_t) override {
        return delivery::RecipientCount{};
    }
    Result<delivery::DeadPage> dead(const std::string&, const std::string&, uint64_t, uint32_t) override {
        return delivery::DeadPage{};
    }
    Result<uint32_t> replay(const std::string&, const std::vector<uint64_t>&, bool) override { return 0u; }
    Result<delivery::QueueStats> queue_stats() override { return delivery::QueueStats{}; }
    std::vector<delivery::ProviderStatus> providers() const override { return {}; }
    void wait_for_callers(int n) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_ >= n; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0;
    bool open_ = false;
};

class ApiServer : public ::testing::Test {
protected:
    void start() {
        options_.keys.apps = {{"k", std::make_shared<const App>(ApiBench::app("default"))}};
        Result<std::unique_ptr<Server>> server =
            Server::start(options_, delivery_, devices_, channels_,
                          Insight{[] { return std::string(); }, [] { return std::vector<ComponentState>(); }, "1"},
                          clock_, log_, metrics_);
        ASSERT_TRUE(server) << server.error().to_string();
        server_ = std::move(*server);
    }
    static ServerOptions small_server() {
        ServerOptions options;
        options.listen = "127.0.0.1:0";
        options.threads_max = 8;
        return options;
    }
    ServerOptions options_ = small_server();
    SlowDelivery delivery_;
    FakeDevices devices_;
    FakeChannels channels_;
    ManualClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    std::unique_ptr<Server> server_;
};

TEST_F(ApiServer, AnswersOnOneConnectionAgainAndAgain) {
    start();
    Peer peer(server_->address());
    for (int i = 0; i < 20; ++i) {
        peer.send(post("cancel_push", kCancel));
        const std::string answer = peer.answer();
        EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\n", 0), 0u) << answer;
        EXPECT_NE(answer.find("Content-Type: application/json\r\n"), std::string::npos);
        EXPECT_TRUE(ends_with(answer, kDone));
        if (i == 10) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // through the epoll set and back
    }
}

TEST_F(ApiServer, AnswersPipelinedRequestsInOrder) {
    start();
    Peer peer(server_->address());
    peer.send(post("cancel_push", kCancel) + post("device_list", "{}") + post("cancel_push", "x"));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    EXPECT_TRUE(ends_with(peer.answer(), R"({"result":{"items":[]}})"));
    EXPECT_TRUE(ends_with(peer.answer(), "Bad Request\n"));
}

TEST_F(ApiServer, ReadsChunkedBodiesAndContinuesOnRequest) {
    start();
    Peer peer(server_->address());
    peer.send("POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.send("5\r\n{\"uid\r\n");
    peer.send("a\r\n\":\"known\"}\r\n0\r\n\r\n");
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    peer.send(
        "POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nExpect: 100-continue\r\nContent-Length: "
        "15\r\n\r\n");
    EXPECT_EQ(peer.answer().rfind("HTTP/1.1 100 Continue\r\n", 0), 0u);
    peer.send(kCancel);
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
}

TEST_F(ApiServer, RefusesLongBodiesBeforeTheyAreSent) {
    options_.http.max_body_bytes = 1000;
    start();
    Peer peer(server_->address());
    peer.send(
        "POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nExpect: 100-continue\r\nContent-Length: "
        "99999999999\r\n\r\n");
    const std::string answer = peer.answer();
    EXPECT_EQ(answer.rfind("HTTP/1.1 413 ", 0), 0u) << answer;
    EXPECT_NE(answer.find("Connection: Close"), std::string::npos) << answer;
}

TEST_F(ApiServer, LetsARefusedClientReadItsAnswer) {
    start();
    for (int i = 0; i < 20; ++i) {
        Peer peer(server_->address());
        const std::string body(300'000, ' ');
        peer.send("POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                  "\r\n\r\n" + body);
        EXPECT_EQ(peer.answer().rfind("HTTP/1.1 401 ", 0), 0u);
    }
}

std::string many_headers(int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += "X" + std::to_string(i) + ": 1\r\n";
    return out;
}

TEST_F(ApiServer, RefusesWhatIsNotHttpOrContradictsItself) {
    start();
    const std::string head = "POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\n";
    const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    struct Case {
        int status;
        std::string bytes;
    };
    const Case cases[] = {
        {400, "GET\r\n\r\n"},
        {400, std::string("\x16\x03\x01\x02\x00\x01", 6) + "\r\n\r\n"},
        {400, "POST /api/cancel_push HTTP/9.9\r\nX-API-Key: k\r\nContent-Length: 2\r\n\r\n{}"},
        {400, head + "Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, head + "Content-Length: 15\r\nContent-Length: 16\r\n\r\n" + kCancel},
        {400, head + "Content-Length: -1\r\n\r\n"},
        {400, head + "Content-Length: 15x\r\n\r\n" + kCancel},
        {400, head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {400, chunked + "0x2\r\n{}\r\n0\r\n\r\n"},
        {400, chunked + "2\r\n{}xx0\r\n\r\n"},
        {400, head + "X: " + std::string(300'000, '\0') + "\r\n\r\n"},
        {431, head + "X: " + std::string(300'000, 'a') + "\r\n\r\n"},
        {431, head + many_headers(1000) + "Content-Length: 15\r\n\r\n" + kCancel},
        {431, head + many_headers(30'000) + "\r\n"},
        {414, "GET /" + std::string(300'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"},
    };
    for (const auto& [status, bytes] : cases) {
        Peer peer(server_->address());
        peer.send(bytes);
        const std::string answer = peer.answer();
        const std::string about = bytes.substr(0, 160) + "\n" + answer;
        EXPECT_EQ(answer.rfind("HTTP/1.1 " + std::to_string(status) + " ", 0), 0u) << about;
        EXPECT_NE(answer.find("\r\nConnection: Close\r\n"), std::string::npos) << about;
        const size_t length = answer.find("\r\nContent-Length: "), body = answer.find("\r\n\r\n");
        ASSERT_NE(length, std::string::npos) << about;
        EXPECT_EQ(answer.size() - body - 4, std::stoul(answer.substr(length + 18))) << about;
        EXPECT_TRUE(peer.closed_within(5000)) << about;
        EXPECT_FALSE(peer.was_reset()) << about;
    }
    Peer other(server_->address());
    other.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(other.answer(), kDone));
}

TEST_F(ApiServer, ServesPagesWithoutABodyForHead) {
    start();
    Peer peer(server_->address());
    peer.send("HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(peer.closed_within(5000));
    Peer old(server_->address());
    old.send("GET /health HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(ends_with(old.answer(), R"({"status":"ok","components":[]})"));
    EXPECT_TRUE(old.closed_within(5000));
}

TEST_F(ApiServer, IsNotStarvedByIdleClients) {
    options_.threads_max = 4;
    start();
    std::vector<std::unique_ptr<Peer>> idle;
    for (int i = 0; i < 100; ++i) {
        idle.push_back(std::make_unique<Peer>(server_->address()));
        ASSERT_TRUE(idle.back()->connected());
        if (i % 2 == 0) {
            idle.back()->send(post("cancel_push", kCancel));
            EXPECT_TRUE(ends_with(idle.back()->answer(), kDone));
        }
    }
    Peer peer(server_->address());
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    for (const auto& one : idle) {
        one->send(post("cancel_push", kCancel));
        EXPECT_TRUE(ends_with(one->answer(), kDone));
    }
}

TEST_F(ApiServer, CutsRequestsThatArriveTooSlowly) {
    options_.request_timeout_s = 30;
    options_.idle_timeout_s = 3600;
    start();
    Peer slow_head(server_->address()), slow_body(server_->address()), slow_long_body(server_->address());
    slow_head.send("POST /api/cancel_push HTTP/1.1\r\nHo");
    slow_body.send(head_of_body(100) + "{");
    slow_long_body.send(head_of_body(100'000) + std::string(40'000, ' '));
    const auto served = [this] { return metrics_.value("api_requests_in_work"); };
    while (served() < 1) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // all clocks run now
    EXPECT_EQ(served(), 1) << "only of the long body so much is there that a worker reads it";
    clock_.advance(std::chrono::seconds(31));
    EXPECT_TRUE(slow_head.closed_within(5000));
    EXPECT_TRUE(slow_body.closed_within(5000));
    EXPECT_TRUE(slow_long_body.closed_within(5000));
}

TEST_F(ApiServer, IsNotStarvedBySlowBodies) {
    options_.threads_max = 4;
    start();
    std::vector<std::unique_ptr<Peer>> slow, slow_and_long;
    for (int i = 0; i < 20; ++i) {
        slow.push_back(std::make_unique<Peer>(server_->address()));
        slow.back()->send(head_of_body(kCancel.size()) + kCancel.substr(0, 5));
    }
    // Of long bodies only so many are read at once that a thread is left.
    for (int i = 0; i < 6; ++i) {
        slow_and_long.push_back(std::make_unique<Peer>(server_->address()));
        slow_and_long.back()->send(head_of_body(100'000) + std::string(40'000, ' '));
    }
    for (int i = 0; i < 3; ++i) {
        Peer peer(server_->address());
        peer.send(post("cancel_push", kCancel));
        EXPECT_TRUE(ends_with(peer.answer(), kDone));
    }
    for (const auto& one : slow) {
        one->send(kCancel.substr(5));
        EXPECT_TRUE(ends_with(one->answer(), kDone));
    }
    int refused = 0;
    for (const auto& one : slow_and_long) {
        if (one->some(0).find("\"code\":111") != std::string::npos) ++refused;
    }
    EXPECT_EQ(refused, 3);
}

TEST_F(ApiServer, AnswersClientsThatSendNothingMore) {
    start();
    Peer whole(server_->address()), part(server_->address()), half_a_head(server_->address()),
        nothing(server_->address());
    whole.send(post("cancel_push", kCancel));
    whole.finish();
    EXPECT_TRUE(ends_with(whole.answer(), kDone));
    EXPECT_TRUE(whole.closed_within(5000));
    part.send(head_of_body(100) + "{");
    part.finish();
    EXPECT_EQ(part.answer().rfind("HTTP/1.1 400 ", 0), 0u) << "its rest will never come";
    EXPECT_TRUE(part.closed_within(5000));
    half_a_head.send("POST /api/cancel_push HTTP/1.1\r\nHo");
    half_a_head.finish();
    EXPECT_EQ(half_a_head.answer().rfind("HTTP/1.1 400 ", 0), 0u);
    EXPECT_TRUE(half_a_head.closed_within(5000));
    nothing.finish();
    EXPECT_TRUE(nothing.closed_within(5000));
}

TEST_F(ApiServer, EndsTheLongestIdleClientsForNewOnes) {
    options_.connections_max = 20;
    start();
    std::vector<std::unique_ptr<Peer>> idle;
    for (int i = 0; i < 20; ++i) {
        idle.push_back(std::make_unique<Peer>(server_->address()));
        idle.back()->send(post("cancel_push", kCancel));
        EXPECT_TRUE(ends_with(idle.back()->answer(), kDone));
        while (metrics_.value("api_requests_in_work") > 0) std::this_thread::yield();  // it idles from here on
        clock_.advance(std::chrono::milliseconds(10));
    }
    for (int i = 0; i < 5; ++i) {
        Peer peer(server_->address());
        peer.send(post("cancel_push", kCancel));
        EXPECT_TRUE(ends_with(peer.answer(), kDone));
        peer.hang_up();
    }
    EXPECT_TRUE(idle.front()->closed_within(5000));
    idle.back()->send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(idle.back()->answer(), kDone)) << "who asked last stays";
}

TEST_F(ApiServer, EndsTheSlowestHeadsForNewOnesIfNobodyIdles) {
    options_.connections_max = 20;
    start();
    const auto exchange = [](Peer& peer) {
        peer.send(post("cancel_push", kCancel));
        EXPECT_TRUE(ends_with(peer.answer(), kDone));
    };
    std::vector<std::unique_ptr<Peer>> slow;
    for (int i = 0; i < 20; ++i) {
        slow.push_back(std::make_unique<Peer>(server_->address()));
        exchange(*slow.back());
        slow.back()->send("P");  // is received before the next one is accepted
    }
    clock_.advance(std::chrono::seconds(2));
    Peer newcomer(server_->address());
    exchange(newcomer);
}

TEST_F(ApiServer, GivesAStreamItsTimePerPiece) {
    options_.request_timeout_s = 30;
    start();
    Peer steady(server_->address()), stuck(server_->address());
    const std::string head =
        "POST /api/device_import HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n";
    // 8 KiB of lines in one chunk: more than one piece.
    std::string lines;
    while (lines.size() < 8192) lines += R"({"provider":"fcm","token":"t)" + std::to_string(lines.size()) + "\"}\n";
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", lines.size());
    const std::string chunk = size + lines + "\r\n";
    steady.send(head);
    stuck.send(head + "1\r\n{\r\n");
    const auto wait_for = [&](const char* gauge, double n) {
        while (metrics_.value(gauge) < n) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the worker waits for bytes now
    };
    wait_for("api_requests_in_work", 2);
    // Each advance is less than the time, all together are far more.
    for (int i = 0; i < 4; ++i) {
        steady.send(chunk);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        clock_.advance(std::chrono::seconds(20));
    }
    EXPECT_TRUE(stuck.closed_within(5000));
    steady.send("0\r\n\r\n");
    EXPECT_NE(steady.answer().find("\"failed\":0"), std::string::npos);
}

TEST_F(ApiServer, SendsAnExportInChunksAndKeepsTheConnection) {
    start();
    audience::DeviceRow row;
    row.key = 1;
    row.provider = "fcm-main";
    row.token = std::string(1000, 't');
    for (int i = 0; i < 50; ++i)
        devices_.pages.push_back({std::vector<audience::DeviceRow>(20, row), i == 49 ? "" : "more", -1});
    Peer peer(server_->address());
    peer.send(post("device_export", "{}"));
    std::string body;
    while (!ends_with(body, "\r\n0\r\n\r\n")) {
        const std::string more = peer.some(5000);
        ASSERT_FALSE(more.empty()) << "the stream has an end";
        body += more;
    }
    EXPECT_NE(body.find("Transfer-Encoding: chunked"), std::string::npos);
    size_t lines = 0;
    for (size_t at = 0; (at = body.find("\"provider\"", at)) != std::string::npos; ++at) ++lines;
    EXPECT_EQ(lines, 1000u);
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));

    Peer old(server_->address());
    devices_.pages = {{{row}, "", -1}};
    old.send("POST /api/device_export HTTP/1.0\r\nX-API-Key: k\r\nContent-Length: 2\r\n\r\n{}");
    std::string plain;
    for (std::string more = old.some(5000); !more.empty(); more = old.some(5000)) plain += more;
    EXPECT_TRUE(ends_with(plain, "\"}\n")) << plain.substr(0, 200);
    EXPECT_EQ(plain.find("chunked"), std::string::npos);
}

TEST_F(ApiServer, CutsAnExportThatFailsInBetweenOrIsNotRead) {
    options_.request_timeout_s = 30;
    start();
    audience::DeviceRow row;
    row.key = 1;
    row.provider = "fcm-main";
    row.token = std::string(4000, 't');
    devices_.pages = {{{row}, "more", -1}, {}};
    devices_.pages_end_in_trouble = true;
    Peer peer(server_->address());
    peer.send(post("device_export", "{}"));
    std::string body;
    for (std::string more = peer.some(5000); !more.empty(); more = peer.some(5000)) body += more;
    EXPECT_NE(body.find("{\"error\":{\"code\":100"), std::string::npos);
    EXPECT_FALSE(ends_with(body, "0\r\n\r\n")) << "the client must see that it is not the whole";

    while (metrics_.value("api_requests_in_work") > 0) std::this_thread::yield();  // the next one counts alone
    devices_.pages_end_in_trouble = false;
    devices_.page = {std::vector<audience::DeviceRow>(200, row), "more", -1};  // for ever
    devices_.pages.clear();
    Peer lazy(server_->address());
    lazy.send(post("device_export", "{}"));
    while (metrics_.value("api_requests_in_work") < 1) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the socket's buffers fill
    clock_.advance(std::chrono::seconds(31));
    while (metrics_.value("api_requests_in_work") > 0) std::this_thread::yield();
    EXPECT_EQ(metrics_.value("api_requests_in_work"), 0) << "its worker is free again";
}

TEST_F(ApiServer, RefusesTlsAtOnceWhereItSpeaksNone) {
    start();
    Peer peer(server_->address());
    peer.send("\x16\x03\x01 /random HTTP/1.1");  // by chance it looks like a head that is not all there
    EXPECT_NE(peer.answer().find(" 400 "), std::string::npos);
}

TEST_F(ApiServer, IsNotStarvedBySlowHeads) {
    options_.threads_max = 4;
    start();
    std::vector<std::unique_ptr<Peer>> slow;
    for (int i = 0; i < 20; ++i) {
        slow.push_back(std::make_unique<Peer>(server_->address()));
        slow.back()->send("POST /api/cancel_push HTTP/1.1\r\n");
    }
    Peer peer(server_->address());
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    const std::string rest =
        post("cancel_push", kCancel).substr(std::string("POST /api/cancel_push HTTP/1.1\r\n").size());
    for (const auto& one : slow) {
        for (const char c : rest) one->send(std::string(1, c));
        EXPECT_TRUE(ends_with(one->answer(), kDone));
        // The connection goes on as any other, pieces included.
        one->send("POST /api/cancel_push HTTP/1.1\r\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        one->send(rest);
        EXPECT_TRUE(ends_with(one->answer(), kDone));
    }
}

TEST_F(ApiServer, GivesTheMethodItsTimeOnceTheRequestHasArrived) {
    start();
    Peer peer(server_->address());
    peer.send(post("push_status", kCancel));
    delivery_.wait_for_callers(1);
    clock_.advance(std::chrono::seconds(300));
    std::this_thread::sleep_for(std::chrono::milliseconds(600));  // two sweeps
    delivery_.open();
    EXPECT_EQ(peer.answer().rfind("HTTP/1.1 200 ", 0), 0u);
}

TEST_F(ApiServer, ClosesConnectionsThatIdleTooLong) {
    options_.idle_timeout_s = 10;
    start();
    Peer peer(server_->address());
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    EXPECT_FALSE(peer.closed_within(50));
    clock_.advance(std::chrono::seconds(11));
    EXPECT_TRUE(peer.closed_within(5000));
}

TEST_F(ApiServer, SurvivesClientsThatHangUp) {
    start();
    for (int i = 0; i < 50; ++i) {
        Peer peer(server_->address());
        peer.send(post("cancel_push", kCancel).substr(0, static_cast<size_t>(i) * 3));
        peer.hang_up();
    }
    Peer peer(server_->address());
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
}

TEST_F(ApiServer, FinishesRequestsInWorkWhenItStops) {
    start();
    Peer working(server_->address()), idle(server_->address());
    working.send(post("push_status", kCancel));
    delivery_.wait_for_callers(1);
    std::thread stopper([this] { server_->stop(clock_.mono_ns() + 10 * kNsPerSecond); });
    EXPECT_TRUE(idle.closed_within(5000));
    EXPECT_FALSE(Peer(server_->address()).connected());
    delivery_.open();
    const std::string answer = working.answer();
    EXPECT_EQ(answer.rfind("HTTP/1.1 200 ", 0), 0u) << answer;
    stopper.join();
    EXPECT_TRUE(working.closed_within(5000));
}

TEST_F(ApiServer, ListensOnUnixSocketsAndCleansUp) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("belfry-api-" + std::to_string(::getpid()) + ".sock")).string();
    options_.listen = "unix:" + path;
    start();
    EXPECT_EQ(server_->address(), "unix:" + path);
    Peer peer(server_->address());
    ASSERT_TRUE(peer.connected());
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    // A second server does not take the socket of a living one.
    Result<std::unique_ptr<Server>> second =
        Server::start(options_, delivery_, devices_, channels_,
                      Insight{[] { return std::string(); }, [] { return std::vector<ComponentState>(); }, "1"}, clock_,
                      log_, metrics_);
    EXPECT_FALSE(second);
    server_->stop(0);
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ApiServer, SaysWhyAnAddressCannotBeUsed) {
    start();
    for (const std::string& listen : {server_->address(), std::string("nonsense"), std::string("127.0.0.1:99999"),
                                      std::string("unix:/no/such/folder/x.sock")}) {
        ServerOptions options;
        options.listen = listen;
        Result<std::unique_ptr<Server>> server =
            Server::start(options, delivery_, devices_, channels_,
                          Insight{[] { return std::string(); }, [] { return std::vector<ComponentState>(); }, "1"},
                          clock_, log_, metrics_);
        ASSERT_FALSE(server) << listen;
        EXPECT_EQ(server.error().code, ErrorCode::Misconfigured);
        EXPECT_NE(server.error().message.find(listen), std::string::npos) << server.error().message;
    }
}

}  // namespace
}  // namespace belfry::api
