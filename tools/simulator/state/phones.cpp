// SPDX-License-Identifier: Apache-2.0
#include "state/phones.h"

#include <utility>

namespace belfry::simulator {

void Phones::deliver(std::string_view token, Delivered message) {
    const auto found = by_token_.find(token);
    Phone* phone = found == by_token_.end() ? nullptr : found->second;
    const std::size_t size = message.body->size();
    if (phone == nullptr) {
        if (phones_.size() >= phones_max_ || body_bytes_ + size > kBodyBytesMax) {
            ++not_kept_;
            return;
        }
        phones_.push_back(std::make_unique<Phone>());
        phone = phones_.back().get();
        phone->token = std::string(token);
        by_token_.emplace(phone->token, phone);
    }
    ++phone->received;
    body_bytes_ += size;
    phone->last.push_back(std::move(message));
    const bool over_budget = body_bytes_ > kBodyBytesMax && phone->last.size() > 1;
    if (phone->last.size() > kMessagesPerPhone || over_budget) {
        body_bytes_ -= phone->last.front().body->size();
        phone->last.pop_front();
    }
}

const Phones::Phone* Phones::find(std::string_view token) const {
    const auto found = by_token_.find(token);
    return found == by_token_.end() ? nullptr : found->second;
}

void Phones::clear() {
    by_token_.clear();
    phones_.clear();
    body_bytes_ = 0;
    not_kept_ = 0;
}

}  // namespace belfry::simulator
