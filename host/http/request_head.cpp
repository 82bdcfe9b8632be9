// SPDX-License-Identifier: Apache-2.0
#include "http/request_head.h"

#include <algorithm>
#include <charconv>

#include "http/byte_scan.h"
#include "http/pieces.h"

namespace belfry::http {

namespace {

constexpr size_t kDigitsMax = 20;

// RFC 9110 5.5: visible ASCII, space, tab and obs-text; never line ends or NUL.
bool clean_value(std::string_view value) {
    bool bad = false;
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        bad |= (byte < 0x20 && byte != '\t') || byte == 0x7F;
    }
    return !bad;
}

// RFC 3986 3.3: a path is visible ASCII; what else it may hold is the plan's business.
bool clean_path(std::string_view path) {
    return !path.empty() && path.front() == '/' && plain_bytes<0x21>(path);
}

// What frames a request or speaks of its connection is the engine's own (RFC 9112 6, RFC 9113 8.2.2): from elsewhere it
// could make two requests of one.
bool of_engine(std::string_view name) {
    switch (name.size()) {
        case 4:
            return name == "host";
        case 6:
            return name == "expect";
        case 7:
            return name == "upgrade" || name == "trailer";
        case 10:
            return name == "connection" || name == "keep-alive";
        case 14:
            return name == "content-length";
        case 16:
            return name == "proxy-connection";
        case 17:
            return name == "transfer-encoding";
        default:
            return false;
    }
}

bool clean_method(std::string_view method) {
    return !method.empty() && std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// RFC 9113 8.2.1: field names are lower case.
bool clean_name(std::string_view name) {
    return !name.empty() && !of_engine(name) && std::all_of(name.begin(), name.end(), [](char c) {
        return c > 0x20 && c < 0x7F && c != ':' && !(c >= 'A' && c <= 'Z');
    });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

// The same for every exchange.
bool constant(std::span<const Piece> pieces) {
    return std::all_of(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.kind == PieceKind::Text; });
}

}  // namespace

HeadFault RequestHeads::build(const Exchange& exchange, std::string_view authority, int64_t unix_s, int64_t now_mono_ns,
                              RequestHead& head) {
    const Plan& plan = *exchange.plan;
    const bool encoded = exchange.encoded != nullptr;
    if (&plan != plan_ || encoded != encoded_) begin_plan(plan, encoded, now_mono_ns);
    if (plan_fault_ != HeadFault::None) return plan_fault_;
    head.shared = plans_begun_;
    head.shared_n = constant_n_;
    fields_n_ = constant_n_;
    bytes_ = constant_bytes_;
    head.method = plan.method;
    head.authority = authority;
    bool valid = true;
    if (encoded) {
        head.path = exchange.encoded->path;
        head.body_bytes = exchange.encoded->body.size();
        valid = add_encoded_fields(exchange.encoded->headers);
    } else {
        head.body_bytes = measure(PieceSource{plan, exchange, unix_s}, plan.body);
        valid =
            render(exchange, plan.path, unix_s, head.path) && (constant_only_ || add_varying_fields(exchange, unix_s));
    }
    valid = valid && clean_path(head.path) && add_length(head.body_bytes, plan.method);
    head.fields = {fields_.data(), fields_n_};
    return valid && bytes_ + head.path.size() <= kHeadMax ? HeadFault::None : HeadFault::Malformed;
}

// What all requests of a plan share stands at the beginning of the fields and is checked once.
void RequestHeads::begin_plan(const Plan& plan, bool encoded, int64_t now_mono_ns) {
    ++plans_begun_;
    plan_ = &plan;
    encoded_ = encoded;
    constant_only_ = true;
    fields_n_ = bytes_ = 0;
    plan_fault_ = clean_method(plan.method) ? add_credential(plan, now_mono_ns) : HeadFault::Malformed;
    for (const PlanHeader& header : plan.headers) {
        if (encoded || plan_fault_ != HeadFault::None) break;
        if (!constant(header.value)) {
            constant_only_ = false;
            continue;
        }
        Exchange nobody;
        nobody.plan = &plan;
        HeadField made{header.name, {}, false, header.never_index};
        const bool valid =
            render(nobody, header.value, 0, made.value) && clean_name(made.name) && clean_value(made.value);
        if (!valid || !add(made)) plan_fault_ = HeadFault::Malformed;
    }
    constant_n_ = fields_n_;
    constant_bytes_ = bytes_;
}

HeadFault RequestHeads::add_credential(const Plan& plan, int64_t now_mono_ns) {
    credential_ = plan.credential ? plan.credential->get() : nullptr;
    if (!plan.credential) return HeadFault::None;
    if (!credential_) return HeadFault::NoCredential;
    held_.push_back(credential_);
    const int64_t until = credential_->valid_until_mono_ns;
    if (until != 0 && until <= now_mono_ns) return HeadFault::NoCredential;
    return clean_value(credential_->value) && add({"authorization", credential_->value, false, true})
               ? HeadFault::None
               : HeadFault::Malformed;
}

bool RequestHeads::add_varying_fields(const Exchange& exchange, int64_t unix_s) {
    for (const PlanHeader& header : exchange.plan->headers) {
        if (constant(header.value)) continue;
        HeadField made{header.name, {}, true, header.never_index};
        if (!render(exchange, header.value, unix_s, made.value)) return false;
        if (!clean_name(made.name) || !clean_value(made.value) || !add(made)) return false;
    }
    return true;
}

bool RequestHeads::add_encoded_fields(std::string_view lines) {
    while (!lines.empty()) {
        const size_t end = std::min(lines.find('\n'), lines.size());
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 1, lines.size()));
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos) return false;
        const HeadField made{line.substr(0, colon), trim(line.substr(colon + 1)), true, false};
        if (!clean_name(made.name) || !clean_value(made.value) || !add(made)) return false;
    }
    return true;
}

bool RequestHeads::add(const HeadField& field) {
    if (fields_n_ == fields_.size()) return false;
    fields_[fields_n_++] = field;
    bytes_ += field.name.size() + field.value.size();
    return true;
}

bool RequestHeads::add_length(uint64_t body_bytes, std::string_view method) {
    if (body_bytes == 0 && method != "POST" && method != "PUT") return true;
    char* digits = arena_.reserve(kDigitsMax);
    const char* end = std::to_chars(digits, digits + kDigitsMax, body_bytes).ptr;
    const std::string_view text(digits, static_cast<size_t>(end - digits));
    arena_.keep(text.size());
    return add({"content-length", text, true, false});
}

bool RequestHeads::render(const Exchange& exchange, std::span<const Piece> pieces, int64_t unix_s,
                          std::string_view& text) {
    const PieceSource source{*exchange.plan, exchange, unix_s};
    const size_t n = measure(source, pieces);
    if (n > kHeadMax) return false;
    char* out = arena_.reserve(n);
    write(source, pieces, out);
    arena_.keep(n);
    text = {out, n};
    return true;
}

void RequestHeads::reset() noexcept {
    arena_.reset();
    plan_ = nullptr;
    credential_.reset();
    held_.clear();
}

}  // namespace belfry::http
