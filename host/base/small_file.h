// SPDX-License-Identifier: Apache-2.0
// Files that are read as a whole and are never large: configuration, secrets. Threads: [any].
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace belfry {

// At most bytes_max bytes are kept in memory, whatever the path leads to. The error's message is only the reason: the
// system's words, or "longer than ...".
Result<std::string> read_small_file(const std::string& path, size_t bytes_max);

inline constexpr size_t kSecretFileBytesMax = 1 << 20;
// A file that is one secret. The line ends that editors add are not part of a text; binary files (PKCS#12) are left
// alone.
Result<std::string> read_secret_file(const std::string& path);

}  // namespace belfry
