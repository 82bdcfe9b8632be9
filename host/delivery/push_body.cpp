// SPDX-License-Identifier: Apache-2.0
#include "delivery/push_body.h"

#include "delivery/byte_codec.h"

namespace belfry::delivery {

namespace {

constexpr uint8_t kVersion = 3;
constexpr uint8_t kWithoutUsersWhenDue = 2;
constexpr uint8_t kWithoutSendAt = 1;

uint8_t version_of(const PushBody& body) {
    if (body.send_at_unix_ms == 0) return kWithoutSendAt;
    return body.users_when_due ? kVersion : kWithoutUsersWhenDue;
}

void write_texts(ByteWriter& out, const std::vector<std::string>& texts) {
    out.number(static_cast<uint32_t>(texts.size()));
    for (const std::string& text : texts) out.text(text);
}

std::vector<std::string> read_texts(ByteReader& in) {
    std::vector<std::string> texts;
    const auto n = in.number<uint32_t>();
    for (uint32_t i = 0; i < n && in.ok(); ++i) texts.emplace_back(in.text());
    return texts;
}

}  // namespace

std::string encode_body(const PushBody& body) {
    ByteWriter out;
    out.number(version_of(body));
    out.number(static_cast<uint8_t>(body.audience));
    out.number(static_cast<uint8_t>(body.dry_run));
    out.number(static_cast<uint8_t>(body.lane_by_shape ? 1 : 0));
    write_texts(out, body.users);
    write_texts(out, body.topics);
    write_texts(out, body.providers);
    write_texts(out, body.platforms);
    out.text(body.provider);
    out.number(static_cast<uint32_t>(body.payloads.size()));
    for (const auto& [name, payload] : body.payloads) {
        out.text(name);
        out.text(payload);
    }
    if (body.send_at_unix_ms != 0) out.number(body.send_at_unix_ms);
    return out.take();
}

Result<PushBody> decode_body(std::string_view bytes) {
    ByteReader in(bytes);
    const auto version = in.number<uint8_t>();
    if (version < kWithoutSendAt || version > kVersion) {
        return error(ErrorCode::Corrupt, "a push body has version " + std::to_string(version) +
                                             ", this program knows " + std::to_string(kVersion) +
                                             "; was the queue written by a newer one?");
    }
    PushBody body;
    const auto audience = in.number<uint8_t>();
    const auto dry_run = in.number<uint8_t>();
    body.audience = static_cast<Audience>(audience);
    body.dry_run = static_cast<DryRun>(dry_run);
    body.lane_by_shape = in.number<uint8_t>() != 0;
    body.users = read_texts(in);
    body.topics = read_texts(in);
    body.providers = read_texts(in);
    body.platforms = read_texts(in);
    body.provider = std::string(in.text());
    const auto n = in.number<uint32_t>();
    for (uint32_t i = 0; i < n && in.ok(); ++i) {
        std::string name(in.text());
        body.payloads.emplace_back(std::move(name), std::string(in.text()));
    }
    if (version != kWithoutSendAt) body.send_at_unix_ms = in.number<int64_t>();
    body.users_when_due = version == kVersion;
    const bool known = audience >= static_cast<uint8_t>(Audience::All) &&
                       audience <= static_cast<uint8_t>(Audience::Channel) &&
                       dry_run <= static_cast<uint8_t>(DryRun::Provider);
    if (!in.at_end() || !known) return error(ErrorCode::Corrupt, "a push body in the queue is damaged");
    return body;
}

}  // namespace belfry::delivery
