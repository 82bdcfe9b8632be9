// SPDX-License-Identifier: Apache-2.0
// What a worker processes of one work item between two checkpoints: rows read, requests sent, answers turned into
// verdicts, one checkpoint. A state machine in recycled memory, not a thread: dozens are in flight, a few workers move
// them.
//
//             start                 submitted                 every delivery judged,              committed
//   Free ------------> Reading ------------------> Sending ------------------------> Settling ------------------> Free
//                      ^  |  |                        |  or 95 % after 500 ms            |  stragglers left
//            committed |  |  |  nothing to send       v                                 v
//                      |  |  +-------------------> Settling                         Trailing --> TailSettling --> Free
//                      |  v                                                            late answers  committed
//                     Cutting  (a slice for several providers that this page does not end)
//
// Stragglers leave in the page's checkpoint as lists born claimed by this node; the page trails without a slot until
// the engine, which answers everything by its deadline, has finished them, then finishes those lists with a second
// checkpoint.
//
// Events (bits) reach it from any thread; whoever sets the first bit hands the page to the workers, one of which runs
// it at a time. After a portion's on_complete a late event may still ring at a page that is free again: it is ignored.
// Threads: run [work], one at a time; start by the scheduler; settled by the settler; on_exception, on_complete [loop].
// Owner: PagePool; pages live as long as the process delivers.
// Not here: which item (scheduler), what a verdict means (verdict_action), writing it (settler).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audience/hashes.h"
#include "audience/row_filter.h"
#include "base/log.h"
#include "delivery/gates.h"
#include "delivery/ledger.h"
#include "delivery/options.h"
#include "delivery/page_block.h"
#include "delivery/prepared_push.h"
#include "delivery/progress.h"
#include "delivery/sender.h"
#include "delivery/stopped_pushes.h"
#include "delivery/store_clock.h"
#include "delivery/stored_push.h"
#include "delivery/token_blob.h"
#include "delivery/verdict_action.h"
#include "delivery/work_item.h"
#include "plugins/storage.h"

namespace belfry::delivery {

class Page;

// Where pages report to. Threads: [work].
class PageHost {
public:
    virtual ~PageHost() = default;
    virtual void runnable(Page& page) = 0;   // hand it to a worker
    virtual void settle(Page& page) = 0;     // commit its checkpoints, then call settled and post
    virtual void slot_free(Page& page) = 0;  // it holds no page slot any more; it may trail still
    virtual void free(Page& page) = 0;       // ready for another item
    virtual void work_added() = 0;           // there is something new to claim
    virtual void storage_trouble(const Error& why) = 0;
    virtual bool may_trail() const = 0;  // room for one more page that waits for stragglers
    virtual bool stopping() const = 0;   // do not wait for what is unsent
};

// What all pages share. Lives longer than they.
struct PageWorld {
    const Options& options;
    plugins::Storage& storage;
    Sender& sender;
    StoreClock& clock;
    Gates& gates;
    StoredPushes& stored;
    PreparedCache& prepared;
    StoppedPushes& stopped;
    Progress& progress;
    BlockPool& blocks;
    PageHost& host;
    Logger log;
    std::atomic<uint64_t> requests{1};  // belfry_checkpoint.request
};

enum class PageState : uint8_t { Free, Reading, Cutting, Sending, Settling, Trailing, TailSettling };

class Page final : public http::PortionOwner {
public:
    enum Event : uint32_t { kStart = 1, kException = 2, kComplete = 4, kTick = 8, kSettled = 16, kRecall = 32 };

    explicit Page(PageWorld& world);
    ~Page() override;
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    // [scheduler] The item to fill in before start; only while the page is free.
    WorkItem& item() noexcept { return item_; }
    uint32_t lane() const noexcept { return lane_.load(std::memory_order_relaxed); }  // 0 high, 1 normal, 2 low
    void start(uint32_t lane);
    // [any]
    void post(uint32_t events);
    // [scheduler] Rings the page if it asked for that.
    void tick(int64_t now_mono_ns);
    // [work]
    void run();
    // Once no worker runs it: waits for calls of send that it still has under way. What waits is not sent.
    void end_sends();

    // [settler] Between PageHost::settle and post(kSettled).
    std::span<const belfry_checkpoint> checkpoints() const noexcept { return checkpoints_; }
    void settled(size_t checkpoint, const belfry_paged& answer);
    Ledger& settling() noexcept { return *settling_; }
    Gate* gate_of(uint16_t group) const noexcept { return groups_[group].gate; }
    const std::string& app_of(uint16_t group) const noexcept { return *sections_[groups_[group].section].app; }

    void on_exception(http::Portion&, http::Exchange&) noexcept override;
    void on_complete(http::Portion&) noexcept override;

    Page* next_runnable = nullptr;  // of the workers' list

private:
    // One push of the page: a slice or list has one, a bundle one per member.
    struct Section {
        uint32_t member = 0;
        const std::string* app = nullptr;
        const std::string* uid = nullptr;
        std::shared_ptr<const StoredPush> push;
        audience::Hash16 seed{};  // of (app, uid): delivery ids, stopped pushes
        int64_t started_unix_ms = 0, expires_unix_ms = 0;
        uint32_t attempt = 1;
        bool initial = true;   // its entries are not in `planned` yet
        int32_t stopped = 0;   // final outcome of all its entries, 0 = runs
        uint32_t planned = 0;  // entries found by this page, if initial
        std::shared_ptr<const std::string> blob_bytes;
        TokenBlob blob;
    };
    // What becomes of the entries of a push at one gate.
    enum class Way : uint8_t { Send, Defer, Final };
    struct Group {
        uint16_t section = 0;
        uint32_t gate_number = 0;
        Gate* gate = nullptr;
        std::string provider;
        Way way = Way::Final;
        int32_t outcome = 0;   // Final
        int64_t defer_ms = 0;  // Defer: due so long from now
        std::string reason;
        std::shared_ptr<PreparedPush> prepared;
        std::array<uint32_t, 4> platforms{};  // that something was accepted of
        uint32_t platforms_n = 0;
        uint32_t returned = 0;                            // entries that came back unsent
        uint32_t accepted = 0, suspects = 0, others = 0;  // answers, for the breaker
        uint32_t overloaded = 0;                          // of these, that the provider had too much to do
        uint32_t failed = 0, silent = 0;                  // 5xx among the answers; requests that got none in time
        uint32_t stragglers = 0;                          // requests left behind unanswered
        belfry_ref mine{};                                // the list its stragglers became
    };
    // What an origin of its own answered to a group.
    struct OriginTally {
        uint16_t group = 0;
        OriginKey key;
        http::EndpointId endpoint = -1;
        std::string url;
        uint32_t accepted = 0, suspects = 0, others = 0, silent = 0, failed = 0;
        std::string failure;
    };
    struct Filling {
        Gate* gate = nullptr;
        Generation* generation = nullptr;
        Block* block = nullptr;
    };
    // Whom an entry is for, as its provider knows it.
    struct Addressee {
        std::string_view token, data;
        uint32_t variant = 0, platform = 0;
    };
    // An entry that came back unsent without an attempt; for a slice the cursor may go back before it.
    struct Returned {
        uint16_t group = 0;
        int64_t ref = 0, due_unix_ms = 0;
        uint32_t attempt = 1;
    };
    struct Judged {
        int32_t outcome = 0, scope = 0;
        uint32_t flags = 0, variant = 0;
        int64_t retry_after_ms = 0, gone_unix_ms = 0;
        uint32_t reason_at = 0, reason_n = 0;
    };
    enum class Read : uint8_t { Done, Failed };

    // page.cpp: states
    void process(uint32_t events);
    void reserve();
    void begin();
    void read_item();
    void send();
    void sending();
    bool may_settle();
    void settle_now();
    void after_settled();
    void trail();
    void finish_tail();
    void recycle();
    void release_harvested_blocks();
    void recall_stopped();
    bool slice() const noexcept { return item_.row.kind == BELFRY_WORK_SLICE; }
    bool picks(const Section& section) const noexcept {
        return section.push && section.push->body.audience >= Audience::Tokens;
    }

    // page_users.cpp: users of a push that was sent ahead of time become lists of their devices
    bool names_users() const noexcept {
        return item_.row.kind == BELFRY_WORK_LIST && !item_.keys.empty() && item_.keys.front() < 0;
    }
    Read read_users();
    std::vector<std::string> users_of_item() const;
    void take_user_device(const belfry_device& row);

    // page_cut.cpp: what is left to others before anything is sent
    int64_t cut_point() const;
    void cut(int64_t border);
    void after_cut();

    // page_fill.cpp: rows become entries
    uint32_t entries_of_item() const;
    Read read();
    bool open_sections();
    bool open_section(Section& section);
    // A blob of the item's push, once its section is open.
    BlobOf stored_blob(uint64_t id) const { return {sections_[0].seed, item_.row.created_unix_ms, id}; }
    int64_t started(const StoredPush& push) const noexcept;
    void drop_section(Section& section, const Error& why);
    Read read_slice();
    Read scan_one(const Section& section, const std::string& topic, bool all);
    Read scan_merged(const Section& section);
    Read read_entries();
    Read read_keys();
    void read_picks(uint16_t section, const std::vector<uint32_t>& picks);
    void end_without_sending();
    uint32_t rows_wanted() const;
    uint32_t fields_of(const Section& section) const;
    // False: no room, and the caller may stop here (the row was not taken).
    bool take_row(uint16_t section, int64_t ref, const belfry_device& row, bool may_stop);
    void defer(uint16_t group, int64_t due_unix_ms, int64_t ref);
    void settle_row(Group& group, uint16_t number, int64_t ref);
    bool send_row(Group& group, uint16_t number, int64_t ref, const Addressee& to);
    uint16_t group_for(uint16_t section, std::string_view provider);
    void open_group(Group& group);
    void prepare(Group& group, const std::string& payload);
    Block* block_for(Group& group, uint16_t number, size_t token_bytes, const CompiledPlan& plan);
    void write_entry(Block& block, const CompiledPlan& plan);
    std::array<uint8_t, 16> delivery_id_of(const Section& section, const Entry& entry, std::string_view token) const;
    bool only_deferred() const;
    bool crowded_out() const;
    void discard_read();
    void forget_read();
    void submit_all();
    void submit(Block& block);
    void recall(Block& block);

    // page_encode.cpp: requests that no plan writes
    belfry_item item_of(const Block& block, uint32_t at) const;
    void encode(Block& block);
    void collect_items(Block& block, uint32_t first);
    uint32_t encode_some(Block& block, uint32_t first);
    void take_request(Block& block, Outbox& outbox, const char* buffer, const belfry_request& row);
    Result<http::EndpointId> origin_of(http::EndpointId like, std::string_view url);
    void write_job(Block& block);
    void take_verdicts(Block& block, std::span<const uint8_t> exchanges);

    // page_harvest.cpp: answers become actions
    void harvest(bool everything);
    void harvest_block(Block& block, uint64_t low, uint64_t high);
    void decode(Block& block, std::span<const uint8_t> exchanges);
    void note_accepted(Group& group, const Entry& entry, const http::Exchange& exchange);
    void judge(Block& block, uint32_t entry, const http::Exchange& exchange, const Judged& judged);
    void act_on(Block& block, uint32_t entry, const http::Exchange& exchange, const belfry_verdict& verdict,
                std::string_view reason);
    void judge_unanswered(Block& block, uint32_t entry, const http::Exchange& exchange);
    Action beyond_delivery(const Group& group, const Entry& entry, const http::Exchange& exchange,
                           const belfry_verdict& verdict, const AttemptState& state, std::string_view reason);
    static bool hears_first_of(Group& group, uint32_t platform);
    bool closes_instance(const Group& group, const http::Exchange& exchange, std::string_view reason);
    // Null: the request went where its plan says.
    OriginTally* tally_of(const Entry& entry, const http::Exchange& exchange);
    Origins::Permit pause_origin(const Group& group, const http::Exchange& exchange, const Action& action,
                                 std::string_view reason);
    void wait_for_origin(Block& block, uint32_t entry, const Origins::Permit& permit);
    Action while_origin_waits(const AttemptState& state, const Origins::Permit& permit) const;
    void perform(Block& block, uint32_t entry, const http::Exchange& exchange, const Action& action,
                 std::string_view reason);
    void widen(Group& group, const Entry& entry, const http::Exchange& exchange, const Action& action,
               std::string_view reason);
    void bury_device(uint16_t number, const Entry& entry, std::string_view token, const Action& action,
                     const OriginKey& origin);
    void resend(Block& block, uint32_t entry, const Action& action);
    void close(Block& block, uint32_t entry);
    // The cursor of a slice may not go back before `ref` any more.
    void keep(int64_t ref) noexcept {
        if (slice() && ref > kept_to_) kept_to_ = ref;
    }
    void owe(uint16_t group, uint32_t flags, uint32_t attempt, int64_t due_unix_ms, int64_t ref,
             std::string_view note = {});
    AttemptState attempt_state(const Group& group, const Entry& entry, const http::Exchange& exchange);
    void note_failure(const Entry& entry, const http::Exchange& exchange, std::string_view reason);
    bool fails_everybody(const Group& group, const http::Exchange& exchange) const;
    void add_sample(uint16_t group, int32_t outcome, int64_t ref, int status, std::string_view reason);
    uint32_t unfinished() const;

    // page_checkpoint.cpp: what is written
    void build_checkpoint();
    void build_tail();
    bool leave_stragglers();
    int64_t rewind_returned();
    void decide_next(belfry_checkpoint& checkpoint, int64_t cursor);
    uint32_t only_gate() const;
    void split(belfry_checkpoint& checkpoint, int64_t cursor) const;
    void count_progress(belfry_checkpoint& checkpoint, int64_t cursor);
    void add_rows(Ledger& ledger, int only_group);
    belfry_checkpoint blank(uint64_t item, uint32_t epoch);
    void report_to_gates();
    void report_origins();
    uint32_t planned() const;

    Ledger& ledger() noexcept { return ledgers_[tail_ ? 1 : 0]; }
    int64_t hard_stop() const noexcept;

    PageWorld& world_;
    std::atomic<uint32_t> events_{0};
    std::atomic<uint32_t> refusals_{0};  // answers of this page that usually concern one device only
    std::atomic<int64_t> next_tick_{kNever};
    static constexpr int64_t kReturnedSoonMs = 5'000;  // due within this: as good as now, the cursor may go back for it
    static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
    static constexpr uint32_t kScheduled = 1u << 31;

    PageState state_ = PageState::Free;
    std::atomic<uint32_t> lane_{1};
    WorkItem item_;
    std::vector<Section> sections_;
    std::vector<Group> groups_;
    std::vector<Filling> filling_;
    std::vector<Block*> blocks_;
    std::vector<Returned> returned_;
    std::vector<OriginTally> origins_;
    uint16_t last_group_ = 0;

    Gate* item_gate_ = nullptr;  // of the item; null: mixed
    uint32_t reserved_ = 0;      // deliveries announced to it between claim and submit
    uint32_t rows_ = 0;          // most rows, if the item has a gate
    int64_t started_mono_ns_ = 0, sent_mono_ns_ = 0, read_unix_ms_ = 0;
    int64_t cursor_ = -1;                     // rows up to here are in the page
    int64_t first_key_ = -1, last_key_ = -1;  // of the rows it holds, if it is a slice's; -1: none
    int64_t kept_to_ = -1;                    // highest key that ended otherwise than returned
    bool end_ = false;                        // nothing is left of the slice
    bool full_ = false;                       // there was no block for some row
    bool untouched_ = false;                  // nothing was read: the item goes back as it was
    uint32_t regate_ = 0;                     // the rest of the slice waits behind this gate
    uint32_t submitted_ = 0, deferred_ = 0, stragglers_ = 0, not_planned_ = 0;
    uint64_t stopped_version_ = 0;
    bool tail_ = false;  // answers are the stragglers' from now on

    Ledger ledgers_[2];
    Ledger* settling_ = &ledgers_[0];
    std::vector<Judged> judged_;
    struct Origin {
        http::EndpointId like = -1, endpoint = -1;
        std::string url;
    };
    Origin last_origin_;
    std::vector<belfry_item> items_;
    std::vector<belfry_request> request_rows_;
    std::vector<belfry_str> answered_tokens_;
    std::vector<belfry_header> answered_headers_;
    std::string reasons_;
    const http::Exchange* refused_by_ = nullptr;  // among those being judged, the last answer that refused the instance
    bool refused_closes_ = false;                 // and whether that closed it
    Block* resends_ = nullptr;

    std::vector<belfry_checkpoint> checkpoints_;
    std::vector<belfry_owed> owed_rows_;
    std::vector<belfry_tally> tally_rows_, planned_rows_;
    std::vector<belfry_sample> sample_rows_;
    belfry_code code_ = BELFRY_OK;  // of the checkpoint that was settled
};

}  // namespace belfry::delivery
