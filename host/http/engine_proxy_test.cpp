// SPDX-License-Identifier: Apache-2.0
// The engine behind an HTTP proxy: tunnels, credentials, every way in which a proxy refuses, and names that came with a
// push.
#include <atomic>

#include "fakes/raw_server.h"
#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::RawPeer;
using fakes::RawScript;
using fakes::RawServer;
using fakes::ServerScript;

class BehindAProxy : public EngineRig {
protected:
    std::unique_ptr<RawServer> proxy(std::function<void(RawPeer&, const std::string& head)> answer) {
        RawScript script;
        script.serve = [this, answer = std::move(answer)](RawPeer& peer) {
            const std::string head = peer.read_until("\r\n\r\n");
            {
                const std::lock_guard lock(mutex_);
                heads_.push_back(head);
            }
            answer(peer, head);
        };
        return std::make_unique<RawServer>(std::move(script));
    }
    // A proxy that tunnels to `server`, whatever it is asked for.
    std::unique_ptr<RawServer> proxy_to(const H2Server& server, std::string answer = "HTTP/1.1 200 Fine\r\n\r\n") {
        return proxy([port = server.port(), answer](RawPeer& peer, const std::string&) {
            peer.write(answer);
            peer.relay_to(port);
        });
    }
    EndpointConfig config_through(const RawServer& proxy, const H2Server& server) const {
        EndpointConfig config = config_for(server);
        config.proxy.url = proxy.url();
        return config;
    }
    // An engine for which push.example has these addresses, and all other names are this machine.
    std::unique_ptr<Engine> engine_that_finds(std::vector<std::string> addresses) {
        EngineOptions options;
        options.addresses_of = [addresses = std::move(addresses)](const std::string& host) {
            return host == "push.example" ? addresses : std::vector<std::string>{"127.0.0.1"};
        };
        return make(options);
    }
    std::vector<std::string> heads() {
        const std::lock_guard lock(mutex_);
        return heads_;
    }
    // Sends one request that must not get through; returns why.
    std::string refusal(EndpointConfig config, std::chrono::milliseconds within = 300ms) {
        return refusal(*engine_, std::move(config), within);
    }
    std::string refusal(Engine& engine, EndpointConfig config, std::chrono::milliseconds within = 300ms) {
        const Result<EndpointId> endpoint = engine.add_endpoint(config);
        EXPECT_TRUE(endpoint.has_value());
        const Plan plan = plan_for(*endpoint);
        Batch batch(plan, 1);
        batch.portion.unsent_until_mono_ns = in(within);
        submit(engine, batch);
        EXPECT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::NeverSent), 1u);
        return engine.last_connect_error(*endpoint);
    }

private:
    std::mutex mutex_;
    std::vector<std::string> heads_;
};

TEST_F(BehindAProxy, TunnelsAndChecksTheOriginsOwnName) {
    H2Server server(ca_, ServerScript{});
    const auto tunnel = proxy_to(server);
    EndpointConfig config = config_through(*tunnel, server);
    config.connections_max = 1;
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 300);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 300u);
    const std::string target = "localhost:" + std::to_string(server.port());
    ASSERT_EQ(heads().size(), 1u);
    EXPECT_EQ(heads()[0], "CONNECT " + target + " HTTP/1.1\r\nhost: " + target + "\r\n\r\n");
    // The proxy decides where the tunnel ends, the certificate whether that is the origin.
    config.url = "https://push.example";
    const std::string why = refusal(config);
    EXPECT_NE(why.find("certificate of push.example refused"), std::string::npos) << why;
}

TEST_F(BehindAProxy, SaysItsNameAndPassword) {
    H2Server server(ca_, ServerScript{});
    const auto tunnel = proxy_to(server, "HTTP/1.0 200 Connection established\r\nproxy-agent: x\r\n\r\n");
    EndpointConfig config = config_through(*tunnel, server);
    config.proxy.user = "Aladdin";
    config.proxy.password = "open sesame";
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 1);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
    EXPECT_NE(heads().at(0).find("\r\nproxy-authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), std::string::npos)
        << "RFC 7617 2";
    for (const auto& seen : server.journal()) EXPECT_EQ(seen.headers.count("proxy-authorization"), 0u);
}

TEST_F(BehindAProxy, SaysInOneLineWhatTheProxyDoesNotDo) {
    H2Server server(ca_, ServerScript{});
    const std::pair<std::string, const char*> cases[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 1\r\n\r\nx",
         "407, it wants other credentials; check proxy.user and proxy.password"},
        {"HTTP/1.1 403 Forbidden\r\n\r\n", "403, it does not allow this"},
        {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502, it cannot reach the other side"},
        {"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "504, it cannot reach the other side"},
        {"HTTP/1.1 302 Found\r\nlocation: http://login\r\n\r\n", "it answered 302"},
        {"HTTP/1.1 200 OK\r\n\r\nhello", "speaks inside the tunnel before anybody"},
        {"220 mail ready\r\n", "its answer is not HTTP/1"},
        {"", "closed the connection"},
        {"HTTP/1.1 200 OK\r\nx: " + std::string(40'000, 'x'), "its answer is too long"},
    };
    for (const auto& [bytes, said] : cases) {
        const auto refusing = proxy([&](RawPeer& peer, const std::string&) {
            peer.write(bytes);
            peer.finish();
        });
        const std::string why = refusal(config_through(*refusing, server));
        EXPECT_NE(why.find(said), std::string::npos) << why;
        EXPECT_EQ(why.rfind("proxy localhost:", 0), 0u) << why;
        EXPECT_EQ(why.find('\n'), std::string::npos);
        EXPECT_LE(refusing->accepted(), 4) << "it is hammered";
    }
    EXPECT_EQ(server.accepted(), 0);
}

TEST_F(BehindAProxy, GivesUpProxiesThatDoNotAnswerOrAreNotThere) {
    H2Server server(ca_, ServerScript{});
    auto silent = proxy([](RawPeer& peer, const std::string&) { peer.wait(); });
    EngineOptions options;
    options.connect_timeout_ms = 100;
    const auto engine = make(options);
    EndpointConfig config = config_through(*silent, server);
    const std::string late = refusal(*engine, config, 800ms);
    EXPECT_NE(late.find("did not answer in time"), std::string::npos) << late;
    const std::string name = "proxy localhost:" + std::to_string(silent->port());
    EXPECT_NE(late.find(name), std::string::npos) << late;
    config.partition = "again";
    silent.reset();
    const std::string gone = refusal(*engine, config);
    EXPECT_EQ(gone, "cannot connect to " + name + ": Connection refused");
}

TEST_F(BehindAProxy, UnderstandsAnswersInPieces) {
    H2Server server(ca_, ServerScript{});
    const auto tunnel = proxy([&](RawPeer& peer, const std::string&) {
        for (const char c : std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\n\r\n")) {
            peer.write({&c, 1});
            std::this_thread::yield();
        }
        peer.relay_to(server.port());
    });
    const Plan plan = plan_for(add(config_through(*tunnel, server)));
    Batch batch(plan, 5);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 5u);
}

TEST_F(BehindAProxy, IsAskedForAnAddressWhenTheNameCameWithAPush) {
    H2Server server(ca_, ServerScript{});
    const auto tunnel = proxy_to(server);
    EndpointConfig config = config_through(*tunnel, server);
    config.untrusted = true;
    // Our own look-up finds a private address: the proxy is not even asked.
    const std::string why = refusal(config);
    EXPECT_NE(why.find("no address that may be connected to"), std::string::npos) << why;
    EXPECT_EQ(tunnel->accepted(), 0);
    config.url = "https://192.0.2.1";
    EXPECT_NE(refusal(config).find("no address that may be connected to"), std::string::npos);
    config.url = "https://9.9.9.9";
    config.proxy.looks_up = true;
    EXPECT_NE(refusal(config).find("IP address mismatch"), std::string::npos) << "the tunnel ends at another server";
    ASSERT_EQ(tunnel->accepted(), static_cast<int>(heads().size()));
    EXPECT_EQ(heads().at(0).rfind("CONNECT 9.9.9.9:443 HTTP/1.1\r\n", 0), 0u);
}

// Behind a proxy a dead address shows as a refusal, and the proxy is not told that there are others.
TEST_F(BehindAProxy, IsAskedForANamesAddressesInTurnUntilOneWorks) {
    const std::string first = "CONNECT 93.184.216.34:443 ", second = "CONNECT 93.184.216.35:443 ",
                      third = "CONNECT [2606:2800::7]:443 ";
    ServerScript script;
    script.names = "DNS:push.example";
    H2Server server(ca_, script);
    std::atomic<bool> no_v4{false};
    const auto tunnel = proxy([&](RawPeer& peer, const std::string& head) {
        if (head.starts_with(first) || (no_v4 && head.starts_with(second))) {
            peer.write("HTTP/1.1 502 Bad Gateway\r\n\r\n");
            return peer.finish();
        }
        peer.write("HTTP/1.1 200 Fine\r\n\r\n");
        peer.relay_to(server.port());
    });
    const auto engine = engine_that_finds({"93.184.216.34", "2606:2800::7", "93.184.216.35"});
    EndpointConfig config = config_through(*tunnel, server);
    config.url = "https://push.example";
    config.untrusted = true;
    const EndpointId endpoint = *engine->add_endpoint(config);
    const Plan plan = plan_for(endpoint);
    const auto reach = [&] {
        Batch batch(plan, 1);
        batch.portion.unsent_until_mono_ns = in(10s);
        submit(*engine, batch);
        EXPECT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::Answered, 200), 1u) << engine->last_connect_error(endpoint);
        engine->retire(endpoint);
        EXPECT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    };
    reach();
    reach();
    no_v4 = true;
    reach();
    std::vector<std::string> asked = heads();
    ASSERT_EQ(asked.size(), 5u);
    for (std::string& head : asked) head.resize(head.find("HTTP/1.1\r\n"));
    EXPECT_EQ(asked, (std::vector<std::string>{first, second, second, second, third}));
    EXPECT_NE(heads().back().find("\r\nhost: [2606:2800::7]:443\r\n"), std::string::npos);
}

TEST_F(BehindAProxy, MaySpeakHttp1) {
    RawScript script;
    script.ca = &ca_;
    script.serve = [](RawPeer& peer) {
        while (!peer.read_request().empty()) peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    };
    RawServer server(std::move(script));
    const auto tunnel = proxy([&](RawPeer& peer, const std::string&) {
        peer.write("HTTP/1.1 200 Fine\r\n\r\n");
        peer.relay_to(server.port());
    });
    EndpointConfig config;
    config.url = server.url();
    config.ca_file = ca_.file();
    config.http1_ok = true;
    config.connections_max = 2;
    config.proxy.url = tunnel->url();
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 100);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 100u);
    EXPECT_LE(tunnel->accepted(), 2);
    EXPECT_EQ(server.accepted(), tunnel->accepted());
}

TEST_F(BehindAProxy, SeesOurClientCertificate) {
    ServerScript script;
    script.require_client_certificate = true;
    H2Server server(ca_, script);
    const auto tunnel = proxy_to(server);
    EndpointConfig config = config_through(*tunnel, server);
    const std::string why = refusal(config);
    EXPECT_NE(why.find("certificate required"), std::string::npos) << why;
    EXPECT_EQ(server.seen(), 0u);
    const fakes::Leaf leaf = ca_.issue("DNS:client");
    config.client_cert_pem = leaf.certificate_pem();
    config.client_key_pem = leaf.key_pem();
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 3);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 3u);
}

TEST_F(BehindAProxy, IsToldTheNameIfTheOperatorSaysSo) {
    H2Server server(ca_, ServerScript{});
    const auto tunnel = proxy_to(server);
    EndpointConfig config = config_through(*tunnel, server);
    config.untrusted = true;
    config.proxy.looks_up = true;
    const std::string local = refusal(config);
    EXPECT_NE(local.find("is a local one"), std::string::npos) << local;
    for (const char* host : {"intranet.", "push.example.", "127.1", "10.1", "0x7f.1", "127.0.0.0x1", "192.168.257"}) {
        config.url = std::string("https://") + host;
        const std::string why = refusal(config);
        EXPECT_NE(why.find("is a local one"), std::string::npos) << host << ": " << why;
    }
    config.url = "https://127.0.0.1";
    EXPECT_NE(refusal(config).find("no address that may be connected to"), std::string::npos);
    EXPECT_EQ(tunnel->accepted(), 0);
    config.url = "https://push.example.invalid";
    EXPECT_NE(refusal(config).find("certificate of push.example.invalid refused"), std::string::npos);
    EXPECT_EQ(heads().at(0).rfind("CONNECT push.example.invalid:443 HTTP/1.1\r\n", 0), 0u);
}

TEST_F(BehindAProxy, RefusesProxiesThatCannotBeUsedAtOnce) {
    EndpointConfig config;
    config.url = "https://localhost:1";
    for (const char* url : {"https://proxy:3128", "socks5://proxy:1080", "http://user:pass@proxy:3128", "proxy:3128"}) {
        config.proxy = {url, "", "", false};
        const Result<EndpointId> added = engine_->add_endpoint(config);
        ASSERT_FALSE(added.has_value()) << url;
        EXPECT_EQ(added.error().code, ErrorCode::InvalidArgument);
        EXPECT_NE(added.error().message.find("http://host:port"), std::string::npos);
    }
    for (const auto& [user, password] : {std::pair("a:b", "x"), std::pair("a", "x\r\nhost: y"), std::pair("\n", "")}) {
        config.proxy = {"http://proxy:3128", user, password, false};
        EXPECT_FALSE(engine_->add_endpoint(config).has_value()) << user;
    }
}

}  // namespace belfry::http
