// SPDX-License-Identifier: Apache-2.0
// Devices and their subscription rows, written together: store() turns one state of a device into another with the
// fewest writes.
//
// Threads: the writer's.  Owner: Writer.  Not here: what a registration or patch means (registration.cpp, patch.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sqlite/database.h"
#include "storage_sqlite/device.h"
#include "storage_sqlite/topic_table.h"

namespace belfry::storage {

class DeviceTable {
public:
    DeviceTable(sqlite::Database& database, Words& words, TopicTable& topics);
    DeviceTable(const DeviceTable&) = delete;
    DeviceTable& operator=(const DeviceTable&) = delete;

    std::optional<int64_t> key_of(int64_t app, const Hash& identity);
    bool load(int64_t app, int64_t key, Device& device);
    // The devices of a user with a larger key than `after`, ascending, at most `limit`.
    std::vector<int64_t> keys_of_user(int64_t app, std::string_view user, int64_t after, uint32_t limit);
    std::vector<int64_t> keys_of_app(int64_t app, int64_t after, uint32_t limit);

    // False: another device of the app has this key; nothing was written then.
    bool insert(int64_t app, const Device& device);
    // Writes what differs; `before` is what load gave. Nothing at all if nothing differs.
    void update(int64_t app, const Device& before, const Device& after);
    void touch(int64_t app, int64_t key, int64_t registered);
    void erase(int64_t app, const Device& device);

private:
    struct Packed {
        int64_t traits = Traits::kUnpacked;
        std::string labels;
        int64_t fanout_traits = Traits::kUnpacked;  // of subscription rows
        std::string fanout_token;
    };
    void pack(const Device& device, Packed& out);
    void subscribe(int64_t topic, int64_t key, const Packed& packed);
    void unsubscribe(int64_t topic, int64_t key);

    Words& words_;
    TopicTable& topics_;
    sqlite::Database& database_;
    sqlite::Statement by_identity_, by_key_, by_user_, by_app_;
    sqlite::Statement insert_, update_, touch_, erase_;
    sqlite::Statement subscribe_, resubscribe_, unsubscribe_;
    Packed packed_, packed_before_;
    std::string topics_bytes_;
};

}  // namespace belfry::storage
