// SPDX-License-Identifier: Apache-2.0
// Whom the engine trusts, and what it says when it does not.
#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::ServerScript;

class TlsTrust : public EngineRig {
protected:
    // Sends one request that must not get through; returns why.
    std::string refusal(const EndpointConfig& config) {
        const EndpointId endpoint = add(config);
        const Plan plan = plan_for(endpoint);
        Batch batch(plan, 1);
        batch.portion.unsent_until_mono_ns = in(300ms);
        submit(batch);
        EXPECT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::NeverSent), 1u);
        return engine_->last_connect_error(endpoint);
    }
};

TEST_F(TlsTrust, RefusesAnUnknownAuthority) {
    const fakes::TestCa other;
    H2Server server(other, ServerScript{});
    const std::string why = refusal(config_for(server));
    EXPECT_NE(why.find("certificate of localhost refused"), std::string::npos) << why;
    EXPECT_NE(why.find("ca_file"), std::string::npos) << why;
    EXPECT_EQ(server.seen(), 0u);
}

TEST_F(TlsTrust, RefusesAnotherHostsCertificate) {
    ServerScript script;
    script.names = "DNS:example.org";
    H2Server server(ca_, script);
    const std::string why = refusal(config_for(server));
    EXPECT_NE(why.find("certificate of localhost refused: hostname mismatch"), std::string::npos) << why;
}

TEST_F(TlsTrust, RefusesAnExpiredCertificate) {
    ServerScript script;
    script.certificate_days = -1;
    H2Server server(ca_, script);
    const std::string why = refusal(config_for(server));
    EXPECT_NE(why.find("certificate has expired"), std::string::npos) << why;
}

TEST_F(TlsTrust, ChecksAddressesAgainstTheCertificateToo) {
    H2Server server(ca_, ServerScript{});
    EndpointConfig config = config_for(server);
    config.url = server.url("127.0.0.1");
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 1);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
    ServerScript script;
    script.names = "DNS:localhost";
    H2Server nameless(ca_, script);
    config.url = nameless.url("127.0.0.1");
    const std::string why = refusal(config);
    EXPECT_NE(why.find("IP address mismatch"), std::string::npos) << why;
}

TEST_F(TlsTrust, InsistsOnHttp2) {
    ServerScript script;
    script.offer_h2 = false;
    H2Server server(ca_, script);
    const std::string why = refusal(config_for(server));
    EXPECT_NE(why.find("does not speak HTTP/2"), std::string::npos) << why;
}

TEST_F(TlsTrust, PresentsItsClientCertificate) {
    ServerScript script;
    script.require_client_certificate = true;
    H2Server server(ca_, script);
    const fakes::Leaf leaf = ca_.issue("DNS:client");
    EndpointConfig config = config_for(server);
    config.client_cert_pem = leaf.certificate_pem();
    config.client_key_pem = leaf.key_pem();
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 1);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
    // Without it the peer refuses after the handshake looked complete: still certainly unprocessed.
    const std::string why = refusal(config_for(server));
    EXPECT_NE(why.find("certificate required"), std::string::npos) << why;
}

TEST_F(TlsTrust, RefusesUnusableClientCertificatesAtOnce) {
    EndpointConfig config;
    config.url = "https://localhost:1";
    config.client_cert_pem = "no certificate";
    EXPECT_EQ(engine_->add_endpoint(config).error().code, ErrorCode::InvalidArgument);
    config.client_key_pem = "no key";
    EXPECT_EQ(engine_->add_endpoint(config).error().code, ErrorCode::InvalidArgument);
    const fakes::Leaf one = ca_.issue("DNS:client"), two = ca_.issue("DNS:client");
    config.client_cert_pem = one.certificate_pem();
    config.client_key_pem = two.key_pem();
    const Result<EndpointId> mixed = engine_->add_endpoint(config);
    ASSERT_FALSE(mixed.has_value());
    EXPECT_NE(mixed.error().message.find("client key"), std::string::npos);
}

TEST_F(TlsTrust, NeverConnectsToPrivateAddressesOnBehalfOfStrangers) {
    H2Server server(ca_, ServerScript{});
    EndpointConfig config = config_for(server);
    config.untrusted = true;
    const std::string why = refusal(config);
    EXPECT_NE(why.find("no address that may be connected to"), std::string::npos) << why;
    EXPECT_EQ(server.accepted(), 0);
}

TEST_F(TlsTrust, SaysWhichNameIsUnknown) {
    EndpointConfig config;
    config.url = "https://no-such-name.invalid";
    const std::string why = refusal(config);
    EXPECT_NE(why.find("no-such-name.invalid"), std::string::npos) << why;
}

TEST_F(TlsTrust, ALaterConnectionResumesAnEarlierOnesSession) {
    ServerScript script;
    script.reply = [](const fakes::SeenRequest&) { return answer(200); };
    H2Server server(ca_, script);
    const EndpointId endpoint = add(config_for(server));
    const Plan plan = plan_for(endpoint);
    for (int round = 0; round < 3; ++round) {
        Batch batch(plan, 1);
        submit(batch);
        ASSERT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
        engine_->retire(endpoint);
        EXPECT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    }
    EXPECT_EQ(server.handshakes(), 3);
    EXPECT_EQ(server.resumed(), 2);
}

}  // namespace belfry::http
