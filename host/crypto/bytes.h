// SPDX-License-Identifier: Apache-2.0
// Text as the byte pointers that OpenSSL wants, its handles, and its reasons.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/handles.h"

namespace belfry::crypto {

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

inline const unsigned char* bytes_of(std::string_view text) noexcept {
    return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}
inline unsigned char* bytes_of(std::string& text) noexcept {
    return static_cast<unsigned char*>(static_cast<void*>(text.data()));
}

// The oldest reason in this thread's OpenSSL queue, which is emptied.
inline std::string take_reason() {
    const unsigned long code = ERR_peek_error();
    const char* reason = ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == nullptr ? "no reason given" : reason;
}

}  // namespace belfry::crypto
