// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/edit.h"

#include <algorithm>
#include <iterator>

#include "storage_pg/tables.h"

namespace belfry::storage_pg {

using pg::Column;
using pg::Params;
using pg::Type;

namespace {

// Tokens up to this length, provider_data included, stand in subscription rows.
constexpr size_t kInlineBytesMax = 200;
// A device that joins more topics at once is looked up for each row instead of being sent for each.
constexpr size_t kSentWholeMax = 4;

// Advisory locks of an app: a stripe for each user's bindings, which registrations share and a change of bindings has
// alone, and behind them one that purge has alone. Everybody takes them in this order, before any row.
constexpr uint64_t kStripes = 64;
constexpr int32_t kPurgeStripe = kStripes;
// FNV-1a: every node must find the same stripe.
int32_t stripe_of(std::string_view user) {
    uint64_t hash = 14695981039346656037ULL;
    for (const char c : user) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return static_cast<int32_t>((hash >> 32U) % kStripes);
}

constexpr const char* kBegin = "BEGIN";
constexpr const char* kCommit = "COMMIT";
constexpr const char* kLockShared = "SELECT pg_advisory_xact_lock_shared($1, u) FROM unnest($2::int[]) u";
constexpr const char* kLockAlone = "SELECT pg_advisory_xact_lock($1, u) FROM unnest($2::int[]) u";
constexpr const char* kGeneration = "SELECT generation FROM app WHERE id = $1";
constexpr const char* kBound =
    "SELECT u.name, b.topic FROM unnest($2::text[]) a (name) CROSS JOIN LATERAL "
    "(SELECT id, name FROM bound_user WHERE app = $1 AND name = a.name OFFSET 0) u CROSS JOIN LATERAL "
    "(SELECT topic FROM user_topic WHERE usr = u.id OFFSET 0) b ORDER BY u.name, b.topic";
// The planner takes a young table for empty and would walk it once for each element of an array, so the order is
// written down: the array leads, each element is looked up by LATERAL (OFFSET 0 keeps it apart), and what is changed is
// named by its place. Places hold still: a device's row is locked by its transaction, and with it its subscriptions.
const std::string kLoad = std::string("SELECT ") + kFull +
                          " FROM (SELECT d.key FROM unnest($2::uuid[]) u (v) CROSS JOIN LATERAL"
                          " (SELECT key FROM device WHERE identity = u.v AND app + 0 = $1 OFFSET 0) d"
                          " UNION SELECT d.key FROM unnest($4::text[]) u (v) CROSS JOIN LATERAL"
                          " (SELECT key FROM device WHERE usr = u.v AND usr <> '' AND app + 0 = $1 OFFSET 0) d"
                          " UNION SELECT unnest($3::bigint[]) ORDER BY 1) k (key)"
                          " CROSS JOIN LATERAL (SELECT * FROM device WHERE app = $1 AND key = k.key FOR UPDATE) d";

constexpr const char* kUnsubscribe =
    "DELETE FROM subscription WHERE ctid = ANY (ARRAY(SELECT s.ctid "
    "FROM unnest($1::bigint[], $2::bigint[]) u (topic, key) CROSS JOIN LATERAL "
    "(SELECT ctid FROM subscription WHERE topic = u.topic AND key = u.key OFFSET 0) s))";
constexpr const char* kErase =
    "DELETE FROM device WHERE ctid = ANY (ARRAY(SELECT d.ctid FROM unnest($2::bigint[]) u (key) CROSS JOIN LATERAL "
    "(SELECT ctid FROM device WHERE app = $1 AND key = u.key OFFSET 0) d))";
constexpr const char* kTouch =
    "UPDATE device d SET registered = n.registered FROM (SELECT p.ctid AS place, u.registered "
    "FROM unnest($2::bigint[], $3::bigint[]) u (key, registered) CROSS JOIN LATERAL "
    "(SELECT ctid FROM device WHERE app = $1 AND key = u.key OFFSET 0) p OFFSET 0) n WHERE d.ctid = n.place";
constexpr const char* kUpdate =
    "UPDATE device d SET created = n.created, updated = n.updated, registered = n.registered, "
    "identity = n.identity, token_hash = n.token_hash, variant = n.variant, provider = n.provider, "
    "platform = n.platform, timezone = n.timezone, locale = n.locale, usr = n.usr, token = n.token, data = n.data, "
    "topics = n.topics, meta = n.meta FROM (SELECT p.ctid AS place, u.* "
    "FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::uuid[], $8::int[], "
    "$9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[], $16::bytea[], "
    "$17::text[]) u (key, created, updated, registered, identity, token_hash, variant, provider, platform, timezone, "
    "locale, usr, token, data, topics, meta) CROSS JOIN LATERAL "
    "(SELECT ctid FROM device WHERE app = $1 AND key = u.key OFFSET 0) p OFFSET 0) n WHERE d.ctid = n.place";
constexpr const char* kInsert =
    "INSERT INTO device (app, key, created, updated, registered, identity, token_hash, variant, provider, platform, "
    "timezone, locale, usr, token, data, topics, meta) "
    "SELECT $1, u.* FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::uuid[], "
    "$8::int[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[], "
    "$16::bytea[], $17::text[]) u";
// What a subscription row repeats is read from the device: a device of many topics is sent once.
const std::string kFits = "octet_length(token) + octet_length(data) <= " + std::to_string(kInlineBytesMax);
const std::string kFanout = "(SELECT variant, provider, platform, timezone, locale, CASE WHEN " + kFits +
                            " THEN token END AS token, CASE WHEN " + kFits +
                            " THEN data ELSE '' END AS data FROM device WHERE app = $1 AND key = u.key OFFSET 0) d";
constexpr const char* kSubscribeWhole =
    "INSERT INTO subscription (topic, key, variant, provider, platform, timezone, locale, token, data) "
    "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], "
    "$8::bytea[], $9::bytea[])";
const std::string kSubscribe =
    "INSERT INTO subscription (topic, key, variant, provider, platform, timezone, locale, token, data) "
    "SELECT u.topic, u.key, d.* FROM unnest($2::bigint[], $3::bigint[]) u (topic, key) CROSS JOIN LATERAL " +
    kFanout;
const std::string kResubscribe =
    "UPDATE subscription s SET variant = n.variant, provider = n.provider, platform = n.platform, "
    "timezone = n.timezone, locale = n.locale, token = n.token, data = n.data FROM (SELECT p.ctid AS place, d.* "
    "FROM unnest($2::bigint[], $3::bigint[]) u (topic, key) CROSS JOIN LATERAL "
    "(SELECT ctid FROM subscription WHERE topic = u.topic AND key = u.key OFFSET 0) p CROSS JOIN LATERAL " +
    kFanout + " OFFSET 0) n WHERE s.ctid = n.place";
constexpr const char* kBindUser = "INSERT INTO bound_user (app, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
constexpr const char* kUnbind =
    "DELETE FROM user_topic WHERE usr = (SELECT id FROM bound_user WHERE app = $1 AND name = $2) "
    "AND topic = ANY ($3::bigint[])";
constexpr const char* kBind =
    "INSERT INTO user_topic (usr, topic) SELECT (SELECT id FROM bound_user WHERE app = $1 AND name = $2), u "
    "FROM unnest($3::bigint[]) u";

}  // namespace

// The differences of a transaction, as the arrays that its statements take.
struct Edit::Batch {
    // (topic, key) pairs.
    struct Pairs {
        Column topics{Type::Int8}, keys{Type::Int8};
        void add(int64_t topic, int64_t key) {
            topics.add(topic);
            keys.add(key);
        }
    };
    // Whole devices, column by column in the order of kUpdate and kInsert.
    struct Devices {
        Column key{Type::Int8}, created{Type::Int8}, updated{Type::Int8}, registered{Type::Int8}, identity{Type::Uuid},
            token_hash{Type::Uuid}, variant{Type::Int4}, provider{Type::Text}, platform{Type::Text},
            timezone{Type::Text}, locale{Type::Text}, user{Type::Text}, token{Type::Bytes}, data{Type::Bytes},
            topics{Type::Bytes}, meta{Type::Text};
        std::string packed;

        void add(const Device& device) {
            key.add(device.key);
            created.add(device.created);
            updated.add(device.updated);
            registered.add(device.registered);
            identity.add(device.identity);
            token_hash.add(device.token_hash);
            variant.add4(static_cast<int32_t>(device.variant));
            provider.add(device.provider);
            platform.add(device.platform);
            timezone.add(device.timezone);
            locale.add(device.locale);
            user.add(device.user);
            token.add(device.token);
            data.add(device.data);
            storage::encode_topics(device.topics, packed);
            topics.add(packed);
            meta.add(device.meta);
        }
        Params params(int32_t app) const {
            Params params;
            params.number4(app);
            for (const Column* column :
                 {&key, &created, &updated, &registered, &identity, &token_hash, &variant, &provider, &platform,
                  &timezone, &locale, &user, &token, &data, &topics, &meta}) {
                params.column(*column);
            }
            return params;
        }
    };

    // Whole subscription rows.
    struct Subscriptions {
        Column topic{Type::Int8}, key{Type::Int8}, variant{Type::Int4}, provider{Type::Text}, platform{Type::Text},
            timezone{Type::Text}, locale{Type::Text}, token{Type::Bytes}, data{Type::Bytes};

        void add(int64_t number, const Device& device) {
            topic.add(number);
            key.add(device.key);
            variant.add4(static_cast<int32_t>(device.variant));
            provider.add(device.provider);
            platform.add(device.platform);
            timezone.add(device.timezone);
            locale.add(device.locale);
            const bool fits = device.token.size() + device.data.size() <= kInlineBytesMax;
            if (fits) token.add(device.token);
            if (!fits) token.add_null();
            data.add(fits ? std::string_view(device.data) : std::string_view());
        }
        Params params() const {
            Params params;
            for (const Column* column :
                 {&topic, &key, &variant, &provider, &platform, &timezone, &locale, &token, &data}) {
                params.column(*column);
            }
            return params;
        }
    };

    Pairs left, rewritten, joined;
    Subscriptions subscribed;
    Column erased{Type::Int8}, touched{Type::Int8}, touched_at{Type::Int8};
    Devices updated;
    std::vector<const Device*> created;
};

void Edit::lock(const Scope& scope) {
    std::set<int32_t> stripes;
    for (const std::string_view user : scope.bound_of) stripes.insert(stripe_of(user));
    const auto lock = [&](const char* sql, const std::set<int32_t>& some) {
        Column column(Type::Int4);
        for (const int32_t stripe : some) column.add4(stripe);
        connection_.send(sql, Params().number4(app_.number).column(column));
    };
    if (scope.changes_bound) lock(kLockAlone, stripes);
    if (scope.changes_bound) stripes.clear();
    stripes.insert(kPurgeStripe);
    lock(kLockShared, stripes);
}

void Edit::begin(const Scope& scope) {
    connection_.send(kBegin);
    lock(scope);
    connection_.send(kGeneration, Params().number4(app_.number));
    Column bound(Type::Text), identities(Type::Uuid), users(Type::Text);
    for (const std::string_view user : scope.bound_of) bound.add(user);
    for (const Hash& identity : scope.identities) identities.add(identity);
    for (const std::string_view user : scope.users_devices) users.add(user);
    connection_.send(kBound, Params().number4(app_.number).column(bound));
    const Params named = Params().number4(app_.number).column(identities).column(pg::numbers(scope.keys)).column(users);
    connection_.send(kLoad, named);
    const std::vector<pg::Result> results = connection_.trip(deadline_);
    const pg::Result& generation = results[results.size() - 3];
    if (generation.rows() == 0 || generation.number(0, 0) != app_.generation) {
        outdated_ = true;
        throw pg::Failure("40001", "the app was purged meanwhile");
    }
    for (const std::string_view user : scope.bound_of) bound_[std::string(user)];
    take_bound(results[results.size() - 2]);
    take_devices(results.back());
    // Whoever waited for a row that was then erased and created anew, for its identity changed, sees neither of the
    // two.
    const bool misses =
        std::any_of(scope.keys.begin(), scope.keys.end(), [&](int64_t key) { return find(key) == nullptr; });
    if (misses) take_devices(connection_.run(kLoad, named, deadline_));
}

void Edit::take_bound(const pg::Result& rows) {
    for (int row = 0; row < rows.rows(); ++row) bound_[std::string(rows.bytes(row, 0))].push_back(rows.number(row, 1));
    bound_before_ = bound_;
}

void Edit::take_devices(const pg::Result& rows) {
    for (int row = 0; row < rows.rows(); ++row) {
        Device device = Row(rows, row).device();
        holders_[device.identity] = device.key;
        Slot& slot = slots_[device.key];
        slot.now = device;
        slot.before = std::move(device);
    }
}

const Device* Edit::find(int64_t key) const {
    const auto slot = slots_.find(key);
    return slot != slots_.end() && slot->second.now ? &*slot->second.now : nullptr;
}

std::optional<int64_t> Edit::holder_of(const Hash& identity) const {
    const auto holder = holders_.find(identity);
    return holder == holders_.end() ? std::nullopt : std::optional(holder->second);
}

std::vector<int64_t> Edit::keys_of_user(std::string_view user) const {
    std::vector<int64_t> keys;
    if (user.empty()) return keys;
    for (const auto& [key, slot] : slots_) {
        if (slot.now && slot.now->user == user) keys.push_back(key);
    }
    return keys;
}

const std::vector<int64_t>& Edit::bound_to(std::string_view user) const {
    static const std::vector<int64_t> kNone;
    const auto bound = bound_.find(user);
    return bound == bound_.end() ? kNone : bound->second;
}

void Edit::put(Device device) {
    Slot& slot = slots_[device.key];
    if (slot.now && slot.now->identity != device.identity) holders_.erase(slot.now->identity);
    holders_[device.identity] = device.key;
    slot.now = std::move(device);
}

void Edit::erase(int64_t key) {
    Slot& slot = slots_[key];
    if (!slot.now) return;
    holders_.erase(slot.now->identity);
    slot.now.reset();
}

int64_t Edit::new_key(uint32_t prefix) {
    return (int64_t{prefix} << BELFRY_KEY_SEQUENCE_BITS) | sequence_.next(connection_, deadline_);
}

void Edit::bind(std::string_view user, const std::vector<int64_t>& topics) {
    bound_.insert_or_assign(std::string(user), topics);
}

// A device whose identity changed is erased and created: in one UPDATE of several rows, an identity that passes from
// one to the other would stand twice for a moment, which its index refuses.
void Edit::compare(const Slot& slot, Batch& batch) const {
    const Device* before = slot.before ? &*slot.before : nullptr;
    const Device* now = slot.now ? &*slot.now : nullptr;
    if (before == nullptr && now == nullptr) return;
    static const std::vector<TopicRef> kNone;
    const std::vector<TopicRef>& had = before != nullptr ? before->topics : kNone;
    const std::vector<TopicRef>& has = now != nullptr ? now->topics : kNone;
    const int64_t key = before != nullptr ? before->key : now->key;
    const bool rewrites = before != nullptr && now != nullptr && !same_fanout(*before, *now);
    std::vector<int64_t> joined;
    auto old = had.begin();
    for (const TopicRef& ref : has) {
        for (; old != had.end() && old->topic < ref.topic; ++old) batch.left.add(old->topic, key);
        const bool stays = old != had.end() && old->topic == ref.topic;
        if (stays) ++old;
        if (!stays) joined.push_back(ref.topic);
        if (stays && rewrites) batch.rewritten.add(ref.topic, key);
    }
    for (; old != had.end(); ++old) batch.left.add(old->topic, key);
    for (const int64_t topic : joined) {
        if (joined.size() <= kSentWholeMax) batch.subscribed.add(topic, *now);
        if (joined.size() > kSentWholeMax) batch.joined.add(topic, key);
    }
    const bool replaced = before != nullptr && now != nullptr && before->identity != now->identity;
    if (now == nullptr || replaced) batch.erased.add(key);
    if (before == nullptr || replaced) {
        if (now != nullptr) batch.created.push_back(now);
    } else if (now != nullptr && !same_state(*before, *now)) {
        batch.updated.add(*now);
    } else if (now != nullptr && before->registered != now->registered) {
        batch.touched.add(key);
        batch.touched_at.add(now->registered);
    }
}

void Edit::send(const Batch& batch) {
    const auto app = [&] { return Params().number4(app_.number); };
    if (!batch.left.keys.empty())
        connection_.send(kUnsubscribe, Params().column(batch.left.topics).column(batch.left.keys));
    if (!batch.erased.empty()) connection_.send(kErase, app().column(batch.erased));
    if (!batch.touched.empty()) connection_.send(kTouch, app().column(batch.touched).column(batch.touched_at));
    if (!batch.updated.key.empty()) connection_.send(kUpdate, batch.updated.params(app_.number));
    if (!batch.created.empty()) {
        // In the order of identities: two batches that bring the same new devices wait for each other, never both ways.
        std::vector<const Device*> created = batch.created;
        std::sort(created.begin(), created.end(),
                  [](const Device* a, const Device* b) { return a->identity < b->identity; });
        Batch::Devices devices;
        for (const Device* device : created) devices.add(*device);
        connection_.send(kInsert, devices.params(app_.number));
    }
    const auto pairs = [&](const Batch::Pairs& some) { return app().column(some.topics).column(some.keys); };
    if (!batch.subscribed.key.empty()) connection_.send(kSubscribeWhole, batch.subscribed.params());
    if (!batch.joined.keys.empty()) connection_.send(kSubscribe, pairs(batch.joined));
    if (!batch.rewritten.keys.empty()) connection_.send(kResubscribe, pairs(batch.rewritten));
}

void Edit::send_bindings() {
    for (const auto& [user, topics] : bound_) {
        const std::vector<int64_t>& before = bound_before_[user];
        if (before == topics) continue;
        std::vector<int64_t> gone, fresh;
        std::set_difference(before.begin(), before.end(), topics.begin(), topics.end(), std::back_inserter(gone));
        std::set_difference(topics.begin(), topics.end(), before.begin(), before.end(), std::back_inserter(fresh));
        const auto params = [&] { return Params().number4(app_.number).text(user); };
        if (!gone.empty()) connection_.send(kUnbind, params().column(pg::numbers(gone)));
        if (!fresh.empty()) connection_.send(kBindUser, params());
        if (!fresh.empty()) connection_.send(kBind, params().column(pg::numbers(fresh)));
    }
}

void Edit::commit() {
    Batch batch;
    for (const auto& [key, slot] : slots_) compare(slot, batch);
    constexpr int64_t kSequenceMask = (int64_t{1} << BELFRY_KEY_SEQUENCE_BITS) - 1;
    for (const Device* device : batch.created)
        sequence_.move_beyond(connection_, device->key & kSequenceMask, deadline_);
    send(batch);
    send_bindings();
    connection_.send(kCommit);
    connection_.trip(deadline_);
}

}  // namespace belfry::storage_pg
