// SPDX-License-Identifier: Apache-2.0
// device_import and device_export: what goes in comes out, wrong lines hurt nobody else, nothing is held as a whole.
#include <belfry/storage.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/api_fakes.h"
#include "api/device_import.h"
#include "base/device_id.h"

namespace belfry::api {
namespace {

using Json = nlohmann::json;

std::string line_of(const std::string& token) {
    return R"({"provider":"fcm","token":")" + token + "\"}\n";
}

HttpResponse import(ApiBench& bench, const std::string& body, size_t step = 1000) {
    FakeRequest request("POST", "/api/device_import", body);
    request.headers["X-API-Key"] = "key-1";
    request.step = step;
    return bench.http.handle(request);
}
Json imported(ApiBench& bench, const std::string& body, size_t step = 1000) {
    return Json::parse(import(bench, body, step).body);
}

audience::DeviceRow row_of(int64_t key, const std::string& token) {
    audience::DeviceRow row;
    row.key = key;
    row.provider = "fcm-main";
    row.token = token;
    return row;
}

TEST(DeviceImport, RegistersEveryLineWhereverPiecesEnd) {
    const std::string body = line_of("a") + "\r\n  \n" + line_of("b") + R"({"provider":"fcm","token":"c","user":"u"})";
    for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}}) {
        ApiBench bench;
        EXPECT_EQ(imported(bench, body, step)["result"],
                  Json::parse(R"({"lines":5,"registered":3,"failed":0,"errors":[]})"));
        ASSERT_EQ(bench.devices.registered.size(), 3u);
        EXPECT_EQ(bench.devices.registered[2].token, "c");
        EXPECT_EQ(bench.devices.registered[2].user, "u");
        EXPECT_EQ(bench.devices.registered[2].provider, "fcm-main");
    }
    ApiBench bench;
    EXPECT_EQ(imported(bench, "")["result"]["lines"], 0);
}

TEST(DeviceImport, ReportsWrongLinesInOrderAndGoesOn) {
    ApiBench bench;
    const Json result =
        imported(bench, line_of("a") + line_of("refused") + "{\n[]\n" + R"({"provider":"nope","token":"x"})" + "\n" +
                            R"({"id":"bad","provider":"fcm","token":"x"})" + "\n" + R"({"provider":"fcm"})" + "\n" +
                            line_of("b"))["result"];
    EXPECT_EQ(result["lines"], 8);
    EXPECT_EQ(result["registered"], 2);
    EXPECT_EQ(result["failed"], 6);
    ASSERT_EQ(result["errors"].size(), 6u);
    const char* messages[] = {"token: no such token",
                              "not JSON: byte 2: ",
                              "must be an object, as device_register",
                              "provider: this app has no provider",
                              "id: ",
                              "token: is required"};
    for (size_t i = 0; i < 6; ++i) {
        const Json& error = result["errors"][i];
        EXPECT_EQ(error["line"], i + 2);
        EXPECT_EQ(error["code"], 107);
        EXPECT_EQ(error["message"].get<std::string>().rfind(messages[i], 0), 0u) << error;
    }
}

TEST(DeviceImport, CountsAllErrorsAndListsSome) {
    ApiBench bench;
    std::string body;
    for (size_t i = 0; i < kImportErrorsMax + 500; ++i) body += "x\n";
    const Json result = imported(bench, body)["result"];
    EXPECT_EQ(result["failed"], kImportErrorsMax + 500);
    EXPECT_EQ(result["errors"].size(), kImportErrorsMax);
}

TEST(DeviceImport, ListsTheFirstErrorsThoughBatchesReportTheirsLater) {
    ApiBench bench;
    constexpr size_t refused = kImportBatchLines / 8;
    static_assert(refused < kImportErrorsMax);
    std::string body;
    for (size_t i = 0; i < kImportBatchLines; ++i) body += line_of((i % 8 == 7 ? "refused" : "t") + std::to_string(i));
    for (size_t i = 0; i < kImportErrorsMax; ++i) body += "x\n";
    const Json result = imported(bench, body)["result"];
    EXPECT_EQ(result["failed"], refused + kImportErrorsMax);
    ASSERT_EQ(result["errors"].size(), kImportErrorsMax);
    for (size_t i = 0; i < kImportErrorsMax; ++i) {
        EXPECT_EQ(result["errors"][i]["line"], i < refused ? (i + 1) * 8 : kImportBatchLines + 1 + i - refused) << i;
    }
}

TEST(DeviceImport, SkipsALineThatIsTooLong) {
    ApiBench bench;
    const std::string longest = line_of(std::string(4096, 't'));
    const Json result = imported(bench,
                                 longest + std::string(kImportLineBytesMax + 1, ' ') + "\n" + line_of("b") +
                                     std::string(kImportLineBytesMax + 1, 'x'),
                                 64 * 1024)["result"];
    EXPECT_EQ(result["registered"], 2);
    ASSERT_EQ(result["errors"].size(), 2u);
    EXPECT_EQ(result["errors"][0]["line"], 2);
    EXPECT_EQ(result["errors"][1]["line"], 4);
    EXPECT_EQ(result["errors"][0]["message"], "longer than 1048576 bytes");
}

TEST(DeviceImport, StoresInBatchesWithoutTwoOfOneTokenOrDevice) {
    ApiBench bench;
    std::string body;
    for (size_t i = 0; i < 2 * kImportBatchLines + 10; ++i) body += line_of("t" + std::to_string(i));
    EXPECT_EQ(imported(bench, body)["result"]["registered"], 2 * kImportBatchLines + 10);
    EXPECT_EQ(bench.devices.groups, (std::vector<size_t>{kImportBatchLines, kImportBatchLines, 10}));

    ApiBench twice;
    const std::string id = R"({"id":")" + encode_device_id("default", 5) + R"(","provider":"fcm","token":")";
    EXPECT_EQ(imported(twice, line_of("a") + line_of("b") + line_of("a") + id + "c\"}\n" + id +
                                  "d\"}\n")["result"]["registered"],
              5);
    EXPECT_EQ(twice.devices.groups, (std::vector<size_t>{2, 2, 1}));
    EXPECT_EQ(twice.devices.registered.back().token, "d");
}

std::string lines_of(const std::string& name, size_t n) {
    std::string lines;
    for (size_t i = 0; i < n; ++i) lines += line_of(name + std::to_string(i));
    return lines;
}

// A storage that is as slow as the test wants.
class GatedDevices : public FakeDevices {
public:
    std::vector<Result<audience::Registered>> register_devices(std::span<const audience::Registration> all) override {
        ++begun;
        // Were the import to wait here, nobody would open the gate.
        if (opened.wait_for(std::chrono::seconds(10)) == std::future_status::timeout) waited_in_vain = true;
        if (begun >= refuse_from) refusal = error(ErrorCode::StoreFull, "disk full");
        return FakeDevices::register_devices(all);
    }
    std::promise<void> gate;
    const std::shared_future<void> opened = gate.get_future();
    std::atomic<int> begun{0};
    std::atomic<bool> waited_in_vain{false};
    std::atomic<int> refuse_from{INT_MAX};  // calls from this one on meet trouble
};

TEST(DeviceImport, ReadsOnWhileABatchIsBeingStored) {
    GatedDevices devices;
    const App app = ApiBench::app("default");
    DeviceImport import(app, devices);
    EXPECT_FALSE(import.take(lines_of("t", kImportBatchLines)));
    EXPECT_FALSE(import.take(line_of("one-more") + "wrong\n"));
    while (devices.begun == 0) std::this_thread::yield();
    devices.gate.set_value();
    const std::variant<std::string, Fault> result = import.finish();
    EXPECT_FALSE(devices.waited_in_vain);
    EXPECT_EQ(devices.groups, (std::vector<size_t>{kImportBatchLines, 1}));
    const Json facts = Json::parse(std::get<std::string>(result));
    EXPECT_EQ(facts["registered"], kImportBatchLines + 1);
    EXPECT_EQ(facts["errors"][0]["line"], kImportBatchLines + 2);
}

TEST(DeviceImport, ATroubleEndsItWithTheBatchThatMetItAndNoneAfter) {
    GatedDevices devices;
    const App app = ApiBench::app("default");
    DeviceImport import(app, devices);
    devices.gate.set_value();
    EXPECT_FALSE(import.take(lines_of("first", kImportBatchLines)));
    EXPECT_FALSE(import.take("x\n" + lines_of("second", kImportBatchLines - 1)));
    while (devices.begun == 0) std::this_thread::yield();
    devices.refuse_from = 2;
    EXPECT_FALSE(import.take(lines_of("second-", 1)));  // the first is settled, the second on its way
    EXPECT_FALSE(import.take(lines_of("third", kImportBatchLines / 2)));
    const std::variant<std::string, Fault> result = import.finish();
    ASSERT_TRUE(std::holds_alternative<Fault>(result));
    EXPECT_EQ(std::get<Fault>(result).message,
              "internal server error: disk full; the import ended between lines 4002 and 8001 (4000 devices "
              "registered, 1 lines refused); import the same again, what is stored does no harm");
    EXPECT_EQ(devices.groups, (std::vector<size_t>{kImportBatchLines, kImportBatchLines}));
    ASSERT_EQ(devices.registered.size(), kImportBatchLines);
    EXPECT_EQ(devices.registered.back().token, "first" + std::to_string(kImportBatchLines - 1));
}

TEST(DeviceImport, StoresNoTopicsOfUsersBehindABatchThatMetTrouble) {
    GatedDevices devices;
    const App app = ApiBench::app("default");
    DeviceImport import(app, devices);
    devices.gate.set_value();
    devices.refuse_from = 1;
    EXPECT_FALSE(import.take(lines_of("first", kImportBatchLines)));
    EXPECT_FALSE(import.take("{\"user_topic_update\":{\"user\":\"u\",\"op\":\"add\",\"topics\":[\"t\"]}}\n"));
    EXPECT_TRUE(std::holds_alternative<Fault>(import.finish()));
    EXPECT_TRUE(devices.bindings.empty());
}

TEST(DeviceImport, ReadsOnWhileABatchWaitsForRoom) {
    for (const int busy : {kImportBusyTries - 1, kImportBusyTries}) {
        GatedDevices devices;
        devices.busy_calls = busy;
        const App app = ApiBench::app("default");
        DeviceImport import(app, devices);
        EXPECT_FALSE(import.take(lines_of("first", kImportBatchLines)));
        EXPECT_FALSE(import.take(lines_of("second", kImportBatchLines - 1)));
        devices.gate.set_value();
        const std::variant<std::string, Fault> result = import.finish();
        EXPECT_FALSE(devices.waited_in_vain);
        if (busy < kImportBusyTries) {
            EXPECT_EQ(Json::parse(std::get<std::string>(result))["registered"], 2 * kImportBatchLines - 1);
            EXPECT_EQ(devices.begun, kImportBusyTries + 1);
        } else {
            EXPECT_EQ(std::get<Fault>(result).code, Code::TooManyRequests);
            EXPECT_TRUE(devices.registered.empty());
            EXPECT_EQ(devices.begun, kImportBusyTries) << "the next batch is not tried";
        }
    }
}

TEST(DeviceImport, EndsWithItsBatchWhenTheClientLeaves) {
    GatedDevices devices;
    const App app = ApiBench::app("default");
    auto import = std::make_unique<DeviceImport>(app, devices);
    EXPECT_FALSE(import->take(lines_of("first", kImportBatchLines) + lines_of("second", 10)));
    while (devices.begun == 0) std::this_thread::yield();
    std::thread storage([&] { devices.gate.set_value(); });
    import.reset();  // as Service does when the body breaks off
    EXPECT_EQ(devices.registered.size(), kImportBatchLines) << "what is on its way is stored, the rest is not";
    storage.join();
    EXPECT_EQ(devices.groups, (std::vector<size_t>{kImportBatchLines}));
}

TEST(DeviceImport, WaitsForRoomAndEndsAtTroubleOfTheStorage) {
    ApiBench bench;
    bench.devices.busy_calls = kImportBusyTries - 1;
    EXPECT_EQ(imported(bench, line_of("a"))["result"]["registered"], 1);
    bench.devices.busy_calls = kImportBusyTries;
    EXPECT_EQ(imported(bench, line_of("a"))["error"]["code"], 111);
    bench.devices.refusal = error(ErrorCode::StoreFull, "disk full");
    const Json fault = imported(bench, "x\n" + line_of("a") + line_of("b"))["error"];
    EXPECT_EQ(fault["code"], 100);
    EXPECT_EQ(fault["message"],
              "internal server error: disk full; the import ended between lines 2 and 3 (0 devices registered, 1 lines "
              "refused); import the same again, what is stored does no harm");
}

TEST(DeviceImport, TakesBodiesBeyondTheBoundOfOthersInLittleMemory) {
    HttpOptions options;
    options.max_body_bytes = 100;
    options.body_memory_bytes = kImportMemory;
    ApiBench bench(options);
    std::string body;
    while (body.size() < 3u << 20) body += line_of("t" + std::to_string(body.size()));
    FakeRequest request("POST", "/api/device_import", body);
    request.headers["X-API-Key"] = "key-1";
    request.step = 64 * 1024;
    request.chunked = true;
    EXPECT_EQ(Json::parse(bench.http.handle(request).body)["result"]["failed"], 0);
    EXPECT_TRUE(request.pieces);
    options.body_memory_bytes = kImportMemory - 1;
    ApiBench poor(options);
    const HttpResponse refused = import(poor, line_of("a"));
    EXPECT_EQ(Json::parse(refused.body)["error"]["code"], 111);
    EXPECT_TRUE(refused.close);
}

TEST(DeviceImport, AnswersNothingButARefusalWhenTheBodyBreaksOff) {
    ApiBench bench;
    FakeRequest request("POST", "/api/device_import", line_of("a") + line_of("b"));
    request.headers["X-API-Key"] = "key-1";
    request.step = 10;
    request.breaks_at = 40;
    EXPECT_EQ(bench.http.handle(request).status, 400);
}

TEST(DeviceExport, WritesLinesThatImportTakes) {
    ApiBench bench;
    audience::DeviceRow full = row_of(1, "a");
    full.platform = "ios";
    full.user = "u";
    full.meta = R"({"k":"v"})";
    full.topics = {"own", "users"};
    full.timezone = "UTC";
    full.locale = "en";
    full.created_unix_ms = 5000;
    audience::DeviceRow web = row_of(2, "https://push.example/1");
    web.provider = "webpush";
    web.data = std::string(87, 'P') + "." + std::string(22, 'A');
    bench.devices.pages = {{{full}, "next", -1}, {{web}, "", -1}};
    audience::TopicRow own, bound;
    own.key = bound.key = 1;
    own.topic = "own";
    own.origins = BELFRY_ORIGIN_DEVICE | BELFRY_ORIGIN_USER;
    bound.topic = "users";
    bound.origins = BELFRY_ORIGIN_USER;
    bench.devices.topic_page.rows = {own, bound};
    HttpResponse response = bench.post("device_export", R"({"filter":{"users":["u"],"providers":["fcm"]}})");
    EXPECT_EQ(response.content_type, "application/x-ndjson");
    bool broke = true;
    const std::string lines = FakeRequest::whole(response, &broke);
    EXPECT_FALSE(broke);
    EXPECT_EQ(
        lines,
        R"({"id":")" + encode_device_id("default", 1) +
            R"(","provider":"fcm","token":"a","platform":"ios","user":"u","meta":{"k":"v"},"topics":["own"],"timezone":"UTC","locale":"en"})"
            "\n"
            R"({"id":")" +
            encode_device_id("default", 2) +
            R"(","provider":"webpush","token":"{\"endpoint\":\"https://push.example/1\",\"keys\":{\"p256dh\":\")" +
            std::string(87, 'P') + R"(\",\"auth\":\")" + std::string(22, 'A') +
            R"(\"}}"})"
            "\n");
    const Json back = imported(bench, lines)["result"];
    EXPECT_EQ(back["registered"], 2) << back;
    EXPECT_EQ(bench.devices.registered[0].key, 1);
    EXPECT_EQ(bench.devices.registered[0].topics, std::vector<std::string>{"own"});
}

audience::TopicRow binding_of(const std::string& user, const std::string& topic) {
    audience::TopicRow row;
    row.user = user;
    row.topic = topic;
    return row;
}

TEST(DeviceExport, WritesTopicsOfUsersWhereWanted) {
    ApiBench bench;
    audience::DeviceRow mine = row_of(1, "a");
    mine.user = "u";
    bench.devices.pages = {{{mine}, "", -1}};
    bench.devices.topic_page.rows = {binding_of("", "all"), binding_of("u", "one"), binding_of("u", "two")};
    HttpResponse everything = bench.post("device_export", R"({"include_user_topics":true})");
    const std::string lines = FakeRequest::whole(everything);
    const std::string bound = R"({"user_topic_update":{"user":"","op":"set","topics":["all"]}})"
                              "\n"
                              R"({"user_topic_update":{"user":"u","op":"set","topics":["one","two"]}})"
                              "\n";
    EXPECT_EQ(lines.rfind(bound + R"({"id":)", 0), 0u) << lines;
    EXPECT_TRUE(bench.devices.asked.users.empty());
    EXPECT_EQ(imported(bench, lines)["result"],
              Json::parse(R"({"lines":3,"registered":1,"user_topics":2,"failed":0,"errors":[]})"));
    EXPECT_EQ(bench.devices.bindings, (std::vector<std::string>{"default//3/all", "default/u/3/one/two"}));

    bench.devices.pages = {{{mine}, "", -1}};
    HttpResponse some = bench.post("device_export", R"({"filter":{"platforms":["ios"]},"include_user_topics":true})");
    EXPECT_EQ(FakeRequest::whole(some), lines);
    EXPECT_EQ(bench.devices.asked.users, std::vector<std::string>{"u"});

    bench.devices.pages = {{{mine}, "", -1}};
    HttpResponse without = bench.post("device_export", "{}");
    EXPECT_EQ(FakeRequest::whole(without), lines.substr(bound.size()));
}

TEST(DeviceImport, RefusesAWrongChangeOfTopicsAndEndsWhenNoneCanBeStored) {
    ApiBench bench;
    const std::string line = R"({"user_topic_update":{"user":"u","op":"add","topics":["t"]}})";
    const Json wrong = imported(bench, R"({"user_topic_update":{"user":"u"}})"
                                       "\n"
                                       R"({"user_topic_update":7})"
                                       "\n" +
                                           line)["result"];
    EXPECT_EQ(wrong["user_topics"], 1);
    EXPECT_EQ(wrong["failed"], 2);
    EXPECT_EQ(wrong["errors"][0]["message"], "op: is required");
    EXPECT_EQ(wrong["errors"][1]["message"], "user_topic_update: must be an object");
    bench.devices.refusal = error(ErrorCode::StoreFull, "disk full");
    EXPECT_EQ(imported(bench, line)["error"]["code"], 100);
}

TEST(DeviceExport, RefusesBeforeTheFirstLineAsOthersDo) {
    ApiBench bench;
    EXPECT_EQ(Json::parse(bench.post("device_export", R"({"filter":{"user":["u"]}})").body)["error"]["code"], 107);
    bench.devices.refusal = error(ErrorCode::Unavailable, "connection lost");
    EXPECT_EQ(Json::parse(bench.post("device_export", "{}").body)["error"]["code"], 100);
    EXPECT_EQ(bench.transport("device_export", "{}").status, 503);
}

TEST(DeviceExport, BreaksOffWithAReasonWhenTheStorageFailsInBetween) {
    ApiBench bench;
    bench.devices.pages = {{{row_of(1, "a")}, "next", -1}, {}};
    bench.devices.pages_end_in_trouble = true;
    HttpResponse response = bench.post("device_export", "{}");
    bool broke = false;
    const std::string lines = FakeRequest::whole(response, &broke);
    EXPECT_TRUE(broke);
    EXPECT_NE(lines.find("\n{\"error\":{\"code\":100,"), std::string::npos) << lines;
}

TEST(Streams, AreFewAtOnce) {
    ApiBench bench;
    std::vector<HttpResponse> open;
    for (int i = 0; i < kStreamsMax; ++i) {
        open.push_back(bench.post("device_export", "{}"));
        EXPECT_TRUE(open.back().stream) << open.back().body;
    }
    EXPECT_EQ(Json::parse(bench.post("device_export", "{}").body)["error"]["code"], 111);
    EXPECT_EQ(Json::parse(import(bench, line_of("a")).body)["error"]["code"], 111);
    open.pop_back();
    EXPECT_EQ(imported(bench, line_of("a"))["result"]["registered"], 1);
}

TEST(Streams, AreNotForBatches) {
    ApiBench bench;
    const Json replies =
        Json::parse(bench.post("batch", R"({"commands":[{"device_import":{}},{"device_export":{}}]})").body)["replies"];
    EXPECT_EQ(replies[0]["error"]["message"], "commands[0]: device_import is a stream; call it by itself");
    EXPECT_EQ(replies[1]["error"]["code"], 107);
}

}  // namespace
}  // namespace belfry::api
