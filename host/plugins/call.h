// SPDX-License-Identifier: Apache-2.0
// One call through the C boundary: bounded concurrency, a breadcrumb of who is running, a wall against exceptions, and
// a gate that rows can pass only during the call and on its thread.
//
// Threads: [any]. Used by the adapters of this folder only.
#pragma once

#include <belfry/plugin.h>
#include <belfry/abi.hpp>

#include <cstdint>
#include <memory>
#include <semaphore>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "plugins/faults.h"

namespace belfry::plugins {

// A plugin's refusal as an Error. A missing text and an unknown code are counted.
Error to_error(belfry_code code, const belfry_why& why, std::string_view call, Faults& faults);

// The instance whose code runs on this thread now, or null: for the crash handler. Async-signal-safe.
const char* running_instance() noexcept;

// Room for one emit function during one call. The room itself lives as long as the process, so that a plugin that emits
// after its call has returned, or from another thread, is answered "stop" and counted instead of writing into a dead
// frame.
class EmitGate {
public:
    EmitGate(belfry_emit target, void* target_ctx, Faults& faults, const char* call) noexcept;
    ~EmitGate();
    EmitGate(const EmitGate&) = delete;
    EmitGate& operator=(const EmitGate&) = delete;
    belfry_emit emit() const noexcept;
    void* ctx() const noexcept { return room_; }

    struct Room;

private:
    Room* room_;
};

// Checks that a batch is answered exactly once per item.
class AnswerLedger {
public:
    AnswerLedger(uint32_t n, Faults& faults, const char* call) : answered_(n, false), faults_(&faults), call_(call) {}
    // False: not an open item of this batch; counted.
    bool take(uint32_t index) noexcept;
    template <class Fn>
    void each_missing(Fn&& fn) {
        for (uint32_t i = 0; i < answered_.size(); ++i) {
            if (answered_[i]) continue;
            faults_->add(Fault::MissingRow, call_);
            fn(i);
        }
    }

private:
    std::vector<bool> answered_;
    Faults* faults_;
    const char* call_;
};

// The way into one instance. Not movable: adapters that hold it live in a Generation.
class Door {
public:
    // concurrency: how many calls may run at once; 0 = any number.
    Door(belfry_instance* instance, Faults& faults, uint32_t concurrency);
    ~Door();
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    belfry_instance* instance() const noexcept { return instance_; }
    Faults& faults() const noexcept { return *faults_; }

    // A call without rows: invoke(instance, why) -> belfry_code.
    template <class Invoke>
    Status call(const char* name, Invoke&& invoke) {
        belfry_why why{};
        const belfry_code code = guarded(name, why, [&] { return invoke(instance_, &why); });
        return status(name, code, why);
    }
    // A call that emits rows: invoke(instance, emit, ctx, why). fn(const Row&) returns void, or false to stop.
    template <class Row, class Invoke, class Fn>
    Status rows(const char* name, Invoke&& invoke, Fn&& fn) {
        belfry_why why{};
        return status(name, emitting<Row>(name, why, invoke, fn), why);
    }
    // A call that answers a batch of n item by item. Once it has succeeded fn was called exactly once per item: items
    // that the plugin left out are answered BELFRY_INTERNAL in its stead.
    template <class Row, class Invoke, class Fn>
    Status each(const char* name, size_t n, Invoke&& invoke, Fn&& fn) {
        AnswerLedger ledger(static_cast<uint32_t>(n), *faults_, name);
        bool full = false;
        auto checked = [&](const Row& row) {
            full = full || BELFRY_CODE_CLASS(row.code) == BELFRY_STORE_FULL;
            if (ledger.take(row.index)) fn(row);
        };
        belfry_why why{};
        const belfry_code code = emitting<Row>(name, why, invoke, checked);
        if (code != BELFRY_OK) return status(name, code, why);
        if (full) {
            faults_->note_full(name, {});
        } else {
            faults_->note_stored(name);
        }
        ledger.each_missing([&](uint32_t index) {
            Row row = sized<Row>();
            row.index = index;
            row.code = BELFRY_INTERNAL;
            fn(std::as_const(row));
        });
        return {};
    }
    // The bare code, for calls whose answer is no belfry_code or needs its own reading.
    template <class Row, class Invoke, class Fn>
    belfry_code emitting(const char* name, belfry_why& why, Invoke& invoke, Fn& fn) {
        return collect<Row>(
            [&](belfry_emit emit, void* ctx) {
                EmitGate gate(emit, ctx, *faults_, name);
                return guarded(name, why, [&] { return invoke(instance_, gate.emit(), gate.ctx(), &why); });
            },
            [&](const Row& row) { return give(name, row, fn); });
    }
    static Error unsupported(const char* name);
    // fn's answer, true if it has none.
    template <class Row, class Fn>
    static bool pass(const Row& row, Fn& fn) {
        if constexpr (std::is_same_v<std::invoke_result_t<Fn&, const Row&>, bool>) {
            return fn(row);
        } else {
            fn(row);
            return true;
        }
    }

private:
    class Entered {
    public:
        explicit Entered(Door& door) noexcept;
        ~Entered();
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;

    private:
        Door* door_;
        const char* before_;
    };

    template <class Invoke>
    belfry_code guarded(const char* name, belfry_why& why, Invoke&& invoke) {
        const Entered entered(*this);
        try {
            return invoke();
        } catch (...) {
            return threw(name, why);
        }
    }
    // Rows of an older plugin are shorter: what it did not have reads as zero.
    template <class Row, class Fn>
    bool give(const char* name, const Row& row, Fn& fn) {
        if constexpr (requires { row.size; }) {
            if (row.size < sizeof(uint32_t)) {
                faults_->add(Fault::BadRow, name);
                return true;
            }
            if (row.size < sizeof(Row)) return pass(known_part<Row>(&row), fn);
        }
        return pass(row, fn);
    }
    belfry_code threw(const char* name, belfry_why& why) noexcept;
    Status status(const char* name, belfry_code code, const belfry_why& why);

    belfry_instance* const instance_;
    Faults* const faults_;
    std::unique_ptr<std::counting_semaphore<>> slots_;  // null: no limit
};

// Strings as the boundary wants them; views into `texts`.
template <class Texts>
std::vector<belfry_str> strs(const Texts& texts) {
    std::vector<belfry_str> out;
    out.reserve(texts.size());
    for (const auto& text : texts) out.push_back(str(std::string_view(text)));
    return out;
}

// A text buffer that the plugin filled and should have terminated.
template <size_t N>
std::string_view text_of(const char (&buffer)[N]) noexcept {
    return std::string_view(buffer, N).substr(0, std::string_view(buffer, N).find('\0'));
}

}  // namespace belfry::plugins
