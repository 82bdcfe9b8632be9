// SPDX-License-Identifier: Apache-2.0
#include "audience/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "base/device_id.h"
#include "fakes/facades.h"

// A storage in a test's memory, behind the C table like any plugin.
struct belfry_instance {
    struct Device {
        std::string app, provider, token, user, meta;
        std::vector<std::string> topics;
        int64_t key;
    };
    std::mutex mutex;
    std::condition_variable opened;
    bool gate_open = true;
    int passes = 0;  // groups that pass the closed gate
    std::map<std::string, Device> by_identity;
    std::map<std::string, std::pair<int64_t, std::string>> kv;
    std::vector<size_t> groups;
    size_t entered = 0;
    int conflicts = 0;
    bool broken = false;
    int64_t sequence = 0;
    int cas_conflicts = 0;
};

namespace belfry::audience {
namespace {

belfry_code register_devices(belfry_instance* self, belfry_str app, belfry_list rows, belfry_emit emit, void* ctx,
                             belfry_why* why) {
    std::unique_lock lock(self->mutex);
    self->entered += rows.n;
    self->opened.wait(lock, [&] { return self->gate_open || self->passes > 0; });
    if (!self->gate_open) --self->passes;
    self->groups.push_back(rows.n);
    if (self->broken) return because(why, BELFRY_STORE_FULL, "", "the disk is full");
    uint32_t index = 0;
    for (const auto& row : Rows<belfry_registration>(rows)) {
        belfry_registered answer = sized<belfry_registered>();
        answer.index = index++;
        if (self->conflicts > 0) {
            --self->conflicts;
            answer.code = BELFRY_CONFLICT;
        } else {
            const std::string identity =
                text(app) + std::string(std::begin(row.identity_hash), std::end(row.identity_hash));
            const bool known = self->by_identity.contains(identity);
            belfry_instance::Device& device = self->by_identity[identity];
            if (!known) {
                device.key = row.key >= 0 ? row.key : (int64_t{row.prefix} << 40) + ++self->sequence;
                answer.flags = BELFRY_REGISTERED_CREATED;
            }
            device.app = text(app);
            device.provider = text(row.provider);
            device.token = text(row.token);
            device.user = text(row.user);
            device.meta = text(row.meta);
            device.topics.clear();
            for (const belfry_str& topic : Rows<belfry_str>(row.topics)) device.topics.push_back(text(topic));
            answer.key = device.key;
        }
        static_cast<void>(emit(ctx, one_row(answer)));
    }
    return BELFRY_OK;
}
belfry_code list_devices(belfry_instance* self, belfry_str app, const belfry_selection* which,
                         const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end, belfry_why*) {
    const std::lock_guard lock(self->mutex);
    for (const auto& [identity, device] : self->by_identity) {
        if (device.app != view(app)) continue;
        if (which->users.n > 0 && view(Rows<belfry_str>(which->users)[0]) != device.user) continue;
        belfry_device row = sized<belfry_device>();
        row.key = device.key;
        row.token = str(std::string_view(device.token));
        std::vector<belfry_str> topics;
        for (const std::string& topic : device.topics) topics.push_back(str(std::string_view(topic)));
        if ((paging->fields & BELFRY_FIELD_TOPICS) != 0) row.topics = list_of(topics);
        static_cast<void>(emit(ctx, one_row(row)));
    }
    end->more = 1;
    put(end->cursor, sizeof end->cursor, "next");
    end->total = paging->want_total != 0 ? 7 : -1;
    return BELFRY_OK;
}
belfry_code remove_devices(belfry_instance* self, belfry_str, const belfry_selection* which, belfry_emit emit,
                           void* ctx, belfry_why*) {
    const std::lock_guard lock(self->mutex);
    uint32_t index = 0;
    for (const int64_t key : Rows<int64_t>(which->keys)) {
        belfry_item_result row = sized<belfry_item_result>();
        row.index = index++;
        row.changed =
            static_cast<uint32_t>(std::erase_if(self->by_identity, [&](const auto& d) { return d.second.key == key; }));
        if (row.changed == 0) row.code = BELFRY_NOT_FOUND;
        static_cast<void>(emit(ctx, one_row(row)));
    }
    return BELFRY_OK;
}
belfry_code update_user_topics(belfry_instance* self, belfry_str, belfry_list changes, belfry_emit emit, void* ctx,
                               belfry_why*) {
    const std::lock_guard lock(self->mutex);
    for (uint32_t index = 0; const auto& change : Rows<belfry_user_topics>(changes)) {
        self->kv["seen " + text(change.user)] = {change.op, text(Rows<belfry_str>(change.topics)[0])};
        belfry_item_result row = sized<belfry_item_result>();
        row.index = index++;
        static_cast<void>(emit(ctx, one_row(row)));
    }
    return BELFRY_OK;
}
// Keeps what it was asked and answers by key: 1 done, 2 missing, 3 guarded, 4 too many topics, 5 full.
belfry_code update_devices(belfry_instance* self, belfry_str, const belfry_selection* which, const belfry_patch* patch,
                           belfry_emit emit, void* ctx, belfry_why* why) {
    const std::lock_guard lock(self->mutex);
    if (self->broken) return because(why, BELFRY_RETRY_LATER, "", "locked");
    self->kv["patch"] = {patch->flags, text(patch->user) + "|" + text(patch->meta) + "|" + text(patch->timezone) + "|" +
                                           text(patch->locale) + "|" + text(patch->guard_user) + "|" +
                                           std::to_string(patch->topic_op) + "|" + std::to_string(patch->topics.n)};
    const belfry_code codes[] = {BELFRY_INTERNAL, BELFRY_OK,        BELFRY_NOT_FOUND,
                                 BELFRY_CONFLICT, BELFRY_TOO_LARGE, BELFRY_STORE_FULL};
    uint32_t index = 0;
    for (const int64_t key : Rows<int64_t>(which->keys)) {
        belfry_item_result row = sized<belfry_item_result>();
        row.index = index++;
        row.code = codes[key];
        row.changed = row.code == BELFRY_OK ? 1 : 0;
        static_cast<void>(emit(ctx, one_row(row)));
    }
    for (uint32_t i = 0; i < which->users.n; ++i) {
        belfry_item_result row = sized<belfry_item_result>();
        row.index = index++;
        row.changed = which->keys.n > 0 ? 1 : 4;
        static_cast<void>(emit(ctx, one_row(row)));
    }
    return BELFRY_OK;
}
// One pair; says back what it was asked.
belfry_code list_topics(belfry_instance* self, belfry_str, const belfry_selection* which, const belfry_paging* paging,
                        belfry_emit emit, void* ctx, belfry_page_end* end, belfry_why*) {
    const std::lock_guard lock(self->mutex);
    const std::string topic = text(which->topic_prefix) + std::to_string(paging->limit);
    belfry_device device = sized<belfry_device>();
    device.key = 7;
    device.token = str(std::string_view(topic));
    belfry_topic_row row = sized<belfry_topic_row>();
    row.key = 7;
    row.user = str(std::string_view("u"));
    row.topic = str(std::string_view(topic));
    row.origins = BELFRY_ORIGIN_USER;
    row.device = paging->fields != 0 ? &device : nullptr;
    static_cast<void>(emit(ctx, one_row(row)));
    end->more = 1;
    put(end->cursor, sizeof end->cursor, "more");
    end->total = paging->want_total != 0 ? 3 : -1;
    return BELFRY_OK;
}
belfry_code kv_get(belfry_instance* self, belfry_str key, belfry_emit emit, void* ctx, belfry_why*) {
    const std::lock_guard lock(self->mutex);
    const auto found = self->kv.find(text(key));
    if (found == self->kv.end()) return BELFRY_OK;
    belfry_kv row = sized<belfry_kv>();
    row.key = key;
    row.value = str(std::string_view(found->second.second));
    row.version = found->second.first;
    static_cast<void>(emit(ctx, one_row(row)));
    return BELFRY_OK;
}
belfry_code kv_cas(belfry_instance* self, const belfry_kv* kv, belfry_why* why) {
    const std::lock_guard lock(self->mutex);
    auto& slot = self->kv[text(kv->key)];
    if (self->cas_conflicts > 0) {
        --self->cas_conflicts;
        slot = {slot.first + 1, "other\n"};
    }
    if (slot.first != kv->version) return because(why, BELFRY_CONFLICT, "version", "differs");
    slot = {kv->version + 1, text(kv->value)};
    return BELFRY_OK;
}

belfry_storage table() {
    belfry_storage t = sized<belfry_storage>();
    t.register_devices = register_devices;
    t.list_devices = list_devices;
    t.remove_devices = remove_devices;
    t.update_devices = update_devices;
    t.list_device_topics = list_topics;
    t.list_user_topics = list_topics;
    t.update_user_topics = update_user_topics;
    t.kv_get = kv_get;
    t.kv_cas = kv_cas;
    return t;
}

class UpperCaseTokens final : public TokenCheck {
public:
    Result<plugins::CheckedToken> check(const std::string& instance, std::string_view,
                                        std::string_view token) override {
        if (instance == "absent") return error(ErrorCode::Unavailable, "provider absent is not running");
        if (token == "bad") return error(ErrorCode::InvalidArgument, "a token has no spaces", "somewhere");
        std::string upper(token);
        std::transform(upper.begin(), upper.end(), upper.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        return plugins::CheckedToken{upper, upper, "data", 1};
    }
};

class RegistryTest : public ::testing::Test {
protected:
    void set_gate(bool open, int passes = 0) {
        {
            const std::lock_guard lock(memory_.mutex);
            memory_.gate_open = open;
            memory_.passes = passes;
        }
        memory_.opened.notify_all();
    }
    size_t entered() {
        const std::lock_guard lock(memory_.mutex);
        return memory_.entered;
    }
    std::thread caller(size_t devices_n, const std::string& name) {
        return std::thread([this, devices_n, name] {
            std::vector<Registration> all;
            for (size_t i = 0; i < devices_n; ++i) all.push_back(device(name + "-" + std::to_string(i)));
            for (const Result<Registered>& answer : registry_.register_devices(all)) EXPECT_TRUE(answer);
        });
    }
    static Registration device(const std::string& token, const std::string& provider = "fcm") {
        Registration r;
        r.app = "default";
        r.wire_name = r.provider = provider;
        r.token = token;
        return r;
    }
    belfry_instance memory_;
    plugins::Faults faults_{"storage"};
    const belfry_storage table_ = table();
    plugins::Storage storage_{&table_, &memory_, faults_};
    UpperCaseTokens tokens_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    Registry registry_{storage_, tokens_, log_, metrics_};
};

TEST_F(RegistryTest, StoresTheTokenAsTheProviderNormalisesIt) {
    Registration r = device("abc");
    r.user = "42";
    r.meta = R"({"a":"b"})";
    r.topics = {"news", "sport"};
    const Result<Registered> answer = registry_.register_device(r);
    ASSERT_TRUE(answer) << answer.error().to_string();
    EXPECT_TRUE(answer->created);
    ASSERT_EQ(memory_.by_identity.size(), 1u);
    const belfry_instance::Device& stored = memory_.by_identity.begin()->second;
    EXPECT_EQ(stored.token, "ABC");
    EXPECT_EQ(stored.user, "42");
    EXPECT_EQ(stored.meta, R"({"a":"b"})");
    EXPECT_EQ(stored.topics, (std::vector<std::string>{"news", "sport"}));
    EXPECT_LT(answer->key, kDeviceKeyEnd);
    EXPECT_FALSE(registry_.register_device(r)->created);
}

TEST_F(RegistryTest, RefusesWhatTheProviderRefuses) {
    const Result<Registered> bad = registry_.register_device(device("bad"));
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(bad.error().to_string(), "token: a token has no spaces");
    EXPECT_EQ(registry_.register_device(device("x", "absent")).error().code, ErrorCode::Unavailable);
    EXPECT_TRUE(memory_.by_identity.empty());
}

TEST_F(RegistryTest, NumbersWireNamesOnceAndKeepsTheNumbersInTheStorage) {
    const int64_t fcm = registry_.register_device(device("a", "fcm"))->key;
    const int64_t apns = registry_.register_device(device("b", "apns"))->key;
    const int64_t fcm_again = registry_.register_device(device("c", "fcm"))->key;
    EXPECT_EQ(fcm >> 48, 1);
    EXPECT_EQ(apns >> 48, 2);
    EXPECT_EQ(fcm_again >> 48, 1);
    const std::unique_ptr<NameNumbers> elsewhere = std::move(*NameNumbers::open(storage_, kSlotNumbers, kSlotsMax));
    EXPECT_EQ(*elsewhere->number("apns"), 2u);
    EXPECT_EQ(*elsewhere->number("hms"), 3u);
    // This node has not seen hms being numbered; it finds out by its conflict.
    EXPECT_EQ(registry_.register_device(device("d", "hms"))->key >> 48, 3);
}

TEST_F(RegistryTest, NumbersAgainWhenAnotherNodeWasFaster) {
    memory_.cas_conflicts = 1;
    EXPECT_EQ(registry_.register_device(device("a", "fcm"))->key >> 48, 2);
    EXPECT_EQ(memory_.kv.at(std::string(kSlotNumbers)).second, "other\nfcm\n");
}

TEST_F(RegistryTest, TellsManyWithoutKeepingTheirThread) {
    ASSERT_TRUE(registry_.register_device(device("first")));
    set_gate(false);
    std::atomic<size_t> told{0}, created{0}, busy{0};
    const auto count = [&](Result<Registered>&& answer) {
        if (answer)
            created += answer->created ? 1 : 0;
        else
            busy += answer.error().code == ErrorCode::Busy && answer.error().retry_after_ms > 0 ? 1 : 0;
        ++told;
    };
    // One group is in the storage's hands, the line behind it is full, the last one finds no room.
    registry_.register_then(device("taken"), count);
    while (entered() < 2) std::this_thread::yield();
    for (size_t i = 0; i < kRegistrationsWaitingMax; ++i)
        registry_.register_then(device("t" + std::to_string(i)), count);
    EXPECT_EQ(told, 0u);
    registry_.register_then(device("late"), count);
    EXPECT_EQ(busy, 1u);
    registry_.register_then(device("bad"), count);
    EXPECT_EQ(told, 2u) << "what is refused at once is told at once";
    set_gate(true);
    while (told < kRegistrationsWaitingMax + 3) std::this_thread::yield();
    EXPECT_EQ(created, kRegistrationsWaitingMax + 1);
    registry_.stop();
    Error after;
    registry_.register_then(device("after"), [&](Result<Registered>&& answer) { after = answer.error(); });
    EXPECT_EQ(after.code, ErrorCode::Unavailable);
}

TEST_F(RegistryTest, CommitsWhatArrivedMeanwhileAsOneGroup) {
    ASSERT_TRUE(registry_.register_device(device("first")));
    {
        const std::lock_guard lock(memory_.mutex);
        memory_.gate_open = false;
        memory_.groups.clear();
        memory_.entered = 0;
    }
    std::atomic<int> registered{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 20; ++i) {
        callers.emplace_back([&, i] {
            if (registry_.register_device(device("t" + std::to_string(i)))) ++registered;
        });
    }
    // Until one group is in the storage's hands and everybody else waits behind it.
    const auto all_wait = [&] {
        const std::lock_guard lock(memory_.mutex);
        return memory_.entered + registry_.waiting() == 20;
    };
    while (!all_wait()) std::this_thread::yield();
    {
        const std::lock_guard lock(memory_.mutex);
        memory_.gate_open = true;
    }
    memory_.opened.notify_all();
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(registered, 20);
    ASSERT_LE(memory_.groups.size(), 2u);
    EXPECT_EQ(memory_.groups.front() + (memory_.groups.size() == 2 ? memory_.groups.back() : 0), 20u);
}

TEST_F(RegistryTest, StoresManyAtOnceAndAnswersEach) {
    const std::vector<Registration> all = {device("a"), device("bad"), device("c"), device("x", "absent")};
    const std::vector<Result<Registered>> answers = registry_.register_devices(all);
    ASSERT_EQ(answers.size(), 4u);
    EXPECT_TRUE(answers[0]);
    EXPECT_EQ(answers[1].error().code, ErrorCode::InvalidArgument);
    EXPECT_TRUE(answers[2]);
    EXPECT_EQ(answers[3].error().code, ErrorCode::Unavailable);
    EXPECT_EQ(memory_.groups, std::vector<size_t>{2});
}

TEST_F(RegistryTest, LetsBatchesWaitForRoomInsteadOfRefusingThem) {
    {
        const std::lock_guard lock(memory_.mutex);
        memory_.gate_open = false;
    }
    constexpr size_t kBatch = kRegistrationGroupMax / 2;
    constexpr size_t kBatches = (kRegistrationGroupMax + 2 * kRegistrationsWaitingMax) / kBatch;
    std::atomic<size_t> stored{0};
    std::vector<std::thread> callers;
    for (size_t c = 0; c < kBatches; ++c) {
        callers.emplace_back([&, c] {
            std::vector<Registration> all;
            for (size_t i = 0; i < kBatch; ++i)
                all.push_back(device("t" + std::to_string(c) + "-" + std::to_string(i)));
            for (const Result<Registered>& answer : registry_.register_devices(all)) stored += answer ? 1 : 0;
        });
    }
    // The bound holds while the storage does not move: a group is in its hands, no more than the bound waits.
    while (registry_.waiting() < kRegistrationsWaitingMax - kBatch) std::this_thread::yield();
    EXPECT_LE(registry_.waiting(), kRegistrationsWaitingMax);
    {
        const std::lock_guard lock(memory_.mutex);
        memory_.gate_open = true;
    }
    memory_.opened.notify_all();
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(stored, kBatches * kBatch);
}

TEST_F(RegistryTest, TakesCallersWithFewDevicesBeforeTheBatchesOfOthers) {
    set_gate(false);
    std::vector<std::thread> callers;
    const auto join = [&](size_t devices_n, size_t waiting) {
        callers.push_back(caller(devices_n, "c" + std::to_string(callers.size())));
        while (registry_.waiting() != waiting) std::this_thread::yield();
    };
    callers.push_back(caller(1, "first"));
    while (entered() != 1) std::this_thread::yield();
    join(kRegistrationGroupMax, kRegistrationGroupMax);
    join(kRegistrationGroupMax, 2 * kRegistrationGroupMax);
    join(kFewDevices, 2 * kRegistrationGroupMax + kFewDevices);
    join(1, 2 * kRegistrationGroupMax + kFewDevices + 1);
    set_gate(true);
    for (std::thread& one : callers) one.join();
    EXPECT_EQ(memory_.groups, (std::vector<size_t>{1, kFewDevices + 1, kRegistrationGroupMax, kRegistrationGroupMax}));
}

TEST_F(RegistryTest, LetsBatchesGoOnWhileOthersComeWithoutEnd) {
    constexpr size_t kBatch = kFewDevices + 1;
    set_gate(false);
    std::vector<std::thread> callers;
    callers.push_back(caller(1, "first"));
    while (entered() != 1) std::this_thread::yield();
    callers.push_back(caller(kBatch, "batch"));
    while (registry_.waiting() != kBatch) std::this_thread::yield();
    // One more of the few is there whenever a group has been stored.
    for (size_t turn = 0; turn <= kPassedOverMax; ++turn) {
        callers.push_back(caller(1, "few" + std::to_string(turn)));
        while (registry_.waiting() != kBatch + 1) std::this_thread::yield();
        const size_t before = entered();
        set_gate(false, 1);
        while (entered() == before) std::this_thread::yield();
    }
    set_gate(true);
    for (std::thread& one : callers) one.join();
    std::vector<size_t> expected(1 + kPassedOverMax, 1);
    expected.push_back(kBatch);
    expected.push_back(1);
    EXPECT_EQ(memory_.groups, expected);
}

TEST_F(RegistryTest, TriesLostRacesAgainAndThenSaysConflict) {
    memory_.conflicts = kRegistrationRaces;
    EXPECT_TRUE(registry_.register_device(device("a")));
    memory_.conflicts = kRegistrationRaces + 1;
    EXPECT_EQ(registry_.register_device(device("b")).error().code, ErrorCode::Conflict);
}

TEST_F(RegistryTest, PassesTroubleOfTheStorageOn) {
    memory_.broken = true;
    EXPECT_EQ(registry_.register_device(device("a")).error().code, ErrorCode::StoreFull);
    memory_.broken = false;
    EXPECT_TRUE(registry_.register_device(device("a")));
}

TEST_F(RegistryTest, KeepsAppsApartInOneGroup) {
    Registration other = device("same");
    other.app = "shop";
    const int64_t a = registry_.register_device(device("same"))->key;
    const int64_t b = registry_.register_device(other)->key;
    EXPECT_NE(a, b);
    EXPECT_EQ(memory_.by_identity.size(), 2u);
}

TEST_F(RegistryTest, ListsWithCursorAndTotalOnlyWhenWanted) {
    Registration r = device("a");
    r.topics = {"news"};
    ASSERT_TRUE(registry_.register_device(r));
    const Result<DevicePage> plain = registry_.list("default", {}, {});
    ASSERT_TRUE(plain);
    ASSERT_EQ(plain->rows.size(), 1u);
    EXPECT_EQ(plain->rows[0].token, "A");
    EXPECT_TRUE(plain->rows[0].topics.empty());
    EXPECT_EQ(plain->next_cursor, "next");
    EXPECT_EQ(plain->total, -1);
    Paging all;
    all.want_total = all.want_topics = true;
    const Result<DevicePage> full = registry_.list("default", {}, all);
    EXPECT_EQ(full->total, 7);
    EXPECT_EQ(full->rows[0].topics, std::vector<std::string>{"news"});
    Selection nobody;
    nobody.users = {"nobody"};
    EXPECT_TRUE(registry_.list("default", nobody, {})->rows.empty());
}

TEST_F(RegistryTest, RemovesWhatIsThereAndForgivesWhatIsNot) {
    const int64_t key = registry_.register_device(device("a"))->key;
    EXPECT_EQ(*registry_.remove("default", {key, key + 1}, {}), 1u);
    EXPECT_TRUE(memory_.by_identity.empty());
}

TEST_F(RegistryTest, HandsUserTopicsToTheStorage) {
    const std::vector<UserTopics> changes = {{"u", TopicOp::Add, {"one", "two"}}, {"", TopicOp::Set, {"all"}}};
    EXPECT_TRUE(registry_.update_user_topics("default", changes));
    EXPECT_EQ(memory_.kv.at("seen u"), (std::pair<int64_t, std::string>{1, "one"}));
    EXPECT_EQ(memory_.kv.at("seen "), (std::pair<int64_t, std::string>{3, "all"}));
}

TEST_F(RegistryTest, ChangesWhatIsGivenAndSaysWhatBecameOfEachKey) {
    Change change;
    change.user = "u";
    change.sync_topics = true;
    change.topic_op = TopicOp::Add;
    change.topics = {"a", "b"};
    Result<Changed> done = registry_.update("default", {1, 2, 3, 4}, {"x"}, change);
    ASSERT_TRUE(done) << done.error().to_string();
    using V = Changed::Verdict;
    EXPECT_EQ(done->keys, (std::vector<V>{V::Done, V::Missing, V::Guarded, V::TooManyTopics}));
    EXPECT_EQ(done->devices, 1u) << "with keys, the users' rows are the same devices";
    EXPECT_EQ(memory_.kv.at("patch"),
              (std::pair<int64_t, std::string>{BELFRY_PATCH_USER | BELFRY_PATCH_SYNC_TOPICS | BELFRY_PATCH_TOPICS,
                                               "u|||||1|2"}));
    Change others;
    others.meta = "{}";
    others.timezone = "UTC";
    others.locale = "en";
    others.guard_user = "g";
    others.sync_topics = true;  // means nothing without a user
    done = registry_.update("default", {}, {"x"}, others);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->devices, 4u);
    EXPECT_EQ(memory_.kv.at("patch"),
              (std::pair<int64_t, std::string>{
                  BELFRY_PATCH_META | BELFRY_PATCH_TIMEZONE | BELFRY_PATCH_LOCALE | BELFRY_PATCH_GUARD_USER,
                  "|{}|UTC|en|g|0|0"}));
}

TEST_F(RegistryTest, SaysWhenTheStorageFailedForOneChange) {
    Change change;
    change.user = "u";
    EXPECT_EQ(registry_.update("default", {1, 5}, {}, change).error().code, ErrorCode::StoreFull);
    memory_.broken = true;
    EXPECT_EQ(registry_.update("default", {1}, {}, change).error().code, ErrorCode::Unavailable);
}

TEST_F(RegistryTest, ListsTopicsWithTheirDevicesWhenWanted) {
    Selection selection;
    selection.topic_prefix = "news";
    Paging paging;
    paging.limit = 5;
    const Result<TopicPage> plain = registry_.list_device_topics("default", selection, paging);
    ASSERT_TRUE(plain);
    ASSERT_EQ(plain->rows.size(), 1u);
    EXPECT_EQ(plain->rows[0].key, 7);
    EXPECT_EQ(plain->rows[0].topic, "news5");
    EXPECT_EQ(plain->rows[0].origins, BELFRY_ORIGIN_USER);
    EXPECT_EQ(plain->rows[0].device.key, -1);
    EXPECT_EQ(plain->next_cursor, "more");
    EXPECT_EQ(plain->total, -1);
    paging.want_devices = paging.want_total = true;
    const Result<TopicPage> full = registry_.list_device_topics("default", selection, paging);
    EXPECT_EQ(full->rows[0].device.token, "news5");
    EXPECT_EQ(full->total, 3);
    EXPECT_EQ(registry_.list_user_topics("default", selection, paging)->rows[0].user, "u");
}

TEST_F(RegistryTest, RefusesNewcomersOnceStopped) {
    ASSERT_TRUE(registry_.register_device(device("a")));
    registry_.stop();
    EXPECT_EQ(registry_.register_device(device("b")).error().code, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace belfry::audience
