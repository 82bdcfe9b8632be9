// SPDX-License-Identifier: Apache-2.0
// Which items are held, in a small mapped file beside the queue: written by plain memory stores at claim and release,
// kept by the page cache when the process is killed. The next start learns from it what was held, which is how an item
// that kills the process is found without a transaction per claim. After a power loss it may be stale; then at most
// some items carry a crash too many or too few.
//
// Threads: under the Board's mutex; open and clear_all [control].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belfry::queue_sqlite {

class Ledger {
public:
    static constexpr uint32_t kSlots = 4096;  // more items held at once are not recorded
    static constexpr uint32_t kNoSlot = UINT32_MAX;

    // Opens or creates the file. Throws CONFIG, STORE_FULL.
    explicit Ledger(const std::string& path);
    ~Ledger();
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    // What the last process held when it ended; empty after a clean stop. Stays in the file until clear_all, which is
    // called once the crashes are counted and before the first hold.
    const std::vector<int64_t>& found() const noexcept { return found_; }

    uint32_t hold(int64_t item) noexcept;
    void release(uint32_t slot) noexcept;
    void clear_all() noexcept;

private:
    void read_found();

    int64_t* slots_ = nullptr;
    std::vector<uint32_t> free_;
    std::vector<int64_t> found_;
};

}  // namespace belfry::queue_sqlite
