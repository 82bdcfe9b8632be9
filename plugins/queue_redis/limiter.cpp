// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/limiter.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace belfry::queue_redis {

namespace {

using queue_parts::Policy;

// Others wait for a script while it runs.
constexpr size_t kPortion = 200;
// Hashes that live shorter would only be made more often.
constexpr int64_t kEpochLeastMs = 60'000;
// Of a policy. A hash of at most 128 small fields (hash-max-listpack-entries) takes the least memory, and with ten
// million keys it has about 76.
constexpr uint32_t kShards = 1u << 17;
constexpr size_t kFieldBytes = 8;  // of the key; the shard is made of others

int64_t epoch_of(const Policy& policy) {
    return std::max(policy.empty() / policy.rate + 1, kEpochLeastMs);
}

uint32_t shard_of(const belfry_charge& charge) {
    uint32_t word = 0;
    std::memcpy(&word, charge.key + kFieldBytes, sizeof word);
    return word % kShards;
}

redis::Deadline deadline_of(const Services& services, int64_t deadline_mono_ns) {
    const int64_t left = deadline_mono_ns - services.mono_ns();
    if (left <= 0) throw Refused(BELFRY_DEADLINE, {}, "the deadline had passed before anything was charged");
    const auto most = std::chrono::duration_cast<std::chrono::nanoseconds>(kCallTime);
    return redis::Clock::now() + std::min(std::chrono::nanoseconds(left), most);
}

// What the script of one portion is given.
class Portion {
public:
    Portion(const Keys& keys, const std::vector<Policy>& policies) {
        for (const Policy& policy : policies) {
            const std::string name = std::to_string(policy.rate) + "." + std::to_string(policy.interval_ms) + "." +
                                     std::to_string(policy.burst);
            prefixes_.push_back(keys.of("limit:") + name + ":");
        }
        numbers_.push_back(std::to_string(policies.size()));
        for (const Policy& policy : policies) {
            for (const int64_t number : {policy.rate, policy.interval_ms, policy.empty(), epoch_of(policy)})
                numbers_.push_back(std::to_string(number));
        }
    }
    void add(const belfry_charge& charge) {
        const std::string shard = std::to_string(shard_of(charge));
        for (const std::string& prefix : prefixes_) {
            for (const char* parity : {":0", ":1"}) names_.push_back(prefix + shard + parity);
        }
        const uint32_t stamp = queue_parts::kept_stamp(charge.stamp);
        char bytes[kFieldBytes + sizeof stamp];
        std::memcpy(bytes, charge.key, kFieldBytes);
        std::memcpy(bytes + kFieldBytes, &stamp, sizeof stamp);
        charges_.append(bytes, sizeof bytes);
    }
    void send(redis::Connection& connection, const redis::Script& script) const {
        redis::Words arguments(numbers_.begin(), numbers_.end());
        arguments.push_back(charges_);
        connection.send(script, redis::Words(names_.begin(), names_.end()), arguments);
    }

private:
    std::vector<std::string> prefixes_, numbers_, names_;
    std::string charges_;
};

belfry_charged row_of(int64_t answer, uint32_t index) {
    auto row = sized<belfry_charged>();
    row.index = index;
    if (answer < 0) row.code = BELFRY_DUPLICATE;
    if (answer > 0) row.code = BELFRY_BUSY;
    row.wait_ms = std::max<int64_t>(answer, 0);
    return row;
}

}  // namespace

std::vector<belfry_charged> RateLimits::charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges,
                                               int64_t deadline_mono_ns) {
    const std::vector<Policy> checked = queue_parts::checked(policies);
    queue_parts::check_count(charges);
    const redis::Deadline deadline = deadline_of(core_.services, deadline_mono_ns);
    std::vector<belfry_charged> rows;
    if (charges.empty()) return rows;
    std::vector<Portion> portions;
    for (size_t i = 0; i < charges.size(); ++i) {
        if (i % kPortion == 0) portions.emplace_back(core_.keys, checked);
        portions.back().add(charges.known(i));
    }
    const std::vector<redis::Reply> replies = core_.pool.with(deadline, [&](redis::Connection& connection) {
        for (const Portion& portion : portions) portion.send(connection, core_.scripts.limit);
        return connection.trip(deadline);
    });
    rows.reserve(charges.size());
    for (const redis::Reply& reply : replies) {
        for (size_t i = 0; i < reply.size(); ++i)
            rows.push_back(row_of(reply[i].number(), static_cast<uint32_t>(rows.size())));
    }
    return rows;
}

}  // namespace belfry::queue_redis
