// SPDX-License-Identifier: Apache-2.0
// Requests that a provider writes itself: inside the room they get, for exactly the items they are asked for.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <belfry/abi.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "provider/cases.h"
#include "provider/world.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::Failed;
using conformance::require;
using conformance::require_equal;

constexpr uint32_t kHostRoom = 160 * 1024;  // an encode call of the host has at least so much
constexpr uint32_t kItems = 64;

// Room that ends where memory ends: one byte too many is a crash.
class EdgeRoom {
public:
    explicit EdgeRoom(size_t bytes) : bytes_(bytes) {
        const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
        mapped_ = (bytes + page - 1) / page * page + page;
        void* room = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED) throw Failed("no memory for a buffer");
        base_ = static_cast<char*>(room);
        ::mprotect(base_ + mapped_ - page, page, PROT_NONE);
        at_ = base_ + mapped_ - page - bytes;
    }
    ~EdgeRoom() { ::munmap(base_, mapped_); }
    EdgeRoom(const EdgeRoom&) = delete;
    EdgeRoom& operator=(const EdgeRoom&) = delete;
    char* get() const noexcept { return at_; }
    uint32_t size() const noexcept { return static_cast<uint32_t>(bytes_); }

private:
    size_t bytes_, mapped_ = 0;
    char *base_ = nullptr, *at_ = nullptr;
};

struct Written {
    uint32_t length = 0, requests = 0, refused = 0, bytes = 0;
};

class Encoder {
public:
    explicit Encoder(Context& context) : world(context), push(start()), token(world.token()) {}

    std::vector<belfry_item> items(uint32_t n, uint32_t first) const {
        std::vector<belfry_item> rows(n, sized<belfry_item>());
        for (uint32_t i = 0; i < n; ++i) {
            rows[i].index = first + i;
            rows[i].variant = token.variant;
            rows[i].attempt = 1;
            rows[i].token = str(std::string_view(token.token));
            rows[i].data = str(std::string_view(token.data));
            rows[i].payload = str(std::string_view(push.payload));
            rows[i].delivery_id[15] = static_cast<uint8_t>(i);
        }
        return rows;
    }
    // As the host calls it, all checks of the adapter included.
    Written by_host(const std::vector<belfry_item>& rows, uint32_t requests_max) {
        EdgeRoom bytes(kHostRoom);
        std::vector<belfry_request> requests(requests_max, belfry_request{});
        belfry_outbox room = outbox(requests, bytes);
        Written written;
        const Result<uint32_t> length =
            world.provider.encode(push.prepared, rows, room, [&](const belfry_verdict&) { ++written.refused; });
        require(length.has_value(), "encode writes requests; " + (length ? std::string() : length.error().to_string()));
        written.length = *length;
        written.requests = room.n;
        written.bytes = room.buf_n;
        return written;
    }
    // With room that may be too small for anything: then nothing is written.
    Written in_little_room(const std::vector<belfry_item>& rows, uint32_t requests_max, size_t bytes_max) {
        EdgeRoom bytes(bytes_max), cells(std::max<size_t>(requests_max, 1) * sizeof(belfry_request));
        auto room = sized<belfry_outbox>();
        room.stride = sizeof(belfry_request);
        room.cap = requests_max;
        room.requests = cells.get() + (requests_max == 0 ? sizeof(belfry_request) : 0);
        room.buf = bytes.get();
        room.buf_cap = bytes.size();
        Written written;
        const belfry_emit refused = [](void* ctx, belfry_list list) -> int32_t {
            static_cast<Written*>(ctx)->refused += list.n;
            return 0;
        };
        written.length =
            world.table.encode(world.instance.get(), push.prepared.get(), list_of(rows), &room, refused, &written);
        written.requests = room.n;
        written.bytes = room.buf_n;
        require(written.length <= rows.size(), "encode deals with a prefix of the items");
        require(room.n <= requests_max, "encode writes no more requests than there is room for");
        require(room.buf_n <= bytes.size(), "encode writes no more bytes than there is room for");
        return written;
    }

    ProviderWorld world;
    Push push;
    plugins::CheckedToken token;

private:
    Push start() {
        world.need_encode();
        return world.push();
    }
    static belfry_outbox outbox(std::vector<belfry_request>& requests, const EdgeRoom& bytes) {
        auto room = sized<belfry_outbox>();
        room.stride = sizeof(belfry_request);
        room.cap = static_cast<uint32_t>(requests.size());
        room.requests = requests.data();
        room.buf = bytes.get();
        room.buf_cap = bytes.size();
        return room;
    }
};

void covers_items(Context& context) {
    Encoder encoder(context);
    for (const uint32_t n : {1u, 2u, 7u, kItems}) {
        std::vector<belfry_item> rows = encoder.items(n, 1000 * n);
        uint32_t done = 0;
        while (done < n) {
            context.step("encode is given " + std::to_string(n - done) + " items");
            const std::vector<belfry_item> left(rows.begin() + done, rows.end());
            const Written written = encoder.by_host(left, n);
            require_equal(written.refused, 0, "refusals of a token that validate took");
            require(written.requests >= 1, "a prefix of accepted items needs a request");
            done += written.length;
        }
    }
    encoder.world.require_no_faults();
}

void stays_in_bounds(Context& context) {
    Encoder encoder(context);
    const std::vector<belfry_item> rows = encoder.items(kItems, 0);
    const uint32_t full = encoder.by_host(rows, kItems).bytes;
    std::vector<size_t> sizes{0, 1, 16, 100, 500, 1000, 4096, full / 2, full - 1, full};
    for (int i = 0; i < 40; ++i) sizes.push_back(context.below(full + 1));
    for (const size_t size : sizes) {
        for (const uint32_t requests : {0u, 1u, 2u, kItems}) {
            context.step("encode has " + std::to_string(size) + " bytes and room for " + std::to_string(requests) +
                         " requests");
            encoder.in_little_room(rows, requests, size);
        }
    }
}

void odd_items(Context& context) {
    Encoder encoder(context);
    const std::vector<std::string> odd{"",     std::string("a\0b", 3), "line\r\nx: y", "\xff\xfe", "{}",
                                       "\"\\", std::string(5000, 'x')};
    for (const std::string& text : odd) {
        std::vector<belfry_item> rows = encoder.items(3, 0);
        // Tokens of a push may come without having been registered, and stored data may be of another version.
        rows[1].token = str(std::string_view(text));
        context.step("encode is given the token " + conformance::shown(text));
        encoder.by_host(rows, 3);
        rows = encoder.items(3, 0);
        rows[1].data = str(std::string_view(text));
        context.step("encode is given the data " + conformance::shown(text));
        encoder.by_host(rows, 3);
        rows = encoder.items(3, 0);
        rows[2].variant = 4'000'000'000u;
        context.step("encode is given an unknown variant");
        encoder.by_host(rows, 3);
    }
    encoder.world.require_no_faults();
}

constexpr std::array<Case, 3> kCases{{
    {"provider.encode_covers_items", "requests are written for each item exactly once", 30, covers_items},
    {"provider.encode_stays_in_bounds", "however little room there is, nothing is written beyond it", 60,
     stays_in_bounds},
    {"provider.encode_odd_items", "an item that cannot be sent is refused, the others are written", 30, odd_items},
}};

}  // namespace

std::span<const Case> encode_cases() {
    return kCases;
}

}  // namespace belfry::kit
