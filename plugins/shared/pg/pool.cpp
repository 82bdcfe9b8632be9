// SPDX-License-Identifier: Apache-2.0
#include "pg/pool.h"

#include <algorithm>
#include <random>
#include <thread>

namespace belfry::pg {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackOff{50};
constexpr milliseconds kLongestBackOff{1000};
// Races are between batches that name the same devices; each round lets one of them through.
constexpr int kRaceTries = 20;
constexpr int kConnectionTries = 3;

// Between a half and the whole, so that nodes do not come back all at once.
milliseconds jittered(milliseconds most) {
    thread_local std::minstd_rand random(std::random_device{}());
    return most / 2 + milliseconds(random() % static_cast<uint64_t>(most.count() / 2 + 1));
}

}  // namespace

std::unique_ptr<Connection> Pool::take(Deadline deadline) {
    std::unique_lock hold(mutex_);
    if (!freed_.wait_until(hold, deadline, [&] { return lent_ < most_; })) {
        throw Refused(
            BELFRY_BUSY, {},
            "all " + std::to_string(most_) + " connections to PostgreSQL are in use; raise the number of connections");
    }
    ++lent_;
    if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
    }
    if (Clock::now() < not_before_) {
        --lent_;
        throw Refused(BELFRY_RETRY_LATER, {}, last_trouble_, static_cast<uint32_t>(back_off_.count()));
    }
    hold.unlock();
    return connect();
}

// Counted as lent already.
std::unique_ptr<Connection> Pool::connect() {
    try {
        auto connection = std::make_unique<Connection>(address_);
        const std::lock_guard hold(mutex_);
        back_off_ = milliseconds(0);
        not_before_ = {};
        return connection;
    } catch (const Refused& refused) {
        {
            const std::lock_guard hold(mutex_);
            --lent_;
            last_trouble_ = refused.what();
            back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
            not_before_ = Clock::now() + jittered(back_off_);
        }
        freed_.notify_one();
        throw;
    }
}

void Pool::give_back(std::unique_ptr<Connection> connection) noexcept {
    {
        const std::lock_guard hold(mutex_);
        --lent_;
        if (!connection->is_broken()) idle_.push_back(std::move(connection));
    }
    freed_.notify_one();
}

bool Pool::may_try_again(const Failure& failure, int tries, Deadline deadline) {
    if (Clock::now() >= deadline) return false;
    if (failure.lost_race() && tries < kRaceTries) {
        std::this_thread::sleep_for(jittered(milliseconds(std::min(tries, 10))));
        return true;
    }
    if (!failure.lost_server() || tries >= kConnectionTries) return false;
    const std::lock_guard hold(mutex_);
    idle_.clear();
    return true;
}

}  // namespace belfry::pg
