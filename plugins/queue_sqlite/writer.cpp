// SPDX-License-Identifier: Apache-2.0
#include "writer.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>

#include "sqlite/failure.h"

namespace belfry::queue_sqlite {

namespace {

// Signals are the host's business; a plugin's threads take none.
std::thread start_without_signals(const std::function<void()>& run) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(run);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

}  // namespace

Writer::Writer(Engine& engine) : engine_(engine) {
    thread_ = start_without_signals([this] { loop(); });
    pthread_setname_np(thread_.native_handle(), "queue-writer");
}

Writer::~Writer() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    arrived_.notify_one();
    thread_.join();
}

void Writer::call(Effect effect, size_t bytes, const std::function<void()>& work) {
    Command command;
    command.effect = effect;
    command.bytes = bytes;
    command.work = &work;
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(&command);
    }
    arrived_.notify_one();
    std::unique_lock lock(command.mutex);
    command.finished.wait(lock, [&] { return command.done; });
    if (command.problem) throw sqlite::Failure(command.problem->code, command.problem->text, command.problem->where);
}

Writer::Figures Writer::figures() const {
    const std::lock_guard lock(mutex_);
    Figures figures = figures_;
    figures.waiting = waiting_.size();
    return figures;
}

void Writer::loop() {
    std::vector<Command*> batch;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            arrived_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            size_t n = 0;
            for (size_t bytes = 0; n < std::min(waiting_.size(), kCommandsMax); ++n) {
                bytes += waiting_[n]->bytes;
                if (n > 0 && bytes > kBytesMax) break;
            }
            const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(n);
            batch.assign(waiting_.begin(), end);
            waiting_.erase(waiting_.begin(), end);
        }
        run_reads(batch);
        if (!batch.empty()) run_writes(batch);
    }
}

void Writer::run_reads(std::vector<Command*>& batch) {
    const auto reads =
        std::stable_partition(batch.begin(), batch.end(), [](const Command* c) { return c->effect != Effect::Read; });
    for (auto read = reads; read != batch.end(); ++read) {
        try {
            (*(*read)->work)();
        } catch (...) {
            (*read)->problem = current_problem();
        }
        finish(**read);
    }
    batch.erase(reads, batch.end());
}

void Writer::run_writes(const std::vector<Command*>& batch) {
    const std::optional<Problem> problem = run_together(batch);
    for (Command* command : batch) command->problem = problem && batch.size() > 1 ? run_together({command}) : problem;
    for (Command* command : batch) finish(*command);
    engine_.tidy_up();
}

std::optional<Writer::Problem> Writer::run_together(const std::vector<Command*>& batch) {
    const bool durable =
        std::any_of(batch.begin(), batch.end(), [](const Command* c) { return c->effect == Effect::Durable; });
    try {
        engine_.begin(durable);
        for (const Command* command : batch) (*command->work)();
        engine_.commit();
    } catch (...) {
        const Problem problem = current_problem();
        engine_.rollback();
        return problem;
    }
    const std::lock_guard lock(mutex_);
    ++figures_.commits;
    figures_.commands += batch.size();
    return std::nullopt;
}

// Only inside a catch block.
Writer::Problem Writer::current_problem() noexcept {
    belfry_why why{};
    const belfry_code code = sqlite::describe_exception(&why);
    return {code, why.text, why.where};
}

void Writer::finish(Command& command) {
    // Notified under the lock: the caller owns the command and may end it as soon as the lock is free.
    const std::lock_guard lock(command.mutex);
    command.done = true;
    command.finished.notify_one();
}

}  // namespace belfry::queue_sqlite
