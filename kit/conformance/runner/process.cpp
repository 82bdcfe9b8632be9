// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "conformance/runner/trace.h"

namespace belfry::conformance {

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kOutputBytesMax = 64 * 1024;
constexpr size_t kStepBytes = 256;
constexpr char kNote = 'n', kReason = 'r', kVerdict = 'v';

// Where the child writes what it is about to do: it outlives a crash.
class StepRoom {
public:
    StepRoom() {
        void* room = ::mmap(nullptr, kStepBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (room != MAP_FAILED) room_ = static_cast<char*>(room);
    }
    ~StepRoom() {
        if (room_ != nullptr) ::munmap(room_, kStepBytes);
    }
    StepRoom(const StepRoom&) = delete;
    StepRoom& operator=(const StepRoom&) = delete;
    std::span<char> room() const { return {room_, room_ == nullptr ? 0 : kStepBytes}; }
    std::string text() const {
        if (room_ == nullptr) return {};
        return std::string(room_, ::strnlen(room_, kStepBytes));
    }

private:
    char* room_ = nullptr;
};

void say(int fd, char kind, std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    text = kind + text + "\n";
    for (size_t at = 0; at < text.size();) {
        const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
        if (n <= 0) return;
        at += static_cast<size_t>(n);
    }
}

// The verdict is said, not returned: a plugin that ends the process with exit code 0 has not passed.
void run_in_child(const Case& one, Context& context, int out) {
    Verdict verdict = Verdict::Failed;
    try {
        one.run(context);
        verdict = Verdict::Passed;
    } catch (const Skipped& skipped) {
        say(out, kReason, skipped.what());
        verdict = Verdict::Skipped;
    } catch (const Failed& failed) {
        say(out, kReason, failed.what());
    } catch (const std::exception& error) {
        say(out, kReason, std::string("an exception came out of a call: ") + error.what());
    } catch (...) {
        say(out, kReason, "an exception of unknown type came out of a call");
    }
    for (const std::string& note : context.notes) say(out, kNote, note);
    say(out, kVerdict, word_of(verdict));
}

[[noreturn]] void be_the_child(const Case& one, Context& context, int out) {
    // Its own group, so that processes a case leaves behind die with it.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // What a plugin prints must not get into the report.
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    if (context.trace) trace::turn_on();
    run_in_child(one, context, out);
    std::fflush(nullptr);
    ::_exit(0);
}

void read_what_is_there(int in, std::string* text) {
    std::array<char, 1024> buffer{};
    for (pollfd p{in, POLLIN, 0}; ::poll(&p, 1, 0) > 0;) {
        const ssize_t n = ::read(in, buffer.data(), buffer.size());
        if (n <= 0) return;
        if (text->size() < kOutputBytesMax) text->append(buffer.data(), static_cast<size_t>(n));
    }
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
        if (::waitpid(child, status, WNOHANG) != child) continue;
        read_what_is_there(in, text);  // its last words, said since the pipe was read
        return true;
    }
}

// True if they came to an end.
bool take_words(const std::string& said, Answer& answer) {
    bool complete = false;
    for (size_t at = 0; at < said.size();) {
        const size_t end = std::min(said.find('\n', at), said.size());
        const std::string line = said.substr(at, end - at);
        at = end + 1;
        if (line.size() < 2) continue;
        if (line[0] == kNote) answer.notes.push_back(line.substr(1));
        if (line[0] == kReason) answer.text = line.substr(1);
        if (line[0] != kVerdict) continue;
        complete = true;
        for (const Verdict verdict : {Verdict::Passed, Verdict::Skipped}) {
            if (line.substr(1) == word_of(verdict)) answer.verdict = verdict;
        }
    }
    return complete;
}

std::string with_step(std::string what, const std::string& step) {
    return step.empty() ? what : what + " while " + step;
}

}  // namespace

const char* word_of(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::Passed:
            return "pass";
        case Verdict::Skipped:
            return "skip";
        case Verdict::Failed:
            break;
    }
    return "fail";
}

Answer run_in_process(const Case& one, Context& context, std::chrono::seconds timeout) {
    Answer answer;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        answer.text = std::string("pipe: ") + std::strerror(errno);
        return answer;
    }
    const StepRoom steps;
    context.step_room = steps.room();
    const auto start = Clock::now();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        be_the_child(one, context, ends[1]);
    }
    ::setpgid(child, child);
    ::close(ends[1]);
    int status = 0;
    std::string said;
    const bool ended = child > 0 && listen(ends[0], child, start + timeout, &said, &status);
    if (child > 0) {
        ::kill(-child, SIGKILL);
        if (!ended) ::waitpid(child, &status, 0);
    }
    ::close(ends[0]);
    answer.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const bool complete = take_words(said, answer);
    if (child < 0) {
        answer.text = "cannot start a process";
    } else if (!ended) {
        answer.text = with_step("no end after " + std::to_string(timeout.count()) + " s", steps.text());
    } else if (WIFSIGNALED(status)) {
        answer.text = with_step(std::string("crashed: ") + ::strsignal(WTERMSIG(status)), steps.text());
    } else if (!complete) {
        answer.text =
            with_step("ended the process with exit code " + std::to_string(WEXITSTATUS(status)), steps.text());
    }
    // After its verdict, too, nothing of the plugin may end the process.
    const bool sound_end = ended && complete && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!sound_end) answer.verdict = Verdict::Failed;
    context.step_room = {};
    return answer;
}

std::string fresh_directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "belfry-check-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        throw std::runtime_error("cannot create " + pattern + ": " + std::strerror(errno));
    return pattern;
}

}  // namespace belfry::conformance
