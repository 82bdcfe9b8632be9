// SPDX-License-Identifier: Apache-2.0
// What a client sends to the API's port: heads, bodies and chunks of requests, as bytes on a socket. Every request gets
// at most one answer, each answer is HTTP, and one whose length is told twice gets none but 400 (request smuggling).
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <string>

#include "api/api_fakes.h"
#include "api/connection.h"
#include "base/handles.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;
namespace api = belfry::api;

constexpr size_t kInputMax = 64 * 1024;  // fits the socket's buffer

void append_received(int fd, std::string& to) {
    std::array<char, 16 * 1024> piece{};
    for (ssize_t n = 0; (n = ::recv(fd, piece.data(), piece.size(), MSG_DONTWAIT)) > 0;)
        to.append(piece.data(), static_cast<size_t>(n));
}

// How many lines of the first head tell a length; 0 if its lines are not all well formed.
int lengths_told(std::string_view input) {
    const size_t end = input.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    belfry::fuzz::Input head(reinterpret_cast<const uint8_t*>(input.data()), end);
    int told = 0;
    // Poco takes a CR or LF that stands alone for the end of a line, or of the head.
    if (head.until("\r\n").find_first_of("\r\n") != std::string_view::npos) return 0;
    while (!head.empty()) {
        std::string line(head.until("\r\n"));
        for (char& c : line) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (line.find_first_of("\r\n") != std::string::npos || line.find(':') == std::string::npos) return 0;
        if (line.rfind("content-length:", 0) == 0 || line.rfind("transfer-encoding:", 0) == 0) ++told;
    }
    return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static api::ApiBench bench;
    if (size > kInputMax) return 0;
    const std::string_view input = belfry::fuzz::text_of(data, size);
    std::array<int, 2> pair{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
    const belfry::UniqueFd client(pair[0]);
    require(::send(client.get(), input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()));
    ::shutdown(client.get(), SHUT_WR);
    std::string answers;
    size_t served = 0;
    {
        api::Connection connection(pair[1], nullptr, {}, bench.clock);
        auto next = api::Connection::Next::Wait;
        // Nothing more comes: what has arrived is a whole head or the end.
        while (next != api::Connection::Next::Close && served <= size) {
            if (next == api::Connection::Next::Wait) require(connection.arrived() != api::Connection::Arrived::Nothing);
            next = connection.serve(bench.http, false);
            require(connection.deadline_mono_ns() == 0);
            ++served;
            append_received(client.get(), answers);
        }
        require(next == api::Connection::Next::Close);
    }
    append_received(client.get(), answers);
    require(answers.empty() || answers.rfind("HTTP/1.", 0) == 0);
    if (lengths_told(input) > 1) require(answers.empty() || answers.substr(9, 3) == "400");
    bench.delivery.pushes.clear();
    bench.devices.registered.clear();
    bench.devices.groups.clear();
    bench.devices.keys.clear();
    return 0;
}
