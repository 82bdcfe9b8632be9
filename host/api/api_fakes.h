// SPDX-License-Identifier: Apache-2.0
// Delivery and Devices for the API's tests: they remember what they were asked and answer what they are told.
// Threads: asked from any (a parallel batch); read by the test when nobody asks.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/http_api.h"
#include "base/clock.h"
#include "fakes/facades.h"

namespace belfry::api {

class FakeDelivery final : public delivery::Delivery {
public:
    std::function<void()> while_storing = [] {};
    void accept_then(delivery::PushRequest&& push, AcceptDone done) override {
        while_storing();
        std::unique_lock lock(mutex_);
        std::string uid = push.uid.empty() ? "made-up" : push.uid;
        pushes.push_back(std::move(push));
        lock.unlock();
        if (refusal) return done(*refusal);
        done(delivery::Accepted{std::move(uid), false});
    }
    Result<delivery::CancelResult> cancel(const std::string&, const std::string& uid) override {
        if (refusal) return *refusal;
        return uid == "known"  ? delivery::CancelResult::Cancelled
               : uid == "done" ? delivery::CancelResult::AlreadyDone
                               : delivery::CancelResult::Unknown;
    }
    Result<delivery::PushStatus> status(const std::string&, const std::string& uid) override {
        const std::lock_guard lock(mutex_);
        if (uid != "known") return error(ErrorCode::NotFound, "no such push", "uid");
        delivery::PushStatus s;
        s.uid = uid;
        s.state = states.empty() ? "running" : states.front();
        if (!states.empty()) states.erase(states.begin());
        s.lane = "high";
        s.planned = 3;
        s.outcomes = outcomes;
        s.samples = {R"({"reason":"x"})", "not json"};
        s.created_unix_ms = 5'500;
        s.eta_ms = 40;
        return s;
    }
    Result<PushPage> list(const std::string& app, const std::string& state, const std::string& cursor,
                          uint32_t limit) override {
        const std::lock_guard lock(mutex_);
        asked_list = app + "/" + state + "/" + cursor + "/" + std::to_string(limit);
        PushPage page;
        page.pushes.push_back(*status(app, "known"));
        page.next_cursor = "more";
        return page;
    }
    // "known" runs, "paused" is paused, "done" is finished.
    Result<delivery::SteerResult> pause(const std::string&, const std::string& uid) override {
        if (refusal) return *refusal;
        return uid == "known"    ? delivery::SteerResult::Done
               : uid == "paused" ? delivery::SteerResult::AlreadySo
               : uid == "done"   ? delivery::SteerResult::Finished
                                 : delivery::SteerResult::Unknown;
    }
    Result<delivery::SteerResult> resume(const std::string&, const std::string& uid) override {
        if (refusal) return *refusal;
        return uid == "known"    ? delivery::SteerResult::AlreadySo
               : uid == "paused" ? delivery::SteerResult::Done
               : uid == "done"   ? delivery::SteerResult::Finished
                                 : delivery::SteerResult::Unknown;
    }
    Result<delivery::RecipientCount> recipient_count(const std::string&, const delivery::Recipient& recipient,
                                                     int64_t budget_ms) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        asked_recipient = recipient;
        asked_budget_ms = budget_ms;
        return count;
    }
    Result<delivery::DeadPage> dead(const std::string& app, const std::string& uid, uint64_t after,
                                    uint32_t limit) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        asked_dead = app + "/" + uid + "/" + std::to_string(after) + "/" + std::to_string(limit);
        return dead_page;
    }
    Result<uint32_t> replay(const std::string&, const std::vector<uint64_t>& ids, bool ignore_expiry) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        replayed = ids;
        replayed_expired = ignore_expiry;
        return std::min(static_cast<uint32_t>(ids.size()), replays_at_most);
    }
    Result<delivery::QueueStats> queue_stats() override {
        if (refusal) return *refusal;
        return stats;
    }
    std::vector<delivery::ProviderStatus> providers() const override { return provider_states; }

    std::vector<delivery::PushRequest> pushes;
    std::optional<Error> refusal;
    std::string asked_list, asked_dead;
    delivery::Recipient asked_recipient;
    int64_t asked_budget_ms = 0;
    delivery::RecipientCount count;
    delivery::DeadPage dead_page;
    delivery::QueueStats stats;
    std::vector<delivery::ProviderStatus> provider_states;
    std::vector<uint64_t> replayed;
    bool replayed_expired = false;
    uint32_t replays_at_most = UINT32_MAX;
    std::vector<std::string> states;  // of the next status calls; then "running"
    std::vector<delivery::OutcomeCount> outcomes{{"fcm-main", "accepted", 2}, {"", "internal", 1}};

private:
    std::recursive_mutex mutex_;
};

// Knows the channel "known" and makes "made"; the instance fcm-main has none.
class FakeChannels final : public plugins::Channels {
public:
    Result<std::vector<plugins::Channel>> call(const std::string& instance, const plugins::ChannelCall& call) override {
        const std::lock_guard lock(mutex_);
        asked.push_back(instance + " " + std::to_string(static_cast<int>(call.verb)) + " " + call.topic + " " +
                        call.channel.id + " " + call.channel.push_type + (call.channel.stores ? " stores" : ""));
        if (refusal) return *refusal;
        if (instance == "fcm-main") return error(ErrorCode::Unsupported, "does not manage channels", "provider");
        using Verb = plugins::ChannelCall::Verb;
        if (call.verb == Verb::List) return std::vector<plugins::Channel>{{"known", "", false}, {"other", "", false}};
        if (call.verb == Verb::Create)
            return std::vector<plugins::Channel>{{"made", "LiveActivity", call.channel.stores}};
        if (call.channel.id != "known") return error(ErrorCode::NotFound, "no such channel", "id");
        if (call.verb == Verb::Delete) return std::vector<plugins::Channel>{};
        return std::vector<plugins::Channel>{{"known", "LiveActivity", true}};
    }

    std::vector<std::string> asked;
    std::optional<Error> refusal;

private:
    std::mutex mutex_;
};

class FakeDevices : public audience::Devices {
public:
    void register_then(audience::Registration&& one, RegisterDone done) override {
        done(std::move(register_devices({&one, 1}).front()));
    }
    std::vector<Result<audience::Registered>> register_devices(std::span<const audience::Registration> all) override {
        const std::lock_guard lock(mutex_);
        groups.push_back(all.size());
        std::vector<Result<audience::Registered>> out;
        for (const audience::Registration& one : all) {
            if (busy_calls > 0 || refusal) {
                out.emplace_back(busy_calls > 0 ? error(ErrorCode::Busy, "too many wait") : *refusal);
                continue;
            }
            if (one.token.rfind("refused", 0) == 0) {
                out.emplace_back(error(ErrorCode::InvalidArgument, "no such token", "token"));
                continue;
            }
            registered.push_back(one);
            const std::string name = one.app + "/" + one.provider + "/" + one.token;
            const auto [it, fresh] = keys.emplace(name, one.key >= 0 ? one.key : static_cast<int64_t>(keys.size()) + 1);
            out.emplace_back(audience::Registered{it->second, fresh});
        }
        if (busy_calls > 0) --busy_calls;
        return out;
    }
    Result<audience::DevicePage> list(std::string_view, const audience::Selection& selection,
                                      const audience::Paging& paging) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        asked = selection;
        asked_paging = paging;
        if (pages.empty()) return page;
        if (pages.size() == 1 && pages_end_in_trouble) return error(ErrorCode::Unavailable, "connection lost");
        audience::DevicePage first = pages.front();
        pages.erase(pages.begin());
        return first;
    }
    Result<uint64_t> remove(std::string_view, const std::vector<int64_t>& which,
                            const std::vector<std::string>& users) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        asked.keys = which;
        asked.users = users;
        return 1u;
    }
    Result<audience::Changed> update(std::string_view app, const std::vector<int64_t>& which,
                                     const std::vector<std::string>& users, const audience::Change& change) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        asked = {};
        asked.keys = which;
        asked.users = users;
        asked_change = change;
        asked_app = app;
        audience::Changed changed;
        changed.keys.assign(which.size(), verdict);
        changed.of_users = users_verdict;
        changed.devices = verdict == audience::Changed::Verdict::Done ? which.size() : 0;
        return changed;
    }
    Result<audience::TopicPage> list_device_topics(std::string_view, const audience::Selection& selection,
                                                   const audience::Paging& paging) override {
        return topic_page_for(selection, paging);
    }
    Result<audience::TopicPage> list_user_topics(std::string_view, const audience::Selection& selection,
                                                 const audience::Paging& paging) override {
        return topic_page_for(selection, paging);
    }
    Status update_user_topics(std::string_view app, std::span<const audience::UserTopics> changes) override {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        for (const audience::UserTopics& change : changes) {
            asked_topics = std::string(app) + "/" + change.user + "/" + std::to_string(static_cast<int>(change.op));
            for (const std::string& topic : change.topics) asked_topics += "/" + topic;
            bindings.push_back(asked_topics);
        }
        return {};
    }

    // Bindings stored so far, for who waits for them.
    size_t bound() {
        const std::lock_guard lock(mutex_);
        return bindings.size();
    }

    std::vector<audience::Registration> registered;
    std::vector<size_t> groups;
    std::map<std::string, int64_t> keys;
    audience::Selection asked;
    audience::Paging asked_paging;
    audience::DevicePage page;
    std::vector<audience::DevicePage> pages;  // answered one after the other, then `page`
    bool pages_end_in_trouble = false;
    audience::TopicPage topic_page;
    int busy_calls = 0;  // of register_devices, before it has room
    audience::Change asked_change;
    audience::Changed::Verdict verdict = audience::Changed::Verdict::Done;        // of each key
    audience::Changed::Verdict users_verdict = audience::Changed::Verdict::Done;  // of a device of the users
    std::string asked_topics, asked_app;
    std::vector<std::string> bindings;  // every asked_topics
    std::optional<Error> refusal;

private:
    Result<audience::TopicPage> topic_page_for(const audience::Selection& selection, const audience::Paging& paging) {
        const std::lock_guard lock(mutex_);
        if (refusal) return *refusal;
        asked = selection;
        asked_paging = paging;
        return topic_page;
    }
    std::mutex mutex_;
};

// A request in a test's hands. The body comes in pieces of `step` bytes; with `chunked` its length is not told.
class FakeRequest final : public HttpRequest {
public:
    FakeRequest(std::string method, std::string target, std::string body)
        : method_(std::move(method)), target_(std::move(target)), body_(std::move(body)) {}
    std::string_view method() const override { return method_; }
    std::string_view target() const override { return target_; }
    std::string_view header(std::string_view name) const override {
        const auto it = headers.find(std::string(name));
        return it == headers.end() ? std::string_view() : it->second;
    }
    int64_t content_length() const override {
        return chunked ? -1 : told_length.value_or(static_cast<int64_t>(body_.size()));
    }
    int64_t read(char* into, size_t n) override {
        if (at_ >= breaks_at) return -1;
        const size_t size = std::min({n, step, body_.size() - at_});
        body_.copy(into, size, at_);
        at_ += size;
        return static_cast<int64_t>(size);
    }
    void expect_pieces() override { pieces = true; }
    size_t bytes_read() const { return at_; }
    // The whole body of an answer, its stream included; `broke` says whether that broke off.
    static std::string whole(HttpResponse& response, bool* broke = nullptr) {
        std::string body = response.body;
        BodyStream::Next next = BodyStream::Next::More;
        while (response.stream && next == BodyStream::Next::More) next = response.stream->next(body);
        if (broke) *broke = next == BodyStream::Next::Broken;
        return body;
    }

    std::map<std::string, std::string> headers;
    bool chunked = false, pieces = false;
    std::optional<int64_t> told_length;
    size_t step = 7;
    size_t breaks_at = SIZE_MAX;

private:
    std::string method_, target_, body_;
    size_t at_ = 0;
};

// An API with one app: fcm, apns and smoke under these names, and an instance that clients call hms.
struct ApiBench {
    static App app(const std::string& name) {
        return {name,
                {{"fcm", "fcm-main", true},
                 {"fcm-main", "fcm-main", false},
                 {"apns", "apns", true},
                 {"smoke", "smoke", true},
                 {"webpush", "webpush", true}}};
    }
    explicit ApiBench(HttpOptions options = {})
        : http(options, service, keys,
               Insight{[] { return std::string("belfry_up 1\n"); }, [this] { return components; }, "1.2.3"}) {
        keys.set({{"key-1", std::make_shared<const App>(app("default"))},
                  {"key-2", std::make_shared<const App>(app("shop"))}});
    }
    HttpResponse post(const std::string& method, const std::string& body, const std::string& key = "key-1") {
        FakeRequest request("POST", "/api/" + method, body);
        request.headers["X-API-Key"] = key;
        return http.handle(request);
    }
    HttpResponse transport(const std::string& method, const std::string& body) {
        FakeRequest request("POST", "/api/" + method, body);
        request.headers["X-API-Key"] = "key-1";
        request.headers["X-Centrifugo-Error-Mode"] = "transport";
        return http.handle(request);
    }

    FakeDelivery delivery;
    FakeDevices devices;
    FakeChannels channels;
    ManualClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    Service service{delivery, devices, channels, clock, log, metrics};
    ApiKeys keys;
    std::vector<ComponentState> components{{"storage", "", true}};
    HttpApi http;
};

}  // namespace belfry::api
