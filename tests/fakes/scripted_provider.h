// SPDX-License-Identifier: Apache-2.0
// A provider plugin whose verdicts are written in the answers' bodies, and a sender that answers as a test's function
// says.
//
// An answer's body is "outcome scope flags variant retry_after_ms reason" in numbers and a last word; see Reply.
// Threads: the provider [any]; the sender answers on a thread of its own, as a loop would.
#pragma once

#include <belfry/provider.h>
#include <belfry/abi.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "delivery/sender.h"
#include "http/pacer.h"
#include "http/plan.h"

namespace belfry::fakes {

struct ScriptedReply {
    http::Transport transport = http::Transport::Answered;
    int status = 200;
    int32_t outcome = BELFRY_ACCEPTED, scope = BELFRY_SCOPE_ITEM;
    uint32_t flags = 0, variant = 0;
    int64_t retry_after_ms = 0;
    std::string reason = "-";
    std::string header;  // the answer's x-kept, which all plans keep
    int delay_ms = 0;
    bool hold = false;  // until released
};

// How the provider's requests come about: by plans, by encode, or not at all because it sends by itself.
enum class ScriptedKind { Plans, Encodes, Sends };

class ScriptedProvider {
public:
    explicit ScriptedProvider(ScriptedKind kind = ScriptedKind::Plans) : table_(make_table(kind)) {}
    const belfry_provider* table() const { return &table_; }
    belfry_instance* instance() { return reinterpret_cast<belfry_instance*>(this); }

    bool uses_credential = false;                                   // plans name slot 0
    std::function<belfry_code(int call, belfry_why*)> authorizing;  // null: always works
    int64_t credential_valid_ms = 3'600'000;
    uint32_t items_per_request = 1, items_per_encode = UINT32_MAX;
    uint32_t items_max = 1;  // of its plans, if they promise more than items_per_request
    std::function<ScriptedReply(const belfry_item&)> sending;  // null: accepts
    std::atomic<belfry_code> send_code{BELFRY_OK};             // after `sending` had its say about `send_until` items
    std::atomic<uint32_t> send_until{UINT32_MAX};
    std::atomic<int> encodes{0}, sends{0}, sending_now{0}, most_sending{0};
    std::atomic<int> authorized{0}, prepared{0}, released{0}, decodes{0};
    // Values of x-kept that decode has seen in answers of 200.
    std::vector<std::string> headers() {
        const std::lock_guard lock(headers_mutex_);
        return headers_;
    }

private:
    void note_header(std::string value) {
        const std::lock_guard lock(headers_mutex_);
        headers_.push_back(std::move(value));
    }
    static ScriptedProvider& self(belfry_instance* i) { return *reinterpret_cast<ScriptedProvider*>(i); }
    static belfry_code validate(belfry_instance*, const belfry_token* token, belfry_emit emit, void* ctx,
                                belfry_why* why) {
        if (view(token->token).substr(0, 3) == "bad") return because(why, BELFRY_BAD_REQUEST, "token", "not a token");
        belfry_token row = sized<belfry_token>();
        row.token = row.identity = token->token;
        emit(ctx, one_row(row));
        return BELFRY_OK;
    }
    static belfry_code prepare(belfry_instance* i, const belfry_content* content, belfry_emit emit, void* ctx,
                               belfry_prepared** out, belfry_why* why) {
        if (view(content->payload).find("refuse") != std::string_view::npos) {
            return because(why, BELFRY_BAD_REQUEST, "message.data", "the test refuses this payload");
        }
        if ((content->flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return BELFRY_OK;
        ScriptedProvider& me = self(i);
        ++me.prepared;
        const std::string text = "/send";
        const belfry_piece path{BELFRY_PIECE_TEXT, 0, 5};
        const belfry_piece body[] = {{BELFRY_PIECE_PAYLOAD, 0, static_cast<uint32_t>(content->payload.n)},
                                     {BELFRY_PIECE_TOKEN, 0, 0},
                                     {BELFRY_PIECE_DELIVERY_ID, 0, 0}};
        const belfry_str kept = str(std::string_view("x-kept"));
        for (uint32_t variant = 0; variant < 2; ++variant) {
            belfry_plan plan = sized<belfry_plan>();
            plan.variant = variant;
            plan.endpoint = 7;
            plan.credential = me.uses_credential ? 0 : -1;
            plan.items_max = std::max(me.items_per_request, me.items_max);
            plan.answer_max = 4096;
            plan.keep = belfry_list{&kept, 1, sizeof kept};
            plan.method = str(std::string_view("POST"));
            plan.text = str(std::string_view(text));
            plan.path = belfry_list{&path, 1, sizeof path};
            if (me.table_.encode == nullptr) plan.body = belfry_list{body, 3, sizeof body[0]};
            if (me.table_.send == nullptr) emit(ctx, one_row(plan));
        }
        *out = reinterpret_cast<belfry_prepared*>(new int(1));
        return BELFRY_OK;
    }
    static void release(belfry_instance* i, belfry_prepared* prepared) {
        ++self(i).released;
        delete reinterpret_cast<int*>(prepared);
    }
    static belfry_code authorize(belfry_instance* i, uint32_t slot, int64_t, belfry_emit emit, void* ctx,
                                 belfry_why* why) {
        ScriptedProvider& me = self(i);
        if (!me.uses_credential || slot != 0) return because(why, BELFRY_NOT_FOUND, "slot", "no such credential");
        const int call = ++me.authorized;
        if (me.authorizing) {
            if (const belfry_code code = me.authorizing(call, why); code != BELFRY_OK) return code;
        }
        const std::string value = "Bearer " + std::to_string(call);
        belfry_credential row = sized<belfry_credential>();
        row.value = str(std::string_view(value));
        row.valid_ms = me.credential_valid_ms;
        row.refresh_after_ms = me.credential_valid_ms - me.credential_valid_ms / 10;
        emit(ctx, one_row(row));
        return BELFRY_OK;
    }
    static void decode(belfry_instance* i, belfry_list answers, belfry_emit emit, void* ctx) {
        ++self(i).decodes;
        for (const belfry_answer& answer : Rows<belfry_answer>(answers)) {
            belfry_verdict row = sized<belfry_verdict>();
            long long retry = 0;
            char reason[64] = "";
            const std::string body = text(answer.body);
            if (std::sscanf(body.c_str(), "%d %d %u %u %lld %63s", &row.outcome, &row.scope, &row.flags, &row.variant,
                            &retry, reason) < 5) {
                row.outcome = BELFRY_FAULT;
                row.scope = BELFRY_SCOPE_ITEM;
            }
            for (const belfry_header& header : Rows<belfry_header>(answer.headers)) {
                if (answer.status == 200 && view(header.name) == "x-kept") self(i).note_header(text(header.value));
            }
            row.retry_after_ms = retry;
            row.reason = str(std::string_view(reason));
            const Rows<belfry_str> tokens(answer.tokens);
            for (uint32_t n = 0; n < answer.items; ++n) {
                belfry_verdict one = row;
                one.item = answer.first_item + n;
                if (n < tokens.size() && view(tokens[n]).substr(0, 4) == "dead") one.outcome = BELFRY_DEVICE_GONE;
                emit(ctx, one_row(one));
            }
        }
    }
    // A request is "/e/<first token>" with a line per item: token, data, attempt, delivery id in hex. What stands
    // behind an @ in a token is its origin; tokens that begin with "refuse" are refused, "break" breaks the contract.
    static uint32_t encode(belfry_instance* i, const belfry_prepared*, belfry_list list, belfry_outbox* outbox,
                           belfry_emit emit, void* ctx) {
        ScriptedProvider& me = self(i);
        ++me.encodes;
        const Rows<belfry_item> items(list);
        const uint32_t n = std::min(list.n, me.items_per_encode);
        auto* requests = static_cast<belfry_request*>(outbox->requests);
        const auto put = [&](const std::string& bytes) {
            std::memcpy(outbox->buf + outbox->buf_n, bytes.data(), bytes.size());
            const belfry_span span{outbox->buf_n, static_cast<uint32_t>(bytes.size())};
            outbox->buf_n += span.n;
            return span;
        };
        for (uint32_t at = 0; at < n;) {
            const std::string token = text(items[at].token);
            if (token.substr(0, 5) == "break") return n;
            if (outbox->n == outbox->cap) return at;
            if (token.substr(0, 6) == "refuse") {
                belfry_verdict row = sized<belfry_verdict>();
                row.item = items[at++].index;
                row.outcome = BELFRY_REFUSED;
                row.scope = BELFRY_SCOPE_ITEM;
                row.reason = str(std::string_view("REFUSED_BY_ENCODE"));
                emit(ctx, one_row(row));
                continue;
            }
            belfry_request request = sized<belfry_request>();
            request.first_item = items[at].index;
            request.variant = items[at].variant;
            if (const size_t origin = token.find('@'); origin != std::string::npos)
                request.origin = put(token.substr(origin + 1));
            request.path = put("/e/" + token);
            request.headers = put("x-kind: encoded\n");
            std::string body;
            do {
                body += text(items[at].token) + " " + text(items[at].data) + " " + std::to_string(items[at].attempt);
                char hex[3];
                body += " ";
                for (const uint8_t byte : items[at].delivery_id) {
                    std::snprintf(hex, sizeof hex, "%02x", byte);
                    body += hex;
                }
                body += "\n";
                ++request.items;
                ++at;
            } while (at < n && request.items < me.items_per_request && view(items[at].token).substr(0, 6) != "refuse");
            request.body = put(body);
            requests[outbox->n++] = request;
        }
        return n;
    }
    static belfry_code send(belfry_instance* i, const belfry_prepared*, belfry_list list, int64_t, belfry_emit emit,
                            void* ctx) {
        ScriptedProvider& me = self(i);
        ++me.sends;
        const int now = ++me.sending_now;
        int most = me.most_sending;
        while (now > most && !me.most_sending.compare_exchange_weak(most, now)) {
        }
        uint32_t done = 0;
        for (const belfry_item& item : Rows<belfry_item>(list)) {
            if (done++ >= me.send_until) break;
            const ScriptedReply reply = me.sending ? me.sending(item) : ScriptedReply{};
            belfry_verdict row = sized<belfry_verdict>();
            row.item = item.index;
            row.outcome = reply.outcome;
            row.scope = reply.scope;
            row.flags = reply.flags;
            row.retry_after_ms = reply.retry_after_ms;
            row.reason = str(std::string_view(reply.reason));
            emit(ctx, one_row(row));
        }
        --me.sending_now;
        return me.send_code;
    }
    static belfry_provider make_table(ScriptedKind kind) {
        belfry_provider table = sized<belfry_provider>();
        table.validate = &ScriptedProvider::validate;
        table.prepare = &ScriptedProvider::prepare;
        table.release = &ScriptedProvider::release;
        table.authorize = &ScriptedProvider::authorize;
        if (kind != ScriptedKind::Sends) table.decode = &ScriptedProvider::decode;
        if (kind == ScriptedKind::Encodes) table.encode = &ScriptedProvider::encode;
        if (kind == ScriptedKind::Sends) {
            table.send = &ScriptedProvider::send;
            table.concurrency = 2;
        }
        return table;
    }
    const belfry_provider table_;
    std::mutex headers_mutex_;
    std::vector<std::string> headers_;
};

// What went out, and what came back for it.
class ScriptedSender final : public delivery::Sender {
public:
    using Script = std::function<ScriptedReply(const http::Exchange&)>;
    explicit ScriptedSender(Script script) : script_(std::move(script)), thread_([this] { run(); }) {}
    ~ScriptedSender() override { stop(0); }

    void submit(http::Portion& portion) override {
        std::unique_lock lock(mutex_);
        if (stopped_) {
            lock.unlock();
            finish_all(portion);
            return;
        }
        for (http::Exchange& exchange : portion.exchanges) {
            Pending pending{&portion, &exchange, script_(exchange), Clock::now()};
            const auto& slot = exchange.plan->credential;
            if (slot != nullptr && slot->get() != nullptr) exchange.credential_generation = slot->get()->generation;
            if (portion.pacer != nullptr && portion.pacer->paused(now_ns()))
                pending.reply.transport = http::Transport::NeverSent;
            pending.at += std::chrono::milliseconds(pending.reply.delay_ms);
            if (pending.reply.transport != http::Transport::NeverSent) sent_.push_back(std::string(exchange.token));
            pending_.push_back(pending);
        }
        wake_.notify_one();
    }
    void recall(http::Portion& portion) override {
        const std::lock_guard lock(mutex_);
        for (Pending& pending : pending_) {
            if (pending.portion != &portion || !pending.reply.hold ||
                pending.reply.transport != http::Transport::NeverSent)
                continue;
            pending.reply.hold = false;
        }
        wake_.notify_one();
    }
    uint32_t credit(http::EndpointId) const override { return credit_; }
    void retire(http::EndpointId) override { ++retired_; }
    std::string last_connect_error(http::EndpointId) const override {
        return connects_ ? std::string() : std::string("connection refused");
    }
    Result<http::EndpointId> origin(http::EndpointId, std::string_view url) override {
        if (url.find("nowhere") != std::string_view::npos) return error(ErrorCode::InvalidArgument, "no such origin");
        return http::EndpointId{static_cast<http::EndpointId>(100 + url.size())};
    }
    uint32_t connections(http::EndpointId) const override { return connects_ ? 1 : 0; }
    void stop(int64_t) override {
        {
            const std::lock_guard lock(mutex_);
            if (stopped_) return;
            stopped_ = true;
        }
        if (stopping) stopping();
        wake_.notify_one();
        if (thread_.joinable()) thread_.join();
    }
    // As a new process would: takes portions again.
    void revive(Script script) {
        stop(0);
        script_ = std::move(script);
        stopped_ = false;
        thread_ = std::thread([this] { run(); });
    }
    // Answers what was held.
    void release() {
        const std::lock_guard lock(mutex_);
        for (Pending& pending : pending_) pending.reply.hold = false;
        wake_.notify_one();
    }
    void set_script(Script script) {
        const std::lock_guard lock(mutex_);
        script_ = std::move(script);
    }
    std::vector<std::string> sent() const {
        const std::lock_guard lock(mutex_);
        return sent_;
    }
    size_t pending() const {
        const std::lock_guard lock(mutex_);
        return pending_.size();
    }
    std::atomic<uint32_t> credit_{400};
    std::atomic<int> retired_{0};
    std::atomic<bool> connects_{true};
    std::function<void()> stopping;  // what ends together with it

private:
    using Clock = std::chrono::steady_clock;
    struct Pending {
        http::Portion* portion;
        http::Exchange* exchange;
        ScriptedReply reply;
        Clock::time_point at;
    };
    static int64_t now_ns() {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
    }
    static void answer(http::Portion& portion, http::Exchange& exchange, const ScriptedReply& reply) {
        exchange.status = static_cast<uint16_t>(reply.status);
        char body[http::Exchange::kInlineAnswer];
        const int n = std::snprintf(body, sizeof body, "%d %d %u %u %lld %s", reply.outcome, reply.scope, reply.flags,
                                    reply.variant, static_cast<long long>(reply.retry_after_ms), reply.reason.c_str());
        exchange.inline_n = static_cast<uint8_t>(n);
        if (!reply.header.empty()) exchange.keep_inline(0, reply.header);
        std::memcpy(exchange.inline_body.data(), body, static_cast<size_t>(n));
        const bool exception = reply.transport != http::Transport::Answered || reply.status / 100 != 2;
        __atomic_store_n(reinterpret_cast<uint8_t*>(&exchange.transport), static_cast<uint8_t>(reply.transport),
                         __ATOMIC_RELEASE);
        const bool last = portion.finished.fetch_add(1, std::memory_order_acq_rel) + 1 == portion.exchanges.size();
        if (exception) portion.owner->on_exception(portion, exchange);
        if (last) portion.owner->on_complete(portion);
    }
    static void finish_all(http::Portion& portion) {
        ScriptedReply unsent;
        unsent.transport = http::Transport::NeverSent;
        for (http::Exchange& exchange : portion.exchanges) answer(portion, exchange, unsent);
    }
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            const auto now = Clock::now();
            std::vector<Pending> ready;
            for (auto at = pending_.begin(); at != pending_.end();) {
                const bool due = stopped_ || (!at->reply.hold && at->at <= now);
                if (due) {
                    if (stopped_ && at->reply.hold && at->reply.transport == http::Transport::Answered) {
                        at->reply.transport = http::Transport::Unknown;
                    }
                    ready.push_back(*at);
                    at = pending_.erase(at);
                } else {
                    ++at;
                }
            }
            lock.unlock();
            for (Pending& pending : ready) answer(*pending.portion, *pending.exchange, pending.reply);
            lock.lock();
            if (stopped_ && pending_.empty()) return;
            if (ready.empty()) wake_.wait_for(lock, std::chrono::milliseconds(pending_.empty() ? 50 : 1));
        }
    }

    Script script_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Pending> pending_;
    std::vector<std::string> sent_;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace belfry::fakes
