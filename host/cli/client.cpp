// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

namespace belfry::cli {
namespace {

constexpr int kAnswerTimeoutS = 60;
constexpr std::string_view kUnix = "unix:";

std::string first_line(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

struct Target {
    std::string server, key;
};

// "http://host:port/", "host:port" or "unix:/path" as the last two; https is an error.
Result<std::string> address_of(std::string server) {
    if (server.rfind("https://", 0) == 0) {
        return error(ErrorCode::InvalidArgument, "https is not supported here; use the address behind the TLS proxy",
                     server);
    }
    const std::string given = server;
    if (server.rfind("http://", 0) == 0) server.erase(0, 7);
    if (server.rfind(kUnix, 0) == 0) return server;
    while (!server.empty() && server.back() == '/') server.pop_back();
    if (server.empty() || server.find('/') != std::string::npos) {
        return error(ErrorCode::InvalidArgument, "no server address; use host:port or http://host:port", given);
    }
    const size_t colon = server.rfind(':');
    if (colon == std::string::npos || server.back() == ']') server += given == server ? ":8000" : ":80";
    // A server that listens everywhere is reached here.
    if (server.rfind("0.0.0.0:", 0) == 0) server.replace(0, 7, "127.0.0.1");
    if (server.rfind("[::]:", 0) == 0) server.replace(0, 4, "[::1]");
    return server;
}

std::string environment(const World& world, const char* name) {
    const auto it = world.environment.find(name);
    return it == world.environment.end() ? std::string() : it->second;
}

std::string configured_key(const config::Config& config, const std::string& wanted_app) {
    const std::string name = wanted_app.empty() ? std::string(config::kDefaultApp) : wanted_app;
    for (const config::AppConfig& app : config.apps) {
        if (app.name == name && !app.keys.empty()) return app.keys.front().key.reveal();
    }
    return first_line(std::filesystem::path(config.data_dir) / config::kEmbeddedKeyFile);
}

Result<Target> find(const Call& call) {
    Target target{call.given.value("--server"), call.given.value("--key")};
    if (target.server.empty()) target.server = environment(call.world, "BELFRY_SERVER");
    if (target.key.empty()) target.key = environment(call.world, "BELFRY_API_KEY");
    if (!target.server.empty() && !target.key.empty()) return target;
    const Result<config::Config> config = config::load(load_args(call, false));
    if (!config) return config.error();
    if (target.server.empty()) target.server = first_line(std::filesystem::path(config->data_dir) / kListeningFile);
    if (target.server.empty()) target.server = config->http.listen;
    if (target.key.empty()) target.key = configured_key(*config, call.given.value("--app"));
    if (target.key.empty()) {
        return error(ErrorCode::Unauthenticated,
                     "no API key found; give --key, $BELFRY_API_KEY, --config or --data-dir");
    }
    return target;
}

Result<std::string> read_answer(const std::string& server, int status, const std::string& body) {
    if (status == 401) return error(ErrorCode::Unauthenticated, "the server refuses the API key", server);
    const nlohmann::json answer = nlohmann::json::parse(body, nullptr, false);
    if (status != 200 || !answer.is_object()) {
        return error(ErrorCode::Unavailable,
                     "HTTP " + std::to_string(status) + " " + body.substr(0, 200) + "; is this a Belfry server?",
                     server);
    }
    const auto fault = answer.find("error");
    if (fault != answer.end() && fault->is_object()) {
        const std::string message = fault->value("message", "");
        return error(ErrorCode::InvalidArgument, message + " (code " + std::to_string(fault->value("code", 0)) + ")");
    }
    const auto result = answer.find("result");
    return result == answer.end() ? std::string("{}") : result->dump();
}

}  // namespace

struct Client::Impl {
    explicit Impl(Target where) : target(std::move(where)) {}

    void open() {
        if (target.server.rfind(kUnix, 0) == 0) {
            Poco::Net::StreamSocket socket;
            socket.connect(
                Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, target.server.substr(kUnix.size())));
            session = std::make_unique<Poco::Net::HTTPClientSession>(socket);
        } else {
            const Poco::Net::SocketAddress address(target.server);
            session = std::make_unique<Poco::Net::HTTPClientSession>(address);
        }
        session->setTimeout(Poco::Timespan(kAnswerTimeoutS, 0));
        session->setKeepAlive(true);
    }

    const Target target;
    std::unique_ptr<Poco::Net::HTTPClientSession> session;
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::of(const Call& call) {
    Result<Target> target = find(call);
    if (!target) return target.error();
    Result<std::string> address = address_of(target->server);
    if (!address) return address.error();
    target->server = std::move(*address);
    return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(std::move(*target))));
}

Result<std::string> Client::call(const std::string& method, const std::string& params) {
    const std::string& server = impl_->target.server;
    try {
        if (!impl_->session) impl_->open();
        Poco::Net::HTTPRequest request(Poco::Net::HTTPRequest::HTTP_POST, "/api/" + method,
                                       Poco::Net::HTTPMessage::HTTP_1_1);
        request.set("X-API-Key", impl_->target.key);
        request.setContentType("application/json");
        request.setContentLength(static_cast<std::streamsize>(params.size()));
        impl_->session->sendRequest(request) << params;
        Poco::Net::HTTPResponse response;
        std::istream& in = impl_->session->receiveResponse(response);
        const std::string body((std::istreambuf_iterator<char>(in)), {});
        return read_answer(server, static_cast<int>(response.getStatus()), body);
    } catch (const Poco::TimeoutException&) {
        impl_->session.reset();
        return error(ErrorCode::DeadlineExceeded,
                     "no answer within " + std::to_string(kAnswerTimeoutS) + " s; look at its log", server);
    } catch (const Poco::Exception& fault) {
        impl_->session.reset();
        return error(ErrorCode::Unavailable,
                     "cannot be reached (" + fault.displayText() + "); start it with belfry serve, or give --server",
                     server);
    }
}

}  // namespace belfry::cli
