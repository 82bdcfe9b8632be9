// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/device_table.h"

namespace belfry::storage {

using sqlite::Blob;

DeviceTable::DeviceTable(sqlite::Database& database, Words& words, TopicTable& topics)
    : words_(words),
      topics_(topics),
      database_(database),
      by_identity_(database.prepare("SELECT key FROM device WHERE app = ?1 AND identity_hash = ?2")),
      by_key_(database.prepare(std::string("SELECT ") + kWideColumns + " FROM device WHERE app = ?1 AND key = ?2")),
      by_user_(database.prepare(
          "SELECT key FROM device WHERE app = ?1 AND user = ?2 AND user <> '' AND key > ?3 ORDER BY key LIMIT ?4")),
      by_app_(database.prepare("SELECT key FROM device WHERE app = ?1 AND key > ?2 ORDER BY key LIMIT ?3")),
      insert_(database.prepare(
          "INSERT INTO device (app, key, traits, token, data, labels, user, created, updated, registered, topics, "
          "token_hash, identity_hash, meta) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
          "ON CONFLICT (app, key) DO NOTHING")),
      update_(database.prepare(
          "UPDATE device SET traits = ?3, token = ?4, data = ?5, labels = ?6, user = ?7, created = ?8, updated = ?9, "
          "registered = ?10, topics = ?11, token_hash = ?12, identity_hash = ?13, meta = ?14 "
          "WHERE app = ?1 AND key = ?2")),
      touch_(database.prepare("UPDATE device SET registered = ?3 WHERE app = ?1 AND key = ?2")),
      erase_(database.prepare("DELETE FROM device WHERE app = ?1 AND key = ?2")),
      subscribe_(database.prepare("INSERT INTO subscription (topic, key, traits, token) VALUES (?1, ?2, ?3, ?4)")),
      resubscribe_(database.prepare("UPDATE subscription SET traits = ?3, token = ?4 WHERE topic = ?1 AND key = ?2")),
      unsubscribe_(database.prepare("DELETE FROM subscription WHERE topic = ?1 AND key = ?2")) {}

std::optional<int64_t> DeviceTable::key_of(int64_t app, const Hash& identity) {
    const sqlite::ResetAtEnd reset(by_identity_);
    if (!by_identity_.with(app, blob_of(identity)).step()) return std::nullopt;
    return by_identity_.integer(0);
}

bool DeviceTable::load(int64_t app, int64_t key, Device& device) {
    const sqlite::ResetAtEnd reset(by_key_);
    if (!by_key_.with(app, key).step()) return false;
    copy_view(view_of(by_key_, Columns::Wide, words_), device);
    return true;
}

std::vector<int64_t> DeviceTable::keys_of_user(int64_t app, std::string_view user, int64_t after, uint32_t limit) {
    std::vector<int64_t> keys;
    by_user_.with(app, user, after, limit);
    while (by_user_.step()) keys.push_back(by_user_.integer(0));
    return keys;
}

std::vector<int64_t> DeviceTable::keys_of_app(int64_t app, int64_t after, uint32_t limit) {
    std::vector<int64_t> keys;
    by_app_.with(app, after, limit);
    while (by_app_.step()) keys.push_back(by_app_.integer(0));
    return keys;
}

void DeviceTable::pack(const Device& device, Packed& out) {
    out.traits = out.fanout_traits = Traits::kUnpacked;
    out.labels.clear();
    const auto provider = words_.intern(Word::Provider, device.provider);
    const auto platform = words_.intern(Word::Platform, device.platform);
    const auto timezone = words_.intern(Word::Timezone, device.timezone);
    const auto locale = words_.intern(Word::Locale, device.locale);
    if (!provider || !platform || !timezone || !locale || device.variant >= Traits::kVariants) {
        encode_labels({device.provider, device.platform, device.timezone, device.locale, device.variant}, out.labels);
        out.fanout_token.clear();
        return;
    }
    out.traits = Traits::pack({*provider, *platform, *timezone, *locale}, device.variant);
    const bool has_data = pack_token(device.token, device.data, out.fanout_token);
    out.fanout_traits = has_data ? out.traits | 1 : out.traits;
}

bool DeviceTable::insert(int64_t app, const Device& device) {
    pack(device, packed_);
    encode_topics(device.topics, topics_bytes_);
    insert_
        .with(app, device.key, packed_.traits, Blob(device.token), Blob(device.data), Blob(packed_.labels), device.user,
              device.created, device.updated, device.registered, Blob(topics_bytes_), blob_of(device.token_hash),
              blob_of(device.identity_hash), device.meta)
        .run();
    if (database_.changes() == 0) return false;
    for (const TopicRef& ref : device.topics) subscribe(ref.topic, device.key, packed_);
    return true;
}

void DeviceTable::update(int64_t app, const Device& before, const Device& after) {
    if (same_state(before, after)) {
        if (before.registered != after.registered) touch(app, after.key, after.registered);
        return;
    }
    pack(before, packed_before_);
    pack(after, packed_);
    encode_topics(after.topics, topics_bytes_);
    update_
        .with(app, after.key, packed_.traits, Blob(after.token), Blob(after.data), Blob(packed_.labels), after.user,
              after.created, after.updated, after.registered, Blob(topics_bytes_), blob_of(after.token_hash),
              blob_of(after.identity_hash), after.meta)
        .run();
    const bool rewrite =
        packed_before_.fanout_traits != packed_.fanout_traits || packed_before_.fanout_token != packed_.fanout_token;
    auto old = before.topics.begin();
    for (const TopicRef& ref : after.topics) {
        for (; old != before.topics.end() && old->topic < ref.topic; ++old) unsubscribe(old->topic, after.key);
        if (old != before.topics.end() && old->topic == ref.topic) {
            ++old;
            if (rewrite)
                resubscribe_.with(ref.topic, after.key, packed_.fanout_traits, Blob(packed_.fanout_token)).run();
        } else {
            subscribe(ref.topic, after.key, packed_);
        }
    }
    for (; old != before.topics.end(); ++old) unsubscribe(old->topic, after.key);
}

void DeviceTable::touch(int64_t app, int64_t key, int64_t registered) {
    touch_.with(app, key, registered).run();
}

void DeviceTable::erase(int64_t app, const Device& device) {
    erase_.with(app, device.key).run();
    for (const TopicRef& ref : device.topics) unsubscribe(ref.topic, device.key);
}

void DeviceTable::subscribe(int64_t topic, int64_t key, const Packed& packed) {
    subscribe_.with(topic, key, packed.fanout_traits, Blob(packed.fanout_token)).run();
}

void DeviceTable::unsubscribe(int64_t topic, int64_t key) {
    unsubscribe_.with(topic, key).run();
    topics_.left(topic);
}

}  // namespace belfry::storage
