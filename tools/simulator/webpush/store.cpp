// SPDX-License-Identifier: Apache-2.0
#include "webpush/store.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "fcm/base64url.h"
#include "webpush/decrypt.h"

namespace belfry::simulator::webpush {

namespace {

std::string random_bytes(std::size_t n) {
    std::string bytes(n, '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(n));
    return bytes;
}

}  // namespace

Subscription* Store::add(Flavour flavour, std::string name, std::string application_key) {
    if (all_.size() >= kSubscriptionsMax || by_name_.contains(name)) return nullptr;
    auto made = std::make_unique<Subscription>();
    made->target = target_of(flavour, name, base64url_encode(random_bytes(24)));
    made->name = std::move(name);
    made->flavour = flavour;
    made->key = make_ec_key();
    made->point = point_of_key(made->key.get());
    made->auth = random_bytes(16);
    made->application_key = std::move(application_key);
    all_.push_back(std::move(made));
    Subscription& kept = *all_.back();
    by_name_.emplace(kept.name, &kept);
    by_target_.emplace(kept.target, &kept);
    return &kept;
}

Subscription* Store::by_target(Flavour flavour, std::string_view target) {
    const auto found = by_target_.find(target);
    return found == by_target_.end() || found->second->flavour != flavour ? nullptr : found->second;
}

Subscription* Store::by_name(std::string_view name) {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

void Store::show(Subscription& subscription, Message message) {
    ++subscription.received;
    subscription.shown.push_back(std::move(message));
    if (subscription.shown.size() > kMessagesKept) subscription.shown.pop_front();
}

void Store::deliver(Subscription& to, Message message) {
    if (to.online) {
        show(to, std::move(message));
        return;
    }
    if (message.ttl_s == 0) return;
    if (!message.topic.empty())
        std::erase_if(to.waiting, [&](const Message& older) { return older.topic == message.topic; });
    to.waiting.push_back(std::move(message));
    if (to.waiting.size() > kWaitingMax) to.waiting.pop_front();
}

void Store::come_online(Subscription& subscription, std::int64_t now_ms) {
    subscription.online = true;
    for (Message& message : subscription.waiting) {
        if (now_ms - message.arrived_ms < message.ttl_s * 1000) show(subscription, std::move(message));
    }
    subscription.waiting.clear();
}

bool Store::withdraw(std::string_view message_id) {
    for (const auto& subscription : all_) {
        if (std::erase_if(subscription->waiting, [&](const Message& each) { return each.id == message_id; }) > 0)
            return true;
    }
    return false;
}

void Store::note(Seen seen) {
    ++seen_total_;
    seen_.push_back(std::move(seen));
    if (seen_.size() > kSeenMax) seen_.pop_front();
}

void Store::forget_messages() {
    for (const auto& subscription : all_) {
        subscription->received = 0;
        subscription->shown.clear();
        subscription->waiting.clear();
    }
    seen_.clear();
    seen_total_ = 0;
}

}  // namespace belfry::simulator::webpush
