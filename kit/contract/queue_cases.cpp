// SPDX-License-Identifier: Apache-2.0
// How a queue treats what it is lent, and values that it cannot know.
#include <array>
#include <belfry/abi.hpp>
#include <cstring>

#include "conformance/queue/driver.h"
#include "conformance/runner/lent.h"
#include "contract/cases.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::Lent;
using conformance::require;
using conformance::require_equal;
using conformance::queue::Claimed;
using conformance::queue::Queue;

constexpr int32_t kUnknown = 99;

int32_t count_rows(void* ctx, belfry_list rows) {
    *static_cast<uint32_t*>(ctx) += rows.n;
    return 0;
}

void rows_are_borrowed(Context& context) {
    Queue queue(context);
    const std::vector<int64_t> keys{3, 5, 8};
    {
        Lent lent;
        auto item = sized<belfry_new_item>();
        item.kind = BELFRY_WORK_LIST;
        item.blob = conformance::queue::kNoBlob;
        item.keys = lent.rows(keys);
        auto push = sized<belfry_new_push>();
        push.lane = BELFRY_LANE_NORMAL;
        push.weight = 1;
        push.app = lent.text("default");
        push.uid = lent.text("lent-uid");
        push.body = lent.text("lent-body");
        push.items = lent.rows<belfry_new_item>({item});
        uint32_t rows = 0;
        belfry_why why{};
        const belfry_code code = queue.table().enqueue(queue.instance(), queue.node(),
                                                       lent.rows<belfry_new_push>({push}), &count_rows, &rows, &why);
        require(code == BELFRY_OK, "a push is enqueued; the call answered " + conformance::said(code, why));
        require_equal(rows, 1, "answers");
    }
    context.step("the queue is read, with the memory of the push taken back");
    const Claimed claimed = queue.claim_one();
    require_equal(claimed.uid, "lent-uid", "uid");
    require(claimed.keys == keys, "the keys of the list are those that were enqueued");
    require_equal(queue.blob(claimed.body).value_or(""), "lent-body", "body");
    {
        Lent lent;
        auto owed = sized<belfry_owed>();
        owed.attempt = 2;
        owed.keys = lent.rows<int64_t>({5});
        owed.note = lent.text("lent-note");
        auto row = sized<belfry_checkpoint>();
        row.item = claimed.item;
        row.epoch = claimed.epoch;
        row.request = 1;
        row.next = BELFRY_NEXT_FINISH;
        row.owed = lent.rows<belfry_owed>({owed});
        uint32_t rows = 0;
        belfry_why why{};
        const belfry_code code = queue.table().page(queue.instance(), queue.node(), lent.rows<belfry_checkpoint>({row}),
                                                    &count_rows, &rows, &why);
        require(code == BELFRY_OK, "a page is committed; the call answered " + conformance::said(code, why));
    }
    context.step("the queue is read, with the memory of the page taken back");
    require(queue.claim_one().keys == std::vector<int64_t>{5}, "what the page owed is claimed again");
}

void unknown_values(Context& context) {
    Queue queue(context);
    queue.must_enqueue(conformance::queue::list_push("known", {1, 2}));
    uint32_t rows = 0;
    belfry_why why{};
    context.step("claim is asked for an unknown lane");
    belfry_code code =
        queue.table().claim(queue.instance(), queue.node(), kUnknown, {}, 10, 0, &count_rows, &rows, &why);
    require(code != BELFRY_OK || rows == 0, "an unknown lane has nothing to claim");
    require(code == BELFRY_OK || why.text[0] != '\0', "a refusal says why");
    context.step("steer is given an unknown verb");
    const std::string uid = "known";
    const belfry_str uid_row = str(std::string_view(uid));
    why = {};
    code = queue.table().steer(queue.instance(), str("default"), one_row(uid_row), kUnknown, &count_rows, &rows, &why);
    require(code == BELFRY_OK || why.text[0] != '\0', "a refusal says why");
    const auto push = queue.lookup("known");
    require(push && push->state == BELFRY_PUSH_RUNNING, "an unknown verb changes nothing");
    const Claimed claimed = queue.claim_one();
    context.step("page is given an unknown next step");
    conformance::queue::Checkpoint checkpoint = checkpoint_of(claimed, kUnknown);
    std::vector<conformance::queue::Paged> answers;
    why = {};
    static_cast<void>(queue.try_page(queue.node(), {checkpoint}, &answers, &why));
    require_equal(queue.finish(claimed).code, BELFRY_OK, "code of the page that ends the item afterwards");
}

void empty_lists(Context& context) {
    Queue queue(context);
    const belfry_list none{nullptr, 0, 0};
    const belfry_queue& table = queue.table();
    uint32_t rows = 0;
    belfry_why why{};
    const auto must = [&](belfry_code code, const char* call) {
        require(code == BELFRY_OK,
                std::string(call) + " of nothing succeeds; it answered " + conformance::said(code, why));
        require_equal(rows, 0, std::string("rows of ") + call);
    };
    context.step("enqueue is given nothing");
    must(table.enqueue(queue.instance(), queue.node(), none, &count_rows, &rows, &why), "enqueue");
    context.step("page is given nothing");
    must(table.page(queue.instance(), queue.node(), none, &count_rows, &rows, &why), "page");
    context.step("blobs is given nothing");
    must(table.blobs(queue.instance(), none, &count_rows, &rows, &why), "blobs");
    context.step("steer is given nothing");
    must(table.steer(queue.instance(), str("default"), none, BELFRY_STEER_CANCEL, &count_rows, &rows, &why), "steer");
    context.step("lookup is given nothing");
    must(table.lookup(queue.instance(), str("default"), none, &count_rows, &rows, &why), "lookup");
}

constexpr std::array<Case, 3> kCases{{
    {"contract.rows_are_borrowed", "nothing that a call was lent is used after it returned", 30, rows_are_borrowed},
    {"contract.unknown_values", "an unknown value of an enumeration is refused, not taken for another", 30,
     unknown_values},
    {"contract.empty_lists", "calls with empty lists, without an address even, succeed and answer nothing", 30,
     empty_lists},
}};

}  // namespace

std::span<const Case> queue_cases() {
    return kCases;
}

}  // namespace belfry::kit
