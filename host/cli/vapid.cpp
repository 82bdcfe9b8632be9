// SPDX-License-Identifier: Apache-2.0
// A key pair for Web Push (VAPID, RFC 8292): P-256, the private key as its 32 bytes, the public one as the 65 bytes of
// the uncompressed point (RFC 8292 3.2), both base64url without padding, as browsers and other tools expect them.
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/output.h"
#include "crypto/hash.h"
#include "crypto/p256_key.h"

namespace belfry::cli {
namespace {

int generate(const Call& call) {
    const crypto::P256Key made = crypto::make_p256_key();
    const std::string public_key = crypto::base64url(made.public_point);
    const std::string private_key = crypto::base64url(made.scalar);
    if (call.given.has("--json")) {
        print_json({{"public_key", public_key}, {"private_key", private_key}}, call.world);
    } else {
        call.world.out << "public   " << public_key << "\nprivate  " << private_key << "\n";
    }
    return kDone;
}

}  // namespace

Command vapid_command() {
    return {"vapid generate",
            "",
            "make a key pair for web push: the public key is for web pages, the private one for [providers.webpush]",
            {{"--json", "", "print the pair as JSON"}},
            0,
            0,
            generate,
            {"belfry vapid generate", "belfry vapid generate --json | jq -r .private_key > vapid-private-key"}};
}

}  // namespace belfry::cli
