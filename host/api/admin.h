// SPDX-License-Identifier: Apache-2.0
// What operators ask of the whole server, below /admin/: state of queue and providers, dead letters, backups. Real HTTP
// statuses, JSON without an envelope; a refusal is {"code":..., "message":...}. docs/design/0006 says who may ask.
//
// Threads: [any]; blocks as long as the queue does, a backup as long as the copy takes (one at a time). Owner: Server.
// Not here: authentication, bodies (http_api.h); how a backup is made (serve gives it).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "delivery/delivery.h"

namespace belfry::api {

struct Backup {
    struct File {
        std::string name;
        int64_t bytes = 0;
    };
    std::string folder;
    std::vector<File> files;
};
// Makes a consistent copy named `name` while the server runs.
using BackUp = std::function<Result<Backup>(const std::string& name)>;

inline constexpr uint32_t kDeadPageMax = 1000;   // dead letters per answer
inline constexpr size_t kReplayIdsMax = 10'000;  // ids per request
inline constexpr size_t kBackupNameMax = 64;     // letters, digits, '.', '_' and '-'

class Admin {
public:
    Admin(delivery::Delivery& delivery, BackUp back_up, const Clock& clock)
        : delivery_(delivery), back_up_(std::move(back_up)), clock_(clock) {}

    // `name` is what follows /admin/. Not found is left to the caller: an answer of status 0.
    HttpResponse get(std::string_view name, std::string_view query);
    HttpResponse post(std::string_view name, const json::Value& params);

private:
    Result<std::string> queue();
    Result<std::string> dead(std::string_view query);
    Result<std::string> providers();
    Result<std::string> replay(const json::Value& params);
    Result<std::string> backup(const json::Value& params);

    delivery::Delivery& delivery_;
    const BackUp back_up_;
    const Clock& clock_;
    std::mutex backup_mutex_;
};

}  // namespace belfry::api
