// SPDX-License-Identifier: Apache-2.0
// The writing half of a page for providers whose plans have no body, and those that are not HTTP: entries become
// requests in outboxes, or items of a job.
#include <belfry/abi.hpp>

#include <algorithm>

#include "delivery/page.h"

namespace belfry::delivery {

namespace {

// A call of the slowest provider takes a few milliseconds, unless it fills one request.
constexpr size_t kItemsPerEncode = 64;

struct Refusal {
    uint32_t entry = 0;
    belfry_verdict verdict{};
    std::string reason;
};

}  // namespace

belfry_item Page::item_of(const Block& block, uint32_t at) const {
    const Entry& entry = block.entries[at];
    const Group& group = groups_[entry.group];
    const Section& section = sections_[group.section];
    belfry_item item = sized<belfry_item>();
    item.index = at;
    item.variant = entry.variant;
    item.attempt = section.attempt;
    item.token = str(block.token(at));
    item.data = str(block.data(at));
    item.payload = str(std::string_view(group.prepared->payload()));
    item.expires_unix_ms = section.expires_unix_ms;
    item.started_unix_ms = section.started_unix_ms;
    const std::array<uint8_t, 16> id = delivery_id_of(section, entry, block.token(at));
    std::copy(id.begin(), id.end(), item.delivery_id);
    return item;
}

// Asks for the requests of all entries that no plan could write, a push and a few milliseconds at a time.
void Page::encode(Block& block) {
    uint32_t at = 0;
    while (at < block.entries_n) {
        if (!block.entries[at].unwritten) {
            ++at;
            continue;
        }
        collect_items(block, at);
        at += encode_some(block, at);
    }
}

// Unwritten entries of one push from `first` on; for requests that carry many, also those of the blocks behind.
void Page::collect_items(Block& block, uint32_t first) {
    items_.clear();
    const Entry& head = block.entries[first];
    const uint32_t per_request = groups_[head.group].prepared->plan(head.variant).items_max;
    const uint32_t paced = groups_[head.group].gate->request_deliveries_max();
    // What one call is given may become one request.
    const size_t most =
        paced < per_request ? paced : std::max<size_t>(kItemsPerEncode, std::min(per_request, kBlobEntriesMax));
    uint32_t number = first, at = first;
    for (const Block* in = &block; in != nullptr; in = per_request > 1 ? in->next : nullptr, at = 0) {
        for (; at < in->entries_n; ++at, ++number) {
            const Entry& entry = in->entries[at];
            if (items_.size() == most || !entry.unwritten || entry.group != head.group) return;
            items_.push_back(item_of(*in, at));
            items_.back().index = number;
        }
    }
}

// How many of items_ (the first is entry `first`) were dealt with. As each request carries at least one entry, the
// block has room for the requests that its own entries need.
uint32_t Page::encode_some(Block& block, uint32_t first) {
    const auto all = static_cast<uint32_t>(items_.size());
    Outbox* outbox = world_.blocks.outbox_for(block);
    if (outbox == nullptr) {
        http::Exchange unsent;
        unsent.transport = http::Transport::NeverSent;
        for (uint32_t at = first; at < first + all; ++at) {
            const auto [in, entry] = block.place(at);
            in->entries[entry].unwritten = false;
            judge_unanswered(*in, entry, unsent);
        }
        return all;
    }
    const uint32_t requests_max = std::min(all, kBlockEntries - block.exchanges_n);
    request_rows_.assign(requests_max, belfry_request{});
    belfry_outbox room = sized<belfry_outbox>();
    room.stride = sizeof(belfry_request);
    room.cap = requests_max;
    room.requests = request_rows_.data();
    room.buf = outbox->bytes + outbox->used;
    room.buf_cap = static_cast<uint32_t>(kOutboxBytes - outbox->used);
    PreparedPush& prepared = *groups_[block.entries[first].group].prepared;
    std::vector<Refusal> refusals;
    const Result<uint32_t> written =
        prepared.generation().provider->encode(prepared.handle(), items_, room, [&](const belfry_verdict& row) {
            Refusal& refusal = refusals.emplace_back(Refusal{row.item, row, text(row.reason)});
            refusal.verdict.flags &= ~uint32_t{BELFRY_VERDICT_RESEND | BELFRY_VERDICT_REAUTH};
            if (row.outcome == BELFRY_ACCEPTED) refusal.verdict.outcome = BELFRY_FAULT;  // nothing was sent
        });
    const uint32_t done = written ? *written : all;
    for (uint32_t at = first; at < first + done; ++at) {
        const auto [in, entry] = block.place(at);
        in->entries[entry].unwritten = false;
    }
    if (written) {
        for (const belfry_request& row : Rows<belfry_request>({room.requests, room.n, room.stride}))
            take_request(block, *outbox, room.buf, row);
        outbox->used += room.buf_n;
    } else {
        refusals.clear();
        for (uint32_t at = first; at < first + done; ++at) {
            Refusal& refusal = refusals.emplace_back(Refusal{at, sized<belfry_verdict>(), written.error().message});
            refusal.verdict.outcome = BELFRY_FAULT;
            refusal.verdict.scope = BELFRY_SCOPE_ITEM;
        }
    }
    http::Exchange none;  // what a refused item was sent with
    none.transport = http::Transport::NeverSent;
    for (const Refusal& refusal : refusals) {
        const auto [in, entry] = block.place(refusal.entry);
        act_on(*in, entry, none, refusal.verdict, refusal.reason);
    }
    return done;
}

// A request that encode wrote becomes an exchange.
void Page::take_request(Block& block, Outbox& outbox, const char* buffer, const belfry_request& row) {
    const auto part = [&](belfry_span span) { return std::string_view(buffer + span.at, span.n); };
    const auto [first_block, first] = block.place(row.first_item);
    const Group& group = groups_[first_block->entries[first].group];
    const CompiledPlan& plan = group.prepared->plan(first_block->entries[first].variant);
    OutboxRequest& request = outbox.requests.emplace_back();
    request.path = part(row.path);
    request.headers = part(row.headers);
    request.body = part(row.body);
    request.origin = part(row.origin);
    http::EndpointId endpoint = plan.plan.endpoint;
    if (!request.origin.empty()) {
        const Result<http::EndpointId> other = origin_of(plan.plan.endpoint, request.origin);
        if (!other) {
            http::Exchange none;
            none.transport = http::Transport::NeverSent;
            belfry_verdict verdict = sized<belfry_verdict>();
            verdict.outcome = other.error().code == ErrorCode::InvalidArgument ? BELFRY_REFUSED : BELFRY_RETRY;
            verdict.scope = BELFRY_SCOPE_ITEM;
            for (uint32_t at = row.first_item; at < row.first_item + row.items; ++at) {
                const auto [in, entry] = block.place(at);
                act_on(*in, entry, none, verdict, other.error().message);
            }
            return;
        }
        endpoint = *other;
        if (const Origins::Permit permit = group.gate->origins().ask(origin_id(request.origin, endpoint));
            permit.wait_ms > 0) {
            for (uint32_t at = row.first_item; at < row.first_item + row.items; ++at) {
                const auto [in, entry] = block.place(at);
                wait_for_origin(*in, entry, permit);
            }
            return;
        }
    }
    http::Exchange& exchange = block.add_exchange(row.first_item, row.items);
    exchange.plan = &plan.plan;
    exchange.encoded = &request;
    exchange.endpoint = endpoint;
    exchange.token = first_block->token(first);
    exchange.payload = group.prepared->payload();
    exchange.expires_unix_ms = sections_[group.section].expires_unix_ms;
}

// Most requests in a row go to the same few origins.
Result<http::EndpointId> Page::origin_of(http::EndpointId like, std::string_view url) {
    if (url == last_origin_.url && like == last_origin_.like) return last_origin_.endpoint;
    const Result<http::EndpointId> endpoint = world_.sender.origin(like, url);
    if (endpoint) last_origin_ = {like, *endpoint, std::string(url)};
    return endpoint;
}

// Entries of a provider that sends by itself: one job per block.
void Page::write_job(Block& block) {
    block.job = std::make_unique<SendJob>();
    SendJob& job = *block.job;
    job.portion = &*block.portion;
    job.verdicts.resize(block.entries_n);
    for (uint32_t at = 0; at < block.entries_n; ++at) {
        const uint16_t number = block.entries[at].group;
        job.items.push_back(item_of(block, at));
        if (at == 0 || number != block.entries[at - 1].group)
            job.runs.push_back({&groups_[number].prepared->handle(), at, 0});
        ++job.runs.back().n;
    }
}

// The verdicts that came with a job.
void Page::take_verdicts(Block& block, std::span<const uint8_t> exchanges) {
    judged_.assign(block.entries_n, Judged{});
    reasons_.clear();
    refused_by_ = nullptr;
    for (const uint8_t at : exchanges) {
        const SendVerdict& said = block.job->verdicts[at];
        Judged& judged = judged_[at];
        judged = {said.outcome,
                  said.scope == BELFRY_SCOPE_ORIGIN ? BELFRY_SCOPE_INSTANCE : said.scope,  // it has no others
                  said.flags & ~uint32_t{BELFRY_VERDICT_REAUTH},
                  said.variant,
                  said.retry_after_ms,
                  said.gone_unix_ms,
                  static_cast<uint32_t>(reasons_.size()),
                  static_cast<uint32_t>(said.reason.size())};
        reasons_ += said.reason;
    }
    for (const uint8_t at : exchanges) judge(block, at, block.exchanges()[at], judged_[at]);
}

}  // namespace belfry::delivery
