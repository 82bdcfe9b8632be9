// SPDX-License-Identifier: Apache-2.0
// The baseline of PERF-5: Poco's HTTP server with settings like our API's; its handler reads the body and answers a
// constant.
// constant.
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/NullStream.h>
#include <Poco/StreamCopier.h>
#include <Poco/ThreadPool.h>

#include <csignal>
#include <cstdio>
#include <string>

namespace {

class Constant final : public Poco::Net::HTTPRequestHandler {
public:
    void handleRequest(Poco::Net::HTTPServerRequest& request, Poco::Net::HTTPServerResponse& response) override {
        Poco::NullOutputStream nowhere;
        Poco::StreamCopier::copyStream(request.stream(), nowhere);
        static const std::string kAnswer = R"({"result":{"uid":"00000000-0000-0000-0000-000000000000"}})";
        response.setContentType("application/json");
        response.sendBuffer(kAnswer.data(), kAnswer.size());
    }
};

class Factory final : public Poco::Net::HTTPRequestHandlerFactory {
public:
    Poco::Net::HTTPRequestHandler* createRequestHandler(const Poco::Net::HTTPServerRequest&) override {
        return new Constant;
    }
};

}  // namespace

int main() {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, nullptr);
    Poco::ThreadPool pool(2, 256);
    Poco::Net::ServerSocket socket(Poco::Net::SocketAddress("127.0.0.1", 0), 1024);
    auto parameters = Poco::AutoPtr<Poco::Net::HTTPServerParams>(new Poco::Net::HTTPServerParams);
    parameters->setMaxThreads(256);
    parameters->setMaxQueued(1024);
    parameters->setMaxKeepAliveRequests(0);
    Poco::Net::HTTPServer server(new Factory, pool, socket, parameters);
    server.start();
    std::printf("%u\n", static_cast<unsigned>(socket.address().port()));
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stop, &signal);
    server.stopAll(true);
    return 0;
}
