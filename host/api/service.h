// SPDX-License-Identifier: Apache-2.0
// The API's methods: checked parameters in, a result or a fault out. Knows nothing of HTTP.
//
// Threads: call() is [any] and blocks as long as the storage or the queue does, call_then() for the storage only; with
// `parallel` a batch uses helper threads. Owner: main. Not here: envelopes, error modes, authentication (http_api.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/app.h"
#include "api/fault.h"
#include "api/reader.h"
#include "api/schema.h"
#include "audience/devices.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "delivery/delivery.h"
#include "plugins/channels.h"

namespace belfry::api {

class Crew;
class DeviceExport;

// The JSON of a result, or why there is none.
using Answer = std::variant<std::string, Fault>;

class Service {
public:
    Service(delivery::Delivery& delivery, audience::Devices& devices, plugins::Channels& channels, const Clock& clock,
            Log& log, Metrics& metrics);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // `params` must come from text that passed json::check. A batch answers {"replies":[...]}.
    Answer call(const App& app, const Method& method, const json::Value& params);

    // The same without waiting for the commit of a push or a registration: `done` is called once with the answer,
    // before this returns or later, then by a thread that must not be kept. `app` must be there until then. Who sends
    // the answer calls answered(), with what begin() gave it before.
    using AnswerDone = std::function<void(Answer&&)>;
    void call_then(const App& app, const Method& method, const json::Value& params, AnswerDone done);
    int64_t begin() const noexcept { return clock_.mono_ns(); }
    // For metrics and the log.
    void answered(const Method& method, const Answer& answer, int64_t began) {
        count(method, answer, clock_.mono_ns() - began);
    }

    // The methods that stream, which no batch can hold.
    // Gives up to n bytes of the body; 0 = end, -1 = broken.
    using ReadPiece = std::function<int64_t(char* into, size_t n)>;
    // Nothing: the body broke off; what came before is stored.
    std::optional<Answer> device_import(const App& app, const Method& method, const ReadPiece& read);
    // The first page is in `lines` already, so that trouble at the start is an answer like any other.
    std::variant<std::unique_ptr<DeviceExport>, Fault> device_export(const std::shared_ptr<const App>& app,
                                                                     const Method& method, const json::Value& params,
                                                                     std::string& lines);
    // Of a stream that ended early, for the log.
    void report(const Method& method, const Error& error);

private:
    using Handler = Answer (Service::*)(const App&, const Checked&, std::string_view raw);
    static Handler handler_of(MethodId id) noexcept;
    Answer dispatch(const App& app, const Method& method, const json::Value& params);
    // A push to be, and the request's name for its recipient.
    struct Sending {
        delivery::PushRequest push;
        std::string field;
    };
    std::variant<Sending, Fault> sending_of(const App& app, const Checked& params, std::string_view raw) const;
    void send_then(const App& app, const Checked& params, std::string_view raw, AnswerDone done);
    void register_then(const App& app, const Checked& params, AnswerDone done);
    void count(const Method& method, const Answer& answer, int64_t took_ns);

    Answer device_register(const App& app, const Checked& params, std::string_view raw);
    Answer device_update(const App& app, const Checked& params, std::string_view raw);
    Answer device_remove(const App& app, const Checked& params, std::string_view raw);
    Answer device_list(const App& app, const Checked& params, std::string_view raw);
    Answer device_topic_list(const App& app, const Checked& params, std::string_view raw);
    Answer device_topic_update(const App& app, const Checked& params, std::string_view raw);
    Answer user_topic_list(const App& app, const Checked& params, std::string_view raw);
    Answer user_topic_update(const App& app, const Checked& params, std::string_view raw);
    Answer send_push_notification(const App& app, const Checked& params, std::string_view raw);
    Answer cancel_push(const App& app, const Checked& params, std::string_view raw);
    Answer push_status(const App& app, const Checked& params, std::string_view raw);
    Answer push_list(const App& app, const Checked& params, std::string_view raw);
    Answer push_pause(const App& app, const Checked& params, std::string_view raw);
    Answer push_resume(const App& app, const Checked& params, std::string_view raw);
    Answer recipient_count(const App& app, const Checked& params, std::string_view raw);
    Answer apns_channel_create(const App& app, const Checked& params, std::string_view raw);
    Answer apns_channel_get(const App& app, const Checked& params, std::string_view raw);
    Answer apns_channel_delete(const App& app, const Checked& params, std::string_view raw);
    Answer apns_channel_list(const App& app, const Checked& params, std::string_view raw);
    // The instance is the app's, by the wire name that the request gives.
    std::variant<std::vector<plugins::Channel>, Fault> ask_channels(const App& app, const Checked& params,
                                                                    const plugins::ChannelCall& call);
    Answer batch(const App& app, const Checked& params, std::string_view raw);

    struct Command;
    struct Unit;
    void run_unit(const App& app, const std::vector<Command>& commands, const Unit& unit,
                  std::vector<std::string>& replies);
    void register_all(const App& app, const std::vector<Command>& commands, const Unit& unit,
                      std::vector<std::string>& replies);
    std::string reply_of(const Command& command, const Answer& answer);

    // One per method of the table, made once: recording takes no lock.
    struct MethodMetrics {
        Metric* seconds = nullptr;
        std::map<int, Metric*> by_code;
    };
    void make_metrics(Metrics& metrics);

    delivery::Delivery& delivery_;
    audience::Devices& devices_;
    plugins::Channels& channels_;
    const Clock& clock_;
    Logger log_;
    std::vector<MethodMetrics> method_metrics_;
    std::unique_ptr<Crew> crew_;
};

}  // namespace belfry::api
