// SPDX-License-Identifier: Apache-2.0
// What the engine sends: a compiled request template, and the exchanges (one request and its answer) that fill it.
//
// Everything here is host memory: a plugin may be swapped while its requests are on the wire.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::http {

using EndpointId = int32_t;
class Pacer;

enum class PieceKind : uint8_t {
    Text,
    Payload,
    PayloadString,
    Token,
    TokenJson,
    TokenPath,
    TargetJson,
    DeliveryId,
    ExpiresS,
    TtlS
};

struct Piece {
    PieceKind kind = PieceKind::Text;
    uint32_t from = 0, to = 0;  // byte range of Plan::text or of the exchange's payload
};

// A credential's value at one time. Immutable; shared by the requests that carry it.
struct Credential {
    std::string value;                // whole `authorization` header value
    uint64_t generation = 0;          // grows with every new value of a slot
    int64_t valid_until_mono_ns = 0;  // 0: no limit
};

// Where requests find the current credential. Threads: [any].
class CredentialSlot {
public:
    std::shared_ptr<const Credential> get() const { return std::atomic_load(&current_); }
    void set(std::shared_ptr<const Credential> next) { std::atomic_store(&current_, std::move(next)); }

private:
    std::shared_ptr<const Credential> current_;
};

struct PlanHeader {
    std::string name;  // lower case
    std::vector<Piece> value;
    bool never_index = false;
};

// A request template. Immutable once exchanges refer to it; its owner keeps it until they are finished.
struct Plan {
    EndpointId endpoint = -1;
    std::shared_ptr<const CredentialSlot> credential;  // null: no authorization header
    std::string method = "POST";
    std::string text;    // what Text pieces refer to
    std::string target;  // what TargetJson pieces escape
    std::vector<Piece> path, body;
    std::vector<PlanHeader> headers;  // without pseudo headers, authorization, content-length
    std::vector<std::string> keep;    // answer headers to keep, lower case; empty with always_detail: all
    uint32_t answer_max = 4096;       // bytes of an answer body that are kept; longer ones are cut
    bool always_detail = false;       // 2xx answers get an AnswerDetail too, and one that breaks off is Unknown
};

// A request that was written by a provider's encode instead of a plan's pieces.
struct EncodedRequest {
    std::string_view path, headers, body;  // headers: "name: value\n" lines
};

enum class Transport : uint8_t {
    Pending,    // not finished
    Answered,   // status and answer are set
    NeverSent,  // certainly not processed: no attempt was made
    Unknown,    // written, but no answer: timed out, reset or connection lost
    Unsendable  // no valid request can be made of it (control bytes in a header, headers or path too long): repeating
                // it is useless
};

// What is kept of an answer beyond its first bytes: of any answer that is not 2xx, or that has more of them.
struct AnswerDetail {
    std::string body;
    std::vector<std::pair<std::string, std::string>>
        headers;  // those of Plan::keep that are not in the exchange itself
    int64_t date_unix_ms = 0;
};

// One request and its answer. Lives in its page's arena; the engine reads the first half and writes the second, on one
// loop.
struct Exchange {
    const Plan* plan = nullptr;
    const EncodedRequest* encoded = nullptr;  // null: execute the plan's pieces
    EndpointId endpoint = -1;                 // usually plan->endpoint
    std::string_view token, payload;
    std::array<uint8_t, 16> delivery_id{};
    int64_t expires_unix_ms = 0;
    uint32_t index = 0;       // the owner's own number
    uint16_t deliveries = 1;  // what the pacer counts it as

    static constexpr size_t kInlineAnswer = 128;  // bytes: the body from the front, kept headers of a 2xx from the back
    Transport transport = Transport::Pending;
    uint8_t inline_n = 0, headers_n = 0;  // bytes of the body, of headers
    uint16_t status = 0;
    uint64_t credential_generation = 0;  // of the authorization it was sent with
    int64_t sent_mono_ns = 0;
    std::unique_ptr<AnswerDetail> detail;  // null for a short 2xx
    bool truncated = false;                // the body was longer than Plan::answer_max
    bool cut = false;                      // it broke off before its end
    uint8_t phase = 0, replays = 0;        // the engine's own
    std::array<char, kInlineAnswer> inline_body;

    // [any] True once the engine will not touch this exchange any more; everything written before is then visible.
    bool done() const noexcept {
        return static_cast<Transport>(__atomic_load_n(reinterpret_cast<const uint8_t*>(&transport),
                                                      __ATOMIC_ACQUIRE)) != Transport::Pending;
    }
    // The engine's own: the last write to a finished exchange.
    void settle(Transport how) noexcept {
        __atomic_store_n(reinterpret_cast<uint8_t*>(&transport), static_cast<uint8_t>(how), __ATOMIC_RELEASE);
    }
    // [any] Text of the answer's body: as much of it as was kept.
    std::string_view body() const {
        return detail ? std::string_view(detail->body) : std::string_view(inline_body.data(), inline_n);
    }
    // [any] Calls visit(name, value) for every header that was kept.
    template <class Visit>
    void each_header(Visit visit) const {
        for (size_t at = kInlineAnswer - headers_n; at < kInlineAnswer;) {
            const auto length = static_cast<unsigned char>(inline_body[at + 1]);
            visit(std::string_view(plan->keep[static_cast<unsigned char>(inline_body[at])]),
                  std::string_view(inline_body.data() + at + 2, length));
            at += length + 2u;
        }
        if (!detail) return;
        for (const auto& [name, value] : detail->headers) visit(std::string_view(name), std::string_view(value));
    }
    // The engine's own: keeps a header, plan->keep[which], without memory of its own. False: there is no room.
    bool keep_inline(size_t which, std::string_view value) noexcept {
        if (which > UINT8_MAX || value.size() + 2 > kInlineAnswer - headers_n - inline_n) return false;
        headers_n = static_cast<uint8_t>(headers_n + value.size() + 2);
        char* at = inline_body.data() + kInlineAnswer - headers_n;
        *at++ = static_cast<char>(which);
        *at++ = static_cast<char>(value.size());
        value.copy(at, value.size());
        return true;
    }
    // The engine's own: as it was before anything was heard of it.
    void forget_answer() noexcept {
        status = 0;
        inline_n = headers_n = 0;
        truncated = cut = false;
        detail.reset();
    }
};

class Portion;
class Loop;

// Hears of a portion's progress. Threads: [loop]: must not block, must not call the engine except recall; hand over to
// a worker.
class PortionOwner {
public:
    virtual ~PortionOwner() = default;
    // An exchange finished with anything but a 2xx answer. 2xx are not announced one by one.
    virtual void on_exception(Portion&, Exchange&) noexcept = 0;
    // Every exchange is finished; the engine no longer touches the portion or its exchanges.
    virtual void on_complete(Portion&) noexcept = 0;
};

// A batch of exchanges posted to one loop at once. Owner: whoever submits it; it stays until on_complete.
class Portion {
public:
    std::span<Exchange> exchanges;
    PortionOwner* owner = nullptr;
    Pacer* pacer = nullptr;                      // null: unpaced
    bool high = false;                           // lane `high`: own queue, reserved streams
    int64_t unsent_until_mono_ns = 0;            // what is not written by then comes back as NeverSent
    int64_t answer_timeout_ns = 15'000'000'000;  // from the write; then RST and Unknown
    int64_t answer_until_mono_ns = 0;            // if set: and not later than this
    std::atomic<uint32_t> finished{0};           // exchanges done so far; written by the loop, read by anyone

private:
    friend class Engine;
    friend class Loop;
    std::atomic<bool> recalled_{false};
    Loop* loop_ = nullptr;  // where it was submitted
};

}  // namespace belfry::http
