// SPDX-License-Identifier: Apache-2.0
// Follows a push until it is final. Used inside this folder only.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/client.h"

namespace belfry::cli {

// One status line for people: "running  1200 of 5000+  accepted 1190, gone 10  about 3 s left".
std::string summary_of(const nlohmann::json& status);

// A status in lines: what, when, outcomes, first errors.
void show_push(const nlohmann::json& status, const World& world);

// A bar on a terminal, drawn at most some times a second: "[#####-----]  52 %  61,000 devices".
class Bar {
public:
    Bar(const World& world, std::string unit) : world_(world), unit_(std::move(unit)) {}
    ~Bar();
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;
    // `of` 0: unknown. `n` is what is counted in units.
    void show(uint64_t part, uint64_t of, uint64_t n);

private:
    const World& world_;
    const std::string unit_;
    std::chrono::steady_clock::time_point drawn_{};
};

// Asks until the push is done, cancelled or expired; draws progress on a terminal. The last status.
Result<nlohmann::json> follow(Client& client, const std::string& uid, const World& world);

}  // namespace belfry::cli
