// SPDX-License-Identifier: Apache-2.0
#include "audience/name_numbers.h"

namespace belfry::audience {

namespace {

constexpr int kRacesMax = 16;  // other nodes that add a name at the same time

}  // namespace

Result<std::unique_ptr<NameNumbers>> NameNumbers::open(plugins::Storage& storage, std::string_view key, uint32_t max) {
    std::unique_ptr<NameNumbers> numbers(new NameNumbers(storage, key, max));
    if (const Status loaded = numbers->load(); !loaded) return loaded.error();
    return numbers;
}

Status NameNumbers::load() {
    Result<plugins::KvValue> stored = storage_.kv_get(key_);
    if (!stored) return stored.error();
    version_ = stored->version;
    names_.clear();
    std::string_view rest = stored->value;
    while (!rest.empty()) {
        const size_t line = rest.find('\n');
        names_.emplace_back(rest.substr(0, line));
        rest.remove_prefix(line == std::string_view::npos ? rest.size() : line + 1);
    }
    return {};
}

uint32_t NameNumbers::find(std::string_view name) const {
    for (size_t i = 0; i < names_.size(); ++i) {
        if (names_[i] == name) return static_cast<uint32_t>(i + 1);
    }
    return 0;
}

Result<uint32_t> NameNumbers::number(std::string_view name) {
    BELFRY_ASSERT(!name.empty() && name.find('\n') == std::string_view::npos);
    const std::lock_guard lock(mutex_);
    for (int race = 0; race < kRacesMax; ++race) {
        if (const uint32_t known = find(name); known != 0) return known;
        if (names_.size() >= max_) {
            return error(ErrorCode::TooLarge,
                         "all " + std::to_string(max_) + " numbers of " + key_ + " are given away");
        }
        std::string value;
        for (const std::string& other : names_) value += other + '\n';
        value.append(name) += '\n';
        const Status put = storage_.kv_put(key_, value, version_);
        if (!put && put.error().code != ErrorCode::Conflict) return put.error();
        if (const Status loaded = load(); !loaded) return loaded.error();
    }
    return error(ErrorCode::Unavailable, "other nodes keep changing " + key_ + "; try again");
}

std::string NameNumbers::name(uint32_t number) const {
    const std::lock_guard lock(mutex_);
    return number >= 1 && number <= names_.size() ? names_[number - 1] : std::string();
}

}  // namespace belfry::audience
