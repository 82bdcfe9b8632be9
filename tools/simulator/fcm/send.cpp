// SPDX-License-Identifier: Apache-2.0
#include "fcm/send.h"

#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "fcm/authorize.h"
#include "fcm/condition.h"
#include "fcm/errors.h"
#include "fcm/token_class.h"

namespace belfry::simulator {

namespace {

constexpr std::chrono::milliseconds kMinute{60'000};
constexpr std::uint32_t kMinutesPerHour = 60;

std::int64_t wall_ms(const World& world) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(world.simulated_wall().time_since_epoch()).count();
}

// The form real ids have, 0:1500415314455276%31bd1c9631bd1c96; nobody may parse it.
std::string message_name(const World& world, const std::string& project, std::uint64_t number) {
    std::array<char, 64> id{};
    std::snprintf(id.data(), id.size(), "0:%lld%%%016llx", static_cast<long long>(wall_ms(world) * 1000),
                  static_cast<unsigned long long>(number));
    return "projects/" + project + "/messages/" + id.data();
}

void add_retry_after(const World& world, Reply& reply) {
    const std::int64_t seconds = world.settings.quota_retry_after_s;
    if (seconds > 0) reply.headers.push_back({"retry-after", std::to_string(seconds)});
}

// Counts one message for the device; false when it has had its share of this minute or hour.
bool take_device_quota(World& world, TokenLedger::Row& row) {
    const auto minute = static_cast<std::uint32_t>(world.clock.uptime() / kMinute);
    const auto hour = static_cast<std::uint16_t>(minute / kMinutesPerHour);
    if (row.minute != minute) row.in_minute = 0;
    if (row.hour != hour) row.in_hour = 0;
    row.minute = minute;
    row.hour = hour;
    const Settings& settings = world.settings;
    if (settings.device_per_minute > 0 && row.in_minute >= settings.device_per_minute) return false;
    if (settings.device_per_hour > 0 && row.in_hour >= settings.device_per_hour) return false;
    if (row.in_minute < 0xffffU) ++row.in_minute;
    if (row.in_hour < 0xffffU) ++row.in_hour;
    return true;
}

Reply scripted_failure(TokenBehaviour behaviour, const Target& target) {
    switch (behaviour) {
        case TokenBehaviour::Unregistered:
            return unregistered();
        case TokenBehaviour::Malformed:
            return malformed_token();
        case TokenBehaviour::MalformedByField:
            return malformed_token_by_field(target.kind == TargetKind::Fid ? "message.fid" : "message.token");
        case TokenBehaviour::SenderMismatch:
            return sender_mismatch();
        case TokenBehaviour::ThirdPartyAuth:
            return third_party_auth(false);
        case TokenBehaviour::ThirdPartyAuthMisleading:
            return third_party_auth(true);
        case TokenBehaviour::DeviceQuota:
            return quota_exceeded("device:" + target.text, "Device message rate exceeded.");
        case TokenBehaviour::Internal:
            return internal_error();
        case TokenBehaviour::Unavailable:
        case TokenBehaviour::Accept:
            return unavailable();
    }
    return internal_error();
}

std::optional<Reply> refuse_device(World& world, const Target& target, const TokenClass& device) {
    TokenLedger::Row& row = world.ledger.row(target.text);
    if (device.behaviour != TokenBehaviour::Accept) {
        if (device.always) return scripted_failure(device.behaviour, target);
        if (row.failures < device.failures) {
            ++row.failures;
            return scripted_failure(device.behaviour, target);
        }
    }
    if (take_device_quota(world, row)) return std::nullopt;
    return quota_exceeded("device:" + target.text, "Device message rate exceeded.");
}

void deliver(World& world, const Target& target, Delivered message) {
    if (target.is_device()) {
        ++world.ledger.row(target.text).accepted;
        world.phones.deliver(target.text, std::move(message));
        return;
    }
    for (const auto& [token, topics] : world.topics.all()) {
        const auto subscribed = [&subscriptions = topics](std::string_view topic) {
            return subscriptions.contains(std::string(topic));
        };
        const bool matches = target.kind == TargetKind::Topic
                                 ? subscribed(target.text)
                                 : evaluate_condition(target.text, subscribed).value_or(false);
        if (matches) world.phones.deliver(token, message);
    }
}

}  // namespace

SendOutcome send_message(World& world, const Request& request, const std::string& project, SendRequest& send,
                         std::uint64_t message_number) {
    const Caller caller = authorize(world, request);
    if (caller.refusal) return {*caller.refusal, false, {}};
    if (auto refusal = check_project(world, caller, project)) return {std::move(*refusal), false, {}};
    if (!world.send_quota.take(project, world.settings.quota_per_minute, world.clock.uptime())) {
        Reply reply = quota_exceeded("project:" + project, "Message rate of the project exceeded.");
        add_retry_after(world, reply);
        return {std::move(reply), false, {}};
    }
    if (send.refusal) return {std::move(*send.refusal), false, {}};

    SendOutcome outcome;
    if (send.target.is_device()) {
        const TokenClass device = classify_token(send.target.text);
        outcome.slow = std::chrono::milliseconds(device.slow_ms);
        if (auto refusal = refuse_device(world, send.target, device)) {
            outcome.reply = std::move(*refusal);
            return outcome;
        }
    }
    const std::string name = message_name(world, project, message_number);
    outcome.reply = json_reply(200, R"({"name":)" + json_string(name) + '}');
    if (send.validate_only) return outcome;
    outcome.accepted = true;
    deliver(world, send.target, {name, wall_ms(world), std::make_shared<const std::string>(request.body)});
    return outcome;
}

}  // namespace belfry::simulator
