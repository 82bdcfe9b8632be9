// SPDX-License-Identifier: Apache-2.0
#include "state/journal.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

namespace belfry::simulator {

void JournalEntry::hash_body(const std::string& body) {
    static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_Digest(body.data(), body.size(), body_sha256.data(), nullptr, kSha256, nullptr);
}

void Journal::add(JournalEntry entry) {
    entry.sequence = total_++;
    if (capacity_ == 0) return;
    if (ring_.size() < capacity_) {
        ring_.push_back(std::move(entry));
    } else {
        ring_[entry.sequence % capacity_] = std::move(entry);
    }
}

std::vector<JournalEntry> Journal::list(std::uint64_t offset, std::size_t limit) const {
    std::vector<JournalEntry> result;
    const std::uint64_t first = std::max(offset, first_kept());
    for (std::uint64_t at = first; at < total_ && result.size() < limit; ++at) {
        result.push_back(ring_[at % capacity_]);
    }
    return result;
}

void Journal::clear() {
    ring_ = {};
    total_ = 0;
}

}  // namespace belfry::simulator
