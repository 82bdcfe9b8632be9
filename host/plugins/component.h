// SPDX-License-Identifier: Apache-2.0
// A configured component before it runs: its plugin, its section split into what is the host's and what is the
// plugin's, and checked. Threads: [any].
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "plugins/host_factory.h"
#include "plugins/loader.h"
#include "plugins/schema.h"
#include "plugins/secrets.h"

namespace belfry::plugins {

// What the configuration says about an instance.
struct ComponentSpec {
    std::string instance;  // "storage", "queue", or the section's name
    std::string plugin;    // "acme", or "acme/queue" where a plugin offers several components of a kind
    Kind kind = Kind::Provider;
    std::string section = "{}";  // JSON; secrets as {"$secret": id}. Host-level keys may have been taken out or not
    std::vector<std::pair<std::string, std::string>> secrets;  // id, value
    std::string folder;                                        // where relative paths of the section start
    LoosePaths loose;                                          // all but these
    HostSettings settings;                                     // host-level keys that were taken out already
};

// "[providers.fcm]": where an instance is configured, for messages.
std::string section_name(Kind kind, const std::string& instance);

// A component that only needs to be created.
struct PreparedComponent {
    std::string instance;
    std::shared_ptr<const LoadedPlugin> plugin;  // shared with other instances of it
    const Component* component = nullptr;        // of plugin->manifest
    std::string config;                          // for create
    std::shared_ptr<SecretStore> secrets;        // shared by the attempts to start; wiped after the one that succeeds
    HostSettings settings;
    // Equal for what would make the same generation: plugin, section, values of secrets, what stands in the files it
    // names, the host's settings but the rate, which changes without a new generation.
    std::string fingerprint;
};

// Loads the plugin and checks the section: host-level keys, then the component's schema. Errors name the place in the
// configuration
// ("[providers.fcm] /timeout_s"), or the plugin's file.
Result<PreparedComponent> prepare_component(Loader& loader, const ComponentSpec& spec);

// Takes the host's keys out of a provider's section (rate, max_connections, proxy, ca_file, isolation) and out of any
// section (plugin, critical). Relative paths start at `folder`.
Status split_host_keys(Kind kind, const std::string& folder, std::string& section, HostSettings& settings);

}  // namespace belfry::plugins
