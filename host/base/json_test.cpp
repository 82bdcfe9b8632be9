// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

namespace belfry::json {
namespace {

// nlohmann's opinion. Known differences are taken out: it skips a byte order mark, ends at NUL, and refuses numbers
// that overflow a double, all of which RFC 8259 leaves to the parser.
class Oracle : public nlohmann::json_sax<nlohmann::json> {
public:
    bool overflow = false;
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
        overflow = e.id == 406;
        return false;
    }
};

enum class Opinion { Valid, Invalid, None };
Opinion oracle(const std::string& text) {
    if (text.find('\0') != std::string::npos || text.substr(0, 1) == "\xEF") return Opinion::None;
    Oracle sax;
    if (nlohmann::json::sax_parse(text, &sax)) return Opinion::Valid;
    return sax.overflow ? Opinion::None : Opinion::Invalid;
}

std::string nested(size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(JsonCheck, AcceptsWhatRfc8259Allows) {
    for (const std::string text :
         {"null", " true ", "false", "0", "-0", "-0.5e+10", "1E400", "\"\"", "[]", "{}",
          "\t[1,\r\n2 , {\"a\" : [] } ]\n", R"("\"\\\/\b\f\n\r\tA")", R"("\ud83d\ude00")",
          "\"\xF0\x9F\x98\x80 \xC3\xA9 \x7F\"", R"({"a":1,"a":2})", R"(["abcdefgh\"ijklmnop"])"}) {
        const Check result = check(text);
        EXPECT_TRUE(result) << text << ": " << describe(text, result);
    }
    EXPECT_TRUE(check(nested(kDepthMax)));
}

struct Fault {
    std::string text;
    size_t at;
    const char* says;
};

class JsonCheckFault : public testing::TestWithParam<Fault> {};
TEST_P(JsonCheckFault, IsRefusedAtItsPosition) {
    const Check result = check(GetParam().text);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.at, GetParam().at) << result.fault;
    EXPECT_NE(std::string(result.fault).find(GetParam().says), std::string::npos) << result.fault;
}
INSTANTIATE_TEST_SUITE_P(
    , JsonCheckFault,
    testing::Values(Fault{"", 0, "expected a value"}, Fault{"  ", 2, "expected a value"},
                    Fault{"nul", 0, "expected a value"}, Fault{"{} x", 3, "after the JSON value"},
                    Fault{"{}{}", 2, "after the JSON value"}, Fault{"[1,]", 3, "expected a value"},
                    Fault{"[,1]", 1, "expected a value"}, Fault{"[1 2]", 3, "expected ',' or ']'"},
                    Fault{"{\"a\":1,}", 7, "expected a key"}, Fault{"{a:1}", 1, "expected a key"},
                    Fault{"{\"a\" 1}", 5, "expected ':'"}, Fault{"{\"a\":1 \"b\":2}", 7, "expected ',' or '}'"},
                    Fault{"{\"a\":}", 5, "expected a value"}, Fault{"[1}", 2, "expected ',' or ']'"},
                    Fault{"[", 1, "not closed"}, Fault{"{\"a\":[1]", 8, "not closed"}, Fault{"\"abc", 4, "not closed"},
                    Fault{"\"abc\\", 4, "not closed"}, Fault{"01", 1, "must not begin with 0"}, Fault{"-", 1, "digit"},
                    Fault{"1.", 2, "digit"}, Fault{"1e+", 3, "digit"}, Fault{"+1", 0, "expected a value"},
                    Fault{".5", 0, "expected a value"}, Fault{"'a'", 0, "expected a value"},
                    Fault{"\"a\nb\"", 2, "control character"}, Fault{"\"\\x\"", 1, "unknown escape"},
                    Fault{"\"\\u12g4\"", 1, "four hexadecimal"}, Fault{"\"\\ud800\"", 1, "high surrogate"},
                    Fault{"\"\\ud800\\u0041\"", 1, "high surrogate"}, Fault{"\"\\udc00\"", 1, "low surrogate"},
                    Fault{"\"\xC0\xAF\"", 1, "UTF-8"}, Fault{"\"abcdefghij\xED\xA0\x80\"", 11, "UTF-8"},
                    Fault{"\"\xF4\x90\x80\x80\"", 1, "UTF-8"}, Fault{"\"\xE2\x82\"", 1, "UTF-8"},
                    Fault{"\xEF\xBB\xBF{}", 0, "expected a value"},
                    Fault{nested(kDepthMax + 1), kDepthMax, "too deeply"},
                    Fault{std::string("1\0", 2), 1, "after the JSON value"}));

TEST(JsonCheck, DescribesLineAndColumn) {
    const std::string text = "{\n  \"a\": 1,\n  \"b\" 2\n}";
    EXPECT_EQ(describe(text, check(text)), "line 3, column 7 (byte 18): expected ':' after the key");
}

// A random document, in random spacing, as text.
class Generator {
public:
    explicit Generator(uint32_t seed) : random_(seed) {}
    size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
    std::string document(size_t depth = 0) {
        std::string out = space();
        const size_t kind = below(depth > 5 ? 5 : 8);
        if (kind < 2) out += literal();
        if (kind >= 2 && kind < 5) out += string();
        if (kind == 5) out += sequence('[', ']', depth, false);
        if (kind > 5) out += sequence('{', '}', depth, true);
        return out + space();
    }
    std::string mutate(std::string text) {
        static constexpr std::string_view kBytes =
            "{}[]\",:\\u0123456789aAeE+-.tfn dD8bBcC \n\t\x01\x7F\x80\xBF\xC2\xE0\xED\xF0\xF4";
        for (size_t n = below(3) + 1; n > 0 && !text.empty(); --n) {
            const size_t at = below(text.size());
            switch (below(4)) {
                case 0:
                    text.erase(at, 1 + below(3));
                    break;
                case 1:
                    text.insert(at, 1, kBytes[below(kBytes.size())]);
                    break;
                case 2:
                    text[at] = kBytes[below(kBytes.size())];
                    break;
                default:
                    text.insert(at, text.substr(below(text.size()), below(8)));
                    break;
            }
        }
        return text;
    }

private:
    std::string space() {
        static constexpr const char* kSpaces[] = {"", "", "", " ", "\n", "\r\n\t"};
        return kSpaces[below(6)];
    }
    std::string literal() {
        static constexpr const char* kLiterals[] = {
            "null", "true", "false", "0", "-1", "12.5", "1e9", "-0.0E-2", "9223372036854775807"};
        return kLiterals[below(9)];
    }
    std::string string() {
        static constexpr const char* kParts[] = {
            "a",        "key",          "longer plain text", "\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00",
            "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",  "\\/", ".",    "0"};
        std::string out = "\"";
        for (size_t n = below(4); n > 0; --n) out += kParts[below(13)];
        return out + "\"";
    }
    std::string sequence(char open, char close, size_t depth, bool object) {
        std::string out(1, open);
        for (size_t n = below(4); n > 0; --n) {
            if (object) out += space() + string() + space() + ":";
            out += document(depth + 1);
            if (n > 1) out += ',';
        }
        return out + space() + close;
    }
    std::mt19937 random_;
};

// Every value of the tree is what the readers find in the text.
void expect_same(const Value& value, const nlohmann::json& tree) {
    switch (value.type) {
        case Type::Object: {
            ASSERT_TRUE(tree.is_object());
            for (const Entry& entry : Entries(value)) ASSERT_TRUE(tree.contains(unescape(entry.key)));
            for (const auto& [key, child] : tree.items()) expect_same(member(value, key), child);
            return;
        }
        case Type::Array: {
            ASSERT_EQ(count(value), tree.size());
            size_t i = 0;
            for (const Entry& entry : Entries(value)) {
                EXPECT_EQ(element(value, i).raw.data(), entry.value.raw.data());
                expect_same(entry.value, tree[i++]);
            }
            return;
        }
        case Type::String:
            ASSERT_TRUE(tree.is_string());
            EXPECT_EQ(unescape(value), tree.get<std::string>());
            EXPECT_TRUE(equals(value, tree.get<std::string>()));
            EXPECT_FALSE(equals(value, tree.get<std::string>() + "x"));
            return;
        case Type::Number:
            ASSERT_TRUE(tree.is_number());
            EXPECT_EQ(nlohmann::json::parse(value.raw), tree);
            if (tree.is_number_integer() && (!tree.is_number_unsigned() || tree.get<uint64_t>() <= INT64_MAX)) {
                EXPECT_EQ(to_int64(value), tree.get<int64_t>());
            }
            return;
        case Type::True:
        case Type::False:
            EXPECT_EQ(tree, value.type == Type::True);
            return;
        case Type::Null:
            EXPECT_TRUE(tree.is_null());
            return;
        case Type::Absent:
            FAIL() << "a value of the tree was not found";
    }
}

TEST(Json, AgreesWithTheOracleOnRandomAndMutatedDocuments) {
    Generator generator(20260901);
    size_t valid = 0, invalid = 0;
    for (int round = 0; round < 6000; ++round) {
        std::string text = generator.document();
        if (round % 3 != 0) text = generator.mutate(text);
        const Opinion opinion = oracle(text);
        if (opinion == Opinion::None) continue;
        const Check result = check(text);
        ASSERT_EQ(static_cast<bool>(result), opinion == Opinion::Valid) << text << "\n" << describe(text, result);
        (result ? valid : invalid) += 1;
        if (result) expect_same(root(text), nlohmann::json::parse(text));
        if (testing::Test::HasFailure()) FAIL() << "in " << text;
    }
    EXPECT_GT(valid, 1500U);
    EXPECT_GT(invalid, 1500U);
}

TEST(Json, ReadersStayInsideTextThatWasNotChecked) {
    Generator generator(7);
    size_t seen = 0;
    for (int round = 0; round < 5000; ++round) {
        const std::string text = generator.mutate(generator.document());
        const std::string exact(text.data(), text.size());  // ASan guards its end
        for (const Entry& entry : Entries(root(exact))) {
            std::string out;
            unescape_to(entry.value, out);
            seen += out.size() + count(entry.value) + (equals(entry.key, "key") ? 1 : 0);
        }
        seen += find(exact, "a.0.key").raw.size();
    }
    EXPECT_GT(seen, 0U);
}

TEST(JsonFind, FollowsObjectsAndArrays) {
    const std::string text = R"({"error":{"details":[{"x":1},{"@type":"FcmError","co\u0064e":"A"}]},)"
                             R"("results":[[],{"error":"E"}],"7":"seven"})";
    EXPECT_EQ(find(text, "error.details.1.code").raw, "\"A\"");
    EXPECT_EQ(find(text, "error.details.1.@type").raw, "\"FcmError\"");
    EXPECT_EQ(find(text, "results.1.error").raw, "\"E\"");
    EXPECT_EQ(find(text, "7").raw, "\"seven\"");
    EXPECT_EQ(find(text, "").raw, text);
    for (const char* path :
         {"error.details.2", "error.details.x", "error.details.1x", "error.details.-1", "nothing", "7.x", "error."}) {
        EXPECT_FALSE(find(text, path)) << path;
    }
}

TEST(JsonFind, TakesTheLastOfDuplicateKeys) {
    EXPECT_EQ(find(R"({"a":1,"b":{"c":1},"\u0061":2,"b":{"d":3}})", "a").raw, "2");
    EXPECT_FALSE(find(R"({"b":{"c":1},"b":{"d":3}})", "b.c"));
}

TEST(JsonEscape, IsUndoneByUnescapeAndAlwaysValid) {
    const std::string raw = std::string("a\"b\\c/\b\f\n\r\t\x01\x1F\x7F \xC3\xA9 \xF0\x9F\x98\x80") + '\0';
    const std::string quoted = '"' + escape(raw) + '"';
    ASSERT_TRUE(check(quoted)) << quoted;
    EXPECT_EQ(unescape(root(quoted)), raw);
    EXPECT_EQ(nlohmann::json::parse(quoted).get<std::string>(), raw);
    EXPECT_EQ(escape("a\xFFz\xE2\x82"), "a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(JsonNumber, ReadsOnlyIntegersThatFit) {
    EXPECT_EQ(to_int64(root("-9223372036854775808")), INT64_MIN);
    for (const char* text : {"9223372036854775808", "1.0", "1e3", "\"1\"", "true"})
        EXPECT_FALSE(to_int64(root(text)).has_value()) << text;
}

}  // namespace
}  // namespace belfry::json
