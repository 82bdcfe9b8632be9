// SPDX-License-Identifier: Apache-2.0
// What an import holds is what is counted for it: the live bytes of operator new while it runs over a real registry
// whose storage keeps nothing. Replaces operator new.
#include <belfry/storage.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <belfry/abi.hpp>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

#include "api/api_fakes.h"
#include "api/device_import.h"
#include "audience/registry.h"

namespace {

std::atomic<int64_t> live{0}, most{0};

void* counted(size_t bytes) {
    void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
    if (memory == nullptr) throw std::bad_alloc();
    const auto held = static_cast<int64_t>(malloc_usable_size(memory));
    const int64_t now = live.fetch_add(held) + held;
    for (int64_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    return memory;
}
void freed(void* memory) noexcept {
    live.fetch_sub(static_cast<int64_t>(malloc_usable_size(memory)));
    std::free(memory);
}

}  // namespace

void* operator new(size_t bytes) {
    return counted(bytes);
}
void* operator new[](size_t bytes) {
    return counted(bytes);
}
// std::stable_sort's buffer, by which an allocator that tells apart how memory was got would be misled.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
    try {
        return counted(bytes);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept {
    freed(memory);
}
void operator delete[](void* memory) noexcept {
    freed(memory);
}
void operator delete(void* memory, size_t) noexcept {
    freed(memory);
}
void operator delete[](void* memory, size_t) noexcept {
    freed(memory);
}

namespace belfry::api {
namespace {

belfry_code register_devices(belfry_instance*, belfry_str, belfry_list rows, belfry_emit emit, void* ctx, belfry_why*) {
    for (uint32_t i = 0; i < rows.n; ++i) {
        belfry_registered answer = sized<belfry_registered>();
        answer.index = i;
        answer.key = i;
        static_cast<void>(emit(ctx, one_row(answer)));
    }
    return BELFRY_OK;
}
// The wire names that have a number.
belfry_code kv_get(belfry_instance*, belfry_str key, belfry_emit emit, void* ctx, belfry_why*) {
    belfry_kv row = sized<belfry_kv>();
    row.key = key;
    row.value = str(std::string_view("fcm\n"));
    row.version = 1;
    static_cast<void>(emit(ctx, one_row(row)));
    return BELFRY_OK;
}
belfry_code kv_cas(belfry_instance*, const belfry_kv*, belfry_why*) {
    return BELFRY_OK;
}
belfry_code update_user_topics(belfry_instance*, belfry_str, belfry_list changes, belfry_emit emit, void* ctx,
                               belfry_why*) {
    for (uint32_t i = 0; i < changes.n; ++i) {
        belfry_item_result row = sized<belfry_item_result>();
        row.index = i;
        static_cast<void>(emit(ctx, one_row(row)));
    }
    return BELFRY_OK;
}

class PlainTokens final : public audience::TokenCheck {
public:
    Result<plugins::CheckedToken> check(const std::string&, std::string_view, std::string_view token) override {
        return plugins::CheckedToken{std::string(token), std::string(token), {}, 0};
    }
};

class ImportMemory : public testing::Test {
protected:
    static belfry_storage table() {
        belfry_storage made = sized<belfry_storage>();
        made.register_devices = register_devices;
        made.kv_get = kv_get;
        made.kv_cas = kv_cas;
        made.update_user_topics = update_user_topics;
        return made;
    }
    // Imports `n` lines and answers the most that was held at once.
    int64_t most_held(size_t n, const std::function<std::string(size_t)>& line) {
        audience::Registry registry(storage_, tokens_, log_, metrics_);
        const App app = ApiBench::app("default");
        std::string lines;
        const int64_t before = live;
        most = before;
        {
            DeviceImport import(app, registry);
            for (size_t i = 0; i < n; ++i) {
                lines = line(i);
                if (import.take(lines)) ADD_FAILURE() << "ended at line " << i;
            }
            const auto result = import.finish();
            EXPECT_TRUE(std::holds_alternative<std::string>(result));
            EXPECT_NE(std::get<std::string>(result).find("\"lines\":" + std::to_string(n)), std::string::npos);
        }
        return most - before;
    }
    const belfry_storage table_ = table();
    plugins::Faults faults_{"storage"};
    plugins::Storage storage_{&table_, nullptr, faults_};
    PlainTokens tokens_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
};

std::string named(const std::string& name, size_t i) {
    std::string number = std::to_string(i);
    return name + std::string(8 - number.size(), '0') + number;
}

struct Shape {
    const char* name;
    size_t lines;
    std::function<std::string(size_t)> line;
};

TEST_F(ImportMemory, IsWhatIsCountedForItWhateverTheLinesAre) {
    const std::string topic_list = [] {
        std::string out;
        for (int i = 0; i < 1000; ++i) out += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\"";
        return out;
    }();
    const std::string begin = R"({"provider":"fcm","token":")";
    const Shape shapes[] = {
        {"usual", 4 * kImportBatchLines,
         [&](size_t i) {
             return begin + named("token-", i) + std::string(142, 't') + R"(","platform":"android","user":"user-)" +
                    std::to_string(i) + R"(","topics":["news","sport"],"timezone":"Europe/Berlin","locale":"de"})" +
                    "\n";
         }},
        {"short", 4 * kImportBatchLines, [&](size_t i) { return begin + named("t", i) + "\"}\n"; }},
        {"long tokens", kImportBatchLines,
         [&](size_t i) { return begin + named("t", i) + std::string(4000, 't') + "\"}\n"; }},
        {"topics", kImportBatchLines / 2,
         [&](size_t i) { return begin + named("t", i) + R"(","topics":[)" + topic_list + "]}\n"; }},
        {"bindings", 3 * kImportBindings,
         [&](size_t i) {
             return R"({"user_topic_update":{"user":")" + named("u", i) + R"(","op":"set","topics":[)" + topic_list +
                    "]}}\n";
         }},
        {"errors", 2 * kImportErrorsMax, [&](size_t i) { return "{\"" + named("x", i) + "\":1}\n"; }},
    };
    for (const Shape& shape : shapes) {
        const int64_t held = most_held(shape.lines, shape.line);
        RecordProperty(shape.name, std::to_string(held));
        EXPECT_LE(held, kImportMemory) << shape.name;
    }
}

}  // namespace
}  // namespace belfry::api
