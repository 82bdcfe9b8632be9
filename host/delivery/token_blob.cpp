// SPDX-License-Identifier: Apache-2.0
#include "delivery/token_blob.h"

#include "delivery/byte_codec.h"

namespace belfry::delivery {

namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kHasIdentity = 1;
constexpr uint8_t kRefused = 2;

Error damaged() {
    return error(ErrorCode::Corrupt, "a token blob in the queue is damaged");
}

}  // namespace

void TokenBlobWriter::add(const BlobEntry& entry) {
    offsets_.push_back(static_cast<uint32_t>(entries_.size()));
    const bool own_identity = entry.identity != entry.token;
    ByteWriter out;
    out.number(static_cast<uint8_t>((own_identity ? kHasIdentity : 0) | (entry.refused ? kRefused : 0)));
    out.number(entry.variant);
    out.text(entry.token);
    out.text(entry.data);
    if (own_identity) out.text(entry.identity);
    entries_ += out.take();
}

std::string TokenBlobWriter::take() {
    ByteWriter out;
    out.number(kVersion);
    out.number(static_cast<uint32_t>(offsets_.size()));
    for (const uint32_t offset : offsets_) out.number(offset);
    std::string bytes = out.take() + entries_;
    offsets_.clear();
    entries_.clear();
    return bytes;
}

Result<TokenBlob> TokenBlob::open(std::string_view bytes) {
    ByteReader in(bytes);
    TokenBlob blob;
    const auto version = in.number<uint8_t>();
    blob.entries_ = in.number<uint32_t>();
    if (!in.ok() || version != kVersion || blob.entries_ > kBlobEntriesMax) return damaged();
    const size_t table = size_t{blob.entries_} * sizeof(uint32_t);
    blob.offsets_ = in.raw(table);
    if (!in.ok()) return damaged();
    blob.rest_ = bytes.substr(sizeof(uint8_t) + sizeof(uint32_t) + table);
    return blob;
}

Result<BlobEntry> TokenBlob::at(uint32_t index) const {
    if (index >= entries_) return damaged();
    ByteReader offsets(offsets_.substr(size_t{index} * sizeof(uint32_t)));
    const auto offset = offsets.number<uint32_t>();
    if (offset > rest_.size()) return damaged();
    ByteReader in(rest_.substr(offset));
    BlobEntry entry;
    const auto flags = in.number<uint8_t>();
    entry.variant = in.number<uint32_t>();
    entry.token = in.text();
    entry.data = in.text();
    entry.identity = (flags & kHasIdentity) != 0 ? in.text() : entry.token;
    entry.refused = (flags & kRefused) != 0;
    if (!in.ok()) return damaged();
    return entry;
}

}  // namespace belfry::delivery
