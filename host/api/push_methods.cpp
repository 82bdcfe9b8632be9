// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "api/json_writer.h"
#include "api/recipient.h"
#include "api/service.h"
#include "crypto/hash.h"

namespace belfry::api {
namespace {

// First half of SHA-256 of the request as it came: what makes a repeated uid the same request.
std::array<uint8_t, 16> fingerprint_of(std::string_view raw) {
    const crypto::Digest digest = crypto::sha256(raw);
    std::array<uint8_t, 16> half{};
    std::copy_n(digest.begin(), half.size(), half.begin());
    return half;
}

std::optional<Fault> read_dry_run(const Checked& params, delivery::DryRun& out) {
    const json::Value& value = params.value("dry_run");
    if (value.is_nothing() || value.is(json::Type::False)) return std::nullopt;
    if (value.is(json::Type::True)) {
        out = delivery::DryRun::Host;
    } else if (json::equals(value, "provider")) {
        out = delivery::DryRun::Provider;
    } else {
        return bad_request("dry_run: must be true, false or \"provider\"");
    }
    return std::nullopt;
}

delivery::Lane lane_of(const std::string& name) {
    if (name == "high") return delivery::Lane::High;
    if (name == "normal") return delivery::Lane::Normal;
    if (name == "low") return delivery::Lane::Low;
    return delivery::Lane::ByShape;
}

std::optional<Fault> read_payloads(const Checked& notification, const Addressed& addressed,
                                   delivery::PushRequest& push) {
    for (const auto& [provider, payload] : notification.payloads())
        push.payloads[provider->instance] = std::string(payload.raw);
    if (push.payloads.empty()) return bad_request("notification: needs the payload of at least one provider");
    if (addressed.provider && !push.payloads.contains(addressed.provider->instance)) {
        return bad_request("notification." + addressed.provider->wire + ": is required by " + addressed.field);
    }
    return std::nullopt;
}

// Delivery knows instances; clients know their own names for them, and the recipient's field.
Error in_wire_words(Error error, const App& app, const std::string& field) {
    constexpr std::string_view kNotification = "notification.";
    constexpr std::string_view kTokens = "recipient.tokens.tokens";
    std::string& where = error.where;
    if (where.rfind(kTokens, 0) == 0) {
        where.replace(0, kTokens.size(), field);
    } else if (where == "recipient") {
        where = field;
    } else if (where.rfind(kNotification, 0) == 0) {
        const size_t end = std::min(where.find('.', kNotification.size()), where.size());
        const std::string instance = where.substr(kNotification.size(), end - kNotification.size());
        where.replace(kNotification.size(), instance.size(), app.wire_of(instance));
    }
    return error;
}

constexpr int64_t kCountBudgetMs = 10'000;

Fault no_such_push() {
    return fault_of(error(ErrorCode::NotFound, "no push of this app has it", "uid"));
}

Answer steered(const Result<delivery::SteerResult>& done, const char* what) {
    if (!done) return fault_of(done.error());
    switch (*done) {
        case delivery::SteerResult::Unknown:
            return no_such_push();
        case delivery::SteerResult::Finished:
            return fault_of(
                error(ErrorCode::Conflict, std::string("the push is final; there is nothing to ") + what, "uid"));
        case delivery::SteerResult::Done:
        case delivery::SteerResult::AlreadySo:
            break;
    }
    return "{}";
}

int64_t seconds(int64_t unix_ms) {
    return unix_ms / 1000;
}

void write_status(const App& app, const delivery::PushStatus& status, JsonWriter& out) {
    out.open('{').key("uid").text(status.uid).key("state").text(status.state).key("lane").text(status.lane);
    out.key("planned").integer(status.planned).key("planned_final").boolean(status.planned_final);
    out.key("outcomes").open('[');
    for (const delivery::OutcomeCount& count : status.outcomes) {
        out.open('{').key("provider").text(app.wire_of(count.provider)).key("outcome").text(count.outcome);
        out.key("n").integer(count.n).close('}');
    }
    out.close(']').key("samples").open('[');
    for (const std::string& sample : status.samples) {
        if (json::check(sample)) {
            out.raw(sample);
        } else {
            out.text(sample);
        }
    }
    out.close(']');
    out.integer_unless_zero("created_at", seconds(status.created_unix_ms));
    out.integer_unless_zero("send_at", seconds(status.send_at_unix_ms));
    out.integer_unless_zero("expire_at", seconds(status.expires_unix_ms));
    out.integer_unless_zero("finished_at", seconds(status.finished_unix_ms));
    if (status.eta_ms) out.key("eta_ms").integer(*status.eta_ms);
    out.close('}');
}

}  // namespace

std::variant<Service::Sending, Fault> Service::sending_of(const App& app, const Checked& params,
                                                          std::string_view raw) const {
    std::variant<Addressed, Fault> read = addressed_by(app, *params.object("recipient"));
    if (Fault* fault = std::get_if<Fault>(&read)) return std::move(*fault);
    Addressed& addressed = std::get<Addressed>(read);
    const Checked& notification = *params.object("notification");
    delivery::PushRequest push;
    if (auto fault = read_payloads(notification, addressed, push)) return std::move(*fault);
    if (auto fault = read_dry_run(params, push.dry_run)) return std::move(*fault);
    push.app = app.name;
    push.uid = params.text("uid");
    push.fingerprint = fingerprint_of(raw);
    push.recipient = std::move(addressed.recipient);
    push.lane = lane_of(params.text("lane"));
    const int64_t send_at_ms = params.integer("send_at") * 1000;
    push.send_at_unix_ms = send_at_ms > clock_.unix_ms() ? send_at_ms : 0;
    push.expires_unix_ms = notification.integer("expire_at") * 1000;
    return Sending{std::move(push), std::move(addressed.field)};
}

namespace {

Answer answer_of(const Result<delivery::Accepted>& accepted, const App& app, const std::string& field) {
    if (!accepted) return fault_of(in_wire_words(accepted.error(), app, field));
    JsonWriter out;
    out.open('{').key("uid").text(accepted->uid).close('}');
    return out.take();
}

}  // namespace

Answer Service::send_push_notification(const App& app, const Checked& params, std::string_view raw) {
    std::variant<Sending, Fault> read = sending_of(app, params, raw);
    if (Fault* fault = std::get_if<Fault>(&read)) return std::move(*fault);
    Sending& sending = std::get<Sending>(read);
    return answer_of(delivery_.accept(std::move(sending.push)), app, sending.field);
}

void Service::send_then(const App& app, const Checked& params, std::string_view raw, AnswerDone done) {
    std::variant<Sending, Fault> read = sending_of(app, params, raw);
    if (Fault* fault = std::get_if<Fault>(&read)) return done(std::move(*fault));
    Sending& sending = std::get<Sending>(read);
    delivery_.accept_then(std::move(sending.push),
                          [&app, field = std::move(sending.field), done = std::move(done)](
                              Result<delivery::Accepted>&& accepted) { done(answer_of(accepted, app, field)); });
}

Answer Service::cancel_push(const App& app, const Checked& params, std::string_view) {
    const Result<delivery::CancelResult> done = delivery_.cancel(app.name, params.text("uid"));
    if (!done) return fault_of(done.error());
    if (*done == delivery::CancelResult::Unknown) return no_such_push();
    return "{}";
}

Answer Service::push_status(const App& app, const Checked& params, std::string_view) {
    const Result<delivery::PushStatus> status = delivery_.status(app.name, params.text("uid"));
    if (!status) return status.error().code == ErrorCode::NotFound ? no_such_push() : fault_of(status.error());
    JsonWriter out;
    write_status(app, *status, out);
    return out.take();
}

Answer Service::push_list(const App& app, const Checked& params, std::string_view) {
    const int64_t limit = params.integer("limit");
    const Result<delivery::Delivery::PushPage> page =
        delivery_.list(app.name, params.text("state"), params.text("cursor"),
                       static_cast<uint32_t>(limit > 0 ? limit : kListLimitDefault));
    if (!page) return fault_of(page.error());
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const delivery::PushStatus& status : page->pushes) write_status(app, status, out);
    out.close(']');
    out.text_unless_empty("next_cursor", page->next_cursor);
    out.close('}');
    return out.take();
}

Answer Service::push_pause(const App& app, const Checked& params, std::string_view) {
    return steered(delivery_.pause(app.name, params.text("uid")), "pause");
}

Answer Service::push_resume(const App& app, const Checked& params, std::string_view) {
    return steered(delivery_.resume(app.name, params.text("uid")), "resume");
}

Answer Service::recipient_count(const App& app, const Checked& params, std::string_view) {
    std::variant<Addressed, Fault> read = addressed_by(app, *params.object("recipient"));
    if (Fault* fault = std::get_if<Fault>(&read)) return std::move(*fault);
    const Addressed& addressed = std::get<Addressed>(read);
    if (addressed.recipient.native)
        return bad_request(addressed.field + ": only the provider knows who this reaches; count a filter or tokens");
    const Result<delivery::RecipientCount> count =
        delivery_.recipient_count(app.name, addressed.recipient, kCountBudgetMs);
    if (!count) return fault_of(in_wire_words(count.error(), app, addressed.field));
    JsonWriter out;
    out.open('{').key("devices").integer(count->devices).key("parts").open('[');
    for (const delivery::RecipientCount::Part& part : count->parts) {
        out.open('{').key("provider").text(app.wire_of(part.provider)).key("platform").text(part.platform);
        out.key("devices").integer(part.devices).close('}');
    }
    out.close(']').key("complete").boolean(count->complete);
    out.integer_unless_zero("refused", count->refused).close('}');
    return out.take();
}

}  // namespace belfry::api
