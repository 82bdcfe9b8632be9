// SPDX-License-Identifier: Apache-2.0
// Checks request parameters against the table, in the order in which they stand in the request, and gives typed access
// to them.
//
// Nothing is copied while checking: a Checked borrows the request's text. Payloads stay byte ranges of it.
// Threads: [any], no state.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/app.h"
#include "api/fault.h"
#include "api/schema.h"
#include "base/json.h"

namespace belfry::api {

// An object whose members fit the table. Asking for a field that the table does not have is a programming error.
class Checked {
public:
    // There, and neither null nor (for what the published clients leave out) empty.
    bool has(std::string_view field) const;
    std::string text(std::string_view field) const;
    int64_t integer(std::string_view field, int64_t absent = 0) const;
    bool boolean(std::string_view field) const;
    std::vector<std::string> texts(std::string_view field) const;
    const json::Value& value(std::string_view field) const;
    const Checked* object(std::string_view field) const;  // null: absent
    // Others::Providers: payload by provider, in the request's order; the later of two equal names counts.
    const std::vector<std::pair<const ProviderName*, json::Value>>& payloads() const noexcept { return payloads_; }

private:
    friend class Reader;
    size_t index_of(std::string_view field) const;
    const ObjectType* type_ = nullptr;
    std::vector<json::Value> values_;  // by index in type_->fields
    std::vector<std::unique_ptr<Checked>> objects_;
    std::vector<std::pair<const ProviderName*, json::Value>> payloads_;
};

// Whether two keys are the same but for the case of ASCII letters.
bool same_key(std::string_view a, std::string_view b) noexcept;

// `params` must come from text that passed json::check; null and absent mean {}.
std::variant<Checked, Fault> read(const json::Value& params, const ObjectType& type, const App& app);

}  // namespace belfry::api
