// SPDX-License-Identifier: Apache-2.0
#include "api/answer_text.h"

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/Timestamp.h>
#include <http_parser.h>

#include <array>
#include <charconv>
#include <ctime>

namespace belfry::api {
namespace {

constexpr size_t kHeadRoom = 256;

// The Date header of now; written anew once a second.
const std::string& date_of_now() {
    struct Written {
        std::time_t second = -1;
        std::string text;
    };
    thread_local Written date;
    const Poco::Timestamp now;
    if (now.epochTime() != date.second)
        date = {now.epochTime(), Poco::DateTimeFormatter::format(now, Poco::DateTimeFormat::HTTP_FORMAT)};
    return date.text;
}

template <int Base>
void append_number(std::string& out, size_t n) {
    std::array<char, 20> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), n, Base);
    out.append(digits.data(), written.ptr);
}

}  // namespace

std::string answer_head(const HttpResponse& answer, const AnswerLine& line, size_t body_room) {
    std::string head;
    head.reserve(kHeadRoom + body_room);
    head += line.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    append_number<10>(head, static_cast<size_t>(answer.status));
    head += ' ';
    head += http_status_str(static_cast<http_status>(answer.status));
    const auto add = [&](std::string_view name, std::string_view value) {
        head.append("\r\n").append(name).append(": ").append(value);
    };
    add("Date", date_of_now());
    add("Connection", line.keep ? "Keep-Alive" : "Close");
    if (!answer.content_type.empty()) add("Content-Type", answer.content_type);
    for (const auto& [name, value] : answer.headers) add(name, value);
    if (line.framing == Framing::Chunks) add("Transfer-Encoding", "chunked");
    if (line.framing == Framing::Length) {
        add("Content-Length", {});
        append_number<10>(head, answer.body.size());
    }
    head += "\r\n\r\n";
    return head;
}

void append_chunk(std::string& out, std::string_view piece) {
    if (piece.empty()) return;
    append_number<16>(out, piece.size());
    out.append("\r\n").append(piece).append("\r\n");
}

}  // namespace belfry::api
