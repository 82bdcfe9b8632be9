// SPDX-License-Identifier: Apache-2.0
// The engine and peers that speak HTTP/1.1 only: keep-alive, every kind of body, half answers, and which requests count
// as processed.
#include <atomic>
#include <set>

#include "fakes/raw_server.h"
#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::RawPeer;
using fakes::RawScript;
using fakes::RawServer;

namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

std::string path_of(const std::string& request) {
    const size_t from = request.find(' ') + 1;
    return request.substr(from, request.find(' ', from) - from);
}

// Counts requests by their paths.
class Journal {
public:
    void note(const std::string& request) {
        const std::lock_guard lock(mutex_);
        paths_.insert(path_of(request));
    }
    size_t times(const std::string& path) const {
        const std::lock_guard lock(mutex_);
        return paths_.count(path);
    }
    size_t size() const {
        const std::lock_guard lock(mutex_);
        return paths_.size();
    }
    size_t distinct() const {
        const std::lock_guard lock(mutex_);
        return std::set<std::string>(paths_.begin(), paths_.end()).size();
    }

private:
    mutable std::mutex mutex_;
    std::multiset<std::string> paths_;
};

}  // namespace

class Http1Peer : public EngineRig {
protected:
    // A TLS server without h2 whose connections do `serve`.
    std::unique_ptr<RawServer> server(std::function<void(RawPeer&)> serve, std::string alpn = "http/1.1") {
        RawScript script;
        script.ca = &ca_;
        script.alpn = std::move(alpn);
        script.serve = std::move(serve);
        return std::make_unique<RawServer>(std::move(script));
    }
    EndpointConfig config_of(const RawServer& server) const {
        EndpointConfig config;
        config.url = server.url();
        config.ca_file = ca_.file();
        config.http1_ok = true;
        return config;
    }
    double meter(const std::string& name, const RawServer& server) {
        return metrics_.value(name, {{"endpoint", "localhost:" + std::to_string(server.port())}});
    }
    // Answers each request as `answer` says until the connection ends.
    std::function<void(RawPeer&)> answering(std::string answer = kOk) {
        return [this, answer](RawPeer& peer) {
            for (std::string request; !(request = peer.read_request()).empty();) {
                journal_.note(request);
                if (!peer.write(answer)) return;
            }
        };
    }
    Journal journal_;
};

TEST_F(Http1Peer, GetsRequestsOneAfterTheOtherOnBoundedConnections) {
    for (const char* alpn : {"http/1.1", ""}) {
        const auto peer = server(answering(), alpn);
        EndpointConfig config = config_of(*peer);
        config.connections_max = 4;
        const Plan plan = plan_for(add(config));
        Batch batch(plan, 300);
        batch.portion.unsent_until_mono_ns = in(30s);
        submit(batch);
        ASSERT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::Answered, 200), 300u);
        EXPECT_EQ(batch.exchanges[7].body(), "ok");
        EXPECT_LE(peer->accepted(), 4);
    }
    EXPECT_EQ(journal_.size(), 600u);
    EXPECT_EQ(journal_.distinct(), 300u);
}

TEST_F(Http1Peer, NeedsTheEndpointsConsent) {
    const auto peer = server(answering());
    EndpointConfig config = config_of(*peer);
    config.http1_ok = false;
    const EndpointId endpoint = add(config);
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 1);
    batch.portion.unsent_until_mono_ns = in(200ms);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 1u);
    EXPECT_EQ(journal_.size(), 0u);
}

TEST_F(Http1Peer, IsNotUsedWhenItHasHttp2) {
    fakes::H2Server peer(ca_, fakes::ServerScript{});
    EndpointConfig config = config_for(peer);
    config.http1_ok = true;
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 10);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 10u);
    EXPECT_EQ(peer.accepted(), 1);
}

struct Shape {
    const char* what;
    std::string answer;
    std::string body;
    bool closes;  // the server does, after it
};

TEST_F(Http1Peer, MayAnswerInEveryShape) {
    const std::string x(300, 'x');
    const Shape shapes[] = {
        {"length", "HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n" + x, x, false},
        {"chunks",
         "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n" + x.substr(0, 100) + "\r\nc8\r\n" +
             x.substr(100) + "\r\n0\r\n\r\n",
         x, false},
        {"until the end", "HTTP/1.1 200 OK\r\n\r\n" + x, x, true},
        {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n" + x, x, false},
        {"closing", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 300\r\n\r\n" + x, x, true},
    };
    for (const Shape& shape : shapes) {
        const auto peer = server([&shape](RawPeer& p) {
            while (!p.read_request().empty()) {
                p.write(shape.answer);
                if (shape.closes) return p.finish();
            }
        });
        EndpointConfig config = config_of(*peer);
        config.connections_max = 1;
        const EndpointId endpoint = add(config);
        const Plan plan = plan_for(endpoint);
        Batch batch(plan, 5);
        submit(batch);
        ASSERT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::Answered, 200), 5u) << shape.what;
        for (const Exchange& exchange : batch.exchanges) EXPECT_EQ(exchange.body(), shape.body) << shape.what;
        EXPECT_EQ(peer->accepted(), shape.closes ? 5 : 1) << shape.what;
        CallRequest request;
        request.method = "POST";
        const Result<CallAnswer> called = engine_->call(endpoint, request, in(5s));
        ASSERT_TRUE(called.has_value()) << shape.what << ": " << called.error().to_string();
        EXPECT_EQ(called->body, shape.body);
    }
}

// What a fault leaves known: only bytes that never left are sent again.
TEST_F(Http1Peer, MakesEveryHalfAnswerUnknownAndIsAskedNothingTwice) {
    struct Half {
        const char* what;
        std::string answer;
        std::function<void(RawPeer&)> end;
        Transport batch, call;  // of a request whose status is enough, and of one that needs the whole answer
    };
    const auto finish = [](RawPeer& p) { p.finish(); };
    const auto reset = [](RawPeer& p) { p.reset(); };
    const auto cut = [](RawPeer&) {};
    const Half halves[] = {
        {"nothing, closed", "", finish, Transport::Unknown, Transport::Unknown},
        {"nothing, reset", "", reset, Transport::Unknown, Transport::Unknown},
        {"half a line", "HTTP/1.1 2", finish, Transport::Unknown, Transport::Unknown},
        {"half a head", "HTTP/1.1 200 OK\r\ncontent-le", reset, Transport::Unknown, Transport::Unknown},
        {"half a body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour", finish, Transport::Answered,
         Transport::Unknown},
        {"half a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nfour", finish, Transport::Answered,
         Transport::Unknown},
        {"a cut connection", "HTTP/1.1 200 OK\r\n\r\nfour", cut, Transport::Answered, Transport::Unknown},
        {"interim only", "HTTP/1.1 100 Continue\r\n\r\n", finish, Transport::Unknown, Transport::Unknown},
        {"no HTTP", "SSH-2.0-x\r\n", finish, Transport::Unknown, Transport::Unknown},
    };
    for (const Half& half : halves) {
        Journal journal;
        const auto peer = server([&](RawPeer& p) {
            const std::string request = p.read_request();
            if (request.empty()) return;
            journal.note(request);
            p.write(half.answer);
            half.end(p);
        });
        EndpointConfig config = config_of(*peer);
        config.connections_max = 1;
        const EndpointId endpoint = add(config);
        const Plan plan = plan_for(endpoint);
        Batch batch(plan, 3);
        batch.portion.unsent_until_mono_ns = in(20s);
        submit(batch);
        ASSERT_TRUE(batch.wait()) << half.what;
        EXPECT_EQ(batch.count(half.batch), 3u) << half.what;
        for (const Exchange& exchange : batch.exchanges)
            EXPECT_EQ(exchange.transport == Transport::Answered, exchange.cut) << half.what;
        CallRequest request;
        request.path = "/call";
        const Result<CallAnswer> called = engine_->call(endpoint, request, in(5s));
        EXPECT_FALSE(called.has_value()) << half.what;
        EXPECT_EQ(journal.size(), 4u) << half.what;
        EXPECT_EQ(journal.distinct(), 4u) << half.what;
    }
}

TEST_F(Http1Peer, ThatAnswersTooLateLosesItsConnectionOnly) {
    const auto peer = server([](RawPeer& p) {
        for (std::string request; !(request = p.read_request()).empty();) {
            if (path_of(request) == "/push/t0") return p.wait();
            p.write(kOk);
        }
    });
    EndpointConfig config = config_of(*peer);
    config.connections_max = 1;
    const Plan plan = plan_for(add(config));
    warm_up(plan);
    Batch batch(plan, 5);
    batch.portion.answer_timeout_ns = 100 * kNsPerMs;
    batch.portion.unsent_until_mono_ns = in(20s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.exchanges[0].transport, Transport::Unknown);
    EXPECT_EQ(batch.count(Transport::Answered, 200), 4u);
    EXPECT_EQ(peer->accepted(), 2);
    EXPECT_EQ(meter("http_timeouts_total", *peer), 1);
}

TEST_F(Http1Peer, MayCloseIdleConnectionsWheneverItLikes) {
    std::atomic<bool> served{false};
    const auto peer = server([&](RawPeer& p) {
        p.read_request();
        p.write(kOk);
        served = true;
        p.finish();
    });
    EndpointConfig config = config_of(*peer);
    config.connections_max = 1;
    const Plan plan = plan_for(add(config));
    for (int round = 0; round < 3; ++round) {
        warm_up(plan);
        EXPECT_TRUE(eventually([&] { return meter("http_connections", *peer) == 0; }));
    }
    EXPECT_EQ(peer->accepted(), 3);
    EXPECT_EQ(meter("http_connect_failures_total", *peer), 0);
}

// With TLS 1.2 its goodbye comes along with the end of the handshake: often before a request could be sent.
TEST_F(Http1Peer, ThatClosesEveryConnectionIsNotHammered) {
    RawScript script;
    script.ca = &ca_;
    script.tls12 = true;
    script.serve = [](RawPeer& p) { p.finish(); };
    RawServer peer(std::move(script));
    EndpointConfig config = config_of(peer);
    config.connections_max = 1;
    const EndpointId endpoint = add(config);
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 50);
    batch.portion.unsent_until_mono_ns = in(1s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered), 0u);
    // Waits of 50, 100, 200, 400, 800 ms at least.
    EXPECT_LE(peer.accepted(), 6);
    EXPECT_TRUE(eventually([&] { return meter("http_connect_failures_total", peer) == peer.accepted(); }));
    EXPECT_NE(engine_->last_connect_error(endpoint), "");
}

TEST_F(Http1Peer, WhoseStatusCameInTimeHasAnswered) {
    const auto peer = server([this](RawPeer& p) {
        journal_.note(p.read_request());
        p.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour");
        p.wait();
    });
    EndpointConfig config = config_of(*peer);
    config.connections_max = 1;
    Plan plan = plan_for(add(config));
    for (const bool whole : {false, true}) {
        plan.always_detail = whole;
        Batch batch(plan, 2, whole ? "whole" : "status");
        batch.portion.answer_timeout_ns = 200 * kNsPerMs;
        batch.portion.unsent_until_mono_ns = in(20s);
        submit(batch);
        ASSERT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(whole ? Transport::Unknown : Transport::Answered), 2u);
        EXPECT_TRUE(batch.exchanges[0].cut);
    }
    EXPECT_EQ(meter("http_timeouts_total", *peer), 4);
    EXPECT_EQ(journal_.distinct(), 4u);
    EXPECT_EQ(journal_.size(), 4u);
}

TEST_F(Http1Peer, IsNotKeptLongerThanItCouldBeProbed) {
    const auto peer = server(answering());
    EndpointConfig config = config_of(*peer);
    config.ping_s = 1;
    const Plan plan = plan_for(add(config));
    warm_up(plan);
    EXPECT_EQ(meter("http_connections", *peer), 1);
    EXPECT_TRUE(eventually([&] { return peer->open() == 0; }));
    EXPECT_EQ(meter("http_connect_failures_total", *peer), 0);
}

TEST_F(Http1Peer, MayCutOverlongAnswersShort) {
    const auto peer = server([](RawPeer& p) {
        p.read_request();
        p.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        const std::string chunk = "400\r\n" + std::string(1024, 'x') + "\r\n";
        while (p.write(chunk)) {
        }
    });
    EndpointConfig config = config_of(*peer);
    config.connections_max = 1;
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 3);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 3u);
    for (const Exchange& exchange : batch.exchanges) {
        EXPECT_TRUE(exchange.truncated);
        EXPECT_FALSE(exchange.cut);
        EXPECT_EQ(exchange.body().size(), plan.answer_max);
    }
    EXPECT_EQ(peer->accepted(), 3);
}

TEST_F(Http1Peer, SendsBodiesThatFillEveryBuffer) {
    std::atomic<bool> whole{true};
    const auto peer = server([&](RawPeer& p) {
        for (std::string request; !(request = p.read_request()).empty();) {
            whole = whole && request.size() > 4'000'000 && request.ends_with("end");
            p.write(kOk);
        }
    });
    Plan plan = plan_for(add(config_of(*peer)));
    std::string payload(4'000'000, 'p');
    payload += "end";
    plan.body = {{PieceKind::Payload, 0, static_cast<uint32_t>(payload.size())}};
    Batch batch(plan, 3);
    for (Exchange& exchange : batch.exchanges) exchange.payload = payload;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 3u);
    EXPECT_TRUE(whole);
}

// RFC 9112 9.3: a peer may answer before it has read a request, and never read the rest of it.
TEST_F(Http1Peer, ThatReadsNoFurtherGivesItsPlaceBack) {
    const auto peer = server([this](RawPeer& p) {
        if (p.number() > 1) return answering()(p);
        p.read_until("\r\n\r\n");
        if (p.number() == 0) p.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n");
        p.ignore();
    });
    EndpointConfig config = config_of(*peer);
    config.connections_max = 1;
    const EndpointId endpoint = add(config);
    Plan plan = plan_for(endpoint);
    const std::string payload(16'000'000, 'p');
    plan.body = {{PieceKind::Payload, 0, static_cast<uint32_t>(payload.size())}};
    Batch large(plan, 1, "large");
    large.exchanges[0].payload = payload;
    submit(large);
    ASSERT_TRUE(large.wait());
    EXPECT_EQ(large.count(Transport::Answered, 413), 1u);
    EXPECT_TRUE(eventually([&] { return meter("http_connections", *peer) == 0; }));
    // The same without an answer: who waited for it does not any more.
    CallRequest request;
    request.method = "POST";
    request.body = payload;
    const Result<CallAnswer> late = engine_->call(endpoint, request, in(300ms));
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ErrorCode::DeadlineExceeded);
    EXPECT_TRUE(eventually([&] { return meter("http_connections", *peer) == 0; }));
    warm_up(plan_for(endpoint));
    EXPECT_EQ(peer->accepted(), 3);
}

// What it said before it went waits to be read while we find that nothing can be written any more.
TEST_F(Http1Peer, ThatAnswersEarlyAndGoesIsHeard) {
    const auto peer = server([](RawPeer& p) {
        p.read_until("\r\n\r\n");
        p.read_bytes(300'000);
        p.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n");
    });
    EndpointConfig config = config_of(*peer);
    config.connections_max = 1;
    Plan plan = plan_for(add(config));
    const std::string payload(4'000'000, 'p');
    plan.body = {{PieceKind::Payload, 0, static_cast<uint32_t>(payload.size())}};
    Batch batch(plan, 20);
    for (Exchange& exchange : batch.exchanges) exchange.payload = payload;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 413), 20u);
}

// TLS 1.3: our handshake is complete and the request on its way before the peer has seen that there is no certificate.
TEST_F(Http1Peer, ThatRefusesOurCertificateHasLookedAtNothing) {
    RawScript script;
    script.ca = &ca_;
    script.client_certificate = true;
    script.serve = answering();
    RawServer peer(std::move(script));
    EndpointConfig config = config_of(peer);
    const EndpointId endpoint = add(config);
    Plan plan = plan_for(endpoint);
    Batch batch(plan, 5);
    batch.portion.unsent_until_mono_ns = in(1s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 5u);
    EXPECT_NE(engine_->last_connect_error(endpoint).find("certificate required"), std::string::npos)
        << engine_->last_connect_error(endpoint);
    EXPECT_EQ(journal_.size(), 0u);
    const fakes::Leaf leaf = ca_.issue("DNS:client");
    config.client_cert_pem = leaf.certificate_pem();
    config.client_key_pem = leaf.key_pem();
    warm_up(plan_for(add(config)));
}

TEST_F(Http1Peer, ThatSpeaksUnaskedOnAnIdleConnectionLosesItAndNothingElse) {
    for (const char* said : {"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                             "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "bye"}) {
        std::atomic<bool> idle{false};
        const auto peer = server([&](RawPeer& p) {
            p.read_request();
            p.write(kOk);
            if (!eventually([&] { return idle.load(); })) return;
            p.write(said);
            p.wait();
        });
        const Plan plan = plan_for(add(config_of(*peer)));
        for (int round = 0; round < 3; ++round) {
            idle = false;
            warm_up(plan);
            idle = true;
            EXPECT_TRUE(eventually([&] { return meter("http_connections", *peer) == 0; })) << said;
        }
        EXPECT_EQ(peer->accepted(), 3) << said;
        EXPECT_EQ(meter("http_connect_failures_total", *peer), 0) << said;
        EXPECT_EQ(meter("http_resets_total", *peer), 0) << said;
    }
}

TEST_F(Http1Peer, IsGivenCreditForOneRequestPerConnectionOnceItIsKnown) {
    const auto peer = server(answering());
    const EndpointId endpoint = add(config_of(*peer));
    EXPECT_EQ(engine_->credit(endpoint), 8 * 100u) << "as if it spoke HTTP/2";
    warm_up(plan_for(endpoint));
    EXPECT_TRUE(eventually([&] { return engine_->credit(endpoint) == 8; })) << engine_->credit(endpoint);
    engine_->retire(endpoint);
    EXPECT_TRUE(eventually([&] { return meter("http_connections", *peer) == 0; }));
    EXPECT_EQ(engine_->credit(endpoint), 8u) << "which is not forgotten with the connection";
}

TEST_F(Http1Peer, WithoutTlsIsReachedOnThisMachineAndByConsentOnly) {
    RawScript script;
    script.serve = answering();
    RawServer peer(std::move(script));
    EndpointConfig config;
    config.url = peer.url();
    EXPECT_FALSE(engine_->add_endpoint(config).has_value());
    config.plain_loopback = true;
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 20);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 20u);
    config.url = "http://192.0.2.7";
    const EndpointId elsewhere = add(config);
    CallRequest request;
    EXPECT_FALSE(engine_->call(elsewhere, request, in(300ms)).has_value());
    EXPECT_NE(engine_->last_connect_error(elsewhere).find("loopback addresses only"), std::string::npos);
}

}  // namespace belfry::http
