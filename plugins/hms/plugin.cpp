// SPDX-License-Identifier: Apache-2.0
// The entry: one component "hms", a provider that packs up to a thousand devices into a request. Credentials, messages
// and verdicts are in their own files.
#include <belfry/provider.hpp>
#include <unordered_set>

#include "config.h"
#include "credential.h"
#include "dead_token_gate.h"
#include "message.h"
#include "strikes.h"
#include "verdicts.h"

namespace hms {
namespace {

// One request: token by token, as long as there is room.
class TokenRequest {
public:
    TokenRequest(belfry_outbox& outbox, const Frame& frame, const std::string& path, const std::string& headers)
        : outbox_(outbox), tail_(frame.tail) {
        if (path.size() + headers.size() + frame.head.size() + tail_.size() > outbox_.room()) return;
        row_.path = outbox_.put(path);
        row_.headers = outbox_.put(headers);
        row_.body = outbox_.put(frame.head);
    }
    // False: no room left. A token that is there already shares its place: its phone gets the message once.
    bool add(std::string_view token) {
        if (row_.path.n == 0 || token.size() + 3 + tail_.size() > outbox_.room()) return false;
        ++row_.items;
        if (!tokens_.insert(token).second) return true;
        outbox_.put(tokens_.size() > 1 ? ",\"" : "\"");
        outbox_.put(token);
        outbox_.put("\"");
        return true;
    }
    uint32_t items() const { return row_.items; }
    void finish(uint32_t first_item, uint32_t variant) {
        outbox_.put(tail_);
        row_.body.n = outbox_.at() - row_.body.at;
        row_.first_item = first_item;
        row_.variant = variant;
        outbox_.add(row_);
    }

private:
    belfry::OutboxWriter outbox_;
    const std::string& tail_;
    std::unordered_set<std::string_view> tokens_;
    belfry_request row_ = belfry::sized<belfry_request>();
};

}  // namespace

class Hms final : public belfry::Provider<Hms> {
public:
    // Devices. 6,000 a second is the least Huawei gives an app; 8 % below it, as its clock and ours cut seconds apart.
    static constexpr uint32_t kPerMinuteDefault = 331'200;

    Hms(belfry::Services services, std::string_view config)
        : services_(services), config_(read_config(services, config)), gate_(services) {}

    void start(int64_t) override {
        account_ = read_account(services_, config_);
        if (account_.signs()) {  // an unusable key is said now, not with the first push
            std::string unused;
            sign_token(services_, account_, unused);
        } else {
            tokens_ = services_.endpoint(config_.token_endpoint.origin, BELFRY_ENDPOINT_H1_OK);
        }
        messages_ = services_.endpoint(config_.endpoint, BELFRY_ENDPOINT_H1_OK);
    }

    void validate(const belfry_token& asked, const belfry::Emit<belfry_token>& emit) override {
        if (!is_token(belfry::view(asked.token))) {
            throw belfry::Refused(BELFRY_BAD_REQUEST, "token",
                                  "a token of Push Kit has 1 to 4096 bytes, none of them a blank, quote or non-ASCII");
        }
        emit(belfry::token_row(asked, config_.variant()));
    }

    std::unique_ptr<belfry::PreparedBase> prepare(const belfry_content& content,
                                                  const belfry::Emit<belfry_plan>& emit) override {
        const bool holes = (content.flags & BELFRY_CONTENT_HAS_HOLES) != 0;
        const bool dry_run = (content.flags & BELFRY_CONTENT_DRY_RUN) != 0;
        check_target(config_.generation, content);
        if (dry_run && config_.generation == Generation::V3) {
            throw belfry::Refused(BELFRY_UNSUPPORTED, "dry_run",
                                  "v3 cannot check a push without sending it; pushOptions.testMessage sends a test");
        }
        const Layout layout = read_message(services_, config_.generation, belfry::view(content.payload),
                                           content.expires_unix_ms != 0, !holes);
        if ((content.flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return nullptr;
        auto push = std::make_unique<Push>(content);
        push->check_only = dry_run;
        push->ttl_is_ours = layout.fills_ttl();
        if (!push->to_devices) {
            emit_topic_plan(layout, content, account_.path, messages_, emit);
            return push;
        }
        for (const uint32_t singly : {0U, uint32_t{kSingly}}) {
            belfry::Plan plan(messages_, 0);
            plan.variant(config_.variant() | singly).items_max(singly != 0 ? 1 : layout.items_max);
            plan.answer_max(kAnswerMax).keep("retry-after");
            plan.emit(emit);
        }
        return push;
    }

    belfry_credential authorize(uint32_t, int64_t deadline_mono_ns, std::string& value) override {
        if (account_.signs()) return sign_token(services_, account_, value);
        return read_token(services_, services_.call(tokens_, token_request(config_, account_), deadline_mono_ns),
                          value);
    }

    uint32_t encode(const belfry::PreparedBase* prepared, belfry::Rows<belfry_item> items, belfry_outbox& outbox,
                    const belfry::Verdicts& refused) override {
        uint32_t done = 0;
        while (done < items.size() && outbox.n < outbox.cap) {
            const uint32_t next = encode_one(static_cast<const Push&>(*prepared), items, done, outbox, refused);
            if (next == done) break;  // the host calls again with the rest
            done = next;
        }
        return done;
    }

    void decode(belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) override {
        hms::decode(services_, gate_, answers, verdicts);
    }

private:
    // The first item that is left: one request was written, or one item refused.
    uint32_t encode_one(const Push& push, belfry::Rows<belfry_item> items, uint32_t from, belfry_outbox& outbox,
                        const belfry::Verdicts& refused) const {
        const belfry_item first = items.known(from);
        const auto refuse = [&](belfry_outcome outcome, const std::string& reason) {
            refused.give(first.index, outcome, BELFRY_SCOPE_ITEM, reason);
            return from + 1;
        };
        if ((first.variant & kHarmony) != config_.variant())
            return refuse(BELFRY_REFUSED, "OTHER_GENERATION: " + std::string(kOtherGeneration));
        const bool expires = first.expires_unix_ms != 0;
        const int64_t left_ms = first.expires_unix_ms - services_.unix_ms();
        if (expires && left_ms <= 0) return refuse(BELFRY_EXPIRED, "EXPIRED");
        if (!is_token(belfry::view(first.token))) return refuse(BELFRY_REFUSED, "BAD_TOKEN: not a token of Push Kit");
        const std::string_view payload = belfry::view(first.payload);
        Layout layout;
        try {
            layout = read_message(services_, config_.generation, payload, expires, true);
        } catch (const belfry::Refused& wrong) {
            return refuse(BELFRY_REFUSED, "REFUSED: " + wrong.where() + ": " + wrong.what());
        }
        const int64_t ttl_s = std::max<int64_t>(1, left_ms / 1000);
        const Frame frame = frame_of(layout, config_.generation, payload, push.check_only, ttl_s);
        std::string headers = "content-type: application/json; charset=utf-8\n";
        if (!layout.push_type.empty()) headers += "push-type: " + layout.push_type + "\n";
        // Alone also who has strikes: only an answer of its own can show that it is served.
        const bool alone = (first.variant & kSingly) != 0 || Strikes::of(first.variant).days > 0;
        const uint32_t most = alone ? 1 : layout.items_max;
        TokenRequest request(outbox, frame, account_.path, headers);
        uint32_t at = from;
        while (at < items.size() && request.items() < most) {
            const belfry_item item = items.known(at);
            const bool alike = item.payload.p == first.payload.p && item.payload.n == first.payload.n &&
                               item.variant == first.variant && item.expires_unix_ms == first.expires_unix_ms &&
                               item.index == first.index + (at - from) && is_token(belfry::view(item.token));
            if (!alike || !request.add(belfry::view(item.token))) break;
            ++at;
        }
        if (request.items() > 0) request.finish(first.index, first.variant);
        return at;
    }

    static constexpr std::string_view kOtherGeneration =
        "the device was registered while this provider sent another generation; the app must register a new token";

    const belfry::Services services_;
    const Config config_;
    DeadTokenGate gate_;
    Account account_;
    int32_t messages_ = -1, tokens_ = -1;
};

}  // namespace hms

BELFRY_PLUGIN("hms", "0.1.0", belfry::component<hms::Hms>("hms"));
