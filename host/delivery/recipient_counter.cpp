// SPDX-License-Identifier: Apache-2.0
#include "delivery/recipient_counter.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "audience/row_filter.h"
#include "audience/topic_merge.h"
#include "audience/user_devices.h"
#include "delivery/accept.h"

namespace belfry::delivery {

namespace {

constexpr uint32_t kRowsPerRead = 4'096;
constexpr size_t kKeysPerRead = 256;

template <class Value>
std::vector<Value> distinct(std::vector<Value> values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
}

}  // namespace

// Sums by provider and platform; bounded.
class RecipientCounter::Sums {
public:
    explicit Sums(audience::RowFilter filter) : filter_(filter) {}
    uint32_t fields() const noexcept { return BELFRY_FIELD_PROVIDER | BELFRY_FIELD_PLATFORM | filter_.fields(); }
    void take(const belfry_device& row) {
        if (!filter_.matches(row)) return;
        ++devices_;
        if (last_ == nullptr || last_->first.first != view(row.provider) || last_->first.second != view(row.platform))
            last_ = part(text(row.provider), text(row.platform));
        if (last_ != nullptr) ++last_->second;
    }
    RecipientCount result(bool complete) const {
        RecipientCount count;
        count.devices = devices_;
        count.complete = complete;
        for (const auto& [name, n] : parts_) count.parts.push_back({name.first, name.second, n});
        return count;
    }

private:
    using Parts = std::map<std::pair<std::string, std::string>, int64_t>;
    Parts::value_type* part(std::string provider, std::string platform) {
        const auto name = std::make_pair(std::move(provider), std::move(platform));
        if (const auto known = parts_.find(name); known != parts_.end()) return &*known;
        return parts_.size() < kCountPartsMax ? &*parts_.emplace(name, 0).first : nullptr;
    }
    const audience::RowFilter filter_;
    Parts parts_;
    Parts::value_type* last_ = nullptr;
    int64_t devices_ = 0;
};

Result<RecipientCount> RecipientCounter::count(const std::string& app, const Recipient& recipient,
                                               int64_t budget_ms) const {
    if (recipient.native) {
        return error(ErrorCode::Unsupported, "only the provider knows how many devices a topic or condition has",
                     "recipient");
    }
    if (recipient.tokens) return count_tokens(*recipient.tokens);
    if (!recipient.filter) return error(ErrorCode::InvalidArgument, "exactly one recipient is needed", "recipient");
    const Filter& filter = *recipient.filter;
    const bool named = !filter.device_keys.empty() || !filter.users.empty();
    const bool restricted = named || !filter.topics.empty() || !filter.providers.empty() || !filter.platforms.empty();
    if (!restricted && !filter.all)
        return error(ErrorCode::InvalidArgument, "an empty filter needs all: true", "recipient.filter");
    const int64_t deadline = clock_.mono_ns() + budget_ms * kNsPerMs;
    // Rows read by topic or user were selected by it already.
    static const std::vector<std::string> kNone;
    Sums sums(audience::RowFilter{filter.device_keys.empty() ? kNone : filter.users, named ? filter.topics : kNone,
                                  filter.providers, filter.platforms});
    const Status done = named                      ? count_named(app, filter, deadline, sums)
                        : filter.topics.size() > 1 ? count_union(app, filter, deadline, sums)
                                                   : count_range(app, filter, deadline, sums);
    if (!done && done.error().code != ErrorCode::DeadlineExceeded) return done.error();
    return sums.result(done.has_value());
}

Result<RecipientCount> RecipientCounter::count_tokens(const RawTokens& tokens) const {
    const Gate* gate = gates_.by_name(tokens.provider);
    if (gate == nullptr) return not_an_instance(tokens.provider, "recipient.tokens.provider");
    const std::shared_ptr<Generation> generation = gate->generation();
    if (generation == nullptr) return tokens_need(tokens.provider);
    RecipientCount count;
    for (const std::string& token : tokens.tokens) {
        belfry_token row = sized<belfry_token>();
        row.token = str(std::string_view(token));
        const Result<plugins::CheckedToken> checked = generation->provider->validate(row);
        if (!checked && checked.error().code != ErrorCode::InvalidArgument) return checked.error();
        ++(checked ? count.devices : count.refused);
    }
    if (count.devices > 0) count.parts.push_back({tokens.provider, {}, count.devices});
    return count;
}

Status RecipientCounter::count_named(const std::string& app, const Filter& filter, int64_t deadline, Sums& sums) const {
    const auto take = [&](const belfry_device& row) { sums.take(row); };
    // Both given: the users restrict the named devices, as accept has it.
    if (filter.device_keys.empty()) {
        const Status done =
            audience::devices_of_users(storage_, clock_, app, distinct(filter.users), sums.fields(), deadline, take);
        if (done || done.error().code != ErrorCode::InvalidArgument) return done;
        Error why = done.error();
        why.where = "recipient.filter.users";
        return why;
    }
    const std::vector<int64_t> keys = distinct(filter.device_keys);
    for (size_t from = 0; from < keys.size(); from += kKeysPerRead) {
        if (clock_.mono_ns() >= deadline) return error(ErrorCode::DeadlineExceeded, "not counted in time");
        const auto part = std::span(keys).subspan(from, std::min(kKeysPerRead, keys.size() - from));
        if (const Status done = storage_.fetch_keys(app, part, 1, sums.fields(), deadline, take); !done) return done;
    }
    return {};
}

Status RecipientCounter::count_range(const std::string& app, const Filter& filter, int64_t deadline, Sums& sums) const {
    belfry_scan scan = sized<belfry_scan>();
    scan.fields = sums.fields();
    scan.by = filter.topics.empty() ? BELFRY_BY_ALL : BELFRY_BY_TOPIC;
    scan.want = kRowsPerRead;
    scan.budget_rows = audience::kRowsLookedAtMax;
    scan.app = str(std::string_view(app));
    if (!filter.topics.empty()) scan.value = str(std::string_view(filter.topics[0]));
    scan.after = -1;
    scan.hi = BELFRY_KEY_END;
    scan.deadline_mono_ns = deadline;
    for (;;) {
        if (clock_.mono_ns() >= deadline) return error(ErrorCode::DeadlineExceeded, "not counted in time");
        const Result<plugins::ScanEnd> end = storage_.scan(scan, [&](const belfry_device& row) { sums.take(row); });
        if (!end) return end.error();
        if (end->end) return {};
        scan.after = end->cursor;
    }
}

Status RecipientCounter::count_union(const std::string& app, const Filter& filter, int64_t deadline, Sums& sums) const {
    const std::vector<std::string> topics = distinct(filter.topics);
    audience::MergedKeys merged;
    int64_t after = -1;
    while (!merged.end) {
        if (clock_.mono_ns() >= deadline) return error(ErrorCode::DeadlineExceeded, "not counted in time");
        Status done = audience::merge_topics(storage_, clock_, app, topics, after, BELFRY_KEY_END, kRowsPerRead,
                                             deadline, merged);
        if (done) {
            done = storage_.fetch_keys(app, merged.keys, 1, sums.fields(), deadline,
                                       [&](const belfry_device& row) { sums.take(row); });
        }
        if (!done) return done;
        after = merged.cursor;
    }
    return {};
}

}  // namespace belfry::delivery
