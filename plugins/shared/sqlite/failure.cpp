// SPDX-License-Identifier: Apache-2.0
#include "sqlite/failure.h"

#include <belfry/abi.hpp>

#include <cerrno>
#include <new>

namespace belfry::sqlite {

namespace {

bool is_space_errno(int system_errno) noexcept {
    return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

// Why the last write failed: sqlite3_system_errno is errno at a later moment, so the files are asked themselves.
int errno_of_write(sqlite3* connection) noexcept {
    int reason = 0;
    sqlite3_file* wal = nullptr;
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (wal != nullptr && wal->pMethods != nullptr) wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &reason);
    if (is_space_errno(reason)) return reason;
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_LAST_ERRNO, &reason);
    return is_space_errno(reason) ? reason : sqlite3_system_errno(connection);
}

int errno_of(sqlite3* connection, int sqlite_code) noexcept {
    if (connection == nullptr) return 0;
    const bool writing =
        sqlite_code == SQLITE_IOERR_WRITE || sqlite_code == SQLITE_IOERR_FSYNC || sqlite_code == SQLITE_IOERR_TRUNCATE;
    return writing ? errno_of_write(connection) : sqlite3_system_errno(connection);
}

std::string_view advice(belfry_code code) noexcept {
    switch (BELFRY_CODE_CLASS(code)) {
        case BELFRY_STORE_FULL:
            return "; free disk space, then the same call succeeds";
        case BELFRY_CORRUPT:
            return "; restore the file from a backup";
        case BELFRY_CONFIG:
            return "; check that the file and its directory belong to the user that runs the server";
        default:
            return "";
    }
}

}  // namespace

belfry_code code_of(int sqlite_code, int system_errno) noexcept {
    switch (sqlite_code & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
            return BELFRY_OK;
        case SQLITE_FULL:
            return BELFRY_STORE_FULL;
        case SQLITE_IOERR:
            return is_space_errno(system_errno) ? BELFRY_STORE_FULL : BELFRY_RETRY_LATER;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
        case SQLITE_INTERRUPT:
        case SQLITE_NOMEM:
            return BELFRY_RETRY_LATER;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
            return BELFRY_CORRUPT;
        case SQLITE_CANTOPEN:
            return is_space_errno(system_errno) ? BELFRY_STORE_FULL : BELFRY_CONFIG;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return BELFRY_CONFIG;
        case SQLITE_TOOBIG:
            return BELFRY_TOO_LARGE;
        case SQLITE_CONSTRAINT:
            return BELFRY_CONFLICT;
        default:
            return BELFRY_INTERNAL;
    }
}

void fail(sqlite3* connection, int sqlite_code, std::string_view doing) {
    const belfry_code code = code_of(sqlite_code, errno_of(connection, sqlite_code));
    std::string text = "cannot ";
    text += doing;
    const char* path = connection != nullptr ? sqlite3_db_filename(connection, "main") : nullptr;
    if (path != nullptr && *path != '\0') {
        text += " in ";
        text += path;
    }
    text += ": ";
    text += sqlite3_errstr(sqlite_code);
    // The connection's own message is the more exact one as long as it belongs to this code.
    if (connection != nullptr && (sqlite3_errcode(connection) & 0xff) == (sqlite_code & 0xff)) {
        const std::string_view message = sqlite3_errmsg(connection);
        if (message != sqlite3_errstr(sqlite_code)) {
            text += " (";
            text += message;
            text += ")";
        }
    }
    text += advice(code);
    throw Failure(code, text);
}

belfry_code describe_exception(belfry_why* why) noexcept {
    try {
        throw;
    } catch (const Refused& refused) {
        return because(why, refused.code(), refused.where(), refused.what());
    } catch (const std::bad_alloc&) {
        return because(why, BELFRY_RETRY_LATER, "", "out of memory");
    } catch (const std::exception& error) {
        return because(why, BELFRY_INTERNAL, "", error.what());
    } catch (...) {
        return because(why, BELFRY_INTERNAL, "", "an exception of unknown type");
    }
}

}  // namespace belfry::sqlite
