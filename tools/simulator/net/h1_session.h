// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 server connection: requests are answered one after another.
//
// Threads: [one loop].  Owner: Connection.
#pragma once

#include "net/h1_parser.h"
#include "net/session.h"

namespace belfry::simulator {

class H1Session final : public Session {
public:
    explicit H1Session(SessionHost& host) : host_(host) {}

    void receive(std::span<const std::uint8_t> bytes) override;
    void pull(std::string& out) override;
    [[nodiscard]] bool finished() const override { return closing_ && !answering_ && output_.empty(); }
    [[nodiscard]] bool busy() const override { return answering_; }
    void retire(const std::string& debug) override;

private:
    void proceed();
    void execute(Plan plan);
    void write_head();
    void write_body();

    SessionHost& host_;
    H1Parser parser_;
    std::string output_;
    Reply reply_;
    std::chrono::milliseconds before_body_{0};
    std::int32_t ordinal_ = 0;
    bool answering_ = false;
    bool closing_ = false;
    bool cut_ = false;  // the answer under way breaks off
};

}  // namespace belfry::simulator
