// SPDX-License-Identifier: Apache-2.0
#include "services/state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "base/handles.h"

namespace belfry::services {
namespace {

namespace fs = std::filesystem;

// A file is this line, the version, a line end, and the value.
constexpr std::string_view kMagic = "belfry-state 1 ";

Error failed(const char* doing, const fs::path& path, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return error(full ? ErrorCode::StoreFull : ErrorCode::Unavailable,
                 std::string(doing) + " " + path.string() + ": " + std::strerror(number));
}

// Any key or instance name as one safe file name: what is not [a-z0-9_-] becomes %XX.
std::string file_name(std::string_view text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string name;
    for (const char c : text) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-') {
            name.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            name.append({'%', kHex[byte >> 4], kHex[byte & 15]});
        }
    }
    return name;
}

Status make_private(const fs::path& directory) {
    std::error_code failure;
    fs::create_directories(directory.parent_path(), failure);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed("cannot make", directory, errno);
    return {};
}

Status sync_directory(const fs::path& directory) {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return failed("cannot sync", directory, errno);
    return {};
}

Status write_all(int fd, std::string_view text, const fs::path& path) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed("cannot write", path, errno);
        text.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

// After it, the file has either its old or its new content, also after a power cut.
Status replace(const fs::path& path, std::string_view text) {
    const fs::path next = path.string() + ".next";
    UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return failed("cannot write", next, errno);
    if (Status status = write_all(fd.get(), text, next); !status) return status;
    if (::fsync(fd.get()) != 0) return failed("cannot sync", next, errno);
    fd.reset();
    if (::rename(next.c_str(), path.c_str()) != 0) return failed("cannot replace", path, errno);
    return sync_directory(path.parent_path());
}

Result<std::optional<std::string>> read_file(const fs::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) return std::optional<std::string>();
    if (!fd) return failed("cannot read", path, errno);
    std::string text;
    char part[4096];
    while (text.size() <= kStateValueMax + 64) {
        const ssize_t n = ::read(fd.get(), part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed("cannot read", path, errno);
        if (n == 0) return std::optional<std::string>(std::move(text));
        text.append(part, static_cast<size_t>(n));
    }
    return error(ErrorCode::Corrupt, path.string() + " is longer than any state of ours");
}

Result<std::optional<StoredState>> parse(const fs::path& path, const std::string& text) {
    const size_t line_end = text.find('\n');
    StoredState stored;
    bool whole = line_end != std::string::npos && text.compare(0, kMagic.size(), kMagic) == 0;
    if (whole) {
        const char* end = text.data() + line_end;
        const auto [rest, failure] = std::from_chars(text.data() + kMagic.size(), end, stored.version);
        whole = failure == std::errc{} && rest == end && stored.version > 0;
    }
    if (!whole) return error(ErrorCode::Corrupt, path.string() + " is not a state file; remove it to start anew");
    stored.value = text.substr(line_end + 1);
    return std::optional<StoredState>(std::move(stored));
}

}  // namespace

Result<fs::path> NodeState::directory(std::string_view instance) const {
    fs::path path = root_ / file_name(instance);
    if (Status status = make_private(path); !status) return status.error();
    return path;
}

Result<fs::path> NodeState::file_of(std::string_view instance, std::string_view key) const {
    if (key.empty() || key.size() > kStateKeyMax) {
        return error(ErrorCode::InvalidArgument, "a state key has 1 to " + std::to_string(kStateKeyMax) + " bytes");
    }
    auto own = directory(instance);
    if (!own) return own.error();
    const fs::path folder = *own / "kv";
    if (Status status = make_private(folder); !status) return status.error();
    return folder / ("k" + file_name(key));
}

Result<std::optional<StoredState>> NodeState::get(std::string_view instance, std::string_view key) {
    const auto path = file_of(instance, key);
    if (!path) return path.error();
    const std::lock_guard lock(mutex_);
    auto text = read_file(*path);
    if (!text) return text.error();
    if (!text->has_value()) return std::optional<StoredState>();
    return parse(*path, **text);
}

Status NodeState::cas(std::string_view instance, std::string_view key, int64_t version,
                      std::optional<std::string_view> value) {
    if (value && value->size() > kStateValueMax) {
        return error(ErrorCode::TooLarge, "a state value has at most " + std::to_string(kStateValueMax) + " bytes");
    }
    const auto path = file_of(instance, key);
    if (!path) return path.error();
    const std::lock_guard lock(mutex_);
    auto text = read_file(*path);
    if (!text) return text.error();
    int64_t stored = 0;
    if (text->has_value()) {
        auto state = parse(*path, **text);
        if (!state) return state.error();
        stored = (*state)->version;
    }
    if (stored != version) {
        return error(ErrorCode::Conflict,
                     "the stored version is " + std::to_string(stored) + ", not " + std::to_string(version));
    }
    if (value) return replace(*path, std::string(kMagic) + std::to_string(version + 1) + "\n" + std::string(*value));
    if (::unlink(path->c_str()) != 0 && errno != ENOENT) return failed("cannot remove", *path, errno);
    return sync_directory(path->parent_path());
}

}  // namespace belfry::services
