// SPDX-License-Identifier: Apache-2.0
// The reading half of a page: the rows of its item become entries in blocks, or outcomes and owed lists where nothing
// is to be sent.
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstring>

#include "audience/topic_merge.h"
#include "delivery/page.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kReadNs = 200 * kNsPerMs;  // a page looks no longer for more rows
constexpr int64_t kReadDeadlineNs = 5 * kNsPerSecond;
constexpr size_t kTokenBytesMax = 8 * 1024;  // longer ones fit into no block
constexpr uint32_t kMixedRowsMin = 32;       // of a page for several providers, however slow one of them is

uint64_t mix(uint64_t value) noexcept {  // splitmix64's finaliser
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

uint64_t hash_text(std::string_view text) noexcept {  // FNV-1a
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return hash;
}

// A UUID (version 8: made by our own rule) of (push, device): the same on every retry, on every node.
std::array<uint8_t, 16> delivery_id(const audience::Hash16& seed, uint64_t device) noexcept {
    uint64_t halves[2];
    std::memcpy(halves, seed.data(), sizeof halves);
    halves[0] = mix(halves[0] ^ mix(device + 0x9e3779b97f4a7c15ULL));
    halves[1] = mix(halves[1] + mix(device ^ 0xc2b2ae3d27d4eb4fULL));
    std::array<uint8_t, 16> id{};
    std::memcpy(id.data(), halves, sizeof halves);
    id[6] = static_cast<uint8_t>((id[6] & 0x0f) | 0x80);
    id[8] = static_cast<uint8_t>((id[8] & 0x3f) | 0x80);
    return id;
}

// What is left to look at in the rows of an audience. A Topics audience was selected by its topics: asking for those
// again would cost the storage a join per row.
audience::RowFilter filter_of(const PushBody& body) noexcept {
    static const std::vector<std::string> kNone;
    return {body.users, body.audience == Audience::Topics ? kNone : body.topics, body.providers, body.platforms};
}

// Its user was found when the push was due, and the device belongs to another one now that it is sent.
bool changed_hands(const PushBody& body, const belfry_device& row) {
    return body.users_when_due && !std::binary_search(body.users.begin(), body.users.end(), view(row.user));
}

}  // namespace

// ---- rows ----

uint32_t Page::rows_wanted() const {
    uint32_t rows = std::min(world_.options.page_rows, kBlobEntriesMax);
    if (item_gate_ != nullptr) return rows_;
    for (const auto& [provider, payload] : sections_[0].push->body.payloads) {
        Gate* gate = world_.gates.by_name(provider);
        if (gate != nullptr && !gate->closed())
            rows = std::min(rows, std::max(kMixedRowsMin, gate->page_rows(lane() == 0, rows)));
    }
    return rows;
}

uint32_t Page::fields_of(const Section& section) const {
    return BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN | BELFRY_FIELD_PLATFORM | filter_of(section.push->body).fields();
}

bool Page::take_row(uint16_t section_at, int64_t ref, const belfry_device& row, bool may_stop) {
    Section& section = sections_[section_at];
    if (section.initial) {
        if (!filter_of(section.push->body).matches(row)) return true;
    }
    const uint16_t number = group_for(section_at, view(row.provider));
    if (!section.initial && section.push != nullptr && changed_hands(section.push->body, row)) {
        ledger().count(number, BELFRY_FINAL_GONE);
        return true;
    }
    Group& group = groups_[number];
    if (group.way == Way::Send) {
        const auto platform = static_cast<uint32_t>(hash_text(view(row.platform)));
        if (!send_row(group, number, ref, {view(row.token), view(row.data), row.variant, platform})) {
            if (may_stop) return false;
            defer(number, world_.clock.unix_ms(), ref);
        }
    } else {
        settle_row(group, number, ref);
    }
    if (slice()) {
        first_key_ = first_key_ < 0 ? ref : std::min(first_key_, ref);
        last_key_ = std::max(last_key_, ref);
    }
    ++section.planned;
    return true;
}

// A row that waits in a list; a slice that goes back because of others does not read it again.
void Page::defer(uint16_t number, int64_t due_unix_ms, int64_t ref) {
    owe(number, 0, sections_[groups_[number].section].attempt, due_unix_ms, ref);
    keep(ref);
    ++deferred_;
}

// A row that is not sent now.
void Page::settle_row(Group& group, uint16_t number, int64_t ref) {
    if (group.way == Way::Defer) {
        defer(number, world_.clock.unix_ms() + group.defer_ms, ref);
        return;
    }
    keep(ref);
    ledger().count(number, group.outcome);
    const bool error = group.outcome == BELFRY_FINAL_REFUSED || group.outcome == BELFRY_FINAL_UNSUPPORTED ||
                       group.outcome == BELFRY_FINAL_INTERNAL;
    if (error) add_sample(number, group.outcome, ref, 0, group.reason);
}

// False: no room left in the page.
bool Page::send_row(Group& group, uint16_t number, int64_t ref, const Addressee& to) {
    if (const int64_t until = group.gate->platform_paused_until(to.platform, read_unix_ms_); until != 0) {
        defer(number, policy::round_due_ms(until, read_unix_ms_), ref);
        return true;
    }
    if (to.token.size() > kTokenBytesMax || to.data.size() > plugins::kProviderDataMax) {
        ledger().count(number, BELFRY_FINAL_REFUSED);
        add_sample(number, BELFRY_FINAL_REFUSED, ref, 0, "the stored token is longer than 8 KiB");
        keep(ref);
        return true;
    }
    const CompiledPlan& plan = group.prepared->plan(to.variant);
    if (!plan.encoded) {
        if (const int64_t wait_ms = group.gate->origins().ask(plan.plan.endpoint).wait_ms; wait_ms > 0) {
            defer(number, policy::round_due_ms(read_unix_ms_ + wait_ms, read_unix_ms_), ref);
            return true;
        }
    }
    Block* block = block_for(group, number, to.token.size() + to.data.size(), plan);
    if (block == nullptr) {
        full_ = true;
        return false;
    }
    Entry& entry = block->add(to.token, to.data);
    entry.ref = ref;
    entry.variant = to.variant;
    entry.platform = to.platform;
    entry.group = number;
    write_entry(*block, plan);
    ++submitted_;
    return true;
}

Block* Page::block_for(Group& group, uint16_t number, size_t token_bytes, const CompiledPlan& plan) {
    Generation* const generation = &group.prepared->generation();
    Filling* filling = nullptr;
    for (Filling& other : filling_) {
        if (other.gate == group.gate && other.generation == generation) filling = &other;
    }
    if (filling != nullptr && filling->block->has_room(token_bytes)) {
        const bool writes = plan.encoded && !filling->block->behind;
        return writes && world_.blocks.outbox_for(*filling->block) == nullptr ? nullptr : filling->block;
    }
    if (blocks_.size() >= kPageBlocks) return nullptr;
    Block* block = world_.blocks.take();
    // The block behind one whose requests carry many is seldom written from; if it is, encode asks for an outbox.
    const bool behind = filling != nullptr && plan.items_max > 1;
    const bool fits = block != nullptr && block->has_room(token_bytes) &&
                      (!plan.encoded || behind || world_.blocks.outbox_for(*block) != nullptr);
    if (!fits) {
        if (block != nullptr) world_.blocks.give_back(block);
        return nullptr;
    }
    block->page = this;
    block->group = number;
    blocks_.push_back(block);
    if (filling != nullptr) {
        block->behind = behind;
        if (behind) filling->block->next = block;
        filling->block = block;
    } else {
        filling_.push_back({group.gate, generation, block});
    }
    return block;
}

std::array<uint8_t, 16> Page::delivery_id_of(const Section& section, const Entry& entry, std::string_view token) const {
    return delivery_id(section.seed, picks(section) ? hash_text(token) : static_cast<uint64_t>(entry.ref));
}

// The request of the block's last entry: executed from its plan, or written by encode before the block is submitted.
void Page::write_entry(Block& block, const CompiledPlan& plan) {
    const uint32_t at = block.entries_n - 1;
    Entry& entry = block.entries[at];
    if (plan.encoded) {
        entry.unwritten = true;
        ++block.unwritten_n;
        return;
    }
    const Group& group = groups_[entry.group];
    const Section& section = sections_[group.section];
    http::Exchange& exchange = block.add_exchange(at, 1);
    exchange.plan = &plan.plan;
    exchange.endpoint = plan.plan.endpoint;
    exchange.token = block.token(at);
    exchange.payload = group.prepared->payload();
    exchange.expires_unix_ms = section.expires_unix_ms;
    if (plan.wants_delivery_id) exchange.delivery_id = delivery_id_of(section, entry, exchange.token);
}

// ---- reading by kind of item ----

uint32_t Page::entries_of_item() const {
    size_t n = item_.keys.size() + item_.picks.size();
    for (const WorkMember& member : item_.members) n += member.keys.size() + member.picks.size();
    return static_cast<uint32_t>(n);
}

Page::Read Page::read() {
    ledgers_[0].clear(0);
    ledgers_[1].clear(0);
    if (!open_sections()) return Read::Failed;
    if (names_users()) return read_users();
    if (!slice()) return read_entries();
    if (sections_[0].stopped != 0) {  // what it would still have found was never planned
        end_ = true;
        return Read::Done;
    }
    return read_slice();
}

Page::Read Page::read_slice() {
    const Section& section = sections_[0];
    const PushBody& body = section.push->body;
    if (body.audience == Audience::Topics && body.topics.size() > 1) return scan_merged(section);
    static const std::string kNone;
    const bool all = body.audience == Audience::All;
    return scan_one(section, all || body.topics.empty() ? kNone : body.topics[0], all);
}

Page::Read Page::scan_one(const Section& section, const std::string& topic, bool all) {
    const uint32_t wanted = rows_wanted();
    const int64_t until = world_.clock.mono_ns() + kReadNs;
    belfry_scan scan = sized<belfry_scan>();
    scan.fields = fields_of(section);
    scan.by = all ? BELFRY_BY_ALL : BELFRY_BY_TOPIC;
    scan.budget_rows = audience::kRowsLookedAtMax;
    scan.app = str(std::string_view(*section.app));
    scan.value = str(std::string_view(topic));
    scan.hi = item_.row.hi;
    scan.deadline_mono_ns = world_.clock.mono_ns() + kReadDeadlineNs;
    while (!end_ && !full_ && sections_[0].planned < wanted) {
        scan.after = cursor_;
        scan.want = wanted - sections_[0].planned;
        int64_t last = cursor_;
        const Result<plugins::ScanEnd> end = world_.storage.scan(scan, [&](const belfry_device& row) {
            if (!take_row(0, row.key, row, true)) return false;
            last = row.key;
            return true;
        });
        if (!end) {
            world_.host.storage_trouble(end.error());
            return Read::Failed;
        }
        cursor_ = full_ ? last : end->cursor;
        end_ = !full_ && end->end;
        if (world_.clock.mono_ns() > until) break;
    }
    return Read::Done;
}

// Several topics: their keys are merged in key order, each device once, and then fetched.
Page::Read Page::scan_merged(const Section& section) {
    const uint32_t wanted = rows_wanted();
    const int64_t deadline = world_.clock.mono_ns() + kReadDeadlineNs;
    audience::MergedKeys merged;
    Status done = audience::merge_topics(world_.storage, world_.clock.local(), *section.app, section.push->body.topics,
                                         cursor_, item_.row.hi, wanted, deadline, merged);
    if (done) {
        done = world_.storage.fetch_keys(*section.app, merged.keys, 1, fields_of(section), deadline,
                                         [&](const belfry_device& row) { take_row(0, row.key, row, false); });
    }
    if (!done) {
        world_.host.storage_trouble(done.error());
        return Read::Failed;
    }
    cursor_ = merged.cursor;
    end_ = merged.end;
    return Read::Done;
}

Page::Read Page::read_entries() {
    end_ = true;
    end_without_sending();
    for (size_t i = 0; i < sections_.size(); ++i) {
        Section& section = sections_[i];
        const bool bundle = item_.row.kind == BELFRY_WORK_BUNDLE;
        const std::vector<uint32_t>& chosen = bundle ? item_.members[i].picks : item_.picks;
        if (section.stopped != 0 || !picks(section)) continue;
        if (bundle) {
            section.blob_bytes = std::make_shared<const std::string>(item_.members[i].blob);
        } else {
            Result<std::shared_ptr<const std::string>> bytes = world_.stored.blob(stored_blob(item_.row.blob));
            if (!bytes && bytes.error().code != ErrorCode::NotFound && bytes.error().code != ErrorCode::Corrupt) {
                world_.host.storage_trouble(bytes.error());
                return Read::Failed;
            }
            section.blob_bytes = bytes ? *bytes : std::make_shared<const std::string>();
        }
        if (Result<TokenBlob> blob = TokenBlob::open(*section.blob_bytes)) section.blob = *blob;
        read_picks(static_cast<uint16_t>(i), chosen);
    }
    return read_keys();
}

// Entries of stopped pushes: counted, not sent.
void Page::end_without_sending() {
    for (size_t i = 0; i < sections_.size(); ++i) {
        Section& section = sections_[i];
        if (section.stopped == 0) continue;
        const bool bundle = item_.row.kind == BELFRY_WORK_BUNDLE;
        const auto& keys = bundle ? item_.members[i].keys : item_.keys;
        const auto& chosen = bundle ? item_.members[i].picks : item_.picks;
        const auto n = static_cast<uint32_t>(keys.size() + chosen.size());
        if (n == 0) continue;
        const uint16_t group = group_for(static_cast<uint16_t>(i), {});
        ledger().count(group, section.stopped, n);
        section.planned += n;
        if (section.stopped == BELFRY_FINAL_INTERNAL)
            add_sample(group, section.stopped, -1, 0, "the stored push is damaged");
    }
}

void Page::read_picks(uint16_t section_at, const std::vector<uint32_t>& chosen) {
    Section& section = sections_[section_at];
    const uint16_t number = group_for(section_at, section.push->body.provider);
    const bool native = section.push->body.audience != Audience::Tokens;
    for (const uint32_t pick : chosen) {
        Group& group = groups_[number];
        ++section.planned;
        const Result<BlobEntry> entry = section.blob.at(pick);
        if (!entry) {
            ledger().count(number, BELFRY_FINAL_INTERNAL);
            add_sample(number, BELFRY_FINAL_INTERNAL, -1, 0, entry.error().message);
        } else if (entry->refused) {
            ledger().count(number, BELFRY_FINAL_REFUSED);
            add_sample(number, BELFRY_FINAL_REFUSED, -1, 0, entry->data);
        } else if (group.way != Way::Send) {
            settle_row(group, number, pick);
        } else if (!send_row(group, number, pick,
                             Addressee{native ? std::string_view() : entry->token, entry->data, entry->variant, 0})) {
            defer(number, world_.clock.unix_ms(), pick);
        }
    }
}

// Device keys of a list, or of all members of a bundle, with one call per app.
Page::Read Page::read_keys() {
    struct Wanted {
        uint16_t section;
        bool found;
    };
    std::vector<int64_t> keys;
    std::vector<Wanted> wanted;
    std::vector<bool> done(sections_.size(), false);
    for (size_t first = 0; first < sections_.size(); ++first) {
        if (done[first]) continue;
        keys.clear();
        wanted.clear();
        uint32_t fields = 0;
        const std::string& app = *sections_[first].app;
        for (size_t i = first; i < sections_.size(); ++i) {
            if (*sections_[i].app != app) continue;
            done[i] = true;
            if (sections_[i].stopped != 0) continue;
            const auto& own = item_.row.kind == BELFRY_WORK_BUNDLE ? item_.members[i].keys : item_.keys;
            keys.insert(keys.end(), own.begin(), own.end());
            wanted.resize(keys.size(), Wanted{static_cast<uint16_t>(i), false});
            fields |= fields_of(sections_[i]);
        }
        if (keys.empty()) continue;
        const int64_t deadline = world_.clock.mono_ns() + kReadDeadlineNs;
        const Status fetched = world_.storage.fetch_keys(app, keys, 1, fields, deadline, [&](const belfry_device& row) {
            if (wanted[row.index].found) return;
            wanted[row.index].found = true;
            take_row(wanted[row.index].section, row.key, row, false);
        });
        if (!fetched) {
            world_.host.storage_trouble(fetched.error());
            return Read::Failed;
        }
        for (size_t i = 0; i < wanted.size(); ++i) {
            // A device that was removed meanwhile was never planned, unless an earlier page has.
            if (wanted[i].found || sections_[wanted[i].section].initial) continue;
            ledger().count(group_for(wanted[i].section, {}), BELFRY_FINAL_GONE);
        }
    }
    return Read::Done;
}

// ---- when nothing can be sent ----

// Everything that was read waits for closed gates: better the item waits than a copy of it in lists.
bool Page::only_deferred() const {
    return submitted_ == 0 && deferred_ > 0 && !untouched_ && (slice() || ledgers_[0].counted() == 0);
}

// There was no block for a single delivery.
bool Page::crowded_out() const {
    return submitted_ == 0 && full_ && !untouched_ && ledgers_[0].counted() == 0;
}

// Forgets what was read; the item goes back as it was, behind the gate it waits for.
void Page::discard_read() {
    uint32_t gate = 0;
    int64_t defer_ms = 0;
    bool one_gate = true;
    for (const Group& group : groups_) {
        if (group.way != Way::Defer) continue;
        one_gate = one_gate && (gate == 0 || gate == group.gate_number);
        gate = group.gate_number;
        defer_ms = std::max(defer_ms, group.defer_ms);
    }
    const bool by_gate = deferred_ > 0 && one_gate && gate != 0 && defer_ms == 0;
    // Deferred for other reasons, or to several gates: the lists are right after all.
    if (deferred_ > 0 && !full_) {
        if (!by_gate || item_.row.kind == BELFRY_WORK_BUNDLE) return;
        if (!slice() && item_.row.gate != gate) return;
    }
    forget_read();
    untouched_ = true;
    if (by_gate && slice() && item_.row.gate != gate) regate_ = gate;
}

void Page::forget_read() {
    for (Block* block : blocks_) world_.blocks.give_back(block);
    blocks_.clear();
    filling_.clear();
    ledgers_[0].clear(groups_.size());
    for (Section& section : sections_) section.planned = 0;
    cursor_ = kept_to_ = item_.row.after;
    first_key_ = last_key_ = -1;
    submitted_ = deferred_ = 0;
    end_ = full_ = false;
    returned_.clear();
}

// ---- sending ----

void Page::submit_all() {
    for (Block* block : blocks_) submit(*block);
    filling_.clear();
}

void Page::submit(Block& block) {
    if (block.unwritten_n > 0) encode(block);
    if (block.exchanges_n == 0) {  // refused by encode, or carried by requests of the block before
        block.harvested = block.open_n == 0;
        return;
    }
    Gate& gate = *groups_[block.group].gate;
    BlockPortion& portion = block.portion.emplace();
    portion.block = &block;
    portion.exchanges = block.exchanges();
    portion.owner = this;
    portion.pacer = &gate.pacer();
    portion.high = lane() == 0;
    const int64_t now = world_.clock.mono_ns();
    portion.unsent_until_mono_ns = now + world_.options.unsent_ms * kNsPerMs;
    portion.answer_timeout_ns = world_.options.answer_ms * kNsPerMs;
    gate.took(block.under_way);
    Generation& generation = groups_[block.group].prepared->generation();
    if (generation.sends == nullptr) {
        world_.sender.submit(portion);
        return;
    }
    write_job(block);
    generation.sends->submit(*block.job);
}

void Page::end_sends() {
    for (const Group& group : groups_)
        if (group.prepared && group.prepared->generation().sends) group.prepared->generation().sends->stop();
}

void Page::recall(Block& block) {
    if (block.job == nullptr) {
        world_.sender.recall(*block.portion);
    } else {
        groups_[block.group].prepared->generation().sends->recall(*block.job);
    }
}

}  // namespace belfry::delivery
