// SPDX-License-Identifier: Apache-2.0
// The manifest, a JSON file beside every plugin (acme.so, acme.json), read before any of the plugin's code runs:
//
//   {
//     "belfry_plugin": 1,               format of this file
//     "id": "acme",                     [a-z0-9._-]+, equal to belfry_plugin.id
//     "version": "1.2.0",               equal to belfry_plugin.version
//     "draft_revision": 1,              BELFRY_DRAFT_REVISION it was built with
//     "needs_minor": 0,                 lowest BELFRY_ABI_MINOR that has all it uses
//     "description": "...", "licence": "Apache-2.0",          optional
//     "sha256": "...",                  optional: of the .so
//     "components": [
//       {
//         "name": "acme",               what create() is given; in configuration: plugin = "acme"
//         "kind": "provider",           storage | queue | provider | sink
//         "description": "...",         optional
//         "config_schema": { ... }      JSON Schema, draft 7, of the configuration section; an object
//       }
//     ]
//   }
//
// In schemas "format": "secret" marks texts that reach the plugin as {"$secret": id}, and "format": "path" marks file
// names, which reach it absolute. "examples": [{...}] of a schema is what the probe creates an instance with.
// Members that this host does not know are left alone. Threads: [any].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belfry::plugins {

enum class Kind : uint8_t { Storage, Queue, Provider, Sink };
std::string_view name_of(Kind kind) noexcept;
// "belfry.provider/1"
std::string_view interface_id(Kind kind) noexcept;

inline constexpr size_t kManifestBytesMax = 1 << 20;
inline constexpr size_t kComponentsMax = 16;

struct Component {
    std::string name;
    Kind kind = Kind::Provider;
    std::string description;
    std::string schema;  // JSON text
};

struct Manifest {
    std::string id, version, description, licence;
    std::string sha256;  // of the .so, lower-case hex; empty: not stated
    uint32_t draft_revision = 0;
    uint32_t needs_minor = 0;
    std::vector<Component> components;  // as written

    const Component* find(std::string_view name) const noexcept;
};

// The error is one line that begins with `file`.
Result<Manifest> parse_manifest(std::string_view text, const std::string& file);

}  // namespace belfry::plugins
