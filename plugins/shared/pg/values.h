// SPDX-License-Identifier: Apache-2.0
// Values on their way to the server and back, in PostgreSQL's binary format: numbers need no text, arrays carry a
// batch.
//
// Threads: one at a time.
#pragma once

#include <libpq-fe.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::pg {

using Hash = std::array<uint8_t, 16>;  // travels as uuid: 16 bytes, compared in one go

// Types by their fixed numbers (pg_type.dat).
enum class Type : Oid { Bool = 16, Bytes = 17, Int8 = 20, Int2 = 21, Int4 = 23, Text = 25, Uuid = 2950 };
Oid array_of(Type element) noexcept;

// One column of a batch: a one-dimensional array.
class Column {
public:
    explicit Column(Type element);
    void add(int64_t value);
    void add4(int32_t value);
    void add2(int16_t value);
    void add(std::string_view bytes);
    void add(const Hash& hash) { add({reinterpret_cast<const char*>(hash.data()), hash.size()}); }
    void add_null();
    uint32_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    void clear();

private:
    friend class Params;
    void length(int32_t n);

    Type element_;
    uint32_t count_ = 0;
    std::string bytes_;
};

// The parameters of one statement, in the order of $1, $2, ...
class Params {
public:
    Params& number(int64_t value);
    Params& number4(int32_t value);
    Params& text(std::string_view value);
    Params& bytes(std::string_view value);
    Params& column(const Column& column);

private:
    friend class Connection;
    void add(Oid type, std::string_view bytes);

    std::vector<Oid> types_;
    std::vector<size_t> ends_;
    std::string buffer_;
};

Column numbers(std::span<const int64_t> values);
Column texts(std::span<const std::string_view> values);

// The rows a statement answered; views live as long as it.
class Result {
public:
    explicit Result(PGresult* raw = nullptr) noexcept : raw_(raw) {}
    int rows() const noexcept { return raw_ ? PQntuples(raw_.get()) : 0; }
    bool is_null(int row, int column) const noexcept { return PQgetisnull(raw_.get(), row, column) != 0; }
    int64_t number(int row, int column) const noexcept;
    int32_t number4(int row, int column) const noexcept;
    std::string_view bytes(int row, int column) const noexcept {
        return {PQgetvalue(raw_.get(), row, column), static_cast<size_t>(PQgetlength(raw_.get(), row, column))};
    }
    Hash hash(int row, int column) const noexcept;
    // Rows that an INSERT, UPDATE or DELETE touched.
    int64_t touched() const noexcept;

private:
    struct Clear {
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };
    std::unique_ptr<PGresult, Clear> raw_;
};

}  // namespace belfry::pg
