// SPDX-License-Identifier: Apache-2.0
// Two configurations compared: which fixed settings a reload would have to change.
#include <type_traits>
#include <variant>

#include "config/config.h"
#include "config/settings.h"

namespace belfry::config {

std::vector<std::string> changed_settings(Config a, Config b) {
    std::vector<std::string> changed;
    const std::vector<Section> before = fixed_sections(a);
    const std::vector<Section> after = fixed_sections(b);
    const auto same = [](const Slot& one, const Slot& other) {
        return std::visit(
            [&](const auto* left) {
                using Field = std::remove_cv_t<std::remove_pointer_t<decltype(left)>>;
                if constexpr (std::is_same_v<Field, std::vector<ApiKey>> || std::is_same_v<Field, Secret>)
                    return true;
                else
                    return *left == *std::get<Field*>(other);
            },
            one);
    };
    for (size_t i = 0; i < before.size(); ++i) {
        for (size_t k = 0; k < before[i].settings.size(); ++k) {
            const Setting& setting = before[i].settings[k];
            if (same(setting.slot, after[i].settings[k].slot)) continue;
            changed.push_back((before[i].name.empty() ? "" : std::string(before[i].name) + ".") +
                              std::string(setting.key));
        }
    }
    return changed;
}

}  // namespace belfry::config
