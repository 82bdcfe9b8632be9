// SPDX-License-Identifier: Apache-2.0
// The only way into a loop from other threads: portions and notices are left here and wake it.
// Threads: post [any]; take, close [loop].  Owner: shared by the loop and by lookups that outlive it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/handles.h"

namespace belfry::http {

class Portion;

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

// What a loop is told besides new portions.
struct Notice {
    enum class Kind : uint8_t { Recalled, Retire, Resolved, Stop };
    Kind kind = Kind::Recalled;
    uint64_t number = 0;             // Retire: endpoint id; Resolved: ticket; Stop: deadline, monotonic ns
    std::vector<Address> addresses;  // Resolved: empty if there are none
    std::string failure;             // Resolved: why there are none
};

class Door {
public:
    Door();
    // False once the loop has gone; nothing was taken then.
    [[nodiscard]] bool post(Portion& portion);
    [[nodiscard]] bool post(Notice&& notice);

    int fd() const noexcept { return event_.get(); }
    // Swaps what was left here into the empty vectors, which lend their memory to the next posts.
    void take(std::vector<Portion*>& portions, std::vector<Notice>& notices);
    // Further posts fail. What came before must still be taken.
    void close();

private:
    void wake() noexcept;

    UniqueFd event_;
    std::mutex mutex_;
    std::vector<Portion*> portions_;
    std::vector<Notice> notices_;
    bool signalled_ = false, closed_ = false;
};

}  // namespace belfry::http
