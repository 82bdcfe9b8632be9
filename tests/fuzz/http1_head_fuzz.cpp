// SPDX-License-Identifier: Apache-2.0
// What a client sends to the API's port: heads, bodies and chunks of requests, as bytes on a socket. Every request gets
// at most one answer, each answer is HTTP, and none is read two ways: what is found does not depend on how the bytes
// were cut, and no head that is taken tells its length twice (request smuggling).
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "api/api_fakes.h"
#include "api/chunk_reader.h"
#include "api/connection.h"
#include "api/head_reader.h"
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

// The name as any reader could take it: alone, or with blanks before its colon.
bool is_named(const std::string& line, std::string_view name) {
    if (line.rfind(name, 0) != 0) return false;
    const size_t end = line.find_first_not_of(" \t\r\v\f", name.size());
    return end == std::string::npos || line[end] == ':';
}

// How many lines of the first head tell a length.
int lengths_told(std::string_view head) {
    belfry::fuzz::Input lines(reinterpret_cast<const uint8_t*>(head.data()), head.size());
    int told = 0;
    while (!lines.empty()) {
        std::string line(lines.until("\n"));
        for (char& c : line) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (is_named(line, "content-length") || is_named(line, "transfer-encoding")) ++told;
    }
    return told;
}

// What is read does not depend on how the bytes were cut, and what is taken is clean.
void check_head(std::string_view input) {
    api::HeadReader whole, cut;
    const auto state = whole.read(input);
    auto in_pieces = api::HeadReader::State::Reading;
    const size_t step = 1 + input.size() % 13;
    std::string moved;
    for (size_t n = 0; in_pieces == api::HeadReader::State::Reading && n < input.size();) {
        n = std::min(n + step, input.size());
        moved = std::string(input.substr(0, n));
        in_pieces = cut.read(moved);
    }
    require(in_pieces == state && cut.refusal() == whole.refusal());
    require((state == api::HeadReader::State::Refused) == (whole.refusal() >= 400 && whole.refusal() < 500));
    if (state != api::HeadReader::State::Complete) return;
    require(whole.size() <= input.size() && whole.size() <= api::kHeadBytesMax && cut.size() == whole.size());
    require(whole.body_length() >= api::kChunked && whole.body_length() == cut.body_length());
    require(whole.target(input) == cut.target(moved) && whole.keeps_alive() == cut.keeps_alive());
    const std::string_view head = input.substr(0, whole.size());
    require(head.find("\n ") == std::string_view::npos && head.find("\n\t") == std::string_view::npos);
    require(head.find('\0') == std::string_view::npos && lengths_told(head) <= 1);
}

// Chunks are the same however they are cut, and never more than what they came in.
void check_chunks(std::string_view input) {
    api::ChunkReader whole, cut;
    std::string bytes(input), body;
    const api::ChunkReader::Step all = whole.read(bytes.data(), bytes.size());
    require(all.body <= all.used && all.used <= input.size());
    size_t used = 0;
    while (used < input.size() && !cut.at_end() && !cut.is_broken()) {
        std::string piece(input.substr(used, 1 + input.size() % 7));
        const api::ChunkReader::Step step = cut.read(piece.data(), piece.size());
        body.append(piece, 0, step.body);
        used += step.used;
    }
    require(whole.at_end() == cut.at_end() && whole.is_broken() == cut.is_broken() && used == all.used);
    require(body == std::string_view(bytes).substr(0, all.body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static api::ApiBench bench;
    if (size > kInputMax) return 0;
    const std::string_view input = belfry::fuzz::text_of(data, size);
    check_head(input);
    check_chunks(input);
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
        connection.end_announced = true;
        while (next != api::Connection::Next::Close && served <= size) {
            if (next == api::Connection::Next::Wait) {
                const bool sent = connection.sends();
                const auto arrived = connection.proceed();
                append_received(client.get(), answers);
                if (arrived == api::Connection::Arrived::Over) break;
                // Nothing more comes: the rest of an answer leaves, or there is a request or the end.
                if (arrived != api::Connection::Arrived::Whole) {
                    require(sent);
                    continue;
                }
            }
            next = connection.serve(bench.http, false);
            require(connection.sends() == (connection.deadline_mono_ns() != 0));
            ++served;
            append_received(client.get(), answers);
        }
        require(served <= size + 1);
    }
    append_received(client.get(), answers);
    require(answers.empty() || answers.rfind("HTTP/1.", 0) == 0);
    bench.delivery.pushes.clear();
    bench.devices.registered.clear();
    bench.devices.groups.clear();
    bench.devices.keys.clear();
    return 0;
}
