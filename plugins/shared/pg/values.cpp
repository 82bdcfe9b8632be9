// SPDX-License-Identifier: Apache-2.0
#include "pg/values.h"

#include <endian.h>

#include <cstdlib>
#include <cstring>

namespace belfry::pg {

namespace {

template <class Unsigned>
void put(Unsigned big_endian, std::string& out) {
    out.append(reinterpret_cast<const char*>(&big_endian), sizeof big_endian);
}

void put4(int32_t value, std::string& out) {
    put(htobe32(static_cast<uint32_t>(value)), out);
}

// dimensions, has nulls, element type, length, lower bound
constexpr size_t kHeaderBytes = 20;

}  // namespace

Oid array_of(Type element) noexcept {
    switch (element) {
        case Type::Bool:
            return 1000;
        case Type::Bytes:
            return 1001;
        case Type::Int2:
            return 1005;
        case Type::Int4:
            return 1007;
        case Type::Text:
            return 1009;
        case Type::Int8:
            return 1016;
        case Type::Uuid:
            return 2951;
    }
    return 0;
}

Column::Column(Type element) : element_(element) {
    clear();
}

void Column::clear() {
    count_ = 0;
    bytes_.clear();
    put4(1, bytes_);
    put4(1, bytes_);
    put4(static_cast<int32_t>(element_), bytes_);
    put4(0, bytes_);
    put4(1, bytes_);
}

void Column::length(int32_t n) {
    put4(n, bytes_);
    ++count_;
}

void Column::add(int64_t value) {
    length(8);
    put(htobe64(static_cast<uint64_t>(value)), bytes_);
}

void Column::add4(int32_t value) {
    length(4);
    put4(value, bytes_);
}

void Column::add2(int16_t value) {
    length(2);
    put(htobe16(static_cast<uint16_t>(value)), bytes_);
}

void Column::add(std::string_view bytes) {
    length(static_cast<int32_t>(bytes.size()));
    bytes_ += bytes;
}

void Column::add_null() {
    length(-1);
}

void Params::add(Oid type, std::string_view bytes) {
    types_.push_back(type);
    buffer_ += bytes;
    ends_.push_back(buffer_.size());
}

Params& Params::number(int64_t value) {
    const uint64_t wire = htobe64(static_cast<uint64_t>(value));
    add(static_cast<Oid>(Type::Int8), {reinterpret_cast<const char*>(&wire), sizeof wire});
    return *this;
}

Params& Params::number4(int32_t value) {
    const uint32_t wire = htobe32(static_cast<uint32_t>(value));
    add(static_cast<Oid>(Type::Int4), {reinterpret_cast<const char*>(&wire), sizeof wire});
    return *this;
}

Params& Params::text(std::string_view value) {
    add(static_cast<Oid>(Type::Text), value);
    return *this;
}

Params& Params::bytes(std::string_view value) {
    add(static_cast<Oid>(Type::Bytes), value);
    return *this;
}

Params& Params::column(const Column& column) {
    const size_t at = buffer_.size();
    add(array_of(column.element_), column.bytes_);
    // An array of nothing has no dimension.
    const uint32_t wire = htobe32(column.count_);
    if (column.count_ > 0) {
        std::memcpy(buffer_.data() + at + 12, &wire, sizeof wire);
    } else {
        buffer_.resize(at + kHeaderBytes - 8);
        std::memset(buffer_.data() + at, 0, 8);
        ends_.back() = buffer_.size();
    }
    return *this;
}

Column numbers(std::span<const int64_t> values) {
    Column column(Type::Int8);
    for (const int64_t value : values) column.add(value);
    return column;
}

Column texts(std::span<const std::string_view> values) {
    Column column(Type::Text);
    for (const std::string_view value : values) column.add(value);
    return column;
}

int64_t Result::number(int row, int column) const noexcept {
    uint64_t wire = 0;
    std::memcpy(&wire, PQgetvalue(raw_.get(), row, column), sizeof wire);
    return static_cast<int64_t>(be64toh(wire));
}

int32_t Result::number4(int row, int column) const noexcept {
    uint32_t wire = 0;
    std::memcpy(&wire, PQgetvalue(raw_.get(), row, column), sizeof wire);
    return static_cast<int32_t>(be32toh(wire));
}

Hash Result::hash(int row, int column) const noexcept {
    Hash hash{};
    std::memcpy(hash.data(), PQgetvalue(raw_.get(), row, column), hash.size());
    return hash;
}

int64_t Result::touched() const noexcept {
    return raw_ ? std::atoll(PQcmdTuples(raw_.get())) : 0;
}

}  // namespace belfry::pg
