// SPDX-License-Identifier: Apache-2.0
#include "queue/packing.h"

#include <belfry/services.hpp>

#include "queue/small_counters.h"

namespace belfry::queue_parts {

void Unpacker::too_short() {
    throw Refused(BELFRY_CORRUPT, {}, "a packed column of the queue ends early; restore the queue from a backup");
}

void Unpacker::out_of_range() {
    throw Refused(BELFRY_CORRUPT, {},
                  "a packed column of the queue has a number too large; restore the queue from a backup");
}

std::string entry_bytes(belfry_list list, size_t width) {
    std::string bytes;
    bytes.reserve(list.n * width);
    for (uint32_t i = 0; i < list.n; ++i) {
        bytes.append(static_cast<const char*>(list.p) + static_cast<size_t>(i) * list.stride, width);
    }
    return bytes;
}

void pack_tallies(Packer& out, const std::vector<Tally>& tallies) {
    out.number(static_cast<uint32_t>(tallies.size()));
    for (const Tally& tally : tallies) {
        out.number(tally.gate);
        out.number(tally.outcome);
        out.number(tally.n);
    }
}

std::vector<Tally> unpack_tallies(Unpacker& in) {
    std::vector<Tally> tallies;
    for (uint32_t left = in.number<uint32_t>(); left > 0; --left) {
        Tally tally;
        tally.gate = in.number<uint32_t>();
        tally.outcome = in.number<int32_t>();
        tally.n = in.number<int64_t>();
        tallies.push_back(tally);
    }
    return tallies;
}

void pack_samples(Packer& out, const std::vector<Sample>& samples) {
    out.number(static_cast<uint32_t>(samples.size()));
    for (const Sample& sample : samples) {
        out.number(sample.gate);
        out.number(sample.outcome);
        out.text(sample.text);
    }
}

std::vector<Sample> unpack_samples(Unpacker& in) {
    std::vector<Sample> samples;
    for (uint32_t left = in.number<uint32_t>(); left > 0; --left) {
        Sample sample;
        sample.gate = in.number<uint32_t>();
        sample.outcome = in.number<int32_t>();
        sample.text = in.text();
        samples.push_back(std::move(sample));
    }
    return samples;
}

void small_counters(Packer& out, const Counters& counters) {
    out.small(counters.planned);
    out.small(static_cast<int64_t>(counters.tallies.size()));
    for (const Tally& tally : counters.tallies) {
        out.small(tally.gate);
        out.small(tally.outcome);
        out.small(tally.n);
    }
    out.small(static_cast<int64_t>(counters.samples.size()));
    for (const Sample& sample : counters.samples) {
        out.small(sample.gate);
        out.small(sample.outcome);
        out.small_text(sample.text);
    }
}

Counters unpack_small_counters(Unpacker& in) {
    Counters counters;
    counters.planned = in.small();
    for (int64_t left = in.small(); left > 0; --left) {
        Tally& tally = counters.tallies.emplace_back();
        tally.gate = in.small_as<uint32_t>();
        tally.outcome = in.small_as<int32_t>();
        tally.n = in.small();
    }
    for (int64_t left = in.small(); left > 0; --left) {
        Sample& sample = counters.samples.emplace_back();
        sample.gate = in.small_as<uint32_t>();
        sample.outcome = in.small_as<int32_t>();
        sample.text = in.small_text();
    }
    return counters;
}

}  // namespace belfry::queue_parts
