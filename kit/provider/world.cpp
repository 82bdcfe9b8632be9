// SPDX-License-Identifier: Apache-2.0
#include "provider/world.h"

#include <algorithm>
#include <belfry/abi.hpp>

namespace belfry::kit {

using conformance::Failed;
using conformance::require;

namespace {

// RFC 8291's own example: a point that is on the curve, of a key that protects nothing.
constexpr const char* kSubscription =
    R"({"endpoint":"https://fcm.googleapis.com/fcm/send/kit-0123456789","keys":{)"
    R"("p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",)"
    R"("auth":"BTBZMqHH6r4Tts7J_aSIgg"}})";
constexpr const char* kTokens[] = {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                   "kit-token-0123456789abcdefghijklmnopqrstuvwxyz:APA91bKit", kSubscription,
                                   "+491701234567", "kit@example.com"};
constexpr const char* kPayloads[] = {R"({"message":{"notification":{"title":"kit","body":"hello"}}})",
                                     R"({"payload":{"aps":{"alert":"kit"}}})",
                                     R"({"message":{"payload":{"notification":{"title":"kit","body":"hello"}}}})",
                                     R"({"message":{"data":"{\"kit\":\"hello\"}"}})",
                                     R"({"payload":"kit says hello"})",
                                     R"({"aps":{"alert":"kit"}})",
                                     R"({"title":"kit","body":"hello","text":"hello"})",
                                     R"({"text":"hello"})",
                                     "{}",
                                     R"("hello")"};

std::string pieces_text(belfry_list pieces) {
    std::string text;
    for (const belfry_piece& piece : Rows<belfry_piece>(pieces))
        text += std::to_string(piece.kind) + ":" + std::to_string(piece.from) + "-" + std::to_string(piece.to) + " ";
    return text;
}

Plan copy_of(const belfry_plan& row) {
    Plan plan;
    plan.endpoint = row.endpoint;
    plan.credential = row.credential;
    plan.variant = row.variant;
    plan.items_max = row.items_max;
    plan.method = text(row.method);
    plan.has_body = row.body.n > 0;
    plan.all = plan.method + "|" + text(row.text) + "|" + pieces_text(row.path) + "|" + pieces_text(row.body) + "|" +
               std::to_string(row.answer_max);
    const Rows<belfry_field> fields(row.headers);
    for (size_t i = 0; i < fields.size(); ++i) {
        const belfry_field field = fields.known(i);
        plan.headers.push_back(text(field.name));
        plan.all += "|" + text(field.name) + "=" + pieces_text(field.value);
    }
    for (const belfry_str& name : Rows<belfry_str>(row.keep)) {
        plan.keep.push_back(text(name));
        plan.all += "|keep " + text(name);
    }
    return plan;
}

Judged copy_of(const belfry_verdict& v) {
    return {v.item,         v.outcome,          v.scope,       v.flags, v.variant, v.retry_after_ms,
            v.gone_unix_ms, text(v.message_id), text(v.reason)};
}

}  // namespace

bool Plan::keeps(std::string_view header) const {
    return std::find(keep.begin(), keep.end(), header) != keep.end();
}

std::string shown(const Judged& verdict) {
    constexpr const char* kNames[] = {"none",    "ACCEPTED",      "DEVICE_GONE",  "REFUSED",
                                      "RETRY",   "THROTTLED",     "AUTH_REFUSED", "MISCONFIGURED",
                                      "EXPIRED", "NOT_SUPPORTED", "FAULT"};
    const auto at = static_cast<size_t>(verdict.outcome);
    std::string text = at < std::size(kNames) ? kNames[at] : "outcome " + std::to_string(verdict.outcome);
    text += " of scope " + std::to_string(verdict.scope);
    if (verdict.retry_after_ms != 0) text += " after " + std::to_string(verdict.retry_after_ms) + " ms";
    if (!verdict.reason.empty()) text += " (" + verdict.reason + ")";
    return text;
}

conformance::HttpAnswer granted(const conformance::HttpAsked&) {
    return {200,
            R"({"access_token":")" + std::string(kGrantedToken) + R"(","token_type":"Bearer","expires_in":3600})",
            {{"content-type", "application/json"}}};
}

ProviderWorld::ProviderWorld(conformance::Context& its_context)
    : context(its_context),
      host(context, "state"),
      instance(host, context.plugin, context.config, BELFRY_PROVIDER_ID),
      table(*static_cast<const belfry_provider*>(instance.interface_table())),
      faults("check"),
      provider(&table, instance.get(), faults) {
    host.answer_http(granted);
}

void ProviderWorld::need_http() const {
    if (table.decode == nullptr) conformance::skip("the provider sends by itself and is not judged by HTTP answers");
}

void ProviderWorld::need_encode() const {
    if (table.encode == nullptr) conformance::skip("the provider has no encode: its plans have bodies");
}

std::optional<plugins::CheckedToken> ProviderWorld::validate(std::string_view token, std::string* why) {
    auto row = sized<belfry_token>();
    row.token = str(token);
    Result<plugins::CheckedToken> checked = provider.validate(row);
    if (checked) return std::move(*checked);
    if (why != nullptr) *why = checked.error().to_string();
    require(checked.error().code != ErrorCode::Internal,
            "validate accepts a token or refuses it; it failed: " + checked.error().to_string());
    return std::nullopt;
}

std::string ProviderWorld::raw_token() {
    std::vector<std::string> candidates = context.tokens;
    if (candidates.empty()) candidates.assign(std::begin(kTokens), std::end(kTokens));
    std::string why;
    for (const std::string& candidate : candidates) {
        if (validate(candidate, &why)) return candidate;
    }
    if (!context.tokens.empty()) throw Failed("no --token is accepted: " + why);
    conformance::skip("no token that it accepts is known; give one with --token");
}

plugins::CheckedToken ProviderWorld::token() {
    return *validate(raw_token());
}

std::optional<Push> ProviderWorld::prepare(std::string_view payload, int32_t kind, uint32_t flags,
                                           std::string_view target, std::string* why) {
    auto content = sized<belfry_content>();
    content.kind = kind;
    content.flags = flags;
    content.payload = str(payload);
    content.target = str(target);
    Push push;
    push.payload = payload;
    Result<plugins::Prepared> prepared =
        provider.prepare(content, [&](const belfry_plan& plan) { push.plans.push_back(copy_of(plan)); });
    if (prepared) {
        push.prepared = std::move(*prepared);
        return push;
    }
    if (why != nullptr) *why = prepared.error().to_string();
    require(prepared.error().code != ErrorCode::Internal,
            "prepare takes a payload or refuses it; it failed: " + prepared.error().to_string());
    return std::nullopt;
}

Push ProviderWorld::push() {
    std::vector<std::string> candidates = context.payloads;
    if (candidates.empty()) candidates.assign(std::begin(kPayloads), std::end(kPayloads));
    std::string why;
    for (const std::string& candidate : candidates) {
        if (std::optional<Push> push = prepare(candidate, BELFRY_CONTENT_TOKENS, 0, {}, &why)) return std::move(*push);
    }
    if (!context.payloads.empty()) throw Failed("no --payload is accepted: " + why);
    conformance::skip("no payload that it accepts is known; give one with --payload");
}

std::vector<Judged> ProviderWorld::decode(const Push& push, std::span<const Reply> replies, uint32_t first) {
    std::vector<std::vector<belfry_header>> headers(replies.size());
    std::vector<std::vector<belfry_str>> tokens(replies.size());
    std::vector<belfry_answer> rows;
    uint32_t items = 0;
    for (size_t i = 0; i < replies.size(); ++i) {
        const Reply& reply = replies[i];
        for (const auto& [name, value] : reply.headers)
            headers[i].push_back({str(std::string_view(name)), str(std::string_view(value))});
        if (table.encode != nullptr) tokens[i].assign(reply.items, str("kit-token"));
        auto row = sized<belfry_answer>();
        row.first_item = first + items;
        row.items = reply.items;
        row.variant = push.plans.empty() ? 0 : push.plans[0].variant;
        row.status = reply.status;
        row.prepared = push.prepared.get();
        row.body = str(std::string_view(reply.body));
        row.headers = list_of(headers[i]);
        row.tokens = list_of(tokens[i]);
        row.date_unix_ms = reply.date_unix_ms;
        rows.push_back(row);
        items += reply.items;
    }
    std::vector<Judged> verdicts(items);
    provider.decode(rows, [&](const belfry_verdict& verdict) { verdicts[verdict.item - first] = copy_of(verdict); });
    return verdicts;
}

Judged ProviderWorld::decode_one(const Push& push, const Reply& reply) {
    return decode(push, std::span(&reply, 1)).at(0);
}

void ProviderWorld::require_no_faults() const {
    std::string found;
    for (size_t i = 0; i < static_cast<size_t>(plugins::Fault::Count); ++i) {
        const auto fault = static_cast<plugins::Fault>(i);
        if (faults.of(fault) == 0) continue;
        found += (found.empty() ? "" : ", ") + std::string(plugins::name_of(fault)) + " x " +
                 std::to_string(faults.of(fault));
    }
    require(found.empty(), "nothing that the host counts as the plugin's fault; it counted: " + found);
}

}  // namespace belfry::kit
