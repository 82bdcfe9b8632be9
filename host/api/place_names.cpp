// SPDX-License-Identifier: Apache-2.0
#include "api/place_names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/handles.h"

namespace belfry::api {
namespace {

bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

// Parts of letters, digits, '_', '+', '-' between slashes: no dots, so no way out of the database's folder.
bool has_timezone_form(std::string_view name) noexcept {
    char before = '/';
    for (const char c : name) {
        const bool good = is_letter(c) || (before != '/' && (is_digit(c) || c == '_' || c == '+' || c == '-')) ||
                          (c == '/' && before != '/');
        if (!good) return false;
        before = c;
    }
    return !name.empty() && before != '/';
}

// RFC 9636 3.1: a timezone file begins with these four bytes; tables and lists beside them do not.
bool is_timezone_file(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4> magic{};
    return fd && ::read(fd.get(), magic.data(), magic.size()) == 4 && std::string_view(magic.data(), 4) == "TZif";
}

}  // namespace

bool is_timezone(std::string_view name, const std::string& database) {
    if (!has_timezone_form(name)) return false;
    // Copies of the database in other time scales, not names.
    if (name.substr(0, 6) == "posix/" || name.substr(0, 6) == "right/") return false;
    struct stat facts {};
    if (::stat(database.c_str(), &facts) != 0) return true;
    return is_timezone_file(database + "/" + std::string(name));
}

bool is_locale(std::string_view tag) noexcept {
    size_t parts = 0;
    while (true) {
        const size_t end = std::min(tag.find('-'), tag.size());
        const std::string_view part = tag.substr(0, end);
        const bool letters = std::all_of(part.begin(), part.end(), is_letter);
        const bool good =
            parts == 0 ? letters && ((part.size() >= 2 && part.size() <= 8) || part == "x" || part == "i")
                       : part.size() >= 1 && part.size() <= 8 &&
                             std::all_of(part.begin(), part.end(), [](char c) { return is_letter(c) || is_digit(c); });
        if (!good) return false;
        ++parts;
        if (end == tag.size()) break;
        tag.remove_prefix(end + 1);
        if (tag.empty()) return false;
    }
    return true;
}

}  // namespace belfry::api
