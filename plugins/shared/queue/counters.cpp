// SPDX-License-Identifier: Apache-2.0
#include "queue/counters.h"

#include <algorithm>

namespace belfry::queue_parts {

namespace {

Tally* find(std::vector<Tally>& tallies, uint32_t gate, int32_t outcome) {
    for (Tally& tally : tallies) {
        if (tally.gate == gate && tally.outcome == outcome) return &tally;
    }
    return nullptr;
}

}  // namespace

Fingerprint fingerprint_of(std::string_view bytes) noexcept {
    Fingerprint fingerprint{};
    std::copy_n(bytes.begin(), std::min(bytes.size(), fingerprint.size()), fingerprint.begin());
    return fingerprint;
}

void Counters::add(uint32_t gate, int32_t outcome, int64_t n) {
    if (n == 0) return;
    if (Tally* tally = find(tallies, gate, outcome)) {
        tally->n += n;
    } else {
        tallies.push_back({gate, outcome, n});
    }
}

void Counters::subtract(uint32_t gate, int32_t outcome, int64_t n) {
    if (Tally* tally = find(tallies, gate, outcome)) tally->n = std::max<int64_t>(0, tally->n - n);
}

void Counters::keep_sample(uint32_t gate, int32_t outcome, std::string_view text) {
    if (samples.size() >= kSamplesMax) return;
    samples.push_back({gate, outcome, std::string(text.substr(0, kSampleBytesMax))});
}

int64_t Counters::settled() const {
    int64_t sum = 0;
    for (const Tally& tally : tallies) sum += tally.n;
    return sum;
}

}  // namespace belfry::queue_parts
