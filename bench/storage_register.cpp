// SPDX-License-Identifier: Apache-2.0
// What registering costs at the storage ABI, without HTTP: new devices of one topic in batches of a size. Batches are
// made from devices in the order of their keys' prefixes if SORTED is given, as an import that sorts would do.
//
// storage_register STORAGE_SQLITE.so DEVICES BATCH [sorted] [DIRECTORY]: prints one line of JSON.
#include <belfry/storage.h>
#include <unistd.h>

#include <belfry/abi.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/runner/plugin.h"

namespace {

using belfry::conformance::FakeHost;
using belfry::conformance::Instance;
using Clock = std::chrono::steady_clock;

constexpr size_t kTokenBytes = 152;  // an FCM token of today

double cpu_now_s() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

uint64_t mixed(uint64_t i) {
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;
    x ^= x >> 31U;
    x *= 0xbf58476d1ce4e5b9ULL;
    return x ^ (x >> 29U);
}

uint32_t prefix_of(uint64_t i) {
    return static_cast<uint32_t>(mixed(i) & 0xffU);
}

// A device with all that its row points to.
struct Phone {
    std::string token, user;
    belfry_str topic{"news", 4};
    belfry_registration row;

    void become(uint64_t i) {
        token = "ok-" + std::to_string(i);
        token.resize(kTokenBytes, 'x');
        user = "user-" + std::to_string(i);
        row = belfry::sized<belfry_registration>();
        row.key = -1;
        row.prefix = prefix_of(i);
        const uint64_t hash[2] = {mixed(i), mixed(i + 77)};
        std::memcpy(row.identity_hash, hash, sizeof hash);
        std::memcpy(row.token_hash, hash, sizeof hash);
        row.provider = belfry_str{"fcm", 3};
        row.platform = belfry_str{"android", 7};
        row.token = belfry::str(std::string_view(token));
        row.user = belfry::str(std::string_view(user));
        row.topics = belfry::one_row(topic);
    }
};

size_t register_batch(const belfry_storage& table, belfry_instance* instance, std::vector<belfry_registration>& rows) {
    belfry_why why{};
    size_t done = 0;
    const belfry_code code = belfry::collect<belfry_registered>(
        [&](belfry_emit emit, void* ctx) {
            return table.register_devices(instance, belfry_str{"default", 7}, belfry::list_of(rows), emit, ctx, &why);
        },
        [&](const belfry_registered& row) { done += row.code == BELFRY_OK ? 1 : 0; });
    if (code != BELFRY_OK) throw std::runtime_error(static_cast<const char*>(why.text));
    return done;
}

void run(const std::string& plugin, size_t devices, size_t batch, bool sorted, const std::string& directory) {
    FakeHost host(directory + "/state");
    Instance instance(host, plugin, "{\"path\":\"" + directory + "/storage.db\"}", BELFRY_STORAGE_ID);
    const auto& table = *static_cast<const belfry_storage*>(instance.interface_table());
    std::vector<uint64_t> order(devices);
    std::iota(order.begin(), order.end(), 0);
    const auto start = Clock::now();
    const double cpu = cpu_now_s();
    if (sorted)
        std::stable_sort(order.begin(), order.end(), [](auto a, auto b) { return prefix_of(a) < prefix_of(b); });
    std::vector<Phone> phones(batch);
    std::vector<belfry_registration> rows;
    size_t done = 0;
    for (size_t at = 0; at < devices; at += batch) {
        rows.clear();
        for (size_t i = at; i < std::min(devices, at + batch); ++i) {
            phones[i - at].become(order[i]);
            rows.push_back(phones[i - at].row);
        }
        done += register_batch(table, instance.get(), rows);
    }
    if (done != devices) throw std::runtime_error("not every device was registered");
    const double wall_s = std::chrono::duration<double>(Clock::now() - start).count();
    const auto n = static_cast<double>(devices);
    std::printf("{\"scenario\": \"storage_register\", \"devices\": %zu, \"batch\": %zu, \"sorted\": %s, ", devices,
                batch, sorted ? "true" : "false");
    std::printf("\"registered_per_s\": %.0f, \"cpu_us\": %.2f, \"seconds\": %.1f}\n", n / wall_s,
                (cpu_now_s() - cpu) / n * 1e6, wall_s);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: %s STORAGE_SQLITE.so DEVICES BATCH [sorted] [DIRECTORY]\n", argv[0]);
        return 2;
    }
    std::string parent = argc > 5 ? argv[5] : std::filesystem::temp_directory_path().string();
    std::string directory = parent + "/belfry-register-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) return 1;
    int result = 0;
    try {
        run(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10),
            argc > 4 && std::string(argv[4]) == "sorted", directory);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "storage_register: %s\n", error.what());
        result = 1;
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return result;
}
