// SPDX-License-Identifier: Apache-2.0
// Bounds of what a row may hold and of what one step may do. The host checks the first group too; here they keep a file
// readable whatever calls.
#pragma once

#include <cstddef>
#include <cstdint>

namespace belfry::storage {

inline constexpr size_t kTokenBytesMax = 4096;
inline constexpr size_t kDataBytesMax = 1024;
inline constexpr size_t kNameBytesMax = 255;  // user, topic, provider, platform, timezone, locale
inline constexpr size_t kMetaBytesMax = 16384;
inline constexpr size_t kTopicsPerDeviceMax = 1000;  // of origin device; bound ones come on top
inline constexpr size_t kKvKeyBytesMax = 512;
inline constexpr size_t kKvValueBytesMax = 1 << 20;

// Rows that leave in one emit call.
inline constexpr uint32_t kRowsPerEmit = 256;
// Rows of a batch that one transaction takes: long enough to share a sync, short enough not to hold the writer for
// long.
inline constexpr uint32_t kRowsPerTransaction = 500;
// Rows that one read looks at before it ends its snapshot, so that no reader keeps the WAL from being reset.
inline constexpr uint32_t kRowsPerSnapshot = 10000;

}  // namespace belfry::storage
