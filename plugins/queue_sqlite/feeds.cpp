// SPDX-License-Identifier: Apache-2.0
#include "feeds.h"

#include <utility>

namespace belfry::queue_sqlite {

namespace {

// Room for this many changes per opening of the file.
constexpr int kNumberBits = 40;

}  // namespace

void Changes::start(int64_t opened) {
    latest_ = opened << kNumberBits;
}

void Changes::add(int64_t push, int32_t state, const std::string& app, const std::string& uid) {
    pending_.push_back({0, push, state, app, uid});
}

void Changes::commit() {
    if (pending_.empty()) return;
    const std::lock_guard lock(mutex_);
    for (Change& change : pending_) {
        change.number = ++latest_;
        kept_.push_back(std::move(change));
        if (kept_.size() > kKeptMax) kept_.pop_front();
    }
    pending_.clear();
}

int64_t Changes::latest() const {
    const std::lock_guard lock(mutex_);
    return latest_;
}

std::vector<Change> Changes::since(int64_t number) const {
    const std::lock_guard lock(mutex_);
    auto first = kept_.end();
    while (first != kept_.begin() && std::prev(first)->number > number) --first;
    return {first, kept_.end()};
}

const Reply* Replies::find(const Key& key) const {
    const auto found = kept_.find(key);
    return found == kept_.end() ? nullptr : &found->second;
}

void Replies::add(const Key& key, Reply reply) {
    kept_[key] = std::move(reply);
    order_.push_back(key);
    ++pending_;
}

void Replies::commit() {
    pending_ = 0;
    while (order_.size() > kKeptMax) {
        kept_.erase(order_.front());
        order_.pop_front();
    }
}

void Replies::rollback() {
    for (; pending_ > 0; --pending_) {
        kept_.erase(order_.back());
        order_.pop_back();
    }
}

}  // namespace belfry::queue_sqlite
