// SPDX-License-Identifier: Apache-2.0
#include "conformance/storage/world.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <cstring>

namespace belfry::conformance {

namespace {

uint64_t mix(std::string_view text, uint64_t hash) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    hash ^= hash >> 32U;
    return hash * 0x9e3779b97f4a7c15ULL;
}

Hash16 hash_pair(std::string_view text) {
    const uint64_t low = mix(text, 14695981039346656037ULL);
    const uint64_t high = mix(text, low);
    Hash16 hash{};
    std::memcpy(hash.bytes, &low, sizeof low);
    std::memcpy(hash.bytes + 8, &high, sizeof high);
    return hash;
}

void need_ok(belfry_code code, const belfry_why& why, const char* call) {
    require(code == BELFRY_OK, std::string(call) + " answered " + said(code, why));
}

std::vector<std::string> texts_of(belfry_list list) {
    std::vector<std::string> texts;
    for (const belfry_str& one : Rows<belfry_str>(list)) texts.push_back(text(one));
    return texts;
}

// The rows of a call that answers one row per input, brought into the order of the input.
template <class Result, class Call>
std::vector<Result> one_each(size_t n, const char* name, const Call& call) {
    std::vector<Result> results(n);
    std::vector<bool> seen(n, false);
    belfry_why why{};
    const belfry_code code =
        collect<Result>([&](belfry_emit emit, void* ctx) { return call(emit, ctx, &why); },
                        [&](const Result& row) {
                            require(row.index < n, std::string(name) + ": an index out of range");
                            require(!seen[row.index], std::string(name) + ": two results for one row");
                            seen[row.index] = true;
                            results[row.index] = row;
                        });
    need_ok(code, why, name);
    require(std::find(seen.begin(), seen.end(), false) == seen.end(), std::string(name) + ": a row without result");
    return results;
}

// A selection with everything it points to.
class Selected {
public:
    explicit Selected(const Which& which)
        : users_(which.users), topics_(which.topics), providers_(which.providers), platforms_(which.platforms) {
        raw = sized<belfry_selection>();
        raw.keys = list_of(which.keys);
        raw.users = users_.list();
        raw.topics = topics_.list();
        raw.providers = providers_.list();
        raw.platforms = platforms_.list();
        raw.topic_prefix = str(std::string_view(which.prefix));
    }
    belfry_selection raw;

private:
    Strings users_, topics_, providers_, platforms_;
};

// Runs a list call to its end.
template <class Raw, class Call, class Add>
void all_pages(uint32_t limit, uint32_t fields, int64_t* total, const char* name, const Call& call, const Add& add) {
    std::string cursor;
    for (bool more = true, first = true; more; first = false) {
        belfry_paging paging = sized<belfry_paging>();
        paging.limit = limit;
        paging.fields = fields;
        paging.want_total = first && total != nullptr ? 1 : 0;
        paging.cursor = str(std::string_view(cursor));
        belfry_page_end end = sized<belfry_page_end>();
        std::memset(end.cursor, 'x', sizeof end.cursor);
        belfry_why why{};
        uint32_t rows = 0;
        const belfry_code code =
            collect<Raw>([&](belfry_emit emit, void* ctx) { return call(&paging, emit, ctx, &end, &why); },
                         [&](const Raw& row) {
                             ++rows;
                             add(row);
                         });
        need_ok(code, why, name);
        require(rows <= limit, std::string(name) + ": more rows than the limit");
        require(std::memchr(end.cursor, 0, sizeof end.cursor) != nullptr,
                std::string(name) + ": a cursor without its end");
        more = end.more != 0;
        require(more == (end.cursor[0] != '\0'), std::string(name) + ": a cursor goes with more rows");
        require(cursor.empty() || cursor != end.cursor, std::string(name) + ": the cursor stands still");
        cursor = static_cast<const char*>(end.cursor);
        if (first && total != nullptr) *total = end.total;
        if (!(first && total != nullptr)) require_equal(end.total, -1, "total that nobody wanted");
    }
}

}  // namespace

Hash16 token_hash(std::string_view token) {
    return hash_pair(std::string(token) + "/token");
}
Hash16 identity_hash(std::string_view provider, std::string_view token) {
    return hash_pair(std::string(provider) + "/" + std::string(token) + "/identity");
}

Strings::Strings(const std::vector<std::string>& texts) {
    for (const auto& one : texts) views_.push_back(str(std::string_view(one)));
}
belfry_list Strings::list() const {
    return list_of(views_);
}

World::World(Context& context) : World(context, context.config) {}
World::World(Context& context, const std::string& config)
    : host(context, "state"),
      instance(host, context.plugin, config, BELFRY_STORAGE_ID),
      table(*static_cast<const belfry_storage*>(instance.interface_table())) {}

void World::need(uint32_t flag, const char* name) const {
    if ((table.flags & flag) == 0) skip(std::string("the storage does not declare ") + name);
}

std::vector<belfry_registered> World::try_register(std::string_view app_name, const std::vector<Phone>& phones) {
    std::vector<Strings> topics;
    topics.reserve(phones.size());
    std::vector<belfry_registration> rows;
    for (const Phone& phone : phones) {
        belfry_registration row = sized<belfry_registration>();
        row.prefix = phone.prefix;
        row.key = phone.key;
        const Hash16 identity = identity_hash(phone.provider, phone.token);
        const Hash16 token = token_hash(phone.token);
        std::memcpy(row.identity_hash, identity.bytes, sizeof identity.bytes);
        std::memcpy(row.token_hash, token.bytes, sizeof token.bytes);
        const auto set = [](belfry_str& to, const std::string& from) { to = str(std::string_view(from)); };
        set(row.provider, phone.provider);
        set(row.token, phone.token);
        set(row.data, phone.data);
        set(row.user, phone.user);
        set(row.platform, phone.platform);
        set(row.timezone, phone.timezone);
        set(row.locale, phone.locale);
        set(row.meta, phone.meta);
        topics.emplace_back(phone.topics);
        row.topics = topics.back().list();
        row.variant = phone.variant;
        if (phone.variant_guessed) row.flags = BELFRY_REGISTRATION_VARIANT_GUESSED;
        rows.push_back(row);
    }
    return one_each<belfry_registered>(
        phones.size(), "register_devices", [&](belfry_emit emit, void* ctx, belfry_why* why) {
            return table.register_devices(instance.get(), str(app_name), list_of(rows), emit, ctx, why);
        });
}

std::vector<int64_t> World::register_all(const std::vector<Phone>& phones) {
    std::vector<int64_t> keys;
    constexpr size_t kBatch = 1000;
    for (size_t at = 0; at < phones.size(); at += kBatch) {
        const auto end = phones.begin() + static_cast<ptrdiff_t>(std::min(phones.size(), at + kBatch));
        const std::vector<Phone> batch(phones.begin() + static_cast<ptrdiff_t>(at), end);
        for (const belfry_registered& result : try_register(current_app, batch)) {
            require_equal(result.code, BELFRY_OK, "code of a registration");
            keys.push_back(result.key);
        }
    }
    return keys;
}

belfry_registered World::register_one(const Phone& phone) {
    const belfry_registered result = try_register(current_app, {phone}).front();
    require_equal(result.code, BELFRY_OK, "code of a registration");
    return result;
}

std::vector<belfry_item_result> World::update(const Which& which, const Change& change) {
    const Selected selected(which);
    const Strings topics(change.topics);
    belfry_patch patch = sized<belfry_patch>();
    patch.flags = change.flags;
    patch.topic_op = change.topic_op;
    patch.user = str(std::string_view(change.user));
    patch.meta = str(std::string_view(change.meta));
    patch.timezone = str(std::string_view(change.timezone));
    patch.locale = str(std::string_view(change.locale));
    patch.guard_user = str(std::string_view(change.guard));
    patch.topics = topics.list();
    return one_each<belfry_item_result>(
        which.keys.size() + which.users.size(), "update_devices", [&](belfry_emit emit, void* ctx, belfry_why* why) {
            return table.update_devices(instance.get(), str(std::string_view(current_app)), &selected.raw, &patch, emit,
                                        ctx, why);
        });
}

std::vector<belfry_item_result> World::remove(const Which& which) {
    const Selected selected(which);
    return one_each<belfry_item_result>(
        which.keys.size() + which.users.size(), "remove_devices", [&](belfry_emit emit, void* ctx, belfry_why* why) {
            return table.remove_devices(instance.get(), str(std::string_view(current_app)), &selected.raw, emit, ctx,
                                        why);
        });
}

belfry_item_result World::bind(int32_t op, std::string_view user, const std::vector<std::string>& topics) {
    const Strings names(topics);
    belfry_user_topics change = sized<belfry_user_topics>();
    change.op = op;
    change.user = str(user);
    change.topics = names.list();
    return one_each<belfry_item_result>(1, "update_user_topics",
                                        [&](belfry_emit emit, void* ctx, belfry_why* why) {
                                            return table.update_user_topics(instance.get(),
                                                                            str(std::string_view(current_app)),
                                                                            one_row(change), emit, ctx, why);
                                        })
        .front();
}

std::vector<belfry_fact_result> World::settle(bool amends, std::string_view app_name,
                                              const std::vector<belfry_fact>& facts) {
    return one_each<belfry_fact_result>(facts.size(), amends ? "amend" : "invalidate",
                                        [&](belfry_emit emit, void* ctx, belfry_why* why) {
                                            return (amends ? table.amend : table.invalidate)(
                                                instance.get(), str(app_name), list_of(facts), emit, ctx, why);
                                        });
}
belfry_fact_result World::invalidate(const belfry_fact& fact) {
    return settle(false, current_app, {fact}).front();
}
belfry_fact_result World::amend(const belfry_fact& fact) {
    return settle(true, current_app, {fact}).front();
}

std::vector<Row> World::list(const Which& which, uint32_t fields, uint32_t limit, int64_t* total) {
    const Selected selected(which);
    std::vector<Row> rows;
    all_pages<belfry_device>(
        limit, fields, total, "list_devices",
        [&](const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end, belfry_why* why) {
            return table.list_devices(instance.get(), str(std::string_view(current_app)), &selected.raw, paging, emit,
                                      ctx, end, why);
        },
        [&](const belfry_device& row) {
            require(rows.empty() || rows.back().key < row.key, "list_devices runs in ascending key order");
            rows.push_back(owned(row));
        });
    return rows;
}

std::vector<Pair> World::device_topics(const Which& which, uint32_t limit, int64_t* total) {
    const Selected selected(which);
    std::vector<Pair> pairs;
    all_pages<belfry_topic_row>(
        limit, BELFRY_FIELD_USER, total, "list_device_topics",
        [&](const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end, belfry_why* why) {
            return table.list_device_topics(instance.get(), str(std::string_view(current_app)), &selected.raw, paging,
                                            emit, ctx, end, why);
        },
        [&](const belfry_topic_row& row) {
            const Pair pair{row.key, text(row.user), text(row.topic), row.origins};
            require(pairs.empty() || std::tie(pairs.back().key, pairs.back().topic) < std::tie(pair.key, pair.topic),
                    "list_device_topics is ordered by key and topic");
            require(row.device != nullptr && row.device->key == row.key && text(row.device->user) == pair.user,
                    "a pair comes with its device when fields are wanted");
            pairs.push_back(pair);
        });
    return pairs;
}

std::vector<Pair> World::user_topics(const Which& which, uint32_t limit, int64_t* total) {
    const Selected selected(which);
    std::vector<Pair> pairs;
    all_pages<belfry_topic_row>(
        limit, 0, total, "list_user_topics",
        [&](const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end, belfry_why* why) {
            return table.list_user_topics(instance.get(), str(std::string_view(current_app)), &selected.raw, paging,
                                          emit, ctx, end, why);
        },
        [&](const belfry_topic_row& row) {
            const Pair pair{row.key, text(row.user), text(row.topic), 0};
            require(pairs.empty() || std::tie(pairs.back().user, pairs.back().topic) < std::tie(pair.user, pair.topic),
                    "list_user_topics is ordered by user and topic");
            pairs.push_back(pair);
        });
    return pairs;
}

int64_t World::count(const Which& which) {
    const Selected selected(which);
    belfry_why why{};
    int64_t n = -1;
    need_ok(
        table.count(instance.get(), str(std::string_view(current_app)), &selected.raw, host.far_deadline(), &n, &why),
        why, "count");
    return n;
}

ScanPage World::scan(std::string_view topic, int64_t after, int64_t hi, uint32_t want, uint32_t fields,
                     uint32_t budget) {
    belfry_scan scan = sized<belfry_scan>();
    scan.by = topic.empty() ? BELFRY_BY_ALL : BELFRY_BY_TOPIC;
    scan.value = str(topic);
    scan.app = str(std::string_view(current_app));
    scan.fields = fields;
    scan.want = want;
    scan.budget_rows = budget;
    scan.after = after;
    scan.hi = hi;
    scan.deadline_mono_ns = host.far_deadline();
    ScanPage page;
    int32_t end = -1;
    int64_t last = after;
    belfry_why why{};
    const belfry_code code = collect<belfry_device>(
        [&](belfry_emit emit, void* ctx) {
            return table.scan(instance.get(), &scan, emit, ctx, &page.cursor, &end, &why);
        },
        [&](const belfry_device& row) {
            require(row.key > last, "a scan runs in ascending key order, behind `after`");
            require(row.key < hi, "a scan stays below `hi`");
            last = row.key;
            page.rows.push_back(owned(row));
        });
    need_ok(code, why, "scan");
    require(end == 0 || end == 1, "a scan says whether it ended");
    page.end = end == 1;
    require(page.rows.size() <= want, "a scan gives no more rows than wanted");
    require(page.cursor >= last, "the cursor is not behind the last row");
    require(page.end || page.cursor > after, "the cursor advances");
    require(page.end || page.cursor < hi, "a cursor inside the range while rows are left");
    return page;
}

std::vector<Row> World::scan_all(std::string_view topic, uint32_t want, uint32_t fields, int64_t after, int64_t hi) {
    std::vector<Row> rows;
    for (bool end = false; !end;) {
        ScanPage page = scan(topic, after, hi, want, fields);
        std::move(page.rows.begin(), page.rows.end(), std::back_inserter(rows));
        after = page.cursor;
        end = page.end;
    }
    return rows;
}

std::vector<int64_t> World::scan_keys(std::string_view topic, int64_t after, int64_t hi, uint32_t want) {
    return keys_of(scan_all(topic, want, 0, after, hi));
}

namespace {

std::vector<Row> fetched(World& world, int32_t by, belfry_list values, uint32_t each, uint32_t fields) {
    std::vector<Row> rows;
    belfry_why why{};
    const belfry_code code = collect<belfry_device>(
        [&](belfry_emit emit, void* ctx) {
            return world.table.fetch(world.instance.get(), str(std::string_view(world.current_app)), by, values, each,
                                     fields, world.host.far_deadline(), emit, ctx, &why);
        },
        [&](const belfry_device& row) {
            require(row.index < values.n, "fetch: an index out of range");
            rows.push_back(owned(row));
        });
    need_ok(code, why, "fetch");
    return rows;
}

}  // namespace

std::vector<Row> World::fetch_keys(const std::vector<int64_t>& keys, uint32_t fields) {
    return fetched(*this, BELFRY_BY_KEY, list_of(keys), 1, fields);
}
std::vector<Row> World::fetch_users(const std::vector<std::string>& users, uint32_t each, uint32_t fields) {
    return fetched(*this, BELFRY_BY_USER, Strings(users).list(), each, fields);
}
std::vector<Row> World::fetch_identities(const std::vector<Hash16>& hashes) {
    return fetched(*this, BELFRY_BY_IDENTITY, list_of(hashes), 1, kAllFields);
}

Row World::at(int64_t key) {
    const std::vector<Row> rows = fetch_keys({key});
    require_equal(static_cast<int64_t>(rows.size()), 1, "devices behind a key");
    return rows.front();
}
bool World::exists(int64_t key) {
    return !fetch_keys({key}).empty();
}

belfry_fact fact_of(int64_t key, std::string_view token) {
    belfry_fact fact = sized<belfry_fact>();
    fact.key = key;
    const Hash16 hash = token_hash(token);
    std::memcpy(fact.token_hash, hash.bytes, sizeof hash.bytes);
    return fact;
}

belfry_fact fact_of_identity(std::string_view provider, std::string_view token) {
    belfry_fact fact = fact_of(-1, token);
    const Hash16 hash = identity_hash(provider, token);
    std::memcpy(fact.identity_hash, hash.bytes, sizeof hash.bytes);
    return fact;
}

Row owned(const belfry_device& device) {
    Row row;
    row.index = device.index;
    row.key = device.key;
    row.provider = text(device.provider);
    row.token = text(device.token);
    row.data = text(device.data);
    row.user = text(device.user);
    row.platform = text(device.platform);
    row.timezone = text(device.timezone);
    row.locale = text(device.locale);
    row.meta = text(device.meta);
    row.topics = texts_of(device.topics);
    row.variant = device.variant;
    row.created = device.created_unix_ms;
    row.updated = device.updated_unix_ms;
    row.registered = device.registered_unix_ms;
    return row;
}

std::vector<Phone> some_phones(size_t n, const std::string& name, const std::vector<std::string>& topics) {
    std::vector<Phone> phones(n);
    for (size_t i = 0; i < n; ++i) {
        phones[i].token = name + std::to_string(i);
        phones[i].prefix = static_cast<uint32_t>(mix(phones[i].token, 7) & 0xffU);
        phones[i].topics = topics;
        phones[i].platform = "android";
    }
    return phones;
}

std::vector<int64_t> keys_of(const std::vector<Row>& rows) {
    std::vector<int64_t> keys;
    keys.reserve(rows.size());
    for (const Row& row : rows) keys.push_back(row.key);
    return keys;
}

std::vector<int64_t> sorted(std::vector<int64_t> keys) {
    std::sort(keys.begin(), keys.end());
    return keys;
}

}  // namespace belfry::conformance
