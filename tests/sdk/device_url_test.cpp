// SPDX-License-Identifier: Apache-2.0
// Rules of URLs from devices; the cases of attacks stand beside the Web Push provider, which uses all of them.
#include <gtest/gtest.h>

#include <belfry/device_url.hpp>

namespace belfry {
namespace {

belfry_code code_of(const AllowedHosts& allowed, const char* url) {
    try {
        allowed.check(split_device_url(url, "url"), "url", "more_hosts");
    } catch (const Refused& refused) {
        EXPECT_EQ(refused.where(), "url");
        return refused.code();
    }
    return BELFRY_OK;
}

TEST(SdkDeviceUrl, KeepsThePathAndLowersTheHost) {
    const DeviceUrl url = split_device_url("https://A.Test:443/W?Token=%2B", "url");
    EXPECT_EQ(url.origin, "https://a.test");
    EXPECT_EQ(url.path, "/W?Token=%2B");
    EXPECT_EQ(split_device_url("https://a.test:8443/", "url").origin, "https://a.test:8443");
}

TEST(SdkAllowedHosts, MatchWholeLabels) {
    AllowedHosts allowed(false);
    allowed.add({"push.test", "*.wns.test", "other.test:8443"}, "hosts");
    for (const char* good :
         {"https://push.test/x", "https://a.wns.test/x", "https://a.b.wns.test/x", "https://other.test:8443/x"})
        EXPECT_EQ(code_of(allowed, good), BELFRY_OK) << good;
    for (const char* bad : {"https://evilpush.test/x", "https://wns.test/x", "https://evilwns.test/x",
                            "https://push.test.evil.test/x", "https://push.test:8443/x", "https://other.test/x"})
        EXPECT_EQ(code_of(allowed, bad), BELFRY_BAD_REQUEST) << bad;
}

TEST(SdkAllowedHosts, AStarIsEveryPublicName) {
    AllowedHosts all(false), home(true);
    all.add({"*"}, "hosts");
    home.add({"*", "nas"}, "hosts");
    EXPECT_EQ(code_of(all, "https://any.test/x"), BELFRY_OK);
    for (const char* local :
         {"https://127.0.0.1/x", "https://0x7f.1/x", "https://[::1]/x", "https://nas/x", "https://a.lan/x"}) {
        EXPECT_EQ(code_of(all, local), BELFRY_BAD_REQUEST) << local;
        EXPECT_EQ(code_of(home, local), BELFRY_OK) << local;
    }
}

TEST(SdkAllowedHosts, WithoutTlsOnlyWherePrivateNetworksAre) {
    AllowedHosts all(false), home(true);
    all.add({"*", "push.test:80"}, "hosts");
    home.add({"127.0.0.1:9000"}, "hosts");
    EXPECT_EQ(code_of(all, "http://push.test/x"), BELFRY_BAD_REQUEST);
    EXPECT_EQ(code_of(home, "http://127.0.0.1:9000/x"), BELFRY_OK);
    EXPECT_EQ(code_of(home, "http://127.0.0.1/x"), BELFRY_BAD_REQUEST) << "another port";
    EXPECT_EQ(split_device_url("http://127.0.0.1:80/x", "url").origin, "http://127.0.0.1");
    EXPECT_EQ(code_of(home, "ftp://127.0.0.1:9000/x"), BELFRY_BAD_REQUEST);
}

TEST(SdkAllowedHosts, RefusePatternsThatAreNone) {
    for (const char* bad : {"", "a b", "*a.test", "host:port", "host:0", "a..b", "http://x.test"}) {
        AllowedHosts allowed(false);
        try {
            allowed.add({bad}, "hosts");
            ADD_FAILURE() << bad;
        } catch (const Refused& refused) {
            EXPECT_EQ(refused.code(), BELFRY_CONFIG);
            EXPECT_EQ(refused.where(), "hosts");
        }
    }
}

}  // namespace
}  // namespace belfry
