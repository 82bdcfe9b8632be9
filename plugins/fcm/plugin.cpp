// SPDX-License-Identifier: Apache-2.0
// The entry: one component "fcm", a provider for FCM's HTTP v1 API. Checks, plans, tokens and verdicts are in their own
// files.
#include <belfry/plugin.h>
#include <belfry/provider.h>

#include <memory>

#include "oauth.h"
#include "plan.h"
#include "verdicts.h"

struct belfry_instance {
    explicit belfry_instance(const belfry_host* abi) : host(abi) {}

    fcm::Host host;
    fcm::Config config;
    fcm::Account account;
    int32_t messages_endpoint = -1, token_endpoint = -1, skew_metric = -1;
};

namespace fcm {
namespace {

constexpr uint32_t kPerMinuteDefault = 600'000;  // a project's quota, unless Google raised it

// Nothing may be thrown across the C boundary; here only memory can run out.
template <class Body>
belfry_code guarded(belfry_why* why, Body&& body) noexcept {
    try {
        return body();
    } catch (...) {
        return because(why, BELFRY_INTERNAL, "", "the plugin ran out of memory");
    }
}

belfry_code create(const belfry_host* host, belfry_str, belfry_str config, belfry_instance** out,
                   belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        auto instance = std::make_unique<belfry_instance>(host);
        if (!instance->host.complete())
            return because(why, BELFRY_UNSUPPORTED, "", "this host lacks a service that fcm needs");
        const belfry_code code = read_config(instance->host, view(config), instance->config, why);
        if (code == BELFRY_OK) *out = instance.release();
        return code;
    });
}

int32_t declare(const Host& host, std::string_view url, std::string_view partition, belfry_why* why) {
    auto endpoint = sized<belfry_endpoint>();
    endpoint.flags = BELFRY_ENDPOINT_H1_OK;
    endpoint.url = str(url);
    endpoint.partition = str(partition);
    return host.http->endpoint(host.self, &endpoint, why);
}

belfry_code start(belfry_instance* i, int64_t, belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        std::string key_file, jwt;
        const auto read = [&](belfry_emit emit, void* ctx) {
            return i->host.secret->read(i->host.self, str(std::string_view(i->config.credentials)), emit, ctx, why);
        };
        belfry_code code = collect<belfry_str>(read, [&](const belfry_str& row) { key_file = view(row); });
        ServiceAccount key;
        if (code == BELFRY_OK) code = read_service_account(i->host, key_file, key, why);
        if (code == BELFRY_OK) code = make_account(i->config, std::move(key), i->account, why);
        if (code == BELFRY_OK)
            code = make_assertion(i->host, i->account, jwt, why);  // shows now that the key is usable
        if (code != BELFRY_OK) return code;
        i->skew_metric =
            i->host.metrics->define(i->host.self, BELFRY_METRIC_GAUGE, str("clock_skew_seconds"),
                                    str("This host's clock minus the token endpoint's, at the last token"));
        i->messages_endpoint = declare(i->host, i->config.endpoint, i->account.project_id, why);
        if (i->messages_endpoint < 0) return BELFRY_CONFIG;
        i->token_endpoint = declare(i->host, i->account.token_origin, "", why);
        return i->token_endpoint < 0 ? BELFRY_CONFIG : BELFRY_OK;
    });
}

void destroy(belfry_instance* i) noexcept {
    delete i;
}

belfry_code validate(belfry_instance*, const belfry_token* asked, belfry_emit emit, void* ctx,
                     belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        auto token = belfry::known_part<belfry_token>(asked);
        if (const belfry_code code = check_token(view(token.token), why); code != BELFRY_OK) return code;
        token.size = sizeof token;
        token.variant = 0;
        token.identity = token.token;
        token.data = {};
        emit(ctx, one_row(token));
        return BELFRY_OK;
    });
}

belfry_code prepare(belfry_instance* i, const belfry_content* asked, belfry_emit emit, void* ctx, belfry_prepared** out,
                    belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        const auto content = belfry::known_part<belfry_content>(asked);
        belfry_span members{};
        if (const belfry_code code = check_content(i->host, content, members, why); code != BELFRY_OK) return code;
        *out = nullptr;
        if ((content.flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return BELFRY_OK;
        auto prepared = std::make_unique<belfry_prepared>();
        prepared->to_devices = content.kind == BELFRY_CONTENT_TOKENS;
        prepared->rendered = (content.flags & BELFRY_CONTENT_HAS_HOLES) != 0;
        emit_plan(i->account.project_id, i->messages_endpoint, content, members, emit, ctx);
        *out = prepared.release();
        return BELFRY_OK;
    });
}

void release(belfry_instance*, belfry_prepared* prepared) noexcept {
    delete prepared;
}

belfry_code authorize(belfry_instance* i, uint32_t, int64_t deadline, belfry_emit emit, void* ctx,
                      belfry_why* why) noexcept {
    const Oauth oauth{i->host, i->account, i->token_endpoint, i->skew_metric};
    return guarded(why, [&] { return oauth.authorize(deadline, emit, ctx, why); });
}

// Verdicts that are missing because memory ran out are INTERNAL to the host.
void decode_answers(belfry_instance* i, belfry_list answers, belfry_emit emit, void* ctx) noexcept {
    guarded(nullptr, [&]() -> belfry_code {
        decode(i->host, answers, emit, ctx);
        return BELFRY_OK;
    });
}

constinit const belfry_provider kProvider = {
    sizeof(belfry_provider), 0,      0, kPerMinuteDefault, &validate, &prepare, &release, &authorize, nullptr,
    &decode_answers,         nullptr};

const void* get_interface(belfry_instance*, belfry_str id) noexcept {
    return view(id) == BELFRY_PROVIDER_ID ? &kProvider : nullptr;
}

constinit const belfry_plugin kPlugin = {
    sizeof(belfry_plugin), BELFRY_DRAFT_REVISION, 0, 0, {"fcm", 3}, {"0.1.0", 5}, &create, &start, &destroy,
    &get_interface};

}  // namespace
}  // namespace fcm

extern "C" const belfry_plugin* belfry_plugin_main_draft(const belfry_host*) {
    return &fcm::kPlugin;
}
