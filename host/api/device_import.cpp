// SPDX-License-Identifier: Apache-2.0
#include "api/device_import.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <functional>
#include <iterator>

#include "api/device_methods.h"
#include "api/json_writer.h"
#include "api/reader.h"
#include "api/schema.h"

namespace belfry::api {
namespace {

bool is_blank(std::string_view line) noexcept {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// What only this line is to blame for; everything else would meet the next line too.
bool is_of_the_line(ErrorCode code) noexcept {
    return code == ErrorCode::InvalidArgument || code == ErrorCode::TooLarge || code == ErrorCode::Conflict;
}

constexpr std::string_view kBinding = "user_topic_update";

// What a short text in a list takes besides its bytes: itself, and its place in the rows for the storage.
constexpr size_t kTextBytes = sizeof(std::string) + sizeof(belfry_str);

using Line = std::variant<audience::Registration, audience::UserTopics, Fault>;

template <class Made>
Line line_of(std::variant<Made, Fault>&& made) {
    return std::visit([](auto& one) { return Line(std::move(one)); }, made);
}

Line parsed(const App& app, std::string_view line) {
    const json::Check valid = json::check(line);
    if (!valid) return bad_request("not JSON: byte " + std::to_string(valid.at + 1) + ": " + std::string(valid.fault));
    json::Value root = json::root(line);
    if (!root.is(json::Type::Object)) return bad_request("must be an object, as device_register takes it");
    static const ObjectType& device = *find_method("device_register")->request;
    static const ObjectType& binding = *find_method(kBinding)->request;
    const json::Value inside = json::member(root, kBinding);
    const bool binds = !inside.is_nothing();
    if (binds && !inside.is(json::Type::Object)) return bad_request(std::string(kBinding) + ": must be an object");
    std::variant<Checked, Fault> checked = read(binds ? inside : root, binds ? binding : device, app);
    if (Fault* fault = std::get_if<Fault>(&checked)) return std::move(*fault);
    const Checked& params = std::get<Checked>(checked);
    return binds ? line_of(user_topics_of(params, "")) : line_of(registration_of(app, params));
}

}  // namespace

std::optional<Fault> DeviceImport::take(std::string_view piece) {
    while (!piece.empty()) {
        const size_t end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        if (!too_long_ && partial_.size() + part.size() > kImportLineBytesMax) {
            too_long_ = true;
            partial_.clear();
            partial_.shrink_to_fit();
        }
        if (end == std::string_view::npos) {
            if (!too_long_) partial_ += part;
            return std::nullopt;
        }
        piece.remove_prefix(end + 1);
        std::optional<Fault> fault;
        if (partial_.empty()) {
            fault = take_line(part);
        } else {
            partial_ += part;
            fault = take_line(partial_);
        }
        partial_.clear();
        if (fault) return fault;
    }
    return std::nullopt;
}

std::optional<Fault> DeviceImport::take_line(std::string_view line) {
    ++line_;
    if (std::exchange(too_long_, false)) {
        refuse(line_, bad_request("longer than " + std::to_string(kImportLineBytesMax) + " bytes"));
        return std::nullopt;
    }
    if (is_blank(line)) return std::nullopt;
    Line read = parsed(app_, line);
    if (const Fault* fault = std::get_if<Fault>(&read)) {
        refuse(line_, *fault);
        return std::nullopt;
    }
    if (auto* change = std::get_if<audience::UserTopics>(&read)) return bind(std::move(*change), line.size());
    return add(std::move(std::get<audience::Registration>(read)), line.size());
}

std::optional<Fault> DeviceImport::bind(audience::UserTopics&& change, size_t bytes) {
    if (bindings_.empty()) first_binding_ = line_;
    bindings_bytes_ += bytes + change.topics.size() * kTextBytes;
    bindings_.push_back(std::move(change));
    const bool full = bindings_.size() == kImportBindings || bindings_bytes_ > kImportBatchBytes;
    return full ? store_bindings() : std::nullopt;
}

std::optional<Fault> DeviceImport::store_bindings() {
    if (bindings_.empty()) return std::nullopt;
    if (auto fault = settle()) return fault;
    const Status done = devices_.update_user_topics(app_.name, bindings_);
    if (!done) return ended(done.error(), first_binding_, line_);
    bound_ += bindings_.size();
    bindings_.clear();
    bindings_bytes_ = 0;
    return std::nullopt;
}

std::optional<Fault> DeviceImport::add(audience::Registration&& device, size_t bytes) {
    const size_t token = std::hash<std::string>()(device.provider + '\0' + device.token);
    const size_t held = bytes + device.topics.size() * kTextBytes;
    const bool known = filling_.tokens.contains(token) || (device.key >= 0 && filling_.keys.contains(device.key));
    if (known || filling_.bytes + held > kImportBatchBytes) {
        if (auto fault = store()) return fault;
    }
    filling_.tokens.insert(token);
    if (device.key >= 0) filling_.keys.insert(device.key);
    filling_.devices.push_back(std::move(device));
    filling_.places.push_back(line_);
    filling_.bytes += held;
    return filling_.devices.size() == kImportBatchLines ? store() : std::nullopt;
}

// Hands the batch over and returns; only one is on its way, so that later lines are stored later. Topics bound to
// everybody reach a device when it registers: those of earlier lines go first.
std::optional<Fault> DeviceImport::store() {
    if (auto fault = store_bindings()) return fault;
    if (filling_.devices.empty()) return std::nullopt;
    if (auto fault = settle()) return fault;
    storing_ = std::exchange(filling_, {});
    storing_.tokens = {};
    storing_.keys = {};
    // Deferred where no thread can be had: then settle() stores.
    stored_ = std::async(std::launch::async | std::launch::deferred, [this] { return register_batch(); });
    return std::nullopt;
}

DeviceImport::Stored DeviceImport::register_batch() {
    Stored done;
    for (int tries = 0; tries < kImportBusyTries; ++tries) {
        done = devices_.register_devices(storing_.devices);
        const bool busy = std::any_of(done.begin(), done.end(), [](const Result<audience::Registered>& one) {
            return !one && one.error().code == ErrorCode::Busy;
        });
        if (!busy) break;
    }
    return done;
}

std::optional<Fault> DeviceImport::settle() {
    if (!stored_.valid()) return std::nullopt;
    const Stored done = stored_.get();
    const std::vector<uint64_t> places = std::exchange(storing_, {}).places;
    std::optional<Error> trouble;
    for (size_t i = 0; i < done.size(); ++i) {
        if (done[i]) {
            ++registered_;
        } else if (is_of_the_line(done[i].error().code)) {
            refuse(places[i], fault_of(done[i].error()));
        } else if (!trouble) {
            trouble = done[i].error();
        }
    }
    if (!trouble) return std::nullopt;
    return ended(*trouble, places.front(), places.back());
}

Fault DeviceImport::ended(const Error& trouble, uint64_t first_line, uint64_t last_line) const {
    Fault fault = fault_of(trouble);
    fault.message += "; the import ended between lines " + std::to_string(first_line) + " and " +
                     std::to_string(last_line) + " (" + std::to_string(registered_) + " devices registered, " +
                     std::to_string(failed_) + " lines refused); import the same again, what is stored does no harm";
    return fault;
}

// A batch reports what its devices met after later lines were refused at once: the first ones are kept, by line.
void DeviceImport::refuse(uint64_t line, const Fault& fault) {
    ++failed_;
    const bool full = errors_.size() == kImportErrorsMax;
    if (full && line > errors_.rbegin()->first) return;
    if (full) errors_.erase(std::prev(errors_.end()));
    errors_.emplace(line, LineError{fault.code, fault.message.substr(0, kImportErrorBytesMax)});
}

std::variant<std::string, Fault> DeviceImport::finish() {
    if (!partial_.empty() || too_long_) {
        if (auto fault = take_line(std::exchange(partial_, {}))) return std::move(*fault);
    }
    if (auto fault = store()) return std::move(*fault);
    if (auto fault = settle()) return std::move(*fault);
    JsonWriter out;
    out.open('{').key("lines").integer(static_cast<int64_t>(line_));
    out.key("registered").integer(static_cast<int64_t>(registered_));
    if (bound_ > 0) out.key("user_topics").integer(static_cast<int64_t>(bound_));
    out.key("failed").integer(static_cast<int64_t>(failed_));
    out.key("errors").open('[');
    for (const auto& [line, error] : errors_) {
        out.open('{').key("line").integer(static_cast<int64_t>(line));
        out.key("code").integer(static_cast<int64_t>(error.code)).key("message").text(error.message).close('}');
    }
    out.close(']').close('}');
    return out.take();
}

}  // namespace belfry::api
