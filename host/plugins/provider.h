// SPDX-License-Identifier: Apache-2.0
// belfry.provider/1 as the host calls it, with every answer checked: plans stay inside their texts, outboxes inside
// their buffers, and every item gets exactly one verdict.
//
// What each call means is written in plugin_api/include/belfry/provider.h. Rows given to callbacks are borrowed for
// that callback. Threads: as tagged there, at most table.concurrency [work]/[pure] calls at once; authorize from the
// instance's control thread only. Owner: a Generation.
#pragma once

#include <belfry/provider.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/call.h"
#include "plugins/channels.h"

namespace belfry::plugins {

inline constexpr size_t kProviderDataMax = 1024;  // bytes of belfry_token.data

// A token as its provider knows it.
struct CheckedToken {
    std::string token, identity, data;
    uint32_t variant = 0;
    bool variant_guessed = false;  // the storage keeps the one it has for this token
};

struct NewCredential {
    std::string value;  // the whole authorization header value
    int64_t valid_ms = 0, refresh_after_ms = 0, not_again_before_ms = 0;
};

// Sees to it that each item of a call has exactly one verdict.
class VerdictLedger {
public:
    VerdictLedger(Faults& faults, const char* call) : faults_(&faults), call_(call) {}
    // Items [first, first + n) are to be judged.
    void expect(uint32_t first, uint32_t n);

    enum class Take : uint8_t {
        Good,     // use the row
        Foreign,  // no item of this call: drop the row
        Spoiled   // the item's verdict is replaced by INTERNAL
    };
    Take take(const belfry_verdict& verdict) noexcept;
    template <class Fn>
    void each_missing(Fn&& fn) {
        for (size_t at = 0; at < states_.size(); ++at) {
            if (states_[at] != State::Open) continue;
            faults_->add(Fault::MissingVerdict, call_);
            fn(internal(first_ + static_cast<uint32_t>(at), "the plugin gave no verdict for this item"));
        }
    }
    // What stands for a verdict that the plugin failed to give.
    static belfry_verdict internal(uint32_t item, std::string_view reason) noexcept;

private:
    enum class State : uint8_t { NotOurs, Open, Judged, Spoiled };
    std::vector<State> states_;
    uint32_t first_ = 0;
    Faults* faults_;
    const char* call_;
};

class Provider;

// A push prepared by one generation of a provider; released with the object. Owner: the push's plan cache; the
// Generation that made it must live longer.
class Prepared {
public:
    Prepared() = default;
    Prepared(Provider& provider, belfry_prepared* handle) noexcept : provider_(&provider), handle_(handle) {}
    Prepared(Prepared&& other) noexcept
        : provider_(std::exchange(other.provider_, nullptr)), handle_(std::exchange(other.handle_, nullptr)) {}
    Prepared& operator=(Prepared&& other) noexcept;
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;
    ~Prepared();
    const belfry_prepared* get() const noexcept { return handle_; }

private:
    Provider* provider_ = nullptr;
    belfry_prepared* handle_ = nullptr;
};

class Provider {
public:
    // The names of mandatory functions that the table lacks, comma separated; empty if it is complete.
    static std::string missing(const belfry_provider& table);

    Provider(const belfry_provider* table, belfry_instance* instance, Faults& faults);

    bool sends() const noexcept { return table_.send != nullptr; }      // not HTTP: use send
    bool encodes() const noexcept { return table_.encode != nullptr; }  // plans without a body are written by encode
    bool keeps_channels() const noexcept { return table_.channels != nullptr; }
    uint32_t concurrency() const noexcept { return table_.concurrency; }
    uint32_t per_minute_default() const noexcept { return table_.per_minute_default; }

    // InvalidArgument: the provider would refuse this token.
    Result<CheckedToken> validate(const belfry_token& token);

    // Plans are checked before fn sees them: every range lies inside plan.text or content.payload, kinds are known.
    template <class Fn>  // const belfry_plan&
    Result<Prepared> prepare(const belfry_content& content, Fn&& fn) {
        belfry_prepared* handle = nullptr;
        std::string broken;
        uint32_t plans = 0;
        const Status done = door_.rows<belfry_plan>(
            "provider.prepare",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.prepare(i, &content, emit, ctx, &handle, why);
            },
            [&](const belfry_plan& plan) {
                ++plans;
                broken = plan_defect(plan, content);
                return broken.empty() && Door::pass(plan, fn);
            });
        Prepared prepared(*this, handle);
        if (!done) return done.error();
        if (plans == 0 && !sends() && (content.flags & BELFRY_CONTENT_CHECK_ONLY) == 0) broken = "there is none";
        if (!broken.empty()) return bad_plan(broken);
        return prepared;
    }
    // [control]. Unauthenticated or Misconfigured: an operator must act. Unavailable: later again.
    Result<NewCredential> authorize(uint32_t slot, int64_t deadline_mono_ns);
    // One channel of Create and Get, those of List; ids are one printable line. Unsupported: the table has no channels.
    Result<std::vector<Channel>> channels(const ChannelCall& call, int64_t deadline_mono_ns);

    // How many of `items` were dealt with: by requests in the outbox, or by a verdict of refusal given to fn. Internal
    // (and the outbox is void) if what encode wrote does not lie inside the outbox or does not cover exactly that
    // prefix.
    template <class Fn>  // const belfry_verdict&
    Result<uint32_t> encode(const Prepared& prepared, std::span<const belfry_item> items, belfry_outbox& outbox,
                            Fn&& fn) {
        std::vector<uint32_t> refused;
        uint32_t length = 0;
        const Status done = door_.rows<belfry_verdict>(
            "provider.encode",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why*) {
                length = table_.encode(i, prepared.get(), list_of(items), &outbox, emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            [&](const belfry_verdict& verdict) {
                refused.push_back(verdict.item);
                fn(with_known_outcome(verdict));
            });
        if (!done) return done.error();
        return encoded(items, outbox, length, refused);
    }

    // fn gets a verdict for every item of the answers. It is called again for an item only to replace its verdict by
    // INTERNAL, when the plugin judged it twice; write verdicts by item, count afterwards.
    template <class Fn>  // const belfry_verdict&
    void decode(std::span<const belfry_answer> answers, Fn&& fn) {
        VerdictLedger ledger(door_.faults(), "provider.decode");
        for (const belfry_answer& answer : answers) ledger.expect(answer.first_item, answer.items);
        const Status done = judged(
            "provider.decode", ledger,
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why*) {
                table_.decode(i, list_of(answers), emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            fn);
        static_cast<void>(
            done);  // decode cannot fail; what it threw instead of judging is INTERNAL like any missing verdict
        ledger.each_missing(fn);
    }
    // As decode. After an error the items that fn was not called for are not judged: nothing is known about them.
    template <class Fn>  // const belfry_verdict&
    Status send(const Prepared& prepared, std::span<const belfry_item> items, int64_t deadline_mono_ns, Fn&& fn) {
        VerdictLedger ledger(door_.faults(), "provider.send");
        for (const belfry_item& item : items) ledger.expect(item.index, 1);
        Status done = judged(
            "provider.send", ledger,
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                const belfry_code code = table_.send(i, prepared.get(), list_of(items), deadline_mono_ns, emit, ctx);
                if (code != BELFRY_OK) because(why, code, {}, "the provider could not be reached by the plugin");
                return code;
            },
            fn);
        if (done) ledger.each_missing(fn);
        return done;
    }

private:
    friend class Prepared;
    void release(belfry_prepared* handle) noexcept;

    template <class Invoke, class Fn>
    Status judged(const char* call, VerdictLedger& ledger, Invoke&& invoke, Fn& fn) {
        return door_.rows<belfry_verdict>(call, invoke, [&](const belfry_verdict& verdict) {
            switch (ledger.take(verdict)) {
                case VerdictLedger::Take::Good:
                    fn(verdict);
                    break;
                case VerdictLedger::Take::Foreign:
                    break;
                case VerdictLedger::Take::Spoiled:
                    fn(VerdictLedger::internal(verdict.item, "the plugin gave no usable verdict for this item"));
                    break;
            }
        });
    }
    static belfry_verdict with_known_outcome(const belfry_verdict& verdict) noexcept;
    std::string plan_defect(const belfry_plan& plan, const belfry_content& content) const;
    Error bad_plan(const std::string& defect);
    static belfry_provider known_table(const belfry_provider* table) noexcept;
    Result<uint32_t> encoded(std::span<const belfry_item> items, const belfry_outbox& outbox, uint32_t length,
                             std::span<const uint32_t> refused);

    const belfry_provider table_;
    Door door_;
    Door control_;  // authorize: not counted against `concurrency`
};

}  // namespace belfry::plugins
