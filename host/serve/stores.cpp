// SPDX-License-Identifier: Apache-2.0
#include "serve/stores.h"

#include "serve/component_specs.h"

namespace belfry::serve {

namespace {

constexpr int64_t kStoreStartMs = 30'000;  // of tries that fail; one that is at work (a migration) takes what it takes
constexpr int64_t kStoresEndMs = 10'000;

}  // namespace

Status start_stores(const config::Config& config, plugins::Instances& instances) {
    const plugins::Patience patience{kStoreStartMs, true, stop_is_pending};
    if (Status s = instances.add(spec_of(config, config.storage, plugins::Kind::Storage), patience); !s) return s;
    return instances.add(spec_of(config, config.queue, plugins::Kind::Queue), patience);
}

Stores::Stores(const config::Config& config, const DataDir& data, const Workshop& shop)
    : config_(config),
      calls_(shop.engine),
      services_({shop.lines, shop.metrics, shop.clock, calls_, data.path() / "state"}),
      hosts_(services_),
      loader_(loader_options(config, data.path().string()), hosts_, shop.lines),
      instances_(loader_, hosts_, shop.lines, shop.clock) {}

Stores::~Stores() {
    storage_.reset();
    queue_.reset();
    instances_.stop(kStoresEndMs);
}

Status Stores::start() {
    if (Status started = start_stores(config_, instances_); !started) return started;
    storage_ = instances_.find(config_.storage.instance)->current();
    queue_ = instances_.find(config_.queue.instance)->current();
    return {};
}

}  // namespace belfry::serve
