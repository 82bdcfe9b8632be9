// SPDX-License-Identifier: Apache-2.0
#include "base/small_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace belfry {

Result<std::string> read_small_file(const std::string& path, size_t bytes_max) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    std::string text;
    char piece[16 * 1024];
    while (in && text.size() <= bytes_max) {
        in.read(piece, sizeof piece);
        text.append(piece, static_cast<size_t>(in.gcount()));
    }
    if (!in.is_open() || in.bad()) return error(ErrorCode::Misconfigured, std::strerror(errno ? errno : EIO));
    if (text.size() > bytes_max) {
        const bool large = bytes_max % (1 << 20) == 0;
        return error(ErrorCode::TooLarge, "longer than " + (large ? std::to_string(bytes_max >> 20) + " MiB"
                                                                  : std::to_string(bytes_max) + " bytes"));
    }
    return text;
}

Result<std::string> read_secret_file(const std::string& path) {
    Result<std::string> text = read_small_file(path, kSecretFileBytesMax);
    if (text && text->find('\0') == std::string::npos) {
        while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    }
    return text;
}

}  // namespace belfry
