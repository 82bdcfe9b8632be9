// SPDX-License-Identifier: Apache-2.0
// What goes wrong with a SQLite file, in the words of the plugin ABI: an exception inside the plugin, a belfry_code and
// a reason outside of it.
//
// Threads: [any].  Not here: retrying, which is the host's.
#pragma once

#include <sqlite3.h>

#include <belfry/services.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace belfry::sqlite {

// Carries a code chosen by what the host does next. `where` names a place in the input or configuration, may be empty.
class Failure : public Refused {
public:
    Failure(belfry_code code, const std::string& text, std::string where = {})
        : Refused(code, std::move(where), text) {}
};

// The ABI code for an extended SQLite result code; system_errno is sqlite3_system_errno's at that moment.
belfry_code code_of(int sqlite_code, int system_errno) noexcept;

// Throws the Failure that describes the connection's last error. `doing` completes "cannot ...".
[[noreturn]] void fail(sqlite3* connection, int sqlite_code, std::string_view doing);

// Turns the exception being handled into a code and fills `why` (may be null). Call it only inside a catch block.
belfry_code describe_exception(belfry_why* why) noexcept;

// The fence of every ABI function: runs fn, which returns belfry_code or void, and lets no exception out.
template <class Fn>
belfry_code guarded(belfry_why* why, Fn&& fn) noexcept {
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<Fn&>>) {
            std::forward<Fn>(fn)();
            return BELFRY_OK;
        } else {
            return std::forward<Fn>(fn)();
        }
    } catch (...) {
        return describe_exception(why);
    }
}

}  // namespace belfry::sqlite
