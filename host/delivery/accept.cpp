// SPDX-License-Identifier: Apache-2.0
#include "delivery/accept.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

#include "audience/user_devices.h"
#include "delivery/ledger.h"
#include "delivery/token_blob.h"

namespace belfry::delivery {

namespace {

constexpr size_t kUsersPerList = 50;  // each such list becomes lists of its users' devices when it is due
constexpr uint32_t kSmallRecipientsMax = 64;
constexpr size_t kSmallBodyMax = 16 * 1024;
constexpr uint32_t kHighRecipientsMax = 1'000;
constexpr int64_t kUsersDeadlineNs = 10 * kNsPerSecond;
constexpr uint32_t kNoBlob = UINT32_MAX;

std::string new_uid() {
    thread_local std::mt19937_64 random{[] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }()};
    const uint64_t a = random();
    const uint64_t b = random();
    char text[37];
    std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%04x%08x", static_cast<unsigned>(a >> 32),
                  static_cast<unsigned>(a >> 16 & 0xffff), static_cast<unsigned>(a & 0xfff),
                  static_cast<unsigned>((b >> 48 & 0x3fff) | 0x8000), static_cast<unsigned>(b >> 32 & 0xffff),
                  static_cast<unsigned>(b & 0xffffffff));
    return text;
}

Audience audience_of(NativeTarget::Kind kind) {
    switch (kind) {
        case NativeTarget::Kind::Topic:
            return Audience::Topic;
        case NativeTarget::Kind::Condition:
            return Audience::Condition;
        case NativeTarget::Kind::Channel:
            return Audience::Channel;
    }
    return Audience::Topic;
}

NewPush::Item list_item(uint32_t gate, uint32_t blob) {
    NewPush::Item item;
    item.row = sized<belfry_new_item>();
    item.row.kind = BELFRY_WORK_LIST;
    item.row.gate = gate;
    item.row.blob = blob;
    return item;
}

void add_lists(NewPush& push, uint32_t gate, const std::vector<int64_t>& entries, size_t most) {
    for (size_t from = 0; from < entries.size(); from += most) {
        const auto first = entries.begin() + static_cast<std::ptrdiff_t>(from);
        const size_t n = std::min(most, entries.size() - from);
        push.items.emplace_back(list_item(gate, kNoBlob)).keys.assign(first, first + static_cast<std::ptrdiff_t>(n));
    }
}

}  // namespace

Error not_an_instance(const std::string& name, std::string where) {
    return error(ErrorCode::InvalidArgument, "there is no provider \"" + name + "\"", std::move(where));
}

Error tokens_need(const std::string& name) {
    return error(ErrorCode::Unavailable, "provider \"" + name +
                                             "\" is not running, so its tokens cannot be checked; try again later, and "
                                             "see /health for what an operator must mend");
}

Acceptor::Acceptor(plugins::Storage& storage, plugins::Queue& queue, Gates& gates, Batcher& batcher, const Clock& clock,
                   Metrics& metrics)
    : storage_(storage),
      queue_(queue),
      gates_(gates),
      batcher_(batcher),
      clock_(clock),
      accepted_(metrics.counter("pushes_accepted_total", "Pushes stored durably")),
      duplicates_(metrics.counter("pushes_duplicate_total", "Requests answered from an earlier push of the same uid")) {
}

void Acceptor::accept(const PushRequest& request, Delivery::AcceptDone done) {
    Draft draft{request, {}, {}, 0};
    draft.push.row = sized<belfry_new_push>();
    if (const Status planned = plan(draft); !planned) return done(planned.error());
    batcher_.store(std::move(draft.push),
                   [this, done = std::move(done)](NewPush&& push, Result<belfry_enqueued>&& stored) {
                       done(verdict(std::move(push.uid), stored));
                   });
}

Result<Accepted> Acceptor::verdict(std::string&& uid, const Result<belfry_enqueued>& stored) {
    if (!stored) return stored.error();
    switch (BELFRY_CODE_CLASS(stored->code)) {
        case BELFRY_OK:
            accepted_.add();
            return Accepted{std::move(uid), false};
        case BELFRY_DUPLICATE:
            duplicates_.add();
            return Accepted{std::move(uid), true};
        case BELFRY_CONFLICT:
            return error(ErrorCode::Conflict, "the uid was used by another request; choose a new one", "uid");
        case BELFRY_BUSY:
            return error(ErrorCode::Busy, "too much is queued already; try again later");
        case BELFRY_BAD_REQUEST:
            return error(ErrorCode::InvalidArgument,
                         "the queue cannot store this uid or recipient; uids have 1 to 64 bytes, no NUL", "uid");
        case BELFRY_TOO_LARGE:
            return error(ErrorCode::TooLarge, "the push is too large for the queue");
        case BELFRY_STORE_FULL:
            return error(ErrorCode::StoreFull, "the queue's disk or quota is full; nothing was stored");
        default:
            return error(ErrorCode::Internal,
                         "the queue did not say whether it stored the push; send it again with a uid");
    }
}

Status Acceptor::plan(Draft& draft) {
    if (Status planned = plan_audience(draft); !planned) return planned;
    return pass_fields(draft);
}

Status Acceptor::check_payloads(const PushRequest& request, int32_t kind, std::string_view target) const {
    for (const auto& [name, payload] : request.payloads) {
        Gate* gate = gates_.by_name(name);
        if (gate == nullptr) return not_an_instance(name, "notification." + name);
        const std::shared_ptr<Generation> generation = gate->generation();
        if (generation == nullptr && request.dry_run != DryRun::No)
            return error(ErrorCode::Unavailable, "provider \"" + name + "\" is not started: it cannot check a payload");
        if (generation == nullptr) continue;  // judged when it runs; until then the push waits
        belfry_content content = sized<belfry_content>();
        content.flags = BELFRY_CONTENT_CHECK_ONLY;
        if (request.dry_run == DryRun::Provider) content.flags |= BELFRY_CONTENT_DRY_RUN;
        content.kind = kind;
        content.payload = str(std::string_view(payload));
        content.target = str(target);
        content.expires_unix_ms = request.expires_unix_ms;
        const Result<plugins::Prepared> checked = generation->provider->prepare(content, [](const belfry_plan&) {});
        if (checked) continue;
        Error why = checked.error();
        if (why.where == "target") {
            why.where = "recipient";
            return why;
        }
        why.where = why.where.empty() ? "notification." + name : "notification." + name + "." + why.where;
        return why;
    }
    return {};
}

Status Acceptor::plan_audience(Draft& draft) {
    const PushRequest& request = draft.request;
    int32_t kind = BELFRY_CONTENT_TOKENS;
    std::string_view target;
    if (request.recipient.native) {
        kind = content_kind(audience_of(request.recipient.native->kind));
        target = request.recipient.native->value;
    }
    if (request.payloads.empty()) return error(ErrorCode::InvalidArgument, "no provider has a payload", "notification");
    if (const Status checked = check_payloads(request, kind, target); !checked) return checked;
    for (const auto& payload : request.payloads) draft.body.payloads.push_back(payload);
    draft.body.dry_run = request.dry_run;
    if (request.recipient.tokens) return plan_tokens(draft, *request.recipient.tokens);
    if (request.recipient.native) return plan_native(draft, *request.recipient.native);
    if (request.recipient.filter) return plan_filter(draft, *request.recipient.filter);
    return error(ErrorCode::InvalidArgument, "exactly one recipient is needed", "recipient");
}

// The gate that everything of this push goes through; 0 if there are several.
uint32_t Acceptor::only_gate(const PushRequest& request) const {
    if (request.payloads.size() != 1) return 0;
    const Gate* gate = gates_.by_name(request.payloads.begin()->first);
    return gate == nullptr ? 0 : gate->number();
}

Status Acceptor::plan_filter(Draft& draft, const Filter& filter) {
    draft.body.users = filter.users;
    draft.body.topics = filter.topics;
    draft.body.providers = filter.providers;
    draft.body.platforms = filter.platforms;
    const uint32_t gate = only_gate(draft.request);
    if (filter.device_keys.empty() && filter.users.empty()) {
        const bool restricted = !filter.topics.empty() || !filter.providers.empty() || !filter.platforms.empty();
        if (!restricted && !filter.all)
            return error(ErrorCode::InvalidArgument, "an empty filter needs all: true", "recipient.filter");
        draft.body.audience = filter.topics.empty() ? Audience::All : Audience::Topics;
        draft.body.lane_by_shape = draft.request.lane == Lane::ByShape;
        NewPush::Item& slice = draft.push.items.emplace_back();
        slice.row = sized<belfry_new_item>();
        slice.row.kind = BELFRY_WORK_SLICE;
        slice.row.gate = gate;
        slice.row.blob = kNoBlob;
        slice.row.after = -1;
        slice.row.hi = BELFRY_KEY_END;
        return {};
    }
    draft.body.audience = Audience::Keys;
    // Both given: the users restrict the named devices, row by row; only then are the keys the narrower list.
    if (!filter.device_keys.empty()) return plan_keys(draft, std::vector<int64_t>(filter.device_keys), gate);
    return plan_users(draft, gate);
}

Status Acceptor::plan_keys(Draft& draft, std::vector<int64_t>&& keys, uint32_t gate) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    draft.recipients = static_cast<uint32_t>(keys.size());
    add_lists(draft.push, gate, keys, kListEntriesMax);
    return {};
}

// A push for later is planned when it is due, from the devices that its users have then. Here they are only counted:
// more than a push may reach are refused while there is somebody to tell.
Status Acceptor::plan_users(Draft& draft, uint32_t gate) {
    std::vector<std::string>& users = draft.body.users;
    std::sort(users.begin(), users.end());
    users.erase(std::unique(users.begin(), users.end()), users.end());
    Result<std::vector<int64_t>> keys = keys_of_users(draft.request.app, users);
    if (!keys) return keys.error();
    if (draft.request.send_at_unix_ms == 0) return plan_keys(draft, std::move(*keys), gate);
    draft.recipients = static_cast<uint32_t>(keys->size());
    draft.body.users_when_due = true;
    std::vector<int64_t> places(users.size());
    for (size_t i = 0; i < places.size(); ++i) places[i] = place_of_user(i);
    add_lists(draft.push, gate, places, kUsersPerList);
    return {};
}

Result<std::vector<int64_t>> Acceptor::keys_of_users(const std::string& app, const std::vector<std::string>& users) {
    std::vector<int64_t> keys;
    const Status done = audience::devices_of_users(storage_, clock_, app, users, 0, clock_.mono_ns() + kUsersDeadlineNs,
                                                   [&](const belfry_device& row) { keys.push_back(row.key); });
    if (done) return keys;
    Error why = done.error();
    if (why.code == ErrorCode::InvalidArgument) why.where = "recipient.filter.users";
    return why;
}

Status Acceptor::plan_tokens(Draft& draft, const RawTokens& tokens) {
    Gate* gate = gates_.by_name(tokens.provider);
    if (gate == nullptr) return not_an_instance(tokens.provider, "recipient.tokens.provider");
    if (draft.request.payloads.count(tokens.provider) == 0) {
        return error(ErrorCode::InvalidArgument, "no payload for the tokens' provider",
                     "notification." + tokens.provider);
    }
    const std::shared_ptr<Generation> generation = gate->generation();
    if (generation == nullptr) return tokens_need(tokens.provider);
    draft.body.audience = Audience::Tokens;
    draft.body.provider = tokens.provider;
    draft.recipients = static_cast<uint32_t>(tokens.tokens.size());
    TokenBlobWriter blob;
    NewPush::Item list = list_item(gate->number(), 0);
    Error first_refusal;
    bool any_good = false;
    const auto flush = [&] {
        if (blob.entries() == 0) return;
        list.row.blob = static_cast<uint32_t>(draft.push.blobs.size());
        draft.push.blobs.push_back(blob.take());
        draft.push.items.push_back(std::exchange(list, list_item(gate->number(), 0)));
    };
    for (size_t i = 0; i < tokens.tokens.size(); ++i) {
        belfry_token row = sized<belfry_token>();
        row.token = str(std::string_view(tokens.tokens[i]));
        const Result<plugins::CheckedToken> checked = generation->provider->validate(row);
        list.picks.push_back(blob.entries());
        if (checked) {
            any_good = true;
            blob.add({checked->token, checked->identity, checked->data, checked->variant, false});
        } else if (checked.error().code != ErrorCode::InvalidArgument) {
            return checked.error();
        } else {
            if (first_refusal.message.empty()) {
                first_refusal = checked.error();
                first_refusal.where = "recipient.tokens.tokens[" + std::to_string(i) + "]";
            }
            // One bad token among many must not keep the others from their push: it ends as refused.
            blob.add({tokens.tokens[i], tokens.tokens[i], checked.error().message, 0, true});
        }
        if (blob.entries() == kBlobEntriesMax) flush();
    }
    flush();
    if (tokens.tokens.empty()) return error(ErrorCode::InvalidArgument, "no tokens", "recipient.tokens");
    if (!any_good) return first_refusal;
    return {};
}

Status Acceptor::plan_native(Draft& draft, const NativeTarget& target) {
    Gate* gate = gates_.by_name(target.provider);
    if (gate == nullptr) return not_an_instance(target.provider, "recipient");
    if (draft.request.payloads.count(target.provider) == 0) {
        return error(ErrorCode::InvalidArgument, "no payload for the recipient's provider",
                     "notification." + target.provider);
    }
    draft.body.audience = audience_of(target.kind);
    draft.body.provider = target.provider;
    TokenBlobWriter blob;
    blob.add({target.value, target.value, {}, 0, false});
    draft.push.blobs.push_back(blob.take());
    draft.push.items.push_back(list_item(gate->number(), 0));
    draft.push.items.back().picks.push_back(0);
    return {};
}

Status Acceptor::pass_fields(Draft& draft) {
    const PushRequest& request = draft.request;
    NewPush& push = draft.push;
    if (push.items.empty())
        push.items.push_back(list_item(0, kNoBlob));  // users without devices: done at once, but known by uid
    push.app = request.app;
    push.uid = request.uid.empty() ? new_uid() : request.uid;
    draft.body.send_at_unix_ms = request.send_at_unix_ms;
    push.body = encode_body(draft.body);
    std::copy(request.fingerprint.begin(), request.fingerprint.end(), push.row.fingerprint);
    const bool named = draft.body.audience == Audience::Keys || draft.body.audience == Audience::Tokens;
    const Lane by_shape = named && draft.recipients <= kHighRecipientsMax ? Lane::High : Lane::Normal;
    push.row.lane = static_cast<int32_t>(request.lane == Lane::ByShape ? by_shape : request.lane);
    push.row.weight = 1;
    push.row.send_at_unix_ms = request.send_at_unix_ms;
    push.row.expires_unix_ms = request.expires_unix_ms;
    const bool small = named && draft.recipients > 0 && draft.recipients <= kSmallRecipientsMax &&
                       push.body.size() <= kSmallBodyMax && push.items.size() == 1 && request.send_at_unix_ms == 0 &&
                       push.row.lane == BELFRY_LANE_HIGH;
    if (small) push.row.flags = BELFRY_NEW_PUSH_SMALL;
    const uint32_t most = queue_.item_bytes_max();
    if (most > 0 && push.bytes() > most) {
        return error(ErrorCode::TooLarge,
                     "body and tokens are larger than the queue's " + std::to_string(most) + " bytes; split the push");
    }
    return {};
}

}  // namespace belfry::delivery
