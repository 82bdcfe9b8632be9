// SPDX-License-Identifier: Apache-2.0
// What answers of a page mean for more than their deliveries: for an origin, a platform, the instance or the push.
#include <belfry/abi.hpp>

#include <algorithm>

#include "delivery/page.h"

namespace belfry::delivery {

// The action for a verdict, after those whom it concerns as a whole were asked about it: what one of them contradicts
// by what it accepted just before is the delivery's own.
Action Page::beyond_delivery(const Group& group, const Entry& entry, const http::Exchange& exchange,
                             const belfry_verdict& verdict, const AttemptState& state, std::string_view reason) {
    const policy::AttemptPolicy& attempts = world_.options.attempts;
    Action action = action_for(verdict, state, attempts);
    if (action.throttle == Scope::Origin || action.refused == Scope::Origin) {
        belfry_verdict paused = verdict;
        const Origins::Permit pause = pause_origin(group, exchange, action, reason);
        paused.retry_after_ms = pause.wait_ms;
        action = pause.wait_ms == 0    ? action_without_answer(http::Transport::Unknown, state, attempts)
                 : pause.costs_attempt ? while_origin_waits(state, pause)
                                       : action_for(paused, state, attempts);
        action.behind_origin = pause.refused && !pause.costs_attempt;
    } else if (action.refused == Scope::Instance && !closes_instance(group, exchange, reason)) {
        const bool reauthorize = action.reauthorize;
        action = action_without_answer(http::Transport::Unknown, state, attempts);
        action.reauthorize = reauthorize;
    } else if (action.refused == Scope::Platform) {
        const Platforms::Refusal said = group.gate->platforms().refused(entry.platform, reason, action.pause_ms);
        belfry_verdict again = verdict;
        again.outcome = BELFRY_RETRY;
        again.retry_after_ms = action.pause_ms;
        if (said.costs_attempt) action = action_for(again, state, attempts);
        if (said.own) action = action_without_answer(http::Transport::Unknown, state, attempts);
    }
    return action;
}

// True for the first acceptance in a page of each of a few platforms, and of any other each time.
bool Page::hears_first_of(Group& group, uint32_t platform) {
    const auto known = std::span(group.platforms).first(group.platforms_n);
    if (std::find(known.begin(), known.end(), platform) != known.end()) return false;
    if (group.platforms_n < group.platforms.size()) group.platforms[group.platforms_n++] = platform;
    return true;
}

// Items of one answer are one refusal.
bool Page::closes_instance(const Group& group, const http::Exchange& exchange, std::string_view reason) {
    if (refused_by_ == &exchange) return refused_closes_;
    refused_by_ = &exchange;
    refused_closes_ = group.gate->note_refused(group.prepared->generation(), reason);
    return refused_closes_;
}

// A failure that says nothing of the delivery: of the origin if it has one of its own, else of the instance.
void Page::note_failure(const Entry& entry, const http::Exchange& exchange, std::string_view reason) {
    OriginTally* const origin = tally_of(entry, exchange);
    if (origin == nullptr) {
        ++groups_[entry.group].failed;
    } else if (++origin->failed == 1) {
        origin->failure = reason;
    }
}

Page::OriginTally* Page::tally_of(const Entry& entry, const http::Exchange& exchange) {
    if (exchange.encoded == nullptr || exchange.endpoint < 0) return nullptr;
    const std::string_view url = static_cast<const OutboxRequest*>(exchange.encoded)->origin;
    if (url.empty()) return nullptr;
    for (OriginTally& tally : origins_) {
        const bool same = tally.endpoint == exchange.endpoint && tally.key.variant == entry.variant;
        if (same && tally.group == entry.group) return &tally;
    }
    OriginTally& tally = origins_.emplace_back();
    tally.group = entry.group;
    tally.key = {origin_id(url, exchange.endpoint), entry.variant};
    tally.endpoint = exchange.endpoint;
    tally.url = url;
    return &tally;
}

// How long the origin of this request is left alone from now on.
Origins::Permit Page::pause_origin(const Group& group, const http::Exchange& exchange, const Action& action,
                                   std::string_view reason) {
    const auto* const request = static_cast<const OutboxRequest*>(exchange.encoded);
    const std::string_view url = request == nullptr ? std::string_view() : request->origin;
    if (exchange.endpoint < 0) return {action.pause_ms};  // never sent: there is no origin
    Origins& origins = group.gate->origins();
    const OriginId id = origin_id(url, exchange.endpoint);
    if (action.throttle == Scope::Origin) return {origins.throttled(id, url, action.pause_ms, reason)};
    Origins::Permit pause = origins.refused(id, url, reason);
    pause.refused = pause.refused && !url.empty();  // nobody asks about one that no request names
    return pause;
}

// As long as it was seen to work, deliveries wait as for a provider; else they cost attempts, so that they end some
// day.
Action Page::while_origin_waits(const AttemptState& state, const Origins::Permit& permit) const {
    belfry_verdict wait = sized<belfry_verdict>();
    wait.scope = BELFRY_SCOPE_ITEM;
    wait.outcome = permit.costs_attempt ? BELFRY_RETRY : BELFRY_THROTTLED;
    // Else the whole slice would go back.
    wait.retry_after_ms =
        permit.costs_attempt ? permit.retry_after_ms : std::max(permit.wait_ms, kReturnedSoonMs + 1'000);
    Action action = action_for(wait, state, world_.options.attempts);
    action.behind_origin = permit.refused && !permit.costs_attempt;
    return action;
}

// The request is written, but its origin is to be left alone.
void Page::wait_for_origin(Block& block, uint32_t at, const Origins::Permit& permit) {
    http::Exchange none;
    none.transport = http::Transport::NeverSent;
    const Entry& entry = block.entries[at];
    Action action = while_origin_waits(attempt_state(groups_[entry.group], entry, none), permit);
    action.sample = permit.costs_attempt;
    perform(block, at, none, action, "the push service of this subscription is away or refuses us");
}

bool Page::fails_everybody(const Group& group, const http::Exchange& exchange) const {
    if (group.gate->fails_everybody()) return true;
    const auto* const request = static_cast<const OutboxRequest*>(exchange.encoded);
    if (request == nullptr || exchange.endpoint < 0 || request->origin.empty()) return false;
    return group.gate->origins().fails_everybody(origin_id(request->origin, exchange.endpoint));
}

// What the answer means for more than its delivery.
void Page::widen(Group& group, const Entry& entry, const http::Exchange& exchange, const Action& action,
                 std::string_view reason) {
    if (action.reauthorize) {
        const int32_t slot = group.prepared->plan(entry.variant).credential;
        Authorizer* authorizer = group.prepared->generation().authorizer.get();
        if (slot >= 0 && authorizer != nullptr) {
            authorizer->reject(static_cast<uint32_t>(slot), exchange.credential_generation, reason);
        }
    }
    const int64_t until = world_.clock.unix_ms() + action.pause_ms;
    if (action.throttle == Scope::Instance) group.gate->note_throttled(action.pause_ms);
    if (action.throttle == Scope::Platform) group.gate->platforms().pause(entry.platform, until);
    if (action.stop == Scope::Push && !group.prepared->refused()) {
        group.prepared->refuse(reason);
        for (Block* block : blocks_) {
            if (block->portion && item_.row.kind != BELFRY_WORK_BUNDLE && groups_[block->group].gate == group.gate) {
                recall(*block);
            }
        }
    }
}

}  // namespace belfry::delivery
