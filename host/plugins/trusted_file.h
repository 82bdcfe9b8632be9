// SPDX-License-Identifier: Apache-2.0
// Files whose content becomes code of this process: who may have written them, and one reading of them.
//
// A file is trusted if it and every folder above it belong to root or to the user this process runs as, and nobody else
// can write to them. Under dev = true two things only warn: what the own group may write, and sticky folders like /tmp.
// Threads: [control].
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belfry::plugins {

struct TrustRules {
    bool dev = false;
};

struct TrustedFile {
    std::vector<std::byte> bytes;
    std::vector<std::string> warnings;  // each a line that names its file or folder
};

// Opened once, not through a symbolic link; what was checked is what was read. The error is one line that begins with
// `path`; NotFound if there is no such file.
Result<TrustedFile> read_trusted(const std::string& path, size_t bytes_max, const TrustRules& rules);

// A folder from which `file` may load libraries, and every folder above it; one that does not exist counts as far as it
// does.
Status check_trusted_folder(const std::string& file, const std::string& folder, const TrustRules& rules,
                            std::vector<std::string>& warnings);

// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(const void* bytes, size_t n);

// A folder that only this user can look into, made with its parents if it is not there.
Status make_private_folder(const std::string& path);

// Writes bytes as <folder>/<name>, at once or not at all, mode 0500. What is there with equal bytes stays.
Status write_private_copy(const std::string& folder, const std::string& name, const std::vector<std::byte>& bytes);

}  // namespace belfry::plugins
