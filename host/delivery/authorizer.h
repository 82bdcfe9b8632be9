// SPDX-License-Identifier: Apache-2.0
// Keeps the credentials of one generation of a provider instance: one authorize at a time on a thread of its own,
// renewed in the background, slowly probed once an operator must act.
//
//   slot:  Unneeded -> Wanted -> Valid -> (refresh due) Valid+Renewing -> Valid
//                        |                    | rejected by the provider
//                        +--- Failed <--------+---- retried after 1 s .. 30 s (trouble) or 1 .. 10 min (refused)
//
// A hundred requests refused with one credential ask for one renewal: rejections name the credential's generation.
// Threads: [any]; authorize itself runs on the authorizer's own thread, the instance's control thread.
// Owner: Generation.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "http/plan.h"
#include "plugins/provider.h"

namespace belfry::delivery {

constexpr uint32_t kCredentialSlotsMax = 16;  // per provider instance
constexpr int64_t kAuthorizeDeadlineMs = 20'000;
constexpr int64_t kSpareValidityMs = 5'000;  // a credential is not used in its last seconds, at most a tenth of them

struct CredentialStatus {
    bool needed = false;             // the provider uses credentials at all
    bool ready = true;               // every one that is needed is valid
    bool operator_must_act = false;  // the last try was refused
    std::string reason;              // of the last failure
    int64_t valid_until_mono_ns = 0;
    int64_t next_try_mono_ns = 0;
};

class Authorizer {
public:
    // `changed` is called without locks after every success or failure.
    Authorizer(plugins::Provider& provider, std::string instance, const Clock& clock, Log& log,
               std::function<void()> changed);
    ~Authorizer();
    Authorizer(const Authorizer&) = delete;
    Authorizer& operator=(const Authorizer&) = delete;

    // Where requests find the credential of `slot`; from now on it is kept valid. Null: no such slot can be.
    std::shared_ptr<const http::CredentialSlot> slot(uint32_t slot);
    // All that is needed is there and was not rejected.
    bool ready() const;
    // Whether a newer credential than the one of `generation` is there.
    bool renewed_since(uint32_t slot, uint64_t generation) const;
    // The provider refused a request that carried this credential; `why`: its words, for people.
    void reject(uint32_t slot, uint64_t generation, std::string_view why = {});
    // The provider took a request that carried this credential.
    void prove(uint32_t slot, uint64_t generation);
    CredentialStatus status() const;
    // Nothing is renewed any more; a renewal under way may fail now, of which nothing is said. Does not wait for it.
    void stop();

private:
    struct Slot {
        std::shared_ptr<http::CredentialSlot> current = std::make_shared<http::CredentialSlot>();
        bool wanted = false, rejected = false, refused = false;
        bool after_rejection = false;  // the current credential replaced a rejected one
        uint64_t generation = 0, proved = 0;
        // mono ns
        int64_t valid_until = 0, usable_until = 0, refresh_at = 0, not_again_before = 0, next_try = 0;
        uint32_t failures = 0;
        std::string reason;
    };
    void run();
    // The slot to authorize now, or -1 and when to look again.
    int due(int64_t now, int64_t& look_again) const;
    void authorize(uint32_t slot, std::unique_lock<std::mutex>& lock);
    void succeed(Slot& slot, plugins::NewCredential&& made, int64_t now);
    void fail(Slot& slot, const Error& why, int64_t now);
    void recovered(Slot& slot);
    bool usable(const Slot& slot, int64_t now) const;

    plugins::Provider& provider_;
    const std::string instance_;
    const Clock& clock_;
    const Logger log_;
    const std::function<void()> changed_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::array<Slot, kCredentialSlotsMax> slots_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace belfry::delivery
