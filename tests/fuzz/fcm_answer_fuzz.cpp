// SPDX-License-Identifier: Apache-2.0
// Answers of FCM and of its token endpoint. Input: one byte for the kind of answer and its status, one for Retry-After,
// then the body.
//
// Whatever comes: one verdict per item, a device is given up only where the body has FCM's own error detail, and a
// credential is always fit for a header.
#include <algorithm>

#include "../../plugins/fcm/oauth.h"
#include "../../plugins/fcm/verdicts.h"
#include "base/json.h"
#include "fakes/service_host.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::collect;
using belfry::fakes::TestHost;
using belfry::fuzz::require;

struct World {
    TestHost host;
    belfry::Services services{host.abi()};
    fcm::Account account;
};

void try_decode(const World& world, int32_t status, std::string_view retry_after, std::string_view body) {
    const belfry_header header{belfry::str("retry-after"), belfry::str(retry_after)};
    auto answer = belfry::sized<belfry_answer>();
    answer.first_item = 7;
    answer.items = 1;
    answer.status = status;
    answer.body = belfry::str(body);
    answer.headers = belfry::one_row(header);
    int verdicts = 0;
    const auto call = [&](belfry_emit emit, void* ctx) {
        const belfry::Rows<belfry_answer> answers(belfry::one_row(answer));
        fcm::decode(world.services, answers, belfry::Verdicts({emit, ctx}));
        return belfry_code{BELFRY_OK};
    };
    collect<belfry_verdict>(call, [&](const belfry_verdict& verdict) {
        ++verdicts;
        require(verdict.item == 7 && verdict.outcome >= BELFRY_ACCEPTED && verdict.outcome <= BELFRY_FAULT);
        require(verdict.retry_after_ms >= 0 && verdict.retry_after_ms <= 24 * 3600 * 1000);
        require(verdict.reason.n < 2048 && verdict.message_id.n <= body.size());
        if (verdict.outcome == BELFRY_DEVICE_GONE) {
            // The same property from another side: spelt out or escaped, the detail's type is in the text.
            require(status >= 400 && status < 500 && static_cast<bool>(belfry::json::check(body)));
            require(body.find("rror") != std::string_view::npos || body.find('\\') != std::string_view::npos);
        }
    });
    require(verdicts == 1);
}

void try_token(const World& world, int32_t status, std::string_view retry_after, std::string_view body) {
    const belfry::HttpAnswer answer{
        status, std::string(body), {{"retry-after", std::string(retry_after)}}, 1'700'000'000'000};
    std::string value;
    try {
        const belfry_credential row = fcm::read_token(world.services, world.account, answer, value);
        require(value.starts_with("Bearer ") && value.size() > 7);
        require(std::all_of(value.begin() + 7, value.end(), [](char c) { return c > ' ' && c < 0x7F; }));
        require(row.valid_ms > 0 && row.refresh_after_ms > 0 && row.refresh_after_ms < row.valid_ms);
    } catch (const belfry::Refused& refused) {
        require(refused.code() != BELFRY_OK && refused.what()[0] != '\0' && !refused.where().empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const World world;
    if (size < 2) return 0;
    constexpr int32_t kStatuses[] = {200, 400, 401, 403, 404, 413, 429, 500, 503, 302, 0, 1000};
    constexpr std::string_view kTimes[] = {"", "30", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999"};
    const int32_t status = kStatuses[(data[0] >> 1) % std::size(kStatuses)];
    const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
    const size_t time = data[1] % (std::size(kTimes) + 1);
    const std::string_view retry_after = time == std::size(kTimes) ? body.substr(0, 29) : kTimes[time];
    if ((data[0] & 1) != 0) {
        try_token(world, status, retry_after, body);
    } else {
        try_decode(world, status, retry_after, body);
    }
    return 0;
}
