// SPDX-License-Identifier: Apache-2.0
// How a storage treats what it is lent, and values that it cannot know.
#include <array>
#include <belfry/abi.hpp>
#include <cstring>

#include "conformance/runner/lent.h"
#include "conformance/storage/world.h"
#include "contract/cases.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::Lent;
using conformance::Phone;
using conformance::require;
using conformance::require_equal;
using conformance::World;

constexpr int32_t kUnknown = 99;

int32_t ignore(void*, belfry_list) {
    return 0;
}
int32_t count_rows(void* ctx, belfry_list rows) {
    *static_cast<uint32_t*>(ctx) += rows.n;
    return 0;
}

belfry_registration lent_row(Lent& lent, const Phone& phone) {
    auto row = sized<belfry_registration>();
    row.key = -1;
    row.prefix = phone.prefix;
    const conformance::Hash16 identity = conformance::identity_hash(phone.provider, phone.token);
    const conformance::Hash16 token = conformance::token_hash(phone.token);
    std::memcpy(row.identity_hash, identity.bytes, sizeof identity.bytes);
    std::memcpy(row.token_hash, token.bytes, sizeof token.bytes);
    row.provider = lent.text(phone.provider);
    row.token = lent.text(phone.token);
    row.user = lent.text(phone.user);
    row.platform = lent.text(phone.platform);
    row.locale = lent.text(phone.locale);
    std::vector<belfry_str> topics;
    for (const std::string& topic : phone.topics) topics.push_back(lent.text(topic));
    row.topics = lent.rows(topics);
    return row;
}

void rows_are_borrowed(Context& context) {
    World world(context);
    Phone phone;
    phone.token = "lent-token";
    phone.user = "lent-user";
    phone.platform = "android";
    phone.locale = "de-AT";
    phone.topics = {"lent-topic", "other-topic"};
    {
        Lent lent;
        uint32_t rows = 0;
        belfry_why why{};
        const belfry_code code = world.table.register_devices(world.instance.get(), lent.text(world.app),
                                                              lent.rows<belfry_registration>({lent_row(lent, phone)}),
                                                              &count_rows, &rows, &why);
        require(code == BELFRY_OK, "a device is registered; the call answered " + conformance::said(code, why));
        require_equal(rows, 1, "results");
    }
    context.step("the storage is read, with the memory of the registration taken back");
    const std::vector<conformance::Row> rows = world.list();
    require_equal(rows.size(), size_t{1}, "devices");
    require_equal(rows[0].token, phone.token, "token");
    require_equal(rows[0].user, phone.user, "user");
    require_equal(rows[0].locale, phone.locale, "locale");
    require_equal(world.scan_all("lent-topic").size(), size_t{1}, "devices of the topic");
    {
        Lent lent;
        auto change = sized<belfry_user_topics>();
        change.op = BELFRY_TOPICS_ADD;
        change.user = lent.text(phone.user);
        change.topics = lent.rows<belfry_str>({lent.text("third-topic")});
        belfry_why why{};
        const belfry_code code =
            world.table.update_user_topics(world.instance.get(), lent.text(world.app),
                                           lent.rows<belfry_user_topics>({change}), &ignore, nullptr, &why);
        require(code == BELFRY_OK, "a user's topics are changed; the call answered " + conformance::said(code, why));
    }
    context.step("the storage is read, with the memory of the change taken back");
    require_equal(world.scan_all("third-topic").size(), size_t{1}, "devices of the user's topic");
}

void unknown_values(Context& context) {
    World world(context);
    world.register_all(conformance::some_phones(1));
    uint32_t rows = 0;
    belfry_why why{};
    const std::string value = "x";
    const belfry_str values = str(std::string_view(value));
    context.step("fetch is asked for an unknown way to find devices");
    belfry_code code = world.table.fetch(world.instance.get(), str(std::string_view(world.app)), kUnknown,
                                         one_row(values), 10, 0, world.host.far_deadline(), &count_rows, &rows, &why);
    require(code != BELFRY_OK || rows == 0, "fetch by something unknown finds nothing");
    require(code == BELFRY_OK || why.text[0] != '\0', "a refusal says why");
    context.step("scan is asked for an unknown audience");
    auto scan = sized<belfry_scan>();
    scan.app = str(std::string_view(world.app));
    scan.by = kUnknown;
    scan.want = 10;
    scan.budget_rows = 10;
    scan.after = -1;
    scan.hi = BELFRY_KEY_END;
    scan.deadline_mono_ns = world.host.far_deadline();
    int64_t cursor = -1;
    int32_t end = 0;
    why = {};
    code = world.table.scan(world.instance.get(), &scan, &count_rows, &rows, &cursor, &end, &why);
    require(code != BELFRY_OK || rows == 0, "an unknown audience is not taken for everybody");
    require(code == BELFRY_OK || why.text[0] != '\0', "a refusal says why");
    context.step("devices are updated with an unknown operation on topics");
    auto which = sized<belfry_selection>();
    const std::vector<int64_t> keys = conformance::keys_of(world.list());
    which.keys = list_of(keys);
    auto patch = sized<belfry_patch>();
    patch.flags = BELFRY_PATCH_TOPICS;
    patch.topic_op = kUnknown;
    patch.topics = one_row(values);
    why = {};
    static_cast<void>(world.table.update_devices(world.instance.get(), str(std::string_view(world.app)), &which, &patch,
                                                 &ignore, nullptr, &why));
    require_equal(world.scan_all("x").size(), size_t{0}, "devices of a topic that an unknown operation named");
    require_equal(world.list().size(), size_t{1}, "devices afterwards");
}

void empty_lists(Context& context) {
    World world(context);
    const belfry_list none{nullptr, 0, 0};
    const belfry_str app = str(std::string_view(world.app));
    belfry_instance* instance = world.instance.get();
    uint32_t rows = 0;
    belfry_why why{};
    const auto must = [&](belfry_code code, const char* call) {
        require(code == BELFRY_OK,
                std::string(call) + " of nothing succeeds; it answered " + conformance::said(code, why));
        require_equal(rows, 0, std::string("rows of ") + call);
    };
    context.step("register_devices is given nothing");
    must(world.table.register_devices(instance, app, none, &count_rows, &rows, &why), "register_devices");
    context.step("fetch is given nothing");
    must(world.table.fetch(instance, app, BELFRY_BY_KEY, none, 10, 0, world.host.far_deadline(), &count_rows, &rows,
                           &why),
         "fetch");
    context.step("invalidate is given nothing");
    must(world.table.invalidate(instance, app, none, &count_rows, &rows, &why), "invalidate");
    context.step("amend is given nothing");
    must(world.table.amend(instance, app, none, &count_rows, &rows, &why), "amend");
    context.step("update_user_topics is given nothing");
    must(world.table.update_user_topics(instance, app, none, &count_rows, &rows, &why), "update_user_topics");
}

constexpr std::array<Case, 3> kCases{{
    {"contract.rows_are_borrowed", "nothing that a call was lent is used after it returned", 30, rows_are_borrowed},
    {"contract.unknown_values", "an unknown value of an enumeration is refused, not taken for another", 30,
     unknown_values},
    {"contract.empty_lists", "calls with empty lists, without an address even, succeed and answer nothing", 30,
     empty_lists},
}};

}  // namespace

std::span<const Case> storage_cases() {
    return kCases;
}

}  // namespace belfry::kit
