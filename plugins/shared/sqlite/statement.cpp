// SPDX-License-Identifier: Apache-2.0
#include "sqlite/statement.h"

#include <string>

namespace belfry::sqlite {

namespace {
constexpr size_t kSqlShownInErrors = 80;
}

Statement::Statement(sqlite3* connection, std::string_view sql) {
    const int code = sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement_, nullptr);
    if (code != SQLITE_OK) fail(connection, code, "prepare \"" + std::string(sql.substr(0, kSqlShownInErrors)) + "\"");
}

void Statement::finish(int code) {
    if (code == SQLITE_DONE) {
        sqlite3_reset(statement_);
        return;
    }
    sqlite3* connection = sqlite3_db_handle(statement_);
    const std::string_view sql = sqlite3_sql(statement_);
    try {
        fail(connection, code,
             sqlite3_column_count(statement_) > 0 && sqlite3_stmt_readonly(statement_) != 0 ? "read" : "write");
    } catch (const Failure& failure) {
        sqlite3_reset(statement_);
        if (BELFRY_CODE_CLASS(failure.code()) != BELFRY_INTERNAL &&
            BELFRY_CODE_CLASS(failure.code()) != BELFRY_CONFLICT)
            throw;
        throw Failure(failure.code(),
                      std::string(failure.what()) + " [" + std::string(sql.substr(0, kSqlShownInErrors)) + "]");
    }
}

}  // namespace belfry::sqlite
