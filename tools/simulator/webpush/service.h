// SPDX-License-Identifier: Apache-2.0
// The simulated push services: one backend per flavour, each behind its own port and so its own origin, over one store.
//
// Threads: [any]; takes World::mutex, but opens bodies without it.  Owner: Simulator.
// Not here: what each service says (replies), the control calls (control.cpp is a part of this class).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/session.h"
#include "state/world.h"
#include "webpush/decrypt.h"
#include "webpush/replies.h"
#include "webpush/store.h"

namespace belfry::simulator::webpush {

class PushServices {
public:
    explicit PushServices(World& world);

    Backend& backend(Flavour flavour) { return *backends_[static_cast<std::size_t>(flavour)]; }
    // "https://127.0.0.1:4711"; before any request.
    void set_origin(Flavour flavour, std::string origin) {
        origins_[static_cast<std::size_t>(flavour)] = std::move(origin);
    }
    [[nodiscard]] const std::string& origin(Flavour flavour) const {
        return origins_[static_cast<std::size_t>(flavour)];
    }
    // /webpush/...: `segments` are those of the path.
    Reply control(const Request& request, const std::vector<std::string>& segments);
    void forget_messages();

private:
    class Service;
    struct Call;  // one request on its way

    Plan handle(Flavour flavour, Request&& request);
    void judge(Call& call) const;
    void open_body(Call& call) const;
    Reply process(Call& call);
    Reply withdraw(Flavour flavour, const std::string& path);
    void record(Call& call, const Plan& plan);
    [[nodiscard]] std::int64_t wall_ms() const;

    Reply subscribe(const Request& request);
    Reply change(const Request& request, const std::string& name);
    Reply phones(const std::vector<std::string>& segments);
    Reply requests();

    World& world_;
    Store store_;                 // under World::mutex
    std::uint64_t messages_ = 0;  // under World::mutex
    std::array<std::unique_ptr<Backend>, kFlavours.size()> backends_;
    std::array<std::string, kFlavours.size()> origins_;
};

}  // namespace belfry::simulator::webpush
