// SPDX-License-Identifier: Apache-2.0
#include "uid_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <utility>

namespace belfry::queue_sqlite {

namespace {

constexpr std::string_view kSeed = "uid_seed";
constexpr std::string_view kFiledTo = "uids_filed_to";
constexpr size_t kRowsPerLoad = 256;

// The reference construction of SipHash, one round per word and three at the end.
class Sip {
public:
    Sip(uint64_t k0, uint64_t k1) noexcept
        : v0_(k0 ^ 0x736f6d6570736575),
          v1_(k1 ^ 0x646f72616e646f6d),
          v2_(k0 ^ 0x6c7967656e657261),
          v3_(k1 ^ 0x7465646279746573) {}
    void word(uint64_t m) noexcept {
        v3_ ^= m;
        round();
        v0_ ^= m;
    }
    uint64_t end() noexcept {
        v2_ ^= 0xff;
        round();
        round();
        round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

private:
    void round() noexcept {
        v0_ += v1_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v3_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ += v3_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ += v1_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v2_ = std::rotl(v2_, 32);
    }
    uint64_t v0_, v1_, v2_, v3_;
};

int64_t random_seed() {
    std::random_device random;
    return static_cast<int64_t>(uint64_t{random()} << 32 | random());
}

bool is_newer(const UidRef& a, const UidRef& b) noexcept {
    return a.ref != b.ref ? a.ref > b.ref : a.member > b.member;
}

}  // namespace

int64_t hash_of_uid(int64_t seed, uint32_t app, std::string_view uid) noexcept {
    Sip sip(static_cast<uint64_t>(seed), app);
    for (; uid.size() >= sizeof(uint64_t); uid.remove_prefix(sizeof(uint64_t))) {
        uint64_t word = 0;
        std::memcpy(&word, uid.data(), sizeof word);
        sip.word(word);
    }
    uint64_t last = uint64_t{uid.size()} << 56;
    std::memcpy(&last, uid.data(), uid.size());
    sip.word(last);
    return static_cast<int64_t>(sip.end());
}

void UidIndex::load() {
    seed_ = tables_.counters.get(kSeed);
    if (seed_ == 0) tables_.counters.set(kSeed, seed_ = random_seed());
    filed_to_ = tables_.counters.get(kFiledTo);
    for (int64_t after = filed_to_;;) {
        const std::vector<BundleRow> rows = tables_.bundles.above(after, kRowsPerLoad);
        for (const BundleRow& row : rows) {
            for (size_t i = 0; i < row.results.size(); ++i) {
                if (row.results[i].moved_to == kErased) continue;
                add(row.results[i].app, row.results[i].uid, {row.id, static_cast<int32_t>(i)});
            }
            loaded_to_ = after = row.id;
        }
        if (rows.size() < kRowsPerLoad) break;
    }
    tables_.pushes.each_uid_above(filed_to_, [&](int64_t id, uint32_t app, std::string_view uid) {
        add(app, uid, {id, -1});
        loaded_to_ = std::max(loaded_to_, id);
    });
}

std::vector<UidEntry>& UidIndex::bucket_of(Generation& generation, int64_t hash) noexcept {
    // The table orders hashes as signed numbers.
    const uint64_t rank = static_cast<uint64_t>(hash) ^ (uint64_t{1} << 63);
    return generation.buckets[rank >> (64 - kBucketBits)];
}

void UidIndex::add(uint32_t app, std::string_view uid, UidRef ref) {
    const UidEntry entry{hash_of_uid(seed_, app, uid), ref};
    bucket_of(young_, entry.hash).push_back(entry);
    ++young_.size;
    added_.push_back(entry);
}

void UidIndex::file(uint32_t app, std::string_view uid, UidRef ref) {
    tables_.uids.insert({hash_of_uid(seed_, app, uid), ref});
    if (ref.ref <= loaded_to_) return;
    loaded_to_ = ref.ref;
    // With nothing in memory that a younger mark would hide, the next start need not read these rows again.
    if (young_.size == 0 && filing_.size == 0 && filing_to_ == 0) tables_.counters.set(kFiledTo, ref.ref);
}

bool UidIndex::take(Generation& generation, const UidEntry& entry) {
    std::vector<UidEntry>& bucket = bucket_of(generation, entry.hash);
    const auto found = std::find(bucket.begin(), bucket.end(), entry);
    if (found == bucket.end()) return false;
    *found = bucket.back();
    bucket.pop_back();
    --generation.size;
    return true;
}

void UidIndex::remove(uint32_t app, std::string_view uid, UidRef ref) {
    const UidEntry entry{hash_of_uid(seed_, app, uid), ref};
    if (take(young_, entry)) {
        const auto added = std::find(added_.begin(), added_.end(), entry);
        if (added != added_.end()) {
            added_.erase(added);
        } else {
            removed_young_.push_back(entry);
        }
    } else if (take(filing_, entry)) {
        removed_filing_.push_back(entry);
    }
    if (ref.ref <= table_to()) tables_.uids.erase(entry);
}

void UidIndex::append_matches(const std::vector<UidEntry>& bucket, int64_t hash, std::vector<UidRef>& found) {
    for (const UidEntry& entry : bucket) {
        if (entry.hash == hash) found.push_back(entry.ref);
    }
}

std::vector<UidRef> UidIndex::find(uint32_t app, std::string_view uid) {
    const int64_t hash = hash_of_uid(seed_, app, uid);
    std::vector<UidRef> found;
    append_matches(bucket_of(young_, hash), hash, found);
    append_matches(bucket_of(filing_, hash), hash, found);
    if (table_to() != 0) tables_.uids.find(hash, found);
    std::sort(found.begin(), found.end(), is_newer);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

void UidIndex::flush(int64_t last_id) {
    last_id_ = last_id;
    file_from_ = filed_buckets_;
    if (filing_to_ != 0) file_some();
}

void UidIndex::file_some() {
    const size_t wanted = std::max(kFiledAtLeast, added_.size() * kFiledPerEntry);
    for (size_t filed = 0; file_from_ < filing_.buckets.size() && filed < wanted; ++file_from_) {
        std::vector<UidEntry>& bucket = filing_.buckets[file_from_];
        std::sort(bucket.begin(), bucket.end(), [](const UidEntry& a, const UidEntry& b) { return a.hash < b.hash; });
        for (const UidEntry& entry : bucket) tables_.uids.insert(entry);
        filed += bucket.size();
    }
    if (file_from_ == filing_.buckets.size()) tables_.counters.set(kFiledTo, filing_to_);
}

void UidIndex::commit() {
    added_.clear();
    removed_young_.clear();
    removed_filing_.clear();
    for (; filed_buckets_ < file_from_; ++filed_buckets_) {
        filing_.size -= filing_.buckets[filed_buckets_].size();
        filing_.buckets[filed_buckets_].clear();
    }
    if (filed_buckets_ == filing_.buckets.size()) {
        filed_to_ = filing_to_;
        filing_to_ = 0;
        filed_buckets_ = file_from_ = 0;
    }
    if (filing_to_ == 0 && young_.size >= young_max_) {
        std::swap(young_, filing_);
        filing_to_ = last_id_;
    }
}

void UidIndex::rollback() {
    for (const UidEntry& entry : added_) take(young_, entry);
    for (const UidEntry& entry : removed_young_) {
        bucket_of(young_, entry.hash).push_back(entry);
        ++young_.size;
    }
    for (const UidEntry& entry : removed_filing_) {
        bucket_of(filing_, entry.hash).push_back(entry);
        ++filing_.size;
    }
    added_.clear();
    removed_young_.clear();
    removed_filing_.clear();
    file_from_ = filed_buckets_;
}

}  // namespace belfry::queue_sqlite
