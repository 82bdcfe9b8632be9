// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

namespace belfry::cli {
namespace {

constexpr int kAnswerTimeoutS = 60;
constexpr int kChainLengthMax = 9;         // certificates
constexpr int kStreamTimeoutS = 600;       // of an import or export that says nothing
constexpr int kAdminTimeoutS = 24 * 3600;  // a backup of a large store; a server that goes ends the wait
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

std::string first_line(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

struct Target {
    std::string server, key;
    std::string ca_file;  // empty: the system's roots
    bool tls = false;
};

// "https://host:port/", "http://host:port/", "host:port" or "unix:/path" as the last two.
Result<std::string> address_of(std::string server, bool& tls) {
    const std::string given = server;
    tls = server.rfind(kHttps, 0) == 0;
    if (tls) {
        server.erase(0, kHttps.size());
    } else if (server.rfind(kHttp, 0) == 0) {
        server.erase(0, kHttp.size());
    }
    if (!tls && server.rfind(kUnix, 0) == 0) return server;
    while (!server.empty() && server.back() == '/') server.pop_back();
    if (server.empty() || server.find('/') != std::string::npos) {
        return error(ErrorCode::InvalidArgument,
                     "no server address; use host:port, http://host:port or https://host:port", given);
    }
    const size_t colon = server.rfind(':');
    if (colon == std::string::npos || server.back() == ']') server += tls ? ":443" : given == server ? ":8000" : ":80";
    // A server that listens everywhere is reached here.
    if (server.rfind("0.0.0.0:", 0) == 0) server.replace(0, 7, "127.0.0.1");
    if (server.rfind("[::]:", 0) == 0) server.replace(0, 4, "[::1]");
    return server;
}

std::string environment(const World& world, const char* name) {
    const auto it = world.environment.find(name);
    return it == world.environment.end() ? std::string() : it->second;
}

std::string configured_key(const config::Config& config, const std::string& wanted_app, Client::Keys keys) {
    if (keys == Client::Keys::Admin && !config.admin.keys.empty()) return config.admin.keys.front().key.reveal();
    const std::string name = wanted_app.empty() ? std::string(config::kDefaultApp) : wanted_app;
    for (const config::AppConfig& app : config.apps) {
        if (app.name == name && !app.keys.empty()) return app.keys.front().key.reveal();
    }
    return first_line(std::filesystem::path(config.data_dir) / config::kEmbeddedKeyFile);
}

Result<Target> find(const Call& call, Client::Keys keys) {
    Target target{call.given.value("--server"), call.given.value("--key"), call.given.value("--ca-file")};
    if (target.ca_file.empty()) target.ca_file = environment(call.world, "BELFRY_CA_FILE");
    if (target.server.empty()) target.server = environment(call.world, "BELFRY_SERVER");
    if (target.key.empty()) target.key = environment(call.world, "BELFRY_API_KEY");
    if (!target.ca_file.empty() && ::access(target.ca_file.c_str(), R_OK) != 0)
        return error(ErrorCode::InvalidArgument, std::string("cannot be read (") + std::strerror(errno) + ")",
                     "--ca-file " + target.ca_file);
    if (!target.server.empty() && !target.key.empty()) return target;
    const Result<config::Config> config = config::load(load_args(call, false));
    if (!config) return config.error();
    // Of the configured server its own certificate is enough.
    if (target.server.empty() && target.ca_file.empty()) target.ca_file = config->http.tls_cert;
    if (target.server.empty()) target.server = first_line(std::filesystem::path(config->data_dir) / kListeningFile);
    if (target.server.empty())
        target.server = std::string(config->http.speaks_tls() ? kHttps : "") + config->http.listen;
    if (target.key.empty()) target.key = configured_key(*config, call.given.value("--app"), keys);
    if (target.key.empty()) {
        return error(ErrorCode::Unauthenticated,
                     "no API key found; give --key or $BELFRY_API_KEY, or the server's --config or --data-dir");
    }
    return target;
}

Error refused(const nlohmann::json& fault) {
    const std::string message = fault.value("message", "the server gave no reason");
    return error(ErrorCode::InvalidArgument, message + " (code " + std::to_string(fault.value("code", 0)) + ")");
}

Error unreachable(const std::string& server, const Poco::Exception& fault) {
    if (dynamic_cast<const Poco::Net::SSLException*>(&fault) != nullptr) {
        if (fault.displayText().find("wrong version number") != std::string::npos)
            return error(ErrorCode::Unavailable, "does not speak TLS; say it without https://", server);
        return error(ErrorCode::Unavailable,
                     "TLS failed (" + fault.displayText() +
                         "); name its CA, or its own certificate, with --ca-file or $BELFRY_CA_FILE",
                     server);
    }
    return error(ErrorCode::Unavailable,
                 "cannot be reached (" + fault.displayText() + "); start it with belfry serve, or give --server",
                 server);
}

Error no_belfry(const std::string& server, int status, const std::string& body) {
    return error(ErrorCode::Unavailable,
                 "HTTP " + std::to_string(status) + " " + body.substr(0, body.find_first_of("\r\n")).substr(0, 200) +
                     "; is this a Belfry server of this version?",
                 server);
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
        } else if (target.tls) {
            session = open_tls();
        } else {
            const Poco::Net::SocketAddress address(target.server);
            session = std::make_unique<Poco::Net::HTTPClientSession>(address);
        }
        session->setKeepAlive(true);
    }

    // On loopback any name in a trusted certificate will do (Poco's VERIFY_RELAXED).
    std::unique_ptr<Poco::Net::HTTPClientSession> open_tls() const {
        using Poco::Net::Context;
        Context::Ptr context(new Context(Context::TLS_CLIENT_USE, "", "", target.ca_file, Context::VERIFY_RELAXED,
                                         kChainLengthMax, target.ca_file.empty()));
        context->requireMinimumProtocol(Context::PROTO_TLSV1_2);
        // A file may name the server's own certificate, whoever issued it.
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context->sslContext()), X509_V_FLAG_PARTIAL_CHAIN);
        const size_t colon = target.server.rfind(':');
        std::string host = target.server.substr(0, colon);
        if (host.front() == '[') host = host.substr(1, host.size() - 2);
        const Poco::Net::SocketAddress address(target.server);
        return std::make_unique<Poco::Net::HTTPSClientSession>(host, address.port(), context);
    }

    const Target target;
    std::unique_ptr<Poco::Net::HTTPClientSession> session;
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::of(const Call& call, Keys keys) {
    Result<Target> target = find(call, keys);
    if (!target) return target.error();
    Result<std::string> address = address_of(target->server, target->tls);
    if (!address) return address.error();
    target->server = std::move(*address);
    return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(std::move(*target))));
}

struct Client::Request {
    const std::string& target;
    const std::string* body = nullptr;  // null: GET
    int timeout_s = kAnswerTimeoutS;
    int status = 0;  // of the answer
};

Result<std::string> Client::exchange(Request& wanted) {
    using Poco::Net::HTTPRequest;
    const std::string& server = impl_->target.server;
    try {
        if (!impl_->session) impl_->open();
        impl_->session->setTimeout(Poco::Timespan(wanted.timeout_s, 0));
        HTTPRequest request(wanted.body ? HTTPRequest::HTTP_POST : HTTPRequest::HTTP_GET, wanted.target,
                            Poco::Net::HTTPMessage::HTTP_1_1);
        request.set("X-API-Key", impl_->target.key);
        if (wanted.body) {
            request.setContentType("application/json");
            request.setContentLength(static_cast<std::streamsize>(wanted.body->size()));
        }
        std::ostream& out = impl_->session->sendRequest(request);
        if (wanted.body) out << *wanted.body;
        Poco::Net::HTTPResponse response;
        std::istream& in = impl_->session->receiveResponse(response);
        wanted.status = static_cast<int>(response.getStatus());
        return std::string((std::istreambuf_iterator<char>(in)), {});
    } catch (const Poco::TimeoutException&) {
        impl_->session.reset();
        return error(ErrorCode::DeadlineExceeded,
                     "no answer within " + std::to_string(wanted.timeout_s) + " s; look at its log", server);
    } catch (const Poco::Exception& fault) {
        impl_->session.reset();
        return unreachable(server, fault);
    }
}

Result<std::string> Client::call(const std::string& method, const std::string& params) {
    const std::string target = "/api/" + method;
    Request request{target, &params};
    const Result<std::string> body = exchange(request);
    return body ? result_of(request.status, *body) : body;
}

Result<std::string> Client::result_of(int status, const std::string& body) const {
    const std::string& server = impl_->target.server;
    if (status == 401) return error(ErrorCode::Unauthenticated, "the server refuses the API key", server);
    const nlohmann::json answer = nlohmann::json::parse(body, nullptr, false);
    if (status != 200 || !answer.is_object()) return no_belfry(server, status, body);
    const auto fault = answer.find("error");
    if (fault != answer.end() && fault->is_object()) return refused(*fault);
    const auto result = answer.find("result");
    return result == answer.end() ? std::string("{}") : result->dump();
}

Result<std::string> Client::upload(const std::string& method,
                                   const std::function<Result<bool>(std::string& piece)>& next) {
    const std::string& server = impl_->target.server;
    try {
        impl_->open();
        impl_->session->setTimeout(Poco::Timespan(kStreamTimeoutS, 0));
        Poco::Net::HTTPRequest request(Poco::Net::HTTPRequest::HTTP_POST, "/api/" + method,
                                       Poco::Net::HTTPMessage::HTTP_1_1);
        request.set("X-API-Key", impl_->target.key);
        request.setContentType("application/x-ndjson");
        request.setChunkedTransferEncoding(true);
        std::ostream& out = impl_->session->sendRequest(request);
        std::string piece;
        bool more = true;
        while (more && out.good()) {
            piece.clear();
            const Result<bool> made = next(piece);
            if (!made) {
                impl_->session.reset();  // a body without its end: the server takes it for broken
                return made.error();
            }
            more = *made;
            out << piece;
        }
        // A server that wants no more says why in its answer.
        Poco::Net::HTTPResponse response;
        std::istream& in = impl_->session->receiveResponse(response);
        return result_of(static_cast<int>(response.getStatus()), std::string((std::istreambuf_iterator<char>(in)), {}));
    } catch (const Poco::Exception& fault) {
        impl_->session.reset();
        return unreachable(server, fault);
    }
}

Status Client::download(const std::string& method, const std::string& params,
                        const std::function<Status(const std::string& line)>& take) {
    const std::string& server = impl_->target.server;
    const Error broke =
        error(ErrorCode::Unavailable, "the answer broke off; try again, and look at the server's log", server);
    try {
        impl_->open();
        impl_->session->setTimeout(Poco::Timespan(kStreamTimeoutS, 0));
        Poco::Net::HTTPRequest request(Poco::Net::HTTPRequest::HTTP_POST, "/api/" + method,
                                       Poco::Net::HTTPMessage::HTTP_1_1);
        request.set("X-API-Key", impl_->target.key);
        request.setContentLength(static_cast<std::streamsize>(params.size()));
        impl_->session->sendRequest(request) << params;
        Poco::Net::HTTPResponse response;
        std::istream& in = impl_->session->receiveResponse(response);
        if (response.getContentType() != "application/x-ndjson") {
            const Result<std::string> refused = result_of(static_cast<int>(response.getStatus()),
                                                          std::string((std::istreambuf_iterator<char>(in)), {}));
            return refused ? Status(no_belfry(server, 200, *refused)) : Status(refused.error());
        }
        for (std::string line; std::getline(in, line);) {
            // A line that is an error is the last one.
            if (in.eof() || line.rfind("{\"error\"", 0) == 0) {
                const Result<std::string> why = result_of(200, line);
                return why ? Status(broke) : Status(why.error());
            }
            if (Status taken = take(line); !taken) {
                impl_->session.reset();
                return taken;
            }
        }
        // Poco ends a chunked body the same way whether its last chunk came or the connection went: but only a whole
        // one leaves the connection open.
        const bool gone = response.getKeepAlive() &&
                          impl_->session->socket().poll(Poco::Timespan(0, 0), Poco::Net::Socket::SELECT_READ);
        return in.bad() || gone ? Status(broke) : Status();
    } catch (const Poco::Exception& fault) {
        impl_->session.reset();
        return unreachable(server, fault);
    }
}

Result<std::string> Client::get(const std::string& target) {
    Request request{target};
    return page(request);
}

Result<std::string> Client::post(const std::string& target, const std::string& body) {
    Request request{target, &body, kAdminTimeoutS};
    return page(request);
}

Result<std::string> Client::page(Request& request) {
    Result<std::string> body = exchange(request);
    if (!body) return body;
    const nlohmann::json answer = nlohmann::json::parse(*body, nullptr, false);
    if (!answer.is_object()) return no_belfry(impl_->target.server, request.status, *body);
    if (request.status == 200) return body;
    return refused(answer);
}

namespace {

std::optional<nlohmann::json> parsed(const Call& call, const Result<std::string>& result, int& code) {
    if (!result) {
        code = failed(call, result.error());
        return std::nullopt;
    }
    code = kDone;
    return nlohmann::json::parse(*result, nullptr, false);
}

}  // namespace

std::optional<nlohmann::json> ask(const Call& call, const std::string& method, const nlohmann::json& params,
                                  int& code) {
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return parsed(call, client.error(), code);
    return parsed(call, (*client)->call(method, params.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)),
                  code);
}

std::optional<nlohmann::json> ask_admin(const Call& call, const std::string& target, const nlohmann::json* body,
                                        int& code) {
    Result<std::unique_ptr<Client>> client = Client::of(call, Client::Keys::Admin);
    if (!client) return parsed(call, client.error(), code);
    if (!body) return parsed(call, (*client)->get(target), code);
    return parsed(call, (*client)->post(target, body->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)),
                  code);
}

}  // namespace belfry::cli
