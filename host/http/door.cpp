// SPDX-License-Identifier: Apache-2.0
#include "http/door.h"

#include <sys/eventfd.h>

#include "base/assert.h"

namespace belfry::http {

Door::Door() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    BELFRY_ASSERT(event_.get() >= 0);
}

bool Door::post(Portion& portion) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    portions_.push_back(&portion);
    wake();
    return true;
}

bool Door::post(Notice&& notice) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    notices_.push_back(std::move(notice));
    wake();
    return true;
}

void Door::wake() noexcept {
    if (signalled_) return;
    signalled_ = true;
    eventfd_write(event_.get(), 1);
}

void Door::take(std::vector<Portion*>& portions, std::vector<Notice>& notices) {
    std::lock_guard lock(mutex_);
    if (signalled_) {
        eventfd_t count = 0;
        eventfd_read(event_.get(), &count);
        signalled_ = false;
    }
    portions.swap(portions_);
    notices.swap(notices_);
}

void Door::close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
}

}  // namespace belfry::http
