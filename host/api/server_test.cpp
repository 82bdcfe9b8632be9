// SPDX-License-Identifier: Apache-2.0
// The server over real sockets on loopback: what clients do right, and what they do wrong.
#include <filesystem>
#include <fstream>
#include <thread>

#include "api/server_rig.h"

namespace belfry::api {
namespace {

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
