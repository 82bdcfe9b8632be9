// SPDX-License-Identifier: Apache-2.0
// The entry: one component "webpush", a provider that writes its requests itself, since every message is encrypted for
// one browser.
#include <belfry/device_url.hpp>
#include <belfry/provider.hpp>
#include <optional>

#include "config.h"
#include "keys.h"
#include "message.h"
#include "subscription.h"
#include "verdicts.h"

namespace webpush {
namespace {

constexpr size_t kBatchMax = 64;       // messages encrypted in one call: a few milliseconds
constexpr size_t kSealOverhead = 103;  // bytes that encryption adds
constexpr uint32_t kAnswerMax = 4096;  // bytes of an answer that are looked at
constexpr const char* kConstantHeaders = "content-encoding: aes128gcm\ncontent-type: application/octet-stream\n";

// One item that is about to be encrypted.
struct Ready {
    uint32_t item = 0, variant = 0;
    belfry::DeviceUrl endpoint;
    std::string p256dh, auth, headers;
    std::shared_ptr<const Message> message;
    size_t room() const {
        return endpoint.origin.size() + endpoint.path.size() + headers.size() + kSealOverhead + message->text.size();
    }
    void write(belfry::OutboxWriter& outbox, std::string_view body) const {
        auto row = belfry::sized<belfry_request>();
        row.first_item = item;
        row.items = 1;
        row.variant = variant;
        row.origin = outbox.put(endpoint.origin);
        row.path = outbox.put(endpoint.path);
        row.headers = outbox.put(headers);
        row.body = outbox.put(body);
        outbox.add(row);
    }
};

}  // namespace

class WebPush final : public belfry::Provider<WebPush> {
public:
    WebPush(belfry::Services services, std::string_view config)
        : services_(services),
          config_(read_config(services, config)),
          allowed_(config_.private_networks),
          keys_(services) {
        allowed_.add(config_.allowed, "allowed_origins");
        allowed_.add(config_.extra_allowed, "extra_allowed_origins");
    }

    void start(int64_t) override {
        keys_.load(config_);
        services_.info("Web Push is ready", {{"application_server_key", keys_.public_key()}});
        if (names_nobody(config_.subject))
            services_.warning("subject names a host for examples: Apple's push service may refuse its tokens",
                              {{"subject", config_.subject}});
        if (allowed_.private_networks()) services_.warning("Web Push may reach private networks");
        // Requests name their own origins; this one lends them its settings.
        const uint32_t untrusted = allowed_.private_networks() ? 0u : uint32_t{BELFRY_ENDPOINT_UNTRUSTED};
        template_endpoint_ = services_.endpoint("https://fcm.googleapis.com", untrusted | BELFRY_ENDPOINT_H1_OK);
    }

    void validate(const belfry_token& asked, const belfry::Emit<belfry_token>& emit) override {
        const Subscription subscription = read_subscription(services_, belfry::view(asked.token));
        checked_url(subscription.endpoint);
        auto keys = belfry::sized<belfry_seal_item>();
        keys.p256dh = belfry::str(std::string_view(subscription.p256dh));
        keys.auth = belfry::str(std::string_view(subscription.auth));
        services_.webpush_seal(
            std::array{keys},
            [](const belfry_sealed& row) {
                if (row.code != BELFRY_OK) throw belfry::Refused(row.code, "keys", belfry::text(row.reason));
            },
            BELFRY_SEAL_CHECK_ONLY);
        const std::string data = write_keys(subscription);
        belfry_token token = belfry::token_row(asked, keys_.number_of(subscription.application_key));
        token.token = token.identity = belfry::str(std::string_view(subscription.endpoint));
        token.data = belfry::str(std::string_view(data));
        if (subscription.application_key.empty()) token.flags = BELFRY_TOKEN_VARIANT_GUESSED;
        emit(token);
    }

    std::unique_ptr<belfry::PreparedBase> prepare(const belfry_content& content,
                                                  const belfry::Emit<belfry_plan>& emit) override {
        if (content.kind != BELFRY_CONTENT_TOKENS)
            throw belfry::Refused(BELFRY_UNSUPPORTED, "", "Web Push has no topics, conditions or channels of its own");
        if ((content.flags & BELFRY_CONTENT_DRY_RUN) != 0)
            throw belfry::Refused(BELFRY_UNSUPPORTED, "dry_run", "push services have no validation mode");
        read_message(services_, belfry::view(content.payload), (content.flags & BELFRY_CONTENT_HAS_HOLES) == 0);
        if ((content.flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return nullptr;
        belfry::Plan plan(template_endpoint_);
        plan.answer_max(kAnswerMax).keep("retry-after").keep("x-wns-status").keep("x-wns-msg-id");
        plan.keep("x-wns-debug-trace").keep("x-wns-error-description").keep("x-wns-continue-after");
        plan.emit(emit);
        return nullptr;
    }

    uint32_t encode(const belfry::PreparedBase*, belfry::Rows<belfry_item> items, belfry_outbox& outbox,
                    const belfry::Verdicts& refused) override {
        belfry::OutboxWriter writer(outbox);
        std::vector<Ready> batch;
        Rendering rendering;
        size_t room = writer.room();
        uint32_t done = 0;
        while (done < items.size() && done < kBatchMax && outbox.n + batch.size() < outbox.cap) {
            const belfry_item item = items.known(done);
            std::optional<Ready> ready = make_ready(item, rendering, refused);
            if (ready && ready->room() > room) break;  // the host calls again with the rest
            ++done;
            if (!ready) continue;
            room -= ready->room();
            batch.push_back(std::move(*ready));
        }
        seal(batch, writer, refused);
        return done;
    }

    void decode(belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) override {
        webpush::decode(services_, keys_, answers, verdicts);
    }

private:
    // Equal payloads are adjacent and the same object.
    struct Rendering {
        const char* at = nullptr;
        std::shared_ptr<const Message> message;
    };

    // Nothing: refused.
    std::optional<Ready> make_ready(const belfry_item& item, Rendering& rendering,
                                    const belfry::Verdicts& refused) const {
        const auto refuse = [&](belfry_outcome outcome, const std::string& reason) {
            refused.give(item.index, outcome, BELFRY_SCOPE_ITEM, reason);
            return std::nullopt;
        };
        try {
            if (rendering.message == nullptr || rendering.at != item.payload.p) {
                rendering.message =
                    std::make_shared<const Message>(read_message(services_, belfry::view(item.payload), true));
                rendering.at = item.payload.p;
            }
            Ready ready;
            ready.item = item.index;
            ready.variant = item.variant;
            ready.endpoint = checked_url(belfry::view(item.token));
            ready.message = rendering.message;
            if (!read_keys(belfry::view(item.data), ready.p256dh, ready.auth))
                return refuse(BELFRY_REFUSED, "NO_KEYS: the subscription was registered without its keys");
            const std::optional<int64_t> ttl = ttl_left_s(item, ready.message->ttl_s, services_.unix_ms());
            if (!ttl) return refuse(BELFRY_EXPIRED, "EXPIRED: its ttl or expire_at is over");
            const auto authorization = keys_.authorization(item.variant, ready.endpoint.origin);
            if (authorization == nullptr) {
                return refuse(BELFRY_REFUSED,
                              "UNKNOWN_KEY: the subscription was made with a key that is no longer configured; add it "
                              "to vapid_previous_keys");
            }
            ready.headers = "ttl: " + std::to_string(*ttl) + "\n" + ready.message->fixed_headers + kConstantHeaders +
                            "authorization: " + *authorization + "\n";
            return ready;
        } catch (const belfry::Refused& wrong) {
            return refuse(BELFRY_REFUSED, "REFUSED: " + wrong.where() + ": " + wrong.what());
        }
    }

    belfry::DeviceUrl checked_url(std::string_view endpoint) const {
        belfry::DeviceUrl url = belfry::split_device_url(endpoint, "endpoint");
        allowed_.check(url, "endpoint", "extra_allowed_origins");
        return url;
    }

    void seal(const std::vector<Ready>& batch, belfry::OutboxWriter& writer, const belfry::Verdicts& refused) const {
        std::vector<belfry_seal_item> items;
        for (const Ready& ready : batch) {
            auto item = belfry::sized<belfry_seal_item>();
            item.p256dh = belfry::str(std::string_view(ready.p256dh));
            item.auth = belfry::str(std::string_view(ready.auth));
            item.payload = belfry::str(std::string_view(ready.message->text));
            items.push_back(item);
        }
        services_.webpush_seal(items, [&](const belfry_sealed& row) {
            const Ready& ready = batch[row.index];
            if (row.code == BELFRY_OK) return ready.write(writer, belfry::view(row.body));
            refused.give(ready.item, BELFRY_REFUSED, BELFRY_SCOPE_ITEM, "REFUSED: " + belfry::text(row.reason));
        });
    }

    const belfry::Services services_;
    const Config config_;
    belfry::AllowedHosts allowed_;
    mutable Keys keys_;
    int32_t template_endpoint_ = -1;
};

}  // namespace webpush

BELFRY_PLUGIN("webpush", "0.1.0", belfry::component<webpush::WebPush>("webpush"));
