// SPDX-License-Identifier: Apache-2.0
#include "check/catalogue.h"

#include "conformance/queue/cases.h"
#include "conformance/storage/cases.h"
#include "contract/cases.h"
#include "provider/cases.h"

namespace belfry::kit {

namespace {

using conformance::Case;

void append(std::vector<Case>& to, std::span<const Case> part) {
    to.insert(to.end(), part.begin(), part.end());
}

}  // namespace

std::vector<Case> contract_cases(plugins::Kind kind) {
    std::vector<Case> cases;
    append(cases, life_cases());
    append(cases, config_cases());
    if (kind == plugins::Kind::Storage) append(cases, storage_cases());
    if (kind == plugins::Kind::Queue) append(cases, queue_cases());
    if (kind == plugins::Kind::Provider) append(cases, provider_cases());
    return cases;
}

std::vector<Case> conformance_cases(plugins::Kind kind) {
    std::vector<Case> cases;
    if (kind == plugins::Kind::Storage) append(cases, conformance::all_storage_cases());
    if (kind == plugins::Kind::Queue) append(cases, conformance::queue::all_queue_cases());
    if (kind == plugins::Kind::Provider) {
        for (const auto part : {token_cases(), content_cases(), answer_cases(), credential_cases(), encode_cases()})
            append(cases, part);
    }
    return cases;
}

}  // namespace belfry::kit
