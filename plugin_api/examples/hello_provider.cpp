// SPDX-License-Identifier: Apache-2.0
// The provider of minimal_provider.c with the C++ SDK: posts each payload to https://<url>/push/<token> with a bearer
// key.
#include <belfry/http.hpp>
#include <belfry/provider.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace {

class Hello final : public belfry::Provider<Hello> {
public:
    Hello(belfry::Services services, std::string_view config)
        : services_(services), url_(*services.json_text(config, "url")), config_(config) {}

    void start(int64_t) override {
        key_ = *services_.config_secret(config_, "key");
        endpoint_ = services_.endpoint(url_);
        services_.info("ready", {{"url", url_}});
    }
    void validate(const belfry_token& token, const belfry::Emit<belfry_token>& emit) override {
        if (token.token.n < 8)
            throw belfry::Refused(BELFRY_BAD_REQUEST, "token",
                                  "is shorter than 8 characters; register the whole token");
        belfry_token row = belfry::sized<belfry_token>();
        row.token = row.identity = token.token;
        emit(row);
    }
    std::unique_ptr<belfry::PreparedBase> prepare(const belfry_content& content,
                                                  const belfry::Emit<belfry_plan>& emit) override {
        if (content.kind != BELFRY_CONTENT_TOKENS)
            throw belfry::Refused(BELFRY_UNSUPPORTED, {}, "this provider knows device tokens only");
        if ((content.flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return nullptr;
        belfry::Plan plan(endpoint_, 0);
        plan.path().text("/push/").token_path();
        plan.header("content-type").text("application/json");
        plan.header("x-delivery-id").delivery_id();
        plan.body().payload(content);
        plan.keep("retry-after");
        plan.emit(emit);
        return nullptr;
    }
    belfry_credential authorize(uint32_t, int64_t, std::string& value) override {
        constexpr int64_t kDayMs = 24 * 3600 * 1000;
        value = "Bearer " + key_;
        belfry_credential credential{};
        credential.valid_ms = kDayMs;
        credential.refresh_after_ms = kDayMs / 2;
        return credential;
    }
    void decode(belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) override {
        for (const belfry_answer& answer : answers) judge(answer, verdicts);
    }

private:
    void judge(const belfry_answer& answer, const belfry::Verdicts& verdicts) const {
        const uint32_t item = answer.first_item;
        if (answer.status / 100 == 2) return verdicts.accepted(item);
        if (answer.status == 404 || answer.status == 410) return verdicts.gone(item, "unknown token");
        if (answer.status == 401)
            return verdicts.give(item, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_INSTANCE, "the key was refused; renew it");
        const auto named =
            belfry::retry_after_ms(belfry::header_of(answer, "retry-after"), answer.date_unix_ms, services_.unix_ms());
        const int64_t wait_ms = named.value_or(0);  // 0: the host's back-off
        if (answer.status == 429)
            return verdicts.give(item, BELFRY_THROTTLED, BELFRY_SCOPE_INSTANCE, "too many requests", wait_ms);
        if (answer.status >= 500) return verdicts.give(item, BELFRY_RETRY, BELFRY_SCOPE_ITEM, "in trouble", wait_ms);
        verdicts.give(item, BELFRY_REFUSED, BELFRY_SCOPE_ITEM, "unexpected status");
    }

    const belfry::Services services_;
    const std::string url_, config_;
    std::string key_;
    int32_t endpoint_ = -1;
};

}  // namespace

BELFRY_PLUGIN("hello", "1.0.0", belfry::component<Hello>("hello"));
