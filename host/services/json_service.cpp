// SPDX-License-Identifier: Apache-2.0
// belfry.json/1 over base/json: spans of the caller's text.
#include <array>
#include <string>

#include "base/json.h"
#include "services/tables.h"

namespace belfry::services {
namespace {

constexpr size_t kTextMax = UINT32_MAX;  // spans are 32 bits wide
constexpr size_t kRows = 64;             // entries per emit

belfry_json_value value_in(std::string_view text, const json::Value& value) noexcept {
    if (!value) return {};
    return {static_cast<int32_t>(value.type),
            {static_cast<uint32_t>(value.raw.data() - text.data()), static_cast<uint32_t>(value.raw.size())}};
}

json::Value value_of(std::string_view text, belfry_span at) noexcept {
    if (at.at > text.size() || at.n > text.size() - at.at) return {};
    return json::root(text.substr(at.at, at.n));
}

belfry_code check(const belfry_host*, belfry_str raw, belfry_why* why) noexcept {
    const std::string_view text = view(raw);
    if (text.size() > kTextMax) return because(why, BELFRY_TOO_LARGE, "", "JSON text of 4 GiB or more");
    const json::Check result = json::check(text);
    if (result) return BELFRY_OK;
    return guarded(why, [&] { return because(why, BELFRY_BAD_REQUEST, "", json::describe(text, result)); });
}

belfry_json_value find(const belfry_host*, belfry_str text, belfry_str path) noexcept {
    return value_in(view(text), json::find(view(text), view(path)));
}

void entries(const belfry_host*, belfry_str raw, belfry_span at, belfry_emit emit, void* ctx) noexcept {
    const std::string_view text = view(raw);
    std::array<belfry_json_entry, kRows> rows;
    uint32_t n = 0;
    for (const json::Entry& entry : json::Entries(value_of(text, at))) {
        rows[n++] = {value_in(text, entry.key), value_in(text, entry.value)};
        if (n < kRows) continue;
        if (emit(ctx, {rows.data(), n, sizeof rows[0]}) != 0) return;
        n = 0;
    }
    if (n != 0) emit(ctx, {rows.data(), n, sizeof rows[0]});
}

void unescape(const belfry_host*, belfry_str raw, belfry_span at, belfry_emit emit, void* ctx) noexcept {
    guarded(0, [&] {
        const json::Value value = value_of(view(raw), at);
        if (json::is_plain(value)) {
            emit_text(json::inside(value), emit, ctx);
        } else {
            emit_text(std::string_view(json::unescape(value)), emit, ctx);
        }
        return 0;
    });
}

void escape(const belfry_host*, belfry_str raw, belfry_emit emit, void* ctx) noexcept {
    guarded(0, [&] {
        emit_text(std::string_view(json::escape(view(raw))), emit, ctx);
        return 0;
    });
}

}  // namespace

constinit const belfry_json kJsonTable = {sizeof(belfry_json), 0, &check, &find, &entries, &unescape, &escape};

}  // namespace belfry::services
