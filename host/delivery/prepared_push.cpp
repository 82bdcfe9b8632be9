// SPDX-License-Identifier: Apache-2.0
#include "delivery/prepared_push.h"

#include <belfry/abi.hpp>

#include <algorithm>

#include "delivery/token_blob.h"

namespace belfry::delivery {

namespace {

std::vector<http::Piece> pieces_of(belfry_list list) {
    std::vector<http::Piece> pieces;
    pieces.reserve(list.n);
    for (const belfry_piece& piece : Rows<belfry_piece>(list)) {
        // belfry_piece_kind counts from 1 in the same order; the adapter has refused unknown kinds.
        pieces.push_back({static_cast<http::PieceKind>(piece.kind - 1), piece.from, piece.to});
    }
    return pieces;
}

bool names_delivery(const std::vector<http::Piece>& pieces) {
    return std::any_of(pieces.begin(), pieces.end(),
                       [](const http::Piece& p) { return p.kind == http::PieceKind::DeliveryId; });
}

void append(std::string& key, uint64_t number) {
    key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

void PreparedPush::add(const belfry_plan& row, Gate& gate, std::string_view target) {
    auto compiled = std::make_unique<CompiledPlan>();
    http::Plan& plan = compiled->plan;
    compiled->variant = row.variant;
    compiled->credential = row.credential;
    compiled->encoded = row.body.n == 0 && !generation_->provider->sends();
    compiled->items_max = compiled->encoded ? std::clamp(row.items_max, 1u, kBlobEntriesMax) : 1;
    gate.packs(compiled->items_max);
    plan.endpoint = row.endpoint;
    if (row.credential >= 0 && generation_->authorizer != nullptr) {
        plan.credential = generation_->authorizer->slot(static_cast<uint32_t>(row.credential));
    }
    plan.method = text(row.method);
    plan.text = text(row.text);
    plan.target = std::string(target);
    plan.path = pieces_of(row.path);
    plan.body = pieces_of(row.body);
    for (size_t i = 0; i < row.headers.n; ++i) {
        const belfry_field field = Rows<belfry_field>(row.headers).known(i);
        plan.headers.push_back(
            {text(field.name), pieces_of(field.value), (field.flags & BELFRY_FIELD_NEVER_INDEX) != 0});
    }
    for (const belfry_str& name : Rows<belfry_str>(row.keep)) plan.keep.push_back(text(name));
    if (row.answer_max > 0) plan.answer_max = row.answer_max;
    plan.always_detail = compiled->items_max > 1;
    compiled->wants_delivery_id = names_delivery(plan.path) || names_delivery(plan.body) || compiled->encoded ||
                                  std::any_of(plan.headers.begin(), plan.headers.end(),
                                              [](const http::PlanHeader& h) { return names_delivery(h.value); });
    gate.uses(plan.endpoint);
    plans_.push_back(std::move(compiled));
}

Result<std::shared_ptr<PreparedPush>> PreparedPush::make(std::shared_ptr<const StoredPush> push,
                                                         const std::string& payload, Gate& gate,
                                                         std::shared_ptr<Generation> generation,
                                                         const Content& content) {
    std::shared_ptr<PreparedPush> made(new PreparedPush(std::move(push), payload, std::move(generation)));
    belfry_content row = sized<belfry_content>();
    if (content.dry_run) row.flags = BELFRY_CONTENT_DRY_RUN;
    row.kind = content.kind;
    row.payload = str(std::string_view(payload));
    row.target = str(content.target);
    row.expires_unix_ms = content.expires_unix_ms;
    Result<plugins::Prepared> handle = made->generation_->provider->prepare(
        row, [&](const belfry_plan& plan) { made->add(plan, gate, content.target); });
    if (!handle) return handle.error();
    made->handle_ = std::move(*handle);
    if (made->plans_.empty() && made->generation_->provider->sends())  // a plan for nobody: no endpoint, no credential
        made->plans_.push_back(std::make_unique<CompiledPlan>());
    if (made->plans_.empty()) {
        return error(ErrorCode::Internal, "the plugin of \"" + gate.name() + "\" prepared a push without a plan");
    }
    return made;
}

const CompiledPlan& PreparedPush::plan(uint32_t variant) const noexcept {
    for (const std::unique_ptr<CompiledPlan>& plan : plans_) {
        if (plan->variant == variant) return *plan;
    }
    return *plans_.front();
}

void PreparedPush::refuse(std::string_view reason) {
    const std::lock_guard lock(mutex_);
    if (refusal_.empty()) refusal_ = reason;
    refused_.store(true, std::memory_order_release);
}

std::string PreparedPush::refusal() const {
    const std::lock_guard lock(mutex_);
    return refusal_;
}

Result<std::shared_ptr<PreparedPush>> PreparedCache::get(const std::shared_ptr<const StoredPush>& push,
                                                         const std::string& payload, Gate& gate,
                                                         const std::shared_ptr<Generation>& generation,
                                                         const PreparedPush::Content& content) {
    std::string key(reinterpret_cast<const char*>(push->content.data()), push->content.size());
    key.append(reinterpret_cast<const char*>(content.push_id.data()), content.push_id.size());
    append(key, gate.number());
    append(key, generation->number);
    append(key, static_cast<uint64_t>(content.expires_unix_ms));
    key += content.target;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = by_key_.find(key); found != by_key_.end()) {
            recent_.splice(recent_.begin(), recent_, found->second);
            return recent_.front().outcome;
        }
    }
    Outcome made = PreparedPush::make(push, payload, gate, generation, content);
    const bool passing =
        !made && (made.error().code == ErrorCode::Unavailable || made.error().code == ErrorCode::Busy ||
                  made.error().code == ErrorCode::DeadlineExceeded);
    if (passing) return made;
    std::list<Entry> dropped;  // destroyed without the lock: release is a plugin's call
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) return found->second->outcome;
    recent_.push_front(Entry{std::move(key), made});
    by_key_[recent_.front().key] = recent_.begin();
    while (recent_.size() > entries_max_) {
        by_key_.erase(recent_.back().key);
        dropped.splice(dropped.begin(), recent_, std::prev(recent_.end()));
    }
    return made;
}

void PreparedCache::clear() {
    std::list<Entry> dropped;
    const std::lock_guard lock(mutex_);
    by_key_.clear();
    dropped.swap(recent_);
}

}  // namespace belfry::delivery
