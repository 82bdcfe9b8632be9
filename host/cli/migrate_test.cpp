// SPDX-License-Identifier: Apache-2.0
// belfry migrate on the command line; moving itself is e2e.migrate's.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/cli.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

struct Ran {
    int code = 0;
    std::string out, err;
};

class MigrateCommand : public ::testing::Test {
protected:
    MigrateCommand() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-migrate-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        hooks_.migrate = [this](const config::Config& from, const config::Config& to, bool may_be_empty,
                                const auto& progress) {
            asked_ = from.data_dir + " " + to.data_dir + " " + to.http.listen;
            may_be_empty_ = may_be_empty;
            progress("queue", 5);
            return answer_;
        };
        hooks_.take_back = [this](const config::Config& from, const config::Config* to) {
            asked_ = from.data_dir + " " + (to != nullptr ? to->data_dir : "gone");
            return Status();
        };
        a_ = write("a.toml", "old");
        b_ = write("b.toml", "new");
    }
    ~MigrateCommand() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& data_dir) const {
        std::ofstream(folder_ / name) << "data_dir = \"/" << data_dir
                                      << "\"\n[api]\nkeys = [ { name = \"k\", key = { env = \"BELFRY_API_KEY\" } } ]\n";
        return (folder_ / name).string();
    }
    Ran belfry(const std::vector<std::string>& arguments) {
        std::ostringstream out, err;
        std::istringstream in;
        Ran ran;
        ran.code = run(arguments, hooks_, World{out, err, in, environment_, false, false, false});
        ran.out = out.str();
        ran.err = err.str();
        return ran;
    }

    std::filesystem::path folder_;
    Hooks hooks_;
    std::map<std::string, std::string> environment_ = {{"BELFRY_API_KEY", "k"}};
    Result<Moved> answer_ = Moved{true, {{"devices", "shop", 7}, {"queue", "", 5}}};
    std::string a_, b_, asked_;
    bool may_be_empty_ = false;
};

TEST_F(MigrateCommand, GivesBothConfigurationsAndShowsWhatWasMoved) {
    const Ran ran = belfry({"migrate", "--from", a_, "--to", b_});
    EXPECT_EQ(ran.code, kDone) << ran.err;
    EXPECT_EQ(asked_.rfind("/old /new ", 0), 0u) << asked_;
    EXPECT_NE(ran.out.find("shop"), std::string::npos);
    EXPECT_NE(ran.out.find("went on where"), std::string::npos);
    const Json shown = Json::parse(belfry({"migrate", "--from", a_, "--to", b_, "--json"}).out);
    EXPECT_EQ(shown["moved"][0], Json({{"what", "devices"}, {"app", "shop"}, {"records", 7}}));
    EXPECT_EQ(shown["resumed"], true);
    EXPECT_FALSE(may_be_empty_);
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--to", b_, "--empty"}).code, kDone);
    EXPECT_TRUE(may_be_empty_);
}

TEST_F(MigrateCommand, TakesNoSettingsFromTheEnvironment) {
    environment_["BELFRY_DATA_DIR"] = "/elsewhere";
    environment_["BELFRY_HTTP__LISTEN"] = "127.0.0.1:1";
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--to", b_}).code, kDone);
    EXPECT_EQ(asked_.find("elsewhere"), std::string::npos);
    EXPECT_EQ(asked_.find("127.0.0.1:1 "), std::string::npos);
    EXPECT_FALSE(asked_.ends_with(":1"));
}

TEST_F(MigrateCommand, SaysInOneLineWhatIsWrong) {
    EXPECT_EQ(belfry({"migrate", "--to", b_}).code, kUsage);
    EXPECT_EQ(belfry({"migrate", "--from", a_}).code, kUsage);
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--to", b_ + "x"}).code, kFailed);
    answer_ = error(ErrorCode::Conflict, "its queue is not empty", "--to");
    const Ran ran = belfry({"migrate", "--from", a_, "--to", b_});
    EXPECT_EQ(ran.code, kFailed);
    EXPECT_EQ(ran.err, "belfry migrate: --to: its queue is not empty\n");
}

TEST_F(MigrateCommand, TakesTheSourceBack) {
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--take-back"}).code, kUsage);
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--to", b_, "--take-back"}).code, kDone);
    EXPECT_EQ(asked_, "/old /new");
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--to", b_, "--target-is-gone"}).code, kUsage);
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--to", b_, "--take-back", "--target-is-gone"}).code, kUsage);
    EXPECT_EQ(belfry({"migrate", "--from", a_, "--take-back", "--target-is-gone"}).code, kDone);
    EXPECT_EQ(asked_, "/old gone");
}

}  // namespace
}  // namespace belfry::cli
