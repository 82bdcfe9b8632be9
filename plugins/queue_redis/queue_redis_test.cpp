// SPDX-License-Identifier: Apache-2.0
// How queue_redis reads its section and packs its rows; the rest is the specification's, on a server.
#include <gtest/gtest.h>

#include "queue_redis/config.h"
#include "queue_redis/info.h"
#include "queue_redis/writes.h"

namespace belfry::queue_redis {
namespace {

std::string refusal(const char* json) {
    try {
        parse_config(json);
    } catch (const Refused& refused) {
        return refused.where() + ": " + refused.what();
    }
    return "taken";
}

TEST(QueueRedisConfig, NamesTheKeyThatIsWrong) {
    EXPECT_EQ(refusal(R"({"address":"redis.internal:6380","lease_s":10,"key_prefix":"a.b-c_d:e"})"), "taken");
    EXPECT_EQ(refusal(R"({"address":"/run/redis.sock"})"), "taken");
    for (const char* bad : {R"({"address":"redis"})", R"({"address":":1"})", R"({"address":"redis:0"})",
                            R"({"address":"redis:1x"})", R"({"address":"redis:70000"})"})
        EXPECT_EQ(refusal(bad), "address: must be host:port or the path of a Unix socket") << bad;
    EXPECT_EQ(refusal(R"({"key_prefix":"{x}"})"),
              "key_prefix: must be at most 64 letters, digits and characters of _-.:");
    EXPECT_EQ(refusal(R"({"lease_s":9})"), "lease_s: must be a whole number from 10 to 86400");
    EXPECT_EQ(refusal(R"({"user":"belfry"})"), "user: needs a password beside it");
    EXPECT_EQ(refusal(R"({"results_days":1,"uid_window_hours":48})"),
              "results_days: must not be shorter than uid_window_hours");
    EXPECT_EQ(refusal(R"({"dsn":"x"})").substr(0, 27), "dsn: unknown key; known are");
}

TEST(QueueRedisConfig, TakesNoHalfOfTls) {
    EXPECT_EQ(refusal(R"({"tls":true,"ca_file":"/ca.pem"})"), "taken");
    EXPECT_EQ(refusal(R"({"ca_file":"/ca.pem"})"), "tls: must be true for what files of certificates say to count");
    EXPECT_EQ(refusal(R"({"tls":true,"address":"/run/redis.sock"})"), "tls: is not for a Unix socket");
    EXPECT_EQ(refusal(R"({"tls":true,"client_key_file":"/key.pem"})"),
              "client_key_file: belongs to client_certificate_file: give both or neither");
}

TEST(QueueRedisConfig, TakesSentinelsInPlaceOfAnAddress) {
    const Config config = parse_config(
        R"({"sentinels":["a:26379","[::1]:1"],"master_name":"m","sentinel_user":"u","sentinel_password":{"$secret":"s"},)"
        R"("sentinel_tls":true,"sentinel_ca_file":"/ca.pem"})");
    ASSERT_EQ(config.sentinels.size(), 2u);
    EXPECT_EQ(config.sentinels[1].host, "::1");
    EXPECT_TRUE(config.sentinel_password.is_id);
    EXPECT_EQ(refusal(R"({"sentinels":["a:1"],"address":"b:1"})"),
              "address: is told by the sentinels: leave it out, or them");
    EXPECT_EQ(refusal(R"({"master_name":"m"})"), "master_name: is for sentinels: name them, too");
    EXPECT_EQ(refusal(R"({"sentinel_tls":true})"), "sentinel_tls: is for sentinels: name them, too");
    for (const char* bad : {R"({"sentinels":[]})", R"({"sentinels":"a:1"})", R"({"sentinels":["a"]})",
                            R"({"sentinels":["/run/sentinel.sock"]})"})
        EXPECT_EQ(refusal(bad), "sentinels: must be a list of at most 16 host:port") << bad;
    EXPECT_EQ(refusal(R"({"sentinels":["a:1"],"sentinel_ca_file":"/ca.pem"})"),
              "sentinel_tls: must be true for what files of certificates say to count");
}

TEST(QueueRedisConfig, ReadsAnAddress) {
    const Config config = parse_config(R"({"address":"[::1]:7000"})");
    EXPECT_EQ(config.place.host, "::1");
    EXPECT_EQ(config.place.port, 7000);
    EXPECT_TRUE(config.place.is_private());
    EXPECT_EQ(parse_config(R"({"address":"/run/redis.sock"})").place.path, "/run/redis.sock");
}

TEST(Info, FindsALineByItsWholeName) {
    constexpr std::string_view kInfo =
        "# Memory\r\nused_memory_rss:9\r\nused_memory:12\r\nmaxmemory_policy:noeviction\r\n";
    EXPECT_EQ(info_number(kInfo, "used_memory"), 12);
    EXPECT_EQ(info_text(kInfo, "maxmemory_policy"), "noeviction");
    EXPECT_EQ(info_text(kInfo, "maxmemory"), "");
}

TEST(Rows, ComeBackAsTheyWere) {
    Item item;
    item.id = 7;
    item.push = 9;
    item.owner = UINT64_MAX;
    item.epoch = UINT32_MAX;
    item.serial = 3;
    item.place = Place::Later;
    item.vt = int64_t{1} << 52;
    item.after = -1;
    item.hi = int64_t{1} << 56;
    item.due_unix_ms = 5;
    item.kind = BELFRY_WORK_SLICE;
    item.lane = BELFRY_LANE_LOW;
    item.gate = UINT32_MAX;
    const std::string row = pack(item);
    const Item back = unpack_item(7, row);
    EXPECT_EQ(pack(back), row);
    EXPECT_EQ(back.vt, item.vt);
    EXPECT_EQ(back.after, -1);
    // What claim.lua replaces.
    EXPECT_EQ(row.substr(0, 12), holder(UINT64_MAX, UINT32_MAX));
    EXPECT_EQ(row[16], 5);
}

TEST(Keys, ShareOneHashTag) {
    const Keys keys("belfry");
    for (const std::string& key : {keys.of("item"), keys.shelf(1, 7), keys.held(1), keys.reply(1, 1)})
        EXPECT_TRUE(key.starts_with("{belfry}:")) << key;
    EXPECT_EQ(hex(0xabc), "0000000000000abc");
}

}  // namespace
}  // namespace belfry::queue_redis
