// SPDX-License-Identifier: Apache-2.0
#include "redis/route.h"

namespace belfry::redis {

namespace {

constexpr std::chrono::seconds kAskEvery{1};
constexpr std::chrono::seconds kAskWithin{2};

}  // namespace

// With the mutex held.
void Route::ask(Deadline deadline) {
    Sentinels::Master master = sentinels_->ask(deadline);
    in_doubt_ = false;
    if (master_ && master_->host == master.host && master_->port == master.port) return;
    master_ = std::move(master);
    ++turn_;
}

Route::Way Route::find(Deadline deadline) {
    if (!sentinels_) return {address_, 0};
    const std::lock_guard lock(mutex_);
    if (in_doubt_) ask(deadline);
    Way way{address_, turn_};
    way.address.host = master_->host;
    way.address.port = master_->port;
    return way;
}

void Route::doubt(uint64_t turn) {
    const std::lock_guard lock(mutex_);
    in_doubt_ = in_doubt_ || turn == turn_;
}

std::string Route::look() {
    if (!sentinels_) return {};
    const std::lock_guard lock(mutex_);
    const Deadline now = Clock::now();
    if (now < look_at_) return trouble_;
    look_at_ = now + kAskEvery;
    try {
        ask(now + kAskWithin);
        trouble_.clear();
    } catch (const Failure& failure) {
        trouble_ = failure.what();
    }
    return trouble_;
}

}  // namespace belfry::redis
