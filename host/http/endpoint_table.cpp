// SPDX-License-Identifier: Apache-2.0
#include "http/endpoint_table.h"

#include <limits>

namespace belfry::http {

namespace {

constexpr int32_t kGenerations = std::numeric_limits<int32_t>::max() / static_cast<int32_t>(EndpointTable::kSlots);

// Settings as one text; lengths in front keep neighbours apart.
class Key {
public:
    Key& add(std::string_view text) {
        text_.append(std::to_string(text.size())).append(":").append(text);
        return *this;
    }
    Key& add(uint64_t number) { return add(std::to_string(number)); }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

Key trust_key(const EndpointConfig& c) {
    Key key;
    key.add(c.ca_file).add(c.client_cert_pem).add(c.client_key_pem).add(c.http1_ok);
    return key;
}

std::string key_of(const EndpointConfig& c, bool passing) {
    Key key = trust_key(c);
    key.add(c.url).add(c.partition).add(c.proxy.url).add(c.proxy.user).add(c.proxy.password).add(c.proxy.looks_up);
    key.add(c.untrusted).add(c.plain_loopback).add(c.wait_settings).add(c.connections_max).add(c.idle_s);
    return key.add(c.age_max_s).add(c.ping_s).add(passing).take();
}

}  // namespace

Result<EndpointId> EndpointTable::add(EndpointConfig config, bool passing, int64_t now_mono_ns) {
    std::string key = key_of(config, passing);
    const std::lock_guard lock(mutex_);
    if (const auto known = ids_.find(key); known != ids_.end()) {
        Entry& entry = entries_[slot_of(known->second)];
        entry.used_at = now_mono_ns;
        if (!passing) entry.endpoint->declare_again();
        return known->second;
    }
    Result<Origin> origin = parse_origin(config.url, config.plain_loopback);
    if (!origin) return origin.error();
    Result<ProxyRoute> route = route_of(config.proxy);
    if (!route) return route.error();
    Result<std::shared_ptr<SSL_CTX>> trust = trust_of(config);
    if (!trust) return trust.error();
    const size_t slot = take_slot(now_mono_ns);
    if (slot == kSlots)
        return error(ErrorCode::Busy, "more than " + std::to_string(kSlots) + " endpoints are in use", config.url);
    Entry& entry = entries_[slot];
    const auto id = static_cast<EndpointId>(slot) + entry.generation * static_cast<EndpointId>(kSlots);
    entry.generation = (entry.generation + 1) % kGenerations;
    entry.endpoint = std::make_shared<Endpoint>(id, std::move(config), passing, std::move(*origin), std::move(*route),
                                                std::move(*trust), loops_, metrics_);
    entry.key = &ids_.emplace(std::move(key), id).first->first;
    entry.used_at = now_mono_ns;
    return id;
}

// A fresh slot, or that of the passing endpoint that was not used for longest; kSlots: none.
size_t EndpointTable::take_slot(int64_t now) {
    if (entries_.size() < kSlots) {
        entries_.emplace_back();
        return entries_.size() - 1;
    }
    size_t oldest = kSlots;
    int64_t used_at = now - kKeepNs;
    for (size_t slot = 0; slot < kSlots; ++slot) {
        const Entry& entry = entries_[slot];
        if (!entry.endpoint->passing || entry.pools != 0 || entry.used_at > used_at) continue;
        oldest = slot;
        used_at = entry.used_at;
    }
    if (oldest != kSlots) {
        Entry& entry = entries_[oldest];
        ids_.erase(ids_.find(*entry.key));
        entry.endpoint.reset();
    }
    return oldest;
}

Result<std::shared_ptr<SSL_CTX>> EndpointTable::trust_of(const EndpointConfig& config) {
    std::string key = trust_key(config).take();
    if (const auto known = trusts_.find(key); known != trusts_.end()) return known->second;
    Result<SslCtx> made = make_tls_context(config);
    if (!made) return made.error();
    return trusts_.emplace(std::move(key), std::move(*made)).first->second;
}

EndpointTable::Entry* EndpointTable::entry_of(EndpointId id) {
    if (id < 0 || slot_of(id) >= entries_.size()) return nullptr;
    Entry& entry = entries_[slot_of(id)];
    return entry.endpoint && entry.endpoint->id == id ? &entry : nullptr;
}

std::shared_ptr<Endpoint> EndpointTable::find(EndpointId id) const {
    const std::lock_guard lock(mutex_);
    const Entry* entry = const_cast<EndpointTable*>(this)->entry_of(id);
    return entry == nullptr ? nullptr : entry->endpoint;
}

std::shared_ptr<Endpoint> EndpointTable::join(EndpointId id) {
    const std::lock_guard lock(mutex_);
    Entry* entry = entry_of(id);
    if (entry == nullptr) return nullptr;
    ++entry->pools;
    return entry->endpoint;
}

void EndpointTable::leave(Endpoint& endpoint) {
    const std::lock_guard lock(mutex_);
    if (Entry* entry = entry_of(endpoint.id)) --entry->pools;
}

size_t EndpointTable::size() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
}

}  // namespace belfry::http
