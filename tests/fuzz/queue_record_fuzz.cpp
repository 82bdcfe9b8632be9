// SPDX-License-Identifier: Apache-2.0
// Records of a queue's dump, as another version or a damaged file would give them: refused by name, or read and written
// again as they were. Input: the kind, then the fields; magic, version and checksum are put around them.
#include <belfry/services.hpp>
#include <string>
#include <variant>

#include "fuzz/fuzz.h"
#include "queue/record.h"

namespace {

using belfry::fuzz::require;
namespace queue = belfry::queue_parts;

// Bit by bit: the code under test has a table.
uint32_t crc32_of(const std::string& bytes) {
    uint32_t sum = ~uint32_t{0};
    for (const char byte : bytes) {
        sum ^= static_cast<uint8_t>(byte);
        for (int bit = 0; bit < 8; ++bit) sum = (sum & 1) != 0 ? sum >> 1 ^ 0xEDB88320u : sum >> 1;
    }
    return ~sum;
}

void try_record(const std::string& bytes) {
    try {
        const queue::Record record = queue::decode_record(bytes, 3);
        const std::string once = std::visit([](const auto& one) { return queue::encode_record(one); }, record);
        const queue::Record back = queue::decode_record(once, 0);
        require(std::visit([](const auto& one) { return queue::encode_record(one); }, back) == once);
        if (const auto* bundle = std::get_if<queue::BundleRecord>(&record)) {
            queue::BundleBuilder builder = queue::content_of(*bundle, [](std::string_view) { return 1u; });
            const std::string content = builder.take_content();
            require(queue::read_members(content).size() == bundle->members.size());
        }
    } catch (const belfry::Refused& refused) {
        require(refused.code() == BELFRY_BAD_REQUEST && refused.where() == "records[3]" && refused.what()[0] != '\0');
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string input(belfry::fuzz::text_of(data, size));
    try_record(input);
    std::string whole = "BQ\x01" + input;
    const uint32_t sum = crc32_of(whole);
    for (int shift = 0; shift < 32; shift += 8) whole.push_back(static_cast<char>(sum >> shift));
    try_record(whole);
    return 0;
}
