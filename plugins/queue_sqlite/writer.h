// SPDX-License-Identifier: Apache-2.0
// The one thread that touches the queue file. Commands of all callers are merged into one transaction per loop, with
// what arrived while the last one committed: the group commit clocks itself, nothing waits on a timer.
//
// A transaction with at least one durable command is committed with a sync, one of progress alone without. If it fails,
// everything of it is rolled back and each command is tried alone, so that one that cannot succeed (a body that no
// longer fits on the disk) does not take the others with it.
//
// Threads: call [any], blocks; everything else inside runs on the writer's thread.
// Not here: what commands do.
#pragma once

#include <belfry/plugin.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace belfry::queue_sqlite {

// What a transaction is, for the loop.
class Engine {
public:
    virtual ~Engine() = default;
    virtual void begin(bool durable) = 0;  // may throw
    virtual void commit() = 0;             // may throw; the transaction is still open then
    virtual void rollback() noexcept = 0;  // after a failed begin, command or commit
    virtual void tidy_up() noexcept = 0;   // after the callers were answered: what none of them should wait for
};

enum class Effect {
    Read,      // runs between transactions
    Progress,  // committed, synced with the next durable one
    Durable    // synced before call() returns
};

class Writer {
public:
    static constexpr size_t kCommandsMax = 1000;   // per transaction
    static constexpr size_t kBytesMax = 4u << 20;  // of new data per transaction; one command may exceed it

    explicit Writer(Engine& engine);
    ~Writer();  // no call() is running
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Runs `work` on the writer's thread; returns when its transaction is committed. Throws a sqlite::Failure that says
    // what `work` or the commit threw. `work` may run twice, the first time in vain: it must reset what it fills.
    void call(Effect effect, size_t bytes, const std::function<void()>& work);

    // Transactions so far, commands in them, and commands that wait for the next one.
    struct Figures {
        uint64_t commits = 0, commands = 0;
        size_t waiting = 0;
    };
    Figures figures() const;

private:
    // What went wrong, as a value: exception objects are not shared between threads.
    struct Problem {
        belfry_code code;
        std::string text, where;
    };
    struct Command {
        Effect effect;
        size_t bytes;
        const std::function<void()>* work;
        std::optional<Problem> problem;
        std::mutex mutex;
        std::condition_variable finished;
        bool done = false;
    };

    void loop();
    void run_reads(std::vector<Command*>& batch);
    void run_writes(const std::vector<Command*>& batch);
    std::optional<Problem> run_together(const std::vector<Command*>& batch);
    static Problem current_problem() noexcept;
    static void finish(Command& command);

    Engine& engine_;
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<Command*> waiting_;
    Figures figures_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace belfry::queue_sqlite
