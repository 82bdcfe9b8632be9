// SPDX-License-Identifier: Apache-2.0
// Gauges that are read rather than kept: the backlog, and the state of each provider. Also the push metrics under the
// names that Centrifugo PRO publishes, as far as ours say the same.
//
// Threads: as MetricRegistry::before_exposition.
#pragma once

#include "base/clock.h"
#include "delivery/delivery.h"
#include "telemetry/metric_registry.h"

namespace belfry::serve {

// `delivery` must live until no exposition is asked for any more.
void define_live_metrics(telemetry::MetricRegistry& registry, delivery::Delivery& delivery, const Clock& clock);

}  // namespace belfry::serve
