// SPDX-License-Identifier: Apache-2.0
#include "intake.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <cstring>
#include <optional>

#include "queue/items.h"

namespace belfry::queue_sqlite {

void Intake::enqueue(belfry_list pushes, std::vector<belfry_enqueued>& answers) {
    answers.clear();
    const Rows<belfry_new_push> rows(pushes);
    for (uint32_t i = 0; i < rows.size(); ++i) {
        belfry_enqueued answer = enqueue_one(rows.known(i));
        answer.index = i;
        answers.push_back(answer);
    }
}

belfry_enqueued Intake::enqueue_one(const belfry_new_push& push) {
    auto answer = sized<belfry_enqueued>();
    answer.code = check(push);
    if (answer.code != BELFRY_OK) return answer;
    const uint32_t app = core_.book.make_app(view(push.app));
    answer = look_up(push, app);
    if (answer.code != BELFRY_OK) return answer;
    const Totals& totals = core_.book.totals;
    if (static_cast<uint64_t>(totals.running_pushes + totals.delayed_pushes) >= core_.config.backlog_max) {
        answer.code = BELFRY_BUSY;
        return answer;
    }
    if (const std::optional<Member> member = small_member(push)) {
        pack(push, app, *member);
    } else {
        store(push, app);
    }
    return answer;
}

belfry_enqueued Intake::look_up(const belfry_new_push& push, uint32_t app) {
    auto answer = sized<belfry_enqueued>();
    const Known known = find(app, view(push.uid));
    if (!known) return answer;
    const int64_t finished = known.finished_unix_ms();
    const int64_t window_ms = int64_t{core_.config.uid_window_hours} * 3600 * 1000;
    if (finished != 0 && finished + window_ms <= core_.now()) return answer;
    answer.state = known.state();
    const bool same = std::memcmp(known.fingerprint().data(), push.fingerprint, sizeof push.fingerprint) == 0;
    answer.code = same ? BELFRY_DUPLICATE : BELFRY_CONFLICT;
    return answer;
}

Known Intake::find(uint32_t app, std::string_view uid) {
    for (const UidRef& ref : core_.uids.find(app, uid)) {
        const auto open =
            std::find_if(open_.begin(), open_.end(), [&](const auto& o) { return o.second.id == ref.ref; });
        if (open == open_.end()) {
            if (const Known known = core_.directory.look_at(ref, app, uid)) return known;
            continue;
        }
        const MemberResult& member = open->second.builder.results().at(static_cast<size_t>(ref.member));
        if (member.app == app && member.uid == uid) return {nullptr, nullptr, &member, 0};
    }
    return {};
}

void Intake::pack(const belfry_new_push& push, uint32_t app, const Member& member) {
    const BundleKey key{push.lane, Rows<belfry_new_item>(push.items)[0].gate};
    auto open = open_.find(key);
    if (open != open_.end() && !open->second.builder.has_room_for(member)) {
        write_bundle(key, open->second);
        open_.erase(open);
        open = open_.end();
    }
    if (open == open_.end()) {
        open = open_.try_emplace(key).first;
        open->second.id = core_.book.next_id();
    }
    const uint32_t index = open->second.builder.add(member, app, fingerprint_of(push));
    core_.uids.add(app, member.uid, {open->second.id, static_cast<int32_t>(index)});
}

void Intake::flush() {
    for (auto& [key, bundle] : open_) write_bundle(key, bundle);
    open_.clear();
}

void Intake::write_bundle(const BundleKey& key, OpenBundle& bundle) {
    if (bundle.builder.size() == 0) return;
    Item item;
    item.id = bundle.id;
    item.kind = BELFRY_WORK_BUNDLE;
    item.lane = key.first;
    item.gate = key.second;
    item.flags = kInitial;
    item.vt = core_.board.virtual_time(item.lane);
    item.ready_unix_ms = core_.now();
    item.content = std::make_shared<const std::string>(bundle.builder.take_content());
    core_.tables.items.insert(item, false, *item.content);
    core_.tables.bundles.insert({bundle.id, item.lane, item.ready_unix_ms, 0, bundle.builder.results()});
    ++core_.book.totals.items[item.lane];
    core_.book.totals.running_pushes += bundle.builder.size();
    core_.book.create(std::move(item), Fate::Publish);
}

void Intake::store(const belfry_new_push& row, uint32_t app) {
    const int64_t now = core_.now();
    auto facts = std::make_shared<PushFacts>();
    facts->id = core_.book.next_id();
    facts->app = app;
    facts->app_name = text(row.app);
    facts->uid = text(row.uid);
    facts->weight = std::clamp<uint32_t>(row.weight, 1, kWeightMax);
    facts->created_unix_ms = now;
    facts->send_at_unix_ms = row.send_at_unix_ms;
    facts->expires_unix_ms = row.expires_unix_ms;
    facts->fingerprint = fingerprint_of(row);
    facts->body = core_.book.next_id();
    core_.tables.blobs.insert(facts->body, view(row.body));
    core_.uids.add(app, facts->uid, {facts->id, -1});
    std::vector<int64_t> blobs;
    for (const belfry_str& blob : Rows<belfry_str>(row.blobs)) {
        blobs.push_back(core_.book.next_id());
        core_.tables.blobs.insert(blobs.back(), view(blob));
    }
    Push push;
    push.lane = row.lane;
    push.state = row.send_at_unix_ms > now ? BELFRY_PUSH_DELAYED : BELFRY_PUSH_RUNNING;
    push.body = facts->body;
    push.facts = std::move(facts);
    Totals& totals = core_.book.totals;
    ++(push.state == BELFRY_PUSH_DELAYED ? totals.delayed_pushes : totals.running_pushes);
    store_items(row, core_.book.create(std::move(push)), blobs);
}

void Intake::store_items(const belfry_new_push& row, Push& push, const std::vector<int64_t>& blobs) {
    const Rows<belfry_new_item> rows(row.items);
    for (size_t i = 0; i < rows.size(); ++i) {
        const belfry_new_item wanted = rows.known(i);
        const int64_t blob = has_picks(wanted) ? blobs.at(wanted.blob) : 0;
        movements_.place(push, item_of<Item>(wanted, blob), content_of(wanted), row.send_at_unix_ms);
    }
}

}  // namespace belfry::queue_sqlite
