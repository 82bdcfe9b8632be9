// SPDX-License-Identifier: Apache-2.0
// devices import and export: any number of devices, in constant memory, as NDJSON or CSV.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/handles.h"
#include "cli/client.h"
#include "cli/csv.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kErrorsShown = 20;

// "ndjson" or "csv": as given, or by the file's name.
Result<bool> wants_csv(const Call& call, const std::string& file) {
    const std::string format = call.given.value("--format");
    if (format == "csv" || (format.empty() && file.size() > 4 && file.compare(file.size() - 4, 4, ".csv") == 0))
        return true;
    if (format.empty() || format == "ndjson") return false;
    return error(ErrorCode::InvalidArgument, "must be ndjson or csv", "--format");
}

// What the request's body is made of, piece by piece.
class Source {
public:
    Source(std::istream& in, bool csv) : in_(in), csv_(in), is_csv_(csv) {}
    Status open() { return is_csv_ ? csv_.open() : Status(); }
    Result<bool> next(std::string& piece) { return is_csv_ ? records(piece) : bytes(piece); }
    uint64_t lines() const { return lines_; }

private:
    Result<bool> records(std::string& piece) {
        while (piece.size() < kPieceBytes) {
            const Result<bool> more = csv_.next(piece);
            if (!more || !*more) return more;
            ++lines_;
        }
        return true;
    }
    Result<bool> bytes(std::string& piece) {
        piece.resize(kPieceBytes);
        in_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        piece.resize(static_cast<size_t>(in_.gcount()));
        lines_ += static_cast<uint64_t>(std::count(piece.begin(), piece.end(), '\n'));
        if (in_.bad()) return error(ErrorCode::Unavailable, std::string("cannot be read: ") + std::strerror(errno));
        return in_.good();
    }

    std::istream& in_;
    CsvReader csv_;
    const bool is_csv_;
    uint64_t lines_ = 0;
};

int report_import(const Call& call, const std::string& file, bool csv, const Json& result) {
    const uint64_t failed = result.value("failed", uint64_t{0});
    if (call.given.has("--json")) {
        print_json(result, call.world);
        return failed == 0 ? kDone : kFailed;
    }
    call.world.out << "registered " << result.value("registered", uint64_t{0}) << ", refused " << failed << "\n";
    size_t shown = 0;
    for (const Json& one : result.value("errors", Json::array())) {
        if (++shown > kErrorsShown) break;
        call.world.err << file << (csv ? ": record " : ":") << one.value("line", uint64_t{0}) << ": "
                       << one.value("message", "") << "\n";
    }
    if (failed > kErrorsShown) call.world.err << "and " << failed - kErrorsShown << " more; --json lists up to 1000\n";
    return failed == 0 ? kDone : kFailed;
}

int import_devices(const Call& call) {
    const std::string& file = call.given.words[0];
    const Result<bool> csv = wants_csv(call, file);
    if (!csv) return usage_error(call, csv.error().to_string());
    std::ifstream opened;
    if (file != "-") opened.open(file, std::ios::binary);
    if (file != "-" && !opened.is_open())
        return failed(call, error(ErrorCode::NotFound, std::string("cannot be read: ") + std::strerror(errno), file));
    std::istream& in = file == "-" ? call.world.in : opened;
    std::error_code unknown;
    const uint64_t size = file == "-" ? 0 : static_cast<uint64_t>(std::filesystem::file_size(file, unknown));
    Source source(in, *csv);
    const auto of_file = [&](Error why) {
        why.where = why.where.empty() ? file : file + ": " + why.where;
        return failed(call, why);
    };
    if (const Status good = source.open(); !good) return of_file(good.error());
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return failed(call, client.error());
    std::optional<Error> unreadable;
    const Result<std::string> result = [&] {
        Bar bar(call.world, "lines");
        return (*client)->upload("device_import", [&](std::string& piece) {
            Result<bool> more = source.next(piece);
            if (!more) unreadable = more.error();
            const auto at = in.tellg();
            bar.show(at < 0 ? size : static_cast<uint64_t>(at), unknown ? 0 : size, source.lines());
            return more;
        });
    }();
    if (unreadable) return of_file(*unreadable);
    if (!result) return failed(call, result.error());
    return report_import(call, file, *csv, Json::parse(*result, nullptr, false));
}

// How a line begins that is no device.
constexpr std::string_view kUserTopics = "{\"user_topic_update\"";

// How many there will be, for the bar.
uint64_t total_of(Client& client, const Json& filter) {
    const Result<std::string> page =
        client.call("device_list", Json{{"filter", filter}, {"include_total_count", true}, {"limit", 1}}.dump());
    return page ? Json::parse(*page, nullptr, false).value("total_count", uint64_t{0}) : 0;
}

Json filter_of(const Call& call) {
    Json filter = Json::object();
    for (const auto& [option, field] : {std::pair("--user", "users"), std::pair("--topic", "topics"),
                                        std::pair("--provider", "providers"), std::pair("--platform", "platforms")}) {
        const std::vector<std::string> values = call.given.values(option);
        if (!values.empty()) filter[field] = values;
    }
    return filter;
}

Result<uint64_t> write_devices(const Call& call, bool csv, std::ostream& out) {
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return client.error();
    const Json filter = filter_of(call);
    const uint64_t total = call.world.terminal ? total_of(**client, filter) : 0;
    Bar bar(call.world, "devices");
    uint64_t n = 0;
    if (csv) out << csv_heading();
    const Status done = (*client)->download(
        "device_export", Json{{"filter", filter}, {"include_user_topics", !csv}}.dump(), [&](const std::string& line) {
            Result<std::string> record = csv ? csv_record(line) : Result<std::string>(line + "\n");
            if (!record) return Status(record.error());
            if (!(out << *record)) return Status(error(ErrorCode::StoreFull, "cannot be written; is the disk full?"));
            if (line.rfind(kUserTopics, 0) != 0) ++n;
            bar.show(n, total, n);
            return Status();
        });
    if (!done) return done.error();
    if (!out.flush()) return error(ErrorCode::StoreFull, "cannot be written; is the disk full?");
    return n;
}

// Tokens are for nobody else's eyes, whatever the umask. Not open: errno says why.
std::ofstream open_private(const std::string& file) {
    ::unlink(file.c_str());  // what an export that was killed left, and its mode
    const UniqueFd made(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    std::ofstream out;
    if (made) out.open(file, std::ios::binary | std::ios::trunc);
    return out;
}

int export_devices(const Call& call) {
    const std::string file = call.given.words.empty() ? "-" : call.given.words[0];
    const Result<bool> csv = wants_csv(call, file);
    if (!csv) return usage_error(call, csv.error().to_string());
    if (file == "-") {
        const Result<uint64_t> n = write_devices(call, *csv, call.world.out);
        return n ? kDone : failed(call, n.error());
    }
    // Half an export must not look like a whole one.
    const std::string draft = file + ".part";
    std::ofstream out = open_private(draft);
    if (!out.is_open())
        return failed(call,
                      error(ErrorCode::Unavailable, std::string("cannot be written: ") + std::strerror(errno), draft));
    Result<uint64_t> n = write_devices(call, *csv, out);
    out.close();
    if (n && std::rename(draft.c_str(), file.c_str()) != 0)
        n = error(ErrorCode::Unavailable, std::string("cannot be renamed: ") + std::strerror(errno), draft);
    if (!n) {
        std::remove(draft.c_str());
        return failed(call, n.error());
    }
    if (call.given.has("--json")) {
        print_json({{"exported", *n}}, call.world);
    } else {
        call.world.out << "exported " << *n << "\n";
    }
    return kDone;
}

}  // namespace

std::vector<Command> device_stream_commands() {
    const Option format{"--format", "FORMAT", "ndjson or csv; by default csv for *.csv, else ndjson"};
    return {
        {"devices import",
         "FILE",
         "register the devices of a file, or of standard input (-): NDJSON lines as device_register takes them, or CSV",
         with_server_options({format}),
         1,
         1,
         import_devices,
         {"belfry devices import devices.csv",
          "echo '{\"provider\": \"fcm\", \"token\": \"TOKEN\", \"user\": \"42\"}' | belfry devices import -"}},
        {"devices export",
         "[FILE]",
         "write devices to a file, for its owner's eyes only (mode 0600), or to standard output, in the form that "
         "import takes; NDJSON also has the topics "
         "bound "
         "to users",
         with_server_options({format,
                              {"--user", "USER", "only devices of this user", true},
                              {"--topic", "TOPIC", "only devices with this topic", true},
                              {"--provider", "NAME", "only devices of this provider", true},
                              {"--platform", "NAME", "only this platform", true}}),
         0,
         1,
         export_devices,
         {"belfry devices export devices.csv", "belfry devices export --topic news | wc -l"}},
    };
}

}  // namespace belfry::cli
