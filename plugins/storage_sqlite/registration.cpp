// SPDX-License-Identifier: Apache-2.0
// What a registration means: one device per (app, identity); an id that is given keeps its key, whatever happened to
// the row.
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstring>

#include "storage/checks.h"
#include "storage/limits.h"
#include "storage_sqlite/writer.h"

namespace belfry::storage {

using sqlite::Failure;

namespace {

constexpr int64_t kSequenceEnd = int64_t{1} << BELFRY_KEY_SEQUENCE_BITS;
// A key that comes back from before a restore moves the sequence up to it, so that it is not given twice. Above this a
// key is taken for made up, and may not use up the sequence.
constexpr int64_t kSequenceTrusted = kSequenceEnd / 2;

void copy_hash(const uint8_t (&from)[16], Hash& to) {
    std::memcpy(to.data(), static_cast<const uint8_t*>(from), to.size());
}

// Belongs to a token, whatever device has it.
void keep_variant(const belfry_registration& row, const Device& before, Device& after) {
    if ((row.flags & BELFRY_REGISTRATION_VARIANT_GUESSED) == 0) return;
    if (before.provider == after.provider && before.token_hash == after.token_hash &&
        before.identity_hash == after.identity_hash)
        after.variant = before.variant;
}

}  // namespace

void Writer::register_devices(std::string_view app, belfry_list registrations, belfry_emit emit, void* ctx) {
    const Rows<belfry_registration> rows(registrations);
    std::vector<belfry_registered> results;
    for (size_t at = 0; at < rows.size(); at += results.size()) {
        transact([&] {
            results.clear();
            const int64_t number = app_number(app);
            const int64_t now = now_();
            for (size_t i = at; i < rows.size() && !is_full(results.size()); ++i) {
                results.push_back(register_one(number, rows.known(i), now));
                results.back().index = static_cast<uint32_t>(i);
            }
        });
        if (!emit_all(results, emit, ctx)) return;
    }
}

belfry_registered Writer::register_one(int64_t app, const belfry_registration& row, int64_t now) {
    belfry_registered result = sized<belfry_registered>();
    result.key = result.evicted_key = -1;
    result.code = check_registration(row);
    if (result.code != BELFRY_OK) return result;
    fill(app, row, now, after_);
    const auto holder = devices_.key_of(app, after_.identity_hash);
    const int64_t wanted = row.key >= 0 ? row.key : holder.value_or(-1);
    if (holder && *holder != wanted && evict(app, *holder)) {
        result.flags |= BELFRY_REGISTERED_EVICTED;
        result.evicted_key = *holder;
        keep_variant(row, other_, after_);
    }
    if (wanted >= 0 && devices_.load(app, wanted, before_)) {
        keep_variant(row, before_, after_);
        after_.key = wanted;
        after_.created = before_.created;
        if (same_state(before_, after_)) {
            after_.updated = before_.updated;
        } else {
            result.flags |= BELFRY_REGISTERED_CHANGED;
        }
        devices_.update(app, before_, after_);
    } else {
        after_.key = wanted;
        create(app, after_, row.prefix);
        result.flags |= BELFRY_REGISTERED_CREATED;
    }
    result.key = after_.key;
    return result;
}

// The whole state a registration asks for, bound topics included; the key is left open.
void Writer::fill(int64_t app, const belfry_registration& row, int64_t now, Device& device) {
    device.key = -1;
    device.provider = view(row.provider);
    device.token = view(row.token);
    device.data = view(row.data);
    device.user = view(row.user);
    device.platform = view(row.platform);
    device.timezone = view(row.timezone);
    device.locale = view(row.locale);
    device.meta = view(row.meta);
    device.variant = row.variant;
    copy_hash(row.token_hash, device.token_hash);
    copy_hash(row.identity_hash, device.identity_hash);
    device.created = device.updated = device.registered = now;
    device.topics.clear();
    for (const belfry_str& topic : Rows<belfry_str>(row.topics)) {
        add_origin(device.topics, topics_.number_of(app, view(topic)), BELFRY_ORIGIN_DEVICE);
    }
    if (!device.user.empty()) {
        for (const int64_t topic : topics_.bound_to(app, device.user))
            add_origin(device.topics, topic, BELFRY_ORIGIN_USER);
    }
    for (const int64_t topic : topics_.bound_to(app, {})) add_origin(device.topics, topic, BELFRY_ORIGIN_GLOBAL);
}

void Writer::create(int64_t app, Device& device, uint32_t prefix) {
    if (device.key >= 0) {
        const int64_t sequence = device.key & (kSequenceEnd - 1);
        if (sequence < kSequenceTrusted) sequence_ = std::max(sequence_, sequence);
        if (!devices_.insert(app, device))
            throw Failure(BELFRY_INTERNAL, "a device that was not found cannot be created");
        return;
    }
    do {
        if (sequence_ + 1 >= kSequenceEnd)
            throw Failure(BELFRY_STORE_FULL, "all device keys of this file are used up; start a new one");
        device.key = (int64_t{prefix} << BELFRY_KEY_SEQUENCE_BITS) | ++sequence_;
    } while (!devices_.insert(app, device));
}

bool Writer::evict(int64_t app, int64_t key) {
    if (!devices_.load(app, key, other_)) return false;
    devices_.erase(app, other_);
    return true;
}

}  // namespace belfry::storage
