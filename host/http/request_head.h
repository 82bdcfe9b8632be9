// SPDX-License-Identifier: Apache-2.0
// Turns an exchange into the head of its request: pieces executed, credential added, everything checked.
// Threads: [loop]: one builder per loop, its scratch lives until the loop resets the arena.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "http/arena.h"
#include "http/h2_session.h"
#include "http/plan.h"

namespace belfry::http {

enum class HeadFault : uint8_t { None, NoCredential, Malformed };

class RequestHeads {
public:
    static constexpr size_t kHeadMax = 32 * 1024;  // path and header values together

    // Fills `head`, whose views stay valid until reset. NoCredential: none was set yet, or it is past its time.
    HeadFault build(const Exchange& exchange, std::string_view authority, int64_t unix_s, int64_t now_mono_ns,
                    RequestHead& head);
    uint64_t credential_generation() const noexcept { return credential_ ? credential_->generation : 0; }
    // Only when no session refers to heads any more.
    void reset() noexcept;

private:
    HeadFault add_credential(const Plan& plan, int64_t now_mono_ns);
    bool add_plan_fields(const Exchange& exchange, int64_t unix_s);
    bool add_encoded_fields(std::string_view lines);
    bool add(const HeadField& field);
    bool add_length(uint64_t body_bytes, std::string_view method);
    bool render(const Exchange& exchange, std::span<const Piece> pieces, int64_t unix_s, std::string_view& text,
                bool& varies);

    Arena arena_;
    std::array<HeadField, RequestHead::kFieldsMax> fields_;
    size_t fields_n_ = 0, bytes_ = 0;
    const CredentialSlot* slot_ = nullptr;  // whose credential is held below
    std::shared_ptr<const Credential> credential_;
    bool clean_credential_ = false;
    const Plan* checked_plan_ = nullptr;                   // its constant fields are known to be well-formed
    std::vector<std::shared_ptr<const Credential>> held_;  // those that heads of this turn refer to
};

}  // namespace belfry::http
