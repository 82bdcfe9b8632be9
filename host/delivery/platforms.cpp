// SPDX-License-Identifier: Apache-2.0
#include "delivery/platforms.h"

#include <algorithm>

namespace belfry::delivery {

namespace {

constexpr int64_t kDayNs = 24 * 3'600 * kNsPerSecond;
constexpr int64_t kApartNs = 3'600 * kNsPerSecond;    // refusals so far apart have nothing in common
constexpr int64_t kToldAgainNs = 60 * kNsPerSecond;   // devices without a platform may work and be refused in turns
constexpr int64_t kShownNs = 15 * 60 * kNsPerSecond;  // trouble that nobody asked about for so long is shown no more

// As pages hash the names of rows: FNV-1a, the lower half.
constexpr uint32_t hash_of_name(std::string_view name) noexcept {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return static_cast<uint32_t>(hash);
}

// 0: of a raw token.
bool is_named(uint32_t platform) noexcept {
    return platform != 0 && platform != hash_of_name("");
}

// Names are the applications' own; these are the usual ones.
std::string name_of(uint32_t platform) {
    for (const std::string_view name : {"ios", "android", "web", "macos", "ipados", "watchos", "tvos", "visionos",
                                        "huawei", "harmonyos", "iOS", "Android", "Web", "IOS", "ANDROID", "WEB"}) {
        if (hash_of_name(name) == platform) return std::string(name);
    }
    return is_named(platform) ? "one of the platforms" : "devices without a platform";
}

}  // namespace

Platforms::Platforms(std::string instance, const Clock& clock, Log& log)
    : instance_(std::move(instance)), clock_(clock), log_(log, "delivery") {}

// In place of the one not used for longest.
Platforms::Part& Platforms::remember(uint32_t platform, int64_t now) {
    auto part = std::find_if(parts_.begin(), parts_.end(),
                             [&](const Part& each) { return each.used_at != 0 && each.platform == platform; });
    if (part == parts_.end()) {
        part = std::min_element(parts_.begin(), parts_.end(),
                                [](const Part& a, const Part& b) { return a.used_at < b.used_at; });
        *part = Part{};
        part->platform = platform;
    }
    part->used_at = std::max<int64_t>(now, 1);
    return *part;
}

void Platforms::pause(uint32_t platform, int64_t until_unix_ms) {
    if (!is_named(platform)) return;
    const std::lock_guard lock(mutex_);
    Part& part = remember(platform, clock_.mono_ns());
    part.pause_unix_ms = std::max(part.pause_unix_ms, until_unix_ms);
    pauses_.fetch_add(1, std::memory_order_relaxed);
}

int64_t Platforms::paused_until(uint32_t platform, int64_t now_unix_ms) const {
    if (pauses_.load(std::memory_order_relaxed) == 0) return 0;
    const std::lock_guard lock(mutex_);
    for (const Part& part : parts_) {
        if (part.platform == platform && part.pause_unix_ms > now_unix_ms) return part.pause_unix_ms;
    }
    return 0;
}

Platforms::Refusal Platforms::refused(uint32_t platform, std::string_view reason, int64_t wait_ms) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Part& part = remember(platform, now);
    part.refusals = part.refused_since != 0 && now >= part.until ? 1 : part.refusals + 1;
    const bool works = part.worked_at != 0 && now - part.worked_at < kAcceptedLatelyNs;
    if (part.refused_since == 0 && works && part.refusals <= kOwnRefusalsMax) return {true, false};
    const bool news = part.refused_since == 0;
    if (news) part.refused_since = now;
    // Some of its devices may be served all the time: that ends no day of the others.
    if (part.first_refused == 0 || now - part.last_refused > kApartNs) part.first_refused = now;
    part.last_refused = now;
    part.reason = reason;
    if (news && (part.told_at == 0 || now - part.told_at >= kToldAgainNs)) {
        part.told_at = now;
        log_.error(
            "platform refuses our credential or settings; its deliveries wait, an operator must act",
            {{"provider", instance_}, {"platform", name_of(platform)}, {"reason", reason}, {"next_try_ms", wait_ms}});
    }
    const bool long_ago = now - part.first_refused > kDayNs;
    if (now >= part.until) part.until = now + wait_ms * kNsPerMs;
    if (is_named(platform) && !long_ago) {
        part.pause_unix_ms = std::max(part.pause_unix_ms, clock_.unix_ms() + wait_ms);
        pauses_.fetch_add(1, std::memory_order_relaxed);
    }
    return {false, long_ago};
}

void Platforms::worked(uint32_t platform) {
    const int64_t now = clock_.mono_ns();
    {
        const std::lock_guard lock(mutex_);
        Part& part = remember(platform, now);
        part.worked_at = now;
        const bool refuses = part.refused_since != 0;
        // Many refusals since it was tried: what was accepted was sent before them.
        if (refuses && part.refusals > kOwnRefusalsMax && now < part.until) return;
        part.refusals = 0;
        if (!refuses) return;
        part.refused_since = part.until = part.pause_unix_ms = 0;
        part.reason.clear();
    }
    log_.info("platform works again", {{"provider", instance_}, {"platform", name_of(platform)}});
}

std::vector<PlatformStatus> Platforms::troubled() const {
    const int64_t now = clock_.mono_ns();
    std::vector<PlatformStatus> all;
    const std::lock_guard lock(mutex_);
    for (const Part& part : parts_) {
        if (part.refused_since == 0 || now - std::max(part.until, part.used_at) > kShownNs) continue;
        all.push_back({name_of(part.platform), part.reason, std::max<int64_t>(0, part.until - now) / kNsPerMs});
    }
    return all;
}

uint32_t Platforms::paused() const {
    const int64_t now_unix_ms = clock_.unix_ms();
    const std::lock_guard lock(mutex_);
    return static_cast<uint32_t>(std::count_if(parts_.begin(), parts_.end(),
                                               [&](const Part& part) { return part.pause_unix_ms > now_unix_ms; }));
}

void Platforms::reset() {
    const std::lock_guard lock(mutex_);
    parts_.fill({});
    pauses_.store(0, std::memory_order_relaxed);
}

}  // namespace belfry::delivery
