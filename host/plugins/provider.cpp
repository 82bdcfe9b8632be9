// SPDX-License-Identifier: Apache-2.0
#include "plugins/provider.h"

#include <algorithm>

#include "plugins/missing.h"

namespace belfry::plugins {

namespace {

// Verdicts of one call lie close together (a page); a wider spread than this would be the host's own mistake.
constexpr uint64_t kItemSpreadMax = 1u << 20;

bool known_outcome(int32_t outcome) noexcept {
    return outcome >= BELFRY_ACCEPTED && outcome <= BELFRY_FAULT;
}

bool readable(belfry_list list, size_t element) noexcept {
    return list.n == 0 || (list.p != nullptr && list.stride >= element);
}

// A defect of `pieces`, or empty. `single_line`: the text must not break out of a header line.
std::string piece_defect(belfry_list pieces, const belfry_plan& plan, const belfry_content& content, bool single_line) {
    if (!readable(pieces, sizeof(belfry_piece))) return "its list of pieces is unreadable";
    for (const belfry_piece& piece : Rows<belfry_piece>(pieces)) {
        if (piece.kind < BELFRY_PIECE_TEXT || piece.kind > BELFRY_PIECE_TTL_S)
            return "piece kind " + std::to_string(piece.kind) + " is unknown";
        const bool of_text = piece.kind == BELFRY_PIECE_TEXT;
        if (!of_text && piece.kind != BELFRY_PIECE_PAYLOAD && piece.kind != BELFRY_PIECE_PAYLOAD_STRING) continue;
        const size_t room = of_text ? plan.text.n : content.payload.n;
        if (piece.from > piece.to || piece.to > room) {
            return "piece [" + std::to_string(piece.from) + ", " + std::to_string(piece.to) + ") is outside of the " +
                   (of_text ? "text" : "payload") + " of " + std::to_string(room) + " bytes";
        }
        const std::string_view part =
            of_text ? view(plan.text).substr(piece.from, piece.to - piece.from) : std::string_view{};
        if (single_line && part.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
            return "a path or header value holds a line break";
    }
    return {};
}

std::string field_defect(const belfry_field& field, const belfry_plan& plan, const belfry_content& content) {
    const std::string_view name = view(field.name);
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
    if (name.empty() || !plain)
        return "header name \"" + std::string(name) + "\" is not lower-case letters, digits, - _ .";
    if (name == "authorization" || name == "content-length")
        return "header \"" + std::string(name) + "\" is the host's; use a credential slot";
    const std::string defect = piece_defect(field.value, plan, content, true);
    return defect.empty() ? defect : "header \"" + std::string(name) + "\": " + defect;
}

// One printable line of a bounded length, as ids and push types of channels are.
bool is_line(std::string_view text) noexcept {
    return text.size() <= kChannelIdMax &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

int32_t verb_of(ChannelCall::Verb verb) noexcept {
    switch (verb) {
        case ChannelCall::Verb::Create:
            return BELFRY_CHANNEL_CREATE;
        case ChannelCall::Verb::Get:
            return BELFRY_CHANNEL_GET;
        case ChannelCall::Verb::Delete:
            return BELFRY_CHANNEL_DELETE;
        case ChannelCall::Verb::List:
            break;
    }
    return BELFRY_CHANNEL_LIST;
}

// How many rows an answer may have.
std::pair<size_t, size_t> rows_of(ChannelCall::Verb verb) noexcept {
    if (verb == ChannelCall::Verb::List) return {0, kChannelsMax};
    return verb == ChannelCall::Verb::Delete ? std::pair<size_t, size_t>{0, 0} : std::pair<size_t, size_t>{1, 1};
}

bool inside(belfry_span span, uint32_t n) noexcept {
    return span.at <= n && span.n <= n - span.at;
}

}  // namespace

void VerdictLedger::expect(uint32_t first, uint32_t n) {
    if (n == 0) return;
    if (states_.empty()) first_ = first;
    if (first < first_) {
        states_.insert(states_.begin(), first_ - first, State::NotOurs);
        first_ = first;
    }
    const uint64_t end = uint64_t{first} - first_ + n;
    BELFRY_ASSERT(end <= kItemSpreadMax);
    if (end > states_.size()) states_.resize(end, State::NotOurs);
    std::fill_n(states_.begin() + (first - first_), n, State::Open);
}

VerdictLedger::Take VerdictLedger::take(const belfry_verdict& verdict) noexcept {
    const size_t at = size_t{verdict.item} - first_;  // wraps for smaller items
    if (at >= states_.size() || states_[at] == State::NotOurs) {
        faults_->add(Fault::ForeignVerdict, call_);
        return Take::Foreign;
    }
    if (states_[at] != State::Open) {
        faults_->add(Fault::RepeatedVerdict, call_);
        states_[at] = State::Spoiled;
        return Take::Spoiled;
    }
    if (!known_outcome(verdict.outcome)) {
        faults_->add(Fault::BadVerdict, call_);
        states_[at] = State::Spoiled;
        return Take::Spoiled;
    }
    states_[at] = State::Judged;
    return Take::Good;
}

belfry_verdict VerdictLedger::internal(uint32_t item, std::string_view reason) noexcept {
    belfry_verdict verdict = sized<belfry_verdict>();
    verdict.item = item;
    verdict.outcome = BELFRY_FAULT;
    verdict.scope = BELFRY_SCOPE_ITEM;
    verdict.reason = str(reason);
    return verdict;
}

Prepared& Prepared::operator=(Prepared&& other) noexcept {
    if (this != &other) {
        if (handle_ != nullptr) provider_->release(handle_);
        provider_ = std::exchange(other.provider_, nullptr);
        handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
}

Prepared::~Prepared() {
    if (handle_ != nullptr) provider_->release(handle_);
}

std::string Provider::missing(const belfry_provider& table) {
    return join_missing({{"validate", table.validate != nullptr},
                         {"prepare", table.prepare != nullptr},
                         {"release", table.release != nullptr},
                         {"decode or send", table.decode != nullptr || table.send != nullptr}});
}

Provider::Provider(const belfry_provider* table, belfry_instance* instance, Faults& faults)
    : table_(known_table(table)), door_(instance, faults, table_.concurrency), control_(instance, faults, 0) {}

// A member that the plugin's table does not have whole, because it is older, is not there.
belfry_provider Provider::known_table(const belfry_provider* table) noexcept {
    belfry_provider known = known_part<belfry_provider>(table);
    if (!BELFRY_HAS(&known, channels)) known.channels = nullptr;
    return known;
}

Result<CheckedToken> Provider::validate(const belfry_token& token) {
    CheckedToken checked;
    uint32_t rows = 0;
    const Status done = door_.rows<belfry_token>(
        "provider.validate",
        [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
            return table_.validate(i, &token, emit, ctx, why);
        },
        [&](const belfry_token& row) {
            if (++rows > 1) return;
            const uint32_t flags = BELFRY_HAS(&row, flags) ? row.flags : 0;
            checked = CheckedToken{text(row.token), text(row.identity), text(row.data), row.variant,
                                   (flags & BELFRY_TOKEN_VARIANT_GUESSED) != 0};
        });
    if (!done) return done.error();
    const char* wrong = nullptr;
    if (rows != 1)
        wrong = "the provider plugin accepted a token without describing it once";
    else if (checked.token.empty() || checked.identity.empty())
        wrong = "the provider plugin gave a token without text or identity";
    else if (checked.data.size() > kProviderDataMax)
        wrong = "the provider plugin wants to keep more than 1 KiB with a token";
    if (wrong == nullptr) return checked;
    door_.faults().add(Fault::BadRow, "provider.validate");
    return error(ErrorCode::Internal, std::string(wrong) + "; report it to the plugin's author", "token");
}

Result<NewCredential> Provider::authorize(uint32_t slot, int64_t deadline_mono_ns) {
    if (table_.authorize == nullptr) return Door::unsupported("provider.authorize");
    NewCredential made;
    uint32_t rows = 0;
    const Status done = control_.rows<belfry_credential>(
        "provider.authorize",
        [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
            return table_.authorize(i, slot, deadline_mono_ns, emit, ctx, why);
        },
        [&](const belfry_credential& row) {
            ++rows;
            made = NewCredential{text(row.value), row.valid_ms, row.refresh_after_ms, row.not_again_before_ms};
        });
    if (!done) return done.error();
    const bool one_line = made.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
    if (rows == 1 && !made.value.empty() && one_line && made.valid_ms > 0) return made;
    door_.faults().add(Fault::MissingResult, "provider.authorize");
    return error(ErrorCode::Internal,
                 "the provider plugin made a credential that is empty, not one line or never valid; report it to the "
                 "plugin's author");
}

Result<std::vector<Channel>> Provider::channels(const ChannelCall& asked, int64_t deadline_mono_ns) {
    if (!keeps_channels()) return Door::unsupported("provider.channels");
    auto call = sized<belfry_channel_call>();
    call.verb = verb_of(asked.verb);
    call.flags = asked.channel.stores ? static_cast<uint32_t>(BELFRY_CHANNEL_STORES) : 0u;
    call.topic = str(std::string_view(asked.topic));
    call.id = str(std::string_view(asked.channel.id));
    call.push_type = str(std::string_view(asked.channel.push_type));
    call.deadline_mono_ns = deadline_mono_ns;
    const auto bounds = rows_of(asked.verb);
    std::vector<Channel> found;
    bool usable = true;
    const Status done = door_.rows<belfry_channel>(
        "provider.channels",
        [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
            return table_.channels(i, &call, emit, ctx, why);
        },
        [&](const belfry_channel& row) {
            usable =
                found.size() < bounds.second && row.id.n > 0 && is_line(view(row.id)) && is_line(view(row.push_type));
            if (usable) found.push_back({text(row.id), text(row.push_type), (row.flags & BELFRY_CHANNEL_STORES) != 0});
            return usable;
        });
    if (!done) return done.error();
    if (usable && found.size() >= bounds.first) return found;
    door_.faults().add(usable ? Fault::MissingResult : Fault::BadRow, "provider.channels");
    return error(ErrorCode::Internal,
                 "the provider plugin answered a channel call with other rows than it must; report it to the plugin's "
                 "author");
}

void Provider::release(belfry_prepared* handle) noexcept {
    const Status done = control_.call("provider.release", [&](belfry_instance* i, belfry_why*) {
        table_.release(i, handle);
        return belfry_code{BELFRY_OK};
    });
    static_cast<void>(done);  // what it threw is counted; nothing else can be done about it
}

belfry_verdict Provider::with_known_outcome(const belfry_verdict& verdict) noexcept {
    return known_outcome(verdict.outcome) ? verdict
                                          : VerdictLedger::internal(verdict.item, "the plugin's verdict is unknown");
}

std::string Provider::plan_defect(const belfry_plan& plan, const belfry_content& content) const {
    if (plan.endpoint < 0 && !encodes()) return "it names no endpoint";
    if (plan.credential < -1) return "its credential slot is negative";
    if (plan.credential >= 0 && table_.authorize == nullptr)
        return "it names a credential, but the plugin has no authorize";
    if (plan.items_max == 0) return "items_max is 0";
    if (plan.method.n == 0) return "it has no method";
    if (plan.body.n == 0 && !encodes()) return "it has no body, and the plugin has no encode";
    if (!readable(plan.headers, sizeof(uint32_t)) || !readable(plan.keep, sizeof(belfry_str)))
        return "its lists are unreadable";
    std::string defect = piece_defect(plan.path, plan, content, true);
    if (defect.empty()) defect = piece_defect(plan.body, plan, content, false);
    const Rows<belfry_field> headers(plan.headers);
    for (size_t i = 0; defect.empty() && i < headers.size(); ++i)
        defect = field_defect(headers.known(i), plan, content);
    return defect;
}

Error Provider::bad_plan(const std::string& defect) {
    door_.faults().add(Fault::BadRow, "provider.prepare");
    return error(ErrorCode::Internal,
                 "the provider plugin's request plan is unusable: " + defect + "; report it to the plugin's author");
}

Result<uint32_t> Provider::encoded(std::span<const belfry_item> items, const belfry_outbox& outbox, uint32_t length,
                                   std::span<const uint32_t> refused) {
    const auto broken = [&](Fault fault, const char* what) {
        door_.faults().add(fault, "provider.encode");
        return error(ErrorCode::Internal,
                     std::string("the provider plugin's encode ") + what + "; report it to the plugin's author");
    };
    if (length > items.size() || outbox.n > outbox.cap || outbox.buf_n > outbox.buf_cap)
        return broken(Fault::BadRow, "claims more than it was given");
    if (length == 0 && !items.empty()) return broken(Fault::NotAdvancing, "made no progress");
    VerdictLedger cover(door_.faults(), "provider.encode");
    for (const belfry_item& item : items.first(length)) cover.expect(item.index, 1);
    belfry_verdict covered = VerdictLedger::internal(0, {});
    bool exact = true;
    const auto take = [&](uint32_t item) {
        covered.item = item;
        exact = cover.take(covered) == VerdictLedger::Take::Good && exact;
    };
    for (const uint32_t item : refused) take(item);
    for (const belfry_request& request : Rows<belfry_request>({outbox.requests, outbox.n, outbox.stride})) {
        for (const belfry_span span : {request.origin, request.path, request.headers, request.body}) {
            if (!inside(span, outbox.buf_n)) return broken(Fault::BadRow, "wrote a request outside of its buffer");
        }
        if (request.items == 0) return broken(Fault::BadRow, "wrote a request for no item");
        if (request.items > length) return broken(Fault::BadRow, "wrote a request for more items than it was given");
        for (uint32_t n = 0; n < request.items; ++n) take(request.first_item + n);
    }
    cover.each_missing([&](const belfry_verdict&) { exact = false; });
    if (!exact) return broken(Fault::BadRow, "did not cover each item exactly once");
    return length;
}

}  // namespace belfry::plugins
