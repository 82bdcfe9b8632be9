// SPDX-License-Identifier: Apache-2.0
// Credentials: made from what the fake host's services answer, and never told to anybody else.
#include <belfry/services.h>

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
using conformance::HttpAnswer;
using conformance::HttpAsked;
using conformance::require;

constexpr int64_t kYearMs = 366 * 24 * 3600 * int64_t{1000};
constexpr size_t kSecretMin = 6;  // a shorter one would be found everywhere

std::set<uint32_t> slots_of(ProviderWorld& world) {
    std::set<uint32_t> slots;
    for (const Plan& plan : world.push().plans) {
        if (plan.credential >= 0) slots.insert(static_cast<uint32_t>(plan.credential));
    }
    if (slots.empty()) conformance::skip("no plan names a credential");
    return slots;
}

void makes_credentials(Context& context) {
    ProviderWorld world(context);
    for (const uint32_t slot : slots_of(world)) {
        context.step("authorize is called for slot " + std::to_string(slot));
        const Result<plugins::NewCredential> made = world.provider.authorize(slot, world.host.far_deadline());
        require(made.has_value(), "authorize makes a credential when all services answer; it says: " +
                                      (made ? std::string() : made.error().to_string()));
        require(made->valid_ms > 0 && made->valid_ms <= kYearMs, "a credential is valid for a time, at most a year");
        require(made->refresh_after_ms >= 0 && made->refresh_after_ms <= made->valid_ms,
                "a credential is renewed while it is valid");
        require(made->not_again_before_ms >= 0 && made->not_again_before_ms <= made->valid_ms,
                "a credential can be made again before it ends");
    }
    world.require_no_faults();
}

// What an OAuth server, or whoever stands in its place, may answer.
std::vector<HttpAnswer> troubles() {
    std::vector<HttpAnswer> all{{0, ""}};
    const char* bodies[] = {"",
                            "{}",
                            "null",
                            "[]",
                            "{\"access_token\":",
                            "{\"access_token\":null,\"expires_in\":3600}",
                            "{\"access_token\":\"\",\"expires_in\":3600}",
                            "{\"access_token\":\"a\\r\\nb: c\",\"expires_in\":3600}",
                            "{\"access_token\":\"t\",\"expires_in\":0}",
                            "{\"access_token\":\"t\",\"expires_in\":-5}",
                            "{\"access_token\":\"t\",\"expires_in\":1e300}",
                            "{\"access_token\":\"t\",\"expires_in\":\"soon\"}",
                            "{\"access_token\":\"t\"}",
                            "{\"error\":\"invalid_grant\"}",
                            "<html>502 Bad Gateway</html>",
                            "\xff\xfe"};
    for (const int status : {100, 200, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503}) {
        for (const char* body : bodies) all.push_back({status, body, {{"retry-after", "soon"}}});
    }
    return all;
}

void survives_trouble(Context& context) {
    ProviderWorld world(context);
    const std::set<uint32_t> slots = slots_of(world);
    if (world.host.asked(BELFRY_HTTP_ID) == 0) conformance::skip("the provider uses no network");
    size_t refused = 0;
    for (const HttpAnswer& trouble : troubles()) {
        const std::string asked =
            "status " + std::to_string(trouble.status) + " and " + conformance::shown(trouble.body);
        world.host.answer_http([&](const HttpAsked&) { return trouble; });
        context.step("authorize is called, its service answers with " + asked);
        const Result<plugins::NewCredential> made = world.provider.authorize(*slots.begin(), world.host.far_deadline());
        if (made) continue;  // without network, or of an answer that was good enough
        ++refused;
        require(made.error().code != ErrorCode::Internal,
                "authorize says what kind of trouble it is (AUTH, CONFIG or RETRY_LATER); for " + asked +
                    " it says: " + made.error().to_string());
        if (trouble.status == 0 || (trouble.status >= 500 && trouble.body.find("error") == std::string::npos))
            require(made.error().code == ErrorCode::Unavailable || made.error().code == ErrorCode::Busy ||
                        made.error().code == ErrorCode::DeadlineExceeded,
                    "trouble that passes is RETRY_LATER; for " + asked + " it says: " + made.error().to_string());
    }
    context.note(std::to_string(refused) + " of " + std::to_string(troubles().size()) + " answers gave no credential");
    world.host.answer_http(granted);
    require(world.provider.authorize(*slots.begin(), world.host.far_deadline()).has_value(),
            "when its service is well again, authorize makes a credential");
    world.require_no_faults();
}

// Everything that leaves the plugin in words.
class Words {
public:
    explicit Words(const Context& context) {
        for (const auto& [id, value] : context.secrets) {
            if (value.size() >= kSecretMin) hidden_.push_back(value);
        }
        hidden_.emplace_back(kGrantedToken);
    }
    void hide(std::string text) { hidden_.push_back(std::move(text)); }
    void look_at(const std::string& words, const char* where) const {
        for (const std::string& secret : hidden_)
            require(words.find(secret) == std::string::npos,
                    std::string(where) + " shows a secret, a token or a payload");
    }

private:
    std::vector<std::string> hidden_;
};

void tells_nothing(Context& context) {
    ProviderWorld world(context);
    Words words(context);
    const std::string token = world.raw_token();
    const Push push = world.push();
    for (const HttpAnswer& trouble : troubles()) {
        world.host.answer_http([&](const HttpAsked&) { return trouble; });
        const Result<plugins::NewCredential> made = world.provider.authorize(0, world.host.far_deadline());
        if (!made) words.look_at(made.error().to_string(), "a reason of authorize");
    }
    world.host.answer_http(granted);
    const Result<plugins::NewCredential> made = world.provider.authorize(0, world.host.far_deadline());
    if (made && made->value.size() >= kSecretMin) words.hide(made->value);
    if (world.table.decode != nullptr) {
        for (int32_t status = 100; status < 600; ++status) {
            const Judged verdict = world.decode_one(push, {status, "{\"error\":{\"message\":\"no\"}}"});
            words.look_at(verdict.reason, "a verdict's reason");
        }
    }
    words.hide(token);
    if (push.payload.size() > 8) words.hide(push.payload);
    for (const std::string& line : world.host.log_lines()) words.look_at(line, "a log line");
}

constexpr std::array<Case, 3> kCases{{
    {"provider.credential", "a credential is made for every slot that plans name", 30, makes_credentials},
    {"provider.credential_trouble", "whatever a token service answers, authorize says what kind of trouble it is", 60,
     survives_trouble},
    {"provider.tells_nothing", "no secret is in a reason or a log line, no token or payload in a log line", 60,
     tells_nothing},
}};

}  // namespace

std::span<const Case> credential_cases() {
    return kCases;
}

}  // namespace belfry::kit
