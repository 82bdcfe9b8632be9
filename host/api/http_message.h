// SPDX-License-Identifier: Apache-2.0
// One request as the connection gives it, and its answer. Threads: one per request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belfry::api {

class HttpRequest {
public:
    virtual ~HttpRequest() = default;
    virtual std::string_view method() const = 0;
    virtual std::string_view target() const = 0;                       // path and query
    virtual std::string_view header(std::string_view name) const = 0;  // empty: not given
    // Bytes of the body, -1 if it is sent in chunks.
    virtual int64_t content_length() const = 0;
    // Nothing of the body has to be waited for.
    virtual bool body_is_here() const { return false; }
    // Up to n bytes of the body; 0 = end, -1 = there is no more to be had, because the connection ended or was too slow
    // or a chunk is none. The first call lets a waiting client go on.
    virtual int64_t read(char* into, size_t n) = 0;
    // From now on the client has its time for every piece of the body, not for the whole of it.
    virtual void expect_pieces() = 0;
};

// A body that is made while it is sent.
class BodyStream {
public:
    virtual ~BodyStream() = default;
    enum class Next : uint8_t {
        More,
        Last,
        Broken  // what was sent is not the whole: the client must notice
    };
    // Appends the next piece.
    virtual Next next(std::string& piece) = 0;
};

struct HttpResponse;

// An answer that is brought when something else has happened. No thread waits for it.
class LateAnswer {
public:
    virtual ~LateAnswer() = default;
    // `there` is called once: before this returns if the answer has come already, else by the thread that brings it,
    // which must not be kept.
    virtual void when_there(std::function<void()> there) = 0;
    // Once, after that.
    virtual HttpResponse take() = 0;
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::unique_ptr<BodyStream> stream;  // follows `body`
    std::shared_ptr<LateAnswer> late;    // set: the answer is the one that comes
    std::vector<std::pair<std::string, std::string>> headers;
    bool close = false;  // the body was not read to its end
};

}  // namespace belfry::api
