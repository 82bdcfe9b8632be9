// SPDX-License-Identifier: Apache-2.0
#include "apns/channels.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "apns/admission.h"
#include "apns/push_rules.h"
#include "apns/reasons.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kIdBytes = 12;
constexpr std::size_t kBroadcastMax = 5120;  // bytes

std::string random_id() {
    std::array<unsigned char, kIdBytes> raw{};
    std::array<unsigned char, kIdBytes * 2> text{};
    RAND_bytes(raw.data(), static_cast<int>(raw.size()));
    const int size = EVP_EncodeBlock(text.data(), raw.data(), static_cast<int>(raw.size()));
    return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size)};
}

Reply json_answer(int status, const Json& json) {
    return {status, {{"content-type", "application/json"}}, json.dump()};
}

Reply create(World& world, const ApnsConnection& connection, const Request& request, const std::string& bundle) {
    const Json wanted = Json::parse(request.body, nullptr, false);
    if (!wanted.is_object()) return apns_refusal(400, "BadRequestPayload");
    const auto policy = wanted.find("message-storage-policy"), type = wanted.find("push-type");
    if (type == wanted.end()) return apns_refusal(400, "MissingPushType");
    if (*type != "LiveActivity") return apns_refusal(400, "InvalidPushType");
    if (policy == wanted.end() || (*policy != 0 && *policy != 1)) return apns_refusal(400, "BadRequestPayload");
    const auto mine = [&](const auto& entry) {
        return entry.second.bundle == bundle && entry.second.environment == connection.environment;
    };
    const auto count = std::count_if(world.apns.channels.begin(), world.apns.channels.end(), mine);
    if (count >= world.settings.apns_channels_max) return apns_refusal(400, "CannotCreateChannelConfig");
    const std::string id = add_channel(world.apns, {bundle, connection.environment, *policy == 1, 0, {}});
    return {201, {{"apns-channel-id", id}}, {}};
}

Reply push(World& world, ApnsChannel& channel, const Request& request) {
    const std::string_view type = request.header("apns-push-type");
    if (type.empty()) return apns_refusal(400, "MissingPushType");
    if (type != "liveactivity") return apns_refusal(400, "InvalidPushType");
    const std::string_view expires = request.header("apns-expiration");
    if (!expiration_holds(request) || expires.empty() || (!channel.stored && expires != "0")) {
        return apns_refusal(400, "BadExpirationDate");
    }
    if (!priority_holds(request)) return apns_refusal(400, "BadPriority");
    const std::string_view id = request.header("apns-request-id");
    if (!id.empty() && !is_canonical_uuid(id)) return apns_refusal(400, "BadMessageId");
    if (request.body.empty()) return apns_refusal(400, "PayloadEmpty");
    if (request.body.size() > kBroadcastMax) return apns_refusal(413, "PayloadTooLarge");
    if (!is_json_object(request.body)) return apns_refusal(400, "BadRequestPayload");
    ++channel.sent;
    world.counters.add(Counters::Accepted);
    const std::string name = "channel:" + std::string(request.header("apns-channel-id"));
    const Delivered message{std::string(id), 0, std::make_shared<const std::string>(request.body), "{}"};
    world.phones.deliver(name, message);
    for (const std::string& phone : channel.followers) world.phones.deliver(phone, message);
    return {};
}

Reply list(const World& world, const ApnsConnection& connection, const std::string& bundle) {
    Json ids = Json::array();
    for (const auto& [id, channel] : world.apns.channels) {
        if (channel.bundle == bundle && channel.environment == connection.environment) ids.push_back(id);
    }
    return json_answer(200, {{"channels", std::move(ids)}});
}

}  // namespace

std::string add_channel(ApnsState& apns, ApnsChannel channel) {
    const std::string id = random_id();
    apns.channels[id] = std::move(channel);
    return id;
}

Reply answer_channel_call(World& world, ApnsConnection& connection, const Request& request,
                          const std::vector<std::string>& segments) {
    const bool broadcast = segments.size() == 4 && segments[0] == "4" && segments[1] == "broadcasts";
    const bool manage = segments.size() == 4 && segments[0] == "1" && segments[1] == "apps";
    const std::string bundle = broadcast ? segments[3] : manage ? segments[2] : "";
    if (!broadcast && !(manage && (segments[3] == "channels" || segments[3] == "all-channels"))) {
        return apns_refusal(404, "BadPath");
    }
    if (has_duplicate_headers(request)) return apns_refusal(400, "BadRequestParams");
    if (!may_push_for(world, connection, bundle)) return apns_refusal(400, "TopicDisallowed");
    const std::string& method = request.method;
    if (manage && segments[3] == "all-channels") {
        return method == "GET" ? list(world, connection, bundle) : apns_refusal(405, "MethodNotAllowed");
    }
    if (manage && method == "POST") return create(world, connection, request, bundle);
    if (broadcast ? method != "POST" : method != "GET" && method != "DELETE") {
        return apns_refusal(405, "MethodNotAllowed");
    }
    const std::string id(request.header("apns-channel-id"));
    if (id.empty()) return apns_refusal(400, "MissingChannelId");
    const auto found = world.apns.channels.find(id);
    const bool known = found != world.apns.channels.end() && found->second.bundle == bundle &&
                       found->second.environment == connection.environment;
    if (!known) return apns_refusal(400, broadcast ? "ChannelNotRegistered" : "BadChannelId");
    if (broadcast) return push(world, found->second, request);
    if (method == "GET") {
        return json_answer(200,
                           {{"message-storage-policy", found->second.stored ? 1 : 0}, {"push-type", "LiveActivity"}});
    }
    world.apns.channels.erase(found);
    return {204, {}, {}};
}

}  // namespace belfry::simulator
