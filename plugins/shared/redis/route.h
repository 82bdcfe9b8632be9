// SPDX-License-Identifier: Apache-2.0
// The way to the server: an address that stays, or that of whichever server sentinels name as the master.
//
// Threads: [any]; whoever asks sentinels keeps the others waiting, half a second for each that is silent.
// Owner: shared by the pools that use it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "redis/sentinels.h"

namespace belfry::redis {

class Route {
public:
    explicit Route(Address address) : address_(std::move(address)) {}
    // `address`: what is the same for each master: who we are there, and how.
    Route(Address address, std::unique_ptr<Sentinels> sentinels)
        : address_(std::move(address)), sentinels_(std::move(sentinels)) {}
    Route(const Route&) = delete;
    Route& operator=(const Route&) = delete;

    struct Way {
        Address address;
        uint64_t turn = 0;
    };
    // Asks the sentinels if there was no answer yet, or it is in doubt. Throws Failure: LostServer.
    Way find(Deadline deadline);
    // The server that was found at `turn` is not there, or no master.
    void doubt(uint64_t turn);
    // Asks again, once a second at most, so that another master is noticed though the old one still answers, or says
    // nothing. Answers why no sentinel told; empty: one did.
    std::string look();
    // One more for each other server.
    uint64_t turn() const noexcept { return turn_; }

private:
    void ask(Deadline deadline);

    const Address address_;
    const std::unique_ptr<Sentinels> sentinels_;  // null: the address stays
    std::mutex mutex_;
    std::optional<Sentinels::Master> master_;
    bool in_doubt_ = true;
    Deadline look_at_{};  // again
    std::string trouble_;
    std::atomic<uint64_t> turn_{0};
};

}  // namespace belfry::redis
