// SPDX-License-Identifier: Apache-2.0
#include "redis/sentinels.h"

#include <algorithm>

namespace belfry::redis {

namespace {

// A sentinel on the machine that just died answers nothing at all.
constexpr std::chrono::milliseconds kAnswerWithin{500};
constexpr std::chrono::seconds kLeaveOutFor{5};

// Of the names and values that SENTINEL MASTER answers.
int64_t epoch_of(const Value& master) {
    for (size_t i = 0; i + 1 < master.size(); i += 2) {
        if (master[i].text() == "config-epoch") return master[i + 1].number();
    }
    return 0;
}

}  // namespace

Sentinels::Sentinels(std::vector<Address> places, std::string master_name) : master_name_(std::move(master_name)) {
    for (Address& place : places) sentinels_.push_back({std::move(place), nullptr, {}});
}

Sentinels::Answer Sentinels::ask_one(Sentinel& sentinel, Deadline deadline) const {
    if (!sentinel.connection || sentinel.connection->is_broken())
        sentinel.connection = std::make_unique<Connection>(sentinel.place, deadline);
    Connection& connection = *sentinel.connection;
    // While a failover goes on, only the first already names the new master.
    connection.send({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name_});
    connection.send({"SENTINEL", "MASTER", master_name_});
    const std::vector<Reply> replies = connection.trip(deadline);
    return {{std::string(replies[0][0].text()), static_cast<uint16_t>(replies[0][1].number())}, epoch_of(replies[1])};
}

Sentinels::Answer Sentinels::ask_those(bool left_out, Deadline deadline, std::string& troubles) {
    Answer latest;
    for (Sentinel& sentinel : sentinels_) {
        const Deadline now = Clock::now();
        if ((now < sentinel.not_before) != left_out) continue;
        try {
            Answer answer = ask_one(sentinel, std::min(deadline, now + kAnswerWithin));
            sentinel.not_before = {};
            if (answer.epoch > latest.epoch) latest = std::move(answer);
        } catch (const Refused& refused) {
            sentinel.connection.reset();
            sentinel.not_before = Clock::now() + kLeaveOutFor;
            troubles += "; sentinel " + sentinel.place.name() + ": " + refused.what();
        }
    }
    return latest;
}

Sentinels::Master Sentinels::ask(Deadline deadline) {
    std::string troubles;
    // Whoever fails in the first round would only fail again in the second.
    const bool any_left_out = std::any_of(sentinels_.begin(), sentinels_.end(),
                                          [](const Sentinel& one) { return Clock::now() < one.not_before; });
    Answer answer = ask_those(false, deadline, troubles);
    if (answer.epoch < 0 && any_left_out) answer = ask_those(true, deadline, troubles);
    if (answer.epoch < 0)
        throw Failure(Failure::Kind::LostServer, BELFRY_RETRY_LATER,
                      "no sentinel tells where " + name() + " is" + troubles);
    return answer.master;
}

}  // namespace belfry::redis
