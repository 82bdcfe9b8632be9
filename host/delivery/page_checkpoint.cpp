// SPDX-License-Identifier: Apache-2.0
// The writing half of a page: its ledger as one checkpoint, what is still unanswered as lists of our own, the rest of a
// slice split.
#include <belfry/abi.hpp>

#include <algorithm>

#include "delivery/key_range.h"
#include "delivery/page.h"

namespace belfry::delivery {

namespace {

constexpr int kAllGroups = -1;

}  // namespace

belfry_checkpoint Page::blank(uint64_t item, uint32_t epoch) {
    belfry_checkpoint checkpoint = sized<belfry_checkpoint>();
    checkpoint.item = item;
    checkpoint.epoch = epoch;
    checkpoint.request = world_.requests.fetch_add(1, std::memory_order_relaxed);
    checkpoint.next = BELFRY_NEXT_FINISH;
    return checkpoint;
}

void Page::build_checkpoint() {
    checkpoints_.clear();
    owed_rows_.clear();
    tally_rows_.clear();
    planned_rows_.clear();
    sample_rows_.clear();
    belfry_checkpoint checkpoint = blank(item_.row.item, item_.row.epoch);
    const int64_t cursor = slice() ? rewind_returned() : 0;
    decide_next(checkpoint, cursor);
    add_rows(ledgers_[0], kAllGroups);
    if (item_.row.kind == BELFRY_WORK_BUNDLE) {
        for (const Section& section : sections_) {
            if (section.planned == 0) continue;
            belfry_tally row = sized<belfry_tally>();
            row.member = section.member;
            row.n = section.planned;
            planned_rows_.push_back(row);
        }
        checkpoint.planned_of = list_of(planned_rows_);
    } else {
        checkpoint.planned = planned();
    }
    checkpoint.cost = std::max(1u, submitted_);
    if (slice()) count_progress(checkpoint, cursor);
    checkpoint.owed = list_of(owed_rows_);
    checkpoint.tallies = list_of(tally_rows_);
    checkpoint.samples = list_of(sample_rows_);
    checkpoints_.push_back(checkpoint);
}

// Entries that came back unsent go into lists, or, where nothing behind them was sent, back into the range.
int64_t Page::rewind_returned() {
    int64_t cursor = cursor_;
    for (const Returned& entry : returned_) {
        if (entry.ref > kept_to_) {
            cursor = kept_to_;
            end_ = false;
            ++not_planned_;
        } else {
            owe(entry.group, 0, entry.attempt, entry.due_unix_ms, entry.ref);
        }
    }
    return cursor;
}

void Page::decide_next(belfry_checkpoint& checkpoint, int64_t cursor) {
    if (!slice()) {
        checkpoint.next = untouched_ ? BELFRY_NEXT_RELEASE : BELFRY_NEXT_FINISH;
        return;
    }
    checkpoint.cursor = cursor;
    if (end_) return;
    checkpoint.next = BELFRY_NEXT_RELEASE;
    if (regate_ != 0) {
        // All of one slot waits behind the gate: the rest of the slice becomes a sibling there. Several slots: cut them
        // apart first.
        const int64_t border = next_slot(cursor + 1);
        if (border >= item_.row.hi) checkpoint.next = BELFRY_NEXT_FINISH;
        checkpoint.split_at = border < item_.row.hi ? border : cursor + 1;
        checkpoint.split_hi = item_.row.hi;
        checkpoint.split_gate = border < item_.row.hi ? item_.row.gate : regate_;
        return;
    }
    if (const uint32_t gate = untouched_ || !returned_.empty() ? 0 : only_gate();
        gate != 0 && next_slot(cursor + 1) >= item_.row.hi) {
        // All rows of a mixed slice are one provider's: its rest goes behind that gate, so that the provider's troubles
        // are its own.
        checkpoint.next = BELFRY_NEXT_FINISH;
        checkpoint.split_at = cursor + 1;
        checkpoint.split_hi = item_.row.hi;
        checkpoint.split_gate = gate;
        return;
    }
    if (!untouched_ && returned_.empty() && item_.row.live_items < world_.options.live_items_max)
        split(checkpoint, cursor);
}

// The gate that everything of this mixed page went through; 0 if there are several, none, or the slice has a gate
// already.
uint32_t Page::only_gate() const {
    if (item_.row.gate != 0) return 0;
    uint32_t gate = 0;
    for (const Group& group : groups_) {
        if (group.gate == nullptr || group.outcome == BELFRY_FINAL_SKIPPED_NO_PAYLOAD) continue;
        if (gate != 0 && gate != group.gate_number) return 0;
        gate = group.gate_number;
    }
    return gate;
}

void Page::split(belfry_checkpoint& checkpoint, int64_t cursor) const {
    const int64_t at = split_point(cursor, item_.row.hi);
    if (at == 0) return;
    checkpoint.split_at = at;
    checkpoint.split_hi = item_.row.hi;
    checkpoint.split_gate = item_.row.gate;
}

void Page::count_progress(belfry_checkpoint& checkpoint, int64_t cursor) {
    const Section& section = sections_[0];
    // A jump over empty slots is no progress that says anything about pace.
    const int64_t range = end_ ? 0 : std::min(cursor - item_.row.after, kSlotKeys);
    const uint64_t matched = world_.progress.passed(section.seed, planned(), range, world_.clock.mono_ns());
    const bool by_shape = section.push != nullptr && section.push->body.lane_by_shape;
    if (by_shape && matched >= world_.options.low_after_devices && item_.row.lane != BELFRY_LANE_LOW) {
        checkpoint.lane = BELFRY_LANE_LOW;
    }
}

uint32_t Page::planned() const {
    uint32_t sum = 0;
    for (const Section& section : sections_) sum += section.initial ? section.planned : 0;
    return sum - std::min(sum, not_planned_);
}

void Page::add_rows(Ledger& ledger, int only_group) {
    const auto wanted = [&](uint16_t group) { return only_group == kAllGroups || group == only_group; };
    // A list that stragglers became is one push's, be it of a bundle.
    const auto member_of = [&](const Group& group) {
        return only_group == kAllGroups ? sections_[group.section].member : 0;
    };
    for (uint16_t number = 0; number < ledger.groups(); ++number) {
        const Group& group = groups_[number];
        if (!wanted(number)) continue;
        for (uint32_t outcome = 1; outcome < kOutcomes; ++outcome) {
            const uint32_t n = ledger.counts(number)[outcome];
            if (n == 0) continue;
            belfry_tally row = sized<belfry_tally>();
            row.gate = group.gate_number;
            row.member = member_of(group);
            row.outcome = static_cast<int32_t>(outcome);
            row.n = n;
            tally_rows_.push_back(row);
        }
    }
    for (OwedList* list = ledger.owed_begin(); list != ledger.owed_end(); ++list) {
        if (!wanted(list->group)) continue;
        belfry_owed row = sized<belfry_owed>();
        const Group& group = groups_[list->group];
        const bool waits = (list->flags & kOwedBehindOrigin) != 0;
        row.flags = list->flags & ~kOwedBehindOrigin;
        row.gate = waits ? group.gate->waiting_number() : group.gate_number;
        row.attempt = list->attempt;
        row.member = member_of(group);
        row.due_unix_ms = list->due_unix_ms;
        row.keys = list_of(list->keys);
        row.blob = list->picks.empty() ? 0 : item_.row.blob;
        row.picks = list_of(list->picks);
        row.note = str(std::string_view(list->note));
        owed_rows_.push_back(row);
    }
    for (const Sample& sample : ledger.samples()) {
        if (!wanted(sample.group)) continue;
        belfry_sample row = sized<belfry_sample>();
        row.gate = groups_[sample.group].gate_number;
        row.member = member_of(groups_[sample.group]);
        row.outcome = sample.outcome;
        row.text = str(std::string_view(sample.text));
        sample_rows_.push_back(row);
    }
}

// What has no answer yet becomes a list per push and gate that is born claimed by this node. False: some provider
// instance has too many of them already, the page waits.
bool Page::leave_stragglers() {
    harvest(true);
    for (Group& group : groups_) group.stragglers = 0;
    for (Block* block : blocks_) {
        for (uint32_t i = 0; i < block->exchanges_n; ++i) {
            const auto [in, entry] = block->place(block->sent[i].first);
            if (!block->sent[i].judged) ++groups_[in->entries[entry].group].stragglers;
        }
    }
    for (size_t i = 0; i < groups_.size(); ++i) {
        if (groups_[i].stragglers == 0 || groups_[i].gate->take_stragglers(groups_[i].stragglers)) continue;
        for (size_t taken = 0; taken < i; ++taken) {
            if (groups_[taken].stragglers > 0) groups_[taken].gate->straggler_done(groups_[taken].stragglers);
        }
        for (Group& group : groups_) group.stragglers = 0;
        return false;
    }
    for (const Block* block : blocks_) {
        for (uint32_t i = 0; i < block->entries_n; ++i) {
            const Entry& entry = block->entries[i];
            if (!entry.open) continue;
            owe(entry.group, BELFRY_OWED_MINE, sections_[groups_[entry.group].section].attempt, 0, entry.ref);
            keep(entry.ref);
            ++stragglers_;
        }
    }
    return true;
}

// The second checkpoint: one per list that the stragglers became.
void Page::build_tail() {
    checkpoints_.clear();
    owed_rows_.clear();
    tally_rows_.clear();
    sample_rows_.clear();
    if (BELFRY_CODE_CLASS(code_) == BELFRY_FENCED) return;
    // The rows of all lists first: the checkpoints point into vectors that must not grow any more.
    struct Part {
        const Group* group;
        size_t owed, tallies, samples;
    };
    std::vector<Part> parts;
    for (size_t i = 0; i < groups_.size(); ++i) {
        if (groups_[i].mine.item == 0) continue;
        parts.push_back({&groups_[i], owed_rows_.size(), tally_rows_.size(), sample_rows_.size()});
        add_rows(ledgers_[1], static_cast<int>(i));
    }
    for (size_t i = 0; i < parts.size(); ++i) {
        const bool last = i + 1 == parts.size();
        const auto part = [&](const auto& rows, size_t from, size_t to) {
            using Row = std::remove_cv_t<std::remove_reference_t<decltype(rows[0])>>;
            return belfry_list{rows.data() + from, static_cast<uint32_t>(to - from), sizeof(Row)};
        };
        belfry_checkpoint checkpoint = blank(parts[i].group->mine.item, parts[i].group->mine.epoch);
        checkpoint.owed = part(owed_rows_, parts[i].owed, last ? owed_rows_.size() : parts[i + 1].owed);
        checkpoint.tallies = part(tally_rows_, parts[i].tallies, last ? tally_rows_.size() : parts[i + 1].tallies);
        checkpoint.samples = part(sample_rows_, parts[i].samples, last ? sample_rows_.size() : parts[i + 1].samples);
        checkpoints_.push_back(checkpoint);
    }
}

// What the answers say about their provider instance: the breaker's counts, whether it can be reached at all, and
// whether it fails everybody.
void Page::report_to_gates() {
    const int64_t now_ms = world_.clock.mono_ns() / kNsPerMs;
    for (size_t number = 0; number < groups_.size(); ++number) {
        Group& group = groups_[number];
        if (group.gate == nullptr) continue;
        for (uint32_t outcome = 1; outcome < kOutcomes; ++outcome) {
            if (const uint32_t n = ledger().counts(number)[outcome]; n > 0)
                group.gate->count(static_cast<int32_t>(outcome), n);
        }
        const uint32_t answers = group.accepted + group.suspects + group.others;
        uint32_t accepted = group.accepted, suspects = group.suspects, others = group.others;
        for (const OriginTally& origin : origins_) {  // these speak for their origins only
            if (origin.group != number) continue;
            accepted -= origin.accepted;
            suspects -= origin.suspects;
            others -= origin.others;
        }
        if (group.gate->breaker().record(now_ms, accepted, suspects, others)) {
            world_.log.error(
                "nearly every device looks dead; deletions stopped, check the provider's credential and project",
                {{"provider", group.provider}});
        }
        if (answers > 0) group.gate->count_attempts(answers);
        group.gate->note_answers(group.accepted, group.overloaded);
        if (answers == 0 && group.returned > 0) group.gate->note_unreachable();
        const uint32_t judged = accepted + suspects + others;
        group.gate->note_failures(group.failed + group.silent, judged - std::min(judged, group.failed));
        group.accepted = group.suspects = group.others = group.overloaded = group.returned = 0;
        group.failed = group.silent = 0;
    }
    report_origins();
}

void Page::report_origins() {
    for (const OriginTally& tally : origins_) {
        Origins& origins = groups_[tally.group].gate->origins();
        const uint32_t answers = tally.accepted + tally.suspects + tally.others;
        if (answers > 0) origins.record(tally.key, tally.url, tally.accepted, tally.suspects, tally.others);
        if (tally.accepted > 0) origins.worked(tally.key.id, tally.url);
        const uint32_t rest = answers - std::min(answers, tally.failed);
        if (answers > 0) origins.failures(tally.key.id, tally.url, tally.failed, rest, tally.failure);
        if (answers > 0 || tally.silent == 0) continue;
        const std::string error = world_.sender.last_connect_error(tally.endpoint);
        origins.silent(tally.key.id, tally.url, error.empty() ? "it does not answer" : error);
    }
    origins_.clear();
}

}  // namespace belfry::delivery
