// SPDX-License-Identifier: Apache-2.0
// Writes the requests that the real webpush.so would send, one per line of input, for peers.js to check.
//
// Input: {"subscription": text, "notification": text}. Output: {"origin", "path", "headers", "body" in base64url} or
// {"refused": why}. Arguments: the VAPID private key in base64url, an allowed origin ("localhost:8090").
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "fakes/webpush_bed.h"

namespace {

using nlohmann::json;

json request_for(belfry::fakes::WebPushBed& bed, const json& asked) {
    const auto token = bed.validate(asked.at("subscription").get<std::string>());
    if (!token) return {{"refused", bed.trouble.where + ": " + bed.trouble.text}};
    const std::string payload = asked.at("notification").get<std::string>();
    const auto encoded = bed.encode({{token->token, token->data, token->variant, payload}});
    if (encoded.requests.size() != 1)
        return {{"refused", encoded.refused.empty() ? "nothing was written" : encoded.refused[0].reason}};
    const auto& request = encoded.requests[0];
    return {{"origin", request.origin},
            {"path", request.path},
            {"headers", request.headers},
            {"body", belfry::crypto::base64url(request.body)}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: webpush_sender PRIVATE_KEY ALLOWED_ORIGIN\n";
        return 2;
    }
    const std::string config = R"("vapid_private_key":{"$secret":"key"},"allow_private_networks":true,)"
                               R"("extra_allowed_origins":[")" +
                               std::string(argv[2]) + "\"]";
    belfry::fakes::WebPushBed bed(config, {{"key", argv[1]}});
    if (bed.trouble.code != BELFRY_OK) {
        std::cerr << bed.trouble.where << ": " << bed.trouble.text << '\n';
        return 1;
    }
    const auto today = std::chrono::system_clock::now().time_since_epoch();  // peers compare expiry with their clocks
    bed.host.clock.advance(today - std::chrono::milliseconds(bed.host.clock.unix_ms()));
    for (std::string line; std::getline(std::cin, line);)
        std::cout << request_for(bed, json::parse(line)).dump() << std::endl;
    return 0;
}
