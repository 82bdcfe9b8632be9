// SPDX-License-Identifier: Apache-2.0
// The entry: one component "fcm", a provider for FCM's HTTP v1 API. Checks, plans, tokens and verdicts are in their own
// files.
#include <belfry/provider.hpp>

#include "config.h"
#include "oauth.h"
#include "plan.h"
#include "verdicts.h"

namespace fcm {

class Fcm final : public belfry::Provider<Fcm> {
public:
    static constexpr uint32_t kPerMinuteDefault = 600'000;  // a project's quota, unless Google raised it

    Fcm(belfry::Services services, std::string_view config)
        : services_(services), config_(read_config(services, config)) {}

    void start(int64_t) override {
        account_ = read_account(services_, config_, services_.secret(config_.credentials));
        token_request(services_, account_);  // an unusable key is said now, not with the first push
        clock_skew_ =
            services_.gauge("clock_skew_seconds", "This host's clock minus the token endpoint's, at the last token");
        messages_ = services_.endpoint(config_.endpoint, BELFRY_ENDPOINT_H1_OK, account_.project_id);
        tokens_ = services_.endpoint(account_.token_endpoint.origin, BELFRY_ENDPOINT_H1_OK);
    }

    void validate(const belfry_token& asked, const belfry::Emit<belfry_token>& emit) override {
        check_token(belfry::view(asked.token));
        emit(belfry::token_row(asked));
    }

    std::unique_ptr<belfry::PreparedBase> prepare(const belfry_content& content,
                                                  const belfry::Emit<belfry_plan>& emit) override {
        const belfry_span members = check_content(services_, content);
        if ((content.flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return nullptr;
        emit_plan(account_.project_id, messages_, content, members, emit);
        return std::make_unique<belfry::PushShape>(content);
    }

    belfry_credential authorize(uint32_t, int64_t deadline_mono_ns, std::string& value) override {
        const auto answer = services_.call(tokens_, token_request(services_, account_), deadline_mono_ns);
        if (answer.date_unix_ms != 0) {
            const auto skew_ms = static_cast<double>(services_.unix_ms() - answer.date_unix_ms);
            services_.record(clock_skew_, skew_ms / 1000);
        }
        return read_token(services_, account_, answer, value);
    }

    void decode(belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) override {
        fcm::decode(services_, answers, verdicts);
    }

private:
    const belfry::Services services_;
    const Config config_;
    Account account_;
    int32_t messages_ = -1, tokens_ = -1, clock_skew_ = -1;
};

}  // namespace fcm

BELFRY_PLUGIN("fcm", "0.1.0", belfry::component<fcm::Fcm>("fcm"));
