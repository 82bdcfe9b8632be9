// SPDX-License-Identifier: Apache-2.0
#include "api/envelope.h"

#include "api/json_writer.h"

namespace belfry::api {

std::string bare(const Fault& fault) {
    JsonWriter out;
    out.open('{').key("code").integer(static_cast<int64_t>(fault.code)).key("message").text(fault.message).close('}');
    return out.take();
}

std::string enveloped(std::string_view result) {
    std::string out;
    out.reserve(result.size() + 12);
    out += "{\"result\":";
    out += result;
    out += '}';
    return out;
}

std::string enveloped(const Fault& fault) {
    return "{\"error\":" + bare(fault) + "}";
}

}  // namespace belfry::api
