// SPDX-License-Identifier: Apache-2.0
#include "delivery/settler.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <string>

#include "base/named_thread.h"

namespace belfry::delivery {

namespace {

constexpr size_t kPagesPerCommit = 64;
constexpr auto kFirstWait = std::chrono::milliseconds(50);
constexpr auto kLongestWait = std::chrono::milliseconds(2'000);

bool is_answer(belfry_code code) {
    const belfry_code kind = BELFRY_CODE_CLASS(code);
    return code == BELFRY_OK || kind == BELFRY_FENCED || kind == BELFRY_STOPPED || kind == BELFRY_PAUSED;
}

// Repeating the same will not help: of an answer to a checkpoint, and of a call.
bool is_refusal(ErrorCode code) {
    return code == ErrorCode::InvalidArgument || code == ErrorCode::NotFound || code == ErrorCode::Conflict ||
           code == ErrorCode::TooLarge || code == ErrorCode::Unsupported || code == ErrorCode::Corrupt;
}
bool is_refusal(belfry_code code) {
    const belfry_code kind = BELFRY_CODE_CLASS(code);
    return kind == BELFRY_BAD_REQUEST || kind == BELFRY_NOT_FOUND || kind == BELFRY_CONFLICT ||
           kind == BELFRY_TOO_LARGE || kind == BELFRY_UNSUPPORTED || kind == BELFRY_CORRUPT;
}

}  // namespace

Settler::Settler(plugins::Queue& queue, plugins::Storage& storage, Node& node, const Clock& clock, size_t pages_max,
                 Log& log, Metrics& metrics)
    : queue_(queue),
      node_(node),
      clock_(clock),
      log_(log, "delivery"),
      pages_(metrics.counter("pages_total", "Pages committed to the queue")),
      facts_(storage, clock, log, metrics),
      waiting_(pages_max),
      give_up_at_(std::numeric_limits<int64_t>::max()),
      thread_(named_thread("settler", [this] { run(); })) {}

Settler::~Settler() {
    stop(0);
}

void Settler::settle(Page& page) {
    Page* waiting = &page;
    // Closed: its read outlasted the stop. Nothing of the page was committed, so its item is another's soon.
    static_cast<void>(waiting_.push(std::move(waiting)));
}

void Settler::stop(int64_t deadline_mono_ns) {
    give_up_at_ = std::min<int64_t>(give_up_at_, deadline_mono_ns);
    waiting_.close();
    if (thread_.joinable()) thread_.join();
    facts_.stop(deadline_mono_ns);
}

void Settler::run() {
    for (;;) {
        const std::vector<Page*> pages = waiting_.pop_all(kPagesPerCommit);
        if (pages.empty()) return;
        commit(pages);
        hand_on_facts(pages);
        for (Page* page : pages) page->post(Page::kSettled);
    }
}

void Settler::commit(const std::vector<Page*>& pages) {
    std::vector<Part> parts;
    std::vector<belfry_checkpoint> rows;
    for (Page* page : pages) {
        const std::span<const belfry_checkpoint> checkpoints = page->checkpoints();
        for (size_t i = 0; i < checkpoints.size(); ++i) {
            parts.push_back({page, i});
            rows.push_back(checkpoints[i]);
        }
    }
    auto wait = kFirstWait;
    while (!rows.empty()) {
        const Status written = write(parts, rows);
        if (!written && is_refusal(written.error().code)) write_each(parts, rows);
        if (rows.empty()) break;
        if (clock_.mono_ns() >= give_up_at_) return give_up(parts);
        log_.warning(
            "progress cannot be written to the queue, trying again",
            {{"pages", rows.size()}, {"reason", written ? std::string("refused") : written.error().to_string()}});
        std::this_thread::sleep_for(wait);
        wait = std::min(wait * 2, kLongestWait);
    }
    pages_.add(static_cast<double>(pages.size()));
}

Status Settler::write(std::vector<Part>& parts, std::vector<belfry_checkpoint>& rows) {
    std::vector<bool> answered(rows.size(), false);
    const Status written = queue_.page(node_.id(), rows, [&](const belfry_paged& row) {
        if (!is_answer(row.code) && !is_refusal(row.code)) return;
        answered[row.index] = true;
        belfry_paged answer = row;
        if (is_refusal(row.code)) {
            log_.error("the queue refuses a checkpoint; its item is left to the queue",
                       {{"item", rows[row.index].item}, {"code", BELFRY_CODE_CLASS(row.code) >> 16}});
            answer.code = BELFRY_FENCED;
        }
        parts[row.index].page->settled(parts[row.index].checkpoint, answer);
    });
    if (!written && written.error().code == ErrorCode::Cancelled) {  // the node as a whole was fenced
        give_up(parts);
        std::fill(answered.begin(), answered.end(), true);
    }
    size_t kept = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
        if (answered[i]) continue;
        parts[kept] = parts[i];
        rows[kept++] = rows[i];
    }
    parts.resize(kept);
    rows.resize(kept);
    return written;
}

// A call was refused as a whole, perhaps for a single checkpoint: the others must not wait for it.
void Settler::write_each(std::vector<Part>& parts, std::vector<belfry_checkpoint>& rows) {
    std::vector<Part> left;
    std::vector<belfry_checkpoint> left_rows;
    for (size_t i = 0; i < rows.size(); ++i) {
        std::vector<Part> part{parts[i]};
        std::vector<belfry_checkpoint> row{rows[i]};
        const Status written = write(part, row);
        if (row.empty()) continue;
        if (!written && is_refusal(written.error().code)) {
            log_.error("the queue refuses a checkpoint; its item is left to the queue",
                       {{"item", row.front().item}, {"reason", written.error().to_string()}});
            give_up(part);
            continue;
        }
        left.push_back(part.front());
        left_rows.push_back(row.front());
    }
    parts.swap(left);
    rows.swap(left_rows);
}

void Settler::give_up(const std::vector<Part>& parts) {
    belfry_paged fenced = sized<belfry_paged>();
    fenced.code = BELFRY_FENCED;
    for (const Part& part : parts) part.page->settled(part.checkpoint, fenced);
}

void Settler::hand_on_facts(const std::vector<Page*>& pages) {
    std::map<std::string, std::vector<belfry_fact>> dead, learnt;  // by app
    for (Page* page : pages) {
        for (const DeadToken& token : page->settling().dead) {
            const bool believed = page->gate_of(token.group)->may_delete(token.origin, token.suspect);
            if (believed) dead[page->app_of(token.group)].push_back(token.fact);
        }
        for (const LearntVariant& variant : page->settling().learnt) {
            learnt[page->app_of(variant.group)].push_back(variant.fact);
        }
    }
    for (auto& [app, facts] : dead) facts_.dead(app, std::move(facts));
    for (auto& [app, facts] : learnt) facts_.learnt(app, std::move(facts));
}

}  // namespace belfry::delivery
