// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <belfry/text.hpp>

namespace belfry {
namespace {

TEST(SdkText, KnowsAsciiOnly) {
    EXPECT_TRUE(is_word("Az09"));
    EXPECT_TRUE(is_word("a-b.c", "-."));
    EXPECT_FALSE(is_word("a-b"));
    EXPECT_FALSE(is_word(""));
    EXPECT_FALSE(is_word("\xC3\xA4"));
    EXPECT_TRUE(is_visible("a/b?c=%2b"));
    for (const char* bad : {"", "a b", "a\n", "\x7F", "\xC3\xA4"}) EXPECT_FALSE(is_visible(bad)) << bad;
    EXPECT_EQ(lower("AbZ\xC3\x84"), "abz\xC3\x84");
}

TEST(SdkText, ReadsWholeNumbersOnly) {
    EXPECT_EQ(whole_number("0"), 0);
    EXPECT_EQ(whole_number("-12"), -12);
    EXPECT_EQ(whole_number("999999999999999999"), 999'999'999'999'999'999);
    for (const char* bad : {"", "-", "1.5", "1e3", " 1", "1 ", "+1", "1000000000000000000"})
        EXPECT_FALSE(whole_number(bad)) << bad;
}

TEST(SdkText, StrangersWordsBecomeOnePrintableLine) {
    EXPECT_EQ(printable("a\r\nb\x01\xFF z  ", 100), "a  b   z");
    EXPECT_EQ(printable("abcdef", 3), "abc");
    EXPECT_EQ(printable("\n\n", 9), "");
}

TEST(SdkText, FormsHaveNoMarks) {
    EXPECT_EQ(form_encoded("a+b/= &%\xC3\xA4.-_~"), "a%2Bb%2F%3D%20%26%25%C3%A4.-_~");
}

TEST(SdkText, Base64HasTheVectorsOfRfc4648) {
    const std::pair<const char*, const char*> vectors[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64url(bytes), text);
        EXPECT_EQ(from_base64(text), bytes);
    }
    EXPECT_EQ(base64url("\xFB\xFF"), "-_8");
    EXPECT_EQ(from_base64("-_8"), "\xFB\xFF");
    EXPECT_EQ(from_base64("+/8="), "\xFB\xFF");
    for (const char* bad : {"A", "AAAAA", "A B=", "Zh", "Z!"}) EXPECT_FALSE(from_base64(bad)) << bad;
}

}  // namespace
}  // namespace belfry
