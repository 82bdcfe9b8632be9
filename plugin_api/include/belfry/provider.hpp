// SPDX-License-Identifier: Apache-2.0
// The C++ SDK for providers: ProviderBase, plans made piece by piece, verdicts. See plugin.hpp and provider.h.
#pragma once

#include <belfry/provider.h>

#include <algorithm>
#include <belfry/plugin.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

// What a provider keeps of one prepared push, if anything.
class PreparedBase {
public:
    PreparedBase() = default;
    PreparedBase(const PreparedBase&) = delete;
    PreparedBase& operator=(const PreparedBase&) = delete;
    virtual ~PreparedBase() = default;
};
// As the class that prepare made; null if it kept nothing.
template <class T>
const T* prepared_as(const belfry_prepared* prepared) noexcept {
    return static_cast<const T*>(static_cast<const PreparedBase*>(static_cast<const void*>(prepared)));
}

// What most providers keep: it decides how far a verdict about one answer reaches.
class PushShape : public PreparedBase {
public:
    explicit PushShape(const belfry_content& content)
        : to_devices(content.kind == BELFRY_CONTENT_TOKENS),
          rendered((content.flags & BELFRY_CONTENT_HAS_HOLES) != 0) {}
    const bool to_devices;  // not a topic, condition or channel
    const bool rendered;    // devices get different payloads

    // A topic has no device to give up, and what refuses one payload out of many says nothing about the others.
    void fit(belfry_verdict& verdict) const noexcept {
        if (!to_devices && verdict.outcome == BELFRY_DEVICE_GONE) {
            verdict.outcome = BELFRY_REFUSED;
            verdict.flags = 0;
        }
        if (rendered && verdict.scope == BELFRY_SCOPE_PUSH) verdict.scope = BELFRY_SCOPE_ITEM;
    }
};

// What validate emits: `asked` as it came, its text being its identity.
inline belfry_token token_row(const belfry_token& asked, uint32_t variant = 0) noexcept {
    auto row = sized<belfry_token>();
    row.platform = asked.platform;
    row.token = asked.token;
    row.variant = variant;
    row.identity = row.token;
    return row;
}

// Puts together a belfry_plan. The texts are copied; emit() may be called more than once.
class Plan {
public:
    class Pieces {
    public:
        explicit Pieces(std::string* text) : text_(text) {}
        Pieces& text(std::string_view part) {
            const auto from = static_cast<uint32_t>(text_->size());
            text_->append(part);
            return add(BELFRY_PIECE_TEXT, from, static_cast<uint32_t>(text_->size()));
        }
        // A byte range of content.payload; as the inside of a JSON string: unescaped.
        Pieces& payload(uint32_t from, uint32_t to) { return add(BELFRY_PIECE_PAYLOAD, from, to); }
        Pieces& payload(const belfry_content& content) { return payload(0, static_cast<uint32_t>(content.payload.n)); }
        Pieces& payload_string(uint32_t from, uint32_t to) { return add(BELFRY_PIECE_PAYLOAD_STRING, from, to); }
        Pieces& token() { return add(BELFRY_PIECE_TOKEN); }
        Pieces& token_json() { return add(BELFRY_PIECE_TOKEN_JSON); }
        Pieces& token_path() { return add(BELFRY_PIECE_TOKEN_PATH); }
        Pieces& target_json() { return add(BELFRY_PIECE_TARGET_JSON); }
        Pieces& delivery_id() { return add(BELFRY_PIECE_DELIVERY_ID); }
        Pieces& expires_s() { return add(BELFRY_PIECE_EXPIRES_S); }
        Pieces& ttl_s() { return add(BELFRY_PIECE_TTL_S); }

    private:
        friend class Plan;
        Pieces& add(int32_t kind, uint32_t from = 0, uint32_t to = 0) {
            pieces_.push_back(belfry_piece{kind, from, to});
            return *this;
        }
        std::string* text_;
        std::vector<belfry_piece> pieces_;
    };

    explicit Plan(int32_t endpoint, int32_t credential = -1) : path_(&text_), body_(&text_) {
        row_.endpoint = endpoint;
        row_.credential = credential;
        row_.items_max = 1;
        row_.answer_max = 4096;
    }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    Plan& variant(uint32_t number) { return row_.variant = number, *this; }
    Plan& items_max(uint32_t n) { return row_.items_max = n, *this; }
    Plan& answer_max(uint32_t bytes) { return row_.answer_max = bytes, *this; }
    Plan& method(std::string_view name) { return method_ = name, *this; }
    // An answer header that decode wants, lower case.
    Plan& keep(std::string_view name) { return keep_.emplace_back(name), *this; }
    Pieces& path() { return path_; }
    Pieces& body() { return body_; }
    // Lower case; BELFRY_FIELD_NEVER_INDEX for values that must not stay in compression tables.
    Pieces& header(std::string_view name, uint32_t flags = 0) {
        headers_.push_back(Header{std::string(name), flags, Pieces(&text_)});
        return headers_.back().value;
    }

    bool emit(const Emit<belfry_plan>& emit) const {
        std::vector<belfry_field> fields;
        for (const Header& header : headers_) {
            belfry_field field = sized<belfry_field>();
            field.flags = header.flags;
            field.name = str(std::string_view(header.name));
            field.value = list_of(header.value.pieces_);
            fields.push_back(field);
        }
        std::vector<belfry_str> keep;
        for (const std::string& name : keep_) keep.push_back(str(std::string_view(name)));
        belfry_plan row = row_;
        row.method = str(std::string_view(method_));
        row.text = str(std::string_view(text_));
        row.path = list_of(path_.pieces_);
        row.body = list_of(body_.pieces_);
        row.headers = list_of(fields);
        row.keep = list_of(keep);
        return emit(row);
    }

private:
    struct Header {
        std::string name;
        uint32_t flags;
        Pieces value;
    };
    belfry_plan row_ = sized<belfry_plan>();
    std::string text_, method_ = "POST";
    Pieces path_, body_;
    std::deque<Header> headers_;  // references to values stay good
    std::vector<std::string> keep_;
};

// Verdicts about items, emitted as they are made. Texts need to live for the call only.
class Verdicts {
public:
    explicit Verdicts(Emit<belfry_verdict> emit) noexcept : emit_(emit) {}

    void accepted(uint32_t item, std::string_view message_id = {}) const {
        belfry_verdict row = a_row(item, BELFRY_ACCEPTED);
        row.message_id = str(message_id);
        emit_(row);
    }
    void gone(uint32_t item, std::string_view reason, int64_t since_unix_ms = 0, bool suspect = false) const {
        belfry_verdict row = a_row(item, BELFRY_DEVICE_GONE);
        row.gone_unix_ms = since_unix_ms;
        row.flags = suspect ? static_cast<uint32_t>(BELFRY_VERDICT_SUSPECT) : 0u;
        row.reason = str(reason);
        emit_(row);
    }
    void give(uint32_t item, belfry_outcome outcome, belfry_scope scope, std::string_view reason,
              int64_t retry_after_ms = 0, uint32_t flags = 0) const {
        belfry_verdict row = a_row(item, outcome);
        row.scope = scope;
        row.flags = flags;
        row.retry_after_ms = retry_after_ms;
        row.reason = str(reason);
        emit_(row);
    }
    void give(const belfry_verdict& row) const { emit_(row); }
    // The same for every item of an answer.
    void give_all(const belfry_answer& answer, belfry_verdict row) const {
        for (uint32_t i = 0; i < answer.items; ++i) {
            row.item = answer.first_item + i;
            emit_(row);
        }
    }
    void accept_all(const belfry_answer& answer, std::string_view message_id = {}) const {
        belfry_verdict row = a_row(0, BELFRY_ACCEPTED);
        row.message_id = str(message_id);
        give_all(answer, row);
    }

private:
    static belfry_verdict a_row(uint32_t item, belfry_outcome outcome) noexcept {
        belfry_verdict row = sized<belfry_verdict>();
        row.item = item;
        row.outcome = outcome;
        row.scope = BELFRY_SCOPE_ITEM;
        return row;
    }
    Emit<belfry_verdict> emit_;
};

// The value of a header that the plan wanted to keep; empty if the answer had none.
inline std::string_view header_of(const belfry_answer& answer, std::string_view name) noexcept {
    for (const belfry_header& header : Rows<belfry_header>(answer.headers)) {
        if (view(header.name) == name) return view(header.value);
    }
    return {};
}

// Whether the body broke off before its end; hosts that are too old to say so never do.
inline bool is_cut(const belfry_answer& answer) noexcept {
    return BELFRY_HAS(&answer, flags) && (answer.flags & BELFRY_ANSWER_CUT) != 0;
}

// Requests behind each other in the room that encode was given. Parts are put first, then the row that names them.
class OutboxWriter {
public:
    explicit OutboxWriter(belfry_outbox& outbox) noexcept : outbox_(outbox) {}
    // Bytes left; what is put must fit.
    size_t room() const noexcept { return outbox_.buf_cap - outbox_.buf_n; }
    // Whether another request may be added.
    bool has_row() const noexcept { return outbox_.n < outbox_.cap; }
    // Parts put without anything between them are one span.
    belfry_span put(std::string_view part) noexcept {
        const belfry_span span{outbox_.buf_n, static_cast<uint32_t>(part.size())};
        if (!part.empty()) std::memcpy(outbox_.buf + outbox_.buf_n, part.data(), part.size());
        outbox_.buf_n += span.n;
        return span;
    }
    uint32_t at() const noexcept { return outbox_.buf_n; }
    void add(const belfry_request& row) noexcept {
        char* const rows = static_cast<char*>(outbox_.requests);
        std::memcpy(rows + size_t{outbox_.n++} * outbox_.stride, &row, std::min<size_t>(sizeof row, outbox_.stride));
    }

private:
    belfry_outbox& outbox_;
};

// Derive, override, and name the class in BELFRY_PLUGIN. What is not overridden is not offered.
class ProviderBase : public InstanceBase {
public:
    // Shadow these in the derived class: calls at once (0 = any number), devices per minute by default (0 = no limit).
    static constexpr uint32_t kConcurrency = 0;
    static constexpr uint32_t kPerMinuteDefault = 0;

    // [pure] Emits the token as it goes on the wire, its identity, data and variant. Refused: BAD_REQUEST.
    virtual void validate(const belfry_token& token, const Emit<belfry_token>& emit) = 0;
    // [work] Emits a plan per variant (none with CHECK_ONLY). Null: nothing is to be kept.
    virtual std::unique_ptr<PreparedBase> prepare(const belfry_content& content, const Emit<belfry_plan>& emit) = 0;
    // [control] Optional: the credential of a slot.
    virtual belfry_credential authorize(uint32_t slot, int64_t deadline_mono_ns, std::string& value) {
        static_cast<void>(slot), static_cast<void>(deadline_mono_ns), static_cast<void>(value);
        throw Refused(BELFRY_UNSUPPORTED, {}, "this provider has no credentials");
    }
    // [pure] Optional: writes requests for a prefix of the items, answers its length.
    virtual uint32_t encode(const PreparedBase* prepared, Rows<belfry_item> items, belfry_outbox& outbox,
                            const Verdicts& refused) {
        static_cast<void>(prepared), static_cast<void>(items), static_cast<void>(outbox), static_cast<void>(refused);
        return 0;
    }
    // [pure] One verdict per item of the answers. For providers over HTTP.
    virtual void decode(Rows<belfry_answer> answers, const Verdicts& verdicts) {
        static_cast<void>(answers), static_cast<void>(verdicts);
    }
    // [work] Instead of plans and decode, for what is not HTTP.
    virtual void send(const PreparedBase* prepared, Rows<belfry_item> items, int64_t deadline_mono_ns,
                      const Verdicts& verdicts) {
        static_cast<void>(prepared), static_cast<void>(items), static_cast<void>(deadline_mono_ns);
        static_cast<void>(verdicts);
    }
};

// One broadcast channel that the provider keeps.
struct Channel {
    std::string id, push_type;
    bool stores = false;  // the newest push is kept for devices that are offline
};

// A second base, beside Provider<T>, of a provider whose broadcast channels users manage through Belfry. All [work].
class ChannelKeeper {
public:
    struct Place {
        std::string_view topic;  // empty: the configured one
        int64_t deadline_mono_ns = 0;
    };
    // `wanted` has no id; an empty push_type is the provider's usual one.
    virtual Channel create_channel(const Place& place, const Channel& wanted) = 0;
    virtual Channel get_channel(const Place& place, std::string_view id) = 0;
    virtual void delete_channel(const Place& place, std::string_view id) = 0;
    // All of the topic; nothing but the id need be filled.
    virtual std::vector<Channel> list_channels(const Place& place) = 0;

protected:
    ~ChannelKeeper() = default;
};

namespace sdk {

inline belfry_channel to_abi(const Channel& channel) noexcept {
    belfry_channel row = sized<belfry_channel>();
    row.flags = channel.stores ? static_cast<uint32_t>(BELFRY_CHANNEL_STORES) : 0u;
    row.id = str(std::string_view(channel.id));
    row.push_type = str(std::string_view(channel.push_type));
    return row;
}

inline void serve_channels(ChannelKeeper& keeper, const belfry_channel_call& call, const Emit<belfry_channel>& emit) {
    const ChannelKeeper::Place place{view(call.topic), call.deadline_mono_ns};
    switch (call.verb) {
        case BELFRY_CHANNEL_CREATE: {
            const bool stores = (call.flags & BELFRY_CHANNEL_STORES) != 0;
            emit(to_abi(keeper.create_channel(place, {{}, text(call.push_type), stores})));
            return;
        }
        case BELFRY_CHANNEL_GET:
            emit(to_abi(keeper.get_channel(place, view(call.id))));
            return;
        case BELFRY_CHANNEL_DELETE:
            keeper.delete_channel(place, view(call.id));
            return;
        case BELFRY_CHANNEL_LIST: {
            const std::vector<Channel> all = keeper.list_channels(place);
            std::vector<belfry_channel> rows;
            rows.reserve(all.size());
            for (const Channel& channel : all) rows.push_back(to_abi(channel));
            emit.all(rows);
            return;
        }
        default:
            throw Refused(BELFRY_UNSUPPORTED, {}, "this plugin does not know what is asked of its channels");
    }
}

template <class T>
struct ProviderTable {
    static belfry_code validate(belfry_instance* instance, const belfry_token* token, belfry_emit emit, void* ctx,
                                belfry_why* why) noexcept {
        return walled(why, [&] { self<T>(instance).validate(known_part<belfry_token>(token), {emit, ctx}); });
    }
    static belfry_code prepare(belfry_instance* instance, const belfry_content* content, belfry_emit emit, void* ctx,
                               belfry_prepared** out, belfry_why* why) noexcept {
        return walled(why, [&] {
            std::unique_ptr<PreparedBase> made =
                self<T>(instance).prepare(known_part<belfry_content>(content), {emit, ctx});
            *out = static_cast<belfry_prepared*>(static_cast<void*>(made.release()));
        });
    }
    static void release(belfry_instance*, belfry_prepared* prepared) noexcept {
        delete static_cast<PreparedBase*>(static_cast<void*>(prepared));
    }
    static belfry_code authorize(belfry_instance* instance, uint32_t slot, int64_t deadline_mono_ns, belfry_emit emit,
                                 void* ctx, belfry_why* why) noexcept {
        return walled(why, [&] {
            std::string value;
            belfry_credential row = self<T>(instance).authorize(slot, deadline_mono_ns, value);
            row.size = sizeof row;
            row.value = str(std::string_view(value));
            emit(ctx, one_row(row));
        });
    }
    static const PreparedBase* kept(const belfry_prepared* prepared) noexcept {
        return static_cast<const PreparedBase*>(static_cast<const void*>(prepared));
    }
    static uint32_t encode(belfry_instance* instance, const belfry_prepared* prepared, belfry_list items,
                           belfry_outbox* outbox, belfry_emit emit, void* ctx) noexcept {
        uint32_t length = 0;
        const Verdicts refused({emit, ctx});
        const belfry_code code = walled(nullptr, [&] {
            length = self<T>(instance).encode(kept(prepared), Rows<belfry_item>(items), *outbox, refused);
        });
        if (code != BELFRY_OK) outbox->n = 0;  // the host counts what is not covered
        return length;
    }
    static void decode(belfry_instance* instance, belfry_list answers, belfry_emit emit, void* ctx) noexcept {
        // Items left without a verdict count as faults of this plugin, in the host.
        walled(nullptr, [&] { self<T>(instance).decode(Rows<belfry_answer>(answers), Verdicts({emit, ctx})); });
    }
    static belfry_code send(belfry_instance* instance, const belfry_prepared* prepared, belfry_list items,
                            int64_t deadline_mono_ns, belfry_emit emit, void* ctx) noexcept {
        return walled(nullptr, [&] {
            self<T>(instance).send(kept(prepared), Rows<belfry_item>(items), deadline_mono_ns, Verdicts({emit, ctx}));
        });
    }
    static belfry_code channels(belfry_instance* instance, const belfry_channel_call* call, belfry_emit emit, void* ctx,
                                belfry_why* why) noexcept {
        return walled(why, [&] {
            serve_channels(self<T>(instance), known_part<belfry_channel_call>(call), {emit, ctx});
        });
    }
    static belfry_provider make() noexcept {
        constexpr bool kSends = is_overridden(&T::send, &ProviderBase::send);
        static_assert(kSends || is_overridden(&T::decode, &ProviderBase::decode), "override decode, or send");
        belfry_provider table = sized<belfry_provider>();
        table.concurrency = T::kConcurrency;
        table.per_minute_default = T::kPerMinuteDefault;
        table.validate = validate;
        table.prepare = prepare;
        table.release = release;
        if constexpr (is_overridden(&T::authorize, &ProviderBase::authorize)) table.authorize = authorize;
        if constexpr (is_overridden(&T::encode, &ProviderBase::encode)) table.encode = encode;
        if constexpr (kSends) {
            table.send = send;
        } else {
            table.decode = decode;
        }
        if constexpr (std::is_base_of_v<ChannelKeeper, T>) table.channels = channels;
        return table;
    }
};

}  // namespace sdk

// Completes a provider: class Acme final : public belfry::Provider<Acme>; with channels also public ChannelKeeper.
template <class T>
class Provider : public ProviderBase {
public:
    const void* table(std::string_view id) const noexcept final {
        static const belfry_provider made = sdk::ProviderTable<T>::make();
        return id == BELFRY_PROVIDER_ID ? &made : nullptr;
    }
};

}  // namespace belfry
