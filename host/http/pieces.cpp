// SPDX-License-Identifier: Apache-2.0
#include "http/pieces.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/json.h"
#include "http/byte_scan.h"

namespace belfry::http {

namespace {

constexpr size_t kUuidLength = 36;
constexpr size_t kDigitsMax = 20;  // of an int64_t
constexpr char kHex[] = "0123456789abcdef";
constexpr char kHexUpper[] = "0123456789ABCDEF";

char* copy(std::string_view text, char* out) {
    if (text.empty()) return out;  // an empty view may be of nothing at all
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

std::string_view range(std::string_view text, const Piece& piece) {
    if (piece.from >= text.size() || piece.to <= piece.from) return {};
    return text.substr(piece.from, piece.to - piece.from);
}

bool needs_json_escape(std::string_view text) {
    return !plain_bytes<0x20, '"', '\\'>(text);
}

// RFC 3986 2.3: unreserved characters stay, everything else is percent-encoded.
bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

size_t measure_percent(std::string_view text) {
    size_t n = 0;
    for (const char c : text) n += unreserved(c) ? 1u : 3u;
    return n;
}

char* write_percent(std::string_view text, char* out) {
    for (const char c : text) {
        if (unreserved(c)) {
            *out++ = c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        *out++ = '%';
        *out++ = kHexUpper[byte >> 4];
        *out++ = kHexUpper[byte & 15];
    }
    return out;
}

char* write_uuid(const std::array<uint8_t, 16>& id, char* out) {
    for (size_t i = 0; i < id.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = kHex[id[i] >> 4];
        *out++ = kHex[id[i] & 15];
    }
    return out;
}

std::string json_inside(std::string_view text) {
    std::string escaped;
    json::escape_to(text, escaped);
    return escaped;
}

std::string payload_string(const PieceSource& source, const Piece& piece) {
    const json::Value value = json::root(range(source.exchange.payload, piece));
    return value.type == json::Type::String ? json::unescape(value) : std::string(value.raw);
}

int64_t time_of(const PieceSource& source, PieceKind kind) {
    const int64_t expires = source.exchange.expires_unix_ms / 1000;
    return kind == PieceKind::ExpiresS ? expires : std::max<int64_t>(0, expires - source.unix_s);
}

size_t digits_of(int64_t number) {
    char digits[kDigitsMax];
    return static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, number).ptr - digits);
}

size_t measure_piece(const PieceSource& source, const Piece& piece) {
    switch (piece.kind) {
        case PieceKind::Text:
            return range(source.plan.text, piece).size();
        case PieceKind::Payload:
            return range(source.exchange.payload, piece).size();
        case PieceKind::PayloadString:
            return payload_string(source, piece).size();
        case PieceKind::Token:
            return source.exchange.token.size();
        case PieceKind::TokenJson: {
            const std::string_view token = source.exchange.token;
            return needs_json_escape(token) ? json_inside(token).size() : token.size();
        }
        case PieceKind::TokenPath:
            return measure_percent(source.exchange.token);
        case PieceKind::TargetJson:
            return json_inside(source.plan.target).size();
        case PieceKind::DeliveryId:
            return kUuidLength;
        case PieceKind::ExpiresS:
        case PieceKind::TtlS:
            return digits_of(time_of(source, piece.kind));
    }
    return 0;
}

char* write_piece(const PieceSource& source, const Piece& piece, char* out) {
    switch (piece.kind) {
        case PieceKind::Text:
            return copy(range(source.plan.text, piece), out);
        case PieceKind::Payload:
            return copy(range(source.exchange.payload, piece), out);
        case PieceKind::PayloadString:
            return copy(payload_string(source, piece), out);
        case PieceKind::Token:
            return copy(source.exchange.token, out);
        case PieceKind::TokenJson: {
            const std::string_view token = source.exchange.token;
            return needs_json_escape(token) ? copy(json_inside(token), out) : copy(token, out);
        }
        case PieceKind::TokenPath:
            return write_percent(source.exchange.token, out);
        case PieceKind::TargetJson:
            return copy(json_inside(source.plan.target), out);
        case PieceKind::DeliveryId:
            return write_uuid(source.exchange.delivery_id, out);
        case PieceKind::ExpiresS:
        case PieceKind::TtlS:
            return std::to_chars(out, out + kDigitsMax, time_of(source, piece.kind)).ptr;
    }
    return out;
}

}  // namespace

size_t measure(const PieceSource& source, std::span<const Piece> pieces) {
    size_t n = 0;
    for (const Piece& piece : pieces) n += measure_piece(source, piece);
    return n;
}

char* write(const PieceSource& source, std::span<const Piece> pieces, char* out) {
    for (const Piece& piece : pieces) out = write_piece(source, piece, out);
    return out;
}

}  // namespace belfry::http
