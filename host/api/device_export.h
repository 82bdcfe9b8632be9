// SPDX-License-Identifier: Apache-2.0
// device_export: devices as NDJSON, page by page, in the form that device_import takes.
//
// A line has a device's id and what device_register was given: its own topics, not those of its user; a
// PushSubscription for providers with keys. With user topics there are lines {"user_topic_update": {...}} besides: of
// all users, in front, if all devices are meant, else of the users of the devices that follow. Devices that change
// meanwhile appear as they are when their page is read, each at most once. Threads: one caller. Owner: the answer that
// is being sent.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/app.h"
#include "api/json_writer.h"
#include "audience/devices.h"

namespace belfry::api {

inline constexpr uint32_t kExportPageDevices = 200;
inline constexpr uint32_t kExportPageTopics = 1000;
inline constexpr int64_t kExportMemory = 4 << 20;  // what one export holds at most, as counted against bodies

class DeviceExport {
public:
    DeviceExport(std::shared_ptr<const App> app, audience::Devices& devices, audience::Selection selection,
                 bool user_topics);

    // Appends the lines of the next page. False: there was none left to read.
    Result<bool> next(std::string& lines);

private:
    // The next page of the topics of these users; of all if there are none. The cursor moves on.
    Status write_user_topics(const audience::Selection& users, std::string& cursor, std::string& lines);
    Status write_topics_of_owners(const audience::DevicePage& page, std::string& lines);
    Status keep_own_topics(audience::DevicePage& page);
    void write(const audience::DeviceRow& row, std::string& lines) const;

    const std::shared_ptr<const App> app_;
    audience::Devices& devices_;
    const audience::Selection selection_;
    enum class Part : uint8_t { UserTopics, Devices, Ended };
    Part part_;
    const bool topics_of_owners_;
    std::string cursor_;                    // in the part
    std::optional<std::string> last_user_;  // whose topics were written last
};

}  // namespace belfry::api
