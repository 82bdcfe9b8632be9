// SPDX-License-Identifier: Apache-2.0
// The executable specification of belfry.queue/1.
#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

std::string with_member(const Context& context, const std::string& member) {
    const size_t end = context.config.rfind('}');
    require(end != std::string::npos, "the configuration is a JSON object");
    const bool empty = context.config.find('"') == std::string::npos;
    const std::string config = context.config.substr(0, end) + (empty ? "" : ",") + member + "}";
    FakeHost host(context.directory + "/probe");
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

}  // namespace belfry::conformance::queue

int main(int argc, char** argv) {
    namespace queue = belfry::conformance::queue;
    std::vector<belfry::conformance::Case> cases;
    for (const auto topic :
         {queue::claim_cases(), queue::uid_cases(), queue::page_cases(), queue::crash_cases(), queue::broadcast_cases(),
          queue::time_cases(), queue::steer_cases(), queue::bundle_cases(), queue::fairness_cases(),
          queue::keeping_cases(), queue::trouble_cases(), queue::lifetime_cases()}) {
        cases.insert(cases.end(), topic.begin(), topic.end());
    }
    const belfry::conformance::Suite suite{"belfry.queue/1", R"({"path":"{dir}/queue.db"})", cases};
    return belfry::conformance::run_main(argc, argv, suite);
}
