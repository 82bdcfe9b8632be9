// SPDX-License-Identifier: Apache-2.0
// Broadcast channels that a provider keeps, as the rest of the host asks for them.
// Threads: call() is [any] and waits for the provider. Owner: serve().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace belfry::plugins {

inline constexpr size_t kChannelIdMax = 1024;    // bytes
inline constexpr size_t kChannelsMax = 100'000;  // of one topic; APNs allows a tenth

struct Channel {
    std::string id, push_type;
    bool stores = false;  // the newest push is kept for devices that are offline
};

struct ChannelCall {
    enum class Verb : uint8_t { Create, Get, Delete, List } verb = Verb::List;
    std::string topic;  // as the provider calls the app; empty: the configured one
    Channel channel;    // of Get and Delete its id, of Create the rest; an empty push_type is the usual one
};

class Channels {
public:
    virtual ~Channels() = default;
    // The channel of Create and Get, those of List. Errors name the call's member in `where`: "topic", "id",
    // "push_type". Unsupported: the instance manages no channels. Busy: too many callers wait.
    virtual Result<std::vector<Channel>> call(const std::string& instance, const ChannelCall& call) = 0;
};

}  // namespace belfry::plugins
