// SPDX-License-Identifier: Apache-2.0
#include "delivery/stored_push.h"

#include <span>

namespace belfry::delivery {

Result<std::shared_ptr<const StoredPush>> open_push(std::string_view bytes) {
    Result<PushBody> body = decode_body(bytes);
    if (!body) return body.error();
    auto push = std::make_shared<StoredPush>();
    push->body = std::move(*body);
    push->content = audience::hash_of({bytes});
    return std::shared_ptr<const StoredPush>(std::move(push));
}

Result<std::string> StoredPushes::read(uint64_t blob) {
    std::string bytes;
    bool found = false;
    const Status done = queue_.blobs(std::span(&blob, 1), [&](const belfry_blob& row) {
        bytes = text(row.bytes);
        found = true;
    });
    if (!done) return done.error();
    if (!found) return error(ErrorCode::NotFound, "the queue has no blob " + std::to_string(blob));
    return bytes;
}

const StoredPushes::Kept* StoredPushes::find(const BlobOf& blob) {
    const auto found = by_key_.find(blob);
    if (found == by_key_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, found->second);
    return &recent_.front();
}

void StoredPushes::keep(Kept&& kept) {
    if (by_key_.count(kept.key) != 0) return;
    bytes_ += kept.bytes;
    recent_.push_front(std::move(kept));
    by_key_[recent_.front().key] = recent_.begin();
    while (bytes_ > bytes_max_ && recent_.size() > 1) {
        bytes_ -= recent_.back().bytes;
        by_key_.erase(recent_.back().key);
        recent_.pop_back();
    }
}

Result<std::shared_ptr<const StoredPush>> StoredPushes::body(const BlobOf& blob) {
    {
        const std::lock_guard lock(mutex_);
        if (const Kept* kept = find(blob)) return kept->push;
    }
    const Result<std::string> bytes = read(blob.id);
    if (!bytes) return bytes.error();
    Result<std::shared_ptr<const StoredPush>> push = open_push(*bytes);
    if (!push) return push.error();
    const std::lock_guard lock(mutex_);
    keep(Kept{blob, bytes->size() + sizeof(StoredPush), *push, nullptr});
    return push;
}

Result<std::shared_ptr<const std::string>> StoredPushes::blob(const BlobOf& blob) {
    {
        const std::lock_guard lock(mutex_);
        if (const Kept* kept = find(blob)) return kept->raw;
    }
    Result<std::string> bytes = read(blob.id);
    if (!bytes) return bytes.error();
    auto raw = std::make_shared<const std::string>(std::move(*bytes));
    const std::lock_guard lock(mutex_);
    keep(Kept{blob, raw->size(), nullptr, raw});
    return raw;
}

}  // namespace belfry::delivery
