// SPDX-License-Identifier: Apache-2.0
// The API key of embedded mode. The only part of config that writes.
#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/handles.h"
#include "config/config.h"

namespace belfry::config {
namespace {

Error failed(const std::string& file, const char* what) {
    return error(
        ErrorCode::Unavailable,
        std::string(what) + " (" + std::strerror(errno) + "); make data_dir writable, or configure a key in [api] keys",
        file);
}

std::string random_key() {
    std::array<unsigned char, 24> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

// Makes the file with its content at once: a reader never sees it empty, and of two starters one wins.
Status write_new(const std::string& file, const std::string& key) {
    const std::string draft = file + "." + std::to_string(::getpid());
    const UniqueFd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return failed(draft, "cannot create the file for the generated API key");
    const std::string line = key + "\n";
    const bool written =
        ::write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd.get()) == 0;
    const bool linked = written && (::link(draft.c_str(), file.c_str()) == 0 || errno == EEXIST);
    const Status status = linked ? Status() : Status(failed(file, "cannot write the generated API key"));
    ::unlink(draft.c_str());
    return status;
}

std::string read_key(const std::string& file) {
    std::ifstream in(file);
    std::string key;
    std::getline(in, key);
    return key;
}

}  // namespace

bool wants_embedded_key(const Config& config) {
    return config.file.empty() &&
           std::all_of(config.apps.begin(), config.apps.end(), [](const AppConfig& a) { return a.keys.empty(); });
}

Result<EmbeddedKey> add_embedded_key(Config& config) {
    EmbeddedKey result{(std::filesystem::path(config.data_dir) / kEmbeddedKeyFile).string(), false};
    std::error_code fault;
    if (std::filesystem::create_directories(config.data_dir, fault))
        std::filesystem::permissions(config.data_dir, std::filesystem::perms::owner_all, fault);
    std::string key = read_key(result.file);
    if (key.empty()) {
        const std::string fresh = random_key();
        if (fresh.empty()) return error(ErrorCode::Internal, "no random numbers for an API key", result.file);
        const Status written = write_new(result.file, fresh);
        if (!written) return written.error();
        key = read_key(result.file);
        result.created = key == fresh;
    }
    if (key.empty()) {
        return error(ErrorCode::Misconfigured, "the file holds no API key; remove it to have a new one generated",
                     result.file);
    }
    config.apps.front().keys.push_back({"embedded", Secret(key, "file " + result.file), result.file});
    return result;
}

}  // namespace belfry::config
