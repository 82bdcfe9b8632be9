// SPDX-License-Identifier: Apache-2.0
// A client of the HTTP API, and how the command finds its server and key.
//
// Server: --server, $BELFRY_SERVER, data_dir/listening (what a running server wrote there), http.listen.
// Key: --key, $BELFRY_API_KEY, the app's first configured key, data_dir/api-key.
// Threads: main only.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/command.h"

namespace belfry::cli {

// Where a running server writes its address, inside data_dir.
inline constexpr const char* kListeningFile = "listening";

class Client {
public:
    static Result<std::unique_ptr<Client>> of(const Call& call);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // The JSON of the method's result. The error's message is fit for the user: the server's own, or why it was not
    // reached.
    Result<std::string> call(const std::string& method, const std::string& params);

private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace belfry::cli
