// SPDX-License-Identifier: Apache-2.0
// device_export: devices as NDJSON, page by page, in the form that device_import takes.
//
// A line has a device's id and what device_register was given: its own topics, not those of its user; a
// PushSubscription for providers with keys. Devices that change meanwhile appear as they are when their page is read,
// each at most once. Threads: one caller. Owner: the answer that is being sent.
#pragma once

#include <memory>
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
    DeviceExport(std::shared_ptr<const App> app, audience::Devices& devices, audience::Selection selection)
        : app_(std::move(app)), devices_(devices), selection_(std::move(selection)) {}

    // Appends the lines of the next page. False: there was none left to read.
    Result<bool> next(std::string& lines);

private:
    Status keep_own_topics(audience::DevicePage& page);
    void write(const audience::DeviceRow& row, std::string& lines) const;

    const std::shared_ptr<const App> app_;
    audience::Devices& devices_;
    const audience::Selection selection_;
    std::string cursor_;
    bool ended_ = false;
};

}  // namespace belfry::api
