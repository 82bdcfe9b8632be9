// SPDX-License-Identifier: Apache-2.0
#include "webpush/flavour.h"

namespace belfry::simulator::webpush {

std::string_view flavour_name(Flavour flavour) {
    switch (flavour) {
        case Flavour::Fcm:
            return "fcm";
        case Flavour::Mozilla:
            return "mozilla";
        case Flavour::Apple:
            return "apple";
        case Flavour::Windows:
            return "windows";
    }
    return {};
}

std::optional<Flavour> flavour_of(std::string_view name) {
    for (const Flavour flavour : kFlavours) {
        if (flavour_name(flavour) == name) return flavour;
    }
    return std::nullopt;
}

std::string target_of(Flavour flavour, std::string_view name, std::string_view secret) {
    const std::string key = std::string(name) + "." + std::string(secret);
    switch (flavour) {
        case Flavour::Fcm:
            return "/fcm/send/" + key + ":APA91b";
        case Flavour::Mozilla:
            return "/wpush/v2/gAAAAA" + key;
        case Flavour::Apple:
            return "/Q" + key;
        case Flavour::Windows:
            // Decoding and encoding again would lose the escapes: "%2b" is not "%2B" to this service.
            return "/w/?token=BQYAAA%2b" + key + "%3d";
    }
    return {};
}

}  // namespace belfry::simulator::webpush
