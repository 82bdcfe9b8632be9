// SPDX-License-Identifier: Apache-2.0
// What this process holds, as it was told by the store. Where progress does not wait for the disk, a crash of the store
// may take back a claim, a page or a release that was answered already; what it says afterwards is compared with what
// is remembered here:
//   an item of ours whose count of pages differs lost a page, and with it what that page owed: it is fenced;
//   an item of ours that nobody here knows of is put back (upkeep), which also heals claims whose answer was lost.
//
// Threads: [any].  Owner: Core.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <unordered_map>

namespace belfry::queue_parts {

class Held {
public:
    struct Hold {
        uint64_t node = 0;
        uint32_t epoch = 0;
        int32_t serial = 0;
    };

    // A number for the items that a call is about to take; no other call of this process had it lately, and other
    // processes have another node. Ends with the scope.
    class Taking {
    public:
        explicit Taking(Held& held) : held_(held), epoch_(held.begin()) {}
        ~Taking() { held_.end(epoch_); }
        Taking(const Taking&) = delete;
        Taking& operator=(const Taking&) = delete;
        uint32_t epoch() const noexcept { return epoch_; }

    private:
        Held& held_;
        uint32_t epoch_;
    };

    void add(int64_t item, const Hold& hold) {
        const std::lock_guard lock(mutex_);
        items_[item] = hold;
    }
    // From an answer that is given again.
    void add_if_unknown(int64_t item, const Hold& hold) {
        const std::lock_guard lock(mutex_);
        items_.try_emplace(item, hold);
    }
    // Only that hold: what was put back may be claimed again before this is called.
    void drop(int64_t item, uint32_t epoch) {
        const std::lock_guard lock(mutex_);
        const auto found = items_.find(item);
        if (found != items_.end() && found->second.epoch == epoch) items_.erase(found);
    }
    // Whether the store's idea of an item that this process holds is ours. What is not known here is believed.
    bool agrees(int64_t item, const Hold& stored) const {
        const std::lock_guard lock(mutex_);
        const auto found = items_.find(item);
        return found == items_.end() || found->second.node != stored.node || found->second.epoch != stored.epoch ||
               found->second.serial == stored.serial;
    }
    bool is_orphan(int64_t item, const Hold& stored) const {
        const std::lock_guard lock(mutex_);
        if (taking_.contains(stored.epoch) || doubts_.contains(stored.epoch)) return false;
        const auto found = items_.find(item);
        return found == items_.end() || found->second.node != stored.node || found->second.epoch != stored.epoch;
    }

    // Nobody knows whether the commit of these checkpoints was done: what was born under the call's number is ours
    // until they are repeated, which brings their first answers.
    void doubt(uint32_t epoch, std::set<uint64_t> requests) {
        const std::lock_guard lock(mutex_);
        doubts_[epoch] = std::move(requests);
    }
    void answered(const std::set<uint64_t>& requests) {
        const std::lock_guard lock(mutex_);
        for (auto& [epoch, open] : doubts_)
            std::erase_if(open, [&](uint64_t request) { return requests.contains(request); });
        std::erase_if(doubts_, [](const auto& doubt) { return doubt.second.empty(); });
    }

private:
    uint32_t begin() {
        const std::lock_guard lock(mutex_);
        taking_.insert(++epoch_);
        return epoch_;
    }
    void end(uint32_t epoch) {
        const std::lock_guard lock(mutex_);
        taking_.erase(epoch);
    }

    mutable std::mutex mutex_;
    uint32_t epoch_ = std::random_device{}();
    std::set<uint32_t> taking_;
    std::map<uint32_t, std::set<uint64_t>> doubts_;  // requests by epoch; as many as commits were lost sight of
    std::unordered_map<int64_t, Hold> items_;
};

}  // namespace belfry::queue_parts
