// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/config.h"
#include "config/findings.h"
#include "config/wire_names.h"

namespace belfry::config {
namespace {

class Folder {
public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-config-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return (path_ / name).string();
    }
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

constexpr const char* kKey = "[api]\nkeys = [ { name = \"backend\", key = \"k1\" } ]\n";

class ConfigLoad : public ::testing::Test {
protected:
    Result<Config> load_text(const std::string& text) {
        args_.file = folder_.write("belfry.toml", text);
        return load(args_);
    }
    // The findings, with the folder's name left out.
    std::string findings(const std::string& text) {
        const Result<Config> config = load_text(text);
        if (config) return "";
        std::string out = config.error().message;
        const std::string start = folder_ / "";
        for (size_t at = out.find(start); at != std::string::npos; at = out.find(start)) out.erase(at, start.size());
        return out;
    }
    Folder folder_;
    LoadArgs args_;
};

TEST_F(ConfigLoad, ReadsEverySection) {
    const Result<Config> config = load_text(R"(data_dir = "data"
plugin_dirs = ["plugins", "/opt/p"]
dev = true
[http]
listen = "0.0.0.0:9000"
max_body_bytes = 1_000_000
error_mode = "transport"
[log]
level = "debug"
[metrics]
published_names = true
[api]
keys = [ { name = "backend", key = "k1" } ]
[apps.shop]
keys = [ { name = "shop", key = "k2" } ]
providers = { fcm = "fcm-shop" }
[storage]
plugin = "storage_pg"
dsn = "postgresql:///x"
[providers.fcm]
project_id = "p"
rate = { per_minute = 1000 }
max_connections = 4
ca_file = "ca.pem"
[providers.fcm-shop]
plugin = "fcm"
)");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->data_dir, folder_ / "data");
    EXPECT_EQ(config->plugin_dirs, (std::vector<std::string>{folder_ / "plugins", "/opt/p"}));
    EXPECT_EQ(config->folder + "/", folder_ / "");
    EXPECT_TRUE(config->dev);
    EXPECT_EQ(config->http.listen, "0.0.0.0:9000");
    EXPECT_EQ(config->http.max_body_bytes, 1'000'000);
    EXPECT_EQ(config->http.error_mode, "transport");
    EXPECT_EQ(config->log.level, "debug");
    EXPECT_TRUE(config->metrics.published_names);
    ASSERT_EQ(config->apps.size(), 2u);
    EXPECT_EQ(config->apps[0].name, "default");
    EXPECT_EQ(config->apps[0].keys.at(0).key.reveal(), "k1");
    EXPECT_EQ(config->apps[1].name, "shop");
    EXPECT_EQ(config->apps[1].providers.at("fcm"), "fcm-shop");
    EXPECT_EQ(config->storage.plugin, "storage_pg");
    EXPECT_EQ(config->storage.section, R"({"dsn":"postgresql:///x"})");
    EXPECT_EQ(config->queue.plugin, "queue_sqlite");
    ASSERT_EQ(config->providers.size(), 2u);
    EXPECT_EQ(config->providers[0].plugin, "fcm");
    EXPECT_EQ(config->providers[0].section, R"({"project_id":"p"})");
    EXPECT_EQ(config->providers[0].per_minute, 1000);
    EXPECT_EQ(config->providers[0].max_connections, 4);
    EXPECT_EQ(config->providers[0].ca_file, folder_ / "ca.pem");
    EXPECT_EQ(config->providers[1].plugin, "fcm");
}

TEST_F(ConfigLoad, RefusesSinksAsLongAsNothingWouldReachThem) {
    EXPECT_EQ(findings(std::string(kKey) + "[sinks.clickhouse]\nurl = \"http://x\"\n"),
              "belfry.toml:3: [sinks.clickhouse]: sinks are planned, this version has none; remove the section");
    EXPECT_EQ(findings(std::string(kKey) + "[sinks]\n"),
              "belfry.toml:3: [sinks]: sinks are planned, this version has none; remove the section");
}

TEST_F(ConfigLoad, NamesTheNearestKnownKey) {
    EXPECT_EQ(findings(std::string(kKey) + "[http]\nlistne = \"x\"\n"),
              "belfry.toml:4: unknown key http.listne, did you mean http.listen?");
    EXPECT_EQ(findings("datadir = \"x\"\n" + std::string(kKey)),
              "belfry.toml:1: unknown key datadir, did you mean data_dir?");
    EXPECT_EQ(findings(std::string(kKey) + "[provider.fcm]\n"),
              "belfry.toml:3: unknown key provider, did you mean providers?");
    EXPECT_EQ(findings(std::string(kKey) + "[log]\ncolour = 1\n"),
              "belfry.toml:4: unknown key log.colour; known are log.level");
}

TEST_F(ConfigLoad, SaysWhatAValueMustBe) {
    EXPECT_EQ(findings(std::string(kKey) + "[http]\nlisten = 8000\n"), "belfry.toml:4: http.listen must be a text");
    EXPECT_EQ(findings(std::string(kKey) + "[http]\nthreads_max = 1\n"),
              "belfry.toml:4: http.threads_max must be between 4 and 4096");
    EXPECT_EQ(findings(std::string(kKey) + "[http]\nthreads_max = \"many\"\n"),
              "belfry.toml:4: http.threads_max must be an integer");
    EXPECT_EQ(findings(std::string(kKey) + "[http]\nerror_mode = \"x\"\n"),
              "belfry.toml:4: http.error_mode must be one of standard, transport");
    EXPECT_EQ(findings("http = 1\n" + std::string(kKey)), "belfry.toml:1: http must be a table: [http]");
    EXPECT_EQ(findings("dev = 1\n" + std::string(kKey)), "belfry.toml:1: dev must be true or false");
    EXPECT_EQ(findings("plugin_dirs = \"x\"\n" + std::string(kKey)),
              "belfry.toml:1: plugin_dirs must be a list of texts");
}

TEST_F(ConfigLoad, KnowsAddressesThatCannotBeServed) {
    const auto said = [&](const std::string& listen) {
        const std::string text = findings(std::string(kKey) + "[http]\nlisten = \"" + listen + "\"\n");
        const std::string begin = "belfry.toml: http.listen = \"" + listen + "\" ";
        return text.rfind(begin, 0) == 0 ? text.substr(begin.size()) : text;
    };
    for (const char* good : {"127.0.0.1:0", "localhost:8000", "[::1]:8000", "unix:/run/belfry/api.sock"})
        EXPECT_EQ(said(good), "");
    EXPECT_EQ(said("127.0.0.1"), "has no port; write host:port, for example 127.0.0.1:8000");
    EXPECT_EQ(said("127.0.0.1:99999"), "has no port between 0 and 65535");
    EXPECT_EQ(said("127.0.0.1:http"), "has no port between 0 and 65535");
    EXPECT_EQ(said("::1:8000"), "is no host:port; an IPv6 address stands in brackets: [::1]:8000");
    EXPECT_EQ(said(":8000"), "has no host; write 127.0.0.1:8000 for this machine alone, 0.0.0.0:8000 for everybody");
    EXPECT_EQ(said("unix:"), "names no socket; write unix:/run/belfry/api.sock");
    EXPECT_EQ(said("unix:/" + std::string(107, 'a')), "is too long: a socket's path has at most 107 bytes");
}

TEST_F(ConfigLoad, ComparesSettingsThatBelongTogether) {
    EXPECT_EQ(findings(std::string(kKey) + "[delivery]\nretry_base_ms = 5000\nretry_max_ms = 100\n"),
              "belfry.toml: delivery.retry_base_ms (5000) is more than delivery.retry_max_ms (100)");
    EXPECT_EQ(findings(std::string(kKey) + "[proxy]\nurl = \"http://p:1\"\npassword = \"x\"\n"),
              "belfry.toml: proxy.password is for nobody; give proxy.user, too");
}

TEST_F(ConfigLoad, LooksForPluginsBesideTheProgramAndWhereDistributionsPutThem) {
    const Result<Config> config = load_text(kKey);
    ASSERT_TRUE(config);
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
    EXPECT_EQ(config->plugin_dirs, (std::vector<std::string>{program.parent_path().parent_path() / "lib/belfry/plugins",
                                                             "/usr/lib/belfry/plugins"}));
}

TEST_F(ConfigLoad, RefusesVariablesThatLookLikeAKeyWrittenWrong) {
    args_.environment = {
        {"BELFRY_DATADIR", "/x"}, {"BELFRY_HTTP_LISTEN", "x:1"}, {"BELFRY_PORT", "1"}, {"BELFRY_ENV", "e"}};
    EXPECT_EQ(findings(kKey),
              "environment BELFRY_DATADIR: is not read; did you mean BELFRY_DATA_DIR?\n"
              "environment BELFRY_HTTP_LISTEN: is not read; did you mean BELFRY_HTTP__LISTEN?");
}

TEST_F(ConfigLoad, ListsFindingsBesideWhatCouldBeRead) {
    args_.file = folder_.write("belfry.toml", std::string(kKey) + "[http]\nlistne = 1\n[providers.fcm]\n");
    std::vector<std::string> listed;
    const std::optional<Config> config = load_and_list(args_, listed);
    ASSERT_TRUE(config);
    EXPECT_EQ(listed.size(), 1u);
    EXPECT_EQ(config->providers.size(), 1u);
    args_.file = folder_ / "absent.toml";
    EXPECT_FALSE(load_and_list(args_, listed));
}

TEST_F(ConfigLoad, ReportsAllFindingsAtOnce) {
    const std::string all = findings(std::string(kKey) + "[http]\nlistne = 1\n[log]\nlevel = \"loud\"\n");
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 1) << all;
}

TEST_F(ConfigLoad, PlacesSyntaxErrors) {
    const std::string all = findings("[http\n");
    EXPECT_EQ(all.rfind("belfry.toml:1: not valid TOML: ", 0), 0u) << all;
}

TEST_F(ConfigLoad, SaysWhichFileCannotBeRead) {
    args_.file = folder_ / "absent.toml";
    const Result<Config> config = load(args_);
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message.find("absent.toml: cannot be read (No such file"), std::string::npos);
}

TEST_F(ConfigLoad, TakesTheEnvironmentOverTheFileAndSetOverBoth) {
    args_.environment = {{"BELFRY_HTTP__LISTEN", "1.1.1.1:1"}, {"BELFRY_LOG__LEVEL", "error"},
                         {"BELFRY_HTTP__THREADS_MAX", "32"},   {"BELFRY_PLUGIN_DIRS", "/a"},
                         {"BELFRY_PORT", "tcp://ignored"},     {"PATH", "/bin"}};
    args_.sets = {"log.level=warning", "http.error_mode=\"transport\""};
    const Result<Config> config =
        load_text(std::string(kKey) + "[http]\nlisten = \"0.0.0.0:9000\"\n[log]\nlevel = \"debug\"\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->http.listen, "1.1.1.1:1");
    EXPECT_EQ(config->http.threads_max, 32);
    EXPECT_EQ(config->log.level, "warning");
    EXPECT_EQ(config->http.error_mode, "transport");
    EXPECT_EQ(config->plugin_dirs, std::vector<std::string>{"/a"});
}

TEST_F(ConfigLoad, KnowsWhichTextsOfPluginsDoNotStandInTheFile) {
    args_.sets = {"storage.path=./x.db", "storage.deep.list=[\"a\"]", "storage.readers=3"};
    args_.environment = {{"BELFRY_QUEUE__PATH", "q.db"}};
    const Result<Config> config =
        load_text(std::string(kKey) + "[storage]\npath = \"old.db\"\nother = \"o\"\n[queue]\nlog = \"l\"\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->storage.loose, (std::vector<std::string>{"/path", "/deep/list/0"}));
    EXPECT_EQ(config->queue.loose, std::vector<std::string>{"/path"});
    EXPECT_EQ(config->current, std::filesystem::current_path().string());
}

TEST_F(ConfigLoad, ReachesNamedSectionsFromTheEnvironment) {
    args_.environment = {{"BELFRY_PROVIDERS__APNS_VOIP__TOPIC", "com.example.voip"},
                         {"BELFRY_PROVIDERS__FCM__PROJECT_ID", "12345"}};
    const Result<Config> config = load_text(std::string(kKey) + "[providers.apns-voip]\nplugin = \"apns\"\n");
    ASSERT_TRUE(config) << config.error().message;
    ASSERT_EQ(config->providers.size(), 2u);
    EXPECT_EQ(config->providers[0].instance, "apns-voip");
    EXPECT_EQ(config->providers[0].section, R"({"topic":"com.example.voip"})");
    EXPECT_EQ(config->providers[1].instance, "fcm");
}

TEST_F(ConfigLoad, PlacesFindingsInTheEnvironment) {
    args_.environment = {{"BELFRY_HTTP__LISTNE", "x"}};
    args_.sets = {"log.level=loud", "nonsense"};
    EXPECT_EQ(findings(kKey),
              "--set nonsense: must be key=value, for example --set http.listen=127.0.0.1:9000\n"
              "environment BELFRY_HTTP__LISTNE: unknown key http.listne, did you mean http.listen?\n"
              "--set log.level: log.level must be one of debug, info, warning, error");
}

TEST_F(ConfigLoad, ReplacesSecretsOfPluginSectionsByReferences) {
    folder_.write("sa.json", "{\"private_key\":\"x\"}\n");
    folder_.write("cert.p12", std::string("a\0b\n", 4));
    args_.environment = {{"HMS_SECRET", "s3cret"}};
    const Result<Config> config = load_text(std::string(kKey) + R"([providers.fcm]
credentials = { file = "sa.json" }
certificate = { file = "cert.p12" }
nested = { app_secret = { env = "HMS_SECRET" }, list = [1, 2.5, true] }
)");
    ASSERT_TRUE(config) << config.error().message;
    const ComponentConfig& fcm = config->providers.at(0);
    const nlohmann::json section = nlohmann::json::parse(fcm.section);
    EXPECT_EQ(section["credentials"], (nlohmann::json{{"$secret", "providers.fcm.credentials"}}));
    EXPECT_EQ(section["nested"]["app_secret"], (nlohmann::json{{"$secret", "providers.fcm.nested.app_secret"}}));
    EXPECT_EQ(section["nested"]["list"], (nlohmann::json{1, 2.5, true}));
    ASSERT_EQ(fcm.secrets.size(), 3u);
    std::map<std::string, std::string> values;
    for (const PluginSecret& secret : fcm.secrets) values[secret.id] = secret.value.reveal();
    EXPECT_EQ(values.at("providers.fcm.credentials"), "{\"private_key\":\"x\"}");
    EXPECT_EQ(values.at("providers.fcm.certificate"), std::string("a\0b\n", 4));
    EXPECT_EQ(values.at("providers.fcm.nested.app_secret"), "s3cret");
}

TEST_F(ConfigLoad, GivesEveryProviderTheProxyItUses) {
    args_.environment["PROXY_PASSWORD"] = "s3cret";
    const Result<Config> config = load_text(R"([api]
keys = [ { name = "a", key = "k" } ]
[proxy]
url = "http://proxy.corp:3128"
user = "belfry"
password = { env = "PROXY_PASSWORD" }
looks_up_names = true
[providers.apns]
[providers.fcm]
proxy = { url = "http://other:8080", user = "fcm" }
[providers.hms]
proxy.url = "direct"
)");
    ASSERT_TRUE(config) << config.error().message;
    std::map<std::string, ProxyConfig> used;
    for (const ComponentConfig& provider : config->providers) {
        used[provider.instance] = provider.proxy;
        EXPECT_EQ(provider.section, "{}") << "the plugin sees nothing of it";
    }
    EXPECT_EQ(used["apns"].url, "http://proxy.corp:3128");
    EXPECT_EQ(used["apns"].user, "belfry");
    EXPECT_EQ(used["apns"].password.reveal(), "s3cret");
    EXPECT_TRUE(used["apns"].looks_up_names);
    EXPECT_EQ(used["fcm"].url, "http://other:8080");
    EXPECT_EQ(used["fcm"].user, "fcm");
    EXPECT_TRUE(used["fcm"].password.empty()) << "credentials of one proxy are not for another";
    EXPECT_EQ(used["hms"].url, "");
}

TEST_F(ConfigLoad, TakesDirectForAllProvidersAsNoProxy) {
    const Result<Config> config = load_text(R"([api]
keys = [ { name = "a", key = "k" } ]
[proxy]
url = "direct"
looks_up_names = true
[providers.apns]
[providers.fcm]
proxy.url = "http://other:8080"
)");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->proxy.url, "");
    ASSERT_EQ(config->providers.size(), 2u);
    for (const ComponentConfig& provider : config->providers) {
        EXPECT_EQ(provider.proxy.url, provider.instance == "fcm" ? "http://other:8080" : "");
        EXPECT_TRUE(provider.proxy.looks_up_names);
    }
}

TEST_F(ConfigLoad, RefusesProxiesThatCannotBeUsed) {
    const std::string head = "[api]\nkeys = [ { name = \"a\", key = \"k\" } ]\n";
    const std::pair<const char*, const char*> cases[] = {
        {"[proxy]\nurl = \"https://proxy:3128\"\n", "proxy.url must be http://host:port"},
        {"[proxy]\nurl = \"http://u:p4ss@proxy:3128\"\n", "proxy.user and proxy.password beside it"},
        {"[proxy]\nuser = \"u\"\n", "need proxy.url"},
        {"[providers.fcm]\nproxy.url = \"proxy:3128\"\n", "providers.fcm.proxy.url must be"},
        {"[providers.fcm]\nproxy.password = \"x\"\n", "providers.fcm.proxy.password need providers.fcm.proxy.url"},
    };
    for (const auto& [text, said] : cases) {
        const std::string all = findings(head + text);
        EXPECT_NE(all.find(said), std::string::npos) << all;
        EXPECT_EQ(all.find("p4ss"), std::string::npos);
    }
}

TEST_F(ConfigLoad, SaysWhichSecretIsMissing) {
    const std::string all = findings(R"([api]
keys = [ { name = "a", key = { env = "NO_SUCH_KEY" } }, { name = "b", key = { file = "absent" } },
         { name = "c", key = "" } ]
)");
    EXPECT_NE(all.find("belfry.toml:2: api.keys \"a\": the environment variable NO_SUCH_KEY is not set"),
              std::string::npos)
        << all;
    EXPECT_NE(all.find("cannot read the secret's file absent (No such file or directory)"), std::string::npos) << all;
    EXPECT_NE(all.find("api.keys \"c\": the key is empty"), std::string::npos) << all;
}

TEST_F(ConfigLoad, LeavesSecretsThatCannotBeReadToClients) {
    args_.need_secrets = false;
    const Result<Config> config = load_text("[api]\nkeys = [ { name = \"a\", key = { env = \"NO_SUCH_KEY\" } } ]\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(config->apps.front().keys.empty());
}

TEST_F(ConfigLoad, RefusesAFileWithoutAnyKeyAndKeysThatAreEqual) {
    EXPECT_NE(findings("[http]\n").find("belfry.toml: no API key is configured"), std::string::npos);
    EXPECT_NE(
        findings("[api]\nkeys = [ {name=\"a\", key=\"k\"}, {name=\"b\", key=\"k\"} ]\n").find("are the same text"),
        std::string::npos);
    EXPECT_NE(findings("[api]\nkeys = [ {name=\"a\", kye=\"k\"} ]\n").find("nothing else inside"), std::string::npos);
    EXPECT_EQ(findings("[apps.shop]\nkeys = [ {name=\"a\", key=\"k\"} ]\n"), "");
}

TEST_F(ConfigLoad, TakesOperatorsKeysOrThoseOfTheOnlyApp) {
    const Result<Config> one_app = load_text(kKey);
    ASSERT_TRUE(one_app) << one_app.error().message;
    EXPECT_EQ(admin_keys(*one_app), std::vector<std::string>{"k1"});
    EXPECT_EQ(one_app->admin.backup_dir, one_app->data_dir + "/backups");
    const std::string two_apps = std::string(kKey) + "[apps.shop]\nkeys = [ { name = \"s\", key = \"k2\" } ]\n";
    const Result<Config> nobody = load_text(two_apps);
    ASSERT_TRUE(nobody) << nobody.error().message;
    EXPECT_EQ(admin_keys(*nobody), std::vector<std::string>());
    const Result<Config> named =
        load_text(two_apps + "[admin]\nkeys = [ { name = \"root\", key = \"k3\" } ]\nbackup_dir = \"copies\"\n");
    ASSERT_TRUE(named) << named.error().message;
    EXPECT_EQ(admin_keys(*named), std::vector<std::string>{"k3"});
    EXPECT_EQ(named->admin.backup_dir, folder_ / "copies");
    EXPECT_NE(
        findings(std::string(kKey) + "[admin]\nkeys = [ { name = \"root\", key = \"k1\" } ]\n").find("the same text"),
        std::string::npos);
}

TEST_F(ConfigLoad, PinsPluginsBySha256Only) {
    const std::string sum(64, 'a');
    const Result<Config> config = load_text("plugin_pins = { fcm = \"" + sum + "\" }\n" + kKey);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->plugin_pins.at("fcm"), sum);
    EXPECT_EQ(findings("plugin_pins = { fcm = \"" + std::string(64, 'A') + "\" }\n" + kKey),
              "belfry.toml: plugin_pins.fcm must be 64 small hexadecimal digits, as sha256sum prints them");
}

TEST_F(ConfigLoad, NamesSettingsThatDifferButNoSecrets) {
    const Result<Config> before = load_text(kKey);
    const Result<Config> after =
        load_text(std::string("data_dir = \"else\"\ndev = true\n[http]\nthreads_max = 9\n[log]\nlevel = \"debug\"\n") +
                  "[api]\nkeys = [ { name = \"backend\", key = \"other\" } ]\n");
    ASSERT_TRUE(before && after);
    // The folder of backups follows data_dir.
    EXPECT_EQ(changed_settings(*before, *after),
              (std::vector<std::string>{"data_dir", "dev", "http.threads_max", "log.level", "admin.backup_dir"}));
    EXPECT_TRUE(changed_settings(*before, *before).empty());
}

TEST_F(ConfigLoad, TakesCertificateAndKeyTogetherOrNeither) {
    const Result<Config> both = load_text(std::string("[http]\ntls = { cert = \"c\", key = \"k\" }\n") + kKey);
    ASSERT_TRUE(both) << both.error().message;
    EXPECT_TRUE(both->http.speaks_tls());
    EXPECT_EQ(both->http.tls_cert, folder_ / "c");
    const std::string one = findings(std::string("[http]\ntls = { cert = \"c\" }\n") + kKey);
    EXPECT_NE(one.find("http.tls.cert alone serves nothing"), std::string::npos) << one;
    const std::string other = findings(std::string("[http]\ntls = { key = \"k\" }\n") + kKey);
    EXPECT_NE(other.find("http.tls.key alone"), std::string::npos) << other;
}

TEST_F(ConfigLoad, RunsEmbeddedWithoutAnyFile) {
    args_.search_default_files = false;
    args_.data_dir = folder_ / "data";
    const Result<Config> config = load(args_);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(wants_embedded_key(*config));
    EXPECT_EQ(config->http.listen, "127.0.0.1:8000");
    EXPECT_EQ(config->data_dir, folder_ / "data");
    ASSERT_EQ(config->providers.size(), 1u);
    EXPECT_EQ(config->providers[0].instance, "webpush");
    EXPECT_TRUE(config->providers[0].implied);
}

std::string names_of(const Config& config, const AppConfig& app) {
    const Result<std::vector<WireName>> names = wire_names(config, app);
    if (!names) return names.error().message;
    std::string out;
    for (const WireName& name : *names) out += name.wire + "=" + name.instance + (name.canonical ? " " : "(alias) ");
    return out;
}

TEST_F(ConfigLoad, CallsInstancesByTheirNamesUnlessAnAppSaysOtherwise) {
    const Result<Config> config = load_text(std::string(kKey) + R"([apps.shop]
keys = [ { name = "s", key = "k2" } ]
providers = { fcm = "fcm-shop" }
[providers.fcm]
[providers.fcm-shop]
plugin = "fcm"
[providers.apple]
plugin = "apns"
)");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(names_of(*config, config->apps[0]), "apns=apple apple=apple(alias) fcm=fcm fcm-shop=fcm-shop ");
    EXPECT_EQ(names_of(*config, config->apps[1]), "fcm=fcm-shop ");
}

TEST_F(ConfigLoad, RefusesWireNamesThatCouldMeanSeveralInstances) {
    const std::string two = "[providers.fcm-a]\nplugin = \"fcm\"\n[providers.fcm-b]\nplugin = \"fcm\"\n";
    EXPECT_EQ(findings(kKey + two),
              "belfry.toml:5: clients of app default that say fcm could mean fcm-a or fcm-b; decide it: [apps.default] "
              "providers = { "
              "fcm = \"fcm-a\" }");
    EXPECT_EQ(findings(kKey + two + "[apps.default]\nproviders = { fcm = \"fcm-a\", fcm-b = \"fcm-b\" }\n"), "");
    EXPECT_EQ(findings(kKey + two + "[apps.default]\nproviders = { fcm = \"fcm-x\" }\n"),
              "belfry.toml:7: apps.default.providers.fcm: there is no provider instance fcm-x, did you mean fcm-a?");
    EXPECT_NE(
        findings(kKey + two + "[apps.default]\nproviders = { a = \"fcm-a\", b = \"fcm-a\" }\n").find("two wire names"),
        std::string::npos);
}

}  // namespace
}  // namespace belfry::config
