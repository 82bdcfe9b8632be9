// SPDX-License-Identifier: Apache-2.0
// What APNs' answers to channel calls mean, by the table in channel_reasons.h. A refusal is thrown as Refused.
//
// Threads: [work], no state.
#pragma once

#include <belfry/provider.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace apns {

inline constexpr size_t kChannelIdMax = 1024;  // bytes; Apple promises no size
inline constexpr std::string_view kChannelPushType = "LiveActivity";

// Whether it can be an id of Apple's: base64.
bool is_channel_id(std::string_view text);

struct ChannelAnswer {
    int32_t status = 0;
    std::string_view channel_id, retry_after;  // headers
    std::string_view body;
    int64_t date_unix_ms = 0;
};

class ChannelReader {
public:
    // `topic_is_ours`: the configured one; if APNs refuses it, an operator must act.
    ChannelReader(const belfry::Services& services, bool topic_is_ours)
        : services_(services), topic_is_ours_(topic_is_ours) {}

    std::string created(const ChannelAnswer& answer) const;
    belfry::Channel read(const ChannelAnswer& answer, std::string_view id) const;
    void deleted(const ChannelAnswer& answer) const { accept(answer); }
    std::vector<belfry::Channel> listed(const ChannelAnswer& answer) const;
    // The reason of a refusal; empty if the body gives none.
    std::string reason(const ChannelAnswer& answer) const;

private:
    void accept(const ChannelAnswer& answer) const;
    // The body, which must be an object.
    std::string_view object_in(const ChannelAnswer& answer) const;

    const belfry::Services& services_;
    const bool topic_is_ours_;
};

}  // namespace apns
