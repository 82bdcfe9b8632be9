// SPDX-License-Identifier: Apache-2.0
#include "plugins/faults.h"

#include <algorithm>
#include <exception>

namespace belfry::plugins {

std::string_view name_of(Fault fault) noexcept {
    switch (fault) {
        case Fault::NoReason:
            return "no_reason";
        case Fault::UnknownCode:
            return "unknown_code";
        case Fault::Threw:
            return "threw";
        case Fault::EmitAfterReturn:
            return "emit_after_return";
        case Fault::BadRow:
            return "bad_row";
        case Fault::MissingRow:
            return "missing_row";
        case Fault::RepeatedRow:
            return "repeated_row";
        case Fault::ForeignRow:
            return "foreign_row";
        case Fault::NotAdvancing:
            return "not_advancing";
        case Fault::MissingVerdict:
            return "missing_verdict";
        case Fault::RepeatedVerdict:
            return "repeated_verdict";
        case Fault::ForeignVerdict:
            return "foreign_verdict";
        case Fault::BadVerdict:
            return "bad_verdict";
        case Fault::MissingResult:
            return "missing_result";
        case Fault::Count:
            break;
    }
    return "unknown";
}

void Faults::add(Fault fault, std::string_view call) noexcept {
    const uint64_t now = counts_[static_cast<size_t>(fault)].fetch_add(1, std::memory_order_relaxed) + 1;
    uint64_t power = 1;
    while (power < now) power *= 10;
    if (log_ == nullptr || power != now) return;
    try {
        log_->write(LogLevel::Warning, "plugins", "plugin broke the contract",
                    {{"instance", instance_}, {"fault", name_of(fault)}, {"call", call}, {"times", now}});
    } catch (...) {  // out of memory: the count is kept
    }
}

void Faults::note_full(std::string_view call, std::string_view why) noexcept {
    try {
        const std::lock_guard lock(mutex_);
        const auto known = std::find_if(full_.begin(), full_.end(), [&](const Full& one) { return one.call == call; });
        Full& full = known != full_.end() ? *known : full_.emplace_back();
        full.call = call;
        full.why = why;
        is_full_.store(true, std::memory_order_relaxed);
    } catch (const std::exception&) {
        // No memory: who called is told anyway.
    }
}

void Faults::forget_full(std::string_view call) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(full_, [&](const Full& one) { return one.call == call; });
    is_full_.store(!full_.empty(), std::memory_order_relaxed);
}

std::string Faults::full() const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const Full& one : full_) {
        all.append(all.empty() ? "" : ", ").append(one.call);
        if (!one.why.empty()) all.append(" (").append(one.why).append(")");
    }
    return all;
}

uint64_t Faults::total() const noexcept {
    uint64_t sum = 0;
    for (const auto& count : counts_) sum += count.load(std::memory_order_relaxed);
    return sum;
}

}  // namespace belfry::plugins
