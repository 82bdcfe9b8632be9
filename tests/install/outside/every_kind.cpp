// SPDX-License-Identifier: Apache-2.0
// One component of every kind with the C++ SDK, each with some behaviour that a test can see through the C boundary.
#include <belfry/provider.hpp>
#include <belfry/queue.hpp>
#include <belfry/sink.hpp>
#include <belfry/storage.hpp>
#include <map>
#include <stdexcept>
#include <string>

namespace {

using namespace belfry;

class OneKey final : public belfry::Storage<OneKey> {
public:
    static constexpr uint32_t kFlags = BELFRY_STORAGE_COUNTS;
    static constexpr uint32_t kConcurrency = 3;
    OneKey(Services, std::string_view) {}
    void register_devices(App, Rows<belfry_registration>, const Emit<belfry_registered>&) override { nothing(); }
    void update_devices(App, const belfry_selection&, const belfry_patch&, const Emit<belfry_item_result>&) override {
        nothing();
    }
    void remove_devices(App, const belfry_selection&, const Emit<belfry_item_result>&) override { nothing(); }
    void list_devices(App, const belfry_selection&, const belfry_paging&, const Emit<belfry_device>&,
                      belfry_page_end&) override {
        nothing();
    }
    void list_device_topics(App, const belfry_selection&, const belfry_paging&, const Emit<belfry_topic_row>&,
                            belfry_page_end&) override {
        nothing();
    }
    void list_user_topics(App, const belfry_selection&, const belfry_paging&, const Emit<belfry_topic_row>&,
                          belfry_page_end&) override {
        nothing();
    }
    void update_user_topics(App, Rows<belfry_user_topics>, const Emit<belfry_item_result>&) override { nothing(); }
    bool scan(const belfry_scan& what, const Emit<belfry_device>& emit, int64_t& cursor) override {
        belfry_device row = sized<belfry_device>();
        for (row.key = what.after + 1; row.key < what.hi; ++row.key) {
            cursor = row.key;
            if (!emit(row)) return false;
        }
        return true;
    }
    void fetch(App, int32_t, belfry_list, uint32_t, uint32_t, int64_t, const Emit<belfry_device>&) override {
        nothing();
    }
    void invalidate(App, Rows<belfry_fact>, const Emit<belfry_fact_result>&) override { nothing(); }
    void amend(App, Rows<belfry_fact>, const Emit<belfry_fact_result>&) override { nothing(); }
    void kv_get(std::string_view key, const Emit<belfry_kv>& emit) override {
        const auto found = values_.find(key);
        if (found == values_.end()) return;
        belfry_kv row = sized<belfry_kv>();
        row.version = found->second.first;
        row.value = str(std::string_view(found->second.second));
        emit(row);
    }
    void kv_cas(const belfry_kv& kv) override {
        auto& slot = values_[text(kv.key)];
        if (slot.first != kv.version) throw Refused(BELFRY_CONFLICT, "version", "stored version differs");
        slot = {kv.version + 1, text(kv.value)};
    }
    int64_t count(App, const belfry_selection&, int64_t) override { return 42; }

private:
    [[noreturn]] static void nothing() { throw Refused(BELFRY_STORE_FULL, "disk", "is full; make room", 1500); }
    std::map<std::string, std::pair<int64_t, std::string>, std::less<>> values_;
};

class NoQueue final : public belfry::Queue<NoQueue> {
public:
    NoQueue(Services, std::string_view) {}
    void enqueue(uint64_t, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) override {
        for (uint32_t i = 0; i < pushes.size(); ++i) {
            belfry_enqueued row = sized<belfry_enqueued>();
            row.index = i;
            emit(row);
        }
    }
    void claim(uint64_t, int32_t, Rows<uint32_t>, uint32_t, uint32_t, const Emit<belfry_claimed>&) override {}
    void blobs(Rows<uint64_t>, const Emit<belfry_blob>&) override {}
    void page(uint64_t, Rows<belfry_checkpoint>, const Emit<belfry_paged>&) override {}
    void steer(App, Rows<belfry_str>, int32_t, const Emit<belfry_steered>&) override {}
    void changes(int64_t, const Emit<belfry_change>&) override {}
    void beat(uint64_t, belfry_pulse& pulse) override { pulse.live_nodes = 1; }
    uint32_t upkeep(uint64_t, uint32_t) override { return 250; }
    void lookup(App, Rows<belfry_str>, const Emit<belfry_push_row>&) override {}
    std::string list(App, int32_t, std::string_view, uint32_t limit, const Emit<belfry_push_row>&) override {
        return std::string(limit, 'c');
    }
    void dead(App, std::string_view, uint64_t, uint32_t, const Emit<belfry_dead_row>&) override {}
    uint32_t replay(App, Rows<uint64_t> ids, bool) override { return static_cast<uint32_t>(ids.size()); }
    void stats(belfry_queue_stats& stats) override { stats.dead = 7; }
};

class CountingSink final : public belfry::Sink<CountingSink> {
public:
    CountingSink(Services, std::string_view) {}
    void write(Rows<belfry_event> events, int64_t) override {
        if (events.size() > 2) throw Refused(BELFRY_RETRY_LATER, {}, "at most two at once");
    }
    void flush(int64_t) override { throw std::runtime_error("no disk"); }
};

// Not HTTP: send instead of plans.
class Sender final : public belfry::Provider<Sender> {
public:
    static constexpr uint32_t kPerMinuteDefault = 60;
    Sender(Services, std::string_view) {}
    void validate(const belfry_token& token, const Emit<belfry_token>& emit) override {
        belfry_token row = token;
        row.identity = token.token;
        emit(row);
    }
    std::unique_ptr<PreparedBase> prepare(const belfry_content&, const Emit<belfry_plan>&) override {
        return std::make_unique<Counted>();
    }
    void send(const PreparedBase* prepared, Rows<belfry_item> items, int64_t, const Verdicts& verdicts) override {
        for (const belfry_item& item : items) {
            verdicts.accepted(item.index, static_cast<const Counted*>(prepared)->greeting);
            if (item.index == 1) throw 7;  // neither standard nor polite
        }
    }

private:
    struct Counted : PreparedBase {
        std::string greeting = "hello";
    };
};

}  // namespace

BELFRY_PLUGIN("every_kind", "0.1.0", belfry::component<OneKey>("storage"), belfry::component<NoQueue>("queue"),
              belfry::component<CountingSink>("sink"), belfry::component<Sender>("sender"));
