// SPDX-License-Identifier: Apache-2.0
#include "redis/pool.h"

#include <algorithm>
#include <random>
#include <thread>

namespace belfry::redis {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackOff{50};
constexpr milliseconds kLongestBackOff{1000};
constexpr std::chrono::seconds kConnectWithin{3};
// Each round lets one of those that meet through.
constexpr int kRaceTries = 50;
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
        throw Refused(BELFRY_BUSY, {},
                      "all " + std::to_string(most_) + " connections to Redis are in use; raise `connections`");
    }
    // Those to a server that is not the master any more.
    std::erase_if(idle_, [turn = route_->turn()](const auto& connection) { return connection->turn() != turn; });
    if (!idle_.empty()) {
        ++lent_;
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
    }
    if (Clock::now() < not_before_)
        throw Refused(BELFRY_RETRY_LATER, {}, last_trouble_, static_cast<uint32_t>(back_off_.count()));
    ++lent_;
    hold.unlock();
    return connect(deadline);
}

// Counted as lent already.
std::unique_ptr<Connection> Pool::connect(Deadline deadline) {
    const Deadline until = std::min(deadline, Clock::now() + kConnectWithin);
    uint64_t turn = 0;
    try {
        const Route::Way way = route_->find(until);
        turn = way.turn;
        auto connection = std::make_unique<Connection>(way.address, until);
        connection->follow(route_, turn);
        if (check_) check_(*connection, way.address, until);
        ++opened_;
        const std::lock_guard hold(mutex_);
        back_off_ = milliseconds(0);
        not_before_ = {};
        return connection;
    } catch (const Refused& refused) {
        route_->doubt(turn);
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

bool Pool::may_try_again(const Failure& failure, Connection& connection, int tries, Deadline deadline) {
    if (failure.kind() == Failure::Kind::LostServer) route_->doubt(connection.turn());
    if (Clock::now() >= deadline) return false;
    switch (failure.kind()) {
        case Failure::Kind::LostRace:
            if (tries >= kRaceTries) return false;
            if (tries > 2) std::this_thread::sleep_for(jittered(milliseconds(std::min(tries, 10))));
            return true;
        case Failure::Kind::NoScript:
            if (tries >= kConnectionTries) return false;
            for (const Script& script : scripts_) connection.send({"SCRIPT", "LOAD", script.text()});
            connection.trip(deadline);
            return true;
        case Failure::Kind::LostServer: {
            if (tries >= kConnectionTries) return false;
            const std::lock_guard hold(mutex_);
            idle_.clear();
            return true;
        }
        case Failure::Kind::Refused:
            break;
    }
    return false;
}

}  // namespace belfry::redis
