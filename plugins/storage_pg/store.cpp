// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/store.h"

#include "pg/risks.h"
#include "storage_pg/tables.h"

namespace belfry::storage_pg {

namespace {

// Calls without a deadline of their own: long enough for a failover in the network, short enough for a caller who
// waits.
constexpr std::chrono::seconds kCallTime{10};

}  // namespace

void Store::start(int64_t) {
    pg::Address primary = config_.place.address(services_);
    // After a failover behind a name, a reconnect may reach the old server, which takes no writes any more.
    primary.parts.try_emplace("target_session_attrs", "read-write");
    std::vector<pg::Address> replicas;
    for (const pg::Secret& replica : config_.replicas) replicas.push_back(config_.place.address(services_, replica));
    for (const pg::Address& replica : replicas) pg::warn_of_way(replica, services_, "storage.replicas");
    pg::migrate(primary, kComponent, migrations());
    writes_ = std::make_unique<pg::Pool>(primary, config_.write_connections);
    reads_ = std::make_unique<Readers>(primary, std::move(replicas), config_.read_connections,
                                       std::chrono::milliseconds(config_.max_lag_ms));
    pg::warn_of_risks(*writes_, services_, "storage.dsn", until());
}

pg::Deadline Store::until(int64_t deadline_mono_ns) const {
    const pg::Deadline now = pg::Clock::now();
    if (deadline_mono_ns <= 0) return now + kCallTime;
    const auto left = std::chrono::nanoseconds(deadline_mono_ns - services_.mono_ns());
    return now + std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1));
}

bool Store::edit(App app, Again again, const Prepare& prepare, const std::function<void(Edit&)>& work) {
    const pg::Deadline deadline = until();
    return writes_->with(deadline, [&](pg::Connection& connection) {
        std::optional<Names::App> known = names_.find_app(connection, app, deadline);
        if (!known && again == Again::SaysTheSame) known = names_.app(connection, app, deadline);
        if (!known) return false;
        Scope scope;
        prepare(connection, *known, scope);
        Edit edit(connection, deadline, sequence_, *known);
        try {
            edit.begin(scope);
            work(edit);
            edit.commit();
        } catch (const pg::Failure& failure) {
            if (edit.is_outdated()) names_.forget(app);
            if (failure.in_doubt() && again == Again::SaysOtherwise)
                throw Refused(BELFRY_RETRY_LATER, {},
                              "the connection broke while the change was being stored; it may have been made: look, "
                              "and send it again");
            throw;
        }
        return true;
    });
}

}  // namespace belfry::storage_pg
