// SPDX-License-Identifier: Apache-2.0
#include "fcm/proto_check.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <utility>

namespace belfry::simulator {

namespace {

constexpr std::size_t kViolationsMax = 20;
constexpr std::size_t kDurationFractionDigitsMax = 9;

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_int32(const JsonTree& value) {
    if (value.kind != JsonTree::Kind::Number && value.kind != JsonTree::Kind::String) return false;
    std::int32_t number = 0;
    const std::string& text = value.text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

bool is_float(const JsonTree& value) {
    if (value.kind == JsonTree::Kind::Number) return true;
    if (value.kind != JsonTree::Kind::String) return false;
    if (value.text == "NaN" || value.text == "Infinity" || value.text == "-Infinity") return true;
    float number = 0;
    const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
    return error == std::errc{} && end == value.text.data() + value.text.size();
}

bool is_choice(const JsonTree& value, const EnumSchema& choices) {
    if (value.kind == JsonTree::Kind::Number) {
        std::size_t number = 0;
        const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
        return error == std::errc{} && end == value.text.data() + value.text.size() && number < choices.names.size();
    }
    if (!value.is_string()) return false;
    // Google documents upper case and takes lower case too (fcm.md section 2.2).
    return std::any_of(choices.names.begin(), choices.names.end(), [&](std::string_view name) {
        return std::equal(name.begin(), name.end(), value.text.begin(), value.text.end(),
                          [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 32) : b); });
    });
}

std::string_view type_name(const FieldSchema& field) {
    switch (field.kind) {
        case FieldKind::String:
        case FieldKind::StringMap:
            return "TYPE_STRING";
        case FieldKind::Bool:
            return "TYPE_BOOL";
        case FieldKind::Int32:
            return "TYPE_INT32";
        case FieldKind::Float:
            return "TYPE_FLOAT";
        case FieldKind::Enum:
            return field.choices->full_name;
        case FieldKind::Duration:
            return "type.googleapis.com/google.protobuf.Duration";
        case FieldKind::Timestamp:
            return "type.googleapis.com/google.protobuf.Timestamp";
        case FieldKind::Free:
            return "type.googleapis.com/google.protobuf.Struct";
        case FieldKind::Message:
            return "TYPE_MESSAGE";
    }
    return "TYPE_STRING";
}

class Checker {
public:
    explicit Checker(bool refuse_duplicate_keys) : refuse_duplicate_keys_(refuse_duplicate_keys) {}

    void check_message(const JsonTree& value, const MessageSchema& schema, const std::string& path) {
        std::uint64_t seen = 0;  // a bit for each field: no message has 64
        std::string_view target_set;
        for (const JsonMember& member : value.members) {
            const FieldSchema* field = find_field(schema, member.name);
            if (field == nullptr) {
                unknown_name(member.name, path, "Cannot find field.");
                continue;
            }
            const std::uint64_t bit = std::uint64_t{1} << (field - schema.fields.data());
            const bool again = (std::exchange(seen, seen | bit) & bit) != 0;
            if (again && refuse_duplicate_keys_) {
                unknown_name(member.name, path, "Field is set more than once.");
                continue;
            }
            if (member.value.kind == JsonTree::Kind::Null) continue;
            if (!field->oneof.empty() && !target_set.empty() && target_set != field->name) {
                add(path, "Invalid value at '" + path + "' (oneof), oneof field '" + std::string(field->oneof) +
                              "' is already set. Cannot set '" + std::string(field->name) + "'");
                continue;
            }
            if (!field->oneof.empty()) target_set = field->name;
            check_field(member, *field, path);
        }
    }

    std::vector<FieldViolation> take() { return std::move(violations_); }

private:
    void add(const std::string& path, std::string description) {
        if (violations_.size() < kViolationsMax) violations_.push_back({path, std::move(description)});
    }

    void unknown_name(const std::string& name, const std::string& path, std::string_view why) {
        const std::string where = path.empty() ? "" : " at '" + path + "'";
        add(path, "Invalid JSON payload received. Unknown name " + json_string(name) + where + ": " + std::string(why));
    }

    void wrong_type(const std::string& path, std::string_view type, const JsonTree& value) {
        add(path, "Invalid value at '" + path + "' (" + std::string(type) + "), " + to_text(value));
    }

    void check_field(const JsonMember& member, const FieldSchema& field, const std::string& parent) {
        const std::string path = parent.empty() ? std::string(field.name) : parent + '.' + std::string(field.name);
        const bool is_array = member.value.kind == JsonTree::Kind::Array;
        if (!field.repeated) {
            if (is_array) {
                unknown_name(member.name, parent, "Proto field is not repeating, cannot start list.");
            } else {
                check_value(member.value, field, path);
            }
            return;
        }
        if (!is_array) {
            wrong_type(path, type_name(field), member.value);
            return;
        }
        for (std::size_t i = 0; i < member.value.items.size(); ++i) {
            check_value(member.value.items[i], field, path + '[' + std::to_string(i) + ']');
        }
    }

    void check_value(const JsonTree& value, const FieldSchema& field, const std::string& path) {
        if (field.kind == FieldKind::Message && value.is_object()) {
            check_message(value, *field.message, path);
        } else if (field.kind == FieldKind::StringMap && value.is_object()) {
            check_map(value, path);
        } else if (field.kind == FieldKind::Free && value.is_object()) {
            check_duplicates(value, path);
        } else if (!fits_scalar(value, field)) {
            wrong_type(path, type_name(field), value);
        }
    }

    static bool fits_scalar(const JsonTree& value, const FieldSchema& field) {
        switch (field.kind) {
            case FieldKind::String:
                return value.is_string();
            case FieldKind::Bool:
                return value.kind == JsonTree::Kind::Bool;
            case FieldKind::Int32:
                return is_int32(value);
            case FieldKind::Float:
                return is_float(value);
            case FieldKind::Enum:
                return is_choice(value, *field.choices);
            case FieldKind::Duration:
                return value.is_string() && parse_duration(value.text).has_value();
            case FieldKind::Timestamp:
                return value.is_string() && is_timestamp(value.text);
            case FieldKind::StringMap:
            case FieldKind::Free:
            case FieldKind::Message:
                return false;
        }
        return false;
    }

    // Google counts the entries of a map by their place in the document.
    void check_map(const JsonTree& map, const std::string& path) {
        check_duplicates(map, path);
        for (std::size_t i = 0; i < map.members.size(); ++i) {
            const JsonTree& value = map.members[i].value;
            if (!value.is_string()) wrong_type(path + '[' + std::to_string(i) + "].value", "TYPE_STRING", value);
        }
    }

    void check_duplicates(const JsonTree& object, const std::string& path) {
        if (!refuse_duplicate_keys_ || object.members.size() < 2) return;
        std::set<std::string_view> seen;
        for (const JsonMember& member : object.members) {
            if (!seen.insert(member.name).second) unknown_name(member.name, path, "Key is set more than once.");
        }
    }

    bool refuse_duplicate_keys_;
    std::vector<FieldViolation> violations_;
};

}  // namespace

std::vector<FieldViolation> check_against_schema(const JsonTree& root, const MessageSchema& schema,
                                                 bool refuse_duplicate_keys) {
    if (!root.is_object()) {
        return {{"", "Invalid JSON payload received. Expected an object at the root of the document."}};
    }
    Checker checker(refuse_duplicate_keys);
    checker.check_message(root, schema, "");
    return checker.take();
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
    if (text.size() < 2 || text.back() != 's') return std::nullopt;
    text.remove_suffix(1);
    const bool negative = text.front() == '-';
    if (negative) text.remove_prefix(1);
    const auto point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    if (point != std::string_view::npos) {
        const std::string_view fraction = text.substr(point + 1);
        if (!all_digits(fraction) || fraction.size() > kDurationFractionDigitsMax) return std::nullopt;
    }
    std::int64_t seconds = 0;
    if (!all_digits(whole)) return std::nullopt;
    const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
    if (error != std::errc{}) return std::nullopt;
    return negative ? -std::max<std::int64_t>(seconds, 1) : seconds;
}

bool is_timestamp(std::string_view text) {
    constexpr std::string_view kShape = "0000-00-00T00:00:00";
    if (text.size() <= kShape.size()) return false;
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return false;
    }
    const auto pair = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
    if (pair(5) < 1 || pair(5) > 12 || pair(8) < 1 || pair(8) > 31) return false;
    if (pair(11) > 23 || pair(14) > 59 || pair(17) > 59) return false;
    std::string_view rest = text.substr(kShape.size());
    if (rest.front() == '.') {
        const auto end = rest.find_first_not_of("0123456789", 1);
        if (end == std::string_view::npos || end == 1 || end > 1 + kDurationFractionDigitsMax) return false;
        rest.remove_prefix(end);
    }
    if (rest == "Z") return true;
    return rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && all_digits(rest.substr(1, 2)) && rest[3] == ':' &&
           all_digits(rest.substr(4, 2));
}

}  // namespace belfry::simulator
