// SPDX-License-Identifier: Apache-2.0
#include "api/recipient.h"

#include "api/device_methods.h"

namespace belfry::api {
namespace {

enum class Means : uint8_t { Filter, Tokens, Topic, Condition, Channel, NamedTokens, NamedChannel };

struct Member {
    std::string_view field;
    Means means;
    std::string_view wire_name;
};
constexpr Member kMembers[] = {
    {"filter", Means::Filter, ""},
    {"fcm_tokens", Means::Tokens, "fcm"},
    {"fcm_topic", Means::Topic, "fcm"},
    {"fcm_condition", Means::Condition, "fcm"},
    {"hms_tokens", Means::Tokens, "hms"},
    {"hms_topic", Means::Topic, "hms"},
    {"hms_condition", Means::Condition, "hms"},
    {"apns_tokens", Means::Tokens, "apns"},
    {"webpush_tokens", Means::Tokens, "webpush"},
    {"tokens", Means::NamedTokens, ""},
    {"apns_channel", Means::Channel, "apns"},
    {"channel", Means::NamedChannel, ""},
};

bool is_there(const Checked& recipient, const Member& member) {
    return recipient.object(member.field) != nullptr || recipient.has(member.field);
}

std::variant<delivery::Filter, Fault> filter_of(const App& app, const Checked& from) {
    delivery::Filter filter;
    const std::string path = "recipient.filter";
    if (auto fault = keys_of(app, from.texts("ids"), path + ".ids", filter.device_keys)) return std::move(*fault);
    if (auto fault = instances_of(app, from.texts("providers"), path + ".providers", filter.providers))
        return std::move(*fault);
    filter.users = from.texts("users");
    filter.topics = from.texts("topics");
    filter.platforms = from.texts("platforms");
    filter.all = from.boolean("all");
    const bool empty = filter.device_keys.empty() && filter.users.empty() && filter.topics.empty() &&
                       filter.providers.empty() && filter.platforms.empty();
    if (empty && !filter.all) {
        return bad_request(
            path +
            ": is empty; name ids, users, topics, providers or platforms, or say \"all\": true to reach every device");
    }
    return filter;
}

std::variant<Addressed, Fault> of_provider(const App& app, const Checked& recipient, const Member& member) {
    Addressed out;
    out.field = "recipient." + std::string(member.field);
    const Checked* named = recipient.object(member.field);
    const std::string wire = named ? named->text("provider") : std::string(member.wire_name);
    out.provider = app.by_wire(wire);
    if (!out.provider) return bad_request(out.field + ": this app has no provider \"" + wire + "\"; " + app.known());
    const std::string& instance = out.provider->instance;
    switch (member.means) {
        case Means::Tokens:
            out.recipient.tokens = delivery::RawTokens{instance, recipient.texts(member.field)};
            break;
        case Means::NamedTokens:
            out.recipient.tokens = delivery::RawTokens{instance, named->texts("tokens")};
            out.field += ".tokens";
            break;
        case Means::Topic:
            out.recipient.native =
                delivery::NativeTarget{delivery::NativeTarget::Kind::Topic, instance, recipient.text(member.field)};
            break;
        case Means::Condition:
            out.recipient.native =
                delivery::NativeTarget{delivery::NativeTarget::Kind::Condition, instance, recipient.text(member.field)};
            break;
        case Means::Channel:
            out.recipient.native =
                delivery::NativeTarget{delivery::NativeTarget::Kind::Channel, instance, recipient.text(member.field)};
            break;
        case Means::NamedChannel:
            out.recipient.native =
                delivery::NativeTarget{delivery::NativeTarget::Kind::Channel, instance, named->text("id")};
            out.field += ".id";
            break;
        case Means::Filter:
            break;
    }
    return out;
}

}  // namespace

std::variant<Addressed, Fault> addressed_by(const App& app, const Checked& recipient) {
    const Member* found = nullptr;
    std::string all;
    for (const Member& member : kMembers) {
        all += (all.empty() ? "" : ", ") + std::string(member.field);
        if (!is_there(recipient, member)) continue;
        if (found) {
            return bad_request("recipient: has " + std::string(found->field) + " and " + std::string(member.field) +
                               "; exactly one member is allowed");
        }
        found = &member;
    }
    if (!found) return bad_request("recipient: needs exactly one of " + all);
    if (found->means != Means::Filter) return of_provider(app, recipient, *found);
    std::variant<delivery::Filter, Fault> filter = filter_of(app, *recipient.object("filter"));
    if (Fault* fault = std::get_if<Fault>(&filter)) return std::move(*fault);
    Addressed out;
    out.field = "recipient.filter";
    out.recipient.filter = std::move(std::get<delivery::Filter>(filter));
    return out;
}

}  // namespace belfry::api
