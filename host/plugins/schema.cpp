// SPDX-License-Identifier: Apache-2.0
#include "plugins/schema.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/json.h"
#include "base/small_file.h"
#include "plugins/schema_refs.h"

namespace belfry::plugins {

namespace {

using Json = nlohmann::json;
using Pointer = Json::json_pointer;

constexpr int kSchemaDepthMax = 32;          // also ends schemas that refer to themselves
constexpr size_t kSchemaStepsMax = 100'000;  // pairs of a schema and a value that one section makes
constexpr size_t kPatternTextMax = 4096;     // std::regex takes stack for every byte it matches
constexpr size_t kChoicesShown = 8;

// Calls visit(schema, value, pointer) for every pair of a value and a schema that speaks of it, whatever the branch.
class Walk {
public:
    using Visit = std::function<void(const Json& schema, Json& value, const Pointer& at)>;
    Walk(const Json& root, Visit visit) : root_(root), visit_(std::move(visit)) {}

    void run(const Json& unresolved, Json& value, const Pointer& at, int depth = 0) {
        if (depth > kSchemaDepthMax) return;
        if (++steps_ > kSchemaStepsMax) throw std::runtime_error("the schema has too many branches for this section");
        const Json& schema = resolved(root_, unresolved);
        if (!schema.is_object()) return;
        visit_(schema, value, at);
        for (const char* branches : {"allOf", "anyOf", "oneOf"}) {
            const auto list = schema.find(branches);
            if (list == schema.end() || !list->is_array()) continue;
            for (const Json& branch : *list) run(branch, value, at, depth + 1);
        }
        for (const char* branch : {"if", "then", "else"}) {
            if (schema.contains(branch)) run(schema[branch], value, at, depth + 1);
        }
        if (value.is_object()) members(schema, value, at, depth);
        if (value.is_array()) elements(schema, value, at, depth);
    }

private:
    void members(const Json& schema, Json& value, const Pointer& at, int depth) {
        const auto properties = schema.find("properties");
        const auto others = schema.find("additionalProperties");
        for (auto& [key, member] : value.items()) {
            if (properties != schema.end() && properties->is_object() && properties->contains(key)) {
                run((*properties)[key], member, at / key, depth + 1);
            } else if (others != schema.end() && others->is_object()) {
                run(*others, member, at / key, depth + 1);
            }
        }
    }
    void elements(const Json& schema, Json& value, const Pointer& at, int depth) {
        const auto items = schema.find("items");
        if (items == schema.end()) return;
        for (size_t i = 0; i < value.size(); ++i) {
            if (items->is_object()) run(*items, value[i], at / i, depth + 1);
            if (items->is_array() && i < items->size()) run((*items)[i], value[i], at / i, depth + 1);
        }
    }

    const Json& root_;
    const Visit visit_;
    size_t steps_ = 0;
};

bool has_format(const Json& schema, const char* format) {
    const auto it = schema.find("format");
    return it != schema.end() && it->is_string() && it->get_ref<const std::string&>() == format;
}

// The text member of an object that has only this member; null otherwise.
const std::string* only_member(const Json& value, const char* key) {
    if (!value.is_object() || value.size() != 1 || !value.contains(key) || !value[key].is_string()) return nullptr;
    return &value[key].get_ref<const std::string&>();
}

std::string absolute(const std::string& path, const std::string& folder) {
    if (path.empty() || path.front() == '/' || folder.empty()) return path;
    return (std::filesystem::path(folder) / path).lexically_normal().string();
}

Result<std::string> secret_file(const std::string& path) {
    Result<std::string> text = read_secret_file(path);
    if (text) return text;
    return error(ErrorCode::Misconfigured, "cannot read the secret's file " + path + " (" + text.error().message +
                                               "); check path and permissions");
}

void wipe_texts(Json& value) {
    if (value.is_string()) wipe(value.get_ref<std::string&>());
    if (value.is_structured()) {
        for (Json& element : value) wipe_texts(element);
    }
}

// One section on its way to the plugin: `plain` has every value, to be judged; the other copy, secrets replaced, goes
// to the plugin.
class SectionReader {
public:
    SectionReader(const Json& schema, const SecretStore& given, const std::string& folder, const LoosePaths& loose)
        : schema_(schema), given_(given), folder_(folder), loose_(loose) {}
    ~SectionReader() { wipe_texts(plain_); }
    SectionReader(const SectionReader&) = delete;
    SectionReader& operator=(const SectionReader&) = delete;

    Status read(Json section) {
        plain_ = std::move(section);
        Walk(schema_, [&](const Json& schema, Json& value, const Pointer& at) {
            if (has_format(schema, "secret")) secret(value, at);
            if (has_format(schema, "path") && value.is_string()) {
                value = absolute(value.get<std::string>(), is_loose(at) ? loose_.folder : folder_);
                paths_.push_back(value.get<std::string>());
            }
            if (schema.contains("pattern") && value.is_string() &&
                value.get_ref<const std::string&>().size() > kPatternTextMax)
                complain(at, error(ErrorCode::Misconfigured,
                                   "is too long: where the schema has a pattern, 4096 bytes are the most"));
        }).run(schema_, plain_, Pointer());
        if (finding_) return *finding_;
        reveal_others(plain_, Pointer());
        if (finding_) return *finding_;
        return {};
    }
    const Json& plain() const noexcept { return plain_; }
    CheckedSection finish() {
        Json config = plain_;
        for (const auto& [pointer, id] : references_) {
            wipe_texts(config[Pointer(pointer)]);
            config[Pointer(pointer)] = Json{{"$secret", id}};
        }
        return CheckedSection{config.dump(-1, ' ', false, Json::error_handler_t::replace), std::move(secrets_),
                              std::move(paths_)};
    }

private:
    bool is_loose(const Pointer& at) const {
        return std::find(loose_.pointers.begin(), loose_.pointers.end(), at.to_string()) != loose_.pointers.end();
    }
    void complain(const Pointer& at, const Error& what) {
        if (!finding_) finding_ = error(what.code, what.message, at.to_string());
    }
    // A secret's value stands in `plain_` until the section was judged.
    void secret(Json& value, const Pointer& at) {
        if (references_.count(at.to_string()) != 0) return;  // another branch of the schema came here first
        std::string id = at.to_string().substr(1);
        std::replace(id.begin(), id.end(), '/', '.');
        if (const std::string* given = only_member(value, "$secret")) id = *given;
        Result<std::string> text = secret_text(value);
        if (!text) return complain(at, text.error());
        if (value.is_string() || only_member(value, "$secret") || only_member(value, "file") ||
            only_member(value, "env")) {
            secrets_.add(id, *text);
            references_[at.to_string()] = id;
            value = *text;
        }
        wipe(*text);
    }
    Result<std::string> secret_text(const Json& value) const {
        if (value.is_string()) return value.get<std::string>();
        if (const std::string* id = only_member(value, "$secret")) {
            if (!given_.has(*id)) return error(ErrorCode::Misconfigured, "refers to a secret that was not given");
            return given_.read(*id);
        }
        if (const std::string* file = only_member(value, "file")) return secret_file(absolute(*file, folder_));
        if (const std::string* name = only_member(value, "env")) {
            const char* text = std::getenv(name->c_str());
            if (text == nullptr || *text == '\0')
                return error(ErrorCode::Misconfigured,
                             "the environment variable " + *name + " is not set; set it or name another one");
            return std::string(text);
        }
        return std::string();  // anything else is for the schema to refuse
    }
    // Values that came from a file or the environment although the schema does not call them secret are plain values.
    void reveal_others(Json& value, const Pointer& at) {
        if (const std::string* id = only_member(value, "$secret")) {
            const Result<std::string> text = given_.read(*id);
            if (!text) return complain(at, error(ErrorCode::Misconfigured, "refers to a secret that was not given"));
            value = *text;
            return;
        }
        if (value.is_object()) {
            for (auto& [key, member] : value.items()) reveal_others(member, at / key);
        } else if (value.is_array()) {
            for (size_t i = 0; i < value.size(); ++i) reveal_others(value[i], at / i);
        }
    }

    const Json& schema_;
    const SecretStore& given_;
    const std::string& folder_;
    const LoosePaths& loose_;
    Json plain_;
    SecretStore secrets_;
    std::vector<std::string> paths_;
    std::map<std::string, std::string> references_;  // pointer -> id
    std::optional<Error> finding_;
};

// valijson's path of "<root>", "[key]", "[0]" as a pointer.
Pointer pointer_of(const std::vector<std::string>& context) {
    Pointer pointer;
    for (const std::string& step : context) {
        if (step.size() >= 2 && step.front() == '[' && step.back() == ']')
            pointer.push_back(step.substr(1, step.size() - 2));
    }
    return pointer;
}

// The key that valijson names at the end of a finding, behind `before`.
std::string key_after(const std::string& text, std::string_view before) {
    const size_t from = text.find(before), to = text.rfind('\'');
    if (from == std::string::npos || to < from + before.size()) return {};
    return text.substr(from + before.size(), to - from - before.size());
}

std::string list_of_choices(const Json& choices) {
    std::string text;
    size_t n = 0;
    for (const Json& choice : choices) {
        if (n++ == kChoicesShown) return text + ", ...";
        text += (n == 1 ? "" : ", ") + choice.dump();
    }
    return text;
}

std::string wanted_type(const Json& schema) {
    const auto type = schema.find("type");
    if (type == schema.end()) return "of another type";
    if (type->is_string()) return "of type " + type->get<std::string>();
    return "of type " + list_of_choices(*type);
}

// Says in our words what valijson found; its own where there are none.
class Explanation {
public:
    Explanation(const Json& root, Json& section) {
        Walk(root, [&](const Json& schema, Json&, const Pointer& at) {
            schemas_[at.to_string()].push_back(schema);
        }).run(root, section, Pointer());
    }

    Error explain(const valijson::ValidationResults::Error& found) const {
        const Pointer at = pointer_of(found.context);
        const std::string& said = found.description;
        const auto says = [&](const char* begin) { return said.rfind(begin, 0) == 0; };
        if (says("Object contains a property")) return unknown_key(at, key_after(said, "constraints: '"));
        if (says("Missing required property")) {
            const std::string key = key_after(said, "property '");
            return at_value(at, "the key \"" + key + "\" is missing; add it" + meaning_of(at, &key));
        }
        const auto must = [&](const std::string& what) { return at_value(at, what + meaning_of(at)); };
        if (says("Value type not permitted")) return must("must be " + say(at, "type", wanted_type));
        if (says("Failed to match against any enum"))
            return must("must be one of " + say(at, "enum", [](const Json& s) { return list_of_choices(s["enum"]); }));
        if (says("Failed to match expected value set by 'const'")) return must("must be " + value_of(at, "const"));
        if (says("Failed to match regex")) return must("does not match the pattern " + value_of(at, "pattern"));
        if (says("String should be no fewer")) {
            const std::string least = value_of(at, "minLength");
            return must(least == "1" ? "must not be empty" : "is shorter than " + least + " characters");
        }
        if (says("String should be no more"))
            return must("is longer than " + value_of(at, "maxLength") + " characters");
        if (says("Expected number greater than or equal")) return must("must be at least " + value_of(at, "minimum"));
        if (says("Expected number less than or equal")) return must("must be at most " + value_of(at, "maximum"));
        return must("is refused: " + said);
    }

private:
    static Error at_value(const Pointer& at, std::string message) {
        return error(ErrorCode::Misconfigured, std::move(message), at.to_string());
    }
    template <class Say>
    std::string say(const Pointer& at, const char* member, Say words) const {
        const auto found = schemas_.find(at.to_string());
        if (found != schemas_.end()) {
            for (const Json& schema : found->second) {
                if (schema.contains(member)) return words(schema);
            }
        }
        return "something else";
    }
    std::string value_of(const Pointer& at, const char* member) const {
        return say(at, member, [&](const Json& schema) { return schema[member].dump(); });
    }
    // What the plugin's author says about a place, or about a key in it: errors end with it, for it says what to write.
    std::string meaning_of(const Pointer& at, const std::string* key = nullptr) const {
        const auto found = schemas_.find(at.to_string());
        if (found == schemas_.end()) return {};
        for (const Json& schema : found->second) {
            const Json* meant = &schema;
            if (key != nullptr) meant = member_of(member_of(&schema, "properties"), *key);
            const Json* const text = member_of(meant, "description");
            if (text != nullptr && text->is_string()) return " (" + text->get<std::string>() + ")";
        }
        return {};
    }
    static const Json* member_of(const Json* object, const std::string& key) {
        if (object == nullptr || !object->is_object()) return nullptr;
        const auto found = object->find(key);
        return found == object->end() ? nullptr : &*found;
    }
    Error unknown_key(const Pointer& at, const std::string& key) const {
        std::vector<std::string> known;
        const auto found = schemas_.find(at.to_string());
        if (found != schemas_.end()) {
            for (const Json& schema : found->second) {
                if (!schema.contains("properties")) continue;
                for (const auto& [name, unused] : schema["properties"].items()) known.push_back(name);
            }
        }
        const std::string meant = nearest(key, known);
        std::string remedy = meant.empty() ? "remove it" : "did you mean \"" + meant + "\"?";
        return at_value(at / key, "is not a known key; " + remedy);
    }

    std::map<std::string, std::vector<Json>> schemas_;  // by pointer
};

// The least value that a schema asks for; `steps` bounds its size.
Json least(const Json& root, const Json& unresolved, size_t& steps, int depth = 0) {
    const Json& schema = resolved(root, unresolved);
    if (++steps > kSchemaStepsMax) throw std::runtime_error("the schema asks for too much");
    if (!schema.is_object() || depth > kSchemaDepthMax) return Json();
    for (const char* stated : {"const", "default"}) {
        if (schema.contains(stated)) return schema[stated];
    }
    for (const char* list : {"examples", "enum"}) {
        if (schema.contains(list) && schema[list].is_array() && !schema[list].empty()) return schema[list][0];
    }
    std::string type = schema.contains("properties") ? "object" : "string";
    if (schema.contains("type")) {
        const Json& stated = schema["type"];
        if (stated.is_string()) type = stated.get<std::string>();
        if (stated.is_array() && !stated.empty() && stated[0].is_string()) type = stated[0].get<std::string>();
    }
    if (type == "boolean") return false;
    if (type == "integer" || type == "number") return schema.contains("minimum") ? schema["minimum"] : Json(1);
    if (type == "array") {
        Json list = Json::array();
        const size_t n = schema.contains("minItems") && schema["minItems"].is_number_unsigned()
                             ? schema["minItems"].get<size_t>()
                             : 0;
        for (size_t i = 0; i < n && i < kChoicesShown && schema.contains("items"); ++i)
            list.push_back(least(root, schema["items"], steps, depth + 1));
        return list;
    }
    if (type == "object") {
        Json object = Json::object();
        if (!schema.contains("required") || !schema["required"].is_array()) return object;
        for (const Json& name : schema["required"]) {
            if (!name.is_string()) continue;
            const std::string& key = name.get_ref<const std::string&>();
            object[key] = schema.contains("properties") && schema["properties"].contains(key)
                              ? least(root, schema["properties"][key], steps, depth + 1)
                              : Json("probe");
        }
        return object;
    }
    if (has_format(schema, "path")) return "/nonexistent/probe";
    if (has_format(schema, "uri")) return "http://127.0.0.1:9";
    const size_t n = schema.contains("minLength") && schema["minLength"].is_number_unsigned()
                         ? schema["minLength"].get<size_t>()
                         : 0;
    return std::string(std::clamp<size_t>(n, 5, 4096), 'x');
}

}  // namespace

struct Schema::Impl {
    Json json;
    valijson::Schema compiled;
};

Schema::Schema(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Schema::~Schema() = default;

Result<std::unique_ptr<const Schema>> Schema::parse(std::string_view text) {
    if (const json::Check check = json::check(text); !check)
        return error(ErrorCode::Misconfigured, "is not JSON: " + json::describe(text, check));
    auto impl = std::make_unique<Impl>();
    try {
        impl->json = Json::parse(text);
        Json& root = impl->json;
        require_end(root);
        // A section is closed: a misspelt key must not be overlooked. Schemas that say otherwise, or are put together
        // of parts, are taken at their word.
        const bool composed =
            root.contains("$ref") || root.contains("allOf") || root.contains("anyOf") || root.contains("oneOf");
        if (!composed && !root.contains("additionalProperties") && !root.contains("patternProperties"))
            root["additionalProperties"] = false;
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(root), impl->compiled);
    } catch (const std::exception& e) {
        std::string why = e.what();
        if (!why.empty() && why.back() == '.') why.pop_back();
        return error(ErrorCode::Misconfigured, "cannot be used: " + why);
    }
    return std::unique_ptr<const Schema>(new Schema(std::move(impl)));
}

Result<CheckedSection> Schema::check(std::string_view section, const SecretStore& given, const std::string& folder,
                                     const LoosePaths& loose) const {
    if (const json::Check check = json::check(section); !check)
        return error(ErrorCode::Misconfigured, "is not JSON: " + json::describe(section, check));
    try {
        Json parsed = Json::parse(section);
        if (!parsed.is_object()) return error(ErrorCode::Misconfigured, "must be a table of keys and values");
        SectionReader reader(impl_->json, given, folder, loose);
        if (const Status read = reader.read(std::move(parsed)); !read) return read.error();
        valijson::Validator validator;
        valijson::ValidationResults results;
        const valijson::adapters::NlohmannJsonAdapter target(reader.plain());
        if (validator.validate(impl_->compiled, target, &results)) return reader.finish();
        // The innermost finding says most; the others only repeat it for what is around it.
        const auto innermost = std::max_element(results.begin(), results.end(), [](const auto& a, const auto& b) {
            return a.context.size() < b.context.size();
        });
        if (innermost == results.end()) return error(ErrorCode::Misconfigured, "does not match the plugin's schema");
        Json copy = reader.plain();
        const Error finding = Explanation(impl_->json, copy).explain(*innermost);
        wipe_texts(copy);
        return finding;
    } catch (const std::exception& e) {
        return error(ErrorCode::Misconfigured, std::string("cannot be checked: ") + e.what());
    }
}

std::string Schema::smallest() const {
    try {
        size_t steps = 0;
        const Json section = least(impl_->json, impl_->json, steps);
        const Result<CheckedSection> checked = check(section.dump(), SecretStore(), "/nonexistent");
        return checked ? checked->config : std::string();
    } catch (const std::exception&) {
        return {};
    }
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    size_t best_distance = 1 + word.size() / 3;
    for (const std::string& candidate : known) {
        std::vector<size_t> row(candidate.size() + 1);
        std::iota(row.begin(), row.end(), size_t{0});
        for (size_t i = 0; i < word.size(); ++i) {
            size_t diagonal = row[0];
            row[0] = i + 1;
            for (size_t j = 0; j < candidate.size(); ++j) {
                const size_t replaced = diagonal + (word[i] == candidate[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
            }
        }
        if (row.back() <= best_distance && (best.empty() || row.back() < best_distance)) {
            best = candidate;
            best_distance = row.back();
        }
    }
    return best;
}

}  // namespace belfry::plugins
