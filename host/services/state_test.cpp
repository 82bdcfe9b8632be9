// SPDX-License-Identifier: Apache-2.0
#include "services/state.h"

#include <belfry/services.h>
#include <belfry/storage.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <belfry/abi.hpp>
#include <fstream>
#include <thread>

#include "fakes/service_host.h"

namespace belfry::services {
namespace {

using fakes::TemporaryFolder;
using fakes::TestHost;

TEST(NodeState, KeepsValuesWithVersions) {
    const TemporaryFolder folder;
    NodeState state(folder.path() / "state");
    EXPECT_FALSE(state.get("fcm", "k")->has_value());
    ASSERT_TRUE(state.cas("fcm", "k", 0, "one"));
    ASSERT_TRUE(state.cas("fcm", "k", 1, std::string_view("two\n\0three", 9)));
    NodeState after_restart(folder.path() / "state");
    const auto stored = *after_restart.get("fcm", "k");
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(stored->version, 2);
    EXPECT_EQ(stored->value, std::string_view("two\n\0three", 9));
    EXPECT_FALSE(after_restart.get("fcm", "other")->has_value());
    EXPECT_FALSE(after_restart.get("apns", "k")->has_value());
}

TEST(NodeState, RefusesTheWrongVersion) {
    const TemporaryFolder folder;
    NodeState state(folder.path());
    EXPECT_EQ(state.cas("fcm", "k", 1, "x").error().code, ErrorCode::Conflict);
    ASSERT_TRUE(state.cas("fcm", "k", 0, "x"));
    EXPECT_EQ(state.cas("fcm", "k", 0, "y").error().code, ErrorCode::Conflict);
    EXPECT_EQ((*state.get("fcm", "k"))->value, "x");
}

TEST(NodeState, RemovesAndStartsAnew) {
    const TemporaryFolder folder;
    NodeState state(folder.path());
    ASSERT_TRUE(state.cas("fcm", "k", 0, "x"));
    ASSERT_TRUE(state.cas("fcm", "k", 1, std::nullopt));
    EXPECT_FALSE(state.get("fcm", "k")->has_value());
    EXPECT_TRUE(state.cas("fcm", "k", 0, "y"));
}

TEST(NodeState, StaysPrivateAndInsideItsFolder) {
    const TemporaryFolder folder;
    NodeState state(folder.path() / "state");
    ASSERT_TRUE(state.cas("../x", "../../etc/passwd", 0, "v"));
    struct stat info {};
    const auto directory = *state.directory("../x");
    ASSERT_EQ(::stat(directory.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);
    EXPECT_EQ(directory.parent_path(), folder.path() / "state");
    ASSERT_EQ(::stat((directory / "kv" / "k%2E%2E%2F%2E%2E%2Fetc%2Fpasswd").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(NodeState, SaysWhenAFileIsNotItsOwn) {
    const TemporaryFolder folder;
    NodeState state(folder.path());
    ASSERT_TRUE(state.cas("fcm", "k", 0, "x"));
    for (const char* content : {"", "garbage", "belfry-state 1 x\n", "belfry-state 1 -1\n", "belfry-state 2 1\nx"}) {
        std::ofstream(folder.path() / "fcm" / "kv" / "kk", std::ios::trunc) << content;
        EXPECT_EQ(state.get("fcm", "k").error().code, ErrorCode::Corrupt) << content;
        EXPECT_EQ(state.cas("fcm", "k", 1, "y").error().code, ErrorCode::Corrupt) << content;
    }
}

TEST(NodeState, BoundsKeysAndValues) {
    const TemporaryFolder folder;
    NodeState state(folder.path());
    EXPECT_EQ(state.cas("fcm", "", 0, "x").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(state.get("fcm", std::string(kStateKeyMax + 1, 'k')).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(state.cas("fcm", "k", 0, std::string(kStateValueMax + 1, 'v')).error().code, ErrorCode::TooLarge);
    EXPECT_TRUE(state.cas("fcm", std::string(kStateKeyMax, '%'), 0, std::string(kStateValueMax, 'v')));
    EXPECT_EQ((*state.get("fcm", std::string(kStateKeyMax, '%')))->value.size(), kStateValueMax);
}

TEST(NodeState, LetsOneOfManyWritersWinEachVersion) {
    const TemporaryFolder folder;
    NodeState state(folder.path());
    std::atomic<int> won{0};
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
        writers.emplace_back([&] {
            for (int64_t version = 0; version < 10; ++version) won += state.cas("fcm", "k", version, "x") ? 1 : 0;
        });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(won, (*state.get("fcm", "k"))->version);
}

class MapState final : public ClusterState {
public:
    Result<std::optional<StoredState>> get(std::string_view key) override {
        const auto at = values.find(std::string(key));
        return at == values.end() ? std::optional<StoredState>() : std::optional<StoredState>(at->second);
    }
    Status cas(std::string_view key, int64_t version, std::optional<std::string_view> value) override {
        StoredState& stored = values[std::string(key)];
        if (stored.version != version) return error(ErrorCode::Conflict, "another version");
        stored = {std::string(value.value_or("removed")), version + 1};
        return {};
    }
    std::map<std::string, StoredState> values;
};

struct Read {
    belfry_code code;
    std::string value;
    int64_t version = 0;
};
Read read(const TestHost& host, int32_t scope, std::string_view key) {
    Read out{};
    const auto& state = host.service<belfry_state>(BELFRY_STATE_ID);
    out.code = collect<belfry_kv>(
        [&](auto emit, void* ctx) { return state.get(host.abi(), scope, str(key), emit, ctx, nullptr); },
        [&](const belfry_kv& row) {
            out.value = text(row.value);
            out.version = row.version;
        });
    return out;
}

TEST(StateService, ServesBothScopes) {
    TestHost host;
    MapState cluster;
    host.services.set_cluster_state(&cluster);
    const auto& state = host.service<belfry_state>(BELFRY_STATE_ID);
    for (const int32_t scope : {BELFRY_STATE_NODE, BELFRY_STATE_CLUSTER}) {
        EXPECT_EQ(read(host, scope, "k").version, 0);
        EXPECT_EQ(state.cas(host.abi(), scope, str("k"), 0, str("v"), nullptr), BELFRY_OK);
        const Read stored = read(host, scope, "k");
        EXPECT_EQ(stored.code, BELFRY_OK);
        EXPECT_EQ(stored.value, "v");
        EXPECT_EQ(stored.version, 1);
        belfry_why why{};
        EXPECT_EQ(state.cas(host.abi(), scope, str("k"), 0, str("w"), &why), BELFRY_CONFLICT);
        EXPECT_STRNE(why.text, "");
    }
    EXPECT_EQ(cluster.values.count("plugin/fcm-shop/k"), 1U);
    EXPECT_EQ(state.cas(host.abi(), BELFRY_STATE_CLUSTER, str("k"), 1, belfry_str{nullptr, 0}, nullptr), BELFRY_OK);
    EXPECT_EQ(cluster.values["plugin/fcm-shop/k"].value, "removed");
}

TEST(StateService, WaitsForTheStorage) {
    const TestHost host;
    EXPECT_EQ(read(host, BELFRY_STATE_CLUSTER, "k").code, BELFRY_RETRY_LATER);
    EXPECT_EQ(read(host, 9, "k").code, BELFRY_BAD_REQUEST);
}

TEST(StateService, ShowsThePrivateDirectory) {
    const TestHost host;
    std::string path;
    const auto& state = host.service<belfry_state>(BELFRY_STATE_ID);
    EXPECT_EQ(collect<belfry_str>([&](auto emit, void* ctx) { return state.directory(host.abi(), emit, ctx, nullptr); },
                                  [&](const belfry_str& row) { path = text(row); }),
              BELFRY_OK);
    EXPECT_EQ(path, (host.folder.path() / "state" / "fcm-shop").string());
}

}  // namespace
}  // namespace belfry::services
