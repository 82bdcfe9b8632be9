// SPDX-License-Identifier: Apache-2.0
// The part of belfry.storage/1 that fan-out uses, in memory: scan, fetch, list_devices, invalidate, amend and cluster
// state.
//
// Threads: [any].
#pragma once

#include <belfry/storage.h>
#include <belfry/abi.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace belfry::fakes {

class MemoryStorage {
public:
    struct Device {
        std::string app = "default", provider = "fake", token, data, user, platform = "android";
        std::set<std::string> topics;
        uint32_t variant = 0;
        int64_t registered_unix_ms = 0;
    };

    const belfry_storage* table() const { return &table_; }
    belfry_instance* instance() { return reinterpret_cast<belfry_instance*>(this); }

    // Keys are slot 1, bucket by number, then the number: as a real storage would spread them.
    static int64_t key_of(uint32_t number, uint32_t slot = 1) {
        return (static_cast<int64_t>(slot) << 48) | (static_cast<int64_t>(number % 256) << 40) | number;
    }
    void add(int64_t key, Device device) {
        const std::lock_guard lock(mutex_);
        devices_[key] = std::move(device);
    }
    void remove(int64_t key) {
        const std::lock_guard lock(mutex_);
        devices_.erase(key);
    }
    size_t size() const {
        const std::lock_guard lock(mutex_);
        return devices_.size();
    }
    bool has(int64_t key) const {
        const std::lock_guard lock(mutex_);
        return devices_.count(key) != 0;
    }
    uint32_t variant_of(int64_t key) const {
        const std::lock_guard lock(mutex_);
        return devices_.at(key).variant;
    }
    std::vector<belfry_fact> invalidated() const {
        const std::lock_guard lock(mutex_);
        return invalidated_;
    }
    std::atomic<int> failing_reads{0};        // so many scans and fetches fail
    std::atomic<bool> removing_hangs{false};  // invalidate does not return while it is set
    std::atomic<int> removals{0};             // calls of invalidate that began
    std::atomic<uint32_t> scanned_fields{0};  // all BELFRY_FIELD_* that scans asked for

private:
    static MemoryStorage& self(belfry_instance* i) { return *reinterpret_cast<MemoryStorage*>(i); }
    static belfry_device row_of(int64_t key, const Device& device, std::vector<belfry_str>& topics);
    // By user only; for it and for fetch by user a device with the data "times N" stands for N, with keys from its own
    // on.
    static belfry_code list_devices(belfry_instance*, belfry_str, const belfry_selection*, const belfry_paging*,
                                    belfry_emit, void*, belfry_page_end*, belfry_why*);
    static belfry_code scan(belfry_instance*, const belfry_scan*, belfry_emit, void*, int64_t*, int32_t*, belfry_why*);
    static belfry_code fetch(belfry_instance*, belfry_str, int32_t, belfry_list, uint32_t, uint32_t, int64_t,
                             belfry_emit, void*, belfry_why*);
    static belfry_code invalidate(belfry_instance*, belfry_str, belfry_list, belfry_emit, void*, belfry_why*);
    static belfry_code amend(belfry_instance*, belfry_str, belfry_list, belfry_emit, void*, belfry_why*);
    static belfry_code kv_get(belfry_instance*, belfry_str, belfry_emit, void*, belfry_why*);
    static belfry_code kv_cas(belfry_instance*, const belfry_kv*, belfry_why*);
    bool reads_fail() { return failing_reads.load() > 0 && failing_reads.fetch_sub(1) > 0; }
    static belfry_storage make_table();

    const belfry_storage table_ = make_table();
    mutable std::mutex mutex_;
    std::map<int64_t, Device> devices_;
    std::map<std::string, std::pair<std::string, int64_t>> kv_;
    std::vector<belfry_fact> invalidated_;
};

}  // namespace belfry::fakes
