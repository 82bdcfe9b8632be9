// SPDX-License-Identifier: Apache-2.0
// Turns an exchange into the head of its request: pieces executed, credential added, everything checked.
// Threads: [loop]: one builder per loop, its scratch lives until the loop resets the arena.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "http/arena.h"
#include "http/plan.h"
#include "http/session.h"

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
    void begin_plan(const Plan& plan, bool encoded, int64_t now_mono_ns);
    HeadFault add_credential(const Plan& plan, int64_t now_mono_ns);
    bool add_varying_fields(const Exchange& exchange, int64_t unix_s);
    bool add_encoded_fields(std::string_view lines);
    bool add(const HeadField& field);
    bool add_length(uint64_t body_bytes, std::string_view method);
    bool render(const Exchange& exchange, std::span<const Piece> pieces, int64_t unix_s, std::string_view& text);

    Arena arena_;
    std::array<HeadField, RequestHead::kFieldsMax> fields_;
    size_t fields_n_ = 0, bytes_ = 0;

    // Of the plan whose requests are being built:
    const Plan* plan_ = nullptr;
    bool encoded_ = false, constant_only_ = false;
    HeadFault plan_fault_ = HeadFault::None;
    uint64_t plans_begun_ = 0;
    size_t constant_n_ = 0, constant_bytes_ = 0;  // fields that are the same for all, at the beginning of fields_
    std::shared_ptr<const Credential> credential_;
    std::vector<std::shared_ptr<const Credential>> held_;  // those that heads of this turn refer to
};

}  // namespace belfry::http
