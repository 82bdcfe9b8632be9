// SPDX-License-Identifier: Apache-2.0
// From a request to a durable push: check its payloads with their providers, plan its audience, store it.
//
// Threads: [any], blocks for storage reads (users) only.
// Owner: the delivery core.
#pragma once

#include "delivery/batcher.h"
#include "delivery/delivery.h"
#include "delivery/gates.h"
#include "delivery/push_body.h"
#include "plugins/storage.h"

namespace belfry::delivery {

Error not_an_instance(const std::string& name, std::string where);
// Only the instance can say what a token of its is.
Error tokens_need(const std::string& name);

class Acceptor {
public:
    Acceptor(plugins::Storage& storage, plugins::Queue& queue, Gates& gates, Batcher& batcher, const Clock& clock,
             Metrics& metrics);

    void accept(const PushRequest& request, Delivery::AcceptDone done);

private:
    // The push being made.
    struct Draft {
        const PushRequest& request;
        PushBody body;
        NewPush push;
        uint32_t recipients = 0;  // devices or tokens; 0 for a slice
    };
    Status plan(Draft& draft);
    Result<Accepted> verdict(std::string&& uid, const Result<belfry_enqueued>& stored);
    Status check_payloads(const PushRequest& request, int32_t kind, std::string_view target) const;
    Status plan_audience(Draft& draft);
    Status plan_filter(Draft& draft, const Filter& filter);
    Status plan_keys(Draft& draft, std::vector<int64_t>&& keys, uint32_t gate);
    Status plan_users(Draft& draft, uint32_t gate);
    Status plan_tokens(Draft& draft, const RawTokens& tokens);
    Status plan_native(Draft& draft, const NativeTarget& target);
    Result<std::vector<int64_t>> keys_of_users(const std::string& app, const std::vector<std::string>& users);
    Status pass_fields(Draft& draft);
    uint32_t only_gate(const PushRequest& request) const;

    plugins::Storage& storage_;
    plugins::Queue& queue_;
    Gates& gates_;
    Batcher& batcher_;
    const Clock& clock_;
    Metric& accepted_;
    Metric& duplicates_;
};

}  // namespace belfry::delivery
