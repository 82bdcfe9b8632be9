// SPDX-License-Identifier: Apache-2.0
#include "audience/inactive_cleanup.h"

#include <utility>

#include "base/named_thread.h"

namespace belfry::audience {

namespace {

using std::chrono::milliseconds;

// A batch is one short transaction of the storage.
constexpr uint32_t kBatch = 200;
constexpr milliseconds kBetweenBatches{50};
// Ages are counted in days: looking more often finds nothing.
constexpr milliseconds kBetweenRounds{3'600'000};
constexpr milliseconds kAfterTrouble{60'000};

}  // namespace

InactiveCleanup::InactiveCleanup(std::vector<std::string> apps, milliseconds max_age, plugins::Storage& storage,
                                 const Clock& clock, Log& log, Metrics& metrics)
    : apps_(std::move(apps)),
      max_age_(max_age),
      storage_(storage),
      clock_(clock),
      log_(log, "audience"),
      removed_(metrics.counter("devices_expired_total", "Devices removed because nobody registered or updated them")) {}

InactiveCleanup::~InactiveCleanup() {
    stop();
}

void InactiveCleanup::start() {
    thread_ = named_thread("inactive", [this] { run(); });
}

void InactiveCleanup::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    stopped_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void InactiveCleanup::run() {
    while (true) {
        const milliseconds rest = step();
        std::unique_lock lock(mutex_);
        if (stopped_.wait_for(lock, rest, [this] { return stopping_; })) return;
    }
}

void InactiveCleanup::set_apps(std::vector<std::string> apps) {
    const std::lock_guard lock(mutex_);
    next_apps_ = std::move(apps);
}

milliseconds InactiveCleanup::step() {
    if (before_ms_ == 0) {
        const std::lock_guard lock(mutex_);
        if (auto next = std::exchange(next_apps_, std::nullopt)) apps_ = std::move(*next);
    }
    if (apps_.empty()) return kBetweenRounds;
    if (before_ms_ == 0) before_ms_ = clock_.unix_ms() - max_age_.count();
    const Result<plugins::Expired> batch = storage_.expire(apps_[app_], before_ms_, kBatch);
    if (!batch) {
        log_.warning("inactive devices cannot be removed",
                     {{"app", apps_[app_]}, {"reason", batch.error().to_string()}});
        return kAfterTrouble;
    }
    removed_of_app_ += batch->removed;
    removed_.add(batch->removed);
    return batch->more ? kBetweenBatches : finish_app();
}

milliseconds InactiveCleanup::finish_app() {
    if (removed_of_app_ > 0) log_.info("inactive devices removed", {{"app", apps_[app_]}, {"n", removed_of_app_}});
    removed_of_app_ = 0;
    app_ = (app_ + 1) % apps_.size();
    if (app_ != 0) return kBetweenBatches;
    before_ms_ = 0;
    return kBetweenRounds;
}

}  // namespace belfry::audience
