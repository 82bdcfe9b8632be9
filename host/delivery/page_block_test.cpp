// SPDX-License-Identifier: Apache-2.0
// Memory of pages: entries, tokens, outboxes.
#include "delivery/page_block.h"

#include <gtest/gtest.h>

#include <string>

namespace belfry::delivery {
namespace {

TEST(Block, HoldsEntriesWithTheirTokensUntilItIsFull) {
    BlockPool pool(2);
    Block* block = pool.take();
    ASSERT_NE(block, nullptr);
    EXPECT_FALSE(block->has_room(kBlockBytes));
    const std::string token(160, 't');
    uint32_t n = 0;
    while (block->has_room(token.size())) {
        block->add(token, {}).ref = n;
        block->add_exchange(n, 1);
        ++n;
    }
    EXPECT_GT(n, 64u);
    EXPECT_LE(n, kBlockEntries);
    EXPECT_EQ(block->token(n - 1), token);
    EXPECT_EQ(block->entries[n - 1].ref, n - 1);
    EXPECT_EQ(block->exchanges().size(), n);
    EXPECT_NE(pool.take(), nullptr);
    EXPECT_EQ(pool.take(), nullptr);
    EXPECT_EQ(pool.free(), 0u);
    pool.give_back(block);
    EXPECT_EQ(pool.free(), 1u);
    EXPECT_EQ(pool.take()->entries_n, 0u);
}

TEST(Block, KeepsDataBehindTokensAndGivesItsOutboxesBack) {
    BlockPool pool(1);
    Block* block = pool.take();
    block->add("token-1", "data-1");
    block->add("token-2", {});
    EXPECT_EQ(block->token(0), "token-1");
    EXPECT_EQ(block->data(0), "data-1");
    EXPECT_EQ(block->token(1), "token-2");
    EXPECT_EQ(block->data(1), "");
    Outbox* outbox = pool.outbox_for(*block);
    ASSERT_NE(outbox, nullptr);
    EXPECT_EQ(pool.outbox_for(*block), outbox) << "it has room still";
    for (uint32_t n = 1; n < kBlockOutboxes; ++n) {
        outbox->used = kOutboxBytes - kEncodeRoom + 1;
        outbox = pool.outbox_for(*block);
        ASSERT_NE(outbox, nullptr);
        EXPECT_EQ(outbox->used, 0u);
    }
    outbox->used = kOutboxBytes;
    EXPECT_EQ(pool.outbox_for(*block), nullptr) << "a block has at most so many";
    EXPECT_EQ(pool.free_outboxes(), kOutboxesMax - kBlockOutboxes);
    pool.give_back(block);
    EXPECT_EQ(pool.free_outboxes(), kOutboxesMax);
    EXPECT_EQ(pool.outbox_for(*pool.take())->used, 0u);
}

}  // namespace
}  // namespace belfry::delivery
