// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/store.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <chrono>

#include "sqlite/place.h"
#include "storage/limits.h"

namespace belfry::storage {

using sqlite::Failure;

namespace {

constexpr std::chrono::seconds kReaderWait{5};
constexpr int64_t kCountNs = 2'000'000'000;  // what a list may spend on its total; some million devices

template <class T>
const T* service(const belfry_host* host, std::string_view id) {
    return host == nullptr || host->service == nullptr ? nullptr : static_cast<const T*>(host->service(host, str(id)));
}

}  // namespace

Store::Store(const belfry_host* host, Config config)
    : host_(host), clock_(service<belfry_clock>(host, BELFRY_CLOCK_ID)), config_(std::move(config)) {
    if (clock_ == nullptr) throw Failure(BELFRY_CONFIG, std::string("this host does not offer ") + BELFRY_CLOCK_ID);
}

void Store::start() {
    // A second attempt after RETRY_LATER must not meet its own lock.
    readers_.clear();
    writer_.reset();
    if (config_.path.empty()) config_.path = sqlite::file_in_state_directory(host_, "storage.db");
    writer_ = std::make_unique<Writer>(config_.path, config_.writer_cache_kib(), [this] { return unix_ms(); });
    for (uint32_t i = 0; i < config_.readers; ++i)
        readers_.push_back(std::make_unique<Reader>(config_.path, config_.reader_cache_kib()));
}

int64_t Store::unix_ms() const {
    return clock_->unix_ms(host_);
}
int64_t Store::mono_ns() const {
    return clock_->mono_ns(host_);
}

InTime Store::until(int64_t deadline_mono_ns) const {
    if (deadline_mono_ns <= 0) return [] { return true; };
    return [this, deadline_mono_ns] { return mono_ns() < deadline_mono_ns; };
}

InTime Store::time_to_count() const {
    return until(mono_ns() + kCountNs);
}

Store::Lease::Lease(Store& store, int64_t deadline_mono_ns, Need need) : store_(store) {
    std::chrono::nanoseconds wait = kReaderWait;
    if (deadline_mono_ns > 0) {
        wait = std::clamp<std::chrono::nanoseconds>(std::chrono::nanoseconds(deadline_mono_ns - store.mono_ns()), {},
                                                    wait);
    }
    std::unique_lock hold(store_.mutex_);
    const size_t left = need == Need::Look && store.config_.readers > 1 ? 1 : 0;
    if (!store_.freed_.wait_for(hold, wait, [&] { return store_.readers_.size() > left; })) {
        throw Failure(BELFRY_BUSY, "all readers of the storage are in use; raise storage.readers");
    }
    reader_ = std::move(store_.readers_.back());
    store_.readers_.pop_back();
}

Store::Lease::~Lease() {
    {
        const std::lock_guard hold(store_.mutex_);
        store_.readers_.push_back(std::move(reader_));
    }
    store_.freed_.notify_all();  // who waits may want more than one to be free
}

bool Store::expire(std::string_view app, int64_t before, uint32_t limit, uint32_t* removed) {
    int64_t after = -1;
    {
        const std::lock_guard hold(mutex_);
        if (const auto at = expired_to_.find(app); at != expired_to_.end()) after = at->second;
    }
    std::vector<int64_t> keys;
    int64_t number = 0;
    {
        const Lease lease = reader();
        const auto known = lease->app_number(app);
        if (!known) return false;
        number = *known;
        keys = lease->inactive(number, before, std::clamp(limit, 1U, kRowsPerTransaction), &after);
    }
    if (!keys.empty()) *removed = writer_->expire(number, keys, before);
    const std::lock_guard hold(mutex_);
    if (after < 0) {
        expired_to_.erase(std::string(app));
    } else {
        expired_to_.insert_or_assign(std::string(app), after);
    }
    return after >= 0;
}

}  // namespace belfry::storage
