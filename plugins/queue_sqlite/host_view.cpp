// SPDX-License-Identifier: Apache-2.0
#include "host_view.h"

#include <belfry/abi.hpp>

#include <chrono>
#include <vector>

namespace belfry::queue_sqlite {

HostView::HostView(const belfry_host* host) : host_(host) {
    if (host == nullptr) return;
    clock_ = static_cast<const belfry_clock*>(host->service(host, str(std::string_view(BELFRY_CLOCK_ID))));
    log_ = static_cast<const belfry_log*>(host->service(host, str(std::string_view(BELFRY_LOG_ID))));
}

int64_t HostView::unix_ms() const {
    if (clock_ != nullptr) return clock_->unix_ms(host_);
    using std::chrono::milliseconds;
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

int64_t HostView::mono_ns() const {
    if (clock_ != nullptr) return clock_->mono_ns(host_);
    using std::chrono::nanoseconds;
    return std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void HostView::log(int32_t level, std::string_view event, std::initializer_list<Field> fields) const {
    if (log_ == nullptr || log_->enabled(host_, level) == 0) return;
    std::vector<belfry_header> rows;
    for (const auto& [name, value] : fields) rows.push_back({str(name), str(value)});
    log_->write(host_, level, str(event), list_of(rows));
}

}  // namespace belfry::queue_sqlite
