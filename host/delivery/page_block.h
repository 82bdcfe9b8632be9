// SPDX-License-Identifier: Apache-2.0
// A page's arena comes in blocks of 64 KiB: up to 128 deliveries with their exchanges and tokens, posted to a loop as
// one portion.
//
// Providers that pack many devices into a request (HMS: 1,000) get blocks in a row: a request belongs to the block
// where it begins and may carry entries of the blocks behind it.
//
// Blocks, not pages, are what a late answer keeps alive: a settled page with one straggler gives nine tenths of its
// memory back. Threads: filled and read by the page's worker; exchanges belong to a loop between submit and done().
// Owner: a Page; recycled by BlockPool.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "delivery/outbox.h"
#include "delivery/send_pool.h"
#include "http/plan.h"

namespace belfry::delivery {

class Page;

constexpr size_t kBlockBytes = 64 * 1024;
constexpr uint32_t kBlockEntries = 128;
constexpr uint32_t kPageBlocks = 10;  // 640 KiB

// One delivery of a page.
struct Entry {
    int64_t ref = 0;  // device key, or pick
    uint32_t variant = 0;
    uint32_t platform = 0;  // hash of its name, for scopes narrower than the instance
    uint16_t group = 0;
    uint16_t data_n = 0;  // bytes of the provider's data, behind the token
    uint8_t resent = 0;
    bool open = true;        // has no verdict yet
    bool unwritten = false;  // its request is still to be written by encode
};

// A request of the block and the entries it carries: [first, first + n) in Block::place's numbers.
struct Sent {
    uint16_t first = 0, n = 0;
    bool judged = false;
};

class Block;

// A portion that knows its block.
struct BlockPortion : http::Portion {
    Block* block = nullptr;
};

class Block {
public:
    Block() = default;
    ~Block() { clear(); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    // Where an entry stands, numbered from the first of this block through the blocks behind it.
    struct Place {
        Block* block;
        uint32_t entry;
    };
    Place place(uint32_t number) noexcept;
    // Room for one more entry with a token and data of `token_bytes` together.
    bool has_room(size_t token_bytes) const noexcept {
        return entries_n < kBlockEntries && sizeof text - text_n >= token_bytes;
    }
    Entry& add(std::string_view token, std::string_view data) noexcept;
    std::string_view token(uint32_t entry) const noexcept { return tokens[entry]; }
    std::string_view data(uint32_t entry) const noexcept {
        return {tokens[entry].data() + tokens[entry].size(), entries[entry].data_n};
    }
    // The next exchange of the portion, to be filled by the caller.
    http::Exchange& add_exchange(uint32_t first, uint32_t n) noexcept;
    std::span<http::Exchange> exchanges() noexcept {
        return {std::launder(reinterpret_cast<http::Exchange*>(raw_exchanges)), exchanges_n};
    }
    void clear() noexcept;

    Page* page = nullptr;
    std::optional<BlockPortion> portion;                    // engaged once submitted
    std::atomic<uint64_t> raised[kBlockEntries / 64] = {};  // exchanges that finished with an exception, by bit
    std::atomic<bool> complete{false};
    bool answered = false;   // complete, and all its requests judged
    bool harvested = false;  // and every entry, though its request may be another block's
    bool packed = false;     // some request carries several entries
    Block* next = nullptr;   // the block behind it
    bool behind = false;     // another that the page still has
    uint32_t under_way = 0;  // deliveries of its requests, once submitted
    uint32_t entries_n = 0, exchanges_n = 0, open_n = 0;
    uint16_t group = 0;  // of its first entry; all entries share its gate
    uint32_t text_n = 0;
    uint32_t unwritten_n = 0;  // entries whose requests encode is to write
    std::array<Outbox*, kBlockOutboxes> outboxes{};
    uint32_t outboxes_n = 0;
    std::unique_ptr<SendJob> job;  // of providers that send by themselves

    std::array<Entry, kBlockEntries> entries;
    std::array<Sent, kBlockEntries> sent;
    std::array<std::string_view, kBlockEntries> tokens;
    alignas(http::Exchange) std::byte raw_exchanges[kBlockEntries * sizeof(http::Exchange)];

private:
    static constexpr size_t kFixedBytes =
        kBlockEntries * (sizeof(Entry) + sizeof(Sent) + sizeof(std::string_view) + sizeof(http::Exchange)) + 320;

public:
    char text[kBlockBytes - kFixedBytes];
};
static_assert(sizeof(Block) <= kBlockBytes);

// Threads: [any].
class BlockPool {
public:
    explicit BlockPool(size_t blocks_max) : blocks_max_(blocks_max) {}
    // Null: all blocks are in use.
    Block* take();
    void give_back(Block* block);
    size_t free() const;
    // An outbox of the block with room for an encode call; null: none can be had now.
    Outbox* outbox_for(Block& block);
    size_t free_outboxes() const;

private:
    const size_t blocks_max_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Block>> all_;
    std::vector<Block*> free_;
    std::vector<std::unique_ptr<Outbox>> all_outboxes_;
    std::vector<Outbox*> free_outboxes_;
};

}  // namespace belfry::delivery
