// SPDX-License-Identifier: Apache-2.0
// Broadcast channels that APNs keeps: asked of the provider while the client waits.
#include "api/json_writer.h"
#include "api/service.h"

namespace belfry::api {
namespace {

using Verb = plugins::ChannelCall::Verb;
constexpr std::string_view kUsualProvider = "apns";

// `where` of a plugin's refusal ("topic", "id", "push_type") is the name of the API's field, too.
Fault fault_for(const Error& error, const std::string& wire) {
    if (error.code == ErrorCode::Unsupported) return bad_request("provider: \"" + wire + "\" " + error.message);
    return fault_of(error);
}

plugins::ChannelCall call_of(Verb verb, const Checked& params) {
    plugins::ChannelCall call{verb, params.text("topic"), {}};
    if (verb == Verb::Get || verb == Verb::Delete) call.channel.id = params.text("id");
    if (verb != Verb::Create) return call;
    call.channel.push_type = params.text("push_type");
    call.channel.stores = params.integer("message_storage_policy") == 1;
    return call;
}

}  // namespace

std::variant<std::vector<plugins::Channel>, Fault> Service::ask_channels(const App& app, const Checked& params,
                                                                         const plugins::ChannelCall& call) {
    const std::string given = params.text("provider");
    const std::string wire = given.empty() ? std::string(kUsualProvider) : given;
    const ProviderName* provider = app.by_wire(wire);
    if (!provider) return bad_request("provider: this app has no provider \"" + wire + "\"; " + app.known());
    Result<std::vector<plugins::Channel>> answer = channels_.call(provider->instance, call);
    if (!answer) return fault_for(answer.error(), wire);
    return std::move(*answer);
}

Answer Service::apns_channel_create(const App& app, const Checked& params, std::string_view) {
    auto made = ask_channels(app, params, call_of(Verb::Create, params));
    if (Fault* fault = std::get_if<Fault>(&made)) return std::move(*fault);
    JsonWriter out;
    out.open('{').key("id").text(std::get<0>(made).front().id).close('}');
    return out.take();
}

Answer Service::apns_channel_get(const App& app, const Checked& params, std::string_view) {
    auto found = ask_channels(app, params, call_of(Verb::Get, params));
    if (Fault* fault = std::get_if<Fault>(&found)) return std::move(*fault);
    const plugins::Channel& channel = std::get<0>(found).front();
    JsonWriter out;
    out.open('{').key("id").text(channel.id).key("message_storage_policy").integer(channel.stores ? 1 : 0);
    out.key("push_type").text(channel.push_type).close('}');
    return out.take();
}

Answer Service::apns_channel_delete(const App& app, const Checked& params, std::string_view) {
    auto done = ask_channels(app, params, call_of(Verb::Delete, params));
    if (Fault* fault = std::get_if<Fault>(&done)) return std::move(*fault);
    return "{}";
}

Answer Service::apns_channel_list(const App& app, const Checked& params, std::string_view) {
    auto found = ask_channels(app, params, call_of(Verb::List, params));
    if (Fault* fault = std::get_if<Fault>(&found)) return std::move(*fault);
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const plugins::Channel& channel : std::get<0>(found)) out.open('{').key("id").text(channel.id).close('}');
    out.close(']').close('}');
    return out.take();
}

}  // namespace belfry::api
