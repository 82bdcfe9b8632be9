// SPDX-License-Identifier: Apache-2.0
#include "api/reader.h"

#include <algorithm>

#include "base/assert.h"

namespace belfry::api {
namespace {

char folded(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Where a value stands, written out only if there is something to say of it.
struct Path {
    const Path* above = nullptr;  // null: the whole request
    std::string_view name = {};
    std::string text() const {
        if (above == nullptr) return {};
        const std::string before = above->text();
        return before.empty() ? std::string(name) : before + "." + std::string(name);
    }
};

std::string at(const Path& path, std::string_view key) {
    return Path{&path, key}.text();
}

const char* must_be(Type type) noexcept {
    switch (type) {
        case Type::Text:
            return "must be a text";
        case Type::Integer:
            return "must be an integer";
        case Type::Boolean:
            return "must be true or false";
        case Type::TextList:
            return "must be a list of texts";
        case Type::TextMap:
            return "must be an object of texts";
        case Type::Object:
        case Type::JsonObject:
            return "must be an object";
        case Type::ObjectList:
            return "must be a list of objects";
        case Type::JsonList:
            return "must be a list";
        case Type::Json:
            break;
    }
    return "must be a JSON value";
}

bool fits(Type type, const json::Value& value) noexcept {
    switch (type) {
        case Type::Text:
            return value.is(json::Type::String);
        case Type::Integer:
            return json::to_int64(value).has_value();
        case Type::Boolean:
            return value.is_bool();
        case Type::TextList:
        case Type::ObjectList:
        case Type::JsonList:
            return value.is(json::Type::Array);
        case Type::TextMap:
        case Type::Object:
        case Type::JsonObject:
            return value.is(json::Type::Object);
        case Type::Json:
            return true;
    }
    return false;
}

// What the published clients leave out when they mean nothing.
bool is_zero(const json::Value& value) noexcept {
    switch (value.type) {
        case json::Type::Absent:
        case json::Type::Null:
        case json::Type::False:
            return true;
        case json::Type::True:
            return false;
        case json::Type::Number:
            return json::to_int64(value) == 0;
        case json::Type::String:
            return json::inside(value).empty();
        case json::Type::Array:
        case json::Type::Object:
            return json::Entries(value).begin() == std::default_sentinel;
    }
    return false;
}

std::string bytes_between(int64_t min, int64_t max) {
    return min > 0 ? "must have " + std::to_string(min) + " to " + std::to_string(max) + " bytes"
                   : "must have at most " + std::to_string(max) + " bytes";
}

std::string known_fields(const ObjectType& type) {
    std::string out;
    for (const Field& field : type.fields) out += (out.empty() ? "" : ", ") + std::string(field.name);
    return out;
}

}  // namespace

bool same_key(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return folded(x) == folded(y); });
}

class Reader {
public:
    explicit Reader(const App& app) : app_(app) {}

    std::optional<Fault> read(const json::Value& object, const ObjectType& type, const Path& path, Checked& out) {
        out.type_ = &type;
        out.values_.assign(type.fields.size(), {});
        out.objects_.resize(type.fields.size());
        for (const json::Entry& entry : json::Entries(object)) {
            if (auto fault = read_member(entry, type, path, out)) return fault;
        }
        for (size_t i = 0; i < type.fields.size(); ++i) {
            if (type.fields[i].required && out.values_[i].is_nothing())
                return bad_request(at(path, type.fields[i].name) + ": is required");
        }
        return std::nullopt;
    }

private:
    std::optional<Fault> read_member(const json::Entry& entry, const ObjectType& type, const Path& path, Checked& out) {
        const std::string key = json::unescape(entry.key);
        const Field* field = find(type, key);
        if (!field) return read_other(key, entry.value, type, path, out);
        const size_t index = static_cast<size_t>(field - type.fields.data());
        out.values_[index] = {};
        out.objects_[index] = nullptr;
        if (entry.value.is_nothing()) return std::nullopt;
        out.values_[index] = entry.value;
        return check(entry.value, *field, Path{&path, field->name}, out.objects_[index]);
    }

    static const Field* find(const ObjectType& type, std::string_view key) {
        if (const Field* exact = type.find(key)) return exact;
        if (type.exact_keys) return nullptr;
        const auto it =
            std::find_if(type.fields.begin(), type.fields.end(), [&](const Field& f) { return same_key(f.name, key); });
        return it == type.fields.end() ? nullptr : &*it;
    }

    std::optional<Fault> read_other(const std::string& key, const json::Value& value, const ObjectType& type,
                                    const Path& path, Checked& out) {
        if (type.others == Others::Ignore) return std::nullopt;
        if (type.others == Others::Refuse) {
            return bad_request(at(path, key) + ": is not known here; known are " + known_fields(type));
        }
        const ProviderName* provider = app_.by_wire(key);
        if (!provider) {
            const auto it = std::find_if(app_.providers.begin(), app_.providers.end(),
                                         [&](const ProviderName& p) { return same_key(p.wire, key); });
            if (it != app_.providers.end()) provider = &*it;
        }
        if (!provider) {
            if (value.is_nothing()) return std::nullopt;
            return bad_request(at(path, key) + ": this app has no provider of this name; " + app_.known());
        }
        return read_payload(*provider, value, Path{&path, provider->wire}, out);
    }

    std::optional<Fault> read_payload(const ProviderName& provider, const json::Value& value, const Path& path,
                                      Checked& out) {
        std::erase_if(out.payloads_, [&](const auto& known) { return known.first->instance == provider.instance; });
        if (value.is_nothing()) return std::nullopt;
        if (!value.is(json::Type::Object)) return bad_request(path.text() + ": must be an object");
        out.payloads_.emplace_back(&provider, value);
        const ObjectType* shape = published_payload(provider.wire);
        if (!shape) return std::nullopt;
        Checked inside;
        return read(value, *shape, path, inside);
    }

    std::optional<Fault> check(const json::Value& value, const Field& field, const Path& path,
                               std::unique_ptr<Checked>& object) {
        if (!fits(field.type, value)) return bad_request(path.text() + ": " + must_be(field.type));
        if (field.not_built) {
            if (is_zero(value)) return std::nullopt;
            return not_available(path.text());
        }
        switch (field.type) {
            case Type::Text:
                return check_text(value, field, path);
            case Type::Integer:
                return check_integer(value, field.bounds, path);
            case Type::TextList:
            case Type::TextMap:
                return check_texts(value, field, path);
            case Type::JsonList:
                return check_count(json::count(value), field.bounds, path);
            case Type::Object:
                object = std::make_unique<Checked>();
                return read(value, *field.object, path, *object);
            case Type::Boolean:
            case Type::ObjectList:
            case Type::Json:
            case Type::JsonObject:
                break;
        }
        return std::nullopt;
    }

    static std::optional<Fault> check_text(const json::Value& value, const Field& field, const Path& path) {
        const std::string wrong = wrong_with_text(value, field.bounds.min, field.bounds.max, field.choices);
        if (wrong.empty()) return std::nullopt;
        return bad_request(path.text() + ": " + wrong);
    }

    // Empty: nothing.
    static std::string wrong_with_text(const json::Value& value, int64_t min, int64_t max, std::string_view choices) {
        std::string unescaped;
        std::string_view text = json::inside(value);
        if (!json::is_plain(value)) {
            json::unescape_to(value, unescaped);
            text = unescaped;
        }
        const auto size = static_cast<int64_t>(text.size());
        if (max > 0 && (size < min || size > max)) return bytes_between(min, max);
        if (text.find('\0') != std::string_view::npos) return "must not contain the character U+0000";
        if (!choices.empty() && !text.empty() && !is_choice(text, choices)) return "must be one of " + listed(choices);
        return {};
    }

    static bool is_choice(std::string_view text, std::string_view choices) {
        while (true) {
            const size_t end = choices.find(' ');
            if (choices.substr(0, end) == text) return true;
            if (end == std::string_view::npos) return false;
            choices.remove_prefix(end + 1);
        }
    }

    static std::string listed(std::string_view choices) {
        std::string out;
        for (const char c : choices) out += c == ' ' ? std::string(", ") : std::string(1, c);
        return out;
    }

    static std::optional<Fault> check_integer(const json::Value& value, const Bounds& bounds, const Path& path) {
        const int64_t n = *json::to_int64(value);
        if (bounds.max > 0 && (n < bounds.min || n > bounds.max)) {
            return bad_request(path.text() + ": must be between " + std::to_string(bounds.min) + " and " +
                               std::to_string(bounds.max));
        }
        return std::nullopt;
    }

    static std::optional<Fault> check_count(size_t n, const Bounds& bounds, const Path& path) {
        const auto count = static_cast<int64_t>(n);
        if (bounds.max > 0 && count > bounds.max) {
            return bad_request(path.text() + ": must have at most " + std::to_string(bounds.max) + " entries, has " +
                               std::to_string(count));
        }
        if (count < bounds.min) return bad_request(path.text() + ": must not be empty");
        return std::nullopt;
    }

    static std::optional<Fault> check_texts(const json::Value& value, const Field& field, const Path& path) {
        size_t n = 0;
        for (const json::Entry& entry : json::Entries(value)) {
            const bool in_list = !entry.key;
            const auto place = [&] {
                return in_list ? path.text() + "[" + std::to_string(n) + "]" : at(path, json::unescape(entry.key));
            };
            if (!entry.value.is(json::Type::String)) return bad_request(place() + ": must be a text");
            // Checked only where it can matter, so that a list of a hundred thousand tokens costs one look each.
            const auto size = static_cast<int64_t>(json::inside(entry.value).size());
            const int64_t min = in_list ? field.bounds.item_min : 0;
            std::string wrong;
            if (!json::is_plain(entry.value) || size < min ||
                (field.bounds.item_max > 0 && size > field.bounds.item_max))
                wrong = wrong_with_text(entry.value, min, field.bounds.item_max, {});
            if (wrong.empty() && !in_list) wrong = wrong_with_text(entry.key, field.bounds.item_min, kNameBytesMax, {});
            if (!wrong.empty()) return bad_request(place() + ": " + wrong);
            ++n;
        }
        return check_count(n, field.bounds, path);
    }

    const App& app_;
};

size_t Checked::index_of(std::string_view field) const {
    const Field* found = type_->find(field);
    BELFRY_ASSERT(found != nullptr);
    return static_cast<size_t>(found - type_->fields.data());
}

bool Checked::has(std::string_view field) const {
    return !is_zero(value(field));
}

const json::Value& Checked::value(std::string_view field) const {
    return values_[index_of(field)];
}

std::string Checked::text(std::string_view field) const {
    return json::unescape(value(field));
}

int64_t Checked::integer(std::string_view field, int64_t absent) const {
    const json::Value& v = value(field);
    return v.is_nothing() ? absent : json::to_int64(v).value_or(absent);
}

bool Checked::boolean(std::string_view field) const {
    return value(field).is(json::Type::True);
}

std::vector<std::string> Checked::texts(std::string_view field) const {
    std::vector<std::string> out;
    for (const json::Entry& entry : json::Entries(value(field))) out.push_back(json::unescape(entry.value));
    return out;
}

const Checked* Checked::object(std::string_view field) const {
    return objects_[index_of(field)].get();
}

std::variant<Checked, Fault> read(const json::Value& params, const ObjectType& type, const App& app) {
    Checked checked;
    if (!params.is_nothing() && !params.is(json::Type::Object)) return bad_request("the parameters must be an object");
    if (auto fault = Reader(app).read(params, type, Path{}, checked)) return std::move(*fault);
    return checked;
}

}  // namespace belfry::api
