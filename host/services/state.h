// SPDX-License-Identifier: Apache-2.0
// Small private state of plugin instances: of this node in files, of the cluster behind an interface that the storage
// serves.
//
// A value has a version: 0 means that it does not exist, every write adds one. A write that names another version than
// the stored one is a Conflict. Writes are durable on return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::services {

inline constexpr size_t kStateKeyMax = 80;            // bytes; escaped, it must fit a file name
inline constexpr size_t kStateValueMax = 256 * 1024;  // bytes

struct StoredState {
    std::string value;
    int64_t version = 0;
};

// Threads: [any], may block.
class ClusterState {
public:
    virtual ~ClusterState() = default;
    virtual Result<std::optional<StoredState>> get(std::string_view key) = 0;
    // No value: removes the key.
    virtual Status cas(std::string_view key, int64_t version, std::optional<std::string_view> value) = 0;
};

// One file per key in <root>/<instance>/kv, replaced by rename. Two generations of an instance may use it at once.
// Threads: [any], blocks on the disk. Only one process may use a root.
class NodeState {
public:
    explicit NodeState(std::filesystem::path root) : root_(std::move(root)) {}

    // The instance's directory, made with mode 0700.
    Result<std::filesystem::path> directory(std::string_view instance) const;
    // Corrupt: the file is not one of ours.
    Result<std::optional<StoredState>> get(std::string_view instance, std::string_view key);
    Status cas(std::string_view instance, std::string_view key, int64_t version, std::optional<std::string_view> value);

private:
    Result<std::filesystem::path> file_of(std::string_view instance, std::string_view key) const;

    const std::filesystem::path root_;
    std::mutex mutex_;
};

}  // namespace belfry::services
