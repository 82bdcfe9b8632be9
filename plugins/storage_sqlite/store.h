// SPDX-License-Identifier: Apache-2.0
// One open storage: its writer, its readers and what it knows of the host.
//
// Threads: start and the destructor [control], everything else [any].  Owner: the plugin's instance.
#pragma once

#include <belfry/services.h>
#include <belfry/storage.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage_sqlite/config.h"
#include "storage_sqlite/reader.h"
#include "storage_sqlite/writer.h"

namespace belfry::storage {

class Store {
public:
    Store(const belfry_host* host, Config config);
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Opens the file. Fails: CONFIG, CORRUPT, STORE_FULL, RETRY_LATER.
    void start();

    Writer& writer() { return *writer_; }
    // What a reader is for. The last one is never lent for a Look, so that whatever users list, delivery reads.
    enum class Need { Delivery, Look };
    // A reader for the length of a call; waits for one until the deadline, 0 meaning kReaderWait. Fails: BUSY.
    class Lease {
    public:
        Lease(Store& store, int64_t deadline_mono_ns, Need need);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        Reader* operator->() const noexcept { return reader_.get(); }

    private:
        Store& store_;
        std::unique_ptr<Reader> reader_;
    };
    Lease reader(int64_t deadline_mono_ns = 0, Need need = Need::Delivery) {
        return Lease(*this, deadline_mono_ns, need);
    }
    // For a list, with the time it may spend on counting.
    Lease reader_to_look() { return reader(0, Need::Look); }
    InTime time_to_count() const;

    // Removes inactive devices of an app; resumes where the last call stopped. True: more to look at.
    bool expire(std::string_view app, int64_t before, uint32_t limit, uint32_t* removed);
    InTime until(int64_t deadline_mono_ns) const;
    const Config& config() const noexcept { return config_; }

private:
    int64_t unix_ms() const;
    int64_t mono_ns() const;

    const belfry_host* host_;
    const belfry_clock* clock_;
    Config config_;
    std::unique_ptr<Writer> writer_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<Reader>> readers_;            // idle ones
    std::map<std::string, int64_t, std::less<>> expired_to_;  // per app; only apps in the middle of a round
};

}  // namespace belfry::storage
