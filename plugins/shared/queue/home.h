// SPDX-License-Identifier: Apache-2.0
// The server's own folder as this queue knows it: a number kept there, and a lock on it while the process lives.
// Whoever has the lock knows that all earlier nodes of this home are dead, and need not wait for their leases to end.
//
// Threads: [control].  Owner: the queue.
#pragma once

#include <cstdint>
#include <string>

namespace belfry::queue_parts {

class Home {
public:
    // Throws Refused: CONFIG if the folder cannot be written, RETRY_LATER if another process has the lock.
    Home(const std::string& directory, const std::string& file);
    ~Home();
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;

    int64_t number() const noexcept { return number_; }

private:
    int descriptor_ = -1;
    int64_t number_ = 0;
};

}  // namespace belfry::queue_parts
