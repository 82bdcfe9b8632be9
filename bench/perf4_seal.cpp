// SPDX-License-Identifier: Apache-2.0
// PERF-4, one core: Web Push messages sealed per second through belfry.crypto/1, beside the floor under each of them:
// one multiplication of a subscription's point by a private number (EC_POINT_mul) and its x coordinate.
//
// Both are measured by CPU time of this thread, in turn, so that a busy machine harms them alike.
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <time.h>

#include <algorithm>
#include <belfry/services.hpp>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/clock.h"
#include "base/handles.h"
#include "fakes/service_host.h"

namespace {

constexpr size_t kSubscribers = 1000, kBatch = 64;  // 64: what plugins/webpush seals at once
constexpr size_t kPayloadBytes = 300;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Subscribers {
    explicit Subscribers(const belfry::Services& services) : payload(kPayloadBytes, 'x') {
        for (size_t i = 0; i < kSubscribers; ++i) {
            points.push_back(services.p256_key().public_point);
            auths.emplace_back(16, '\0');
            services.random(auths.back().data(), 16);
        }
        for (size_t i = 0; i < kSubscribers; ++i) {
            auto item = belfry::sized<belfry_seal_item>();
            item.p256dh = belfry::str(std::string_view(points[i]));
            item.auth = belfry::str(std::string_view(auths[i]));
            item.payload = belfry::str(std::string_view(payload));
            items.push_back(item);
        }
    }
    std::vector<std::string> points, auths;
    std::string payload;
    std::vector<belfry_seal_item> items;
};

// Messages per CPU second.
double seal_rate(const belfry::Services& services, const Subscribers& all, size_t messages, size_t& bytes) {
    const double began = cpu_seconds();
    size_t sealed = 0;
    while (sealed < messages) {
        const size_t first = sealed % (kSubscribers - kBatch);
        const std::vector<belfry_seal_item> batch(all.items.begin() + static_cast<std::ptrdiff_t>(first),
                                                  all.items.begin() + static_cast<std::ptrdiff_t>(first + kBatch));
        services.webpush_seal(batch, [&](const belfry_sealed& row) {
            if (row.code != BELFRY_OK) std::abort();
            bytes += row.body.n;
        });
        sealed += batch.size();
    }
    return static_cast<double>(sealed) / (cpu_seconds() - began);
}

// The baseline: ECDH by EC_POINT_mul with a point that was imported before.
class Multiplications {
public:
    explicit Multiplications(const std::string& encoded)
        : group_(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)),
          peer_(EC_POINT_new(group_.get())),
          product_(EC_POINT_new(group_.get())),
          scalar_(BN_new()),
          x_(BN_new()),
          numbers_(BN_CTX_new()) {
        const auto* bytes = static_cast<const unsigned char*>(static_cast<const void*>(encoded.data()));
        const bool ready = EC_POINT_oct2point(group_.get(), peer_.get(), bytes, encoded.size(), numbers_.get()) == 1 &&
                           BN_priv_rand_range(scalar_.get(), EC_GROUP_get0_order(group_.get())) == 1;
        if (!ready) std::abort();
    }
    double rate(size_t n) {
        const double began = cpu_seconds();
        for (size_t i = 0; i < n; ++i) {
            const bool done =
                EC_POINT_mul(group_.get(), product_.get(), nullptr, peer_.get(), scalar_.get(), numbers_.get()) == 1 &&
                EC_POINT_get_affine_coordinates(group_.get(), product_.get(), x_.get(), nullptr, numbers_.get()) == 1;
            if (!done) std::abort();
        }
        return static_cast<double>(n) / (cpu_seconds() - began);
    }

private:
    std::unique_ptr<EC_GROUP, belfry::FreeWith<EC_GROUP_free>> group_;
    std::unique_ptr<EC_POINT, belfry::FreeWith<EC_POINT_free>> peer_, product_;
    std::unique_ptr<BIGNUM, belfry::FreeWith<BN_clear_free>> scalar_, x_;
    std::unique_ptr<BN_CTX, belfry::FreeWith<BN_CTX_free>> numbers_;
};

}  // namespace

// perf4_seal ROUNDS MESSAGES: one line of JSON, medians over the rounds.
int main(int argc, char** argv) {
    const size_t rounds = argc > 1 ? static_cast<size_t>(std::strtoul(argv[1], nullptr, 10)) : 9;
    const size_t messages = argc > 2 ? static_cast<size_t>(std::strtoul(argv[2], nullptr, 10)) : 6400;
    if (rounds == 0 || messages == 0) return 2;
    const belfry::fakes::TestHost host;
    const belfry::Services services(host.abi());
    const Subscribers subscribers(services);
    Multiplications baseline(subscribers.points[0]);
    std::vector<double> ours, theirs, ratios;
    size_t bytes = 0;
    for (size_t i = 0; i < rounds; ++i) {
        theirs.push_back(baseline.rate(messages));
        ours.push_back(seal_rate(services, subscribers, messages, bytes));
        ratios.push_back(ours.back() / theirs.back());
    }
    const auto median = [](std::vector<double>& values) {
        std::ranges::sort(values);
        return values[values.size() / 2];
    };
    std::printf("{\"seals_per_s\": %.0f, \"baseline_per_s\": %.0f, \"ratio\": %.3f, \"mean_body_bytes\": %zu}\n",
                median(ours), median(theirs), median(ratios),
                bytes / (rounds * ((messages + kBatch - 1) / kBatch) * kBatch));
    return 0;
}
