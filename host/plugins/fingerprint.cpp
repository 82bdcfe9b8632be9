// SPDX-License-Identifier: Apache-2.0
#include "plugins/fingerprint.h"

#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <string_view>

#include "plugins/secrets.h"
#include "plugins/trusted_file.h"

namespace belfry::plugins {

namespace {

constexpr off_t kReadMax = 4 << 20;  // of a file; a larger one is compared by its size and time

// Every part behind its length, so that no two lists of parts read the same.
class Parts {
public:
    ~Parts() { wipe(text_); }
    Parts() = default;
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    void add(std::string_view part) {
        add(static_cast<int64_t>(part.size()));
        text_ += part;
    }
    void add(int64_t number) { text_ += std::to_string(number) + ":"; }
    void add_file(const std::string& path) {
        add(path);
        struct stat is {};
        if (path.empty() || ::stat(path.c_str(), &is) != 0) return add(-1);
        if (!S_ISREG(is.st_mode)) return add(0);
        add(is.st_size);
        if (is.st_size > kReadMax) {
            add(is.st_mtim.tv_sec);
            return add(is.st_mtim.tv_nsec);
        }
        std::string bytes(static_cast<size_t>(is.st_size), '\0');
        std::ifstream in(path, std::ios::binary);
        in.read(bytes.data(), is.st_size);
        add(in.gcount());
        add(bytes);
        wipe(bytes);
    }
    std::string sum() const { return sha256_hex(text_.data(), text_.size()); }

private:
    std::string text_;
};

}  // namespace

std::string fingerprint_of(const PreparedComponent& component, const std::vector<std::string>& paths) {
    Parts parts;
    parts.add(component.plugin->sha256);
    parts.add(component.component->name);
    parts.add(component.config);
    component.secrets->each([&](const std::string& id, const std::string& value) {
        parts.add(id);
        parts.add(value);
    });
    for (const std::string& path : paths) parts.add_file(path);
    const HostSettings& settings = component.settings;
    parts.add(settings.connections_max);
    parts.add_file(settings.ca_file);
    parts.add(settings.plain_loopback ? 1 : 0);
    parts.add(settings.proxy.url);
    parts.add(settings.proxy.user);
    parts.add(settings.proxy.password);
    parts.add(settings.proxy.looks_up ? 1 : 0);
    parts.add(settings.critical ? 1 : 0);
    return parts.sum();
}

}  // namespace belfry::plugins
