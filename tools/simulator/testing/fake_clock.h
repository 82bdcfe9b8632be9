// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "state/clock.h"

namespace belfry::simulator {

class FakeClock final : public Clock {
public:
    [[nodiscard]] std::chrono::milliseconds uptime() const override { return uptime_; }
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override { return wall_ + uptime_; }
    void advance(std::chrono::milliseconds by) { uptime_ += by; }

private:
    std::chrono::milliseconds uptime_{1000};
    std::chrono::system_clock::time_point wall_{std::chrono::seconds(1'800'000'000)};
};

}  // namespace belfry::simulator
