// SPDX-License-Identifier: Apache-2.0
#include "delivery/page_block.h"

#include <algorithm>

namespace belfry::delivery {

Entry& Block::add(std::string_view token, std::string_view data) noexcept {
    char* const at = text + text_n;
    std::copy(token.begin(), token.end(), at);
    std::copy(data.begin(), data.end(), at + token.size());
    text_n += static_cast<uint32_t>(token.size() + data.size());
    tokens[entries_n] = {at, token.size()};
    Entry& entry = entries[entries_n++];
    entry = Entry{};
    entry.data_n = static_cast<uint16_t>(data.size());
    ++open_n;
    return entry;
}

Block::Place Block::place(uint32_t number) noexcept {
    Block* block = this;
    for (; number >= block->entries_n && block->next != nullptr; block = block->next) number -= block->entries_n;
    return {block, number};
}

http::Exchange& Block::add_exchange(uint32_t first, uint32_t n) noexcept {
    sent[exchanges_n] = Sent{static_cast<uint16_t>(first), static_cast<uint16_t>(n), false};
    packed = packed || n > 1;
    under_way += n;
    // Default-initialised: the inline answer's bytes need no zeroes.
    auto* exchange = new (raw_exchanges + exchanges_n * sizeof(http::Exchange)) http::Exchange;
    exchange->index = exchanges_n++;
    exchange->deliveries = static_cast<uint16_t>(n);
    return *exchange;
}

void Block::clear() noexcept {
    for (http::Exchange& exchange : exchanges()) exchange.~Exchange();
    portion.reset();
    for (std::atomic<uint64_t>& bits : raised) bits.store(0, std::memory_order_relaxed);
    complete.store(false, std::memory_order_relaxed);
    answered = harvested = packed = behind = false;
    next = nullptr;
    entries_n = exchanges_n = open_n = text_n = unwritten_n = under_way = 0;
    job.reset();
    group = 0;
    page = nullptr;
}

Block* BlockPool::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
        if (all_.size() >= blocks_max_) return nullptr;
        all_.push_back(std::make_unique<Block>());
        return all_.back().get();
    }
    Block* block = free_.back();
    free_.pop_back();
    return block;
}

size_t BlockPool::free() const {
    const std::lock_guard lock(mutex_);
    return blocks_max_ - all_.size() + free_.size();
}

void BlockPool::give_back(Block* block) {
    block->clear();
    const std::lock_guard lock(mutex_);
    for (; block->outboxes_n > 0; --block->outboxes_n) {
        Outbox* const outbox = block->outboxes[block->outboxes_n - 1];
        outbox->requests.clear();
        outbox->used = 0;
        free_outboxes_.push_back(outbox);
    }
    free_.push_back(block);
}

Outbox* BlockPool::outbox_for(Block& block) {
    if (block.outboxes_n > 0 && block.outboxes[block.outboxes_n - 1]->has_room())
        return block.outboxes[block.outboxes_n - 1];
    if (block.outboxes_n == kBlockOutboxes) return nullptr;
    const std::lock_guard lock(mutex_);
    if (free_outboxes_.empty()) {
        if (all_outboxes_.size() >= kOutboxesMax) return nullptr;
        all_outboxes_.emplace_back(new Outbox);  // its bytes need no zeroes
        all_outboxes_.back()->requests.reserve(kBlockEntries);
        free_outboxes_.push_back(all_outboxes_.back().get());
    }
    block.outboxes[block.outboxes_n++] = free_outboxes_.back();
    free_outboxes_.pop_back();
    return block.outboxes[block.outboxes_n - 1];
}

size_t BlockPool::free_outboxes() const {
    const std::lock_guard lock(mutex_);
    return kOutboxesMax - all_outboxes_.size() + free_outboxes_.size();
}

}  // namespace belfry::delivery
