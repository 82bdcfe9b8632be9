// SPDX-License-Identifier: Apache-2.0
#include "plugins/call.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <string>

#include "plugins/crash_record.h"
#include "plugins/refusal.h"

namespace belfry::plugins {

namespace {

struct ClassRow {
    belfry_code code_class;
    ErrorCode error;
    const char* name;
};
// The one place where codes of the boundary become codes of the host.
constexpr ClassRow kClasses[] = {
    {BELFRY_RETRY_LATER, ErrorCode::Unavailable, "RETRY_LATER"},
    {BELFRY_BUSY, ErrorCode::Busy, "BUSY"},
    {BELFRY_BAD_REQUEST, ErrorCode::InvalidArgument, "BAD_REQUEST"},
    {BELFRY_AUTH, ErrorCode::Unauthenticated, "AUTH"},
    {BELFRY_NOT_FOUND, ErrorCode::NotFound, "NOT_FOUND"},
    {BELFRY_CONFLICT, ErrorCode::Conflict, "CONFLICT"},
    {BELFRY_DUPLICATE, ErrorCode::Conflict, "DUPLICATE"},
    {BELFRY_TOO_LARGE, ErrorCode::TooLarge, "TOO_LARGE"},
    {BELFRY_FENCED, ErrorCode::Cancelled, "FENCED"},
    {BELFRY_STOPPED, ErrorCode::Cancelled, "STOPPED"},
    {BELFRY_PAUSED, ErrorCode::Cancelled, "PAUSED"},
    {BELFRY_DEADLINE, ErrorCode::DeadlineExceeded, "DEADLINE"},
    {BELFRY_UNSUPPORTED, ErrorCode::Unsupported, "UNSUPPORTED"},
    {BELFRY_STORE_FULL, ErrorCode::StoreFull, "STORE_FULL"},
    {BELFRY_CORRUPT, ErrorCode::Corrupt, "CORRUPT"},
    {BELFRY_CONFIG, ErrorCode::Misconfigured, "CONFIG"},
    {BELFRY_INTERNAL, ErrorCode::Internal, "INTERNAL"},
};

thread_local const char* t_running = nullptr;

}  // namespace

Error to_error(belfry_code code, const belfry_why& why, std::string_view call, Faults& faults) {
    const ClassRow* row = nullptr;
    for (const ClassRow& candidate : kClasses) {
        if (candidate.code_class == BELFRY_CODE_CLASS(code)) row = &candidate;
    }
    if (row == nullptr) faults.add(Fault::UnknownCode, call);
    Error error;
    error.code = row == nullptr ? ErrorCode::Internal : row->error;
    error.message = one_line(std::string(text_of(why.text)));
    error.where = one_line(std::string(text_of(why.where)));
    error.retry_after_ms = why.retry_after_ms;
    if (error.message.empty()) {
        faults.add(Fault::NoReason, call);
        const std::string answer = row == nullptr ? "the unknown code " + std::to_string(code) : row->name;
        error.message = "plugin instance \"" + faults.instance() + "\" answered " + answer + " to " +
                        std::string(call) + " without a reason; report it to the plugin's author";
    }
    return error;
}

const char* running_instance() noexcept {
    return t_running;
}

struct alignas(64) EmitGate::Room {
    std::atomic<bool> taken{false};
    std::atomic<bool> open{false};
    // Stays after the call, to attribute a late emission; ~Door clears it before the counters die.
    std::atomic<Faults*> faults{nullptr};
    // Below: written before `open`, read after it was seen.
    std::atomic<pthread_t> thread{};
    std::atomic<const char*> call{""};
    belfry_emit target = nullptr;
    void* target_ctx = nullptr;
    bool stopped = false;
};

namespace {

// More rooms than threads can be inside plugins. They are handed out round robin, so that one is not soon used again.
constexpr uint32_t kRooms = 1024;
std::array<EmitGate::Room, kRooms> g_rooms;
std::atomic<uint32_t> g_next_room{0};

int32_t gated_emit(void* ctx, belfry_list rows) noexcept {
    auto& room = *static_cast<EmitGate::Room*>(ctx);
    if (!room.open.load(std::memory_order_acquire) ||
        pthread_equal(room.thread.load(std::memory_order_relaxed), pthread_self()) == 0) {
        Faults* faults = room.faults.load(std::memory_order_acquire);
        if (faults != nullptr) faults->add(Fault::EmitAfterReturn, room.call.load(std::memory_order_relaxed));
        return 1;
    }
    if (room.stopped) return 1;
    if (rows.n == 0) return 0;
    if (rows.p == nullptr || rows.stride < sizeof(uint32_t)) {
        Faults* faults = room.faults.load(std::memory_order_acquire);
        if (faults != nullptr) faults->add(Fault::BadRow, room.call.load(std::memory_order_relaxed));
        return 1;
    }
    const int32_t answer = room.target(room.target_ctx, rows);
    room.stopped = answer != 0;
    return answer;
}

EmitGate::Room* take_room() noexcept {
    for (uint32_t tries = 0; tries < kRooms; ++tries) {
        EmitGate::Room& room = g_rooms[g_next_room.fetch_add(1, std::memory_order_relaxed) % kRooms];
        if (!room.taken.load(std::memory_order_relaxed) && !room.taken.exchange(true, std::memory_order_acquire))
            return &room;
    }
    return nullptr;
}

}  // namespace

EmitGate::EmitGate(belfry_emit target, void* target_ctx, Faults& faults, const char* call) noexcept
    : room_(take_room()) {
    // Thread pools are bounded far below kRooms.
    BELFRY_ASSERT(room_ != nullptr);
    room_->faults.store(&faults, std::memory_order_relaxed);
    room_->thread.store(pthread_self(), std::memory_order_relaxed);
    room_->call.store(call, std::memory_order_relaxed);
    room_->target = target;
    room_->target_ctx = target_ctx;
    room_->stopped = false;
    room_->open.store(true, std::memory_order_release);
}

EmitGate::~EmitGate() {
    room_->open.store(false, std::memory_order_release);
    room_->taken.store(false, std::memory_order_release);
}

belfry_emit EmitGate::emit() const noexcept {
    return &gated_emit;
}

bool AnswerLedger::take(uint32_t index) noexcept {
    if (index >= answered_.size()) {
        faults_->add(Fault::ForeignRow, call_);
        return false;
    }
    if (answered_[index]) {
        faults_->add(Fault::RepeatedRow, call_);
        return false;
    }
    answered_[index] = true;
    return true;
}

Door::Door(belfry_instance* instance, Faults& faults, uint32_t concurrency) : instance_(instance), faults_(&faults) {
    if (concurrency > 0) slots_ = std::make_unique<std::counting_semaphore<>>(static_cast<std::ptrdiff_t>(concurrency));
}

Door::~Door() {
    for (EmitGate::Room& room : g_rooms) {
        if (room.taken.load(std::memory_order_acquire)) continue;
        Faults* ours = faults_;
        room.faults.compare_exchange_strong(ours, nullptr, std::memory_order_acq_rel);
    }
}

Door::Entered::Entered(Door& door) noexcept : door_(&door), before_(t_running) {
    have_crash_stack();
    if (door_->slots_) door_->slots_->acquire();
    t_running = door_->faults_->instance().c_str();
}

Door::Entered::~Entered() {
    t_running = before_;
    if (door_->slots_) door_->slots_->release();
}

belfry_code Door::threw(const char* name, belfry_why& why) noexcept {
    faults_->add(Fault::Threw, name);
    return because(&why, BELFRY_INTERNAL, {}, "the plugin let an exception out; report it to its author");
}

Status Door::status(const char* name, belfry_code code, const belfry_why& why) {
    if (code == BELFRY_OK) {
        faults_->note_stored(name);
        return {};
    }
    if (BELFRY_CODE_CLASS(code) == BELFRY_STORE_FULL) faults_->note_full(name, text_of(why.text));
    return to_error(code, why, name, *faults_);
}

Error Door::unsupported(const char* name) {
    return error(ErrorCode::Unsupported, std::string("this plugin does not offer ") + name);
}

}  // namespace belfry::plugins
