// SPDX-License-Identifier: Apache-2.0
#include "plugins/provider.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What the fake provider does, set by each test.
struct belfry_instance {
    std::function<void(const std::function<void(const belfry_token&)>&)> validate;
    std::function<void(belfry_plan&, std::vector<belfry_piece>& path, std::vector<belfry_piece>& body, belfry_field&)>
        plan;
    std::function<void(const std::function<void(uint32_t item, int32_t outcome)>&)> judge;
    std::function<uint32_t(belfry_outbox&, const std::function<void(uint32_t item, int32_t outcome)>&)> encode;
    std::function<belfry_code(const belfry_channel_call&, const std::function<void(const belfry_channel&)>&,
                              belfry_why*)>
        channels;
    int released = 0;
    int prepared = 0;
};

namespace belfry::plugins {
namespace {

std::function<void(uint32_t, int32_t)> emitting(belfry_emit emit, void* ctx) {
    return [emit, ctx](uint32_t item, int32_t outcome) {
        belfry_verdict row = sized<belfry_verdict>();
        row.item = item;
        row.outcome = outcome;
        row.scope = BELFRY_SCOPE_ITEM;
        static_cast<void>(emit(ctx, one_row(row)));
    };
}
belfry_code validate(belfry_instance* self, const belfry_token* token, belfry_emit emit, void* ctx, belfry_why* why) {
    if (token->token.n == 0) return because(why, BELFRY_BAD_REQUEST, "token", "is empty");
    self->validate([&](const belfry_token& row) { static_cast<void>(emit(ctx, one_row(row))); });
    return BELFRY_OK;
}
belfry_code prepare(belfry_instance* self, const belfry_content*, belfry_emit emit, void* ctx, belfry_prepared** out,
                    belfry_why*) {
    ++self->prepared;
    *out = reinterpret_cast<belfry_prepared*>(self);  // NOLINT: opaque to the host
    std::vector<belfry_piece> path{{BELFRY_PIECE_TEXT, 0, 4}}, body{{BELFRY_PIECE_PAYLOAD, 0, 2}},
        value{{BELFRY_PIECE_TEXT, 0, 4}};
    belfry_field header = sized<belfry_field>();
    header.name = str("x-test");
    belfry_plan plan = sized<belfry_plan>();
    plan.endpoint = 0;
    plan.credential = -1;
    plan.items_max = 1;
    plan.method = str("POST");
    plan.text = str("/abc");
    self->plan(plan, path, body, header);
    header.value = list_of(value);
    plan.path = list_of(path);
    plan.body = list_of(body);
    plan.headers = one_row(header);
    if (plan.items_max != 99) static_cast<void>(emit(ctx, one_row(plan)));
    return BELFRY_OK;
}
void release(belfry_instance* self, belfry_prepared*) {
    ++self->released;
}
uint32_t encode(belfry_instance* self, const belfry_prepared*, belfry_list, belfry_outbox* outbox, belfry_emit emit,
                void* ctx) {
    return self->encode(*outbox, emitting(emit, ctx));
}
void decode(belfry_instance* self, belfry_list, belfry_emit emit, void* ctx) {
    self->judge(emitting(emit, ctx));
}

belfry_code channels(belfry_instance* self, const belfry_channel_call* call, belfry_emit emit, void* ctx,
                     belfry_why* why) {
    return self->channels(
        *call, [&](const belfry_channel& row) { static_cast<void>(emit(ctx, one_row(row))); }, why);
}

class ProviderTest : public ::testing::Test {
protected:
    ProviderTest() {
        table_ = sized<belfry_provider>();
        table_.validate = validate;
        table_.prepare = prepare;
        table_.release = release;
        table_.decode = decode;
    }
    // Verdicts by item after a decode of two answers with items 10-11 and 20.
    std::map<uint32_t, int32_t> decoded() {
        Provider provider(&table_, &fake_, faults_);
        std::array<belfry_answer, 2> answers{sized<belfry_answer>(), sized<belfry_answer>()};
        answers[0].first_item = 20;
        answers[0].items = 1;
        answers[1].first_item = 10;
        answers[1].items = 2;
        std::map<uint32_t, int32_t> verdicts;
        provider.decode(answers, [&](const belfry_verdict& verdict) { verdicts[verdict.item] = verdict.outcome; });
        return verdicts;
    }
    Result<Prepared> prepared_with(
        std::function<void(belfry_plan&, std::vector<belfry_piece>&, std::vector<belfry_piece>&, belfry_field&)>
            change) {
        fake_.plan = std::move(change);
        belfry_content content = sized<belfry_content>();
        content.payload = str("{}");
        return provider_.emplace(&table_, &fake_, faults_).prepare(content, [](const belfry_plan&) {});
    }

    belfry_provider table_{};
    belfry_instance fake_;
    Faults faults_{"fcm"};
    std::optional<Provider> provider_;
};

TEST_F(ProviderTest, PassesOneVerdictPerItem) {
    fake_.judge = [](const auto& emit) {
        emit(11, BELFRY_ACCEPTED);
        emit(20, BELFRY_DEVICE_GONE);
        emit(10, BELFRY_ACCEPTED);
    };
    EXPECT_EQ(decoded(),
              (std::map<uint32_t, int32_t>{{10, BELFRY_ACCEPTED}, {11, BELFRY_ACCEPTED}, {20, BELFRY_DEVICE_GONE}}));
    EXPECT_EQ(faults_.total(), 0u);
}

TEST_F(ProviderTest, MakesAMissingVerdictInternal) {
    fake_.judge = [](const auto& emit) { emit(11, BELFRY_ACCEPTED); };
    EXPECT_EQ(decoded(), (std::map<uint32_t, int32_t>{{10, BELFRY_FAULT}, {11, BELFRY_ACCEPTED}, {20, BELFRY_FAULT}}));
    EXPECT_EQ(faults_.of(Fault::MissingVerdict), 2u);
}

TEST_F(ProviderTest, ReplacesADoubledVerdictByInternal) {
    fake_.judge = [](const auto& emit) {
        for (const uint32_t item : {10u, 11u, 20u, 11u}) emit(item, BELFRY_ACCEPTED);
    };
    EXPECT_EQ(decoded(),
              (std::map<uint32_t, int32_t>{{10, BELFRY_ACCEPTED}, {11, BELFRY_FAULT}, {20, BELFRY_ACCEPTED}}));
    EXPECT_EQ(faults_.of(Fault::RepeatedVerdict), 1u);
}

TEST_F(ProviderTest, DropsForeignVerdictsAndReplacesUnknownOutcomes) {
    fake_.judge = [](const auto& emit) {
        emit(10, 42);
        for (const uint32_t item : {11u, 20u, 9u, 15u, 21u, 4'000'000'000u}) emit(item, BELFRY_ACCEPTED);
    };
    EXPECT_EQ(decoded(),
              (std::map<uint32_t, int32_t>{{10, BELFRY_FAULT}, {11, BELFRY_ACCEPTED}, {20, BELFRY_ACCEPTED}}));
    EXPECT_EQ(faults_.of(Fault::ForeignVerdict), 4u);
    EXPECT_EQ(faults_.of(Fault::BadVerdict), 1u);
}

TEST_F(ProviderTest, WantsATokenToBeDescribedOnceAndWithinItsBounds) {
    Provider provider(&table_, &fake_, faults_);
    belfry_token asked = sized<belfry_token>();
    EXPECT_EQ(provider.validate(asked).error().to_string(), "token: is empty");
    asked.token = str("abc");
    const std::string large(kProviderDataMax + 1, 'd');
    belfry_token row = sized<belfry_token>();
    row.token = str("abc");
    row.identity = str("id");
    row.variant = 3;
    fake_.validate = [&](const auto& emit) { emit(row); };
    const Result<CheckedToken> good = provider.validate(asked);
    ASSERT_TRUE(good);
    EXPECT_EQ(good->identity, "id");
    EXPECT_EQ(good->variant, 3u);
    EXPECT_FALSE(good->variant_guessed);
    row.flags = BELFRY_TOKEN_VARIANT_GUESSED;
    EXPECT_TRUE(provider.validate(asked)->variant_guessed);
    row.size = offsetof(belfry_token, flags);  // of a plugin that was built without it
    EXPECT_FALSE(provider.validate(asked)->variant_guessed);
    row.size = sizeof row;
    row.data = str(large);
    EXPECT_EQ(provider.validate(asked).error().code, ErrorCode::Internal);
    row.data = {};
    row.identity = {};
    EXPECT_EQ(provider.validate(asked).error().code, ErrorCode::Internal);
    fake_.validate = [](const auto&) {};
    EXPECT_EQ(provider.validate(asked).error().code, ErrorCode::Internal);
    EXPECT_EQ(faults_.of(Fault::BadRow), 3u);
}

TEST_F(ProviderTest, ReleasesAPreparedPushOnceWithItsOwner) {
    {
        Result<Prepared> prepared = prepared_with([](auto&...) {});
        ASSERT_TRUE(prepared);
        Prepared moved = std::move(*prepared);
        EXPECT_NE(moved.get(), nullptr);
        EXPECT_EQ(fake_.released, 0);
    }
    EXPECT_EQ(fake_.released, 1);
}

TEST_F(ProviderTest, RefusesPlansThatReachOutsideOfTheirTexts) {
    using Pieces = std::vector<belfry_piece>;
    const auto refused = [&](auto change) {
        const Result<Prepared> prepared = prepared_with(change);
        return prepared ? std::string("accepted") : prepared.error().message;
    };
    const auto line = [](const std::string& defect) {
        return "the provider plugin's request plan is unusable: " + defect + "; report it to the plugin's author";
    };
    EXPECT_EQ(refused([](auto&...) {}), "accepted");
    EXPECT_EQ(refused([](belfry_plan&, Pieces& path, Pieces&, belfry_field&) { path[0].to = 5; }),
              line("piece [0, 5) is outside of the text of 4 bytes"));
    EXPECT_EQ(refused([](belfry_plan&, Pieces&, Pieces& body, belfry_field&) {
                  body[0] = {BELFRY_PIECE_PAYLOAD, 2, 1};
              }),
              line("piece [2, 1) is outside of the payload of 2 bytes"));
    EXPECT_EQ(refused([](belfry_plan&, Pieces&, Pieces& body, belfry_field&) { body[0].kind = 77; }),
              line("piece kind 77 is unknown"));
    EXPECT_EQ(refused([](belfry_plan&, Pieces&, Pieces& body, belfry_field&) { body.clear(); }),
              line("it has no body, and the plugin has no encode"));
    EXPECT_EQ(refused([](belfry_plan& plan, Pieces&, Pieces&, belfry_field&) { plan.credential = 0; }),
              line("it names a credential, but the plugin has no authorize"));
    EXPECT_EQ(refused([](belfry_plan& plan, Pieces&, Pieces&, belfry_field&) { plan.text = str("/a\r\n"); }),
              line("a path or header value holds a line break"));
    EXPECT_EQ(refused([](belfry_plan&, Pieces&, Pieces&, belfry_field& header) { header.name = str("authorization"); }),
              line("header \"authorization\" is the host's; use a credential slot"));
    EXPECT_EQ(refused([](belfry_plan&, Pieces&, Pieces&, belfry_field& header) { header.name = str("X Y"); }),
              line("header name \"X Y\" is not lower-case letters, digits, - _ ."));
    EXPECT_EQ(refused([](belfry_plan& plan, Pieces&, Pieces&, belfry_field&) { plan.items_max = 99; }),
              line("there is none"));
    EXPECT_EQ(fake_.released, fake_.prepared) << "refused plans must not leak";
}

TEST_F(ProviderTest, ChecksThatEncodeCoversItsPrefixInsideTheOutbox) {
    table_.encode = encode;
    Provider provider(&table_, &fake_, faults_);
    std::vector<belfry_item> items(3, sized<belfry_item>());
    for (uint32_t i = 0; i < 3; ++i) items[i].index = 40 + i;
    std::array<char, 16> buf{};
    std::array<belfry_request, 4> requests{};
    int refused = 0;
    const auto run = [&](uint32_t length, std::vector<belfry_request> written, std::vector<uint32_t> refusals) {
        belfry_outbox outbox = sized<belfry_outbox>();
        outbox.stride = sizeof(belfry_request);
        outbox.cap = 4;
        outbox.requests = requests.data();
        outbox.buf = buf.data();
        outbox.buf_cap = 16;
        fake_.encode = [&](belfry_outbox& out, const auto& refuse) {
            std::copy(written.begin(), written.end(), requests.begin());
            out.n = static_cast<uint32_t>(written.size());
            out.buf_n = 10;
            for (const uint32_t item : refusals) refuse(item, BELFRY_REFUSED);
            return length;
        };
        const Result<uint32_t> done =
            provider.encode(Prepared(), items, outbox, [&](const belfry_verdict&) { ++refused; });
        return done ? static_cast<int>(*done) : -1;
    };
    const auto request = [](uint32_t first, uint32_t n, belfry_span body = {0, 10}) {
        belfry_request row = sized<belfry_request>();
        row.first_item = first;
        row.items = n;
        row.body = body;
        return row;
    };
    EXPECT_EQ(run(3, {request(40, 2), request(42, 1)}, {}), 3);
    EXPECT_EQ(run(2, {request(41, 1)}, {40}), 2);
    EXPECT_EQ(refused, 1);
    EXPECT_EQ(faults_.total(), 0u);
    EXPECT_EQ(run(3, {request(40, 2)}, {}), -1) << "item 42 is not covered";
    EXPECT_EQ(run(1, {request(40, 2)}, {}), -1) << "item 41 is not of the prefix";
    EXPECT_EQ(run(1, {request(40, 1, {5, 6})}, {}), -1) << "body ends behind what was written";
    EXPECT_EQ(run(1, {request(40, 1, {0xffffffffu, 2})}, {}), -1);
    EXPECT_EQ(run(4, {request(40, 3)}, {}), -1) << "longer than what was given";
    EXPECT_EQ(run(1, {request(40, 1), request(7, 0)}, {}), -1) << "a request for nobody";
    EXPECT_EQ(run(0, {}, {}), -1) << "no progress";
    EXPECT_EQ(faults_.of(Fault::NotAdvancing), 1u);
}

belfry_channel channel_row(std::string_view id, std::string_view push_type = {}, uint32_t flags = 0) {
    belfry_channel row = sized<belfry_channel>();
    row.id = str(id);
    row.push_type = str(push_type);
    row.flags = flags;
    return row;
}

TEST_F(ProviderTest, AsksForChannelsInTheTypedWordsOfTheTable) {
    table_.channels = channels;
    Provider provider(&table_, &fake_, faults_);
    ASSERT_TRUE(provider.keeps_channels());
    std::string asked;
    fake_.channels = [&](const belfry_channel_call& call, const auto& emit, belfry_why*) {
        asked = std::to_string(call.size) + " " + std::to_string(call.verb) + " " + std::to_string(call.flags) + " " +
                text(call.topic) + " " + text(call.id) + " " + text(call.push_type) + " " +
                std::to_string(call.deadline_mono_ns);
        emit(channel_row("new", "LiveActivity", BELFRY_CHANNEL_STORES));
        return belfry_code{BELFRY_OK};
    };
    const Result<std::vector<Channel>> made =
        provider.channels({ChannelCall::Verb::Create, "com.a", {"", "LiveActivity", true}}, 42);
    ASSERT_TRUE(made);
    EXPECT_EQ(asked, std::to_string(sizeof(belfry_channel_call)) + " 1 1 com.a  LiveActivity 42");
    ASSERT_EQ(made->size(), 1U);
    EXPECT_EQ(made->front().id + " " + made->front().push_type, "new LiveActivity");
    EXPECT_TRUE(made->front().stores);
    ASSERT_TRUE(provider.channels({ChannelCall::Verb::Get, "", {"x", "", false}}, 7));
    EXPECT_EQ(asked, std::to_string(sizeof(belfry_channel_call)) + " 2 0  x  7");
    EXPECT_EQ(faults_.total(), 0u);
}

TEST_F(ProviderTest, RefusesRowsThatAChannelCallMustNotHave) {
    table_.channels = channels;
    Provider provider(&table_, &fake_, faults_);
    std::vector<belfry_channel> rows;
    fake_.channels = [&](const belfry_channel_call&, const auto& emit, belfry_why*) {
        for (const belfry_channel& row : rows) emit(row);
        return belfry_code{BELFRY_OK};
    };
    using Verb = ChannelCall::Verb;
    const auto found = [&](Verb verb, std::vector<belfry_channel> given) {
        rows = std::move(given);
        const Result<std::vector<Channel>> answer = provider.channels({verb, "", {}}, 0);
        if (answer) return static_cast<int>(answer->size());
        EXPECT_EQ(answer.error().code, ErrorCode::Internal);
        return -1;
    };
    const std::string long_id(kChannelIdMax + 1, 'i');
    EXPECT_EQ(found(Verb::List, {}), 0);
    EXPECT_EQ(found(Verb::List, {channel_row("a"), channel_row("b")}), 2);
    EXPECT_EQ(found(Verb::Delete, {}), 0);
    EXPECT_EQ(found(Verb::Create, {channel_row(std::string_view(long_id).substr(1))}), 1);
    EXPECT_EQ(faults_.total(), 0u);
    EXPECT_EQ(found(Verb::Create, {}), -1);
    EXPECT_EQ(found(Verb::Get, {}), -1);
    EXPECT_EQ(faults_.of(Fault::MissingResult), 2u);
    EXPECT_EQ(found(Verb::Get, {channel_row("a"), channel_row("b")}), -1);
    EXPECT_EQ(found(Verb::Delete, {channel_row("a")}), -1);
    EXPECT_EQ(found(Verb::Create, {channel_row("")}), -1);
    EXPECT_EQ(found(Verb::Create, {channel_row(long_id)}), -1);
    EXPECT_EQ(found(Verb::List, {channel_row("a"), channel_row("a\nb: c")}), -1);
    EXPECT_EQ(found(Verb::List, {channel_row("a", "Live Activity")}), -1);
    EXPECT_EQ(faults_.of(Fault::BadRow), 6u);
}

TEST_F(ProviderTest, HasNoChannelsIfTheTableIsOlderOrCutsTheMember) {
    table_.channels = channels;
    for (const size_t size : {offsetof(belfry_provider, channels), offsetof(belfry_provider, channels) + 4}) {
        table_.size = static_cast<uint32_t>(size);
        Provider provider(&table_, &fake_, faults_);
        EXPECT_FALSE(provider.keeps_channels()) << size;
        EXPECT_EQ(provider.channels({}, 0).error().code, ErrorCode::Unsupported);
    }
    EXPECT_EQ(Provider::missing(table_), "") << "an older table is complete";
}

TEST(ProviderTable, KeepsTheOffsetsThatPluginsWereBuiltWith) {
    static_assert(sizeof(void*) != 8 || offsetof(belfry_provider, send) == 64);
    static_assert(offsetof(belfry_provider, channels) == offsetof(belfry_provider, send) + sizeof(void*));
    static_assert(sizeof(void*) != 8 || sizeof(belfry_channel_call) == 72);
    static_assert(sizeof(void*) != 8 || sizeof(belfry_channel) == 40);
    static_assert(sizeof(void*) != 8 || offsetof(belfry_answer, tokens) == 88);
    static_assert(offsetof(belfry_answer, flags) == offsetof(belfry_answer, tokens) + sizeof(belfry_list));
    EXPECT_EQ(offsetof(belfry_provider, channels) + sizeof(void*), sizeof(belfry_provider))
        << "appended members go last";
}

TEST(ProviderTable, NamesMandatoryFunctionsThatAreMissing) {
    EXPECT_EQ(Provider::missing(sized<belfry_provider>()), "validate, prepare, release, decode or send");
}

}  // namespace
}  // namespace belfry::plugins
