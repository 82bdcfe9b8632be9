// SPDX-License-Identifier: Apache-2.0
// A small provider with at most one deliberate fault, to prove that the kit notices. Which one is the name of the
// component: "sound" has none and passes every case.
//
// Threads: as provider.h says; Fault::Moody counts in an atomic.
#include <belfry/provider.h>
#include <belfry/services.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <belfry/abi.hpp>
#include <belfry/services.hpp>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace {

enum class Fault {
    None,
    OpensInCreate,       // does I/O in create
    KeepsConfig,         // reads in start what create was lent
    KeepsPayload,        // reads in decode what prepare was lent
    LeaksThread,         // a thread survives its instance
    LeaksDescriptor,     // a descriptor survives its instance
    NoisyThread,         // its thread takes signals
    TakesSignals,        // installs a handler for everybody
    SaysNothing,         // refuses without a reason
    WalksBySize,         // takes its own idea of a row's size for the stride
    DeletesOnTrouble,    // calls devices dead whose service is down
    DeafToRetryAfter,    // asks for the header and ignores it
    Moody,               // judges the same answer differently
    TellsSecrets,        // writes its key into the log
    AnswersAnyInterface  // goes by the beginning of an interface's id
};

struct NamedFault {
    std::string_view component;
    Fault fault;
};
constexpr NamedFault kFaults[] = {
    {"opens_in_create", Fault::OpensInCreate},
    {"keeps_config", Fault::KeepsConfig},
    {"keeps_payload", Fault::KeepsPayload},
    {"leaks_thread", Fault::LeaksThread},
    {"leaks_descriptor", Fault::LeaksDescriptor},
    {"noisy_thread", Fault::NoisyThread},
    {"takes_signals", Fault::TakesSignals},
    {"says_nothing", Fault::SaysNothing},
    {"walks_by_size", Fault::WalksBySize},
    {"deletes_on_trouble", Fault::DeletesOnTrouble},
    {"deaf_to_retry_after", Fault::DeafToRetryAfter},
    {"moody", Fault::Moody},
    {"tells_secrets", Fault::TellsSecrets},
    {"answers_any_interface", Fault::AnswersAnyInterface},
};
Fault fault_of(std::string_view component) {
    for (const NamedFault& one : kFaults) {
        if (one.component == component) return one.fault;
    }
    return Fault::None;
}

using belfry::Rows;
using belfry::str;
using belfry::view;

}  // namespace

struct belfry_instance {
    explicit belfry_instance(const belfry_host* host) : services(host) {}
    bool is(Fault one) const noexcept { return fault == one; }
    belfry::Services services;
    Fault fault = Fault::None;
    std::string config;
    belfry_str lent{};
    std::string key;
    std::thread worker;
    std::atomic<bool> stop{false};
    std::atomic<uint32_t> mood{0};
    int32_t endpoint = -1;
    int opened = -1;
};

struct belfry_prepared {
    belfry_str payload;
};

namespace {

void work(belfry_instance* self) {
    while (!self->stop.load()) ::usleep(1000);
}

void begin_thread(belfry_instance* self) {
    sigset_t all, before;
    ::sigfillset(&all);
    if (!self->is(Fault::NoisyThread)) ::pthread_sigmask(SIG_SETMASK, &all, &before);
    if (self->is(Fault::LeaksThread)) {
        std::thread([] { ::pause(); }).detach();
    } else {
        self->worker = std::thread(work, self);
    }
    if (!self->is(Fault::NoisyThread)) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

belfry_code create(const belfry_host* host, belfry_str component, belfry_str config, belfry_instance** out,
                   belfry_why* why) {
    if (host->service(host, str(BELFRY_JSON_ID)) == nullptr)
        return belfry::because(why, BELFRY_UNSUPPORTED, {}, "this host offers no " BELFRY_JSON_ID);
    auto* made = new belfry_instance(host);
    made->fault = fault_of(view(component));
    if (made->is(Fault::OpensInCreate)) made->opened = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    made->config = belfry::text(config);
    made->lent = config;
    *out = made;
    return BELFRY_OK;
}

belfry_code start(belfry_instance* self, int64_t, belfry_why* why) {
    const std::string_view config = self->is(Fault::KeepsConfig) ? view(self->lent) : std::string_view(self->config);
    if (self->is(Fault::LeaksDescriptor)) ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (self->is(Fault::TakesSignals)) ::signal(SIGUSR1, SIG_IGN);
    try {
        self->key = self->services.config_secret(config, "key").value_or("none");
        self->endpoint = self->services.endpoint("https://push.example.com");
    } catch (const belfry::Refused& refused) {
        return belfry::because(why, refused.code(), refused.where(), refused.what());
    }
    self->services.info("ready", {{"key", self->is(Fault::TellsSecrets) ? self->key : std::string("kept")}});
    begin_thread(self);
    return BELFRY_OK;
}

void destroy(belfry_instance* self) {
    self->stop = true;
    if (self->worker.joinable()) self->worker.join();
    if (self->opened >= 0) ::close(self->opened);
    delete self;
}

belfry_code validate(belfry_instance* self, const belfry_token* token, belfry_emit emit, void* ctx, belfry_why* why) {
    if (token->token.n < 8) {
        if (self->is(Fault::SaysNothing)) return BELFRY_BAD_REQUEST;
        return belfry::because(why, BELFRY_BAD_REQUEST, "token", "is shorter than 8 bytes; register the whole token");
    }
    auto row = belfry::sized<belfry_token>();
    row.token = row.identity = token->token;
    emit(ctx, belfry::one_row(row));
    return BELFRY_OK;
}

belfry_code prepare(belfry_instance* self, const belfry_content* content, belfry_emit emit, void* ctx,
                    belfry_prepared** out, belfry_why* why) {
    *out = nullptr;
    if (content->kind != BELFRY_CONTENT_TOKENS)
        return belfry::because(why, BELFRY_UNSUPPORTED, {}, "this provider knows device tokens only");
    if ((content->flags & BELFRY_CONTENT_CHECK_ONLY) != 0) return BELFRY_OK;
    const belfry_piece path{BELFRY_PIECE_TEXT, 0, 5};
    const belfry_piece body{BELFRY_PIECE_PAYLOAD, 0, static_cast<uint32_t>(content->payload.n)};
    const belfry_str keep = str("retry-after");
    auto plan = belfry::sized<belfry_plan>();
    plan.endpoint = self->endpoint;
    plan.items_max = 1;
    plan.method = str("POST");
    plan.text = str("/push");
    plan.path = belfry::one_row(path);
    plan.body = belfry::one_row(body);
    plan.keep = belfry::one_row(keep);
    emit(ctx, belfry::one_row(plan));
    *out = new belfry_prepared{content->payload};
    return BELFRY_OK;
}

void release(belfry_instance*, belfry_prepared* prepared) {
    delete prepared;
}

belfry_code authorize(belfry_instance* self, uint32_t, int64_t, belfry_emit emit, void* ctx, belfry_why*) {
    auto row = belfry::sized<belfry_credential>();
    row.value = str(std::string_view(self->key));
    row.valid_ms = 3'600'000;
    row.refresh_after_ms = 1'800'000;
    emit(ctx, belfry::one_row(row));
    return BELFRY_OK;
}

int32_t outcome_of(belfry_instance* self, const belfry_answer& answer) {
    // No period that a number of answers could be a multiple of.
    const auto is_in_a_mood = [&] { return self->mood.fetch_add(1) * 2'654'435'761U >> 30 == 0; };
    if (answer.status / 100 == 2) return self->is(Fault::Moody) && is_in_a_mood() ? BELFRY_FAULT : BELFRY_ACCEPTED;
    if (answer.status == 410 || (self->is(Fault::DeletesOnTrouble) && answer.status >= 500)) return BELFRY_DEVICE_GONE;
    if (answer.status == 429) return BELFRY_THROTTLED;
    return answer.status >= 500 ? BELFRY_RETRY : BELFRY_REFUSED;
}

int64_t retry_after_ms(const belfry_instance* self, const belfry_answer& answer) {
    for (const belfry_header& header : Rows<belfry_header>(answer.headers)) {
        if (self->is(Fault::DeafToRetryAfter) || view(header.name) != "retry-after") continue;
        const std::string text = belfry::text(header.value);
        if (text.find("GMT") != std::string::npos) return 500'000;
        const long long seconds = std::atoll(text.c_str());
        return seconds > 0 && seconds < 86'400 ? seconds * 1000 : 0;
    }
    return 0;
}

void decode(belfry_instance* self, belfry_list answers, belfry_emit emit, void* ctx) {
    if (self->is(Fault::WalksBySize)) answers.stride = sizeof(belfry_answer);
    for (const belfry_answer& answer : Rows<belfry_answer>(answers)) {
        if (self->is(Fault::KeepsPayload) && answer.prepared != nullptr) {
            [[maybe_unused]] const volatile char first = *answer.prepared->payload.p;
        }
        for (uint32_t i = 0; i < answer.items && i < 1000; ++i) {
            auto row = belfry::sized<belfry_verdict>();
            row.item = answer.first_item + i;
            row.outcome = outcome_of(self, answer);
            row.scope = BELFRY_SCOPE_ITEM;
            row.retry_after_ms = retry_after_ms(self, answer);
            row.reason = str("as the status says");
            emit(ctx, belfry::one_row(row));
        }
    }
}

const void* get_interface(belfry_instance* self, belfry_str id) {
    static const belfry_provider kTable = [] {
        auto table = belfry::sized<belfry_provider>();
        table.validate = &validate;
        table.prepare = &prepare;
        table.release = &release;
        table.authorize = &authorize;
        table.decode = &decode;
        return table;
    }();
    const std::string_view own = BELFRY_PROVIDER_ID;
    if (self->is(Fault::AnswersAnyInterface)) return view(id).substr(0, own.size()) == own ? &kTable : nullptr;
    return view(id) == own ? &kTable : nullptr;
}

const belfry_plugin kPlugin{
    sizeof(belfry_plugin), BELFRY_DRAFT_REVISION, 0, 0, {"broken_provider", 15}, {"0.1.0", 5}, create, start, destroy,
    get_interface};

}  // namespace

const belfry_plugin* belfry_plugin_main_draft(const belfry_host*) {
    return &kPlugin;
}
