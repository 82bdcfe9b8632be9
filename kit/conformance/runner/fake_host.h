// SPDX-License-Identifier: Apache-2.0
// The host that a plugin under test sees: the real services over parts that cases own. The wall clock can be moved,
// secrets and answers of HTTP are the case's, what is logged is remembered, state lies in the case's folder.
//
// Threads: services as tagged in services.h; the rest by the case's thread, before calls or between them.
#pragma once

#include <belfry/plugin.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/runner/runner.h"

namespace belfry::conformance {

struct HttpAsked {
    std::string method, path, body;
    std::vector<std::pair<std::string, std::string>> headers;
};
struct HttpAnswer {
    int status = 0;  // 0: no answer comes
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers = {};
};

class FakeHost {
public:
    // Secrets by the id that stands in the configuration.
    explicit FakeHost(const std::string& state_directory, Secrets secrets = {}, std::string component = {});
    // State in a folder of the case, secrets and component as the case has them.
    FakeHost(const Context& context, std::string_view folder);
    ~FakeHost();
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;

    const belfry_host* table() const noexcept;
    // What to create; empty: the component named as the file.
    const std::string& component() const noexcept;

    // The clocks a plugin sees run with the real ones plus what cases add: forwards to each, backwards to the wall
    // clock only.
    int64_t unix_ms() const noexcept;
    int64_t mono_ns() const noexcept;
    // A deadline so far away that no call meets it.
    int64_t far_deadline() const noexcept;
    void advance_ms(int64_t by) noexcept;

    std::vector<std::string> log_lines() const;
    // Who answers belfry.http/1 calls; without it nobody does.
    void answer_http(std::function<HttpAnswer(const HttpAsked&)> answer);
    // How many endpoints were declared; their ids count from 0.
    size_t endpoints() const;
    // Only these services exist from now on, by id.
    void offer_only(std::set<std::string, std::less<>> services);
    // How many calls of a service there were ("belfry.http/1").
    uint64_t asked(std::string_view service) const;

    struct Parts;

private:
    std::unique_ptr<Parts> parts_;
};

}  // namespace belfry::conformance
