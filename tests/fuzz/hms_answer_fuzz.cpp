// SPDX-License-Identifier: Apache-2.0
// Answers of HMS and of its token endpoint. Input: one byte for the kind of answer and its status, one for how many
// devices were asked for and how often, then the body.
//
// Whatever comes: one verdict per device; one is given up for certain only beside another that was served, and on
// suspicion only where the body has a code; a credential is always fit for a header.
#include <array>
#include <string>

#include "base/json.h"
#include "fakes/service_host.h"
#include "fuzz/fuzz.h"
#include "hms/credential.h"
#include "hms/verdicts.h"

namespace {

using belfry::fuzz::require;

struct World {
    belfry::fakes::TestHost host;
    belfry::Services services{host.abi()};
};

constexpr std::array<int32_t, 12> kStatuses{200, 400, 401, 403, 404, 429, 500, 503, 0, 302, 590, 1000};

void try_decode(const World& world, int32_t status, uint8_t asked, std::string_view body) {
    const std::array tokens{belfry::str("a"), belfry::str("b"), belfry::str("c")};
    const belfry_header header{belfry::str("retry-after"), belfry::str(body.substr(0, 21))};
    auto answer = belfry::sized<belfry_answer>();
    answer.first_item = 7;
    answer.items = 1 + asked % 3u;
    answer.resent = asked >> 6;
    answer.status = status;
    answer.body = belfry::str(body);
    answer.headers = belfry::one_row(header);
    answer.tokens = {tokens.data(), answer.items, sizeof(belfry_str)};
    if ((asked & 32) != 0) answer.tokens.n = 0;  // a plan's request names none
    std::array<int, 3> verdicts{};
    bool served = false, certain = false;
    const auto call = [&](belfry_emit emit, void* ctx) {
        hms::DeadTokenGate gate(world.services);
        hms::decode(world.services, gate, belfry::Rows<belfry_answer>(belfry::one_row(answer)),
                    belfry::Verdicts({emit, ctx}));
        return belfry_code{BELFRY_OK};
    };
    belfry::collect<belfry_verdict>(call, [&](const belfry_verdict& verdict) {
        require(verdict.item >= 7 && verdict.item < 7 + answer.items);
        ++verdicts[verdict.item - 7];
        require(verdict.outcome >= BELFRY_ACCEPTED && verdict.outcome <= BELFRY_FAULT);
        require(verdict.retry_after_ms >= 0 && verdict.retry_after_ms <= 24 * 3600 * 1000);
        require(verdict.reason.n < 1024 && verdict.message_id.n <= 64);
        served = served || verdict.outcome == BELFRY_ACCEPTED;
        if (verdict.outcome != BELFRY_DEVICE_GONE) return;
        certain = certain || (verdict.flags & BELFRY_VERDICT_SUSPECT) == 0;
        require(static_cast<bool>(belfry::json::check(body)) && body.find("00") != std::string_view::npos);
    });
    require(!certain || served);
    for (uint32_t i = 0; i < answer.items; ++i) require(verdicts[i] == 1);
}

void try_token(const World& world, int32_t status, std::string_view body) {
    const belfry::HttpAnswer answer{
        status, std::string(body), {{"retry-after", std::string(body.substr(0, 21))}}, 1'700'000'000'000};
    std::string value;
    try {
        const belfry_credential row = hms::read_token(world.services, answer, value);
        require(status == 200 && row.valid_ms > 0 && row.refresh_after_ms > 0 && row.refresh_after_ms <= row.valid_ms);
        for (const char c : value) require(c >= ' ' && c < 0x7F);
    } catch (const belfry::Refused& refused) {
        require(refused.retry_after_ms() <= 24u * 3600 * 1000);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const World world;
    belfry::fuzz::Input input(data, size);
    const uint8_t choice = input.byte(), asked = input.byte();
    const int32_t status = kStatuses[(choice >> 1) % kStatuses.size()];
    const std::string_view body = input.rest();
    (choice & 1) != 0 ? try_token(world, status, body) : try_decode(world, status, asked, body);
    return 0;
}
