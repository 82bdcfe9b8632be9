// SPDX-License-Identifier: Apache-2.0
// Answers of APNs. Input: one byte for the status, one for the variant that was asked, then the body.
//
// Whatever comes: one verdict per item, a device is given up only for a reason that says so, and at a time that is not
// negative. As the answer to a channel call: ids that may stand in a header, or a refusal of one line that says why.
#include "apns/channel_answers.h"
#include "apns/verdicts.h"
#include "base/json.h"
#include "fakes/service_host.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;

struct World {
    World() { both.sandbox = true; }
    belfry::fakes::TestHost host;
    belfry::Services services{host.abi()};
    apns::Config one, both;
};

template <class Read>
void read_channels(Read&& read) {
    try {
        read();
    } catch (const belfry::Refused& refused) {
        require(refused.code() != BELFRY_OK && refused.code() != BELFRY_INTERNAL);
        const std::string_view why = refused.what();
        require(why.size() > 10 && why.size() < sizeof(belfry_why::text));
        require(why.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
        require(refused.retry_after_ms() <= 24 * 3600 * 1000);
    }
}

void as_channel_answer(const World& world, int32_t status, std::string_view body, bool own_topic) {
    const apns::ChannelReader reader(world.services, own_topic);
    const apns::ChannelAnswer answer{status, body.substr(0, 30), body.substr(0, 21), body, 0};
    read_channels([&] { require(apns::is_channel_id(reader.created(answer))); });
    read_channels([&] { require(reader.read(answer, "id").push_type.size() <= 100); });
    read_channels([&] { reader.deleted(answer); });
    read_channels([&] {
        for (const belfry::Channel& channel : reader.listed(answer)) require(apns::is_channel_id(channel.id));
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const World world;
    belfry::fuzz::Input input(data, size);
    constexpr int32_t kStatuses[] = {200, 400, 403, 404, 405, 410, 413, 429, 500, 503, 0, 302, 1000};
    const uint8_t choice = input.byte();
    auto answer = belfry::sized<belfry_answer>();
    answer.status = kStatuses[(choice >> 1) % std::size(kStatuses)];
    answer.variant = input.byte() & 3u;
    answer.first_item = 7;
    answer.items = 1;
    const std::string_view body = input.rest();
    answer.body = belfry::str(body);
    const belfry_header header{belfry::str("retry-after"), belfry::str(body.substr(0, 21))};
    answer.headers = belfry::one_row(header);
    apns::Standing standing;
    int verdicts = 0;
    const auto call = [&](belfry_emit emit, void* ctx) {
        apns::decode({world.services, (choice & 1) != 0 ? world.both : world.one, standing, 0},
                     belfry::Rows<belfry_answer>(belfry::one_row(answer)), belfry::Verdicts({emit, ctx}));
        return belfry_code{BELFRY_OK};
    };
    belfry::collect<belfry_verdict>(call, [&](const belfry_verdict& verdict) {
        ++verdicts;
        require(verdict.item == 7 && verdict.outcome >= BELFRY_ACCEPTED && verdict.outcome <= BELFRY_FAULT);
        require(verdict.retry_after_ms >= 0 && verdict.retry_after_ms <= 24 * 3600 * 1000);
        require(verdict.reason.n < 2048 && verdict.gone_unix_ms >= 0);
        if (verdict.outcome == BELFRY_DEVICE_GONE)
            require(answer.status == 410 || (answer.status == 400 && static_cast<bool>(belfry::json::check(body))));
    });
    require(verdicts == 1);
    as_channel_answer(world, answer.status, body, (choice & 1) != 0);
    return 0;
}
