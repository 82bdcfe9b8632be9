// SPDX-License-Identifier: Apache-2.0
#include "http/hpack_encoder.h"

#include <algorithm>
#include <array>

namespace belfry::http {

namespace {

struct Fixed {
    std::string_view name, value;
};

// RFC 7541 appendix A, by index - 1. Values only of the pseudo-headers: requests use no others.
constexpr std::array<Fixed, 61> kFixed{{{":authority", {}},
                                        {":method", "GET"},
                                        {":method", "POST"},
                                        {":path", "/"},
                                        {":path", "/index.html"},
                                        {":scheme", "http"},
                                        {":scheme", "https"},
                                        {":status", "200"},
                                        {":status", "204"},
                                        {":status", "206"},
                                        {":status", "304"},
                                        {":status", "400"},
                                        {":status", "404"},
                                        {":status", "500"},
                                        {"accept-charset", {}},
                                        {"accept-encoding", "gzip, deflate"},
                                        {"accept-language", {}},
                                        {"accept-ranges", {}},
                                        {"accept", {}},
                                        {"access-control-allow-origin", {}},
                                        {"age", {}},
                                        {"allow", {}},
                                        {"authorization", {}},
                                        {"cache-control", {}},
                                        {"content-disposition", {}},
                                        {"content-encoding", {}},
                                        {"content-language", {}},
                                        {"content-length", {}},
                                        {"content-location", {}},
                                        {"content-range", {}},
                                        {"content-type", {}},
                                        {"cookie", {}},
                                        {"date", {}},
                                        {"etag", {}},
                                        {"expect", {}},
                                        {"expires", {}},
                                        {"from", {}},
                                        {"host", {}},
                                        {"if-match", {}},
                                        {"if-modified-since", {}},
                                        {"if-none-match", {}},
                                        {"if-range", {}},
                                        {"if-unmodified-since", {}},
                                        {"last-modified", {}},
                                        {"link", {}},
                                        {"location", {}},
                                        {"max-forwards", {}},
                                        {"proxy-authenticate", {}},
                                        {"proxy-authorization", {}},
                                        {"range", {}},
                                        {"referer", {}},
                                        {"refresh", {}},
                                        {"retry-after", {}},
                                        {"server", {}},
                                        {"set-cookie", {}},
                                        {"strict-transport-security", {}},
                                        {"transfer-encoding", {}},
                                        {"user-agent", {}},
                                        {"vary", {}},
                                        {"via", {}},
                                        {"www-authenticate", {}}}};

// The names that requests write as they go; searching the table for them would cost more than all else.
constexpr size_t kPath = 4, kAuthorization = 23, kContentLength = 28;

size_t fixed_name(std::string_view name) noexcept {
    if (name == ":path") return kPath;
    if (name == "content-length") return kContentLength;
    if (name == "authorization") return kAuthorization;
    for (size_t i = 0; i < kFixed.size(); ++i) {
        if (kFixed[i].name == name) return i + 1;
    }
    return 0;
}

size_t fixed_field(std::string_view name, std::string_view value) noexcept {
    for (size_t i = 0; i < kFixed.size(); ++i) {
        if (kFixed[i].name == name && !value.empty() && kFixed[i].value == value) return i + 1;
    }
    return 0;
}

// RFC 7541 5.1: an integer whose first `bits` bits stand beside `flags`.
void number(uint64_t value, unsigned bits, unsigned flags, Output& out) {
    const uint64_t mask = (1u << bits) - 1;
    char bytes[11];
    size_t n = 0;
    if (value < mask) {
        bytes[n++] = static_cast<char>(flags | value);
    } else {
        bytes[n++] = static_cast<char>(flags | mask);
        for (value -= mask; value >= 0x80; value >>= 7) bytes[n++] = static_cast<char>(value | 0x80);
        bytes[n++] = static_cast<char>(value);
    }
    out.append({bytes, n});
}

void text(std::string_view value, Output& out) {
    number(value.size(), 7, 0, out);
    out.append(value);
}

void literal(std::string_view name, std::string_view value, unsigned bits, unsigned flags, Output& out) {
    const size_t index = fixed_name(name);
    number(index, bits, flags, out);
    if (index == 0) text(name, out);
    text(value, out);
}

}  // namespace

void HpackEncoder::limit(uint32_t bytes) noexcept {
    const uint32_t wanted = std::min(bytes, kTableMax);
    if (wanted == limit_) return;
    limit_ = wanted;
    lowest_ = std::min(lowest_, limit_);
    tell_limit_ = true;
    ++version_;  // the next block is not a repetition
}

void HpackEncoder::begin(Output& out) {
    if (!tell_limit_) return;
    tell_limit_ = false;
    // RFC 7541 4.2: one that was lower in between is said, too.
    if (lowest_ < limit_) number(lowest_, 5, 0x20, out);
    number(limit_, 5, 0x20, out);
    shrink(lowest_);
    lowest_ = limit_;
}

void HpackEncoder::field(std::string_view name, std::string_view value, Kind kind, Output& out) {
    if (kind == Kind::Secret) return literal(name, value, 4, 0x10, out);
    if (kind == Kind::Varies) return literal(name, value, 4, 0x00, out);
    if (const size_t index = find(name, value); index != 0) return number(index, 7, 0x80, out);
    // What would push half of the others out is not worth it.
    if (name.size() + value.size() > limit_ / 2) return literal(name, value, 4, 0x00, out);
    literal(name, value, 6, 0x40, out);
    insert(name, value);
}

size_t HpackEncoder::find(std::string_view name, std::string_view value) const noexcept {
    if (const size_t index = fixed_field(name, value); index != 0) return index;
    for (size_t i = table_.size(); i-- > 0;) {
        if (table_[i].name == name && table_[i].value == value) return kFixed.size() + table_.size() - i;
    }
    return 0;
}

void HpackEncoder::insert(std::string_view name, std::string_view value) {
    Entry entry{std::string(name), std::string(value)};
    ++version_;
    shrink(limit_ - std::min<size_t>(entry.size(), limit_));
    if (entry.size() > limit_) return;  // RFC 7541 4.4: it only empties the table
    size_ += entry.size();
    table_.push_back(std::move(entry));
}

void HpackEncoder::shrink(size_t bytes) noexcept {
    size_t gone = 0;
    for (; size_ > bytes; ++gone) size_ -= table_[gone].size();
    table_.erase(table_.begin(), table_.begin() + static_cast<ptrdiff_t>(gone));
    if (gone != 0) ++version_;
}

}  // namespace belfry::http
