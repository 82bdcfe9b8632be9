// SPDX-License-Identifier: Apache-2.0
#include "webpush/service.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "fcm/base64url.h"
#include "state/fault_effect.h"

namespace belfry::simulator::webpush {

namespace {

constexpr std::size_t kTopicMax = 32;
constexpr std::int64_t kTtlCap = 30 * 24 * 3600;  // Mozilla and Apple; seconds

// The value when the header is there exactly once.
std::optional<std::string> only(const Request& request, std::string_view name, bool& twice) {
    std::optional<std::string> value;
    for (const Header& header : request.headers) {
        if (header.name != name) continue;
        twice = value.has_value();
        value = header.value;
    }
    return value;
}

bool all_digits(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_urgency(const std::string& text) {
    return text == "very-low" || text == "low" || text == "normal" || text == "high";
}

bool is_topic(const std::string& text, Flavour flavour) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    if (text.empty() || text.size() > kTopicMax || !std::all_of(text.begin(), text.end(), allowed)) return false;
    return flavour != Flavour::Apple || text.size() % 4 != 1;  // Apple decodes it
}

Reply scripted_reply(const FaultRule& rule, Flavour flavour, std::chrono::system_clock::time_point wall) {
    Reply reply = status_reply(flavour, rule.status);
    if (rule.empty || !rule.body.empty()) reply = {rule.status, {}, rule.body};
    if (!rule.content_type.empty()) reply.headers.push_back({"content-type", rule.content_type});
    add_retry_after(rule, wall, reply);
    return reply;
}

}  // namespace

struct PushServices::Call {
    Call(Flavour to, Request&& asked) : flavour(to), request(std::move(asked)) {}

    void refuse(Refusal what, std::string reason) {
        if (refusal != Refusal::None) return;
        refusal = what;
        why = std::move(reason);
    }

    Flavour flavour;
    Request request;
    Subscription* subscription = nullptr;
    Message message;
    Vapid vapid;
    Opened opened;
    Refusal refusal = Refusal::None;
    std::string why;
    std::string fault;
    bool accepted = false;
};

class PushServices::Service final : public Backend {
public:
    Service(PushServices& all, Flavour flavour) : all_(all), flavour_(flavour) {}
    Plan handle(Request&& request) override { return all_.handle(flavour_, std::move(request)); }
    WireSettings wire_settings(std::uint64_t) override {
        const std::lock_guard lock(all_.world_.mutex);
        WireSettings wire;
        wire.stream_limit = static_cast<std::uint32_t>(all_.world_.settings.stream_limit);
        return wire;
    }

private:
    PushServices& all_;
    Flavour flavour_;
};

PushServices::PushServices(World& world) : world_(world) {
    for (const Flavour flavour : kFlavours)
        backends_[static_cast<std::size_t>(flavour)] = std::make_unique<Service>(*this, flavour);
}

std::int64_t PushServices::wall_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(world_.simulated_wall().time_since_epoch()).count();
}

void PushServices::forget_messages() {
    const std::lock_guard lock(world_.mutex);
    store_.forget_messages();
}

Plan PushServices::handle(Flavour flavour, Request&& asked) {
    Call call(flavour, std::move(asked));
    const std::string target =
        call.request.query.empty() ? call.request.path : call.request.path + '?' + call.request.query;
    Plan plan;
    {
        const std::lock_guard lock(world_.mutex);
        call.subscription = store_.by_target(flavour, target);
        call.vapid = check_vapid(call.request.header("authorization"),
                                 {origin(flavour), flavour == Flavour::Apple, world_.simulated_wall()});
    }
    if (call.request.method == "DELETE") {
        plan.reply = withdraw(flavour, call.request.path);
        return plan;
    }
    judge(call);
    const std::lock_guard lock(world_.mutex);
    const FaultDecision fault = world_.faults.decide(
        {Route::WebPush, flavour_name(flavour),
         call.subscription == nullptr ? std::string_view() : call.subscription->name, call.request.connection});
    const bool processed = !fault.rule || leaves_processing(*fault.rule);
    if (processed) plan.reply = process(call);
    if (fault.rule) {
        call.fault = std::string(action_name(fault.rule->action));
        if (fault.rule->action == FaultAction::Status)
            plan.reply = scripted_reply(*fault.rule, flavour, world_.simulated_wall());
        apply_to_wire(*fault.rule, plan);
    }
    plan.before_headers += std::chrono::milliseconds(fault.before_headers_ms + world_.settings.latency_ms);
    plan.before_body += std::chrono::milliseconds(fault.before_body_ms);
    plan.reply.headers.push_back({"date", http_date(world_.simulated_wall())});
    record(call, plan);
    return plan;
}

// What can be said without state: headers and body.
void PushServices::judge(Call& call) const {
    const Request& request = call.request;
    if (request.method != "POST") call.refuse(Refusal::NotAllowed, "only POST is allowed");
    if (call.subscription == nullptr) call.refuse(Refusal::UnknownSubscription, "no such subscription");
    if (!request.header("transfer-encoding").empty() || !all_digits(std::string(request.header("content-length"))))
        call.refuse(Refusal::NoLength, "a content-length is required");
    bool twice = false;
    const auto ttl = only(request, "ttl", twice);
    if (!ttl || twice) call.refuse(Refusal::NoTtl, "one TTL header is required");
    if (ttl && !all_digits(*ttl)) call.refuse(Refusal::BadTtl, "the TTL is not a number of seconds");
    if (ttl) std::from_chars(ttl->data(), ttl->data() + ttl->size(), call.message.ttl_s);
    call.message.ttl_s = std::min(call.message.ttl_s, kTtlCap);
    twice = false;
    const auto urgency = only(request, "urgency", twice);
    if (twice || (urgency && !is_urgency(*urgency))) call.refuse(Refusal::BadUrgency, "the Urgency is unknown");
    twice = false;
    const auto topic = only(request, "topic", twice);
    if (twice || (topic && !is_topic(*topic, call.flavour))) call.refuse(Refusal::BadTopic, "the Topic is malformed");
    call.message.urgency = urgency.value_or("normal");
    call.message.topic = topic.value_or("");
    open_body(call);
}

void PushServices::open_body(Call& call) const {
    const Request& request = call.request;
    if (request.body.empty()) return;  // a push without data
    if (request.body.size() > kBodyMax) return call.refuse(Refusal::TooLarge, "longer than 4096 bytes");
    if (request.header("content-encoding") != "aes128gcm")
        return call.refuse(Refusal::BadEncoding, "Content-Encoding must be aes128gcm");
    if (!request.header("crypto-key").empty() || !request.header("encryption").empty())
        return call.refuse(Refusal::BadEncoding, "Crypto-Key and Encryption belong to an older draft");
    if (call.subscription == nullptr) return;
    call.opened =
        open_message(request.body, call.subscription->key.get(), call.subscription->point, call.subscription->auth);
    if (!call.opened.problem.empty()) call.refuse(Refusal::BadBody, call.opened.problem);
    call.message.payload = call.opened.plaintext;
}

Reply PushServices::process(Call& call) {
    Subscription* const to = call.subscription;
    if (to != nullptr && to->state == Subscription::State::Unknown) call.refusal = Refusal::UnknownSubscription;
    if (to != nullptr && call.vapid.fault == VapidFault::None) {
        if (to->application_key.empty()) to->application_key = call.vapid.key;
        if (to->application_key != call.vapid.key) call.vapid.fault = VapidFault::WrongKey;
    }
    const bool known = call.refusal != Refusal::UnknownSubscription && call.refusal != Refusal::NotAllowed;
    if (known && call.vapid.fault != VapidFault::None) {
        call.refusal = Refusal::Sender;
        call.why = vapid_problem(call.vapid.fault);
    } else if (known && to->state == Subscription::State::Gone) {
        call.refusal = Refusal::Gone;
    }
    if (call.refusal != Refusal::None) return refusal_reply(call.flavour, call.refusal, call.vapid.fault, call.why);
    call.accepted = true;
    call.message.id = std::to_string(++messages_);
    call.message.arrived_ms = wall_ms();
    const Message& message = call.message;
    Reply reply = accepted_reply(call.flavour, origin(call.flavour) + "/m/" + message.id, message.id, message.ttl_s);
    store_.deliver(*to, call.message);
    return reply;
}

Reply PushServices::withdraw(Flavour flavour, const std::string& path) {
    constexpr std::string_view kMessages = "/m/";
    const std::lock_guard lock(world_.mutex);
    const bool done = flavour == Flavour::Mozilla && path.starts_with(kMessages) &&
                      store_.withdraw(std::string_view(path).substr(kMessages.size()));
    return {done ? 204 : 404, {}, {}};
}

void PushServices::record(Call& call, const Plan& plan) {
    const int status = plan.action == WireAction::Answer ? plan.reply.status : 0;
    const Request& request = call.request;
    JournalEntry entry;
    entry.connection = request.connection;
    entry.stream = request.stream;
    entry.arrival_ms = world_.clock.uptime().count();
    entry.route = route_name(Route::WebPush);
    entry.project = flavour_name(call.flavour);
    if (call.subscription != nullptr) entry.target = "subscription:" + call.subscription->name;
    EVP_Digest(request.body.data(), request.body.size(), entry.body_sha256.data(), nullptr, EVP_sha256(), nullptr);
    entry.status = status;
    entry.fault = call.fault;
    entry.accepted = call.accepted;
    world_.journal.add(std::move(entry));
    world_.counters.add(Counters::Requests);
    world_.counters.add_status(status);
    if (call.accepted) world_.counters.add(Counters::Accepted);

    Seen seen;
    if (call.subscription != nullptr) seen.subscription = call.subscription->name;
    seen.flavour = flavour_name(call.flavour);
    seen.authorization = request.header("authorization");
    seen.ttl = request.header("ttl");
    seen.urgency = request.header("urgency");
    seen.topic = request.header("topic");
    seen.encoding = request.header("content-encoding");
    seen.salt = base64url_encode(call.opened.salt);
    seen.sender_key = base64url_encode(call.opened.sender_key);
    seen.problem = call.why;
    seen.connection = request.connection;
    seen.body_bytes = request.body.size();
    seen.status = status;
    seen.http2 = request.http2;
    store_.note(std::move(seen));
}

}  // namespace belfry::simulator::webpush
