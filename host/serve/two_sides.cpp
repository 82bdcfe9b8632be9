// SPDX-License-Identifier: Apache-2.0
#include "serve/two_sides.h"

#include <fcntl.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "crypto/hash.h"
#include "serve/move_marks.h"

namespace belfry::serve {

namespace {

constexpr int64_t kStopMs = 1000;
// Longer than the usual lease of a server.
constexpr std::chrono::seconds kPatience{75};
constexpr std::chrono::seconds kLookEvery{1};
constexpr uint32_t kUpkeepMs = 50;

}  // namespace

Error about(const std::string& side, Error error) {
    error.where = side + (error.where.empty() ? "" : ", " + error.where);
    return error;
}

Result<Folders> lock_folders(const config::Config& from, const config::Config& to) {
    Folders folders;
    std::error_code failed;
    if (!std::filesystem::exists(from.data_dir, failed)) {
        return error(ErrorCode::Misconfigured, "data_dir " + from.data_dir + " does not exist; no server ran there",
                     "--from");
    }
    Result<DataDir> source = DataDir::open(from.data_dir);
    if (!source) return about("--from", source.error());
    folders.from.emplace(std::move(*source));
    if (std::filesystem::equivalent(from.data_dir, to.data_dir, failed)) return folders;
    Result<DataDir> target = DataDir::open(to.data_dir);
    if (!target) return about("--to", target.error());
    folders.to.emplace(std::move(*target));
    return folders;
}

Result<Workshop> Tools::open() {
    nowhere_ = UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    lines_.emplace(nowhere_.get(), LogLevel::Error, clock_);
    Result<std::unique_ptr<http::Engine>> engine = http::Engine::create({}, clock_, *lines_, metrics_);
    if (!engine) return engine.error();
    engine_ = std::move(*engine);
    return Workshop{clock_, *lines_, metrics_, *engine_};
}

Tools::~Tools() {
    if (engine_) engine_->stop(clock_.mono_ns() + kStopMs * kNsPerMs);
}

Side::Side(const char* name, const config::Config& config, const DataDir& data, const Workshop& shop)
    : name_(name), stores_(config, data, shop) {
    crypto::random_bytes(&node_, sizeof node_);
    node_ = node_ >> 1 | 1;
}

Status Side::start(const std::function<void(const std::string& words)>& waits) {
    if (Status s = stores_.start(); !s) return about(s.error());
    if (!storage().offers(BELFRY_STORAGE_DUMP) || !stores_.queue().offers(BELFRY_QUEUE_DUMP)) {
        return about(error(ErrorCode::Unsupported, "its storage and its queue must both offer dump and load"));
    }
    if (Status s = outlive_others(waits); !s) return s;
    return require_idle();
}

Result<bool> Side::is_marked() {
    const Result<LeftMark> left = read_left_mark(storage());
    if (!left) return about(left.error());
    const Result<ArrivingMark> coming = read_arriving_mark(storage());
    if (!coming) return about(coming.error());
    return left->exists() || (coming->exists() && !coming->done);
}

// Who was killed counts as alive until somebody at work on the queue has missed it for a lease: this process, unless a
// migration has begun, since that work changes what is in the queue.
Status Side::outlive_others(const std::function<void(const std::string& words)>& waits) {
    plugins::Queue& queue = stores_.queue();
    if (!queue.offers(BELFRY_QUEUE_MULTI_NODE)) return {};
    const Result<bool> marked = is_marked();
    if (!marked) return marked.error();
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!*marked && std::chrono::steady_clock::now() < until) {
        const Result<belfry_pulse> pulse = queue.beat(node_);
        if (!pulse) return about(pulse.error());
        if (pulse->live_nodes <= 1) return {};
        waits("waiting for servers of " + std::string(name_));
        if (const Result<uint32_t> done = queue.upkeep(node_, kUpkeepMs); !done) return about(done.error());
        std::this_thread::sleep_for(kLookEvery);
    }
    return {};
}

Status Side::require_idle() {
    plugins::Queue& queue = stores_.queue();
    if (!queue.offers(BELFRY_QUEUE_MULTI_NODE)) return {};  // data_dir is locked
    const Result<belfry_pulse> pulse = queue.beat(node_);
    if (!pulse) return about(pulse.error());
    if (pulse->live_nodes <= 1) return {};
    return about(
        error(ErrorCode::Conflict,
              std::to_string(pulse->live_nodes - 1) +
                  " other server(s) work on its queue; stop them, or wait for queue.lease_s if they were killed"));
}

}  // namespace belfry::serve
