// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <algorithm>

#include "channel_answers.h"
#include "config.h"

namespace apns {
namespace {

using belfry::Refused;
using belfry::Services;

// Source: Apple, "Sending notification requests to APNs", read 2026.
struct PushType {
    std::string_view name, suffix;
};
constexpr PushType kPushTypes[] = {{"alert", ""},
                                   {"background", ""},
                                   {"mdm", ""},
                                   {"voip", ".voip"},
                                   {"complication", ".complication"},
                                   {"fileprovider", ".pushkit.fileprovider"},
                                   {"location", ".location-query"},
                                   {"liveactivity", ".push-type.liveactivity"},
                                   {"pushtotalk", ".voip-ptt"},
                                   {"widgets", ".push-type.widgets"},
                                   {"controls", ".push-type.controls"}};

// Those are the connection's business or ours.
constexpr std::string_view kForbidden[] = {
    "authorization",     "host", "content-length", "connection", "keep-alive",     "upgrade", "proxy-connection",
    "transfer-encoding", "te",   "expect",         "trailer",    "apns-channel-id"};

constexpr size_t kHeadersMax = 48;  // of the caller's; a request has room for 64

constexpr uint32_t kAnswerMax = 1024;

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, what);
}

const PushType* type_of(std::string_view name) {
    const auto* found = std::find_if(std::begin(kPushTypes), std::end(kPushTypes),
                                     [&](const PushType& type) { return type.name == name; });
    return found == std::end(kPushTypes) ? nullptr : found;
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_uuid(std::string_view text) {
    bool good = text.size() == 36;
    for (size_t i = 0; good && i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        good = dash ? text[i] == '-' : hex;
    }
    return good;
}

class Reader {
public:
    Reader(const Services& services, const belfry_content& content)
        : services_(services), content_(content), text_(belfry::view(content.payload)) {}

    std::unique_ptr<Push> read(const std::string& topic) {
        services_.json_check(text_);
        const belfry_json_value payload = services_.json_find(text_, "payload");
        if (payload.type != BELFRY_JSON_OBJECT) {
            wrong("payload", "must be an object: {\"payload\": {\"aps\": {\"alert\": {...}}}}");
        }
        push_->payload = payload.at;
        push_->rendered = (content_.flags & BELFRY_CONTENT_HAS_HOLES) != 0;
        push_->to_channel = content_.kind == BELFRY_CONTENT_CHANNEL;
        if (push_->to_channel && !is_channel_id(belfry::view(content_.target)))
            wrong("target", "no channel's id: those are base64");
        read_headers();
        fill_in(topic);
        check_size();
        return std::move(push_);
    }

private:
    const Push::Header* given(std::string_view name) const {
        const auto found = std::find_if(push_->headers.begin(), push_->headers.end(),
                                        [&](const Push::Header& header) { return header.name == name; });
        return found == push_->headers.end() ? nullptr : &*found;
    }
    void add(const char* name, std::string value) { push_->headers.push_back({name, std::move(value), {}}); }

    void read_headers() {
        const belfry_json_value headers = services_.json_find(text_, "headers");
        if (headers.type == 0 || headers.type == BELFRY_JSON_NULL) return;
        if (headers.type != BELFRY_JSON_OBJECT) wrong("headers", "must be an object of texts");
        services_.json_each(text_, headers.at, [&](const belfry_json_entry& entry) {
            std::string name = services_.json_unescape(text_, entry.key.at);
            const std::string where = "headers." + name;
            std::transform(name.begin(), name.end(), name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
            if (entry.value.type != BELFRY_JSON_STRING) wrong(where, "must be a text, also for numbers");
            check_name(name, where);
            Push::Header header{name, services_.json_unescape(text_, entry.value.at), {}};
            header.inside = {entry.value.at.at + 1, entry.value.at.n - 2};
            if (!push_->rendered) check_value(header, where);
            push_->headers.push_back(std::move(header));
            if (push_->headers.size() > kHeadersMax)
                wrong("headers", "more than " + std::to_string(kHeadersMax) + " of them");
        });
    }

    void check_name(const std::string& name, const std::string& where) const {
        const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
        const bool ours = std::find(std::begin(kForbidden), std::end(kForbidden), name) != std::end(kForbidden);
        if (name.empty() || !std::all_of(name.begin(), name.end(), allowed)) wrong(where, "is no header's name");
        if (ours) wrong(where, "is not for the payload to set");
        if (given(name) != nullptr) wrong(where, "is given twice");
    }

    static void check_value(const Push::Header& header, const std::string& where) {
        const std::string& value = header.value;
        if (value.starts_with(' ') || value.ends_with(' ')) wrong(where, "begins or ends with a blank");
        const bool printable = std::all_of(value.begin(), value.end(),
                                           [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
        if (!printable) wrong(where, "has control characters");
        if (header.name == "apns-collapse-id" && value.size() > kCollapseIdMax) {
            wrong(where, std::to_string(value.size()) + " bytes, APNs takes 64");
        }
        if (header.name == "apns-priority" && value != "10" && value != "5" && value != "1") {
            wrong(where, "must be 10, 5 or 1");
        }
        if (header.name == "apns-expiration" && !all_digits(value)) wrong(where, "must be Unix seconds, or 0");
        if (header.name == "apns-id" && !is_uuid(value)) wrong(where, "must be a UUID in lower case");
    }

    // What the topic's suffix or the payload's form says; alert where neither does.
    std::string_view likely_type() const {
        if (push_->to_channel) return "liveactivity";
        if (const Push::Header* topic = given("apns-topic")) {
            for (const PushType& type : kPushTypes) {
                if (!type.suffix.empty() && topic->value.ends_with(type.suffix)) return type.name;
            }
        }
        const auto has = [&](const char* path) { return services_.json_find(text_, path).type != 0; };
        if (has("payload.aps.content-state") || has("payload.aps.event")) return "liveactivity";
        const bool silent = services_.json_int(text_, "payload.aps.content-available") == 1 &&
                            !has("payload.aps.alert") && !has("payload.aps.badge") && !has("payload.aps.sound");
        return silent ? "background" : "alert";
    }

    void fill_in(const std::string& topic) {
        if (given("apns-push-type") == nullptr) add("apns-push-type", std::string(likely_type()));
        const std::string type_name = given("apns-push-type")->value;
        const PushType* type = type_of(type_name);
        push_->unknown_type = type == nullptr && !push_->rendered;
        fill_in_topic(topic, type);
        const Push::Header* priority = given("apns-priority");
        if (type_name == "background" && priority == nullptr) add("apns-priority", "5");
        if (type_name == "background" && priority != nullptr && priority->value == "10") {
            wrong("headers.apns-priority", "background pushes have 5 or 1: APNs refuses 10");
        }
        push_->wants_id = given("apns-id") == nullptr && !push_->to_channel;
        push_->wants_expiration = given("apns-expiration") == nullptr && content_.expires_unix_ms != 0;
        const bool needs_expiration = push_->to_channel && given("apns-expiration") == nullptr;
        if (needs_expiration && !push_->wants_expiration) add("apns-expiration", "0");
    }

    // A broadcast's topic stands in its path, without suffix.
    void fill_in_topic(const std::string& topic, const PushType* type) {
        const std::string_view suffix = type == nullptr ? std::string_view() : type->suffix;
        const bool is_given = given("apns-topic") != nullptr;
        if (!is_given && topic.empty()) {
            wrong("headers.apns-topic", "missing: give it, or set topic in the provider's configuration");
        }
        if (push_->to_channel) {
            push_->bundle = is_given ? given("apns-topic")->value : topic;
            if (push_->bundle.ends_with(suffix)) push_->bundle.resize(push_->bundle.size() - suffix.size());
            if (!is_bundle(push_->bundle)) wrong("headers.apns-topic", "is no bundle id");
            std::erase_if(push_->headers, [](const Push::Header& header) { return header.name == "apns-topic"; });
            return;
        }
        if (is_given) return;
        // Of an unknown type the suffix is unknown, and mdm's topics are no apps.
        push_->topic_is_ours = type != nullptr && suffix.empty() && type->name != "mdm";
        add("apns-topic", topic.ends_with(suffix) ? topic : topic + std::string(suffix));
    }

    void check_size() const {
        if (push_->rendered) return;
        const bool large = push_->to_channel || given("apns-push-type")->value == "voip";
        const size_t most = large ? kLargePayloadMax : kPayloadMax;
        if (push_->payload.n <= most) return;
        throw Refused(BELFRY_TOO_LARGE, "payload",
                      std::to_string(push_->payload.n) + " bytes, APNs takes " + std::to_string(most));
    }

    const Services& services_;
    const belfry_content& content_;
    const std::string_view text_;
    std::unique_ptr<Push> push_ = std::make_unique<Push>();
};

}  // namespace

bool is_bundle(std::string_view text) {
    // It stands in paths: an empty part would make "." or ".." of it.
    const bool empty_part = text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != text.npos;
    return !empty_part && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    });
}

std::string normal_token(std::string_view token) {
    std::string lower(token);
    bool hex = !token.empty() && token.size() % 2 == 0;
    for (char& c : lower) {
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c + ('a' - 'A'));
        hex = hex && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    }
    if (!hex) wrong("token", "an APNs device token is written in hex digits, two per byte");
    if (token.size() > 2 * kTokenBytesMax) wrong("token", "longer than 200 bytes (400 hex digits)");
    return lower;
}

std::unique_ptr<Push> check_content(const Services& services, const belfry_content& content, const std::string& topic) {
    if (content.kind == BELFRY_CONTENT_TOPIC || content.kind == BELFRY_CONTENT_CONDITION) {
        throw Refused(BELFRY_UNSUPPORTED, "", "APNs has no topics of its own: register devices for Belfry's topics");
    }
    if ((content.flags & BELFRY_CONTENT_DRY_RUN) != 0) {
        throw Refused(BELFRY_UNSUPPORTED, "", "APNs cannot check a push without sending it");
    }
    return Reader(services, content).read(topic);
}

void emit_plan(const Push& push, const belfry_content& content, uint32_t variant, int32_t endpoint, int32_t credential,
               const belfry::Emit<belfry_plan>& emit) {
    belfry::Plan plan(endpoint, credential);
    plan.variant(variant).answer_max(kAnswerMax).keep("retry-after");
    if (push.to_channel) {
        plan.path().text("/4/broadcasts/apps/" + push.bundle);
        plan.header("apns-channel-id").text(belfry::view(content.target));
    } else {
        plan.path().text("/3/device/").token_path();
    }
    if (push.wants_id) plan.header("apns-id").delivery_id();
    const bool unstored = push.to_channel && (variant & kOnceMore) != 0;
    if (push.wants_expiration && !unstored) plan.header("apns-expiration").expires_s();
    if (unstored) plan.header("apns-expiration").text("0");
    for (const Push::Header& header : push.headers) {
        belfry::Plan::Pieces& value = plan.header(header.name);
        if (push.rendered && header.inside.n != 0) {
            value.payload_string(header.inside.at, header.inside.at + header.inside.n);
        } else {
            value.text(header.value);
        }
    }
    plan.body().payload(push.payload.at, push.payload.at + push.payload.n);
    plan.emit(emit);
}

}  // namespace apns
