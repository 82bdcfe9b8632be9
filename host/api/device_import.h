// SPDX-License-Identifier: Apache-2.0
// device_import: NDJSON in, one device_register or user_topic_update per line, in constant memory.
//
//     take(piece) ... take(piece), finish()      pieces may end anywhere
//
// Lines are stored in batches, one at a time, while the next one is read and checked; a line that is wrong is reported
// with its number and the others go on. Trouble of the storage ends the import: every line before is stored, and
// importing the same again does no harm.
// Threads: one caller, and one of its own while a batch is being stored. Owner: Service::device_import.
#pragma once

#include <future>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "api/app.h"
#include "api/fault.h"
#include "audience/devices.h"

namespace belfry::api {

inline constexpr size_t kImportLineBytesMax = 1 << 20;  // every device that fits the bounds fits, escaped too
inline constexpr size_t kImportErrorsMax = 1000;        // errors that are listed; all are counted
inline constexpr size_t kImportErrorBytesMax = 512;     // of a listed error: it may quote a key as long as its line
// The storage sorts a batch: the longer it is, the more of its devices share pages.
inline constexpr size_t kImportBatchLines = 4000;
inline constexpr size_t kImportBatchBytes = 2 << 20;  // of texts, with what holds each
inline constexpr size_t kImportBindings = 200;        // that are stored together
// What one import holds at most, as counted against bodies: a batch that is filled, one that is stored (with the
// provider's judgement of each token, its place in the registry's line and its row for the storage) and a line.
// Measured by import_memory_test: 8 MiB with usual lines, 9 MiB with the longest tokens.
inline constexpr int64_t kImportMemory = 12 << 20;
// How often a batch is tried that found too many registrations waiting; the registry waits itself before it says so.
inline constexpr int kImportBusyTries = 6;

class DeviceImport {
public:
    DeviceImport(const App& app, audience::Devices& devices) : app_(app), devices_(devices) {}

    // A fault: the import has ended, nothing more is wanted.
    std::optional<Fault> take(std::string_view piece);
    // The last line may lack its newline. The result's JSON.
    std::variant<std::string, Fault> finish();

private:
    struct LineError {
        Code code;
        std::string message;
    };
    using Stored = std::vector<Result<audience::Registered>>;
    struct Batch {
        std::vector<audience::Registration> devices;
        std::vector<uint64_t> places;  // line of each
        size_t bytes = 0;
        // No two of one call may be the same. Hashes: two tokens of one hash only make the batch shorter.
        std::unordered_set<size_t> tokens;
        std::unordered_set<int64_t> keys;
    };
    std::optional<Fault> take_line(std::string_view line);
    std::optional<Fault> bind(audience::UserTopics&& change, size_t bytes);
    std::optional<Fault> store_bindings();
    Fault ended(const Error& trouble, uint64_t first_line, uint64_t last_line) const;
    std::optional<Fault> add(audience::Registration&& device, size_t bytes);
    std::optional<Fault> store();
    Stored register_batch();
    std::optional<Fault> settle();
    void refuse(uint64_t line, const Fault& fault);

    const App& app_;
    audience::Devices& devices_;
    std::string partial_;    // the beginning of a line
    bool too_long_ = false;  // its line is skipped up to the newline
    uint64_t line_ = 0;      // lines seen
    uint64_t registered_ = 0, failed_ = 0;
    std::map<uint64_t, LineError> errors_;  // by line, the first ones

    std::vector<audience::UserTopics> bindings_;  // not stored yet
    size_t bindings_bytes_ = 0;
    uint64_t first_binding_ = 0, bound_ = 0;
    Batch filling_, storing_;
    std::future<Stored> stored_;  // of `storing_`; last, so that its thread ends before what it uses
};

}  // namespace belfry::api
