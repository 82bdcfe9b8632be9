// SPDX-License-Identifier: Apache-2.0
// A provider without HTTP that writes what it sends into a file, and ends the process when a payload or the file's name
// tells it to.
// Threads: as tagged in provider.h.
#include <belfry/provider.hpp>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace {

class Fragile final : public belfry::Provider<Fragile> {
public:
    Fragile(belfry::Services services, std::string_view config) : file_(*services.json_text(config, "file")) {
        if (file_ == "abort") std::abort();
        if (file_ == "exit") std::_Exit(7);
    }

    void validate(const belfry_token& token, const belfry::Emit<belfry_token>& emit) override {
        belfry_token row = belfry::sized<belfry_token>();
        row.token = row.identity = token.token;
        emit(row);
    }
    std::unique_ptr<belfry::PreparedBase> prepare(const belfry_content&, const belfry::Emit<belfry_plan>&) override {
        return nullptr;
    }
    void send(const belfry::PreparedBase*, belfry::Rows<belfry_item> items, int64_t,
              const belfry::Verdicts& verdicts) override {
        for (const belfry_item& item : items) {
            if (belfry::view(item.payload).find("crash") != std::string_view::npos) std::abort();
            write(belfry::text(item.token));
            verdicts.accepted(item.index);
        }
    }

private:
    void write(const std::string& token) {
        const std::lock_guard lock(mutex_);
        std::ofstream(file_, std::ios::app) << token << '\n';
    }
    std::mutex mutex_;
    const std::string file_;
};

}  // namespace

BELFRY_PLUGIN("fragile", "1.0.0", belfry::component<Fragile>("fragile"));
