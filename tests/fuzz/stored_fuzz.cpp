// SPDX-License-Identifier: Apache-2.0
// What delivery reads back from a queue: push bodies and token blobs. Damaged ones are refused, never read beyond their
// end; what is read is what would be written.
#include <string>

#include "delivery/push_body.h"
#include "delivery/token_blob.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;
namespace delivery = belfry::delivery;

void try_body(std::string_view bytes) {
    const auto body = delivery::decode_body(bytes);
    if (!body) {
        require(body.error().code == belfry::ErrorCode::Corrupt && !body.error().message.empty());
        return;
    }
    const std::string again = delivery::encode_body(*body);
    require(again.size() == bytes.size());  // equal but for a flag that is stored as any non-zero byte
    require(delivery::encode_body(*delivery::decode_body(again)) == again);
}

void try_blob(std::string_view bytes) {
    const auto blob = delivery::TokenBlob::open(bytes);
    if (!blob) return;
    require(blob->entries() <= delivery::kBlobEntriesMax);
    require(!blob->at(blob->entries()) && !blob->at(UINT32_MAX));
    delivery::TokenBlobWriter writer;
    for (uint32_t i = 0; i < blob->entries(); ++i) {
        const auto entry = blob->at(i);
        if (!entry) continue;
        require(entry->token.size() + entry->data.size() <= 2 * bytes.size());
        writer.add(*entry);
        delivery::TokenBlobWriter one;
        one.add(*entry);
        const std::string copy = one.take();
        const auto back = delivery::TokenBlob::open(copy)->at(0);
        require(back && back->token == entry->token && back->identity == entry->identity);
        require(back->data == entry->data && back->variant == entry->variant && back->refused == entry->refused);
        if (writer.bytes() > 64 * 1024) break;  // entries may overlap: a small blob can unfold to a large one
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes = belfry::fuzz::text_of(data, size);
    try_body(bytes);
    try_blob(bytes);
    return 0;
}
