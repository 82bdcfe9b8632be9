// SPDX-License-Identifier: Apache-2.0
// Tokens: what validate makes of good, odd and hostile ones.
#include <array>
#include <belfry/abi.hpp>
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

constexpr size_t kMutations = 2000;
constexpr size_t kThreads = 4;

std::vector<std::string> odd_tokens() {
    std::vector<std::string> odd{"",
                                 " ",
                                 std::string(1, '\0'),
                                 std::string("token\0with nul", 14),
                                 "line\r\nx-injected: 1",
                                 "quote\"backslash\\",
                                 "../../v1/other",
                                 "a/b?c#d%00%2f",
                                 "\xff\xfe\xfd",
                                 "\xed\xa0\x80",
                                 "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                                 "{}",
                                 "{\"endpoint\":\"http://127.0.0.1/x\"}",
                                 "[[[[[[[[",
                                 "null",
                                 "%s%s%n",
                                 std::string(64, '0'),
                                 std::string(4096, 'a')};
    odd.emplace_back(100'000, '\xf0');
    odd.push_back("{\"endpoint\":\"" + std::string(20'000, 'e') + "\"}");
    return odd;
}

bool same(const plugins::CheckedToken& a, const plugins::CheckedToken& b) {
    return a.token == b.token && a.identity == b.identity && a.data == b.data && a.variant == b.variant;
}

void is_deterministic(Context& context) {
    ProviderWorld world(context);
    const std::string raw = world.raw_token();
    const plugins::CheckedToken first = *world.validate(raw);
    for (int i = 0; i < 10; ++i) {
        const std::optional<plugins::CheckedToken> again = world.validate(raw);
        require(again && same(*again, first), "the same token is described in the same way every time");
    }
    world.require_no_faults();
}

// Stored tokens are validated again when they are registered again.
void is_stable(Context& context) {
    ProviderWorld world(context);
    const std::string raw = world.raw_token();
    const plugins::CheckedToken first = *world.validate(raw);
    for (const std::string& text : {"  " + raw, raw + "  "}) {
        const std::optional<plugins::CheckedToken> other = world.validate(text);
        require(!other || other->identity == first.identity || other->token != first.token,
                "two identities for one token on the wire would be two registrations of one device");
    }
    require(!first.identity.empty() && !first.token.empty(), "a token has a text and an identity");
    world.require_no_faults();
}

void odd_tokens_survive(Context& context) {
    ProviderWorld world(context);
    size_t refused = 0;
    for (const std::string& token : odd_tokens()) {
        context.step("validate is given " + conformance::shown(token) + " of " + std::to_string(token.size()) +
                     " bytes");
        if (!world.validate(token)) ++refused;
    }
    context.step("validate is given an empty token without an address");
    auto nothing = sized<belfry_token>();
    require(!world.provider.validate(nothing), "an empty token is refused");
    require(!world.validate(""), "an empty token is refused");
    context.note(std::to_string(refused) + " of " + std::to_string(odd_tokens().size()) + " odd tokens were refused");
    world.require_no_faults();
}

void mutated_tokens_survive(Context& context) {
    ProviderWorld world(context);
    const std::string good = world.raw_token();
    for (size_t i = 0; i < kMutations * context.scale; ++i) {
        std::string token = good;
        const uint64_t changes = context.below(4) + 1;
        for (uint64_t n = 0; n < changes && !token.empty(); ++n) {
            const size_t at = context.below(token.size());
            switch (context.below(4)) {
                case 0:
                    token[at] = static_cast<char>(context.below(256));
                    break;
                case 1:
                    token.erase(at, context.below(token.size()) + 1);
                    break;
                case 2:
                    token.insert(at, context.below(40), static_cast<char>(context.below(256)));
                    break;
                default:
                    token += token.substr(at);
                    break;
            }
        }
        context.step("validate is given mutation " + std::to_string(i) + ", " + conformance::shown(token));
        world.validate(token);
    }
    world.require_no_faults();
}

void many_threads(Context& context) {
    ProviderWorld world(context);
    const std::string raw = world.raw_token();
    const plugins::CheckedToken expected = *world.validate(raw);
    const size_t threads = world.table.concurrency == 1 ? 1 : kThreads;
    conformance::run_together(threads, [&](size_t) {
        for (int i = 0; i < 500; ++i) {
            const std::optional<plugins::CheckedToken> checked = world.validate(raw);
            require(checked && same(*checked, expected), "threads at once get the same answer as one alone");
            world.validate("");
        }
    });
    world.require_no_faults();
}

constexpr std::array<Case, 5> kCases{{
    {"provider.token_is_deterministic", "a token is described in the same way every time", 20, is_deterministic},
    {"provider.token_identity", "one token on the wire has one identity", 20, is_stable},
    {"provider.odd_tokens", "tokens of odd bytes are taken or refused with a reason, empty ones refused", 20,
     odd_tokens_survive},
    {"provider.mutated_tokens", "no change of a good token's bytes does harm", 60, mutated_tokens_survive},
    {"provider.tokens_at_once", "tokens are validated by several threads at once", 60, many_threads},
}};

}  // namespace

std::span<const Case> token_cases() {
    return kCases;
}

}  // namespace belfry::kit
