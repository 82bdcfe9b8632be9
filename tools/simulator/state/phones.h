// SPDX-License-Identifier: Apache-2.0
// What each phone received: the last messages per registration token, for a bounded number of phones.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace belfry::simulator {

struct Delivered {
    std::string message_id;  // projects/{p}/messages/{id}
    std::int64_t wall_ms = 0;
    // The request body; shared by the phones of a topic. Rendered as the app sees it only when somebody looks.
    std::shared_ptr<const std::string> body;
    // APNs and HarmonyOS: their headers as a JSON object; empty for others.
    std::string headers{};
};

class Phones {
public:
    static constexpr std::size_t kMessagesPerPhone = 20;
    static constexpr std::size_t kBodyBytesMax = 64 * 1024 * 1024;

    explicit Phones(std::size_t phones_max) : phones_max_(phones_max) {}

    void deliver(std::string_view token, Delivered message);
    struct Phone {
        std::string token;
        std::uint64_t received = 0;
        std::deque<Delivered> last;
    };
    [[nodiscard]] const Phone* find(std::string_view token) const;
    // In the order of their first message.
    [[nodiscard]] const std::vector<std::unique_ptr<Phone>>& all() const { return phones_; }
    // Messages for phones beyond the bound, counted but not kept.
    [[nodiscard]] std::uint64_t not_kept() const { return not_kept_; }
    void clear();

private:
    std::size_t phones_max_;
    std::vector<std::unique_ptr<Phone>> phones_;
    std::unordered_map<std::string_view, Phone*> by_token_;
    std::size_t body_bytes_ = 0;
    std::uint64_t not_kept_ = 0;
};

}  // namespace belfry::simulator
