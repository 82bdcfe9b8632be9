// SPDX-License-Identifier: Apache-2.0
// A server over real sockets on loopback, a raw client, and a delivery that can be held up. Threads: one test's.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "api/api_fakes.h"
#include "api/server.h"
#include "base/handles.h"

namespace belfry::api {

// A raw client: bytes out, bytes in.
class Peer {
public:
    enum class Reads : bool { Well, Little };  // Little: hardly anything fits between the server and this client
    explicit Peer(const std::string& address, Reads reads = Reads::Well) {
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
            const int room = 2048, segment = 536;
            if (reads == Reads::Little) {
                EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
                EXPECT_EQ(::setsockopt(fd_.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment), 0);
            }
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

inline std::string post(const std::string& method, const std::string& body, const std::string& more = "") {
    return "POST /api/" + method + " HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\n" + more +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A request up to its body.
inline std::string head_of_body(size_t length) {
    return "POST /api/cancel_push HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nContent-Length: " + std::to_string(length) +
           "\r\n\r\n";
}

inline const std::string kCancel = R"({"uid":"known"})";
inline const std::string kDone = R"({"result":{}})";

inline bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Delivery that holds status calls until it is told to go on, and sends, if wanted, until their answers are brought.
class SlowDelivery final : public delivery::Delivery {
public:
    void accept_then(delivery::PushRequest&& push, AcceptDone done) override {
        std::unique_lock lock(mutex_);
        sends_.push_back([uid = push.uid, done = std::move(done)] { done(delivery::Accepted{uid, false}); });
        changed_.notify_all();
        lock.unlock();
        if (!hold_sends) bring_answers();
    }
    void wait_for_sends(size_t n) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return sends_.size() >= n; });
    }
    void bring_answers() {
        std::unique_lock lock(mutex_);
        const std::vector<std::function<void()>> brought = std::exchange(sends_, {});
        lock.unlock();
        for (const auto& answer : brought) answer();
    }
    std::atomic<bool> hold_sends{false};

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
    std::vector<std::function<void()>> sends_;
    int inside_ = 0;
    bool open_ = false;
};

class ApiServer : public ::testing::Test {
protected:
    void start() {
        options_.keys.apps = {{"k", std::make_shared<const App>(ApiBench::app("default"))}};
        Result<std::unique_ptr<Server>> server =
            Server::start(options_, delivery_, devices_, channels_,
                          Insight{[this] { return page_; }, [] { return std::vector<ComponentState>(); }, "1"}, clock_,
                          log_, metrics_);
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
    std::string page_;  // what /metrics answers
    SlowDelivery delivery_;
    FakeDevices devices_;
    FakeChannels channels_;
    ManualClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    std::unique_ptr<Server> server_;
};

}  // namespace belfry::api
