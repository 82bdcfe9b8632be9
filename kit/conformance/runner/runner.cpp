// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <set>

namespace belfry::conformance {

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kShownBytes = 60;
constexpr size_t kOutputBytesMax = 8192;
enum ExitCode { kPassed = 0, kFailed = 1, kSkipped = 3 };

struct Options {
    std::string plugin, config, error;
    std::vector<std::string> cases;
    std::set<std::string> expect_fail;
    uint64_t seed = 0;
    uint32_t scale = 1;
    bool list = false, keep = false, expects = false;
};

struct Answer {
    ExitCode verdict = kFailed;
    std::string text;
    double seconds = 0;
};

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        if (end > at) parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

Options parse(int argc, char** argv) {
    Options options;
    options.seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1000000;
    const auto refuse = [&](std::string error) {
        if (options.error.empty()) options.error = std::move(error);
    };
    const auto value = [&](int& i) -> std::string {
        if (i + 1 < argc) return argv[++i];
        refuse(std::string(argv[i]) + " needs a value");
        return {};
    };
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--config") {
            options.config = value(i);
        } else if (word == "--case") {
            for (auto& name : split_at_commas(value(i))) options.cases.push_back(std::move(name));
        } else if (word == "--seed") {
            options.seed = std::strtoull(value(i).c_str(), nullptr, 10);
        } else if (word == "--scale") {
            options.scale = static_cast<uint32_t>(std::clamp(std::strtoul(value(i).c_str(), nullptr, 10), 1UL, 1000UL));
        } else if (word == "--expect-fail") {
            options.expects = true;
            for (auto& name : split_at_commas(value(i))) options.expect_fail.insert(std::move(name));
        } else if (word == "--list") {
            options.list = true;
        } else if (word == "--keep") {
            options.keep = true;
        } else if (word.rfind("--", 0) == 0) {
            refuse("unknown option " + word);
        } else if (options.plugin.empty()) {
            options.plugin = word;
        } else {
            refuse("only one plugin can be tested at a time");
        }
    }
    if (options.plugin.empty() && !options.list) refuse("name the plugin's .so");
    return options;
}

// FNV-1a: the same case gets the same random numbers for a seed, whichever other cases run.
uint64_t seed_of(uint64_t seed, std::string_view name) {
    uint64_t hash = 14695981039346656037ULL ^ seed;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

std::string replaced(std::string text, std::string_view what, const std::string& by) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

void say(int fd, const std::string& text) {
    for (size_t at = 0; at < text.size();) {
        const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
        if (n <= 0) return;
        at += static_cast<size_t>(n);
    }
}

ExitCode run_in_child(const Case& one, Context& context, int out) {
    try {
        one.run(context);
        return kPassed;
    } catch (const Skipped& skipped) {
        say(out, skipped.what());
        return kSkipped;
    } catch (const std::exception& error) {
        say(out, error.what());
    } catch (...) {
        say(out, "an exception of unknown type");
    }
    return kFailed;
}

// Collects the child's words until it ends or its time is up; false for the latter.
bool listen(int in, pid_t child, Clock::time_point end, std::string* text, int* status) {
    std::array<char, 1024> buffer{};
    bool open = true;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0) return false;
        if (open) {
            pollfd p{in, POLLIN, 0};
            if (::poll(&p, 1, static_cast<int>(std::min<int64_t>(left, 50))) > 0) {
                const ssize_t n = ::read(in, buffer.data(), buffer.size());
                if (n <= 0) open = false;
                if (n > 0 && text->size() < kOutputBytesMax) text->append(buffer.data(), static_cast<size_t>(n));
                continue;
            }
        } else {
            ::usleep(500);
        }
        if (::waitpid(child, status, WNOHANG) == child) return true;
    }
}

// What a store beyond the file system can be called: letters, digits and underscores.
std::string name_of(const std::string& directory) {
    std::string name = std::filesystem::path(directory).filename().string();
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

Answer run_case(const Case& one, const Options& options, const std::string& directory) {
    std::array<int, 2> pipe_ends{};
    if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return {kFailed, std::string("pipe: ") + std::strerror(errno), 0};
    const std::string config = replaced(options.config, "{dir}", directory);
    Context context(std::filesystem::absolute(options.plugin).string(), replaced(config, "{name}", name_of(directory)),
                    directory, seed_of(options.seed, one.name));
    context.scale = options.scale;
    const std::chrono::seconds timeout(one.timeout_s * options.scale);
    const auto start = Clock::now();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        // Its own group, so that processes a case leaves behind die with it.
        ::setpgid(0, 0);
        ::close(pipe_ends[0]);
        const ExitCode verdict = run_in_child(one, context, pipe_ends[1]);
        std::fflush(nullptr);
        ::_exit(verdict);
    }
    ::setpgid(child, child);
    ::close(pipe_ends[1]);
    Answer answer;
    int status = 0;
    const bool ended = child > 0 && listen(pipe_ends[0], child, start + timeout, &answer.text, &status);
    if (child > 0) {
        ::kill(-child, SIGKILL);
        if (!ended) ::waitpid(child, &status, 0);
    }
    ::close(pipe_ends[0]);
    answer.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (!ended) {
        answer.text = "no end after " + std::to_string(timeout.count()) + " s";
    } else if (WIFSIGNALED(status)) {
        answer.text =
            std::string("crashed: ") + ::strsignal(WTERMSIG(status)) + (answer.text.empty() ? "" : "; ") + answer.text;
    } else if (WEXITSTATUS(status) == kPassed || WEXITSTATUS(status) == kSkipped) {
        answer.verdict = static_cast<ExitCode>(WEXITSTATUS(status));
    }
    return answer;
}

std::string fresh_directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "belfry-conformance-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        throw std::runtime_error("cannot create " + pattern + ": " + std::strerror(errno));
    return pattern;
}

const char* word_of(ExitCode verdict) {
    switch (verdict) {
        case kPassed:
            return "pass";
        case kSkipped:
            return "skip";
        case kFailed:
            break;
    }
    return "fail";
}

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ",") + name;
    return text.empty() ? "none" : text;
}

bool is_wanted(const Options& options, const Case& one) {
    return options.cases.empty() ||
           std::find(options.cases.begin(), options.cases.end(), one.name) != options.cases.end();
}

int run_all(const Options& options, const Suite& suite) {
    std::printf("%s: %s, seed %llu\n", suite.title, options.plugin.c_str(),
                static_cast<unsigned long long>(options.seed));
    int passed = 0;
    int skipped = 0;
    std::set<std::string> failed;
    for (const Case& one : suite.cases) {
        if (!is_wanted(options, one)) continue;
        const std::string directory = fresh_directory();
        const Answer answer = run_case(one, options, directory);
        if (options.keep) {
            std::printf("     %s keeps %s\n", one.name, directory.c_str());
        } else {
            std::error_code error;
            std::filesystem::remove_all(directory, error);
        }
        std::printf("%s %s %s (%.2f s)%s%s\n", word_of(answer.verdict), one.name, one.sentence, answer.seconds,
                    answer.text.empty() ? "" : ": ", answer.text.c_str());
        std::fflush(stdout);
        if (answer.verdict == kPassed) ++passed;
        if (answer.verdict == kSkipped) ++skipped;
        if (answer.verdict == kFailed) failed.insert(one.name);
    }
    std::printf("%d passed, %zu failed, %d skipped\n", passed, failed.size(), skipped);
    if (!options.expects) return failed.empty() && passed + skipped > 0 ? 0 : 1;
    if (failed == options.expect_fail) return 0;
    std::printf("expected to fail: %s; failed: %s\n", joined(options.expect_fail).c_str(), joined(failed).c_str());
    return 1;
}

}  // namespace

int run_main(int argc, char** argv, const Suite& suite) {
    Options options = parse(argc, argv);
    for (const std::string& name : options.cases) {
        const auto known = [&](const Case& one) { return name == one.name; };
        if (std::none_of(suite.cases.begin(), suite.cases.end(), known))
            options.error = "no case " + name + "; see --list";
    }
    if (options.error.empty() && !options.list && !std::filesystem::exists(options.plugin)) {
        options.error = options.plugin + " does not exist";
    }
    if (!options.error.empty()) {
        std::fprintf(stderr,
                     "%s\nusage: %s PLUGIN.so [--config JSON] [--case NAME] [--list] [--seed N] [--scale N] [--keep] "
                     "[--expect-fail A,B]\n",
                     options.error.c_str(), argc > 0 ? argv[0] : "conformance");
        return 2;
    }
    if (options.config.empty()) options.config = suite.default_config;
    if (options.list) {
        for (const Case& one : suite.cases) std::printf("%-6s %s\n", one.name, one.sentence);
        return 0;
    }
    return run_all(options, suite);
}

void require(bool holds, std::string_view expected, int line, const char* file) {
    if (holds) return;
    const std::string_view path = file;
    const size_t slash = path.rfind('/');
    throw Failed(std::string(expected) + " [" +
                 std::string(slash == std::string_view::npos ? path : path.substr(slash + 1)) + ":" +
                 std::to_string(line) + "]");
}

void skip(const std::string& reason) {
    throw Skipped(reason);
}

std::string shown(std::string_view value) {
    std::string text = "\"";
    for (const char c : value.substr(0, kShownBytes)) text += c >= ' ' && c < 127 ? c : '?';
    return text + (value.size() > kShownBytes ? "...\"" : "\"");
}

std::string shown(int64_t value) {
    return std::to_string(value);
}

void run_together(size_t n, const std::function<void(size_t)>& work) {
    std::vector<std::exception_ptr> errors(n);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < n; ++i) {
        threads.emplace_back([&, i] {
            try {
                work(i);
            } catch (...) {
                errors[i] = std::current_exception();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
}

Background::Background(std::function<void(const std::atomic<bool>&)> work)
    : thread_([this, work = std::move(work)] {
          try {
              work(stop_);
          } catch (...) {
              error_ = std::current_exception();
          }
      }) {}

Background::~Background() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

void Background::finish() {
    stop_ = true;
    thread_.join();
    if (error_) std::rethrow_exception(error_);
}

namespace {

void drain(int in, std::vector<int64_t>* reported) {
    int64_t number = 0;
    // Reports are written in one piece of 8 bytes, less than PIPE_BUF, so they arrive whole.
    while (::read(in, &number, sizeof number) == static_cast<ssize_t>(sizeof number)) reported->push_back(number);
}

}  // namespace

bool run_and_kill(const std::function<void(const std::function<void(int64_t)>&)>& work,
                  const std::function<bool(const std::vector<int64_t>&)>& now, std::vector<int64_t>* reported) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Failed(std::string("pipe: ") + std::strerror(errno));
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        try {
            work([&](int64_t number) {
                if (::write(ends[1], &number, sizeof number) != static_cast<ssize_t>(sizeof number)) ::_exit(kFailed);
            });
        } catch (...) {
            ::_exit(kFailed);
        }
        ::_exit(kPassed);
    }
    ::close(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    int status = 0;
    bool ended = false;
    for (;;) {
        drain(ends[0], reported);
        ended = ::waitpid(child, &status, WNOHANG) == child;
        if (ended || now(*reported)) break;
        ::usleep(200);
    }
    if (!ended) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
    }
    drain(ends[0], reported);
    ::close(ends[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) != kPassed) throw Failed("the process to be killed failed by itself");
    return WIFSIGNALED(status);
}

}  // namespace belfry::conformance
