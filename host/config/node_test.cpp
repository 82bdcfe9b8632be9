// SPDX-License-Identifier: Apache-2.0
#include "config/node.h"

#include <gtest/gtest.h>

namespace belfry::config {
namespace {

TEST(ConfigNode, ReadsLooseValuesAsTomlWhereTheyAreTomlAndAsTextOtherwise) {
    EXPECT_EQ(read_loose("12", "x").kind, Node::Kind::Integer);
    EXPECT_EQ(read_loose("true", "x").kind, Node::Kind::Boolean);
    EXPECT_EQ(read_loose("[\"a\"]", "x").kind, Node::Kind::List);
    EXPECT_EQ(read_loose("127.0.0.1:8000", "x").text, "127.0.0.1:8000");
    EXPECT_EQ(read_loose("\"12\"", "x").text, "12");
    EXPECT_EQ(read_loose("1\nother = 2", "x").text, "1\nother = 2");
    EXPECT_EQ(read_loose("", "x").kind, Node::Kind::Text);
    EXPECT_EQ(read_loose("12", "x").source, "12");
}

TEST(ConfigNode, PutsValuesAtPathsAndMergesTables) {
    Node root;
    put(root, {"a", "b"}, read_loose("1", "x"));
    put(root, {"a"}, read_loose("{ c = 2 }", "x"));
    put(root, {"a", "b"}, read_loose("3", "y"));
    ASSERT_NE(root.find("a"), nullptr);
    EXPECT_EQ(root.find("a")->find("b")->integer, 3);
    EXPECT_EQ(root.find("a")->find("b")->origin, "y");
    EXPECT_EQ(root.find("a")->find("c")->integer, 2);
    put(root, {"a", "b", "deeper"}, read_loose("4", "z"));
    EXPECT_EQ(root.find("a")->find("b")->find("deeper")->integer, 4);
}

TEST(ConfigNode, FindsTheNearestKeyOfATypingError) {
    const std::vector<std::string> known = {"http.listen", "http.threads_max", "log.level"};
    EXPECT_EQ(nearest("http.lisetn", known), "http.listen");
    EXPECT_EQ(nearest("http.thread_max", known), "http.threads_max");
    EXPECT_EQ(nearest("something.else.entirely", known), "");
    EXPECT_EQ(nearest("", known), "");
}

}  // namespace
}  // namespace belfry::config
