// SPDX-License-Identifier: Apache-2.0
// The application's key pairs (VAPID, RFC 8292) and the tokens they sign, one per key and origin.
//
// A subscription belongs to the key it was made with, so old pairs stay as long as there are subscriptions of theirs.
// Threads: load [control], before the others; those [any].
#pragma once

#include <belfry/services.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config.h"

namespace webpush {

class Keys {
public:
    explicit Keys(belfry::Services services) : services_(services) {}

    // Reads configured pairs and, behind them, the cluster's, which subscriptions may have from before; without a
    // configured pair the cluster's is the current one, made first if there is none.
    void load(const Config& config);

    // The pair's number, kept on devices as their variant. Throws Refused with BAD_REQUEST if no pair has this public
    // key; empty: the current pair.
    uint32_t number_of(std::string_view application_key) const;
    // The Authorization header's value for requests to `origin`; null: there is no pair of this number.
    std::shared_ptr<const std::string> authorization(uint32_t number, const std::string& origin);
    // A service refused a token of this origin. True: the request is worth sending again, with a newer token than it
    // had. `sent_again`: it had been already. Apple wants no new one within an hour.
    bool distrust(std::string_view origin, bool sent_again);
    // The origin accepted a token of this pair: what it refuses from now on is not the token.
    void prove(uint32_t number, std::string_view origin);
    bool proved(uint32_t number, std::string_view origin);
    const std::string& public_key() const { return pairs_.front().public_key; }
    // A subscription does not say which of them it was made for, unless its owner did when it registered.
    size_t count() const { return pairs_.size(); }
    // The pair to try behind that one, round and round.
    uint32_t next(uint32_t number) const;

private:
    struct Pair {
        uint32_t number = 0;
        std::string pem, public_point, public_key;  // public_key: base64url
    };
    struct Token {
        std::shared_ptr<const std::string> value;
        int64_t made_mono_ns = 0, made_unix_ms = 0;
        int64_t used_mono_ns = 0;
        bool in_place = false;  // of one that was refused
        bool proved = false;
    };
    std::vector<Pair>::const_iterator find(uint32_t number) const;
    void make_room();
    void add(std::string_view secret, const std::string& where);
    std::string cluster_key(bool make) const;
    std::string sign(const Pair& pair, const std::string& origin) const;

    const belfry::Services services_;
    std::string subject_;
    std::vector<Pair> pairs_;  // the current one first
    std::mutex mutex_;
    std::map<std::pair<uint32_t, std::string>, Token> tokens_;  // by pair and origin; under mutex_
};

}  // namespace webpush
