// SPDX-License-Identifier: Apache-2.0
// Broadcast channels at Apple: made, read, deleted and listed, with the credentials of sends.
// Source: Apple, "Sending channel management requests to APNs", read 2026.
//
// Threads: [work], any number at once.
#pragma once

#include <array>
#include <atomic>
#include <belfry/provider.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "channel_answers.h"
#include "config.h"
#include "provider_token.h"

namespace apns {

class ChannelCalls {
public:
    using Place = belfry::ChannelKeeper::Place;

    // `account` is filled by start; all outlive this.
    ChannelCalls(const belfry::Services& services, const Config& config, const Account& account)
        : services_(services), config_(config), account_(account) {}

    // [control] In start. `spare`: the same place by connections of its own; a connection that saw a provider token
    // too old takes no other. `token`: null if a certificate speaks for us.
    void use(int32_t endpoint, int32_t spare, std::shared_ptr<ProviderToken> token) {
        endpoints_ = {endpoint, spare};
        token_ = std::move(token);
    }

    belfry::Channel create(const Place& place, const belfry::Channel& wanted);
    belfry::Channel get(const Place& place, std::string_view id);
    void remove(const Place& place, std::string_view id);
    std::vector<belfry::Channel> list(const Place& place);

private:
    struct Call {
        const char* method;
        std::string path, id, body;
    };
    std::string path_of(const Place& place, const char* what) const;
    Call about(const char* method, const Place& place, std::string_view id) const;
    // What `read(ChannelReader, ChannelAnswer)` makes of the answer.
    template <class Read>
    auto ask(const Call& call, const Place& place, Read&& read);
    belfry::HttpAnswer exchange(const Call& call, int64_t deadline_mono_ns, const std::string& authorization) const;

    const belfry::Services& services_;
    const Config& config_;
    const Account& account_;
    std::shared_ptr<ProviderToken> token_;
    std::array<int32_t, 2> endpoints_ = {-1, -1};
    std::atomic<uint32_t> turn_{0};  // which of them
};

}  // namespace apns
