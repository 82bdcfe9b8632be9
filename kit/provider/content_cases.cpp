// SPDX-License-Identifier: Apache-2.0
// Payloads and the plans that are made of them.
#include <algorithm>
#include <array>
#include <belfry/abi.hpp>
#include <set>
#include <string>
#include <vector>

#include "provider/cases.h"
#include "provider/world.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::require;
using conformance::require_equal;

constexpr size_t kPlansMax = 64;
constexpr int kRepeats = 500;

// Valid JSON all of it: anything else never reaches a plugin.
std::vector<std::string> odd_payloads() {
    std::vector<std::string> odd{"null",
                                 "true",
                                 "0",
                                 "-1e308",
                                 "\"\"",
                                 "\"text\"",
                                 "[]",
                                 "[null,[[]]]",
                                 "{}",
                                 "{\"\":\"\"}",
                                 "{\"message\":null}",
                                 "{\"message\":{\"token\":\"other\"}}",
                                 "{\"message\":{},\"message\":{}}",
                                 "{\"payload\":\"\\u0000\\ud83d\\ude00\"}",
                                 "{\"headers\":{\"authorization\":\"x\\r\\ny: z\"},\"payload\":{}}",
                                 "{\"notification\":{\"title\":\"\xc3\xa4\xf0\x9f\x98\x80\"}}",
                                 " \n\t{ } "};
    odd.push_back(std::string(60, '[') + std::string(60, ']'));
    odd.push_back("{\"message\":" + std::string(60, '[') + std::string(60, ']') + "}");
    odd.push_back("{\"payload\":\"" + std::string(1'000'000, 'x') + "\"}");
    odd.push_back("{\"message\":{\"data\":{\"k\":\"" + std::string(1'000'000, 'x') + "\"}}}");
    std::string wide = "{";
    for (int i = 0; i < 10'000; ++i) wide += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i);
    odd.push_back(wide + "}");
    return odd;
}

void is_deterministic(Context& context) {
    ProviderWorld world(context);
    const Push first = world.push();
    for (int i = 0; i < 5; ++i) {
        const std::optional<Push> again = world.prepare(first.payload);
        require(again.has_value(), "a payload that was taken is taken again");
        require_equal(again->plans.size(), first.plans.size(), "plans of the same payload");
        for (size_t n = 0; n < first.plans.size(); ++n)
            require_equal(again->plans[n].all, first.plans[n].all, "a plan of the same payload");
    }
    world.require_no_faults();
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

void plans_hold(Context& context) {
    ProviderWorld world(context);
    const Push push = world.push();
    if (world.provider.sends()) conformance::skip("the provider sends by itself: it has no plans");
    require(!push.plans.empty() && push.plans.size() <= kPlansMax, "there is a plan, and not a great many");
    std::set<uint32_t> variants;
    for (const Plan& plan : push.plans) {
        require(variants.insert(plan.variant).second, "there is one plan per variant");
        require(plan.endpoint < static_cast<int32_t>(world.host.endpoints()),
                "a plan names an endpoint that start has declared");
        require(plan.items_max >= 1, "a request has a device");
        for (const std::string& name : plan.headers) {
            require(is_token(name), "header names are lower case: " + conformance::shown(name));
            for (const char* ours : {"authorization", "content-length", "host", "connection", "transfer-encoding"})
                require(name != ours, "the header " + name + " is the host's");
        }
        for (const std::string& name : plan.keep)
            require(is_token(name), "names of headers to keep are lower case: " + conformance::shown(name));
    }
    // Where encode writes the requests, a variant may mean something to it alone.
    if (world.table.encode != nullptr) return world.require_no_faults();
    const plugins::CheckedToken token = world.token();
    require(variants.contains(token.variant), "the variant that validate gave the token has a plan");
    world.require_no_faults();
}

void check_only(Context& context) {
    ProviderWorld world(context);
    const Push push = world.push();
    const std::optional<Push> checked = world.prepare(push.payload, BELFRY_CONTENT_TOKENS, BELFRY_CONTENT_CHECK_ONLY);
    require(checked.has_value(), "with CHECK_ONLY the same payload is taken");
    require(checked->plans.empty(), "with CHECK_ONLY no plan is emitted");
    require(checked->prepared.get() == nullptr, "with CHECK_ONLY nothing is kept that would need a release");
    world.require_no_faults();
}

void odd_payloads_survive(Context& context) {
    ProviderWorld world(context);
    size_t taken = 0;
    for (const std::string& payload : odd_payloads()) {
        for (const uint32_t flags : {0u, uint32_t{BELFRY_CONTENT_CHECK_ONLY}, uint32_t{BELFRY_CONTENT_HAS_HOLES}}) {
            context.step("prepare is given " + conformance::shown(payload) + " of " + std::to_string(payload.size()) +
                         " bytes, flags " + std::to_string(flags));
            if (world.prepare(payload, BELFRY_CONTENT_TOKENS, flags)) ++taken;
        }
    }
    context.note(std::to_string(taken) + " of " + std::to_string(odd_payloads().size() * 3) +
                 " odd payloads were taken");
    world.require_no_faults();
}

void other_kinds(Context& context) {
    ProviderWorld world(context);
    const Push push = world.push();
    for (const int32_t kind : {BELFRY_CONTENT_TOPIC, BELFRY_CONTENT_CONDITION, BELFRY_CONTENT_CHANNEL}) {
        for (const std::string_view target : {std::string_view("news"), std::string_view("'a' in topics"),
                                              std::string_view(""), std::string_view("\"\\\r\n\xff", 5)}) {
            context.step("prepare is given kind " + std::to_string(kind) + " and target " + conformance::shown(target));
            world.prepare(push.payload, kind, 0, target);
        }
    }
    // Values of a later host come only to plugins that need it, so there is no right answer; just no harm.
    for (const int32_t kind : {0, 99, -1}) {
        context.step("prepare is given kind " + std::to_string(kind));
        world.prepare(push.payload, kind);
    }
    world.require_no_faults();
}

void release_in_any_order(Context& context) {
    ProviderWorld world(context);
    const std::string payload = world.push().payload;
    std::vector<Push> held;
    for (int i = 0; i < kRepeats; ++i) {
        std::optional<Push> push = world.prepare(payload);
        require(push.has_value(), "a payload that was taken is taken again");
        held.push_back(std::move(*push));
        if (held.size() > 8) held.erase(held.begin() + static_cast<ptrdiff_t>(context.below(held.size())));
    }
    held.clear();
    world.require_no_faults();
}

constexpr std::array<Case, 6> kCases{{
    {"provider.plans_are_deterministic", "the same payload gives the same plans", 20, is_deterministic},
    {"provider.plans_hold", "plans name declared endpoints, known variants and headers that are theirs", 20,
     plans_hold},
    {"provider.check_only", "with CHECK_ONLY a payload is judged, nothing is planned or kept", 20, check_only},
    {"provider.odd_payloads", "any JSON value is taken or refused with a reason", 60, odd_payloads_survive},
    {"provider.content_kinds", "topics, conditions and channels are taken or refused, unknown kinds do no harm", 20,
     other_kinds},
    {"provider.release", "prepared pushes are released in any order, the others stay good", 30, release_in_any_order},
}};

}  // namespace

std::span<const Case> content_cases() {
    return kCases;
}

}  // namespace belfry::kit
