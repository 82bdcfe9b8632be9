// SPDX-License-Identifier: Apache-2.0
// Slow, idle and many clients: nobody keeps the others out.
#include <array>
#include <cstdio>
#include <thread>

#include "api/device_import.h"
#include "api/request_clock.h"
#include "api/server_rig.h"

namespace belfry::api {
namespace {

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

// Clients that ask and do not read, of a page that fits into no socket.
std::vector<std::unique_ptr<Peer>> silent_clients(const std::string& address, size_t n, const std::string& requests) {
    std::vector<std::unique_ptr<Peer>> out;
    for (size_t i = 0; i < n; ++i) {
        out.push_back(std::make_unique<Peer>(address, Peer::Reads::Little));
        EXPECT_TRUE(out.back()->connected());
        out.back()->send(requests);
    }
    return out;
}

const std::string kGetPage = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ApiServer, IsNotStarvedByClientsThatDoNotRead) {
    page_ = std::string(100'000, 'p');
    options_.http.body_memory_bytes = 1 << 30;  // all of them may stay
    start();
    std::string pipelined;
    while (pipelined.size() < 30'000) pipelined += "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    const auto silent = silent_clients(server_->address(), 150, kGetPage);
    const auto silent_pipes = silent_clients(server_->address(), 150, pipelined);
    const auto from = std::chrono::steady_clock::now();
    Peer peer(server_->address());
    peer.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::seconds(1));
    while (metrics_.value("api_requests_in_work") > 0) std::this_thread::yield();
    EXPECT_EQ(metrics_.value("api_connections"), 301) << "nobody was ended for it";
}

TEST_F(ApiServer, SendsTheRestOfAnAnswerWhenItsClientReadsOn) {
    page_ = std::string(300'000, 'p') + "end";
    start();
    Peer peer(server_->address(), Peer::Reads::Little);
    for (int i = 0; i < 3; ++i) {
        peer.send(kGetPage + kGetPage + post("cancel_push", kCancel));
        while (metrics_.value("api_requests_in_work") > 0) std::this_thread::yield();
        EXPECT_TRUE(ends_with(peer.answer(), page_));
        EXPECT_TRUE(ends_with(peer.answer(), page_));
        EXPECT_TRUE(ends_with(peer.answer(), kDone));
    }
    // A refusal, too, and then the connection ends without a reset.
    peer.send(kGetPage + "GET\r\n\r\n");
    EXPECT_TRUE(ends_with(peer.answer(), page_));
    EXPECT_EQ(peer.answer().rfind("HTTP/1.1 400 ", 0), 0u);
    EXPECT_TRUE(peer.closed_within(5000));
    EXPECT_FALSE(peer.was_reset());
}

TEST_F(ApiServer, CutsAnswersThatAreNotReadInTime) {
    page_ = std::string(300'000, 'p');
    options_.request_timeout_s = 30;
    options_.idle_timeout_s = 3600;
    start();
    const auto silent = silent_clients(server_->address(), 3, kGetPage);
    while (metrics_.value("api_connections") < 3) std::this_thread::yield();
    for (int turn = 0; turn < 100 && metrics_.value("api_connections") > 0; ++turn) {
        clock_.advance(std::chrono::seconds(31));  // again, should one not have been answered before
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(metrics_.value("api_connections"), 0);
}

TEST_F(ApiServer, EndsThoseThatHaveWaitedLongestWhenAllThatWaitHoldTooMuch) {
    page_ = std::string(300'000, 'p');
    options_.http.body_memory_bytes = 8 << 20;  // 2 MiB for those that wait: seven pages at most
    start();
    std::vector<std::unique_ptr<Peer>> silent, slow;
    const auto ended = [this] { return metrics_.value("api_slow_clients_ended_total"); };
    for (int i = 0; i < 20; ++i) {
        silent.push_back(std::make_unique<Peer>(server_->address(), Peer::Reads::Little));
        silent.back()->send(kGetPage);
        EXPECT_FALSE(silent.back()->some(5000).empty());
        clock_.advance(std::chrono::milliseconds(10));
    }
    while (ended() < 13) std::this_thread::yield();
    EXPECT_LE(ended(), 15) << "five to seven are left of twenty";
    EXPECT_TRUE(silent.front()->closed_within(5000));
    // A request that has begun holds memory as well, and these have begun last.
    for (int i = 0; i < 200; ++i) {
        slow.push_back(std::make_unique<Peer>(server_->address()));
        slow.back()->send("GET /health HTTP/1.1\r\nX: " + std::string(30'000, 'x'));
        clock_.advance(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(silent.back()->closed_within(5000));
    EXPECT_TRUE(slow.front()->closed_within(5000));
    slow.back()->send("\r\n\r\n");
    EXPECT_EQ(slow.back()->answer().rfind("HTTP/1.1 200 ", 0), 0u);
    // One alone may hold more than all together.
    page_ = std::string(5'000'000, 'p') + "end";
    Peer alone(server_->address(), Peer::Reads::Little);
    alone.send(kGetPage);
    EXPECT_FALSE(alone.some(5000).empty());
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
    // More than one piece, and stored as soon as it has come.
    std::string lines;
    for (size_t i = 0; i < kImportBindings; ++i)
        lines += R"({"user_topic_update":{"user":"u","op":"add","topics":["t)" + std::to_string(i) + "\"]}}\n";
    ASSERT_GT(lines.size(), static_cast<size_t>(kPieceBytes));
    std::array<char, 32> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", lines.size());
    const std::string chunk = size.data() + lines + "\r\n";
    steady.send(head);
    stuck.send(head + "1\r\n{\r\n");
    // Each advance is less than the time, all together are far more. Who has not begun to wait when the clock moves is
    // given more time, never less.
    size_t chunks = 0;
    for (bool cut = false; !cut || chunks < 4; ++chunks) {
        ASSERT_LT(chunks, 200u) << "who sends nothing is cut";
        steady.send(chunk);
        while (devices_.bound() < (chunks + 1) * kImportBindings) ASSERT_FALSE(steady.closed_within(0));
        clock_.advance(std::chrono::seconds(20));
        cut = cut || stuck.closed_within(100);
    }
    steady.send("0\r\n\r\n");
    EXPECT_NE(steady.answer().find("\"failed\":0"), std::string::npos);
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

}  // namespace
}  // namespace belfry::api
