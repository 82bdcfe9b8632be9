// SPDX-License-Identifier: Apache-2.0
// The streams of a connection: requests into them, answers out of them, and what became of each in the end.
#include <algorithm>
#include <cstring>

#include "http/connection.h"
#include "http/http_date.h"
#include "http/loop.h"
#include "http/pieces.h"
#include "http/pool.h"

namespace belfry::http {

namespace {

constexpr size_t kKeptFieldsMax = 16 * 1024;  // bytes of answer headers kept
constexpr uint64_t kSurplusMax = 64 * 1024;   // unwanted bytes of an answer before its stream is cancelled
constexpr size_t kFrameOverhead = 100;        // estimate of a head's indexed part and frame headers
constexpr size_t kEarlyFlush = 56 * 1024;     // estimated bytes of new requests that are not worth collecting further

bool is_2xx(int status) {
    return status >= 200 && status < 300;
}

// The status is all that is wanted: what is missing of the answer changes nothing, and nothing is to be sent again.
bool settled(const Exchange& exchange) {
    return exchange.status != 0 && !exchange.plan->always_detail;
}

}  // namespace

uint32_t Connection::take_slot() {
    if (free_slot_ == kNoSlot) {
        streams_.emplace_back();
        return static_cast<uint32_t>(streams_.size() - 1);
    }
    const uint32_t slot = free_slot_;
    free_slot_ = streams_[slot].next_free;
    return slot;
}

Connection::Sent Connection::send(Active& active, Exchange& exchange) {
    RequestHead head;
    const HeadFault fault =
        loop_.heads().build(exchange, pool_.endpoint().origin.authority, loop_.unix_s(), loop_.now(), head);
    if (fault != HeadFault::None) return fault == HeadFault::NoCredential ? Sent::NoCredential : Sent::Malformed;
    const uint32_t slot = take_slot();
    Stream& stream = streams_[slot];
    stream.exchange = &exchange;
    stream.active = &active;
    stream.unix_s = loop_.unix_s();
    stream.deadline = loop_.now() + active.portion->answer_timeout_ns;
    if (const int64_t until = active.portion->answer_until_mono_ns; until != 0)
        stream.deadline = std::min(stream.deadline, until);
    stream.produced_at = produced_;
    stream.surplus = stream.field_bytes = 0;
    stream.id = session_->open(slot, head);
    if (stream.id == 0) {
        stream.exchange = nullptr;
        stream.next_free = free_slot_;
        free_slot_ = slot;
        retire("its stream ids are used up");
        return Sent::Full;
    }
    exchange.credential_generation = loop_.heads().credential_generation();
    exchange.sent_mono_ns = loop_.now();
    exchange.forget_answer();
    ++in_flight_;
    ++requests_;
    ++pool_.tally().requests;
    if (stream.deadline < first_deadline_) {
        first_deadline_ = stream.deadline;
        arm_earlier(first_deadline_);
    }
    unflushed_ += head.path.size() + head.body_bytes + kFrameOverhead;
    loop_.want_flush(*this);
    if (unflushed_ >= kEarlyFlush) flush();
    return Sent::Yes;
}

bool Connection::write_body(uint32_t slot, uint64_t size, uint64_t from, size_t n, char* out) noexcept {
    Stream& stream = streams_[slot];
    if (stream.exchange == nullptr) return false;
    const Exchange& exchange = *stream.exchange;
    if (exchange.encoded != nullptr) {
        std::memcpy(out, exchange.encoded->body.data() + from, n);
        return true;
    }
    const PieceSource source{*exchange.plan, exchange, stream.unix_s};
    if (n == size) {
        write(source, exchange.plan->body, out);
        return true;
    }
    if (stream.partial.empty()) {
        stream.partial.resize(size);
        write(source, exchange.plan->body, stream.partial.data());
    }
    std::memcpy(out, stream.partial.data() + from, n);
    return true;
}

void Connection::on_status(uint32_t slot, int status) noexcept {
    heard_at_ = loop_.now();
    Exchange* exchange = streams_[slot].exchange;
    if (exchange == nullptr) return;
    exchange->status = static_cast<uint16_t>(status);
    if (!is_2xx(status) || exchange->plan->always_detail) exchange->detail = std::make_unique<AnswerDetail>();
}

void Connection::on_field(uint32_t slot, std::string_view name, std::string_view value) noexcept {
    Exchange* exchange = streams_[slot].exchange;
    if (exchange == nullptr) return;
    const Plan& plan = *exchange->plan;
    if (exchange->detail && name == "date") exchange->detail->date_unix_ms = parse_http_date(value);
    const bool all = plan.always_detail && plan.keep.empty();
    const auto wanted = std::find(plan.keep.begin(), plan.keep.end(), name);
    if (!all && wanted == plan.keep.end()) return;
    if (!exchange->detail) {
        if (exchange->keep_inline(static_cast<size_t>(wanted - plan.keep.begin()), value)) return;
        exchange->detail = std::make_unique<AnswerDetail>();
    }
    Stream& stream = streams_[slot];
    stream.field_bytes += name.size() + value.size();
    if (stream.field_bytes <= kKeptFieldsMax) exchange->detail->headers.emplace_back(name, value);
}

void Connection::on_body(uint32_t slot, std::string_view bytes) noexcept {
    heard_at_ = loop_.now();
    Stream& stream = streams_[slot];
    Exchange* exchange = stream.exchange;
    if (exchange == nullptr) return;
    if (!exchange->detail) {
        if (exchange->inline_n + exchange->headers_n + bytes.size() <= Exchange::kInlineAnswer) {
            std::memcpy(exchange->inline_body.data() + exchange->inline_n, bytes.data(), bytes.size());
            exchange->inline_n = static_cast<uint8_t>(exchange->inline_n + bytes.size());
            return;
        }
        exchange->detail = std::make_unique<AnswerDetail>();
        exchange->detail->body.assign(exchange->inline_body.data(), exchange->inline_n);
    }
    std::string& body = exchange->detail->body;
    const size_t room = exchange->plan->answer_max - std::min<size_t>(body.size(), exchange->plan->answer_max);
    const size_t wanted = std::min(bytes.size(), room);
    body.append(bytes.substr(0, wanted));
    if (wanted == bytes.size()) return;
    exchange->truncated = true;
    stream.surplus += bytes.size() - wanted;
    if (stream.surplus > kSurplusMax) {
        to_cancel_.push_back(stream.id);
        end_stream(stream, Transport::Answered);
    }
}

void Connection::on_end(uint32_t slot, StreamEnd end, uint32_t) noexcept {
    Stream& stream = streams_[slot];
    if (stream.exchange != nullptr) {
        Exchange& exchange = *stream.exchange;
        if (settled(exchange) || (exchange.status != 0 && end == StreamEnd::Complete)) {
            exchange.cut = end != StreamEnd::Complete;
            end_stream(stream, Transport::Answered);
        } else if (end == StreamEnd::Refused && exchange.status == 0) {
            stream.exchange = nullptr;
            pool_.replay(*stream.active, exchange);
        } else {
            ++pool_.tally().resets;
            end_stream(stream, Transport::Unknown);
        }
    }
    stream.id = 0;
    if (!stream.partial.empty()) stream.partial = std::string();
    stream.next_free = free_slot_;
    free_slot_ = slot;
    if (--in_flight_ == 0) {
        idle_since_ = loop_.now();
        arm_earlier(idle_until());
        pool_.on_idle();
    }
    loop_.touch(pool_);
}

void Connection::end_stream(Stream& stream, Transport transport) {
    Exchange& exchange = *std::exchange(stream.exchange, nullptr);
    if (transport == Transport::Answered) {
        ++pool_.tally().answers[std::min<size_t>(exchange.status / 100u, 5)];
        if (answers_++ == 0) pool_.on_first_answer(*this);
    }
    loop_.finish(*stream.active, exchange, transport);
}

void Connection::expire_streams(int64_t now) {
    first_deadline_ = kNever;
    bool silent = false;
    for (Stream& stream : streams_) {
        if (stream.exchange == nullptr) continue;
        if (stream.deadline > now) {
            first_deadline_ = std::min(first_deadline_, stream.deadline);
            continue;
        }
        const int64_t sent = stream.exchange->sent_mono_ns;
        silent |= heard_at_ <= sent && now - sent >= stream.active->portion->answer_timeout_ns;
        ++pool_.tally().timeouts;
        session_->cancel(stream.id);
        stream.exchange->cut = true;
        end_stream(stream, settled(*stream.exchange) ? Transport::Answered : Transport::Unknown);
    }
    loop_.want_flush(*this);
    loop_.touch(pool_);
    if (http1_) retire("an answer did not come in time");
    if (!silent) return;
    constexpr std::string_view kSilent = "no answer to anything for a whole answer time-out";
    first_deadline_ == kNever ? close(kSilent) : retire(kSilent);
}

// The connection ends. `unprocessed`: its peer has not looked at any request.
void Connection::end_streams(bool unprocessed) {
    for (Stream& stream : streams_) {
        if (stream.exchange == nullptr) continue;
        Exchange& exchange = *stream.exchange;
        if (settled(exchange)) {
            exchange.cut = true;
            end_stream(stream, Transport::Answered);
        } else if (exchange.status == 0 && (unprocessed || stream.produced_at >= written_)) {
            stream.exchange = nullptr;
            pool_.replay(*stream.active, exchange);
        } else {
            ++pool_.tally().resets;
            end_stream(stream, Transport::Unknown);
        }
    }
}

}  // namespace belfry::http
