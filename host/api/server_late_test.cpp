// SPDX-License-Identifier: Apache-2.0
// Answers that come when a push is durable: nobody holds a thread meanwhile.
#include <thread>

#include "api/server_rig.h"

namespace belfry::api {
namespace {

std::string send_of(const std::string& uid) {
    return post("send_push_notification", R"({"uid":")" + uid + R"(","recipient":{"fcm_tokens":["t"]},)" +
                                              R"("notification":{"fcm":{"message":{}}}})");
}

std::string sent(const std::string& uid) {
    return R"({"result":{"uid":")" + uid + R"("}})";
}

TEST_F(ApiServer, WaitsForManySendsWithoutThreads) {
    constexpr size_t kClients = 50;
    options_.threads_max = 2;
    delivery_.hold_sends = true;
    start();
    std::vector<std::unique_ptr<Peer>> clients;
    for (size_t i = 0; i < kClients; ++i) {
        clients.push_back(std::make_unique<Peer>(server_->address()));
        clients.back()->send(send_of("p" + std::to_string(i)));
    }
    delivery_.wait_for_sends(kClients);
    Peer other(server_->address());
    other.send(post("cancel_push", kCancel));
    EXPECT_TRUE(ends_with(other.answer(), kDone));
    delivery_.bring_answers();
    for (size_t i = 0; i < kClients; ++i) EXPECT_TRUE(ends_with(clients[i]->answer(), sent("p" + std::to_string(i))));
}

TEST_F(ApiServer, AnswersRequestsOfOneConnectionInTurnThoughTheFirstIsLate) {
    delivery_.hold_sends = true;
    start();
    Peer peer(server_->address());
    peer.send(send_of("a") + post("cancel_push", kCancel) + send_of("b"));
    delivery_.wait_for_sends(1);
    peer.send(post("cancel_push", kCancel));
    EXPECT_EQ(peer.some(50), "");
    delivery_.bring_answers();
    EXPECT_TRUE(ends_with(peer.answer(), sent("a")));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
    delivery_.wait_for_sends(1);
    delivery_.bring_answers();
    EXPECT_TRUE(ends_with(peer.answer(), sent("b")));
    EXPECT_TRUE(ends_with(peer.answer(), kDone));
}

TEST_F(ApiServer, OutlivesClientsThatLeaveBeforeTheirAnswer) {
    options_.threads_max = 1;
    delivery_.hold_sends = true;
    start();
    for (int i = 0; i < 10; ++i) {
        Peer peer(server_->address());
        peer.send(send_of("gone"));
        delivery_.wait_for_sends(static_cast<size_t>(i) + 1);
    }
    delivery_.bring_answers();
    delivery_.hold_sends = false;
    Peer peer(server_->address());
    peer.send(send_of("stays"));
    EXPECT_TRUE(ends_with(peer.answer(), sent("stays")));
}

TEST_F(ApiServer, StopsOnlyWhenLateAnswersHaveCome) {
    delivery_.hold_sends = true;
    start();
    Peer in_time(server_->address());
    in_time.send(send_of("in time"));
    delivery_.wait_for_sends(1);
    std::atomic<bool> stopped{false};
    std::thread stopping([&] {
        server_->stop(clock_.mono_ns() + 3600 * kNsPerSecond);
        stopped = true;
    });
    while (Peer(server_->address()).connected()) std::this_thread::yield();
    EXPECT_FALSE(stopped);
    delivery_.bring_answers();
    EXPECT_TRUE(ends_with(in_time.answer(), sent("in time")));
    stopping.join();
}

TEST_F(ApiServer, CutsClientsWhoseAnswersAreLaterThanItsStop) {
    constexpr size_t kClients = 20;
    delivery_.hold_sends = true;
    start();
    std::vector<std::unique_ptr<Peer>> clients;
    for (size_t i = 0; i < kClients; ++i) {
        clients.push_back(std::make_unique<Peer>(server_->address()));
        clients.back()->send(send_of("a"));
        delivery_.wait_for_sends(i + 1);
    }
    // Its answers come when their workers are being joined: no further ones may start.
    std::thread stopping([&] { server_->stop(0); });
    for (const auto& client : clients) EXPECT_TRUE(client->closed_within(5000));
    delivery_.bring_answers();
    stopping.join();
}

}  // namespace
}  // namespace belfry::api
