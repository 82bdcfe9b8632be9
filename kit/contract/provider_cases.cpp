// SPDX-License-Identifier: Apache-2.0
// How a provider treats what it is lent, and rows of a newer host.
#include <array>
#include <belfry/abi.hpp>
#include <cstring>

#include "conformance/runner/lent.h"
#include "contract/cases.h"
#include "provider/world.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::Lent;
using conformance::require;
using conformance::require_equal;

// A row of this host as a later one would write it: longer, and with something in the part that is not known here.
template <class Row>
struct Longer {
    Row row;
    char later[64];
};
template <class Row>
Longer<Row> longer(const Row& row) {
    Longer<Row> made;
    std::memset(&made, 0xa5, sizeof made);
    made.row = row;
    made.row.size = sizeof made;
    return made;
}

int32_t count_rows(void* ctx, belfry_list rows) {
    *static_cast<uint32_t*>(ctx) += rows.n;
    return 0;
}

// Prepares from memory that is taken back at once; release is the caller's.
belfry_prepared* lent_prepare(ProviderWorld& world, const std::string& payload) {
    Lent lent;
    auto content = sized<belfry_content>();
    content.kind = BELFRY_CONTENT_TOKENS;
    content.payload = lent.text(payload);
    content.target = lent.text("");
    belfry_prepared* prepared = nullptr;
    uint32_t plans = 0;
    belfry_why why{};
    const belfry_code code =
        world.table.prepare(world.instance.get(), lent.row(content), &count_rows, &plans, &prepared, &why);
    require(code == BELFRY_OK,
            "a payload that was taken is taken again; prepare answered " + conformance::said(code, why));
    return prepared;
}

void rows_are_borrowed(Context& context) {
    ProviderWorld world(context);
    const std::string raw = world.raw_token(), payload = world.push().payload;
    {
        Lent lent;
        auto token = sized<belfry_token>();
        token.token = lent.text(raw);
        token.platform = lent.text("android");
        uint32_t rows = 0;
        belfry_why why{};
        require(world.table.validate(world.instance.get(), lent.row(token), &count_rows, &rows, &why) == BELFRY_OK,
                "a token that was taken is taken again");
        require_equal(rows, 1, "rows of validate");
    }
    context.step("prepare, with the memory of the token taken back");
    belfry_prepared* prepared = lent_prepare(world, payload);
    context.step("decode, with the memory of the payload taken back");
    if (world.table.decode != nullptr) {
        for (const int32_t status : {200, 404, 429, 503}) {
            Lent lent;
            auto answer = sized<belfry_answer>();
            answer.items = 1;
            answer.status = status;
            answer.prepared = prepared;
            answer.body = lent.text("{\"error\":{}}");
            answer.tokens = world.table.encode == nullptr ? belfry_list{} : lent.rows<belfry_str>({lent.text(raw)});
            answer.headers = lent.rows<belfry_header>({{lent.text("retry-after"), lent.text("5")}});
            uint32_t rows = 0;
            world.table.decode(world.instance.get(), lent.rows<belfry_answer>({answer}), &count_rows, &rows);
            require_equal(rows, 1, "verdicts");
        }
    }
    context.step("release, with the memory of all calls taken back");
    if (prepared != nullptr) world.table.release(world.instance.get(), prepared);
}

void newer_host(Context& context) {
    ProviderWorld world(context);
    const std::string raw = world.raw_token(), payload = world.push().payload;
    uint32_t rows = 0;
    belfry_why why{};
    auto token = sized<belfry_token>();
    token.token = str(std::string_view(raw));
    const auto long_token = longer(token);
    context.step("validate is given a longer row");
    require(
        world.table.validate(world.instance.get(), &long_token.row, &count_rows, &rows, &why) == BELFRY_OK && rows == 1,
        "a longer token row is read like a known one");
    auto content = sized<belfry_content>();
    content.kind = BELFRY_CONTENT_TOKENS;
    content.payload = str(std::string_view(payload));
    const auto long_content = longer(content);
    belfry_prepared* prepared = nullptr;
    rows = 0;
    context.step("prepare is given a longer row");
    require(
        world.table.prepare(world.instance.get(), &long_content.row, &count_rows, &rows, &prepared, &why) == BELFRY_OK,
        "a longer content row is read like a known one; prepare says: " + std::string(why.text));
    if (world.table.decode != nullptr) {
        std::vector<Longer<belfry_answer>> answers;
        for (uint32_t i = 0; i < 5; ++i) {
            auto answer = sized<belfry_answer>();
            answer.first_item = i;
            answer.items = 1;
            answer.status = i == 2 ? 404 : 200;
            answer.prepared = prepared;
            answers.push_back(longer(answer));
        }
        rows = 0;
        context.step("decode is given longer rows");
        world.table.decode(world.instance.get(), list_of(answers), &count_rows, &rows);
        require_equal(rows, 5, "verdicts for rows that lie further apart: walk lists by their stride");
    }
    if (prepared != nullptr) world.table.release(world.instance.get(), prepared);
}

constexpr std::array<Case, 2> kCases{{
    {"contract.rows_are_borrowed", "nothing that a call was lent is used after it returned", 30, rows_are_borrowed},
    {"contract.newer_host", "longer rows of a newer host are read like known ones", 30, newer_host},
}};

}  // namespace

std::span<const Case> provider_cases() {
    return kCases;
}

}  // namespace belfry::kit
