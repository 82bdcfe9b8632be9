// SPDX-License-Identifier: Apache-2.0
// One transaction on the devices of an app: loads and locks what a batch names in one round trip, is changed in memory
// row by row, and writes the differences in one more, a statement for each kind of change.
//
// Threads: one.  Lives for one try of the transaction; a lost race throws, and the batch begins anew (pg/pool.h).
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage_pg/device.h"
#include "storage_pg/names.h"
#include "storage_pg/sequence.h"

namespace belfry::storage_pg {

struct HashOfHash {
    size_t operator()(const Hash& hash) const noexcept {
        size_t value = 0;
        std::memcpy(&value, hash.data(), sizeof value);
        return value;
    }
};

class Edit {
public:
    // What a batch is about; everything named is loaded and locked, its users' bound topics are read.
    struct Scope {
        std::vector<int64_t> keys;
        std::vector<Hash> identities;
        std::vector<std::string_view> users_devices;  // all devices of these users
        std::set<std::string_view> bound_of;          // users whose bound topics matter; "" is everybody
        bool changes_bound = false;                   // of bound_of: nobody else reads or changes them meanwhile
    };
    Edit(pg::Connection& connection, pg::Deadline deadline, Sequence& sequence, const Names::App& app)
        : connection_(connection), deadline_(deadline), sequence_(sequence), app_(app) {}
    Edit(const Edit&) = delete;
    Edit& operator=(const Edit&) = delete;

    // Begins. Throws Failure (a lost race) if the numbers of the app's topics are no longer valid: see Names::forget.
    void begin(const Scope& scope);
    void commit();

    // As they are now, with the changes made so far; null: no such device.
    const Device* find(int64_t key) const;
    std::optional<int64_t> holder_of(const Hash& identity) const;
    std::vector<int64_t> keys_of_user(std::string_view user) const;  // of users_devices, ascending
    const std::vector<int64_t>& bound_to(std::string_view user) const;

    void put(Device device);
    void erase(int64_t key);
    int64_t new_key(uint32_t prefix);
    void bind(std::string_view user, const std::vector<int64_t>& topics);  // ascending

    // True: begin has found that another node purged the app.
    bool is_outdated() const noexcept { return outdated_; }

private:
    struct Slot {
        std::optional<Device> before, now;
    };
    struct Batch;
    void lock(const Scope& scope);
    void take_devices(const pg::Result& rows);
    void take_bound(const pg::Result& rows);
    void compare(const Slot& slot, Batch& batch) const;
    void send(const Batch& batch);
    void send_bindings();

    pg::Connection& connection_;
    pg::Deadline deadline_;
    Sequence& sequence_;
    Names::App app_;
    bool outdated_ = false;
    std::map<int64_t, Slot> slots_;
    std::unordered_map<Hash, int64_t, HashOfHash> holders_;
    std::map<std::string, std::vector<int64_t>, std::less<>> bound_, bound_before_;
};

}  // namespace belfry::storage_pg
