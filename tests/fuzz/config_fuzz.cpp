// SPDX-License-Identifier: Apache-2.0
// A configuration: the TOML file, then behind a line "---" one line each of NAME=value (environment) or key=value
// (--set). Whatever comes, it is either a usable configuration or findings of one line each.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/handles.h"
#include "base/json.h"
#include "config/config.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;
namespace config = belfry::config;

void require_usable(const config::ComponentConfig& component) {
    require(!component.instance.empty() && !component.plugin.empty());
    require(static_cast<bool>(belfry::json::check(component.section)));
    require(belfry::json::root(component.section).is(belfry::json::Type::Object));
}

void require_usable(const config::Config& read) {
    require(!read.apps.empty() && read.apps.front().name == config::kDefaultApp && !read.data_dir.empty());
    require(read.http.threads_max > 0 && read.http.max_body_bytes > 0 && read.delivery.attempts_max > 0);
    require_usable(read.storage);
    require_usable(read.queue);
    for (const config::ComponentConfig& provider : read.providers) require_usable(provider);
    for (const config::AppConfig& app : read.apps) {
        for (const config::ApiKey& key : app.keys) require(!key.key.empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const belfry::UniqueFd file(::memfd_create("belfry.toml", MFD_CLOEXEC));
    belfry::fuzz::Input input(data, size);
    const std::string_view toml = input.until("\n---\n");
    if (toml.find("/dev") != std::string_view::npos) return 0;  // devices are not for a test to read
    require(::ftruncate(file.get(), 0) == 0);
    require(::pwrite(file.get(), toml.data(), toml.size(), 0) == static_cast<ssize_t>(toml.size()));
    config::LoadArgs args;
    args.file = "/proc/self/fd/" + std::to_string(file.get());
    args.search_default_files = false;
    while (!input.empty()) {
        const std::string line(input.until("\n"));
        const size_t equals = line.find('=');
        if (line.find("/dev") != std::string::npos) return 0;
        if (line.rfind("BELFRY_", 0) == 0 && line.rfind("BELFRY_CONFIG", 0) != 0 && equals != std::string::npos) {
            args.environment[line.substr(0, equals)] = line.substr(equals + 1);
        } else {
            args.sets.push_back(line);
        }
    }
    const belfry::Result<config::Config> read = config::load(args);
    if (read) {
        require_usable(*read);
    } else {
        require(!read.error().message.empty() && read.error().message.find("\n\n") == std::string::npos);
    }
    return 0;
}
