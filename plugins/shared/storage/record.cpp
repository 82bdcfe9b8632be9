// SPDX-License-Identifier: Apache-2.0
#include "storage/record.h"

#include <belfry/storage.h>

#include <algorithm>

#include "storage/packing.h"

namespace belfry::storage {

namespace {

constexpr char kDevice = 'D';
constexpr char kBinding = 'B';
constexpr char kState = 'K';
constexpr char kSequence = 'N';
constexpr int64_t kSequenceEnd = int64_t{1} << BELFRY_KEY_SEQUENCE_BITS;
constexpr size_t kHashBytes = 16;

void put_time(int64_t value, std::string& out) {
    put_number(static_cast<uint64_t>(value), out);
}

// Reads fields until one is missing; what follows is then empty.
class Fields {
public:
    explicit Fields(std::string_view bytes) : bytes_(bytes) {}
    bool good() const noexcept { return good_; }

    uint64_t number() {
        uint64_t value = 0;
        if (good_) good_ = take_number(bytes_, &value);
        return good_ ? value : 0;
    }
    int64_t time() { return static_cast<int64_t>(number()); }
    std::string_view text() {
        const uint64_t n = number();
        if (n > bytes_.size()) good_ = false;
        if (!good_) return {};
        const std::string_view text = bytes_.substr(0, n);
        bytes_.remove_prefix(n);
        return text;
    }
    // A number of things of at least one byte each.
    size_t count() {
        const uint64_t n = number();
        if (n > bytes_.size()) good_ = false;
        return good_ ? n : 0;
    }

private:
    std::string_view bytes_;
    bool good_ = true;
};

DeviceRecord device_of(Fields& fields) {
    DeviceRecord device;
    for (int64_t* number : {&device.key, &device.created, &device.updated, &device.registered}) *number = fields.time();
    device.variant = static_cast<uint32_t>(fields.number());
    for (std::string_view* text :
         {&device.provider, &device.token, &device.data, &device.user, &device.platform, &device.timezone,
          &device.locale, &device.meta, &device.token_hash, &device.identity_hash}) {
        *text = fields.text();
    }
    const size_t topics = fields.count();
    for (size_t i = 0; i < topics && fields.good(); ++i) {
        const std::string_view name = fields.text();
        device.topics.emplace_back(name, static_cast<uint32_t>(fields.number()));
    }
    return device;
}

BindingRecord binding_of(Fields& fields) {
    BindingRecord binding;
    binding.user = fields.text();
    const size_t topics = fields.count();
    for (size_t i = 0; i < topics && fields.good(); ++i) binding.topics.push_back(fields.text());
    return binding;
}

}  // namespace

void encode_record(const DeviceRecord& device, std::string& out) {
    out.push_back(kDevice);
    for (const int64_t number : {device.key, device.created, device.updated, device.registered}) put_time(number, out);
    put_number(device.variant, out);
    for (const std::string_view text :
         {device.provider, device.token, device.data, device.user, device.platform, device.timezone, device.locale,
          device.meta, device.token_hash, device.identity_hash}) {
        put_text(text, out);
    }
    // In one order whatever the storage keeps them in, so that equal devices make equal records.
    auto topics = device.topics;
    std::sort(topics.begin(), topics.end());
    put_number(topics.size(), out);
    for (const auto& [name, origins] : topics) {
        put_text(name, out);
        put_number(origins, out);
    }
}

void encode_record(const BindingRecord& binding, std::string& out) {
    out.push_back(kBinding);
    put_text(binding.user, out);
    auto topics = binding.topics;
    std::sort(topics.begin(), topics.end());
    put_number(topics.size(), out);
    for (const std::string_view topic : topics) put_text(topic, out);
}

void encode_record(const StateRecord& state, std::string& out) {
    out.push_back(kState);
    put_text(state.key, out);
    put_time(state.version, out);
    put_text(state.value, out);
}

void encode_record(const SequenceRecord& sequence, std::string& out) {
    out.push_back(kSequence);
    put_time(sequence.next, out);
}

Record decode_record(std::string_view bytes) {
    if (bytes.empty()) return {};
    Fields fields(bytes.substr(1));
    Record record;
    if (bytes.front() == kDevice) {
        DeviceRecord device = device_of(fields);
        if (device.token_hash.size() != kHashBytes || device.identity_hash.size() != kHashBytes) return {};
        record = std::move(device);
    } else if (bytes.front() == kBinding) {
        record = binding_of(fields);
    } else if (bytes.front() == kState) {
        StateRecord state;
        state.key = fields.text();
        state.version = fields.time();
        state.value = fields.text();
        record = state;
    } else if (bytes.front() == kSequence) {
        const SequenceRecord sequence{fields.time()};
        if (sequence.next < 0 || sequence.next > kSequenceEnd) return {};
        record = sequence;
    }
    return fields.good() ? record : Record{};
}

}  // namespace belfry::storage
