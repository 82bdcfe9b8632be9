// SPDX-License-Identifier: Apache-2.0
#include "plugins/secrets.h"

#include <string.h>  // explicit_bzero

namespace belfry::plugins {

void wipe(std::string& text) noexcept {
    explicit_bzero(text.data(), text.size());
    text.clear();
}

void SecretStore::add(const std::string& id, std::string_view value) {
    std::string& slot = values_[id];
    plugins::wipe(slot);
    slot.assign(value);
}

Result<std::string> SecretStore::read(std::string_view id) const {
    const auto it = values_.find(id);
    if (it == values_.end())
        return error(ErrorCode::NotFound, "there is no secret of this id; secrets can be read in start only",
                     std::string(id));
    return it->second;
}

void SecretStore::each(const std::function<void(const std::string&, const std::string&)>& see) const {
    for (const auto& [id, value] : values_) see(id, value);
}

void SecretStore::wipe() noexcept {
    for (auto& [id, value] : values_) plugins::wipe(value);
    values_.clear();
}

}  // namespace belfry::plugins
