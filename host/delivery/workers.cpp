// SPDX-License-Identifier: Apache-2.0
#include "delivery/workers.h"

#include <utility>

#include "base/named_thread.h"
#include "delivery/page.h"

namespace belfry::delivery {

Workers::Workers(unsigned count) {
    threads_.push_back(named_thread("page-high", [this] { work(true); }));
    for (unsigned i = 0; i < count; ++i) threads_.push_back(named_thread("page", [this] { work(false); }));
}

Workers::~Workers() {
    stop();
}

void Workers::List::push(Page& page) {
    page.next_runnable = nullptr;
    (last == nullptr ? first : last->next_runnable) = &page;
    last = &page;
}

Page* Workers::List::pop() {
    Page* page = first;
    if (page == nullptr) return nullptr;
    first = page->next_runnable;
    if (first == nullptr) last = nullptr;
    return page;
}

void Workers::push(Page& page) {
    const bool high = page.lane() == 0;
    {
        const std::lock_guard lock(mutex_);
        (high ? high_ : others_).push(page);
    }
    any_.notify_one();
    if (high) high_ready_.notify_one();
}

void Workers::work(bool high_only) {
    std::unique_lock lock(mutex_);
    for (;;) {
        Page* page = high_.pop();
        if (page == nullptr && !high_only) page = others_.pop();
        if (page == nullptr) {
            if (stop_) return;
            (high_only ? high_ready_ : any_).wait(lock);
            continue;
        }
        lock.unlock();
        page->run();
        lock.lock();
    }
}

void Workers::stop() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    any_.notify_all();
    high_ready_.notify_all();
    for (std::thread& thread : std::exchange(threads_, {})) thread.join();
}

}  // namespace belfry::delivery
