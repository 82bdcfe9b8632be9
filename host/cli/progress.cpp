// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/output.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::milliseconds kFirstAsk{20};
constexpr std::chrono::milliseconds kAskAtMost{500};
constexpr std::chrono::milliseconds kDrawEvery{100};
constexpr size_t kBarWidth = 30;

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

void show_push(const Json& status, const World& world) {
    world.out << "push      " << status.value("uid", "") << "\n"
              << "status    " << summary_of(status) << "\n"
              << "lane      " << status.value("lane", "") << "\n";
    for (const char* when : {"created", "send", "expire", "finished"}) {
        const int64_t at = status.value(std::string(when) + "_at", int64_t{0});
        if (at != 0) {
            std::string name = when;
            name.resize(10, ' ');
            world.out << name << shown_time(at) << "\n";
        }
    }
    std::vector<std::vector<std::string>> rows = {{"PROVIDER", "OUTCOME", "DELIVERIES"}};
    for (const Json& row : status.value("outcomes", Json::array())) {
        rows.push_back(
            {row.value("provider", ""), row.value("outcome", ""), std::to_string(row.value("n", int64_t{0}))});
    }
    if (rows.size() > 1) print_table(rows, world);
    for (const Json& sample : status.value("samples", Json::array()))
        world.out << "error     " << sample.dump() << "\n";
}

Bar::~Bar() {
    if (world_.terminal) world_.err << "\r\x1b[K" << std::flush;
}

void Bar::show(uint64_t part, uint64_t of, uint64_t n) {
    const auto now = std::chrono::steady_clock::now();
    if (!world_.terminal || now - drawn_ < kDrawEvery) return;
    drawn_ = now;
    world_.err << "\r\x1b[K";
    if (of > 0) {
        const uint64_t percent = std::min<uint64_t>(100, part * 100 / of);
        const size_t filled = static_cast<size_t>(percent) * kBarWidth / 100;
        world_.err << '[' << std::string(filled, '#') << std::string(kBarWidth - filled, '-') << "]  " << percent
                   << " %  ";
    }
    world_.err << n << ' ' << unit_ << std::flush;
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
