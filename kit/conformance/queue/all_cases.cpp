// SPDX-License-Identifier: Apache-2.0
// The executable specification of belfry.queue/1: what every queue plugin must do, whatever it is built on.
#include "conformance/queue/cases.h"
#include "conformance/queue/dump_cases.h"
#include "conformance/queue/limits.h"

namespace belfry::conformance::queue {

std::string with_member(const Context& context, const std::string& member) {
    const size_t end = context.config.rfind('}');
    require(end != std::string::npos, "the configuration is a JSON object");
    const bool empty = context.config.find('"') == std::string::npos;
    const std::string config = context.config.substr(0, end) + (empty ? "" : ",") + member + "}";
    FakeHost host(context, "probe");
    belfry_why why{};
    const belfry_code code = Instance::try_start(host, context.plugin, config, &why);
    if (code == BELFRY_CONFIG || code == BELFRY_BAD_REQUEST) skip("the plugin does not take " + member);
    return config;
}

std::vector<Claimed> drain(Queue& queue, const std::vector<uint32_t>& gates) {
    std::vector<Claimed> all;
    for (int32_t lane = BELFRY_LANE_HIGH; lane <= BELFRY_LANE_LOW; ++lane) {
        for (;;) {
            const std::vector<Claimed> claimed = queue.claim(lane, 64, gates);
            if (claimed.empty()) break;
            for (const Claimed& one : claimed) {
                const Paged paged = queue.finish(one);
                require(paged.code == BELFRY_OK || paged.code == BELFRY_STOPPED, "a claimed item can be finished");
                all.push_back(one);
            }
        }
    }
    return all;
}

std::vector<Case> all_queue_cases() {
    std::vector<Case> cases;
    for (const auto topic : {claim_cases(), uid_cases(), page_cases(), crash_cases(), broadcast_cases(), time_cases(),
                             steer_cases(), bundle_cases(), fairness_cases(), keeping_cases(), dump_cases(),
                             trouble_cases(), lifetime_cases(), limit_cases()}) {
        cases.insert(cases.end(), topic.begin(), topic.end());
    }
    return cases;
}

}  // namespace belfry::conformance::queue
