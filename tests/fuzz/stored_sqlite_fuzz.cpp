// SPDX-License-Identifier: Apache-2.0
// Packed columns of the embedded stores, as a damaged file would give them: refused as CORRUPT or read within their
// bounds. Input: one byte that says which column, then its bytes.
#include <belfry/services.hpp>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "queue/bundle.h"
#include "storage_sqlite/codec.h"

namespace {

using belfry::fuzz::require;
namespace queue = belfry::queue_parts;
namespace storage = belfry::storage;

void try_members(const std::string& bytes) {
    size_t total = 0;
    for (const queue::Member& member : queue::read_members(bytes)) {
        total += member.app.size() + member.uid.size() + member.body.size() + member.blob.size();
        const char* end = member.entry_bytes + member.entries * (member.picks ? sizeof(uint32_t) : sizeof(int64_t));
        require(member.entries == 0 || (member.entry_bytes >= bytes.data() && end <= bytes.data() + bytes.size()));
    }
    require(total <= bytes.size());
}

void try_results(const std::string& bytes) {
    const std::vector<queue::MemberResult> results = queue::unpack_results(bytes);
    const std::string again = queue::pack_results(results);
    require(queue::pack_results(queue::unpack_results(again)) == again);
    require(queue::marks_of(results).size() <= results.size());
}

void try_topics(const std::string& bytes) {
    std::vector<storage::TopicRef> topics, back;
    storage::decode_topics(bytes, topics);
    std::string again;
    storage::encode_topics(topics, again);
    storage::decode_topics(again, back);
    require(back == topics);
}

void try_labels(const std::string& bytes) {
    const storage::Labels labels = storage::decode_labels(bytes);
    std::string again;
    storage::encode_labels(labels, again);
    require(storage::decode_labels(again) == labels);
}

void try_cursor(const std::string& bytes) {
    const auto cursor = storage::decode_cursor(bytes);
    if (!cursor) return;
    const auto back = storage::decode_cursor(storage::encode_cursor(*cursor));
    require(back && back->owner == cursor->owner && back->rank == cursor->rank && back->hash == cursor->hash);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    belfry::fuzz::Input input(data, size);
    const int column = input.byte() % 6;
    const std::string bytes(input.rest());
    try {
        if (column == 0) try_members(bytes);
        if (column == 1) try_results(bytes);
        if (column == 2) try_topics(bytes);
        if (column == 3) try_labels(bytes);
        if (column == 4) try_cursor(bytes);
        if (column == 5) require(storage::unpack_token(bytes, true).first.size() + 2 <= bytes.size());
    } catch (const belfry::Refused& failure) {
        require(failure.code() == BELFRY_CORRUPT && failure.what()[0] != '\0');
    }
    return 0;
}
