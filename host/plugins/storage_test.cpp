// SPDX-License-Identifier: Apache-2.0
#include "plugins/storage.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

// A storage in a test's memory, driven through the C table like a real plugin.
struct belfry_instance {
    std::vector<belfry_device> devices;
    std::map<std::string, std::pair<int64_t, std::string>, std::less<>> kv;
    std::string seen_app;
    int64_t scan_step = 1;
};

namespace belfry::plugins {
namespace {

belfry_code scan(belfry_instance* self, const belfry_scan* what, belfry_emit emit, void* ctx, int64_t* cursor,
                 int32_t* end, belfry_why*) {
    self->seen_app = text(what->app);
    uint32_t n = 0;
    for (const belfry_device& device : self->devices) {
        if (device.key <= what->after || device.key >= what->hi) continue;
        if (n++ == what->want) return BELFRY_OK;
        *cursor = device.key + self->scan_step - 1;
        if (emit(ctx, one_row(device)) != 0) return BELFRY_OK;
    }
    *end = 1;
    return BELFRY_OK;
}
belfry_code stuck_scan(belfry_instance*, const belfry_scan*, belfry_emit, void*, int64_t*, int32_t*, belfry_why*) {
    return BELFRY_OK;
}
belfry_code fetch(belfry_instance* self, belfry_str, int32_t by, belfry_list values, uint32_t, uint32_t, int64_t,
                  belfry_emit emit, void* ctx, belfry_why*) {
    EXPECT_EQ(by, BELFRY_BY_KEY);
    uint32_t index = 0;
    for (const int64_t key : Rows<int64_t>(values)) {
        for (belfry_device device : self->devices) {
            device.index = index;
            if (device.key == key && emit(ctx, one_row(device)) != 0) return BELFRY_OK;
        }
        ++index;
    }
    belfry_device foreign = sized<belfry_device>();
    foreign.index = values.n;
    static_cast<void>(emit(ctx, one_row(foreign)));
    return BELFRY_OK;
}
belfry_code list_devices(belfry_instance* self, belfry_str, const belfry_selection*, const belfry_paging* paging,
                         belfry_emit emit, void* ctx, belfry_page_end* end, belfry_why*) {
    for (uint32_t i = 0; i < paging->limit && i < self->devices.size(); ++i)
        static_cast<void>(emit(ctx, one_row(self->devices[i])));
    end->more = self->devices.size() > paging->limit ? 1 : 0;
    end->total = static_cast<int64_t>(self->devices.size());
    std::fill(std::begin(end->cursor), std::end(end->cursor), 'c');  // not terminated
    return BELFRY_OK;
}
belfry_code kv_get(belfry_instance* self, belfry_str key, belfry_emit emit, void* ctx, belfry_why*) {
    const auto found = self->kv.find(view(key));
    if (found == self->kv.end()) return BELFRY_OK;
    belfry_kv row = sized<belfry_kv>();
    row.key = key;
    row.value = str(found->second.second);
    row.version = found->second.first;
    static_cast<void>(emit(ctx, one_row(row)));
    return BELFRY_OK;
}
belfry_code kv_cas(belfry_instance* self, const belfry_kv* kv, belfry_why* why) {
    auto& slot = self->kv[text(kv->key)];
    if (slot.first != kv->version) return because(why, BELFRY_CONFLICT, "version", "stored version differs");
    if (kv->value.p == nullptr) {
        self->kv.erase(text(kv->key));
    } else {
        slot = {kv->version + 1, text(kv->value)};
    }
    return BELFRY_OK;
}

belfry_storage a_table() {
    belfry_storage table = sized<belfry_storage>();
    table.scan = scan;
    table.fetch = fetch;
    table.list_devices = list_devices;
    table.kv_get = kv_get;
    table.kv_cas = kv_cas;
    return table;
}
belfry_device a_device(int64_t key) {
    belfry_device device = sized<belfry_device>();
    device.key = key;
    return device;
}
belfry_scan a_scan(int64_t after, int64_t hi, uint32_t want) {
    belfry_scan what = sized<belfry_scan>();
    what.after = after;
    what.hi = hi;
    what.want = want;
    what.app = str("shop");
    return what;
}

class StorageTest : public ::testing::Test {
protected:
    belfry_instance memory_;
    Faults faults_{"storage"};
};

TEST_F(StorageTest, ScansPageByPageUntilTheEnd) {
    for (int64_t key : {3, 5, 8, 13}) memory_.devices.push_back(a_device(key));
    const belfry_storage table = a_table();
    Storage storage(&table, &memory_, faults_);
    std::vector<int64_t> keys;
    int64_t after = -1;
    int pages = 0;
    for (bool end = false; !end; ++pages) {
        ASSERT_LT(pages, 10);
        const Result<ScanEnd> page =
            storage.scan(a_scan(after, 10, 2), [&](const belfry_device& d) { keys.push_back(d.key); });
        ASSERT_TRUE(page);
        after = page->cursor;
        end = page->end;
    }
    EXPECT_EQ(keys, (std::vector<int64_t>{3, 5, 8}));
    EXPECT_EQ(memory_.seen_app, "shop");
}

TEST_F(StorageTest, RefusesAScanThatDoesNotAdvance) {
    belfry_storage table = a_table();
    table.scan = stuck_scan;
    Storage storage(&table, &memory_, faults_);
    const Result<ScanEnd> page = storage.scan(a_scan(7, 10, 2), [](const belfry_device&) {});
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::Internal);
    EXPECT_EQ(faults_.of(Fault::NotAdvancing), 1u);
}

TEST_F(StorageTest, DropsFetchedRowsThatAnswerNoValue) {
    memory_.devices = {a_device(4), a_device(6)};
    const belfry_storage table = a_table();
    Storage storage(&table, &memory_, faults_);
    std::vector<std::pair<uint32_t, int64_t>> got;
    const std::array<int64_t, 3> keys = {6, 5, 4};
    const Status status =
        storage.fetch_keys("shop", keys, 1, 0, 0, [&](const belfry_device& d) { got.emplace_back(d.index, d.key); });
    EXPECT_TRUE(status);
    EXPECT_EQ(got, (std::vector<std::pair<uint32_t, int64_t>>{{0, 6}, {2, 4}}));
    EXPECT_EQ(faults_.of(Fault::ForeignRow), 1u);
}

TEST_F(StorageTest, ReadsAnUnterminatedCursorWithinItsBuffer) {
    memory_.devices = {a_device(1), a_device(2), a_device(3)};
    const belfry_storage table = a_table();
    Storage storage(&table, &memory_, faults_);
    belfry_paging paging = sized<belfry_paging>();
    paging.limit = 2;
    const belfry_selection all = sized<belfry_selection>();
    int rows = 0;
    const Result<ListEnd> end = storage.list_devices("shop", all, paging, [&](const belfry_device&) { ++rows; });
    ASSERT_TRUE(end);
    EXPECT_EQ(rows, 2);
    EXPECT_TRUE(end->more);
    EXPECT_EQ(end->total, 3);
    EXPECT_EQ(end->cursor, std::string(256, 'c'));
}

TEST_F(StorageTest, KeepsEmptyValuesApartFromDeletion) {
    const belfry_storage table = a_table();
    Storage storage(&table, &memory_, faults_);
    EXPECT_EQ(storage.kv_get("k")->version, 0);
    EXPECT_TRUE(storage.kv_put("k", std::string_view{}, 0));
    EXPECT_EQ(storage.kv_get("k")->version, 1);
    EXPECT_TRUE(storage.kv_put("k", "v2", 1));
    EXPECT_EQ(storage.kv_get("k")->value, "v2");
    const Status lost = storage.kv_put("k", "v3", 1);
    EXPECT_EQ(lost.error().code, ErrorCode::Conflict);
    EXPECT_TRUE(storage.kv_delete("k", 2));
    EXPECT_EQ(storage.kv_get("k")->version, 0);
}

TEST_F(StorageTest, AnswersUnsupportedForWhatAnOlderPluginDoesNotHave) {
    belfry_storage table = a_table();
    table.backup = [](belfry_instance*, belfry_str, belfry_why*) -> belfry_code { return BELFRY_OK; };
    table.size = offsetof(belfry_storage, backup);  // built before backup existed
    Storage storage(&table, &memory_, faults_);
    EXPECT_EQ(storage.backup("/copy").error().code, ErrorCode::Unsupported);
    EXPECT_EQ(storage.count("shop", sized<belfry_selection>(), 0).error().message,
              "this plugin does not offer storage.count");
    table.size = sizeof table;
    Storage newer(&table, &memory_, faults_);
    EXPECT_TRUE(newer.backup("/copy"));
}

TEST(StorageTable, NamesMandatoryAndDeclaredFunctionsThatAreMissing) {
    belfry_storage table = a_table();
    table.flags = BELFRY_STORAGE_EXPIRE;
    EXPECT_EQ(
        Storage::missing(table),
        "register_devices, update_devices, remove_devices, list_device_topics, list_user_topics, update_user_topics, "
        "invalidate, amend, expire (declared by EXPIRE)");
}

}  // namespace
}  // namespace belfry::plugins
