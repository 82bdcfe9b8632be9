// SPDX-License-Identifier: Apache-2.0
// What a page's item means before its rows are read: its pushes (sections), and each push at each gate (groups).
#include <algorithm>

#include "delivery/page.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kNotPreparedMs = 5'000;  // a provider that cannot prepare now is asked again after this
constexpr int64_t kNoGateMs = 60'000;      // a provider whose number cannot be had now

int32_t stopped_outcome(int32_t state) noexcept {
    return state == BELFRY_PUSH_EXPIRED ? BELFRY_FINAL_EXPIRED : BELFRY_FINAL_CANCELLED;
}

}  // namespace

// ---- sections: the pushes of the item ----

bool Page::open_sections() {
    if (item_.row.kind != BELFRY_WORK_BUNDLE) {
        Section& section = sections_.emplace_back();
        section.app = &item_.app;
        section.uid = &item_.uid;
        section.expires_unix_ms = item_.row.expires_unix_ms;
        section.attempt = std::max(1u, item_.row.attempt);
        section.initial = item_.initial();
        if (item_.stopped()) section.stopped = stopped_outcome(item_.row.state);
        return open_section(section);
    }
    for (const WorkMember& member : item_.members) {
        Section& section = sections_.emplace_back();
        section.member = member.index;
        section.app = &member.app;
        section.uid = &member.uid;
        section.expires_unix_ms = member.expires_unix_ms;
        section.attempt = std::max(1u, member.attempt);
        if ((member.flags & BELFRY_MEMBER_STOPPED) != 0) section.stopped = BELFRY_FINAL_CANCELLED;
        Result<std::shared_ptr<const StoredPush>> push = open_push(member.body);
        if (push) section.push = std::move(*push);
        open_section(section);
    }
    return true;
}

// False: the item cannot be read now.
bool Page::open_section(Section& section) {
    section.seed = audience::hash_of({*section.app, *section.uid});
    const int64_t expires = section.expires_unix_ms;
    if (expires != 0 && world_.clock.unix_ms() >= expires) section.stopped = BELFRY_FINAL_EXPIRED;
    const bool bundle = item_.row.kind == BELFRY_WORK_BUNDLE;
    if (const int32_t state = section.stopped == 0 ? world_.stopped.state(section.seed) : 0; state != 0) {
        // A paused item goes back and is parked by the queue; a member of a bundle is too small to be taken out.
        if (state == BELFRY_PUSH_PAUSED && !bundle) return false;
        if (state != BELFRY_PUSH_PAUSED) section.stopped = stopped_outcome(state);
    }
    if (section.stopped != 0) return true;
    if (!bundle) {
        Result<std::shared_ptr<const StoredPush>> push = world_.stored.body(stored_blob(item_.row.body));
        if (push) section.push = std::move(*push);
        if (!push && push.error().code != ErrorCode::Corrupt && push.error().code != ErrorCode::NotFound) {
            world_.host.storage_trouble(push.error());
            return false;
        }
        if (!push) drop_section(section, push.error());
    } else if (section.push == nullptr) {
        drop_section(section, error(ErrorCode::Corrupt, "the body of a bundled push is damaged"));
    }
    if (section.push != nullptr) section.started_unix_ms = started(*section.push);
    return true;
}

// A bundle has no time of its own: it is claimed as soon as it is there.
int64_t Page::started(const StoredPush& push) const noexcept {
    const int64_t created = item_.row.created_unix_ms != 0 ? item_.row.created_unix_ms : item_.row.ready_unix_ms;
    return std::max(created, push.body.send_at_unix_ms);
}

// A push whose body cannot be understood ends as internal, entry by entry; retrying would never help.
void Page::drop_section(Section& section, const Error& why) {
    world_.log.error("push cannot be read from the queue", {{"uid", *section.uid}, {"reason", why.to_string()}});
    section.stopped = BELFRY_FINAL_INTERNAL;
}

// ---- groups: a push at one gate ----

uint16_t Page::group_for(uint16_t section, std::string_view provider) {
    if (last_group_ < groups_.size() && groups_[last_group_].section == section &&
        groups_[last_group_].provider == provider) {
        return last_group_;
    }
    for (size_t i = 0; i < groups_.size(); ++i) {
        if (groups_[i].section == section && groups_[i].provider == provider)
            return last_group_ = static_cast<uint16_t>(i);
    }
    Group& group = groups_.emplace_back();
    group.section = section;
    group.provider = provider;
    ledgers_[0].add_group();
    open_group(group);
    return last_group_ = static_cast<uint16_t>(groups_.size() - 1);
}

void Page::open_group(Group& group) {
    const Section& section = sections_[group.section];
    group.gate = group.provider.empty() ? nullptr : world_.gates.by_name(group.provider);
    group.gate_number = group.gate != nullptr ? group.gate->number() : item_.row.gate;
    if (section.stopped != 0) {
        group.outcome = section.stopped;
        return;
    }
    const std::string* payload = section.push->body.payload_of(group.provider);
    if (payload == nullptr) {
        group.outcome = BELFRY_FINAL_SKIPPED_NO_PAYLOAD;
        return;
    }
    if (group.gate == nullptr) {
        // Its instance left the configuration: the deliveries wait behind its number.
        group.gate_number = world_.gates.number_of(group.provider);
        group.way = Way::Defer;
        group.defer_ms = group.gate_number == 0 ? kNoGateMs : 0;
        return;
    }
    if (section.push->body.dry_run == DryRun::Host) {
        group.outcome = BELFRY_FINAL_ACCEPTED;
        return;
    }
    prepare(group, *payload);
}

void Page::prepare(Group& group, const std::string& payload) {
    const Section& section = sections_[group.section];
    const PushBody& body = section.push->body;
    group.way = Way::Defer;
    const std::shared_ptr<Generation> generation = group.gate->generation();
    if (generation == nullptr || group.gate->closed()) return;
    PreparedPush::Content content;
    content.push_id = section.seed;
    content.kind = content_kind(body.audience);
    Result<BlobEntry> target = error(ErrorCode::NotFound, "");
    if (content.kind != BELFRY_CONTENT_TOKENS) {
        target = section.blob.at(0);
        if (target) content.target = target->token;
    }
    content.dry_run = body.dry_run == DryRun::Provider;
    content.expires_unix_ms = section.expires_unix_ms;
    Result<std::shared_ptr<PreparedPush>> prepared =
        world_.prepared.get(section.push, payload, *group.gate, generation, content);
    if (!prepared) {
        const ErrorCode code = prepared.error().code;
        const bool refused = code == ErrorCode::InvalidArgument || code == ErrorCode::TooLarge;
        const bool passes =
            code == ErrorCode::Unavailable || code == ErrorCode::Busy || code == ErrorCode::DeadlineExceeded;
        group.reason = prepared.error().to_string();
        group.defer_ms = kNotPreparedMs;
        if (passes) return;
        group.way = Way::Final;
        group.outcome = refused                          ? BELFRY_FINAL_REFUSED
                        : code == ErrorCode::Unsupported ? BELFRY_FINAL_UNSUPPORTED
                                                         : BELFRY_FINAL_INTERNAL;
        return;
    }
    if ((*prepared)->refused()) {
        group.way = Way::Final;
        group.outcome = BELFRY_FINAL_REFUSED;
        group.reason = (*prepared)->refusal();
        return;
    }
    // Its plan may have named a credential for the first time.
    if (group.gate->closed()) return;
    group.prepared = std::move(*prepared);
    group.way = Way::Send;
}

}  // namespace belfry::delivery
