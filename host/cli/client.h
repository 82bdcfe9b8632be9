// SPDX-License-Identifier: Apache-2.0
// A client of the HTTP API, and how the command finds its server and key.
//
// Server: --server, $BELFRY_SERVER, data_dir/listening (what a running server wrote there), http.listen.
// Key: --key, $BELFRY_API_KEY, for operators' commands the first of [admin] keys, the app's first configured key,
// data_dir/api-key. CA of an https server: --ca-file, $BELFRY_CA_FILE, of a configured server http.tls.cert, else the
// system's. Threads: main only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/command.h"

namespace belfry::cli {

// Where a running server writes its address, inside data_dir.
inline constexpr const char* kListeningFile = "listening";

class Client {
public:
    enum class Keys : uint8_t { App, Admin };
    static Result<std::unique_ptr<Client>> of(const Call& call, Keys keys = Keys::App);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // The JSON of the method's result. The error's message is fit for the user: the server's own, or why it was not
    // reached.
    Result<std::string> call(const std::string& method, const std::string& params);
    // Sends as one body what `next` appends, until it says false; the method's result.
    Result<std::string> upload(const std::string& method, const std::function<Result<bool>(std::string& piece)>& next);
    // Gives the answer's lines to `take`. Unavailable: the answer broke off.
    Status download(const std::string& method, const std::string& params,
                    const std::function<Status(const std::string& line)>& take);
    // A page with a real status: JSON in, JSON out.
    Result<std::string> get(const std::string& target);
    Result<std::string> post(const std::string& target, const std::string& body);

private:
    struct Impl;
    struct Request;
    Result<std::string> exchange(Request& request);
    Result<std::string> page(Request& request);
    Result<std::string> result_of(int status, const std::string& body) const;
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// One API call and its result. Nothing: the error was printed, and `code` is what the command ends with.
std::optional<nlohmann::json> ask(const Call& call, const std::string& method, const nlohmann::json& params, int& code);
// One call of /admin: with a body a POST, else a GET.
std::optional<nlohmann::json> ask_admin(const Call& call, const std::string& target, const nlohmann::json* body,
                                        int& code);

}  // namespace belfry::cli
