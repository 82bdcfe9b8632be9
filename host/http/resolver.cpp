// SPDX-License-Identifier: Apache-2.0
#include "http/resolver.h"

#include <netdb.h>
#include <netinet/in.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "http/signal_shield.h"

namespace belfry::http {

namespace {

constexpr unsigned kThreads = 2;
constexpr size_t kAddressesMax = 8;  // per lookup
constexpr std::chrono::seconds kStopWait{1};

using AddressList = std::unique_ptr<addrinfo, FreeWith<freeaddrinfo>>;

struct Job {
    std::string host;
    uint16_t port = 0;
    bool untrusted = false;
    uint64_t ticket = 0;
    std::shared_ptr<Door> answer_to;
};

struct Block {
    uint32_t address;
    int prefix;
};
// RFC 6890, the special-purpose registry of IPv4, and multicast.
constexpr std::array kPrivate4{
    Block{0x00000000, 8},  Block{0x0A000000, 8},  Block{0x64400000, 10}, Block{0x7F000000, 8},  Block{0xA9FE0000, 16},
    Block{0xAC100000, 12}, Block{0xC0000000, 24}, Block{0xC0000200, 24}, Block{0xC0586300, 24}, Block{0xC0A80000, 16},
    Block{0xC6120000, 15}, Block{0xC6336400, 24}, Block{0xCB007100, 24}, Block{0xE0000000, 3}};

bool is_public4(uint32_t address) noexcept {
    for (const Block& block : kPrivate4) {
        if ((address ^ block.address) >> (32 - block.prefix) == 0) return false;
    }
    return true;
}

uint32_t word_at(const unsigned char* bytes) noexcept {
    return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

bool is_public6(const in6_addr& address) noexcept {
    const unsigned char* b = address.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) return is_public4(word_at(b + 12));
    if (word_at(b) == 0x0064FF9B && word_at(b + 4) == 0 && word_at(b + 8) == 0)
        return is_public4(word_at(b + 12));                                     // NAT64, the well-known prefix
    if ((b[0] & 0xE0) != 0x20) return false;                                    // only 2000::/3 is global unicast
    if (word_at(b) == 0x20010DB8 || word_at(b) >> 12 == 0x3FFF0) return false;  // documentation
    if (word_at(b) >> 9 == 0x20010000 >> 9) return false;                       // Teredo, ORCHID, benchmarks
    if (b[0] == 0x20 && b[1] == 0x02) return is_public4(word_at(b + 2));        // 6to4
    return true;
}

void append(std::vector<Address>& addresses, const addrinfo& info) {
    if (info.ai_addrlen > sizeof(sockaddr_storage)) return;
    Address address;
    std::memcpy(&address.storage, info.ai_addr, info.ai_addrlen);
    address.length = info.ai_addrlen;
    addresses.push_back(address);
}

}  // namespace

// The system's order of preference, but with the families alternating, so that a dead one costs one attempt.
std::vector<Address> usable_addresses(const addrinfo* list, bool untrusted) {
    std::vector<Address> first, second;
    int first_family = AF_UNSPEC;
    for (; list != nullptr; list = list->ai_next) {
        if (list->ai_family != AF_INET && list->ai_family != AF_INET6) continue;
        if (untrusted && !is_public(list->ai_addr)) return {};
        if (first_family == AF_UNSPEC) first_family = list->ai_family;
        append(list->ai_family == first_family ? first : second, *list);
    }
    std::vector<Address> mixed;
    for (size_t i = 0; (i < first.size() || i < second.size()) && mixed.size() < kAddressesMax; ++i) {
        if (i < first.size()) mixed.push_back(first[i]);
        if (i < second.size()) mixed.push_back(second[i]);
    }
    return mixed;
}

namespace {

// The addresses of a name, asked for now.
int find(const std::string& host, uint16_t port, const Resolver::AddressesOf& addresses_of, AddressList& list) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    const std::string service = std::to_string(port);
    addrinfo* found = nullptr;
    if (!addresses_of) {
        const int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
        list.reset(found);
        return code;
    }
    hints.ai_flags |= AI_NUMERICHOST;
    addrinfo* last = nullptr;
    for (const std::string& text : addresses_of(host)) {
        if (const int code = getaddrinfo(text.c_str(), service.c_str(), &hints, &found); code != 0) return code;
        last == nullptr ? list.reset(found) : static_cast<void>(last->ai_next = found);
        last = found;
    }
    return list ? 0 : EAI_NONAME;
}

Notice look_up(const Job& job, const Resolver::AddressesOf& addresses_of) {
    Notice notice;
    notice.kind = Notice::Kind::Resolved;
    notice.number = job.ticket;
    AddressList found;
    const int code = find(job.host, job.port, addresses_of, found);
    if (code != 0) {
        notice.failure = "name " + job.host + " cannot be resolved: " + gai_strerror(code);
        return notice;
    }
    notice.addresses = usable_addresses(found.get(), job.untrusted);
    if (notice.addresses.empty()) notice.failure = "name " + job.host + " has no address that may be connected to";
    return notice;
}

}  // namespace

std::string to_text(const Address& address) {
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const int code = getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.length, host, sizeof host,
                                 port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    if (code != 0) return {};
    return (address.storage.ss_family == AF_INET6 ? "[" + std::string(host) + "]" : host) + ":" + port;
}

bool is_loopback(const sockaddr* address) noexcept {
    if (address->sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool is_public(const sockaddr* address) noexcept {
    if (address->sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, address, sizeof v4);
        return is_public4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, address, sizeof v6);
        return is_public6(v6.sin6_addr);
    }
    return false;
}

class Resolver::Pool {
public:
    explicit Pool(AddressesOf addresses_of) : shared_(std::make_shared<Shared>()) {
        shared_->addresses_of = std::move(addresses_of);
        shared_->running = kThreads;
        const SignalShield shield;
        for (unsigned i = 0; i < kThreads; ++i) threads_.emplace_back(run, shared_);
    }
    ~Pool() {
        bool ended = false;
        {
            std::unique_lock lock(shared_->mutex);
            shared_->closed = true;
            shared_->jobs.clear();
            shared_->changed.notify_all();
            ended = shared_->changed.wait_for(lock, kStopWait, [this] { return shared_->running == 0; });
        }
        // A lookup can hang for as long as the system's resolver likes; it only touches what it shares.
        for (std::thread& thread : threads_) ended ? thread.join() : thread.detach();
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    bool push(Job&& job) {
        std::lock_guard lock(shared_->mutex);
        if (shared_->closed || shared_->jobs.size() >= kQueueMax) return false;
        shared_->jobs.push_back(std::move(job));
        shared_->changed.notify_all();
        return true;
    }

private:
    // Shared by the pool and its threads, because a hanging lookup may outlive the pool.
    struct Shared {
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<Job> jobs;
        AddressesOf addresses_of;  // never changes
        bool closed = false;
        unsigned running = 0;
    };

    static void run(const std::shared_ptr<Shared>& shared) {
        std::unique_lock lock(shared->mutex);
        while (true) {
            shared->changed.wait(lock, [&] { return shared->closed || !shared->jobs.empty(); });
            if (shared->closed) break;
            const Job job = std::move(shared->jobs.front());
            shared->jobs.pop_front();
            lock.unlock();
            // The loop may have gone meanwhile: then nobody waits for this answer.
            static_cast<void>(job.answer_to->post(look_up(job, shared->addresses_of)));
            lock.lock();
        }
        --shared->running;
        shared->changed.notify_all();
    }

    std::shared_ptr<Shared> shared_;
    std::vector<std::thread> threads_;
};

Resolver::Resolver(AddressesOf addresses_of)
    : trusted_(std::make_unique<Pool>(addresses_of)), untrusted_(std::make_unique<Pool>(addresses_of)) {}
Resolver::~Resolver() = default;

bool Resolver::resolve(std::string host, uint16_t port, bool untrusted, uint64_t ticket,
                       std::shared_ptr<Door> answer_to) {
    return (untrusted ? untrusted_ : trusted_)
        ->push(Job{std::move(host), port, untrusted, ticket, std::move(answer_to)});
}

}  // namespace belfry::http
