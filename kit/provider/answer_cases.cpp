// SPDX-License-Identifier: Apache-2.0
// Answers of a service, sane and not, and the verdicts about them.
#include <algorithm>
#include <array>
#include <belfry/abi.hpp>
#include <ctime>
#include <limits>
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

constexpr int64_t kDayMs = 24 * 3600 * int64_t{1000};
constexpr int64_t kLongestWaitMs = 366 * kDayMs;
constexpr int kStatusMin = 100, kStatusMax = 599;

std::vector<std::string> garbage(Context& context) {
    std::vector<std::string> bodies{"",
                                    "{}",
                                    "null",
                                    "[]",
                                    "\"",
                                    "{\"error\":",
                                    "{\"error\":{\"code\":{},\"status\":[],\"details\":7}}",
                                    "{\"reason\":null,\"code\":\"\",\"msg\":{},\"requestId\":[]}",
                                    "<html><body><h1>503 Service Unavailable</h1></body></html>",
                                    std::string("\0\0\0\0", 4),
                                    "\xff\xfe{\"reason\":\"\xc3\x28\"}",
                                    std::string(1000, '[')};
    std::string noise(4096, '\0');
    for (char& c : noise) c = static_cast<char>(context.below(256));
    bodies.push_back(std::move(noise));
    return bodies;
}

std::string place(const Reply& reply) {
    return "status " + std::to_string(reply.status) + " with body " + conformance::shown(reply.body);
}

// What holds for every verdict, whatever the service.
void judge(const Reply& reply, const Judged& verdict) {
    const std::string came = "; for " + place(reply) + " came " + shown(verdict);
    require(verdict.scope >= BELFRY_SCOPE_ITEM && verdict.scope <= BELFRY_SCOPE_INSTANCE,
            "a verdict has a known scope" + came);
    require(verdict.retry_after_ms >= 0 && verdict.retry_after_ms <= kLongestWaitMs,
            "a wait is at least 0 and at most a year" + came);
    require(verdict.gone_unix_ms >= 0, "a token is gone since a time, or since 0 if that is unknown" + came);
    const bool success = reply.status >= 200 && reply.status < 300;
    require(success || verdict.outcome != BELFRY_ACCEPTED, "only a 2xx is ACCEPTED" + came);
    const bool passing =
        reply.status == 429 || reply.status == 500 || reply.status == 502 || reply.status == 503 || reply.status == 504;
    if (!passing) return;
    require(verdict.outcome != BELFRY_DEVICE_GONE, "trouble of the service deletes no device" + came);
    require(verdict.outcome == BELFRY_RETRY || verdict.outcome == BELFRY_THROTTLED ||
                verdict.outcome == BELFRY_AUTH_REFUSED || verdict.outcome == BELFRY_MISCONFIGURED,
            "trouble that passes is RETRY or THROTTLED: the delivery is not lost" + came);
}

void any_status(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    const std::vector<std::string> bodies = garbage(context);
    for (int32_t status = kStatusMin; status <= kStatusMax; ++status) {
        std::vector<Reply> replies;
        for (const std::string& body : bodies) replies.push_back({status, body});
        context.step("decode is given status " + std::to_string(status));
        const std::vector<Judged> verdicts = world.decode(push, replies, 7);
        for (size_t i = 0; i < replies.size(); ++i) judge(replies[i], verdicts[i]);
    }
    world.require_no_faults();
}

void credentials_of_the_service(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    for (const int32_t status : {401, 403, 407}) {
        for (const std::string& body : garbage(context)) {
            const Reply reply{status, body};
            const Judged verdict = world.decode_one(push, reply);
            require(verdict.outcome != BELFRY_DEVICE_GONE,
                    "a refused credential deletes no device; for " + place(reply) + " came " + shown(verdict));
        }
    }
    world.require_no_faults();
}

void unusual_statuses(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    for (const int32_t status : {0, -1, 1, 99, 600, 999, std::numeric_limits<int32_t>::max()}) {
        context.step("decode is given status " + std::to_string(status));
        const Judged verdict = world.decode_one(push, {status, "{}"});
        require(verdict.outcome != BELFRY_ACCEPTED && verdict.outcome != BELFRY_DEVICE_GONE,
                "a status that means nothing is neither success nor a dead token; for " + std::to_string(status) +
                    " came " + shown(verdict));
    }
    world.require_no_faults();
}

void is_deterministic(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    const std::vector<std::string> bodies = garbage(context);
    std::vector<Reply> replies;
    for (int32_t status = kStatusMin; status <= kStatusMax; status += 7)
        replies.push_back({status, bodies[context.below(bodies.size())]});
    const std::vector<Judged> first = world.decode(push, replies);
    require(world.decode(push, replies) == first, "the same answers get the same verdicts");
    for (size_t i = 0; i < replies.size(); ++i) {
        Judged alone = world.decode_one(push, replies[i]);
        alone.item = first[i].item;
        require(alone == first[i], "an answer is judged by itself, whatever stands beside it; for " +
                                       place(replies[i]) + " came " + shown(first[i]) + " among others and " +
                                       shown(alone) + " alone");
    }
    world.require_no_faults();
}

void items_and_verdicts(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    const uint32_t items_max = std::clamp(push.plans[0].items_max, 1u, 1000u);
    for (int round = 0; round < 50; ++round) {
        std::vector<Reply> replies;
        uint32_t items = 0;
        const uint64_t n = context.below(40) + 1;
        for (uint64_t i = 0; i < n; ++i) {
            Reply reply{context.below(2) == 0 ? 200 : static_cast<int32_t>(context.below(500)) + 100, "{}"};
            reply.items = static_cast<uint32_t>(context.below(items_max)) + 1;
            items += reply.items;
            replies.push_back(std::move(reply));
        }
        const auto first = static_cast<uint32_t>(context.below(100'000));
        context.step("decode is given " + std::to_string(replies.size()) + " answers for " + std::to_string(items) +
                     " items");
        require_equal(world.decode(push, replies, first).size(), size_t{items}, "verdicts");
    }
    context.step("decode is given no answer at all");
    world.provider.decode({}, [](const belfry_verdict&) { throw conformance::Failed("no answer, no verdict"); });
    world.require_no_faults();
}

bool waits(const Judged& verdict) {
    return verdict.outcome == BELFRY_RETRY || verdict.outcome == BELFRY_THROTTLED;
}

void retry_after(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    if (!push.plans[0].keeps("retry-after")) conformance::skip("the plan does not ask to keep retry-after");
    struct Wait {
        std::string text;
        int64_t at_least_ms;
    };
    const int64_t now_ms = world.host.unix_ms();
    char date[64];
    const time_t then = static_cast<time_t>(now_ms / 1000) + 500;
    tm parts{};
    ::gmtime_r(&then, &parts);
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    const Wait good[] = {{"7", 7'000}, {"120", 120'000}, {"3600", 3'600'000}, {date, 490'000}};
    const char* bad[] = {"",    "-5", "soon", "99999999999999999999",         "18446744073709551616", "1e9", "0x10",
                         "7 7", "\t", "+",    "Thu, 99 Foo 2026 99:99:99 GMT"};
    size_t waited = 0;
    for (const int32_t status : {429, 503}) {
        for (const Wait& wait : good) {
            const Reply reply{status, "", {{"retry-after", wait.text}}, 1, now_ms};
            const Judged verdict = world.decode_one(push, reply);
            if (!waits(verdict)) continue;
            ++waited;
            require(verdict.retry_after_ms >= wait.at_least_ms,
                    "retry-after is honoured: " + std::to_string(status) + " with \"" + wait.text +
                        "\" waits at least " + std::to_string(wait.at_least_ms) + " ms; came " + shown(verdict));
        }
        for (const char* text : bad) {
            const Reply reply{status, "", {{"retry-after", text}}, 1, now_ms};
            judge(reply, world.decode_one(push, reply));
        }
    }
    require(waited > 0, "429 or 503 with retry-after is RETRY or THROTTLED");
    world.require_no_faults();
}

void at_once(Context& context) {
    ProviderWorld world(context);
    world.need_http();
    const Push push = world.push();
    std::vector<Reply> replies;
    for (int32_t status = kStatusMin; status <= kStatusMax; status += 5) replies.push_back({status, "{\"x\":1}"});
    const std::vector<Judged> expected = world.decode(push, replies);
    conformance::run_together(world.table.concurrency == 1 ? 1 : 4, [&](size_t) {
        for (int i = 0; i < 20; ++i)
            require(world.decode(push, replies) == expected, "threads at once get the same verdicts as one alone");
    });
    world.require_no_faults();
}

constexpr std::array<Case, 7> kCases{{
    {"provider.any_status", "every status from 100 to 599 with any body gets a sensible verdict", 60, any_status},
    {"provider.refused_credentials", "401, 403 and 407 without a word about the device delete none", 20,
     credentials_of_the_service},
    {"provider.unusual_statuses", "statuses that mean nothing are neither success nor a dead token", 20,
     unusual_statuses},
    {"provider.verdicts_are_deterministic", "an answer is judged by itself, the same way every time", 30,
     is_deterministic},
    {"provider.one_verdict_per_item", "every item of every answer gets exactly one verdict", 30, items_and_verdicts},
    {"provider.retry_after", "a service's retry-after is honoured, a senseless one does no harm", 20, retry_after},
    {"provider.answers_at_once", "answers are judged by several threads at once", 60, at_once},
}};

}  // namespace

std::span<const Case> answer_cases() {
    return kCases;
}

}  // namespace belfry::kit
