// SPDX-License-Identifier: Apache-2.0
// A prepared statement of one connection.
//
// Threads: those of its connection, one at a time.  Owner: whoever prepared it; it must end before its Database.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sqlite/failure.h"

namespace belfry::sqlite {

// Bytes to bind as a BLOB instead of TEXT.
struct Blob {
    std::string_view bytes;
    Blob() = default;
    explicit Blob(std::string_view b) : bytes(b) {}
    Blob(const void* p, size_t n) : bytes(static_cast<const char*>(p), n) {}
};

class Statement {
public:
    Statement() = default;
    Statement(sqlite3* connection, std::string_view sql);
    Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
    Statement& operator=(Statement&& other) noexcept {
        std::swap(statement_, other.statement_);
        return *this;
    }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement() { sqlite3_finalize(statement_); }

    // Binds all parameters, ?1 first: integers, bool, std::string_view (TEXT), Blob, nullptr (NULL). Resets before.
    // What text and blobs point to must stay until the next with() or reset().
    template <class... Values>
    Statement& with(const Values&... values) {
        reset();
        int at = 0;
        (bind(++at, values), ...);
        return *this;
    }
    template <std::integral T>
    void bind(int at, T value) {
        check(sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value)));
    }
    void bind(int at, std::string_view text) {
        check(sqlite3_bind_text64(statement_, at, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC,
                                  SQLITE_UTF8));
    }
    void bind(int at, Blob blob) {
        const std::string_view bytes = blob.bytes;
        check(sqlite3_bind_blob64(statement_, at, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                                  SQLITE_STATIC));
    }
    void bind(int at, std::nullptr_t) { check(sqlite3_bind_null(statement_, at)); }

    // True: there is a row. False: done; the statement is reset then.
    bool step() {
        const int code = sqlite3_step(statement_);
        if (code == SQLITE_ROW) return true;
        finish(code);
        return false;
    }
    // Steps to the end, for statements without rows.
    void run() {
        while (step()) {
        }
    }
    // Ends a run early. A statement left in the middle keeps its connection's read transaction open.
    void reset() noexcept { sqlite3_reset(statement_); }

    // Columns of the current row; views end with the next step, reset or with.
    int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_, column); }
    bool is_null(int column) const noexcept { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    std::string_view text(int column) const noexcept {
        const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        return {p == nullptr ? "" : p, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
    }
    std::string_view blob(int column) const noexcept {
        const auto* p = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        return {p == nullptr ? "" : p, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
    }

private:
    void check(int code) {
        if (code != SQLITE_OK) fail(sqlite3_db_handle(statement_), code, "bind a value");
    }
    void finish(int code);

    sqlite3_stmt* statement_ = nullptr;
};

// Resets a statement at the end of a scope, so that no read transaction outlives it.
class ResetAtEnd {
public:
    explicit ResetAtEnd(Statement& statement) noexcept : statement_(statement) {}
    ~ResetAtEnd() { statement_.reset(); }
    ResetAtEnd(const ResetAtEnd&) = delete;
    ResetAtEnd& operator=(const ResetAtEnd&) = delete;

private:
    Statement& statement_;
};

}  // namespace belfry::sqlite
