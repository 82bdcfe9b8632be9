// SPDX-License-Identifier: Apache-2.0
// What a limiter reaches through the C table: pages of 1,000 devices out of a hundred thousand, named charges, a policy
// of a day that allows them all; then the same with a second policy. Prints one line of JSON.
//
// limiter_rates PLUGIN.so CONFIG [SECONDS] [CALLERS]: "{dir}" in CONFIG stands for a folder of its own.
#include <atomic>
#include <belfry/abi.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/queue/limits.h"

namespace {

using belfry::conformance::Context;
using belfry::conformance::queue::charge_of;
using belfry::conformance::queue::Limits;
using belfry::conformance::queue::policy;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kDevices = 100'000, kPage = 1000;
constexpr int64_t kHour = 3'600'000;

// Devices a second.
double rate_of(Limits& limits, const std::vector<belfry_policy>& policies, double seconds, size_t callers) {
    std::atomic<uint64_t> pages{0};
    const auto start = Clock::now();
    const auto until = start + std::chrono::duration<double>(seconds);
    belfry::conformance::run_together(callers, [&](size_t) {
        while (Clock::now() < until) {
            const uint64_t page = pages++;
            std::vector<belfry_charge> charges;
            for (uint64_t i = 0; i < kPage; ++i) charges.push_back(charge_of((page * kPage + i) % kDevices, page + 1));
            for (const auto& one : limits.charge(policies, charges)) {
                if (!one.allowed()) throw std::runtime_error("a delivery was denied that the policies allow");
            }
        }
    });
    return static_cast<double>(pages * kPage) / std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s PLUGIN.so CONFIG [SECONDS] [CALLERS]\n", argv[0]);
        return 2;
    }
    try {
        const double seconds = argc > 3 ? std::strtod(argv[3], nullptr) : 2;
        const auto callers = static_cast<size_t>(argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 1);
        std::string folder = (std::filesystem::temp_directory_path() / "limiter-rates-XXXXXX").string();
        if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
        std::string config = argv[2];
        if (const size_t at = config.find("{dir}"); at != std::string::npos) config.replace(at, 5, folder);
        double one = 0, two = 0;
        {
            Context context(argv[1], config, folder, 1);
            Limits limits(context);
            const belfry_policy daily = policy(1'000'000, 24 * kHour), hourly = policy(1'000'000, kHour);
            one = rate_of(limits, {daily}, seconds, callers);
            two = rate_of(limits, {daily, hourly}, seconds, callers);
        }
        std::filesystem::remove_all(folder);
        std::printf(
            "{\"name\":\"limiter_rates\",\"plugin\":\"%s\",\"callers\":%zu,\"page\":%d,\"devices_per_s\":%.0f,"
            "\"two_policies_devices_per_s\":%.0f}\n",
            std::filesystem::path(argv[1]).stem().c_str(), callers, static_cast<int>(kPage), one, two);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
