// SPDX-License-Identifier: Apache-2.0
// notification.fcm as callers send it. Whatever is let through becomes a valid JSON body with our target and no other.

#include "../../plugins/fcm/plan.h"
#include "base/json.h"
#include "fakes/service_host.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;
namespace json = belfry::json;

std::string execute(const belfry_plan& plan, const belfry_content& content, std::string_view token) {
    std::string body;
    for (const belfry_piece& piece : belfry::Rows<belfry_piece>(plan.body)) {
        const std::string_view source =
            piece.kind == BELFRY_PIECE_TEXT ? belfry::view(plan.text) : belfry::view(content.payload);
        require(piece.from <= piece.to && piece.to <= source.size());
        body += piece.kind == BELFRY_PIECE_TOKEN_JSON ? json::escape(token)
                                                      : std::string(source.substr(piece.from, piece.to - piece.from));
    }
    return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const belfry::fakes::TestHost host;
    static const belfry::Services services(host.abi());
    auto content = belfry::sized<belfry_content>();
    content.kind = BELFRY_CONTENT_TOKENS;
    content.payload = belfry::str(belfry::fuzz::text_of(data, size));
    belfry_span members{};
    try {
        members = fcm::check_content(services, content);
    } catch (const belfry::Refused& refused) {
        require(refused.code() != BELFRY_OK && refused.what()[0] != '\0');
        return 0;
    }
    constexpr std::string_view kToken = "t\"1";
    int plans = 0;
    const auto call = [&](belfry_emit emit, void* ctx) {
        fcm::emit_plan("demo", 0, content, members, {emit, ctx});
        return belfry_code{BELFRY_OK};
    };
    belfry::collect<belfry_plan>(call, [&](const belfry_plan& plan) {
        ++plans;
        const std::string body = execute(plan, content, kToken);
        require(static_cast<bool>(json::check(body)));
        require(json::unescape(json::find(body, "message.token")) == kToken);
        for (const char* other : {"message.topic", "message.condition", "message.fid"})
            require(!json::find(body, other));
        require(json::count(json::root(body)) == 1);
    });
    require(plans == 1);
    return 0;
}
