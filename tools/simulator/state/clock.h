// SPDX-License-Identifier: Apache-2.0
// Time as the simulator sees it; tests bring their own.
#pragma once

#include <chrono>

namespace belfry::simulator {

class Clock {
public:
    virtual ~Clock() = default;
    // Milliseconds since the simulator started.
    [[nodiscard]] virtual std::chrono::milliseconds uptime() const = 0;
    [[nodiscard]] virtual std::chrono::system_clock::time_point wall() const = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] std::chrono::milliseconds uptime() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start_);
    }
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::now();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace belfry::simulator
