// SPDX-License-Identifier: Apache-2.0
// The answering half of a page: finished exchanges become verdicts, verdicts become actions, actions become ledger
// entries.
#include <belfry/abi.hpp>

#include <algorithm>
#include <bit>

#include "delivery/page.h"
#include "delivery/sample_line.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kResendAnswerMinNs = 2 * kNsPerSecond;

uint64_t random_number() {
    // xorshift64*: jitter, not secrets.
    thread_local uint64_t state = reinterpret_cast<uintptr_t>(&state) ^ 0x9e3779b97f4a7c15ULL;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

}  // namespace

// Judges what has finished: exceptions at once, the rest of a block when it is complete, or everything that is done.
void Page::harvest(bool everything) {
    for (size_t i = 0; i < blocks_.size(); ++i) {  // resends may append a block
        Block& block = *blocks_[i];
        if (!block.portion || block.answered) continue;
        const bool complete = block.complete.load(std::memory_order_acquire);
        uint64_t low = block.raised[0].exchange(0, std::memory_order_acquire);
        uint64_t high = block.raised[1].exchange(0, std::memory_order_acquire);
        if (complete || everything) low = high = ~uint64_t{0};
        if ((low | high) != 0) harvest_block(block, low, high);
        if (complete) {
            block.answered = true;
            groups_[block.group].gate->gave_back(block.under_way);
        }
    }
    if (Block* block = std::exchange(resends_, nullptr)) submit(*block);
    for (Block* block : blocks_) block->harvested = block->open_n == 0 && (block->answered || !block->portion);
}

void Page::harvest_block(Block& block, uint64_t low, uint64_t high) {
    std::array<uint8_t, kBlockEntries> answered;
    size_t n = 0;
    for (uint64_t half = 0; half < 2; ++half) {
        for (uint64_t bits = half == 0 ? low : high; bits != 0; bits &= bits - 1) {
            const auto at = static_cast<uint32_t>(half * 64 + static_cast<uint64_t>(std::countr_zero(bits)));
            if (at >= block.exchanges_n) break;
            Sent& sent = block.sent[at];
            const http::Exchange& exchange = block.exchanges()[at];
            if (sent.judged || !exchange.done()) continue;
            sent.judged = true;
            if (tail_) groups_[block.group].gate->straggler_done(1);
            if (exchange.transport == http::Transport::Answered) {
                answered[n++] = static_cast<uint8_t>(at);
            } else {
                for (uint32_t number = sent.first; number < uint32_t{sent.first} + sent.n; ++number) {
                    const auto [in, entry] = block.place(number);
                    judge_unanswered(*in, entry, exchange);
                }
            }
        }
    }
    if (n == 0) return;
    const std::span<const uint8_t> exchanges(answered.data(), n);
    block.job == nullptr ? decode(block, exchanges) : take_verdicts(block, exchanges);
}

void Page::decode(Block& block, std::span<const uint8_t> exchanges) {
    std::array<belfry_answer, kBlockEntries> answers;
    size_t n = 0, headers_n = 0, items_n = 0, items_end = 0;
    for (const uint8_t at : exchanges) {
        block.exchanges()[at].each_header([&](std::string_view, std::string_view) { ++headers_n; });
        items_n += block.sent[at].n;
        items_end = std::max<size_t>(items_end, size_t{block.sent[at].first} + block.sent[at].n);
    }
    answered_headers_.clear();
    answered_headers_.reserve(headers_n);  // the rows below point into it
    answered_tokens_.clear();
    answered_tokens_.reserve(items_n);
    Generation* generation = nullptr;
    for (const uint8_t at : exchanges) {
        const http::Exchange& exchange = block.exchanges()[at];
        const Sent& sent = block.sent[at];
        const auto [first_block, first] = block.place(sent.first);
        const Entry& entry = first_block->entries[first];
        const Group& group = groups_[entry.group];
        generation = &group.prepared->generation();
        belfry_answer& answer = answers[n++];
        answer = sized<belfry_answer>();
        answer.first_item = sent.first;
        answer.items = sent.n;
        answer.variant = entry.variant;
        answer.status = exchange.status;
        answer.resent = entry.resent;
        answer.prepared = group.prepared->handle().get();
        answer.body = str(exchange.body());
        answer.flags = exchange.cut ? uint32_t{BELFRY_ANSWER_CUT} : 0u;
        if (exchange.encoded != nullptr) {
            answer.origin = str(static_cast<const OutboxRequest*>(exchange.encoded)->origin);
            const size_t from = answered_tokens_.size();
            for (uint32_t number = sent.first; number < uint32_t{sent.first} + sent.n; ++number) {
                const auto [in, item] = block.place(number);
                answered_tokens_.push_back(str(in->token(item)));
            }
            answer.tokens = {answered_tokens_.data() + from, sent.n, sizeof(belfry_str)};
        }
        const size_t from = answered_headers_.size();
        exchange.each_header([&](std::string_view name, std::string_view value) {
            answered_headers_.push_back({str(name), str(value)});
        });
        answer.headers = {answered_headers_.data() + from, static_cast<uint32_t>(answered_headers_.size() - from),
                          sizeof(belfry_header)};
        if (exchange.detail) answer.date_unix_ms = exchange.detail->date_unix_ms;
        if (answer.date_unix_ms != 0) group.gate->watch().note_peer_clock(answer.date_unix_ms);
    }
    judged_.assign(items_end, Judged{});
    reasons_.clear();
    refused_by_ = nullptr;
    BELFRY_ASSERT(generation != nullptr);  // it is called for answers that are there
    generation->provider->decode(std::span(answers.data(), n), [&](const belfry_verdict& row) {
        Judged& judged = judged_[row.item];
        judged = {row.outcome, row.scope, row.flags, row.variant, row.retry_after_ms, row.gone_unix_ms, 0, 0};
        if (row.outcome == BELFRY_ACCEPTED || row.reason.n == 0) return;
        judged.reason_at = static_cast<uint32_t>(reasons_.size());
        judged.reason_n = static_cast<uint32_t>(std::min(row.reason.n, kSampleBytesMax));
        reasons_.append(row.reason.p, judged.reason_n);
    });
    for (const uint8_t at : exchanges) {
        const Sent& sent = block.sent[at];
        for (uint32_t number = sent.first; number < uint32_t{sent.first} + sent.n; ++number) {
            const auto [in, entry] = block.place(number);
            judge(*in, entry, block.exchanges()[at], judged_[number]);
        }
    }
}

void Page::note_accepted(Group& group, const Entry& entry, const http::Exchange& exchange) {
    if (OriginTally* const origin = tally_of(entry, exchange)) ++origin->accepted;
    if (hears_first_of(group, entry.platform)) group.gate->platforms().worked(entry.platform);
    if (group.accepted++ != 0 && !group.gate->refuses()) return;
    group.gate->note_accepted(group.prepared->generation());
    const int32_t slot = group.prepared->plan(entry.variant).credential;
    Authorizer* authorizer = group.prepared->generation().authorizer.get();
    if (slot >= 0 && authorizer != nullptr)
        authorizer->prove(static_cast<uint32_t>(slot), exchange.credential_generation);
}

void Page::judge(Block& block, uint32_t at, const http::Exchange& exchange, const Judged& judged) {
    const Entry& entry = block.entries[at];
    Group& group = groups_[entry.group];
    if (judged.outcome == BELFRY_ACCEPTED) note_accepted(group, entry, exchange);
    if (judged.outcome == BELFRY_ACCEPTED && judged.flags == 0) {  // the hot path
        ledger().count(entry.group, BELFRY_FINAL_ACCEPTED);
        keep(entry.ref);
        close(block, at);
        return;
    }
    belfry_verdict verdict = sized<belfry_verdict>();
    verdict.outcome = judged.outcome;
    verdict.scope = judged.scope;
    verdict.flags = judged.flags;
    verdict.variant = judged.variant;
    verdict.retry_after_ms = judged.retry_after_ms;
    verdict.gone_unix_ms = judged.gone_unix_ms;
    act_on(block, at, exchange, verdict, std::string_view(reasons_).substr(judged.reason_at, judged.reason_n));
}

void Page::act_on(Block& block, uint32_t at, const http::Exchange& exchange, const belfry_verdict& verdict,
                  std::string_view reason) {
    const Entry& entry = block.entries[at];
    Group& group = groups_[entry.group];
    const AttemptState state = attempt_state(group, entry, exchange);
    const Action action = beyond_delivery(group, entry, exchange, verdict, state, reason);
    // A 429 about one device says nothing of how much the provider can take.
    const bool busy = exchange.status == 503 || (exchange.status == 429 && verdict.scope != BELFRY_SCOPE_ITEM);
    group.overloaded += (verdict.outcome == BELFRY_RETRY && busy && tally_of(entry, exchange) == nullptr) ||
                        (verdict.outcome == BELFRY_THROTTLED && verdict.scope == BELFRY_SCOPE_INSTANCE);
    // Status 0: of a provider that sends by itself.
    const bool failed = exchange.status >= 500 || exchange.status == 0;
    if (verdict.outcome == BELFRY_RETRY && failed) note_failure(entry, exchange, reason);
    const bool retire = (verdict.flags & BELFRY_VERDICT_RETIRE_CONNECTION) != 0;
    if (retire && exchange.endpoint >= 0) group.gate->retire_connections(exchange.endpoint);
    perform(block, at, exchange, action, reason);
}

void Page::judge_unanswered(Block& block, uint32_t at, const http::Exchange& exchange) {
    const Entry& entry = block.entries[at];
    Group& group = groups_[entry.group];
    const Section& section = sections_[group.section];
    const bool unsent = exchange.transport == http::Transport::NeverSent;
    bool held_up = unsent && !world_.host.stopping() && world_.stopped.state(section.seed) == 0;
    Action action =
        action_without_answer(exchange.transport, attempt_state(group, entry, exchange), world_.options.attempts);
    std::string_view reason = "no answer in time; it may have arrived";
    if (exchange.transport == http::Transport::Unsendable) {
        action = Action{};
        action.outcome = BELFRY_FINAL_REFUSED;
        action.sample = true;
        reason = "no valid HTTP request can be made of this token or payload";
    } else if (OriginTally* const origin = held_up ? tally_of(entry, exchange) : nullptr;
               origin != nullptr && !world_.sender.last_connect_error(exchange.endpoint).empty()) {
        ++origin->silent;
        const bool worked = group.gate->origins().works(origin->key.id);
        action = while_origin_waits(attempt_state(group, entry, exchange), {1, !worked});
        reason = "the push service of this subscription cannot be reached";
        held_up = false;
    } else if (unsent && group.prepared->refused()) {
        action = Action{};
        action.outcome = BELFRY_FINAL_REFUSED;
    } else if (const int32_t state = unsent ? world_.stopped.state(section.seed) : 0;
               state == BELFRY_PUSH_CANCELLED || state == BELFRY_PUSH_EXPIRED) {
        action = Action{};
        action.outcome = state == BELFRY_PUSH_EXPIRED ? BELFRY_FINAL_EXPIRED : BELFRY_FINAL_CANCELLED;
    } else if (unsent && world_.host.stopping() && action.fate == Fate::Owed) {
        action.due_unix_ms = world_.clock.unix_ms();
    }
    if (held_up && action.fate == Fate::Owed) ++group.returned;
    group.silent += exchange.transport == http::Transport::Unknown && tally_of(entry, exchange) == nullptr;
    perform(block, at, exchange, action, reason);
}

AttemptState Page::attempt_state(const Group& group, const Entry& entry, const http::Exchange& exchange) {
    AttemptState state;
    state.attempt = sections_[group.section].attempt;
    state.resent = entry.resent;
    state.may_resend = !tail_ && !world_.host.stopping() && world_.clock.mono_ns() + kResendAnswerMinNs < hard_stop();
    const int32_t slot = group.prepared->plan(entry.variant).credential;
    Authorizer* authorizer = group.prepared->generation().authorizer.get();
    state.credential_renewed = slot >= 0 && authorizer != nullptr &&
                               authorizer->renewed_since(static_cast<uint32_t>(slot), exchange.credential_generation);
    state.provider_fails = state.attempt >= world_.options.attempts.attempts_max && fails_everybody(group, exchange);
    state.now_unix_ms = world_.clock.unix_ms();
    state.expires_unix_ms = sections_[group.section].expires_unix_ms;
    state.random = random_number();
    return state;
}

void Page::perform(Block& block, uint32_t at, const http::Exchange& exchange, const Action& action,
                   std::string_view reason) {
    Entry& entry = block.entries[at];
    const uint16_t number = entry.group;
    Group& group = groups_[number];
    const uint32_t attempt = sections_[group.section].attempt;
    const bool answered = exchange.transport == http::Transport::Answered;
    OriginTally* const origin = tally_of(entry, exchange);
    const bool accepted = action.fate == Fate::Final && action.outcome == BELFRY_FINAL_ACCEPTED;
    if (action.fate != Fate::Resend && answered && !accepted) {
        ++(action.suspect ? group.suspects : group.others);
        if (origin != nullptr) ++(action.suspect ? origin->suspects : origin->others);
    }
    if (origin != nullptr && exchange.transport == http::Transport::Unknown) ++origin->silent;
    if (action.sample) add_sample(number, action.outcome, entry.ref, answered ? exchange.status : 0, reason);
    widen(group, entry, exchange, action, reason);
    if (action.delete_device)
        bury_device(number, entry, block.token(at), action, origin != nullptr ? origin->key : OriginKey{});
    if (action.learn_variant && !picks(sections_[group.section])) {
        belfry_fact fact = sized<belfry_fact>();
        fact.key = entry.ref;
        fact.variant = action.variant;
        const audience::Hash16 hash = audience::token_hash(block.token(at));
        std::copy(hash.begin(), hash.end(), fact.token_hash);
        ledger().learnt.push_back({fact, number});
    }
    switch (action.fate) {
        case Fate::Final:
            ledger().count(number, action.outcome);
            break;
        case Fate::Dead:
            ledger().count(number, action.outcome);
            owe(number, BELFRY_OWED_DEAD, attempt, 0, entry.ref, reason);
            break;
        case Fate::Owed: {
            if (action.behind_origin && group.gate->waiting_number() != 0) {
                owe(number, kOwedBehindOrigin, action.attempt, world_.clock.unix_ms(), entry.ref);
                break;
            }
            const bool returned =
                action.attempt == attempt && action.due_unix_ms <= world_.clock.unix_ms() + kReturnedSoonMs;
            if (returned && slice() && !tail_) {
                returned_.push_back({number, entry.ref, action.due_unix_ms, action.attempt});
                close(block, at);
                return;
            }
            owe(number, 0, action.attempt, action.due_unix_ms, entry.ref);
            break;
        }
        case Fate::Resend:
            resend(block, at, action);
            break;
    }
    keep(entry.ref);
    close(block, at);
}

void Page::bury_device(uint16_t number, const Entry& entry, std::string_view token, const Action& action,
                       const OriginKey& origin) {
    const Group& group = groups_[number];
    const Section& section = sections_[group.section];
    DeadToken dead;
    dead.fact = sized<belfry_fact>();
    dead.group = number;
    dead.suspect = action.suspect;
    dead.origin = origin;
    dead.fact.key = entry.ref;
    // Whoever registered after the evidence, or after the page read its row, has a token of today.
    dead.fact.unless_registered_after_ms = action.gone_unix_ms > 0 ? action.gone_unix_ms : read_unix_ms_;
    const audience::Hash16 hash = audience::token_hash(token);
    std::copy(hash.begin(), hash.end(), dead.fact.token_hash);
    if (picks(section)) {
        if (section.push->body.audience != Audience::Tokens) return;
        const Result<BlobEntry> raw = section.blob.at(static_cast<uint32_t>(entry.ref));
        if (!raw) return;
        dead.fact.key = -1;
        const audience::Hash16 identity = audience::identity_hash(group.provider, raw->identity);
        std::copy(identity.begin(), identity.end(), dead.fact.identity_hash);
    }
    ledger().dead.push_back(dead);
}

// Once more now, as another variant: a new exchange in a block of its own, submitted when this round of answers is
// judged.
void Page::resend(Block& block, uint32_t at, const Action& action) {
    const Entry& from = block.entries[at];
    Group& group = groups_[from.group];
    const std::string_view token = block.token(at), data = block.data(at);
    const bool fits = resends_ != nullptr && resends_->has_room(token.size() + data.size()) &&
                      &groups_[resends_->group].prepared->generation() == &group.prepared->generation();
    if (resends_ != nullptr && !fits) submit(*std::exchange(resends_, nullptr));
    if (resends_ == nullptr) {
        resends_ = world_.blocks.take();
        if (resends_ == nullptr) {
            owe(from.group, 0, sections_[group.section].attempt, world_.clock.unix_ms(), from.ref);
            return;
        }
        resends_->page = this;
        resends_->group = from.group;
        blocks_.push_back(resends_);
    }
    Entry& entry = resends_->add(token, data);
    entry.ref = from.ref;
    entry.variant = action.variant;
    entry.platform = from.platform;
    entry.group = from.group;
    entry.resent = static_cast<uint8_t>(from.resent + 1u);
    ++submitted_;
    write_entry(*resends_, group.prepared->plan(action.variant));
}

void Page::close(Block& block, uint32_t at) {
    Entry& entry = block.entries[at];
    BELFRY_ASSERT(entry.open);
    entry.open = false;
    --block.open_n;
}

void Page::owe(uint16_t group, uint32_t flags, uint32_t attempt, int64_t due_unix_ms, int64_t ref,
               std::string_view note) {
    ledger().owe(group, flags, attempt, due_unix_ms, picks(sections_[groups_[group].section]), ref, note);
}

void Page::add_sample(uint16_t group, int32_t outcome, int64_t ref, int status, std::string_view reason) {
    if (!ledger().wants_samples()) return;
    if (groups_[group].gate != nullptr && !reason.empty()) groups_[group].gate->note_error(reason);
    const Section& section = sections_[groups_[group].section];
    SampleFacts facts;
    facts.provider = groups_[group].provider;
    facts.outcome = outcome == 0 ? std::string_view("retry") : word_of_outcome(outcome);
    facts.reason = reason;
    facts.device_key = picks(section) ? -1 : ref;
    facts.attempt = section.attempt;
    facts.status = status;
    ledger().sample(group, outcome, sample_line(facts));
}

// Deliveries whose requests have no answer yet.
uint32_t Page::unfinished() const {
    uint32_t left = 0;
    for (Block* block : blocks_) {
        if (block->answered || !block->portion) continue;
        const uint32_t finished = block->portion->finished.load(std::memory_order_acquire);
        const uint32_t requests = block->exchanges_n - std::min(finished, block->exchanges_n);
        if (requests == 0 || !block->packed) {
            left += std::max(1u, requests);
            continue;
        }
        for (const http::Exchange& exchange : block->exchanges()) left += exchange.done() ? 0u : exchange.deliveries;
    }
    return left;
}

}  // namespace belfry::delivery
