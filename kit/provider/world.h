// SPDX-License-Identifier: Apache-2.0
// A provider under test, driven through the host's own adapter: what the host would count as a fault fails the case.
//
// What a provider accepts is its own business, so tokens and payloads are found by trying: those of --token and
// --payload first, then common ones. Threads: one, unless a case says otherwise.
#pragma once

#include <belfry/provider.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner/plugin.h"
#include "conformance/runner/runner.h"
#include "plugins/provider.h"

namespace belfry::kit {

struct Plan {
    int32_t endpoint = -1, credential = -1;
    uint32_t variant = 0, items_max = 1;
    std::string method;
    std::vector<std::string> headers, keep;  // names
    std::string all;                         // everything, to compare
    bool has_body = false;
    bool keeps(std::string_view header) const;
};

// A push that was prepared, with what it was prepared from.
struct Push {
    std::string payload;
    plugins::Prepared prepared;
    std::vector<Plan> plans;
};

struct Reply {
    int32_t status = 200;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers = {};
    uint32_t items = 1;
    int64_t date_unix_ms = 0;
};

struct Judged {
    uint32_t item = 0;
    int32_t outcome = 0, scope = 0;
    uint32_t flags = 0, variant = 0;
    int64_t retry_after_ms = 0, gone_unix_ms = 0;
    std::string message_id, reason;
    bool operator==(const Judged&) const = default;
};
std::string shown(const Judged& verdict);

class ProviderWorld {
public:
    explicit ProviderWorld(conformance::Context& context);
    ProviderWorld(const ProviderWorld&) = delete;
    ProviderWorld& operator=(const ProviderWorld&) = delete;

    // Skips the case if the provider is not one that is judged by HTTP answers.
    void need_http() const;
    void need_encode() const;

    // A token that the provider accepts, as it came out of validate. Skips the case if none is known.
    plugins::CheckedToken token();
    // The text that token() was given as.
    std::string raw_token();
    std::optional<plugins::CheckedToken> validate(std::string_view token, std::string* why = nullptr);
    // A payload that the provider accepts, prepared for device tokens. Skips the case if none is known.
    Push push();
    std::optional<Push> prepare(std::string_view payload, int32_t kind = BELFRY_CONTENT_TOKENS, uint32_t flags = 0,
                                std::string_view target = {}, std::string* why = nullptr);

    // One verdict per item, in the order of the items, which count from `first`.
    std::vector<Judged> decode(const Push& push, std::span<const Reply> replies, uint32_t first = 0);
    Judged decode_one(const Push& push, const Reply& reply);

    // Fails the case if the adapter has counted anything against the plugin.
    void require_no_faults() const;

    conformance::Context& context;
    conformance::FakeHost host;
    conformance::Instance instance;
    const belfry_provider& table;
    plugins::Faults faults;
    plugins::Provider provider;
};

// As an OAuth token endpoint would answer, whatever is asked.
conformance::HttpAnswer granted(const conformance::HttpAsked& asked);
inline constexpr std::string_view kGrantedToken = "kit-access-token-0f343b0931126a20";

}  // namespace belfry::kit
