// SPDX-License-Identifier: Apache-2.0
#include "api/service.h"

#include "api/crew.h"

namespace belfry::api {
namespace {

// Parallel batches mostly wait for the storage's or queue's commit, which they then share.
constexpr size_t kCrewThreads = 8;

constexpr int kCodes[] = {0, 100, 104, 107, 108, 111, 113};

}  // namespace

Service::Service(delivery::Delivery& delivery, audience::Devices& devices, plugins::Channels& channels,
                 const Clock& clock, Log& log, Metrics& metrics)
    : delivery_(delivery),
      devices_(devices),
      channels_(channels),
      clock_(clock),
      log_(log, "api"),
      crew_(std::make_unique<Crew>(kCrewThreads)) {
    make_metrics(metrics);
}

Service::~Service() = default;

Service::Handler Service::handler_of(MethodId id) noexcept {
    switch (id) {
        case MethodId::Batch:
            return &Service::batch;
        case MethodId::DeviceRegister:
            return &Service::device_register;
        case MethodId::DeviceUpdate:
            return &Service::device_update;
        case MethodId::DeviceRemove:
            return &Service::device_remove;
        case MethodId::DeviceList:
            return &Service::device_list;
        case MethodId::DeviceTopicList:
            return &Service::device_topic_list;
        case MethodId::DeviceTopicUpdate:
            return &Service::device_topic_update;
        case MethodId::UserTopicList:
            return &Service::user_topic_list;
        case MethodId::UserTopicUpdate:
            return &Service::user_topic_update;
        case MethodId::SendPushNotification:
            return &Service::send_push_notification;
        case MethodId::CancelPush:
            return &Service::cancel_push;
        case MethodId::PushStatus:
            return &Service::push_status;
        case MethodId::PushList:
            return &Service::push_list;
        case MethodId::PushPause:
            return &Service::push_pause;
        case MethodId::PushResume:
            return &Service::push_resume;
        case MethodId::RecipientCount:
            return &Service::recipient_count;
        case MethodId::ApnsChannelCreate:
            return &Service::apns_channel_create;
        case MethodId::ApnsChannelGet:
            return &Service::apns_channel_get;
        case MethodId::ApnsChannelDelete:
            return &Service::apns_channel_delete;
        case MethodId::ApnsChannelList:
            return &Service::apns_channel_list;
        case MethodId::DeviceImport:
        case MethodId::DeviceExport:
        case MethodId::NotBuilt:
            break;
    }
    return nullptr;
}

Answer Service::call(const App& app, const Method& method, const json::Value& params) {
    const int64_t began = begin();
    Answer answer = dispatch(app, method, params);
    answered(method, answer, began);
    return answer;
}

void Service::call_then(const App& app, const Method& method, const json::Value& params, AnswerDone done) {
    const bool sends = method.id == MethodId::SendPushNotification;
    if (!sends && method.id != MethodId::DeviceRegister) return done(dispatch(app, method, params));
    std::variant<Checked, Fault> checked = read(params, *method.request, app);
    if (Fault* fault = std::get_if<Fault>(&checked)) return done(std::move(*fault));
    if (sends)
        send_then(app, std::get<Checked>(checked), params.raw, std::move(done));
    else
        register_then(app, std::get<Checked>(checked), std::move(done));
}

Answer Service::dispatch(const App& app, const Method& method, const json::Value& params) {
    const Handler handler = handler_of(method.id);
    if (!handler) return not_available(std::string(method.name));
    std::variant<Checked, Fault> checked = read(params, *method.request, app);
    if (Fault* fault = std::get_if<Fault>(&checked)) return std::move(*fault);
    return (this->*handler)(app, std::get<Checked>(checked), params.raw);
}

void Service::make_metrics(Metrics& metrics) {
    for (const Method& method : methods()) {
        MethodMetrics& made = method_metrics_.emplace_back();
        const std::string name(method.name);
        made.seconds = &metrics.counter("api_request_seconds_total", "Time spent in API methods", {{"method", name}});
        for (const int code : kCodes) {
            made.by_code[code] =
                &metrics.counter("api_requests_total", "API calls by method and error code, 0 = success",
                                 {{"method", name}, {"code", std::to_string(code)}});
        }
    }
}

void Service::count(const Method& method, const Answer& answer, int64_t took_ns) {
    const Fault* fault = std::get_if<Fault>(&answer);
    const int code = fault ? static_cast<int>(fault->code) : 0;
    const MethodMetrics& mine = method_metrics_[static_cast<size_t>(&method - methods().data())];
    mine.seconds->add(static_cast<double>(took_ns) / 1e9);
    mine.by_code.at(code)->add();
    if (!fault) return;
    if (fault->code == Code::Internal) {
        log_.error("request failed", {{"method", method.name}, {"why", fault->message}});
    } else {
        log_.debug("request refused", {{"method", method.name}, {"code", code}, {"why", fault->message}});
    }
}

}  // namespace belfry::api
