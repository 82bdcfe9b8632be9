// SPDX-License-Identifier: Apache-2.0
// The sample of RFC 8292, section 2.4, with what must not pass.
#include "webpush/vapid.h"

#include <gtest/gtest.h>

namespace belfry::simulator::webpush {
namespace {

const std::string kToken =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9."
    "eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0."
    "i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
const std::string kKey = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
constexpr std::int64_t kExpires = 1'453'523'768;

VapidFault fault(const std::string& authorization, std::int64_t now_s = kExpires - 3600,
                 const std::string& origin = "https://push.example.net") {
    return check_vapid(authorization,
                       {origin, true, std::chrono::system_clock::time_point(std::chrono::seconds(now_s))})
        .fault;
}

TEST(Vapid, TakesTheRfcsSampleOnly) {
    const std::string good = "vapid t=" + kToken + ", k=" + kKey;
    EXPECT_EQ(fault(good), VapidFault::None);
    EXPECT_EQ(fault(good, kExpires + 1), VapidFault::Expiry);
    EXPECT_EQ(fault(good, kExpires - 25 * 3600), VapidFault::TooLong);
    EXPECT_EQ(fault(good, kExpires - 3600, "https://push.example.com"), VapidFault::Audience);
    EXPECT_EQ(fault(""), VapidFault::Missing);
    EXPECT_EQ(fault("WebPush " + kToken), VapidFault::Scheme);
    std::string flipped = kToken;
    flipped[flipped.size() - 10] ^= 1;
    EXPECT_EQ(fault("vapid t=" + flipped + ", k=" + kKey), VapidFault::Token);
    std::string off_curve = kKey;
    off_curve[40] = off_curve[40] == 'A' ? 'B' : 'A';
    EXPECT_EQ(fault("vapid t=" + kToken + ", k=" + off_curve), VapidFault::Key);
}

}  // namespace
}  // namespace belfry::simulator::webpush
