// SPDX-License-Identifier: Apache-2.0
// What the cases of an executable specification are and work with: named, with a sentence each, a fresh directory, a
// seed and a time-out.
//
// Threads: what a case starts it also joins.
// Not here: running them (process.h), the host that a plugin sees (fake_host.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

namespace belfry::conformance {

using Secrets = std::map<std::string, std::string, std::less<>>;

// What one case works with. Everything below `directory` is removed after the case.
class Context {
public:
    Context(std::string plugin_path, std::string config_json, std::string own_directory, uint64_t seed)
        : plugin(std::move(plugin_path)),
          config(std::move(config_json)),
          directory(std::move(own_directory)),
          random(seed) {}

    std::string plugin;      // path of the .so
    std::string config;      // instance configuration, "{dir}" and "{name}" already replaced
    std::string directory;   // fresh and private
    std::mt19937_64 random;  // seeded by --seed and the case's name
    uint32_t scale = 1;      // --scale: how many times more a case does than in a quick run
    bool trace = false;      // --trace

    Secrets secrets;                            // of the configuration, by the id that stands in it
    std::string component;                      // what to create; empty: the one named as the file
    std::vector<std::string> tokens, payloads;  // that a provider is said to accept
    std::vector<std::string> present;           // libraries of the host

    // What comes next: a crash or a time-out is reported with the latest step.
    void step(std::string_view what) noexcept;
    // Worth knowing, no reason to fail.
    void note(std::string text) { notes.push_back(std::move(text)); }

    std::span<char> step_room;  // of the runner
    std::vector<std::string> notes;

    // A number in [0, bound).
    uint64_t below(uint64_t bound) { return random() % bound; }
};

struct Case {
    const char* name;      // "S14": what --case selects
    const char* sentence;  // what must hold, without a full stop
    uint32_t timeout_s;
    void (*run)(Context&);
};

struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Ends the case as failed unless `holds`; the text says what was expected.
void require(bool holds, std::string_view expected, int line = __builtin_LINE(), const char* file = __builtin_FILE());
// Ends the case as skipped: the plugin does not declare what the case is about.
[[noreturn]] void skip(const std::string& reason);

std::string shown(std::string_view value);
std::string shown(int64_t value);
[[noreturn]] void fail_unequal(std::string_view what, const std::string& wanted, const std::string& found, int line,
                               const char* file);
// Compares texts, or numbers of any kind, and shows both.
template <class A, class B>
void require_equal(const A& found, const B& wanted, std::string_view what, int line = __builtin_LINE(),
                   const char* file = __builtin_FILE()) {
    const auto plain = [](const auto& v) {
        if constexpr (std::is_convertible_v<decltype(v), std::string_view>) {
            return std::string_view(v);
        } else {
            return static_cast<int64_t>(v);
        }
    };
    if (plain(found) == plain(wanted)) return;
    fail_unequal(what, shown(plain(wanted)), shown(plain(found)), line, file);
}

// Runs work(0) to work(n - 1) at once, each in a thread, and waits for all; what one of them threw is thrown here.
void run_together(size_t n, const std::function<void(size_t)>& work);

// Runs work(stop) beside the case until finish or the end of the scope, which set `stop`.
class Background {
public:
    explicit Background(std::function<void(const std::atomic<bool>& stop)> work);
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    // Stops and waits; throws what the work threw.
    void finish();

private:
    std::atomic<bool> stop_{false};
    std::exception_ptr error_;
    std::thread thread_;
};

// Runs `work` in a forked process that is killed with SIGKILL as soon as `now` answers true (asked about every 0.2 ms);
// true if the kill came before `work` ended by itself. `report` in the child sends 8-byte numbers that `now` receives
// collected.
bool run_and_kill(const std::function<void(const std::function<void(int64_t)>& report)>& work,
                  const std::function<bool(const std::vector<int64_t>& reported)>& now, std::vector<int64_t>* reported);

}  // namespace belfry::conformance
