// SPDX-License-Identifier: Apache-2.0
#include "channels.h"

#include "request.h"

namespace apns {
namespace {

using belfry::Channel;
using belfry::Refused;

ChannelAnswer view_of(const belfry::HttpAnswer& answer) {
    return {answer.status, answer.header("apns-channel-id"), answer.header("retry-after"), answer.body,
            answer.date_unix_ms};
}

}  // namespace

std::string ChannelCalls::path_of(const Place& place, const char* what) const {
    const std::string_view topic = place.topic.empty() ? std::string_view(account_.topic) : place.topic;
    if (topic.empty())
        throw Refused(BELFRY_BAD_REQUEST, "topic", "missing: give it, or set topic in the provider's configuration");
    if (!is_bundle(topic)) throw Refused(BELFRY_BAD_REQUEST, "topic", "is no bundle id");
    return "/1/apps/" + std::string(topic) + "/" + what;
}

ChannelCalls::Call ChannelCalls::about(const char* method, const Place& place, std::string_view id) const {
    if (!is_channel_id(id)) throw Refused(BELFRY_BAD_REQUEST, "id", "no channel's id: those are base64");
    return {method, path_of(place, "channels"), std::string(id), {}};
}

belfry::HttpAnswer ChannelCalls::exchange(const Call& call, int64_t deadline_mono_ns,
                                          const std::string& authorization) const {
    belfry::HttpRequest request;
    request.method = call.method;
    request.path = call.path;
    request.body = call.body;
    if (!authorization.empty()) request.headers.emplace_back("authorization", authorization);
    if (!call.id.empty()) request.headers.emplace_back("apns-channel-id", call.id);
    return services_.call(endpoints_[turn_.load() % endpoints_.size()], request, deadline_mono_ns);
}

template <class Read>
auto ChannelCalls::ask(const Call& call, const Place& place, Read&& read) {
    const ChannelReader reader(services_, place.topic.empty());
    if (config_.by_certificate()) return read(reader, view_of(exchange(call, place.deadline_mono_ns, {})));
    const ProviderToken::Signer signer{services_, config_, account_};
    const std::string token = token_->current(signer);
    belfry::HttpAnswer answer = exchange(call, place.deadline_mono_ns, token);
    if (answer.status == 403 && reader.reason(view_of(answer)) == "ExpiredProviderToken") {
        std::string fresh;
        static_cast<void>(token_->renew(signer, fresh));
        ++turn_;
        if (fresh != token) answer = exchange(call, place.deadline_mono_ns, fresh);
    }
    return read(reader, view_of(answer));
}

Channel ChannelCalls::create(const Place& place, const Channel& wanted) {
    const bool usual = wanted.push_type.empty() || wanted.push_type == kChannelPushType;
    if (!usual) throw Refused(BELFRY_BAD_REQUEST, "push_type", "channels carry LiveActivity only");
    const std::string body = std::string(R"({"message-storage-policy":)") + (wanted.stores ? "1" : "0") +
                             R"(,"push-type":")" + std::string(kChannelPushType) + "\"}";
    const Call call{"POST", path_of(place, "channels"), {}, body};
    try {
        return ask(call, place, [&](const ChannelReader& reader, const ChannelAnswer& answer) {
            return Channel{reader.created(answer), std::string(kChannelPushType), wanted.stores};
        });
    } catch (const Refused& refused) {
        if (refused.code() != BELFRY_RETRY_LATER) throw;
        throw Refused(
            refused.code(), refused.where(),
            std::string(refused.what()) + "; the channel may exist all the same, list them before you try again",
            refused.retry_after_ms());
    }
}

Channel ChannelCalls::get(const Place& place, std::string_view id) {
    return ask(about("GET", place, id), place,
               [&](const ChannelReader& reader, const ChannelAnswer& answer) { return reader.read(answer, id); });
}

void ChannelCalls::remove(const Place& place, std::string_view id) {
    ask(about("DELETE", place, id), place,
        [&](const ChannelReader& reader, const ChannelAnswer& answer) { reader.deleted(answer); });
}

std::vector<Channel> ChannelCalls::list(const Place& place) {
    const Call call{"GET", path_of(place, "all-channels"), {}, {}};
    return ask(call, place,
               [&](const ChannelReader& reader, const ChannelAnswer& answer) { return reader.listed(answer); });
}

}  // namespace apns
