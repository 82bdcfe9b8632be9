// SPDX-License-Identifier: Apache-2.0
// Everything the simulated services remember, behind one mutex: taken once per request, never across I/O.
//
// Threads: [any], holding `mutex`.  Owner: Simulator.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "apns/state.h"
#include "fcm/oauth.h"
#include "hms/state.h"
#include "state/clock.h"
#include "state/counters.h"
#include "state/faults.h"
#include "state/journal.h"
#include "state/phones.h"
#include "state/quota.h"
#include "state/settings.h"
#include "state/token_ledger.h"
#include "state/topics.h"

namespace belfry::simulator {

struct WorldSizes {
    std::size_t journal_entries = 100'000;
    std::size_t phones = 10'000;
};

struct World {
    World(const Clock& time, const WorldSizes& sizes, std::uint64_t seed)
        : clock(time), faults(seed), journal(sizes.journal_entries), phones(sizes.phones) {}

    const Clock& clock;
    std::vector<std::string> projects;  // constant after start

    std::mutex mutex;
    Settings settings;
    Counters counters;
    Faults faults;
    Journal journal;
    Phones phones;
    TokenLedger ledger;
    Topics topics;
    OAuth oauth;
    ApnsState apns;
    HmsState hms;
    MinuteQuota send_quota;
    MinuteQuota topic_quota;

    // Forgets what happened; settings, keys, access tokens and topic subscriptions stay.
    void reset() {
        faults.clear();
        journal.clear();
        counters.clear();
        phones.clear();
        ledger.clear();
        send_quota.clear();
        topic_quota.clear();
        hms.clear_counts();
    }

    // What the fault script says about a connection that is being accepted.
    AcceptFate accept_fate() {
        const AcceptFate fate = faults.decide_accept();
        if (fate == AcceptFate::Reset) counters.add(Counters::ConnectionsResetAtAccept);
        if (fate == AcceptFate::StallTls) counters.add(Counters::ConnectionsStalledAtAccept);
        return fate;
    }

    [[nodiscard]] std::chrono::system_clock::time_point simulated_wall() const {
        return clock.wall() + std::chrono::seconds(settings.clock_offset_s);
    }
};

}  // namespace belfry::simulator
