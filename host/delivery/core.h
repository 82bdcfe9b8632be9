// SPDX-License-Identifier: Apache-2.0
// Delivery put together: everything between the API's door (delivery.h) and the plugins.
//
// Stop order: no more accepts (batcher empties) -> no claims -> unsent requests come back, no attempt -> up to 5 s for
// answers -> last checkpoints -> threads end. 15 s in all. Threads: [any]. Owner: main.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "delivery/delivery.h"
#include "delivery/gate.h"
#include "delivery/options.h"
#include "delivery/sender.h"
#include "plugins/host_factory.h"
#include "plugins/queue.h"
#include "plugins/storage.h"

namespace belfry::delivery {

// A configured provider instance and its first generation.
struct ProviderInstance {
    std::string name;
    uint64_t per_minute = 0;                // 0: what the plugin says
    plugins::Provider* provider = nullptr;  // null: not started yet; its deliveries wait for switch_provider
    std::shared_ptr<void> owner;            // keeps *provider alive
};

// Whether the stores are still this process's to work on. Misconfigured: never again; anything else: not known now.
using MayWork = std::function<Status()>;

class Core : public Delivery {
public:
    // Starts to deliver: what is queued from before is claimed at once. `may_work` is asked after the first sign of
    // life to other processes, before anything is claimed, and after each later one; once it says never, nothing is
    // claimed any more.
    virtual Status start(MayWork may_work = {}) = 0;
    // Blocks; see above. After it nothing of the plugins is in use any more.
    virtual void stop() = 0;
    // A new generation of an instance takes over, with its rate (0: the plugin's); pages in flight finish with the old
    // one. NotFound: no such instance.
    virtual Status switch_provider(const std::string& name, plugins::Provider& provider, std::shared_ptr<void> owner,
                                   uint64_t per_minute) = 0;
    // A rate of its own for an instance whose generation stays (0: the plugin's).
    virtual void set_rate(const std::string& name, uint64_t per_minute) = 0;
    // Why an instance has no generation yet, and whether only an operator can change that.
    virtual void not_started(const std::string& name, std::string reason, bool operator_must_act) = 0;
    // What the host saw of the credentials of an instance's generation in use.
    virtual void know(const std::string& name, plugins::HostFacts facts) = 0;
};

// All arguments live longer than the core. Reads and writes gate numbers in the storage.
Result<std::unique_ptr<Core>> make(const Options& options, plugins::Storage& storage, plugins::Queue& queue,
                                   std::vector<ProviderInstance> providers, Sender& sender, const Clock& clock,
                                   Log& log, Metrics& metrics);

// The engine as a Sender.
std::unique_ptr<Sender> engine_sender(http::Engine& engine);

}  // namespace belfry::delivery
