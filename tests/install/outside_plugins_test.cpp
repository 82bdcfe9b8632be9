// SPDX-License-Identifier: Apache-2.0
// Plugins that were built outside of this tree with the installed package (install.cmake), loaded with the real
// services, sending through the real engine to a server on loopback.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fakes/facades.h"
#include "fakes/h2_server.h"
#include "fixtures/workbench.h"
#include "http/engine_rig.h"
#include "serve/plugin_hosts.h"
#include "services/engine_calls.h"
#include "services/host_services.h"

namespace belfry::plugins {
namespace {

constexpr int64_t kWaitMs = 30'000;

std::string content(const std::string& file) {
    std::ifstream in(std::string(BELFRY_FIXTURE_DIR) + "/" + file, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), {});
}

std::vector<http::Piece> pieces_of(belfry_list list) {
    std::vector<http::Piece> pieces;
    for (const belfry_piece& piece : Rows<belfry_piece>(list))
        pieces.push_back({static_cast<http::PieceKind>(piece.kind - 1), piece.from, piece.to});
    return pieces;
}

class OutsidePlugins : public ::testing::Test {
protected:
    OutsidePlugins() : engine_(std::move(*http::Engine::create({}, clock_, log_, metrics_))) {
        for (const char* name : {"minimal", "hello", "every_kind"})
            bench_.install_bytes(name, content(std::string(name) + ".so"), content(std::string(name) + ".json"));
    }
    ~OutsidePlugins() override {
        instances_.stop(kWaitMs);
        engine_->stop(clock_.mono_ns() + kNsPerSecond);
    }
    std::shared_ptr<Generation> running(const std::string& plugin, Kind kind, const std::string& section) {
        ComponentSpec spec;
        spec.instance = plugin;
        spec.plugin = plugin;
        spec.kind = kind;
        spec.section = section;
        EXPECT_TRUE(instances_.add(spec, kWaitMs));
        const Instance* instance = instances_.find(plugin);
        EXPECT_NE(instance->current(), nullptr) << instance->info().line;
        return instance->current();
    }
    // Sends one payload to each token, the way delivery does; the outcome by token.
    std::map<std::string, int32_t> deliver(Provider& provider, const std::vector<std::string>& tokens,
                                           const std::string& payload);

    SystemClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    Workbench bench_;
    std::unique_ptr<http::Engine> engine_;
    services::EngineCalls calls_{*engine_};
    services::HostServices services_{services::Parts{bench_.log, metrics_, clock_, calls_, bench_.folder + "/state"}};
    serve::PluginHosts hosts_{services_};
    Loader loader_{bench_.options, hosts_, bench_.log};
    Instances instances_{loader_, hosts_, bench_.log, clock_};
};

std::map<std::string, int32_t> OutsidePlugins::deliver(Provider& provider, const std::vector<std::string>& tokens,
                                                       const std::string& payload) {
    http::Plan plan;
    belfry_content asked = sized<belfry_content>();
    asked.kind = BELFRY_CONTENT_TOKENS;
    asked.payload = str(std::string_view(payload));
    const Result<Prepared> prepared = provider.prepare(asked, [&](const belfry_plan& row) {
        plan.endpoint = row.endpoint;
        plan.method = text(row.method);
        plan.text = text(row.text);
        plan.path = pieces_of(row.path);
        plan.body = pieces_of(row.body);
        for (const belfry_field& field : Rows<belfry_field>(row.headers))
            plan.headers.push_back({text(field.name), pieces_of(field.value), false});
        for (const belfry_str& name : Rows<belfry_str>(row.keep)) plan.keep.push_back(text(name));
        EXPECT_EQ(row.credential, 0);
    });
    EXPECT_TRUE(prepared) << (prepared ? "" : prepared.error().to_string());
    const Result<NewCredential> credential = provider.authorize(0, clock_.mono_ns() + kNsPerSecond);
    EXPECT_TRUE(credential) << (credential ? "" : credential.error().to_string());
    auto slot = std::make_shared<http::CredentialSlot>();
    slot->set(std::make_shared<http::Credential>(
        http::Credential{credential->value, 1, clock_.mono_ns() + credential->valid_ms * kNsPerMs}));
    plan.credential = slot;
    http::Batch batch(plan, tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
        batch.exchanges[i].token = tokens[i];
        batch.exchanges[i].payload = payload;
    }
    batch.portion.unsent_until_mono_ns = clock_.mono_ns() + 10 * kNsPerSecond;
    batch.submitted = true;
    engine_->submit(batch.portion);
    EXPECT_TRUE(batch.wait());
    std::vector<belfry_answer> answers;
    for (uint32_t i = 0; i < tokens.size(); ++i) {
        belfry_answer answer = sized<belfry_answer>();
        answer.first_item = i;
        answer.items = 1;
        answer.status = batch.exchanges[i].status;
        answer.body = str(batch.exchanges[i].body());
        answers.push_back(answer);
    }
    std::map<std::string, int32_t> outcomes;
    provider.decode(answers, [&](const belfry_verdict& v) { outcomes[tokens.at(v.item)] = v.outcome; });
    return outcomes;
}

TEST_F(OutsidePlugins, SendThroughTheRealEngine) {
    const fakes::TestCa ca;
    fakes::ServerScript script;
    script.reply = [](const fakes::SeenRequest& request) {
        fakes::Reply reply;
        if (request.path.find("gone") != std::string::npos) reply.status = 410;
        if (request.path.find("busy") != std::string::npos) reply.status = 503;
        return reply;
    };
    fakes::H2Server server(ca, script);
    const std::string section =
        R"({"url": ")" + server.url() + R"(", "ca_file": ")" + ca.file() + R"(", "key": "s3cret"})";
    size_t seen = 0;
    for (const char* plugin : {"minimal", "hello"}) {
        const std::shared_ptr<Generation> generation = running(plugin, Kind::Provider, section);
        ASSERT_NE(generation, nullptr);
        const auto outcomes =
            deliver(generation->provider(), {"token/one", "token-gone", "token-busy"}, R"({"text":"hi"})");
        EXPECT_EQ(outcomes, (std::map<std::string, int32_t>{{"token/one", BELFRY_ACCEPTED},
                                                            {"token-gone", BELFRY_DEVICE_GONE},
                                                            {"token-busy", BELFRY_RETRY}}))
            << plugin;
        belfry_token token = sized<belfry_token>();
        token.token = str("short");
        EXPECT_EQ(generation->provider().validate(token).error().to_string(),
                  "token: is shorter than 8 characters; register the whole token");
        const std::vector<fakes::SeenRequest> journal = server.journal();
        ASSERT_EQ(journal.size(), seen + 3);
        bool escaped = false;
        for (; seen < journal.size(); ++seen) {
            EXPECT_EQ(journal[seen].headers.at("authorization"), "Bearer s3cret");
            EXPECT_EQ(journal[seen].headers.at("content-type"), "application/json");
            EXPECT_EQ(journal[seen].body, R"({"text":"hi"})");
            escaped = escaped || journal[seen].path == "/push/token%2Fone";
        }
        EXPECT_TRUE(escaped);
        EXPECT_EQ(instances_.find(plugin)->faults().total(), 0u);
    }
    for (const std::string& line : bench_.log.lines()) EXPECT_EQ(line.find("s3cret"), std::string::npos) << line;
}

TEST_F(OutsidePlugins, RefuseWhatTheSdkWasToldToRefuse) {
    const auto storage = running("every_kind", Kind::Storage, "{}");
    ASSERT_NE(storage, nullptr);
    EXPECT_EQ(*storage->storage().count("a", sized<belfry_selection>(), 0), 42);
    EXPECT_TRUE(storage->storage().offers(BELFRY_STORAGE_COUNTS));
    EXPECT_TRUE(storage->storage().kv_put("k", "v", 0));
    EXPECT_EQ(storage->storage().kv_get("k")->value, "v");
    EXPECT_EQ(storage->storage().kv_put("k", "v", 0).error().code, ErrorCode::Conflict);
    EXPECT_EQ(storage->storage().backup("/x").error().code, ErrorCode::Unsupported);
    belfry_scan what = sized<belfry_scan>();
    what.after = 10;
    what.hi = 20;
    std::vector<int64_t> keys;
    const auto page = storage->storage().scan(what, [&](const belfry_device& d) {
        keys.push_back(d.key);
        return keys.size() < 3;
    });
    EXPECT_EQ(page->cursor, 13);
    EXPECT_FALSE(page->end);
    const std::vector<belfry_registration> one(1, sized<belfry_registration>());
    const Status full = storage->storage().register_devices("a", one, [](const belfry_registered&) {});
    EXPECT_EQ(full.error().code, ErrorCode::StoreFull);
    EXPECT_EQ(full.error().to_string(), "disk: is full; make room");
    EXPECT_EQ(full.error().retry_after_ms, 1500);
}

TEST_F(OutsidePlugins, OfferEveryKindFromOneFile) {
    ComponentSpec spec;
    spec.plugin = "every_kind";
    spec.kind = Kind::Queue;
    spec.instance = "queue";
    EXPECT_TRUE(instances_.add(spec, kWaitMs));
    spec.kind = Kind::Sink;
    spec.instance = "sink";
    spec.plugin = "every_kind/sink";
    EXPECT_TRUE(instances_.add(spec, kWaitMs));
    spec.kind = Kind::Provider;
    spec.instance = "sender";
    spec.plugin = "every_kind";
    EXPECT_TRUE(instances_.add(spec, kWaitMs));

    Queue& queue = instances_.find("queue")->current()->queue();
    EXPECT_EQ(queue.stats()->dead, 7);
    EXPECT_EQ(queue.beat(1)->live_nodes, 1u);
    EXPECT_EQ(*queue.list("a", 0, "", 63, [](const belfry_push_row&) {}), std::string(63, 'c'));
    EXPECT_EQ(queue.list("a", 0, "", 64, [](const belfry_push_row&) {}).error().to_string(),
              "cursor: is longer than 63 bytes");

    Sink& sink = instances_.find("sink")->current()->sink();
    const std::vector<belfry_event> events(3, sized<belfry_event>());
    EXPECT_TRUE(sink.write(std::span(events).first(2), 0));
    EXPECT_EQ(sink.write(events, 0).error().code, ErrorCode::Unavailable);
    EXPECT_EQ(sink.flush(0).error().to_string(), "no disk") << "an exception became a reason";
    EXPECT_FALSE(sink.answers_queries());

    Provider& sender = instances_.find("sender")->current()->provider();
    EXPECT_TRUE(sender.sends());
    EXPECT_EQ(sender.per_minute_default(), 60u);
    const Result<Prepared> prepared = sender.prepare(sized<belfry_content>(), [](const belfry_plan&) {});
    ASSERT_TRUE(prepared);
    std::vector<belfry_item> items(3, sized<belfry_item>());
    for (uint32_t i = 0; i < 3; ++i) items[i].index = i;
    std::map<uint32_t, std::string> sent;
    const auto keep = [&](const belfry_verdict& v) { sent[v.item] = text(v.message_id); };
    EXPECT_TRUE(sender.send(*prepared, std::span(items).first(1), 0, keep));
    EXPECT_FALSE(sender.send(*prepared, items, 0, keep)) << "what was thrown must not get out";
    EXPECT_EQ(sent, (std::map<uint32_t, std::string>{{0, "hello"}, {1, "hello"}}));
}

}  // namespace
}  // namespace belfry::plugins
