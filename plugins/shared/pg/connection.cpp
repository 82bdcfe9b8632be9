// SPDX-License-Identifier: Apache-2.0
#include "pg/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <utility>

namespace belfry::pg {

namespace {

using Pair = std::pair<const char*, const char*>;

// Ours where the dsn is silent: a stalled network is noticed within seconds.
constexpr std::array kDefaults{
    Pair{"application_name", "belfry"}, Pair{"connect_timeout", "5"},  Pair{"keepalives_idle", "10"},
    Pair{"keepalives_interval", "3"},   Pair{"keepalives_count", "3"}, Pair{"tcp_user_timeout", "10000"},
    Pair{"client_encoding", "UTF8"},
};

constexpr std::string_view kCommit = "COMMIT";
constexpr int kOldestServer = 130000;

struct FreeOptions {
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\\' || c == '\'') out += '\\';
        out += c;
    }
    return out + "'";
}

// Statements of ours are short and know their indexes; the planner, which sees a new table as empty and a parameter as
// unknown, must not choose to read a table whole, neither now nor from a plan it keeps.
std::string session(const Address& address) {
    std::string sql;
    for (const char* set : {"plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_bitmapscan = off",
                            "enable_hashjoin = off", "enable_mergejoin = off", "jit = off",
                            "idle_in_transaction_session_timeout = '15s'", "client_min_messages = warning"}) {
        sql += std::string("SET ") + set + ";";
    }
    sql += "SET statement_timeout = " + std::to_string(address.statement_ms) + ";";
    sql += "SET search_path = \"" + address.schema + "\";";
    // Durable on return, whatever the server's default; what is stronger stays.
    sql += address.is_durable ? "SELECT set_config('synchronous_commit', 'on', false) WHERE "
                                "current_setting('synchronous_commit') = 'off';"
                              : "SET synchronous_commit = off;";
    // The timeline is part of the name of the log's file.
    return sql +
           "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE (SELECT system_identifier::text FROM "
           "pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) END";
}

}  // namespace

Address::Address(const std::string& dsn, const std::string& password) {
    char* error = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(dsn.c_str(), &error));
    if (!options) {
        PQfreemem(error);  // it repeats the text, password and all
        throw Refused(BELFRY_CONFIG, "dsn",
                      "not a PostgreSQL connection string; write postgresql://user@host/database or key=value pairs");
    }
    for (const auto& [key, value] : kDefaults) parts[key] = value;
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) parts[option->keyword] = option->val;
    }
    if (!password.empty()) parts["password"] = password;
}

std::string Address::text() const {
    std::string text;
    for (const auto& [key, value] : parts) text += key + "=" + quoted(value) + " ";
    return text;
}

std::string Address::name() const {
    const auto part = [&](const char* key) {
        const auto found = parts.find(key);
        return found == parts.end() ? std::string() : found->second;
    };
    return part("host") + (part("port").empty() ? "" : ":" + part("port")) + "/" + part("dbname");
}

bool Address::is_safe() const {
    const auto part = [&](const char* key) {
        const auto found = parts.find(key);
        return found == parts.end() ? std::string() : found->second;
    };
    if (part("sslmode") == "verify-full" || part("sslmode") == "verify-ca") return true;
    // Several hosts are separated by commas.
    std::stringstream hosts(part("hostaddr").empty() ? part("host") : part("hostaddr"));
    for (std::string host; std::getline(hosts, host, ',');) {
        const bool is_here = host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost" ||
                             host == "::1" || host.starts_with("127.");
        if (!is_here) return false;
    }
    return true;
}

Connection::Connection(const Address& address) {
    std::vector<const char*> keys, values;
    for (const auto& [key, value] : address.parts) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    raw_.reset(PQconnectdbParams(keys.data(), values.data(), 0));
    if (!raw_) throw Failure({}, "out of memory");
    if (PQstatus(raw_.get()) != CONNECTION_OK) throw connect_failure(address.name(), PQerrorMessage(raw_.get()));
    set_up(address);
}

void Connection::set_up(const Address& address) {
    if (PQserverVersion(raw_.get()) < kOldestServer)
        throw Refused(
            BELFRY_CONFIG, "dsn",
            "PostgreSQL " + std::to_string(PQserverVersion(raw_.get()) / 10000) + " is too old: 13 or newer is needed");
    const char* encoding = PQparameterStatus(raw_.get(), "server_encoding");
    if (encoding == nullptr || std::string_view(encoding) != "UTF8")
        throw Refused(BELFRY_CONFIG, "dsn",
                      "the database must have the encoding UTF8; create one with ENCODING 'UTF8'");
    // What the server wants to tell a person at a prompt is nothing for our standard error.
    PQsetNoticeProcessor(
        raw_.get(), [](void*, const char*) {}, nullptr);
    PGresult* last = PQexec(raw_.get(), session(address).c_str());
    const bool done = PQresultStatus(last) == PGRES_TUPLES_OK;
    if (done && PQntuples(last) == 1) history_ = PQgetvalue(last, 0, 0);
    PQclear(last);
    if (!done) throw Failure({}, std::string("cannot set up a session: ") + PQerrorMessage(raw_.get()));
    if (PQsetnonblocking(raw_.get(), 1) != 0 || PQenterPipelineMode(raw_.get()) != 1)
        throw Failure({}, std::string("cannot start a pipeline: ") + PQerrorMessage(raw_.get()));
}

void Connection::lose(const std::string& why) {
    broken_ = true;
    waiting_.clear();
    throw Failure({}, why, std::exchange(commits_, false));
}

void Connection::send(std::string_view sql, const Params& params) {
    const auto [entry, is_new] = prepared_.try_emplace(std::string(sql));
    if (is_new) entry->second = "s" + std::to_string(++named_);
    const char* name = entry->second.c_str();
    if (is_new) {
        if (PQsendPrepare(raw_.get(), name, entry->first.c_str(), static_cast<int>(params.types_.size()),
                          params.types_.data()) != 1)
            lose(PQerrorMessage(raw_.get()));
        waiting_.push_back({true, entry->first});
    }
    values_.clear();
    lengths_.clear();
    formats_.assign(params.types_.size(), 1);
    size_t at = 0;
    for (const size_t end : params.ends_) {
        values_.push_back(params.buffer_.data() + at);
        lengths_.push_back(static_cast<int>(end - at));
        at = end;
    }
    if (PQsendQueryPrepared(raw_.get(), name, static_cast<int>(values_.size()), values_.data(), lengths_.data(),
                            formats_.data(), 1) != 1)
        lose(PQerrorMessage(raw_.get()));
    waiting_.push_back({false, entry->first});
    commits_ = commits_ || sql == kCommit;
}

std::vector<Result> Connection::trip(Deadline deadline) {
    std::vector<Result> results;
    std::unique_ptr<Failure> failure;
    if (broken_) lose("the connection is broken");
    if (PQpipelineSync(raw_.get()) != 1) lose(PQerrorMessage(raw_.get()));
    answered_ = 0;
    exchange(deadline, results, failure);
    waiting_.clear();
    commits_ = false;
    if (failure) throw Failure(*failure);
    return results;
}

Result Connection::run(std::string_view sql, const Params& params, Deadline deadline) {
    send(sql, params);
    return std::move(trip(deadline).front());
}

void Connection::roll_back(Deadline deadline) noexcept {
    if (broken_ || PQtransactionStatus(raw_.get()) == PQTRANS_IDLE) return;
    try {
        run("ROLLBACK", {}, deadline);
    } catch (const std::exception&) {
        broken_ = true;
    }
}

// Writes what is queued and reads until the answer to our sync.
void Connection::exchange(Deadline deadline, std::vector<Result>& results, std::unique_ptr<Failure>& failure) {
    for (bool writing = true;;) {
        if (writing) {
            const int left = PQflush(raw_.get());
            if (left < 0) lose(PQerrorMessage(raw_.get()));
            writing = left == 1;
        }
        while (PQisBusy(raw_.get()) == 0) {
            PGresult* raw = PQgetResult(raw_.get());
            if (raw == nullptr) {
                // Between two statements; without any to come, the server has gone.
                if (PQstatus(raw_.get()) != CONNECTION_OK) lose(PQerrorMessage(raw_.get()));
                continue;
            }
            const Result owned(PQresultStatus(raw) == PGRES_PIPELINE_SYNC ? raw : nullptr);
            if (PQresultStatus(raw) == PGRES_PIPELINE_SYNC) return;
            take(raw, results, failure);
        }
        wait(writing, deadline);
        if (PQconsumeInput(raw_.get()) != 1) lose(PQerrorMessage(raw_.get()));
    }
}

void Connection::take(PGresult* raw, std::vector<Result>& results, std::unique_ptr<Failure>& failure) {
    Result result(raw);
    const ExecStatusType status = PQresultStatus(raw);
    const Waiting asked = waiting_[answered_++];
    const bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (good) {
        if (!asked.prepares) results.push_back(std::move(result));
        return;
    }
    // Prepared or not, a statement that failed before it was run is prepared anew next time.
    if (asked.prepares) prepared_.erase(std::string(asked.sql));
    if (status == PGRES_PIPELINE_ABORTED || failure) return;
    const char* state = PQresultErrorField(raw, PG_DIAG_SQLSTATE);
    const char* text = PQresultErrorField(raw, PG_DIAG_MESSAGE_PRIMARY);
    const std::string_view code = state != nullptr ? state : "";
    const bool ends_session = code.starts_with("57P");
    failure = std::make_unique<Failure>(code, text != nullptr ? text : PQresultErrorMessage(raw),
                                        ends_session && asked.sql == kCommit);
    // The session ends behind this answer, or leads to a server that is no primary any more.
    if (failure->lost_server()) broken_ = true;
}

void Connection::wait(bool for_writing, Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd descriptor{PQsocket(raw_.get()), static_cast<short>(for_writing ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = ::poll(&descriptor, 1, static_cast<int>(std::clamp<int64_t>(left + 1, 0, 60000)));
    if (ready < 0 && errno != EINTR) lose("poll failed");
    if (ready == 0 && Clock::now() >= deadline) lose("no answer in time");
}

}  // namespace belfry::pg
