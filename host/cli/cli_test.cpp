// SPDX-License-Identifier: Apache-2.0
// Every subcommand, against a real server with delivery and devices in the test's hands.
#include "cli/cli.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/api_fakes.h"
#include "api/server.h"
#include "base/device_id.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

struct Ran {
    int code = 0;
    std::string out, err;
};

class Cli : public ::testing::Test {
protected:
    Cli() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-cli-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        api::ServerOptions options;
        options.listen = "127.0.0.1:0";
        options.keys = {{{"k", std::make_shared<const api::App>(api::ApiBench::app("default"))}}, {"admin"}};
        options.back_up = [](const std::string& name) -> Result<api::Backup> {
            if (name == "taken")
                return error(ErrorCode::Conflict, "there is a backup of this name; give another", name);
            return api::Backup{"/backups/" + name, {{"queue.db", 5 << 20}}};
        };
        server_ = std::move(
            *api::Server::start(options, delivery_, devices_, channels_, api::Insight{}, clock_, log_, metrics_));
        environment_ = {{"BELFRY_SERVER", "http://" + server_->address()}, {"BELFRY_API_KEY", "k"}};
        hooks_.serve = [this](const config::Config& config) {
            served_ = config.http.listen;
            return 0;
        };
        hooks_.check = [this](const config::Config&) { return findings_; };
        hooks_.list_plugins = [](const config::Config&) {
            const char* schema =
                R"({"title":"T","required":["k"],"properties":{"k":{"type":"string","format":"secret","description":"D"},)"
                R"("n":{"type":"integer","minimum":1,"maximum":9,"default":4},"e":{"enum":["a","b"]}}})";
            return std::vector<PluginRow>{
                {"fcm", "0.1.0", "usable", "fcm (provider)", "/p/fcm.so", "", {{"fcm", "provider", schema}}},
                {"bad", "", "refused", "", "/p/bad.so", "not an ELF file; build it again", {}}};
        };
    }
    ~Cli() override { std::filesystem::remove_all(folder_); }

    Ran belfry(const std::vector<std::string>& arguments, const std::string& input = "") {
        std::ostringstream out, err;
        std::istringstream in(input);
        Ran ran;
        ran.code = run(arguments, hooks_, World{out, err, in, environment_, false, colour_, false});
        ran.out = out.str();
        ran.err = err.str();
        return ran;
    }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
        return (folder_ / name).string();
    }

    api::FakeDelivery delivery_;
    api::FakeDevices devices_;
    api::FakeChannels channels_;
    SystemClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    std::unique_ptr<api::Server> server_;
    std::filesystem::path folder_;
    std::map<std::string, std::string> environment_;
    Hooks hooks_;
    bool colour_ = false;
    std::string served_;
    std::vector<std::string> findings_;
};

TEST_F(Cli, SaysWhatItCanDo) {
    const Ran help = belfry({"help"});
    EXPECT_EQ(help.code, kDone);
    for (const char* command : {"serve",          "send",           "devices list", "devices show",  "devices register",
                                "devices remove", "pushes list",    "pushes show",  "pushes cancel", "pushes pause",
                                "pushes resume",  "queue stats",    "queue dead",   "queue replay",  "providers",
                                "backup NAME",    "plugin list",    "plugin check", "config check",  "config reference",
                                "api reference",  "vapid generate", "version"}) {
        EXPECT_NE(help.out.find(std::string("  ") + command), std::string::npos) << command;
    }
    EXPECT_EQ(belfry({"--help"}).out, help.out);
    EXPECT_EQ(belfry({"--version"}).out, belfry({"version"}).out);
    EXPECT_EQ(Json::parse(belfry({"version", "--json"}).out)["version"].get<std::string>().rfind("0.", 0), 0u);
    EXPECT_EQ(belfry({}).code, kUsage);
    EXPECT_EQ(belfry({"version"}).out.rfind("belfry 0.", 0), 0u);
}

TEST_F(Cli, HandsTheWordsOfACheckToItsProgram) {
    std::vector<std::string> words;
    hooks_.check_plugin = [&](const std::vector<std::string>& given) -> Result<int> {
        words = given;
        return 1;
    };
    EXPECT_EQ(belfry({"plugin", "check", "a.so", "--case=S1", "--case", "Q*", "--trace"}).code, kFailed);
    EXPECT_EQ(words, (std::vector<std::string>{"a.so", "--case", "S1", "--case", "Q*", "--trace"}));
    EXPECT_EQ(belfry({"plugin", "check"}).code, kUsage);
    EXPECT_EQ(belfry({"plugin", "check", "a.so", "--cases", "S1"}).err,
              "belfry plugin check: unknown option --cases, did you mean --case?\n");
    hooks_.check_plugin = [](const std::vector<std::string>&) -> Result<int> {
        return error(ErrorCode::Unavailable, "cannot run it");
    };
    EXPECT_EQ(belfry({"plugin", "check", "--list"}).err, "belfry plugin check: cannot run it\n");
}

TEST_F(Cli, HelpsWithEveryCommandByExample) {
    const Ran help = belfry({"help"});
    std::istringstream lines(help.out);
    size_t commands = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("  ", 0) != 0) continue;
        std::vector<std::string> words;
        std::istringstream left(line.substr(0, line.find("  ", 2)));
        for (std::string word; left >> word;) {
            if (word.front() >= 'a' && word.front() <= 'z') words.push_back(word);
        }
        words.push_back("--help");
        const Ran one = belfry(words);
        EXPECT_EQ(one.code, kDone) << line;
        EXPECT_NE(one.out.find("\nExamples:\n  belfry " + words[0]), std::string::npos) << one.out;
        words.pop_back();
        words.insert(words.begin(), "help");
        EXPECT_EQ(belfry(words).out, one.out);
        ++commands;
    }
    EXPECT_GE(commands, 20u);
    EXPECT_NE(belfry({"send", "-h"}).out.find("--wait"), std::string::npos);
    const Ran group = belfry({"devices", "--help"});
    EXPECT_EQ(group.code, kDone);
    EXPECT_NE(group.out.find("devices register"), std::string::npos);
    EXPECT_EQ(group.out.find("pushes"), std::string::npos);
    const Ran bare = belfry({"devices"});
    EXPECT_EQ(bare.code, kUsage);
    EXPECT_EQ(bare.err, group.out);
    EXPECT_EQ(belfry({"nonsense", "--help"}).code, kUsage);
}

TEST_F(Cli, AnswersWrongUsageWithOneLineAndTwo) {
    struct Case {
        std::vector<std::string> arguments;
        const char* line;
    };
    const Case cases[] = {
        {{"devcies", "list"}, "belfry: unknown command devcies list, did you mean belfry devices list?\n"},
        {{"nonsense"}, "belfry: unknown command nonsense; see belfry help\n"},
        {{"devices", "list", "--usr", "x"}, "belfry devices list: unknown option --usr, did you mean --user?\n"},
        {{"devices", "list", "--user"}, "belfry devices list: --user needs a value, USER\n"},
        {{"devices", "list", "extra"}, "belfry devices list: does not take \"extra\"\n"},
        {{"devices", "list", "--limit", "many"}, "belfry devices list: --limit must be a number\n"},
        {{"devices", "list", "--total=1"}, "belfry devices list: --total takes no value\n"},
        {{"devices", "list", "--cursor", "a", "--cursor", "b"}, "belfry devices list: --cursor is given twice\n"},
        {{"devices", "show"}, "belfry devices show: needs ID\n"},
        {{"devices", "remove"}, "belfry devices remove: needs ids or --user\n"},
        {{"queue", "replay"}, "belfry queue replay: give either ids, or --uid or --all\n"},
        {{"queue", "replay", "1", "--all"}, "belfry queue replay: give either ids, or --uid or --all\n"},
        {{"queue", "stat"}, "belfry: unknown command queue stat, did you mean belfry queue stats?\n"},
        {{"backup"}, "belfry backup: needs NAME\n"},
        {{"devices", "register", "--meta", "x"}, "belfry devices register: --meta must be key=value\n"},
        {{"send", "--user", "u"}, "belfry send: give either --payload or --title and --body\n"},
        {{"send", "--payload", "{}"},
         "belfry send: say who gets it: --user, --topic, --device or --all, or else --token\n"},
        {{"send", "--all", "--payload", "{"},
         "belfry send: --payload: must be a JSON object, @file or - for standard input\n"},
        {{"send", "--all", "--title", "t", "--provider", "smoke"},
         "belfry send: --title: is known for fcm, hms, apns and webpush only; give --payload, or say whose messages it "
         "takes: --provider smoke=fcm\n"},
        {{"send", "--all", "--payload", "{}", "--provider", "fcm", "--provider", "apns"},
         "belfry send: --provider: several need --title and --body, or a --payload without it\n"},
        {{"send", "--token", "t", "--title", "t", "--provider", "fcm", "--provider", "apns"},
         "belfry send: --token: needs the payload of exactly one provider\n"},
        {{"send", "--token", "t", "--payload", "{}"},
         "belfry send: --token: needs the payload of exactly one provider\n"},
        {{"send", "--all", "--title", "t", "--send-in", "soon"},
         "belfry send: --send-in: must be a number of seconds\n"},
    };
    for (const Case& c : cases) {
        const Ran ran = belfry(c.arguments);
        EXPECT_EQ(ran.code, kUsage) << c.line;
        EXPECT_EQ(ran.err, c.line);
        EXPECT_EQ(ran.out, "");
    }
}

TEST_F(Cli, SendsWhatTheReadmeSends) {
    const Ran ran = belfry({"send", "--topic", "test", "--payload",
                            R"({"fcm": {"message": {"notification": {"title": "Hi"}}}})", "--uid", "p-1"});
    EXPECT_EQ(ran.code, kDone) << ran.err;
    EXPECT_EQ(ran.out, "p-1\n");
    const delivery::PushRequest& push = delivery_.pushes.at(0);
    EXPECT_EQ(push.recipient.filter->topics, std::vector<std::string>{"test"});
    EXPECT_EQ(Json::parse(push.payloads.at("fcm-main")), Json::parse(R"({"message":{"notification":{"title":"Hi"}}})"));
}

TEST_F(Cli, SendsToTokensUsersDevicesAndEverybody) {
    EXPECT_EQ(belfry({"send", "--token", "a", "--token=b", "--provider", "smoke", "--payload", "-"}, R"({"x":1})").code,
              kDone);
    EXPECT_EQ(delivery_.pushes.back().recipient.tokens->tokens, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(delivery_.pushes.back().recipient.tokens->provider, "smoke");
    const std::string id = encode_device_id("default", 9);
    const Ran ran = belfry({"send", "--user", "u", "--device", id, "--title", "T", "--body", "B", "--provider", "apns",
                            "--lane", "high", "--dry-run", "--json", "--expire-in", "60", "--send-in", "30"});
    EXPECT_EQ(ran.code, kDone) << ran.err;
    EXPECT_EQ(ran.out, "{\"uid\":\"made-up\"}\n");
    const delivery::PushRequest& push = delivery_.pushes.back();
    EXPECT_EQ(push.recipient.filter->users, std::vector<std::string>{"u"});
    EXPECT_EQ(push.recipient.filter->device_keys, std::vector<int64_t>{9});
    EXPECT_EQ(Json::parse(push.payloads.at("apns")),
              Json::parse(R"({"payload":{"aps":{"alert":{"title":"T","body":"B"}}}})"));
    EXPECT_EQ(push.lane, delivery::Lane::High);
    EXPECT_EQ(push.dry_run, delivery::DryRun::Host);
    EXPECT_GT(push.expires_unix_ms, push.send_at_unix_ms);
    const std::string file = write("payload.json", R"({"fcm":{"message":{}}})");
    EXPECT_EQ(belfry({"send", "--all", "--payload", "@" + file}).code, kDone);
    EXPECT_TRUE(delivery_.pushes.back().recipient.filter->all);
}

TEST_F(Cli, WaitsForTheEndAndFailsIfItIsNotReached) {
    delivery_.states = {"running", "running", "done"};
    const Ran done = belfry({"send", "--all", "--title", "t", "--uid", "known", "--wait"});
    EXPECT_EQ(done.code, kDone) << done.err;
    EXPECT_EQ(done.out.rfind("known  done  3 of 3+  accepted 2, internal 1", 0), 0u) << done.out;
    delivery_.states = {"expired"};
    EXPECT_EQ(belfry({"send", "--all", "--title", "t", "--uid", "known", "--wait", "--json"}).code, kFailed);
    delivery_.states = {"done"};
    delivery_.outcomes = {{"fcm-main", "refused", 3}};
    const Ran nobody = belfry({"send", "--all", "--title", "t", "--uid", "known", "--wait"});
    EXPECT_EQ(nobody.code, kFailed);
    EXPECT_EQ(nobody.err, "belfry send: nobody got it\n");
}

TEST_F(Cli, SendsATitleThroughSeveralProvidersEachInItsOwnWay) {
    const Ran ran = belfry({"send", "--user", "u", "--title", "T", "--body", "B", "--provider", "fcm", "--provider",
                            "apns", "--provider", "webpush"});
    ASSERT_EQ(ran.code, kDone) << ran.err;
    const auto& payloads = delivery_.pushes.back().payloads;
    ASSERT_EQ(payloads.size(), 3u);
    EXPECT_EQ(Json::parse(payloads.at("fcm-main")),
              Json::parse(R"({"message":{"notification":{"title":"T","body":"B"}}})"));
    EXPECT_EQ(Json::parse(payloads.at("apns")),
              Json::parse(R"({"payload":{"aps":{"alert":{"title":"T","body":"B"}}}})"));
    EXPECT_EQ(Json::parse(payloads.at("webpush")), Json::parse(R"({"payload":{"title":"T","body":"B"}})"));
}

TEST_F(Cli, SendsATitleThroughHmsForEveryGenerationAndUnderAnyName) {
    const Ran ran = belfry({"send", "--all", "--title", "T", "--body", "B", "--provider", "smoke=hms"});
    ASSERT_EQ(ran.code, kDone) << ran.err;
    const Json payload = Json::parse(delivery_.pushes.back().payloads.at("smoke"));
    EXPECT_EQ(payload["message"], Json::parse(R"({"android":{"notification":{"title":"T","body":"B",)"
                                              R"("click_action":{"type":3}}}})"));
    EXPECT_EQ(payload["v3"]["message"], Json::parse(R"({"payload":{"notification":{"category":"MARKETING","title":"T",)"
                                                    R"("body":"B","clickAction":{"actionType":0}}}})"));
    EXPECT_EQ(belfry({"send", "--all", "--payload", R"({"k":1})", "--provider", "smoke=hms"}).code, kDone);
    EXPECT_EQ(delivery_.pushes.back().payloads.at("smoke"), R"({"k":1})");
}

TEST_F(Cli, SaysWhatTheServerSays) {
    const Ran ran = belfry({"send", "--all", "--payload", R"({"smok":{}})"});
    EXPECT_EQ(ran.code, kFailed);
    EXPECT_EQ(ran.err,
              "belfry send: notification.smok: this app has no provider of this name; known are fcm, fcm-main, apns, "
              "smoke, webpush "
              "(code 107)\n");
    environment_["BELFRY_API_KEY"] = "wrong";
    EXPECT_EQ(belfry({"pushes", "list"}).err,
              "belfry pushes list: " + server_->address() + ": the server refuses the API key\n");
    environment_["BELFRY_SERVER"] = "127.0.0.1:1";
    const Ran unreachable = belfry({"devices", "list"});
    EXPECT_EQ(unreachable.code, kFailed);
    EXPECT_NE(unreachable.err.find("127.0.0.1:1: cannot be reached"), std::string::npos) << unreachable.err;
    EXPECT_EQ(std::count(unreachable.err.begin(), unreachable.err.end(), '\n'), 1);
}

TEST_F(Cli, ListsShowsRegistersAndRemovesDevices) {
    audience::DeviceRow row;
    row.key = 5;
    row.provider = "fcm-main";
    row.token = std::string(100, 't');
    row.user = "ann";
    row.topics = {"a", "b"};
    row.updated_unix_ms = 1'700'000'000'000;
    devices_.page.rows = {row};
    devices_.page.next_cursor = "c2";
    devices_.page.total = 12;
    const std::string id = encode_device_id("default", 5);
    const Ran list = belfry({"devices", "list", "--user", "ann", "--topic", "a", "--provider", "fcm", "--platform",
                             "ios", "--topics", "--total", "--limit", "5", "--cursor", "c1"});
    EXPECT_EQ(
        list.out,
        "ID                PROVIDER  PLATFORM  USER  UPDATED               TOKEN                             TOPICS\n" +
            id + "  fcm                 ann   2023-11-14 22:13:20Z  " + std::string(29, 't') + "...  a,b\ntotal 12\n");
    EXPECT_EQ(list.err, "there are more: --cursor c2\n");
    EXPECT_EQ(devices_.asked.users, std::vector<std::string>{"ann"});
    EXPECT_EQ(devices_.asked_paging.limit, 5u);
    EXPECT_EQ(Json::parse(belfry({"devices", "list", "--json"}).out)["items"].size(), 1u);
    EXPECT_EQ(Json::parse(belfry({"devices", "show", id}).out)["topics"], (Json{"a", "b"}));
    devices_.page.rows.clear();
    EXPECT_EQ(belfry({"devices", "show", id}).err, "belfry devices show: there is no device " + id + "\n");

    const Ran made = belfry({"devices",    "register", "--provider", "fcm",     "--token", "t",       "--platform",
                             "ios",        "--user",   "u",          "--topic", "a",       "--topic", "b",
                             "--timezone", "UTC",      "--locale",   "en",      "--meta",  "k=v=w"});
    EXPECT_EQ(made.out, encode_device_id("default", 1) + "\n") << made.err;
    EXPECT_EQ(devices_.registered.at(0).meta, R"({"k":"v=w"})");
    EXPECT_EQ(devices_.registered.at(0).topics.size(), 2u);

    EXPECT_EQ(belfry({"devices", "remove", id, "--user", "u"}).code, kDone);
    EXPECT_EQ(devices_.asked.keys, std::vector<int64_t>{5});
}

TEST_F(Cli, ImportsLinesAndCsvAndSaysWhichAreWrong) {
    const Ran lines =
        belfry({"devices", "import", "-"},
               "{\"provider\":\"fcm\",\"token\":\"a\"}\nnonsense\n{\"provider\":\"nope\",\"token\":\"b\"}");
    EXPECT_EQ(lines.code, kFailed);
    EXPECT_EQ(lines.out, "registered 1, refused 2\n");
    EXPECT_EQ(lines.err.rfind("-:2: not JSON", 0), 0u) << lines.err;
    EXPECT_NE(lines.err.find("\n-:3: provider"), std::string::npos) << lines.err;
    const std::string file = write("devices.csv", "provider,token,topics\nfcm,c,x|y\n\nfcm,d,\nnope,e,\n");
    const Ran csv = belfry({"devices", "import", file});
    EXPECT_EQ(csv.out, "registered 2, refused 1\n") << csv.err;
    EXPECT_EQ(csv.err.rfind(file + ": record 4: provider", 0), 0u) << csv.err;
    EXPECT_EQ(devices_.registered.back().token, "d");
    EXPECT_EQ(devices_.registered[devices_.registered.size() - 2].topics.size(), 2u);
    EXPECT_EQ(Json::parse(belfry({"devices", "import", file, "--json"}).out)["failed"], 1);

    EXPECT_EQ(belfry({"devices", "import", file, "--format", "xml"}).err,
              "belfry devices import: --format: must be ndjson or csv\n");
    EXPECT_EQ(belfry({"devices", "import", "/nowhere/x"}).err,
              "belfry devices import: /nowhere/x: cannot be read: No such file or directory\n");
    const size_t before = devices_.registered.size();
    const std::string broken = write("broken.csv", "provider,token\nfcm,f\nfcm\n");
    EXPECT_EQ(belfry({"devices", "import", broken}).err,
              "belfry devices import: " + broken + ": record 2: has 1 cells, the first record has 2\n");
    EXPECT_LE(devices_.registered.size(), before + 1);
    const std::string unnamed = write("unnamed.csv", "a,b\n");
    EXPECT_NE(belfry({"devices", "import", unnamed}).err.find("must name the columns"), std::string::npos);
}

TEST_F(Cli, ListsShowsAndCancelsPushes) {
    const Ran list = belfry({"pushes", "list", "--state", "running"});
    EXPECT_EQ(list.code, kDone) << list.err;
    EXPECT_NE(
        list.out.find("known  high  1970-01-01 00:00:05Z  running  3 of 3+  accepted 2, internal 1  about 1 s left"),
        std::string::npos)
        << list.out;
    EXPECT_EQ(Json::parse(belfry({"pushes", "show", "known", "--json"}).out)["state"], "running");
    EXPECT_EQ(belfry({"pushes", "show", "known"}).out,
              "push      known\n"
              "status    running  3 of 3+  accepted 2, internal 1  about 1 s left\n"
              "lane      high\n"
              "created   1970-01-01 00:00:05Z\n"
              "PROVIDER  OUTCOME   DELIVERIES\n"
              "fcm       accepted  2\n"
              "          internal  1\n"
              "error     {\"reason\":\"x\"}\n"
              "error     \"not json\"\n");
    EXPECT_EQ(belfry({"pushes", "show", "nope"}).code, kFailed);
    EXPECT_EQ(belfry({"pushes", "cancel", "known"}).code, kDone);
    EXPECT_EQ(belfry({"pushes", "cancel", "nope"}).err,
              "belfry pushes cancel: uid: no push of this app has it (code 104)\n");
}

TEST_F(Cli, ShowsTheQueueAndItsDeadLettersAndReplaysThem) {
    environment_["BELFRY_API_KEY"] = "admin";
    delivery_.stats.high = {12, 3, clock_.unix_ms() - 300'000};
    delivery_.stats.dead = 2;
    delivery_.stats.store_bytes = 3 << 20;
    const Ran stats = belfry({"queue", "stats"});
    EXPECT_EQ(stats.out,
              "LANE    READY  CLAIMED  OLDEST WAITS\n"
              "high    12     3        5 min\n"
              "normal  0      0        -\n"
              "low     0      0        -\n"
              "due later 0, paused 0, dead 2 work items; pushes running 0, delayed 0; store 3.0 MiB\n")
        << stats.err;
    EXPECT_EQ(Json::parse(belfry({"queue", "stats", "--json"}).out)["dead"], 2);

    delivery_.dead_page.letters = {{17, "u-1", "fcm", "worn out", 6, 500, 9'000, 0},
                                   {18, "u-2", "fcm", "worn out", 6, 1, 9'000, 10'000}};
    const Ran dead = belfry({"queue", "dead", "--app", "shop", "--uid", "a&b", "--after", "3"});
    EXPECT_EQ(delivery_.asked_dead, "shop/a&b/3/100") << dead.err;
    EXPECT_NE(dead.out.find("17  u-1   fcm       500         1970-01-01 00:00:09Z  -"), std::string::npos) << dead.out;
    EXPECT_EQ(Json::parse(belfry({"queue", "dead", "--json"}).out)["items"].size(), 2u);

    EXPECT_EQ(belfry({"queue", "replay", "17", "18"}).out, "replayed 2 of 2\n");
    EXPECT_EQ(delivery_.replayed, (std::vector<uint64_t>{17, 18}));
    delivery_.replays_at_most = 1;
    const auto some = belfry({"queue", "replay", "17", "18"});
    EXPECT_EQ(some.code, 1);
    EXPECT_NE(some.err.find("replayed already"), std::string::npos);
    EXPECT_EQ(belfry({"queue", "replay", "--all", "--ignore-expiry", "--json"}).out, "{\"replayed\":1}\n");
    EXPECT_EQ(delivery_.replayed, (std::vector<uint64_t>{17}));
    EXPECT_TRUE(delivery_.replayed_expired);
    EXPECT_EQ(belfry({"queue", "replay", "seven"}).err,
              "belfry queue replay: ids: must be ids as GET /admin/dead shows them (code 107)\n");
}

TEST_F(Cli, ShowsProvidersWithWhatIsWrong) {
    environment_["BELFRY_API_KEY"] = "admin";
    delivery::ProviderStatus good;
    good.name = "apns";
    good.per_minute = 600;
    good.connections = 2;
    good.credential_valid_ms = 3'000'000;
    delivery::ProviderStatus bad;
    bad.name = "fcm";
    bad.state = delivery::GateState::Refused;
    bad.reason = "account not found";
    bad.closed_ms = 60'000;
    bad.operator_must_act = true;
    delivery_.provider_states = {good, bad};
    EXPECT_EQ(
        belfry({"providers"}).out,
        "PROVIDER  STATE    CREDENTIAL   PACE/MIN  IN FLIGHT  CONNECTIONS  TROUBLE\n"
        "apns      open     for 50 min   600       0          2            \n"
        "fcm       refused  none needed  no limit  0          -            account not found; next try in 60 s; an "
        "operator must act\n");
    EXPECT_EQ(Json::parse(belfry({"providers", "--json"}).out)["items"][1]["state"], "refused");
    colour_ = true;
    EXPECT_NE(belfry({"providers"}).out.find("\x1b[31mrefused\x1b[0m  none needed"), std::string::npos);
}

TEST_F(Cli, BacksUpAndSaysWhereTo) {
    environment_["BELFRY_API_KEY"] = "admin";
    EXPECT_EQ(belfry({"backup", "nightly"}).out, "/backups/nightly\n  queue.db  5.0 MiB\n");
    EXPECT_EQ(Json::parse(belfry({"backup", "nightly", "--json"}).out)["folder"], "/backups/nightly");
    const Ran taken = belfry({"backup", "taken"});
    EXPECT_EQ(taken.code, kFailed);
    EXPECT_EQ(taken.err, "belfry backup: taken: there is a backup of this name; give another (code 113)\n");
    environment_["BELFRY_API_KEY"] = "k";
    EXPECT_EQ(belfry({"backup", "nightly"}).err, "belfry backup: this API key is not one of [admin] keys (code 103)\n");
}

TEST_F(Cli, MakesVapidKeyPairs) {
    const Json first = Json::parse(belfry({"vapid", "generate", "--json"}).out);
    const Json second = Json::parse(belfry({"vapid", "generate", "--json"}).out);
    EXPECT_NE(first, second);
    // 65 bytes that begin with 4 (uncompressed), and 32 bytes: RFC 8292 3.2, RFC 7515 section 2.
    EXPECT_EQ(first["public_key"].get<std::string>().size(), 87u);
    EXPECT_EQ(first["public_key"].get<std::string>().front(), 'B');
    EXPECT_EQ(first["private_key"].get<std::string>().size(), 43u);
    EXPECT_EQ(first.dump().find_first_of("+/="), std::string::npos);
    EXPECT_EQ(belfry({"vapid", "generate"}).out.rfind("public   B", 0), 0u);
}

TEST_F(Cli, FindsServerAndKeyInConfigurationAndDataDir) {
    environment_.clear();
    const std::string file =
        write("belfry.toml",
              "[api]\nkeys = [ { name = \"a\", key = \"k\" } ]\n[http]\nlisten = \"" + server_->address() + "\"\n");
    EXPECT_EQ(belfry({"pushes", "cancel", "known", "--config", file}).code, kDone);
    std::filesystem::create_directory(folder_ / "data");
    write("data/listening", server_->address() + "\n");
    write("data/api-key", "k\n");
    EXPECT_EQ(belfry({"pushes", "cancel", "known", "--data-dir", (folder_ / "data").string()}).code, kDone);
    std::filesystem::remove(folder_ / "data/api-key");
    const Ran ran = belfry({"pushes", "cancel", "known", "--data-dir", (folder_ / "data").string()});
    EXPECT_EQ(ran.code, kFailed);
    EXPECT_NE(ran.err.find("no API key found"), std::string::npos);
    EXPECT_EQ(belfry({"pushes", "cancel", "known", "--data-dir", (folder_ / "data").string(), "--key", "k"}).code,
              kDone);
    // A server of plain HTTP, and one that is not there.
    const Ran plain = belfry({"pushes", "list", "--server", "https://" + server_->address(), "--key", "k"});
    EXPECT_EQ(plain.code, kFailed);
    EXPECT_NE(plain.err.find("does not speak TLS; say it without https://"), std::string::npos) << plain.err;
    const Ran no_ca =
        belfry({"pushes", "list", "--server", "https://127.0.0.1:1", "--key", "k", "--ca-file", "/no/ca"});
    EXPECT_NE(no_ca.err.find("--ca-file /no/ca: cannot be read (No such file"), std::string::npos) << no_ca.err;
    EXPECT_NE(belfry({"pushes", "list", "--server", "https://127.0.0.1:1", "--key", "k"}).err.find("cannot be reached"),
              std::string::npos);
    EXPECT_NE(belfry({"pushes", "list", "--server", "https://a/b", "--key", "k"}).err.find("no server address"),
              std::string::npos);
}

TEST_F(Cli, ServesWithTheCheckedConfiguration) {
    environment_.clear();
    EXPECT_EQ(belfry({"serve", "--set", "http.listen=127.0.0.1:9", "--data-dir", folder_.string()}).code, kDone);
    EXPECT_EQ(served_, "127.0.0.1:9");
    const std::string file = write("bad.toml", "[http]\nlistne = 1\n");
    const Ran ran = belfry({"serve", "--config", file});
    EXPECT_EQ(ran.code, kFailed);
    EXPECT_EQ(ran.err, file + ":2: unknown key http.listne, did you mean http.listen?\n");
}

TEST_F(Cli, ChecksConfigurationsWithTheirPlugins) {
    environment_.clear();
    const std::string file = write("belfry.toml", "[api]\nkeys = [ { name = \"a\", key = \"k\" } ]\n[providers.fcm]\n");
    EXPECT_EQ(belfry({"config", "check", "--config", file}).out, file + ": good; 1 provider, 1 app\n");
    findings_ = {"[providers.fcm] /credentials: is missing"};
    const Ran ran = belfry({"config", "check", "--config", file});
    EXPECT_EQ(ran.code, kFailed);
    EXPECT_EQ(ran.err, "[providers.fcm] /credentials: is missing\n");
    const std::string worse = write("worse.toml", "[http]\nlistne = 1\n[providers.fcm]\n");
    EXPECT_EQ(
        belfry({"config", "check", "--config", worse}).err,
        worse + ":2: unknown key http.listne, did you mean http.listen?\n[providers.fcm] /credentials: is missing\n");
    EXPECT_EQ(belfry({"config", "reference"}).out, config::reference());
    EXPECT_EQ(belfry({"config", "reference", "--plugins"}).out,
              config::reference() +
                  "\n## `[providers.<name>]` with `plugin = \"fcm\"`\nT\n\n"
                  "| key | values | default | meaning |\n|---|---|---|---|\n"
                  "| `e` | `a`, `b` |  |  |\n"
                  "| `k` | secret | required | D |\n"
                  "| `n` | integer, 1 to 9 | `4` |  |\n");
}

TEST_F(Cli, ListsPlugins) {
    environment_.clear();
    const Ran ran = belfry({"plugin", "list"});
    EXPECT_EQ(ran.out,
              "PLUGIN  VERSION  STATE    COMPONENTS      FILE\n"
              "fcm     0.1.0    usable   fcm (provider)  /p/fcm.so\n"
              "bad              refused                  /p/bad.so\n"
              "bad: not an ELF file; build it again\n");
    EXPECT_EQ(Json::parse(belfry({"plugin", "list", "--json"}).out)[1]["state"], "refused");
}

}  // namespace
}  // namespace belfry::cli
