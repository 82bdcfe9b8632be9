// SPDX-License-Identifier: Apache-2.0
// Both sides of a migration, opened for it alone: data directories locked, stores started, nobody else at work.
// Threads: main's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/handles.h"
#include "base/result.h"
#include "http/engine.h"
#include "serve/process.h"
#include "serve/stores.h"
#include "telemetry/line_log.h"
#include "telemetry/metric_registry.h"

namespace belfry::serve {

// The error with the side before its place.
Error about(const std::string& side, Error error);

// The data directories of both sides; one of them alone if they share it.
struct Folders {
    std::optional<DataDir> from, to;
    const DataDir& of_target() const { return to ? *to : *from; }
};
Result<Folders> lock_folders(const config::Config& from, const config::Config& to);

// What plugins need beside their own stores.
class Tools {
public:
    Tools() = default;
    ~Tools();
    Tools(const Tools&) = delete;
    Tools& operator=(const Tools&) = delete;

    Result<Workshop> open();

private:
    SystemClock clock_;
    // What goes wrong is the command's one line, not the log's.
    UniqueFd nowhere_;
    std::optional<telemetry::LineLog> lines_;
    telemetry::MetricRegistry metrics_{false};
    std::unique_ptr<http::Engine> engine_;
};

// One side and who this process is there.
class Side {
public:
    Side(const char* name, const config::Config& config, const DataDir& data, const Workshop& shop);

    // Waits a minute for other servers to end, or to be taken for dead if they were killed; `waits` is called
    // meanwhile.
    Status start(const std::function<void(const std::string& words)>& waits);
    // Nobody else may work on it now. Also this process's sign of life.
    Status require_idle();
    Error about(Error error) const { return serve::about(name_, std::move(error)); }
    Stores& stores() noexcept { return stores_; }
    plugins::Storage& storage() { return stores_.storage(); }
    const config::Config& config() const noexcept { return stores_.config(); }

private:
    Result<bool> is_marked();
    Status outlive_others(const std::function<void(const std::string& words)>& waits);

    const char* const name_;
    Stores stores_;
    uint64_t node_ = 0;
};

}  // namespace belfry::serve
