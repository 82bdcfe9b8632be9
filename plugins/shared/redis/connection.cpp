// SPDX-License-Identifier: Apache-2.0
#include "redis/connection.h"

#include <algorithm>
#include <array>

#include "redis/route.h"

namespace belfry::redis {

namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr size_t kReadBytes = 64u << 10;
// A buffer that grew for one large push is not kept.
constexpr size_t kKeptBytes = 1u << 20;

void append(std::string& out, char kind, size_t n) {
    out += kind;
    out += std::to_string(n);
    out += "\r\n";
}

}  // namespace

Connection::Connection(const Address& address, Deadline deadline)
    : name_(address.name()), transport_(address, deadline), reader_(redisReaderCreate()) {
    if (!reader_) throw std::bad_alloc();
    reader_->maxbuf = 0;  // or it gives its buffer back after each large answer
    if (!address.user.empty()) {
        send({"AUTH", address.user, address.password});
    } else if (!address.password.empty()) {
        send({"AUTH", address.password});
    }
    const std::string database = std::to_string(address.database);
    if (address.database != 0) send({"SELECT", database});
    send({"PING"});
    trip(deadline);
}

void Connection::send(const Words& words) {
    append(out_, '*', words.size());
    for (const std::string_view word : words) {
        append(out_, '$', word.size());
        out_ += word;
        out_ += "\r\n";
    }
    ++waiting_;
}

void Connection::send(const Script& script, const Words& keys, const Words& arguments) {
    const std::string count = std::to_string(keys.size());
    Words words{"EVALSHA", script.hash(), count};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    send(words);
}

std::vector<Reply> Connection::answers(Deadline deadline) {
    std::vector<Reply> replies;
    try {
        exchange(deadline, replies);
    } catch (...) {
        broken_ = true;
        throw;
    }
    waiting_ = 0;
    out_.clear();
    if (out_.capacity() > kKeptBytes) out_.shrink_to_fit();
    return replies;
}

void Connection::check(const Reply& reply) {
    if (!reply.is_error()) return;
    Failure failure = refusal(reply.text());
    broken_ = broken_ || failure.kind() == Failure::Kind::LostServer;
    throw failure;
}

std::vector<Reply> Connection::trip(Deadline deadline) {
    std::vector<Reply> replies = answers(deadline);
    for (const Reply& reply : replies) check(reply);
    return replies;
}

std::vector<Reply> Connection::trip_past_damage(Deadline deadline) {
    std::vector<Reply> replies = answers(deadline);
    for (const Reply& reply : replies) {
        if (!reply.is_error() || !reply.text().starts_with("WRONGTYPE")) check(reply);
    }
    return replies;
}

void Connection::exchange(Deadline deadline, std::vector<Reply>& replies) {
    std::array<char, kReadBytes> room;
    for (size_t gone = 0; replies.size() < waiting_;) {
        // Also while bytes keep coming.
        if (Clock::now() >= deadline) throw lost_server(name_, "no answer in time");
        if (gone < out_.size()) gone += transport_.write(std::string_view(out_).substr(gone));
        const size_t came = transport_.read(room.data(), room.size());
        if (came > 0) {
            if (redisReaderFeed(reader_.get(), room.data(), came) != REDIS_OK)
                throw lost_server(name_, reader_->errstr);
            take(replies);
        } else {
            wait(gone < out_.size(), deadline);
        }
    }
}

// A server whose machine died, or that stands still, says nothing any more: it would be waited for until the deadline.
void Connection::wait(bool writing, Deadline deadline) {
    if (transport_.wait(writing, std::min(deadline, Clock::now() + kLookEvery)) || !route_) return;
    route_->look();
    if (route_->turn() != turn_) throw lost_server(name_, "is not the master any more");
}

void Connection::take(std::vector<Reply>& replies) {
    for (;;) {
        void* reply = nullptr;
        if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) throw lost_server(name_, reader_->errstr);
        if (reply == nullptr) return;
        replies.emplace_back(static_cast<redisReply*>(reply));
    }
}

Reply Connection::run(const Words& words, Deadline deadline) {
    send(words);
    std::vector<Reply> replies = trip(deadline);
    return std::move(replies.front());
}

}  // namespace belfry::redis
