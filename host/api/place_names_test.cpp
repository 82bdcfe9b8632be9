// SPDX-License-Identifier: Apache-2.0
#include "api/place_names.h"

#include <gtest/gtest.h>

namespace belfry::api {
namespace {

TEST(PlaceNames, KnowTimezones) {
    for (const char* good :
         {"Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+3", "America/Port-au-Prince"}) {
        EXPECT_TRUE(is_timezone(good)) << good;
    }
    for (const char* bad : {"", "Berlin", "Europe/", "/Europe/Berlin", "Europe//Berlin", "../etc/passwd",
                            "Europe/../UTC", "posix/UTC", "zone.tab", "europe", "Europe", "Europe/Berlin ", "+01:00"}) {
        EXPECT_FALSE(is_timezone(bad)) << bad;
    }
    EXPECT_TRUE(is_timezone("Any/Name", "/no/such/folder"));
    EXPECT_FALSE(is_timezone("Any Name", "/no/such/folder"));
}

TEST(PlaceNames, KnowTheFormOfLanguageTags) {
    for (const char* good : {"en", "pt-BR", "zh-Hant-TW", "sr-Latn", "de-1996", "x-private", "i-klingon", "es-419"}) {
        EXPECT_TRUE(is_locale(good)) << good;
    }
    for (const char* bad : {"", "e", "en_US", "en-", "-en", "en--US", "en US", "toolongtag1", "en-toolongtag", "12"}) {
        EXPECT_FALSE(is_locale(bad)) << bad;
    }
}

}  // namespace
}  // namespace belfry::api
