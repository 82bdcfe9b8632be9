// SPDX-License-Identifier: Apache-2.0
// The last requests, in order of arrival: a bounded ring.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace belfry::simulator {

struct JournalEntry {
    std::uint64_t sequence = 0;
    std::uint64_t connection = 0;
    std::int32_t stream = 0;
    std::int64_t arrival_ms = 0;  // since the simulator started
    std::string route;
    std::string project;
    std::string target;  // "token:abc", "topic:news", "condition:...", or empty
    std::array<std::uint8_t, 32> body_sha256{};
    int status = 0;         // 0: never answered
    std::string fault;      // the action of the fault rule that met this request
    bool accepted = false;  // a message was taken for delivery
    bool validate_only = false;
    std::string message_id;  // APNs: apns-id of the answer
    std::string reason;      // APNs: of a refusal

    void hash_body(const std::string& body);
};

class Journal {
public:
    explicit Journal(std::size_t capacity) : capacity_(capacity) {}

    void add(JournalEntry entry);
    // Entries with sequence >= offset that are still kept, at most `limit`.
    [[nodiscard]] std::vector<JournalEntry> list(std::uint64_t offset, std::size_t limit) const;
    [[nodiscard]] std::uint64_t total() const { return total_; }
    [[nodiscard]] std::uint64_t first_kept() const { return total_ - ring_.size(); }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    void clear();

private:
    std::size_t capacity_;
    std::vector<JournalEntry> ring_;
    std::uint64_t total_ = 0;
};

}  // namespace belfry::simulator
