// SPDX-License-Identifier: Apache-2.0
#include "net/h1_session.h"

#include <utility>

namespace belfry::simulator {

namespace {

constexpr std::chrono::milliseconds kCutAfter{20};  // the first half is on its way by then

}  // namespace

void H1Session::receive(std::span<const std::uint8_t> bytes) {
    if (closing_) return;
    parser_.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    proceed();
}

void H1Session::pull(std::string& out) {
    out += output_;
    output_.clear();
}

void H1Session::retire(const std::string&) {
    closing_ = true;
}

void H1Session::proceed() {
    while (!answering_ && !closing_) {
        const H1Parser::State state = parser_.advance();
        if (state == H1Parser::State::Failed) {
            Plan plan;
            plan.reply.status = parser_.error_status();
            execute(std::move(plan));
            return;
        }
        if (state != H1Parser::State::Complete) {
            if (state != H1Parser::State::Head && parser_.take_expectation())
                output_ += "HTTP/1.1 100 Continue\r\n\r\n";
            return;
        }
        parser_.take_expectation();
        Request request = parser_.take();
        request.connection = host_.id();
        request.stream = ++ordinal_;
        host_.backend().on_streams_open(host_.id(), 1);
        execute(host_.backend().handle(std::move(request)));
    }
}

void H1Session::execute(Plan plan) {
    answering_ = true;
    const bool unanswered = plan.action == WireAction::Goaway && plan.last_stream == LastStream::Before;
    if (plan.action == WireAction::ResetStream || plan.action == WireAction::ResetTcp || unanswered) {
        host_.reset_tcp();
        return;
    }
    if (plan.action == WireAction::BlackHole) return;
    if (plan.action == WireAction::HalfOpen) {
        host_.go_silent();
        return;
    }
    cut_ = plan.action == WireAction::CutAnswer;
    if (plan.action == WireAction::Goaway || !parser_.keep_alive()) closing_ = true;
    reply_ = std::move(plan.reply);
    before_body_ = plan.before_body;
    if (plan.before_headers.count() <= 0) {
        write_head();
        return;
    }
    host_.later(plan.before_headers, [](Session& session) {
        auto& self = static_cast<H1Session&>(session);
        self.write_head();
        self.proceed();
    });
}

void H1Session::write_head() {
    output_ += "HTTP/1.1 " + std::to_string(reply_.status) + " \r\n";
    for (const Header& header : reply_.headers) output_ += header.name + ": " + header.value + "\r\n";
    output_ += "content-length: " + std::to_string(reply_.body.size()) + "\r\n";
    if (closing_) output_ += "connection: close\r\n";
    output_ += "\r\n";
    if (before_body_.count() <= 0) {
        write_body();
        return;
    }
    host_.later(before_body_, [](Session& session) {
        auto& self = static_cast<H1Session&>(session);
        self.write_body();
        self.proceed();
    });
}

void H1Session::write_body() {
    if (cut_) {
        output_ += reply_.body.substr(0, reply_.body.size() / 2);
        host_.later(kCutAfter, [](Session& session) { static_cast<H1Session&>(session).host_.reset_tcp(); });
        return;
    }
    output_ += reply_.body;
    reply_ = Reply{};
    answering_ = false;
}

}  // namespace belfry::simulator
