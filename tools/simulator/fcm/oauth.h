// SPDX-License-Identifier: Apache-2.0
// The token endpoint: checks a service account's signed assertion and hands out access tokens.
//
// Assertions are checked in the recorded order (fcm.md section 3.3): structure, signature, account, iat and exp
// present, time window, scope not empty, audience.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <openssl/evp.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/exchange.h"
#include "state/settings.h"

namespace belfry::simulator {

struct PublicKeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PublicKey = std::unique_ptr<EVP_PKEY, PublicKeyFree>;

struct Account {
    std::string project;
    std::string client_email;
    std::string key_id;
    PublicKey key;
};

enum class TokenState : std::uint8_t { Unknown, Expired, Valid };

struct TokenCheck {
    TokenState state = TokenState::Unknown;
    std::string project;
};

class OAuth {
public:
    static constexpr std::size_t kTokensMax = 100'000;  // the oldest are forgotten, and then unknown

    void set_accounts(std::vector<Account> accounts, std::string token_uri);

    // Answers POST /token. `wall` is the simulated time; `uptime` drives expiry.
    Reply answer(const Request& request, const Settings& settings, std::chrono::system_clock::time_point wall,
                 std::chrono::milliseconds uptime);
    [[nodiscard]] TokenCheck check(std::string_view access_token, std::chrono::milliseconds uptime) const;
    // From now on every token handed out so far is an expired one.
    void expire_all(std::chrono::milliseconds uptime);

private:
    struct Issued {
        std::string project;
        std::chrono::milliseconds expires;
    };
    struct Assertion;

    Reply check_assertion(std::string_view jwt, const Settings& settings, std::chrono::system_clock::time_point wall,
                          std::chrono::milliseconds uptime);
    [[nodiscard]] bool signature_holds(const Assertion& assertion) const;
    [[nodiscard]] const Account* find_account(std::string_view client_email) const;
    Reply issue(const Account& account, std::int64_t lifetime_s, std::chrono::milliseconds uptime);

    std::vector<Account> accounts_;
    std::string token_uri_;
    std::unordered_map<std::string, Issued> issued_;
    std::deque<std::string> order_;
};

}  // namespace belfry::simulator
