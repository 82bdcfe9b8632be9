// SPDX-License-Identifier: Apache-2.0
#include "plugins/trusted_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/handles.h"
#include "plugins/refusal.h"

namespace belfry::plugins {

namespace {

namespace fs = std::filesystem;

std::string octal(mode_t mode) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777u));
    return text.data();
}

// What is wrong with the owner or mode of `path`; warnings are appended where dev = true turns a finding into one.
std::optional<Error> mode_finding(const std::string& file, const std::string& path, const struct stat& info,
                                  const TrustRules& rules, std::vector<std::string>& warnings) {
    const bool folder = S_ISDIR(info.st_mode);
    const std::string name = path == file ? "it" : std::string(folder ? "its folder " : "") + path;
    const bool own = info.st_uid == ::geteuid();
    if (info.st_uid != 0 && !own) {
        return refusal(file, name + " belongs to user " + std::to_string(info.st_uid) + ", who could replace it",
                       "make root or the user Belfry runs as its owner");
    }
    const bool by_all = (info.st_mode & S_IWOTH) != 0, by_group = (info.st_mode & S_IWGRP) != 0;
    if (!by_all && !by_group) return std::nullopt;
    const bool sticky = folder && (info.st_mode & S_ISVTX) != 0;
    const std::string who = by_all ? "everybody" : "its group";
    if (rules.dev && (sticky || (own && !by_all))) {
        warnings.push_back(path + ": " + who + " can write to it (mode " + octal(info.st_mode) +
                           "); tolerated because of dev = true");
        return std::nullopt;
    }
    // A folder like /tmp is as it must be; the plugins are in the wrong place.
    const std::string remedy = sticky
                                   ? "move the plugins below folders that others cannot write to, like /usr/local/lib"
                                   : std::string(by_all ? "chmod go-w " : "chmod g-w ") + path;
    const char* tolerated = sticky || (own && !by_all) ? ", or set dev = true on a developer's machine" : "";
    return refusal(file, name + " can be written by " + who + " (mode " + octal(info.st_mode) + ")",
                   remedy + tolerated);
}

std::optional<Error> folder_finding(const std::string& file, const fs::path& folder, const TrustRules& rules,
                                    std::vector<std::string>& warnings) {
    for (fs::path at = folder;; at = at.parent_path()) {
        struct stat info {};
        if (::lstat(at.c_str(), &info) != 0)
            return refusal(file, "cannot look at " + at.string() + ": " + std::strerror(errno),
                           "check its permissions");
        if (auto finding = mode_finding(file, at.string(), info, rules, warnings)) return finding;
        if (at == at.root_path()) return std::nullopt;
    }
}

Result<std::vector<std::byte>> read_whole(int fd, size_t size) {
    std::vector<std::byte> bytes(size);
    size_t done = 0;
    while (done < size) {
        const ssize_t n = ::read(fd, bytes.data() + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error(ErrorCode::Unavailable, std::strerror(errno));
        if (n == 0) break;
        done += static_cast<size_t>(n);
    }
    bytes.resize(done);
    return bytes;
}

}  // namespace

Result<TrustedFile> read_trusted(const std::string& path, size_t bytes_max, const TrustRules& rules) {
    std::error_code failed;
    const fs::path folder = fs::canonical(fs::absolute(path).parent_path(), failed);
    if (failed) return error(ErrorCode::NotFound, "there is no such folder", path);
    const std::string real = (folder / fs::path(path).filename()).string();
    const UniqueFd fd(::open(real.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT) return error(ErrorCode::NotFound, "there is no such file", path);
        if (errno == ELOOP)
            return refusal(path, "it is a symbolic link, which could be turned elsewhere", "put the file itself there");
        return refusal(path, std::string("cannot open it: ") + std::strerror(errno),
                       "let the user Belfry runs as read it");
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
        return refusal(path, std::string("cannot look at it: ") + std::strerror(errno), "check the disk");
    if (!S_ISREG(info.st_mode)) return refusal(path, "it is not a regular file", "put a file there");
    TrustedFile file;
    if (auto finding = mode_finding(path, path, info, rules, file.warnings)) return *finding;
    if (auto finding = folder_finding(path, folder, rules, file.warnings)) return *finding;
    if (info.st_size < 0 || static_cast<uint64_t>(info.st_size) > bytes_max)
        return refusal(path, "it is longer than " + std::to_string(bytes_max) + " bytes", "put the right file there");
    Result<std::vector<std::byte>> bytes = read_whole(fd.get(), static_cast<size_t>(info.st_size));
    if (!bytes) return refusal(path, "cannot read it: " + bytes.error().message, "check the disk");
    file.bytes = std::move(*bytes);
    return file;
}

Status check_trusted_folder(const std::string& file, const std::string& folder, const TrustRules& rules,
                            std::vector<std::string>& warnings) {
    std::error_code failed;
    fs::path at = fs::path(folder).lexically_normal();
    while (!fs::exists(at, failed) && at != at.root_path()) at = at.parent_path();
    at = fs::canonical(at, failed);
    if (failed) return refusal(file, "cannot look at " + folder + ": " + failed.message(), "check its permissions");
    if (auto finding = folder_finding(file, at, rules, warnings)) return *finding;
    return {};
}

std::string sha256_hex(const void* bytes, size_t n) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    BELFRY_ASSERT(EVP_Digest(bytes, n, digest.data(), &size, EVP_sha256(), nullptr) == 1);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        hex += kDigits[digest[i] >> 4];
        hex += kDigits[digest[i] & 15];
    }
    return hex;
}

Status make_private_folder(const std::string& path) {
    std::error_code failed;
    fs::create_directories(fs::path(path).parent_path(), failed);
    if (failed) return error(ErrorCode::Misconfigured, "cannot make its parent folder: " + failed.message(), path);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return error(ErrorCode::Misconfigured, std::string("cannot make this folder: ") + std::strerror(errno), path);
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != ::geteuid())
        return error(ErrorCode::Misconfigured, "is not a folder of the user Belfry runs as; remove it", path);
    if ((info.st_mode & 077) != 0 && ::chmod(path.c_str(), 0700) != 0)
        return error(ErrorCode::Misconfigured, std::string("cannot be made private: ") + std::strerror(errno), path);
    return {};
}

Status write_private_copy(const std::string& folder, const std::string& name, const std::vector<std::byte>& bytes) {
    const std::string path = folder + "/" + name;
    const Result<TrustedFile> there = read_trusted(path, bytes.size(), TrustRules{true});
    if (there && there->bytes == bytes) return {};
    const std::string temporary = path + "." + std::to_string(::getpid()) + ".part";
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0500));
    if (!fd)
        return error(ErrorCode::Misconfigured, std::string("cannot write a private copy: ") + std::strerror(errno),
                     path);
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const std::string why = std::strerror(errno);
            ::unlink(temporary.c_str());
            return error(ErrorCode::StoreFull, "cannot write a private copy: " + why, path);
        }
        done += static_cast<size_t>(n);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        return error(ErrorCode::Misconfigured, std::string("cannot write a private copy: ") + std::strerror(errno),
                     path);
    return {};
}

}  // namespace belfry::plugins
