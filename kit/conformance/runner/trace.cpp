// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/trace.h"

#include <unistd.h>

#include <atomic>
#include <belfry/abi.hpp>
#include <deque>
#include <map>
#include <mutex>

#include "conformance/runner/plugin.h"
#include "conformance/runner/runner.h"

namespace belfry::conformance::trace {

namespace {

std::atomic<bool> g_on{false};

template <class Table>
struct Originals {
    std::mutex mutex;
    std::map<const belfry_instance*, Table> tables;
    std::deque<Table> copies;  // references to them stay good
};
template <class Table>
Originals<Table>& originals() {
    static Originals<Table> all;
    return all;
}

template <class Table>
Table original(const belfry_instance* instance) {
    Originals<Table>& all = originals<Table>();
    const std::lock_guard lock(all.mutex);
    return all.tables.at(instance);
}

template <auto Member>
struct Told;
template <class Table, class Result, class... Args, Result (*Table::*Member)(belfry_instance*, Args...)>
struct Told<Member> {
    static inline const char* name = "";
    static Result call(belfry_instance* instance, Args... args) {
        const Table table = original<Table>(instance);
        return told<Result>(
            Side::Plugin, name, [&](auto... passed) { return (table.*Member)(instance, passed...); }, args...);
    }
    static void put(Table& table, const char* its_name) {
        if (table.*Member == nullptr) return;
        name = its_name;
        table.*Member = &call;
    }
};

template <class Table, class Put>
const Table* copied(const belfry_instance* instance, const Table& table, const Put& put) {
    Originals<Table>& all = originals<Table>();
    const std::lock_guard lock(all.mutex);
    all.tables[instance] = known_part<Table>(&table);
    Table& copy = all.copies.emplace_back(known_part<Table>(&table));
    put(copy);
    return &copy;
}

}  // namespace

void turn_on() noexcept {
    g_on = true;
}
bool on() noexcept {
    return g_on;
}

void write_line(const std::string& line) {
    const std::string whole = line + "\n";
    // Nobody can be told that this failed.
    static_cast<void>(!::write(STDERR_FILENO, whole.data(), whole.size()));
}

std::string shown(belfry_str text) {
    return conformance::shown(view(text));
}
std::string shown(belfry_list rows) {
    return "[" + std::to_string(rows.n) + "]";
}
std::string shown(const belfry_token* token) {
    return shown(token->token);
}
std::string shown(const belfry_content* content) {
    return "kind " + std::to_string(content->kind) + " " + shown(content->payload);
}
std::string shown(const belfry_scan* scan) {
    return shown(scan->app) + " " + (scan->by == BELFRY_BY_TOPIC ? "topic " + shown(scan->value) : "all") + " (" +
           std::to_string(scan->after) + ", " + std::to_string(scan->hi) + ") want " + std::to_string(scan->want);
}
std::string shown_code(belfry_code code, const belfry_why* why) {
    return said(code, why == nullptr || code == BELFRY_OK ? belfry_why{} : *why);
}

int32_t count(void* counter, belfry_list rows) {
    auto& own = *static_cast<Counter*>(counter);
    own.rows += rows.n;
    return own.emit(own.ctx, rows);
}

void Call::begin() const {
    write_line((side == Side::Plugin ? "  > " : "      < ") + std::string(name) + "(" + arguments + ")");
}
void Call::end(const std::string& answer) const {
    using Microseconds = std::chrono::duration<double, std::micro>;
    std::string line = (side == Side::Plugin ? "  . " : "      . ") + std::string(name);
    if (!answer.empty()) line += " = " + answer;
    if (counter.emit != nullptr) line += ", " + std::to_string(counter.rows) + " rows";
    const auto took = static_cast<int64_t>(Microseconds(std::chrono::steady_clock::now() - start).count());
    write_line(line + ", " + std::to_string(took) + " us");
}

#define BELFRY_TOLD(kind, member) Told<&belfry_##kind::member>::put(table, #kind "." #member)

const belfry_storage* traced(const belfry_instance* instance, const belfry_storage& given) {
    return copied(instance, given, [](belfry_storage& table) {
        BELFRY_TOLD(storage, register_devices);
        BELFRY_TOLD(storage, update_devices);
        BELFRY_TOLD(storage, remove_devices);
        BELFRY_TOLD(storage, list_devices);
        BELFRY_TOLD(storage, list_device_topics);
        BELFRY_TOLD(storage, list_user_topics);
        BELFRY_TOLD(storage, update_user_topics);
        BELFRY_TOLD(storage, scan);
        BELFRY_TOLD(storage, fetch);
        BELFRY_TOLD(storage, invalidate);
        BELFRY_TOLD(storage, amend);
        BELFRY_TOLD(storage, kv_get);
        BELFRY_TOLD(storage, kv_cas);
        BELFRY_TOLD(storage, count);
        BELFRY_TOLD(storage, split);
        BELFRY_TOLD(storage, expire);
        BELFRY_TOLD(storage, dump);
        BELFRY_TOLD(storage, load);
        BELFRY_TOLD(storage, backup);
        BELFRY_TOLD(storage, purge_app);
    });
}

const belfry_queue* traced(const belfry_instance* instance, const belfry_queue& given) {
    return copied(instance, given, [](belfry_queue& table) {
        BELFRY_TOLD(queue, enqueue);
        BELFRY_TOLD(queue, claim);
        BELFRY_TOLD(queue, blobs);
        BELFRY_TOLD(queue, page);
        BELFRY_TOLD(queue, steer);
        BELFRY_TOLD(queue, changes);
        BELFRY_TOLD(queue, beat);
        BELFRY_TOLD(queue, upkeep);
        BELFRY_TOLD(queue, lookup);
        BELFRY_TOLD(queue, list);
        BELFRY_TOLD(queue, dead);
        BELFRY_TOLD(queue, replay);
        BELFRY_TOLD(queue, stats);
        BELFRY_TOLD(queue, dump);
        BELFRY_TOLD(queue, load);
        BELFRY_TOLD(queue, backup);
        BELFRY_TOLD(queue, purge_app);
    });
}

const belfry_limiter* traced(const belfry_instance* instance, const belfry_limiter& given) {
    return copied(instance, given, [](belfry_limiter& table) { BELFRY_TOLD(limiter, charge); });
}

const belfry_provider* traced(const belfry_instance* instance, const belfry_provider& given) {
    return copied(instance, given, [](belfry_provider& table) {
        BELFRY_TOLD(provider, validate);
        BELFRY_TOLD(provider, prepare);
        BELFRY_TOLD(provider, release);
        BELFRY_TOLD(provider, authorize);
        BELFRY_TOLD(provider, encode);
        BELFRY_TOLD(provider, decode);
        BELFRY_TOLD(provider, send);
        BELFRY_TOLD(provider, channels);
    });
}

#undef BELFRY_TOLD

}  // namespace belfry::conformance::trace
