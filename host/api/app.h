// SPDX-License-Identifier: Apache-2.0
// An app as the API knows it: its name and what its clients call its providers. Threads: [immutable].
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::api {

struct ProviderName {
    std::string wire, instance;
    bool canonical = true;  // the name used in answers; others are only understood
};

struct App {
    std::string name;
    std::vector<ProviderName> providers;

    // Null: no provider of this name.
    const ProviderName* by_wire(std::string_view wire) const noexcept {
        const auto it =
            std::find_if(providers.begin(), providers.end(), [&](const ProviderName& p) { return p.wire == wire; });
        return it == providers.end() ? nullptr : &*it;
    }
    // What clients call an instance; an instance that the app does not have keeps its own name.
    std::string_view wire_of(std::string_view instance) const noexcept {
        const auto it = std::find_if(providers.begin(), providers.end(),
                                     [&](const ProviderName& p) { return p.instance == instance && p.canonical; });
        return it == providers.end() ? instance : std::string_view(it->wire);
    }
    // "known are apns, fcm", for refusals.
    std::string known() const {
        std::string out;
        for (const ProviderName& p : providers) out += (out.empty() ? "known are " : ", ") + p.wire;
        return out.empty() ? "none is configured" : out;
    }
};

}  // namespace belfry::api
