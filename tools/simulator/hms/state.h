// SPDX-License-Identifier: Apache-2.0
// What the simulated Push Kit remembers: its one app with both kinds of credentials, access tokens, topics, and how
// many devices it served this second.
//
// Threads: [one at a time], under World::mutex.  Owner: World.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

#include "certificates.h"
#include "state/topics.h"

namespace belfry::simulator {

// Constant after start.
struct HmsApp {
    std::string app_id, project_id, client_secret;  // the OAuth client's id is the app's
    std::string key_id, sub_account;
    Key key;  // of the service account
};

struct HmsState {
    static constexpr std::size_t kPastTokensMax = 10'000;  // then the oldest are unknown ones

    HmsApp app;
    std::string access_token;  // empty: none yet, or revoked
    std::chrono::milliseconds expires{0};
    std::set<std::string> past_tokens;  // expired ones
    Topics topics;
    std::uint64_t oauth_calls = 0, tokens_issued = 0;
    std::uint64_t sends = 0, devices = 0;  // requests to send, and the tokens in them
    std::uint64_t largest = 0;             // most tokens of one request
    std::uint64_t repeated = 0;            // tokens that a request named before
    std::uint64_t withheld = 0;            // marketing messages accepted, but not shown

    // False if so many devices more were too many for this second.
    bool take_devices(std::int64_t n, std::int64_t most, std::chrono::milliseconds uptime) {
        if (most == 0) return true;
        const std::int64_t second = uptime.count() / 1000;
        if (second != second_) {
            second_ = second;
            in_second_ = 0;
        }
        if (in_second_ + n > most) return false;
        in_second_ += n;
        return true;
    }
    // False if the device has had so many marketing messages today.
    bool take_marketing(const std::string& token, std::int64_t most, std::chrono::system_clock::time_point wall) {
        if (most == 0) return true;
        const auto today = std::chrono::floor<std::chrono::days>(wall);
        if (today != day_ || marketed_.size() >= kMarketedMax) marketed_.clear();
        day_ = today;
        return ++marketed_[token] <= most;
    }
    void clear_counts() { oauth_calls = tokens_issued = sends = devices = largest = repeated = withheld = 0; }

private:
    static constexpr std::size_t kMarketedMax = 100'000;  // then all have had none
    std::int64_t second_ = -1, in_second_ = 0;
    std::chrono::sys_days day_{};
    std::unordered_map<std::string, std::int64_t> marketed_;  // messages of this day
};

}  // namespace belfry::simulator
