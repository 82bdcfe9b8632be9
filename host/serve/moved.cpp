// SPDX-License-Identifier: Apache-2.0
#include "serve/moved.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/small_file.h"
#include "crypto/hash.h"
#include "serve/move_marks.h"

namespace belfry::serve {

namespace {

using Json = nlohmann::json;

constexpr size_t kFileBytesMax = 16 << 10;

// A store is another one if its plugin or its section differs; what differs may be no more than a tuning knob, which is
// harmless: only an empty store is asked about.
std::string identity_of(const config::ComponentConfig& component) {
    const crypto::Digest digest = crypto::sha256(component.section);
    return crypto::base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// One of the stores, as the file has it.
struct Remembered {
    std::string plugin, identity;
    bool used = false;
};

Remembered remembered(const Json& file, const char* name) {
    const Json store = file.value(name, Json::object());
    return {store.value("plugin", ""), store.value("identity", ""), store.value("used", false)};
}

bool was_left(const Remembered& before, const config::ComponentConfig& now) {
    return before.used && !before.plugin.empty() &&
           (before.plugin != now.plugin || before.identity != identity_of(now));
}

}  // namespace

Status refuse_if_moved(plugins::Storage& storage) {
    const Result<LeftMark> left = read_left_mark(storage);
    if (!left) return left.error();
    if (left->exists() && left->taken_back) {
        return error(ErrorCode::Misconfigured,
                     "the stores of " + left->to +
                         " were taken back by belfry migrate --take-back and have the same pushes; start the server "
                         "with that configuration",
                     "[storage]");
    }
    if (left->exists()) {
        return error(ErrorCode::Misconfigured,
                     left->done ? "everything was moved to the stores of " + left->to +
                                      " by belfry migrate; start the server with that configuration, or belfry "
                                      "migrate --take-back to use this one again"
                                : "a migration to the stores of " + left->to +
                                      " is not finished; run belfry migrate again, or belfry migrate --take-back to "
                                      "stay",
                     "[storage]");
    }
    const Result<ArrivingMark> coming = read_arriving_mark(storage);
    if (!coming) return coming.error();
    if (!coming->exists() || coming->done) return {};
    return error(ErrorCode::Misconfigured,
                 "holds only a part of what belfry migrate is moving here; run it again to the end, then start",
                 "[storage]");
}

std::string queue_identity(const config::Config& config, const plugins::Queue& queue) {
    std::string identity = config.queue.plugin + " " + identity_of(config.queue);
    if (queue.offers(BELFRY_QUEUE_MULTI_NODE)) return identity;
    std::error_code failed;
    return identity + " " + std::filesystem::weakly_canonical(config.data_dir, failed).string();
}

Status refuse_left_queue(const config::Config& config, plugins::Storage& storage, const plugins::Queue& queue) {
    const Result<ArrivingMark> coming = read_arriving_mark(storage);
    if (!coming) return coming.error();
    if (!coming->exists() || coming->left_queue != queue_identity(config, queue)) return {};
    return error(ErrorCode::Misconfigured,
                 "this queue was left when belfry migrate moved its pushes away together with this storage; name the "
                 "queue that they were moved to (for an empty one: another path or schema)",
                 "[queue]");
}

Status MoveWatch::look() {
    Status here = refuse_if_moved(storage_);
    if (!here && here.error().code == ErrorCode::Misconfigured) {
        const std::lock_guard hold(mutex_);
        refusal_ = here.error();
    }
    return here;
}

std::optional<Error> MoveWatch::refusal() const {
    const std::lock_guard hold(mutex_);
    return refusal_;
}

bool has_devices(const config::Config& config, plugins::Storage& storage) {
    auto paging = sized<belfry_paging>();
    paging.limit = 1;
    for (const config::AppConfig& app : config.apps) {
        bool any = false;
        const auto listed = storage.list_devices(app.name, sized<belfry_selection>(), paging,
                                                 [&](const belfry_device&) { any = true; });
        if (any || !listed) return true;
    }
    return false;
}

bool has_work(plugins::Queue& queue) {
    const Result<belfry_queue_stats> stats = queue.stats();
    return !stats || stats->running_pushes + stats->delayed_pushes + stats->dead > 0;
}

StoreMemory::StoreMemory(const config::Config& config, std::string data_dir)
    : config_(config), file_(std::move(data_dir) + "/stores") {}

std::string StoreMemory::compare(plugins::Storage& storage, plugins::Queue& queue) const {
    const Result<std::string> text = read_small_file(file_, kFileBytesMax);
    const Json file = text ? Json::parse(*text, nullptr, false) : Json();
    const bool devices = has_devices(config_, storage);
    const bool work = has_work(queue);
    std::string left;
    if (file.is_object()) {
        const Remembered old_storage = remembered(file, "storage"), old_queue = remembered(file, "queue");
        if (!devices && was_left(old_storage, config_.storage))
            left = "[storage] has no devices, but this data_dir was used with " + old_storage.plugin + ", which has";
        if (!work && was_left(old_queue, config_.queue)) {
            left += (left.empty() ? "" : "; ") + std::string("[queue] has no work, but this data_dir was used with ") +
                    old_queue.plugin + ", which may have unfinished pushes";
        }
    }
    if (!left.empty()) {
        return left + "; move them with belfry migrate, or remove " + file_ + " if they are to stay behind";
    }
    // Until the end says otherwise, anything may be in them.
    remember(true, true);
    return {};
}

void StoreMemory::remember(bool devices, bool work) const {
    const auto store = [](const config::ComponentConfig& component, bool used) {
        return Json{{"plugin", component.plugin}, {"identity", identity_of(component)}, {"used", used}};
    };
    const Json file{{"storage", store(config_.storage, devices)}, {"queue", store(config_.queue, work)}};
    const std::string fresh = file_ + ".new";
    {
        std::ofstream out(fresh, std::ios::trunc);
        out << file.dump() << '\n';
        if (!out.flush()) return;
    }
    std::error_code failed;
    std::filesystem::rename(fresh, file_, failed);
}

}  // namespace belfry::serve
