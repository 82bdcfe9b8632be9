// SPDX-License-Identifier: Apache-2.0
// The entry: one component "apns", a provider for Apple's HTTP/2 provider API. Credentials, requests and verdicts are
// in their own files.
#include <atomic>
#include <belfry/provider.hpp>
#include <memory>

#include "channels.h"
#include "config.h"
#include "provider_token.h"
#include "request.h"
#include "standing.h"
#include "verdicts.h"

namespace apns {

class Apns final : public belfry::Provider<Apns>, public belfry::ChannelKeeper {
public:
    Apns(belfry::Services services, std::string_view config)
        : services_(services), config_(read_config(services, config)) {}

    void start(int64_t) override {
        account_ = read_account(services_, config_);
        if (!config_.by_certificate()) token_ = ProviderToken::of(account_.partition);
        if (config_.production) production_ = connect(config_.endpoint);
        if (config_.sandbox) sandbox_ = connect(config_.sandbox_endpoint);
        broadcast_ = connect(config_.broadcast_endpoint);
        const int32_t calls = connect(config_.channel_endpoint, kChannelIdleS, "/calls");
        channels_.use(calls, connect(config_.channel_endpoint, kChannelIdleS, "/calls again"), token_);
        if (!config_.by_certificate()) return;
        const int32_t expiry =
            services_.gauge("certificate_not_after_seconds", "When the push certificate expires, Unix seconds");
        services_.record(expiry, static_cast<double>(account_.certificate.not_after_unix_ms) / 1000);
    }

    void validate(const belfry_token& asked, const belfry::Emit<belfry_token>& emit) override {
        const std::string normal = normal_token(belfry::view(asked.token));
        belfry_token token = belfry::token_row(asked, config_.production ? kProduction : kSandbox);
        token.token = token.identity = belfry::str(std::string_view(normal));
        if (config_.both()) token.flags = BELFRY_TOKEN_VARIANT_GUESSED;
        emit(token);
    }

    std::unique_ptr<belfry::PreparedBase> prepare(const belfry_content& content,
                                                  const belfry::Emit<belfry_plan>& emit) override {
        std::unique_ptr<Push> push = check_content(services_, content, topic());
        if (push->unknown_type && !told_of_unknown_type_.exchange(true))
            services_.warning("a push type that Belfry does not know goes through as it is");
        if ((content.flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return nullptr;
        const auto plan = [&](uint32_t variant, int32_t endpoint) {
            emit_plan(*push, content, variant, endpoint, config_.by_certificate() ? -1 : 0, emit);
        };
        if (push->to_channel) {
            plan(0, broadcast_);
            if (push->wants_expiration) plan(kOnceMore, broadcast_);
            return push;
        }
        if (config_.production) plan(kProduction, production_);
        if (config_.sandbox) plan(kSandbox, sandbox_);
        if (config_.both()) {
            plan(kProduction | kOnceMore, production_);
            plan(kSandbox | kOnceMore, sandbox_);
        }
        return push;
    }

    belfry_credential authorize(uint32_t, int64_t, std::string& value) override {
        if (config_.by_certificate()) throw belfry::Refused(BELFRY_UNSUPPORTED, "", "the certificate speaks for us");
        return token_->renew({services_, config_, account_}, value);
    }

    void decode(belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) override {
        const int64_t made = token_ == nullptr ? 0 : token_->made_mono_ns();
        apns::decode({services_, config_, standing_, made}, answers, verdicts);
    }

    belfry::Channel create_channel(const Place& place, const belfry::Channel& wanted) override {
        return channels_.create(place, wanted);
    }
    belfry::Channel get_channel(const Place& place, std::string_view id) override { return channels_.get(place, id); }
    void delete_channel(const Place& place, std::string_view id) override { channels_.remove(place, id); }
    std::vector<belfry::Channel> list_channels(const Place& place) override { return channels_.list(place); }

private:
    static constexpr uint32_t kIdleS = 3600;       // Apple: keep connections, do not open and close them
    static constexpr uint32_t kChannelIdleS = 60;  // rarely used: one that APNs is angry with is soon forgotten

    // Before start the certificate's topic is not known yet.
    const std::string& topic() const { return account_.topic.empty() ? config_.topic : account_.topic; }

    // Connections belong to one key or certificate: APNs binds them to the first one it sees.
    int32_t connect(const std::string& url, uint32_t idle_s = kIdleS, const char* apart = "") const {
        const std::string partition = account_.partition + apart;
        auto endpoint = belfry::sized<belfry_endpoint>();
        endpoint.flags = BELFRY_ENDPOINT_WAIT_SETTINGS;
        endpoint.url = belfry::str(std::string_view(url));
        endpoint.partition = belfry::str(std::string_view(partition));
        endpoint.client_cert_pem = belfry::str(std::string_view(account_.certificate.certificates_pem));
        endpoint.client_key_pem = belfry::str(std::string_view(account_.certificate.key_pem));
        endpoint.idle_s = idle_s;
        return services_.endpoint(endpoint);
    }

    const belfry::Services services_;
    const Config config_;
    Account account_;
    std::shared_ptr<ProviderToken> token_;  // null: a certificate speaks for us
    Standing standing_;
    ChannelCalls channels_{services_, config_, account_};
    std::atomic<bool> told_of_unknown_type_{false};
    int32_t production_ = -1, sandbox_ = -1, broadcast_ = -1;
};

}  // namespace apns

BELFRY_PLUGIN("apns", "0.1.0", belfry::component<apns::Apns>("apns"));
