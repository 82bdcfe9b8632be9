// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::milliseconds kFirstAsk{20};
constexpr std::chrono::milliseconds kAskAtMost{500};

}  // namespace

std::string summary_of(const Json& status) {
    std::map<std::string, int64_t> outcomes;
    int64_t settled = 0;
    for (const Json& row : status.value("outcomes", Json::array())) {
        const int64_t n = row.value("n", int64_t{0});
        outcomes[row.value("outcome", "")] += n;
        settled += n;
    }
    std::string line = status.value("state", "") + "  " + std::to_string(settled) + " of " +
                       std::to_string(status.value("planned", int64_t{0})) +
                       (status.value("planned_final", false) ? "" : "+");
    std::string parts;
    for (const auto& [outcome, n] : outcomes)
        parts += (parts.empty() ? "  " : ", ") + outcome + " " + std::to_string(n);
    line += parts;
    const auto eta = status.find("eta_ms");
    if (eta != status.end()) line += "  about " + std::to_string((eta->get<int64_t>() + 999) / 1000) + " s left";
    return line;
}

Result<Json> follow(Client& client, const std::string& uid, const World& world) {
    std::chrono::milliseconds pause = kFirstAsk;
    while (true) {
        const Result<std::string> result = client.call("push_status", Json{{"uid", uid}}.dump());
        if (!result) return result.error();
        Json status = Json::parse(*result, nullptr, false);
        const std::string state = status.value("state", "");
        const bool final = state == "done" || state == "cancelled" || state == "expired";
        if (world.terminal) world.err << "\r\x1b[K" << (final ? "" : summary_of(status)) << std::flush;
        if (final) return status;
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, kAskAtMost);
    }
}

}  // namespace belfry::cli
