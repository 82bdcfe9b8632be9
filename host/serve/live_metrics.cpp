// SPDX-License-Identifier: Apache-2.0
#include "serve/live_metrics.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace belfry::serve {

namespace {

using telemetry::MetricRegistry;

// The final outcomes that a provider's delivery can have, as in deliveries_total.
constexpr std::array kOutcomes{"accepted",    "gone",         "refused",     "expired",
                               "cancelled",   "rate_limited", "no_timezone", "skipped_no_payload",
                               "unsupported", "internal",     "dead"};
constexpr std::array kLanes{"high", "normal", "low"};

struct LaneGauges {
    Metric& ready;
    Metric& claimed;
    Metric& waits;
    Metric& published_lag;
};

LaneGauges lane_gauges(MetricRegistry& registry, const std::string& lane) {
    return {registry.gauge("queue_items", "Work items in the queue", {{"lane", lane}, {"state", "ready"}}),
            registry.gauge("queue_items", "Work items in the queue", {{"lane", lane}, {"state", "claimed"}}),
            registry.gauge("queue_oldest_ready_seconds", "How long the oldest claimable work item has waited",
                           {{"lane", lane}}),
            registry.gauge("push_queue_consuming_lag", "How long the oldest claimable work item has waited, seconds",
                           {{"provider", ""}, {"queue", lane}})};
}

class QueueGauges {
public:
    explicit QueueGauges(MetricRegistry& registry)
        : delayed_(registry.gauge("queue_items_delayed", "Work items due later")),
          parked_(registry.gauge("queue_items_parked", "Work items of paused pushes")),
          dead_(registry.gauge("queue_dead_letters", "Work items given up and not replayed")),
          running_(registry.gauge("queue_pushes", "Pushes that are not final", {{"state", "running"}})),
          waiting_(registry.gauge("queue_pushes", "Pushes that are not final", {{"state", "delayed"}})),
          bytes_(registry.gauge("queue_store_bytes", "Size of the queue's store")),
          answered_(registry.gauge("queue_stats_ok", "1 if the queue answered; otherwise its other numbers are old")) {
        for (const char* lane : kLanes) lanes_.push_back(lane_gauges(registry, lane));
    }

    void set(const Result<delivery::QueueStats>& stats, int64_t now_unix_ms) {
        answered_.set(stats ? 1 : 0);
        if (!stats) return;
        const std::array of{&stats->high, &stats->normal, &stats->low};
        for (size_t i = 0; i < lanes_.size(); ++i) {
            const int64_t since = of[i]->oldest_ready_unix_ms;
            const double waited =
                since == 0 ? 0 : static_cast<double>(std::max<int64_t>(0, now_unix_ms - since)) / 1000;
            lanes_[i].ready.set(static_cast<double>(of[i]->ready));
            lanes_[i].claimed.set(static_cast<double>(of[i]->claimed));
            lanes_[i].waits.set(waited);
            lanes_[i].published_lag.set(waited);
        }
        delayed_.set(static_cast<double>(stats->delayed));
        parked_.set(static_cast<double>(stats->parked));
        dead_.set(static_cast<double>(stats->dead));
        running_.set(static_cast<double>(stats->running_pushes));
        waiting_.set(static_cast<double>(stats->delayed_pushes));
        bytes_.set(static_cast<double>(stats->store_bytes));
    }

private:
    std::vector<LaneGauges> lanes_;
    Metric &delayed_, &parked_, &dead_, &running_, &waiting_, &bytes_, &answered_;
};

// Defines and sets: providers are few, and known only once delivery runs.
void set_provider(MetricRegistry& registry, const delivery::ProviderStatus& provider) {
    const MetricLabels labels{{"provider", provider.name}};
    registry.gauge("provider_in_flight", "Deliveries between claim and verdict", labels).set(provider.in_flight);
    registry.gauge("provider_connections", "Connections open to the provider's hosts", labels)
        .set(static_cast<double>(std::max<int64_t>(0, provider.connections)));
    registry.gauge("provider_pace_per_minute", "Deliveries that may be sent per minute; 0 = no limit", labels)
        .set(static_cast<double>(provider.per_minute));
    registry.gauge("provider_needs_operator", "1 while only an operator can make it go on", labels)
        .set(provider.operator_must_act ? 1 : 0);
    registry.gauge("provider_deletions_stopped", "1 while nearly every device looks dead and none is deleted", labels)
        .set(provider.deletions_stopped ? 1 : 0);
    registry.gauge("provider_origins_in_trouble", "Push services behind it that are paused or not believed", labels)
        .set(static_cast<double>(provider.origins.size()));
    registry.gauge("provider_platforms_refused", "Platforms whose credential behind it is refused", labels)
        .set(static_cast<double>(provider.platforms.size()));
    const delivery::CredentialReport& credentials = provider.credentials;
    registry.gauge("provider_notices", "What will stop it some day, see /health", labels)
        .set(static_cast<double>(credentials.notices.size()));
    if (credentials.certificate_valid_ms) {
        registry
            .gauge("provider_certificate_valid_seconds", "For how long its client certificate is still good", labels)
            .set(static_cast<double>(*credentials.certificate_valid_ms) / 1000);
    }
    if (credentials.clock_skew_ms) {
        registry.gauge("provider_clock_skew_seconds", "This machine's clock minus the provider's", labels)
            .set(static_cast<double>(*credentials.clock_skew_ms) / 1000);
    }
    if (provider.credential_valid_ms >= 0) {
        registry.gauge("provider_credential_valid_seconds", "For how long its credential is still good", labels)
            .set(static_cast<double>(provider.credential_valid_ms) / 1000);
    }
    registry
        .gauge("push_consuming_inflight_jobs", "Deliveries between claim and verdict",
               {{"provider", provider.name}, {"queue", ""}})
        .set(provider.in_flight);
    for (const char* outcome : kOutcomes) {
        const bool accepted = std::string_view(outcome) == "accepted";
        const double n = registry
                             .counter("deliveries_total", "Deliveries that ended, by outcome",
                                      {{"provider", provider.name}, {"outcome", outcome}})
                             .get();
        registry
            .counter("push_notification_count", "Deliveries that ended",
                     {{"provider", provider.name},
                      {"recipient_type", ""},
                      {"platform", ""},
                      {"success", accepted ? "true" : "false"},
                      {"err_code", accepted ? "" : outcome}})
            .set(n);
    }
}

}  // namespace

void define_live_metrics(MetricRegistry& registry, delivery::Delivery& delivery, const Clock& clock) {
    registry.before_exposition([gauges = QueueGauges(registry), &registry, &delivery, &clock]() mutable {
        gauges.set(delivery.queue_stats(), clock.unix_ms());
        for (const delivery::ProviderStatus& provider : delivery.providers()) set_provider(registry, provider);
    });
}

}  // namespace belfry::serve
