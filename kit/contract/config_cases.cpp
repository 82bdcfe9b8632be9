// SPDX-License-Identifier: Apache-2.0
// What a plugin does with configurations that are wrong, odd or cannot be served, and what it says then.
#include <belfry/services.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "conformance/runner/plugin.h"
#include "contract/cases.h"
#include "contract/opened.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Failed;
using Json = nlohmann::json;

// A value that nobody could have meant, easily found in whatever is said.
constexpr std::string_view kWrongSecret = "kit-wrong-secret-5d41402abc4b2a76";
constexpr const char* kUnknownKey = "no_such_key_of_the_kit";

plugins::SecretStore given(const Context& context) {
    plugins::SecretStore store;
    for (const auto& [id, value] : context.secrets) store.add(id, value);
    return store;
}

std::string section_without_host(const Json& section) {
    return section.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json properties_of(const plugins::Component& component) {
    const Json schema = Json::parse(component.schema, nullptr, false);
    return schema.is_object() ? schema.value("properties", Json::object()) : Json::object();
}

// A value of another type than the schema's; null where the schema does not say one.
Json of_another_type(const Json& property) {
    if (!property.is_object() || !property.contains("type") || !property["type"].is_string()) return {};
    const auto type = property["type"].get<std::string>();
    return type == "string" ? Json(12345) : Json("kit");
}

// Refused by the schema or by create, in words that name the key.
void require_refused(Context& context, const Opened& plugin, const FakeHost& host, const Json& section,
                     const std::string& key, const std::string& what) {
    const std::string text = section_without_host(section);
    const Result<plugins::CheckedSection> checked = plugin.schema().check(text, given(context), context.directory);
    if (!checked) {
        require(checked.error().to_string().find(key) != std::string::npos,
                "the refusal of " + what + " names the key; it says: " + checked.error().to_string());
        return;
    }
    context.step("create, with " + what);
    const Trial trial(plugin, host, checked->config);
    require(!trial.created(), what + " is refused, by the schema or by create; both accepted it");
    require(conformance::said(trial.code(), trial.why()).find(key) != std::string::npos,
            "the refusal of " + what + " names the key; it says: " + conformance::said(trial.code(), trial.why()));
}

void bad_config(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    const Json good = Json::parse(context.config);
    const Json properties = properties_of(plugin.component());
    for (const auto& [key, property] : properties.items()) {
        const Json wrong = of_another_type(property);
        if (wrong.is_null()) continue;
        Json section = good;
        section[key] = wrong;
        require_refused(context, plugin, host, section, key, "a value of another type for \"" + key + "\"");
    }
    const Json schema = Json::parse(plugin.component().schema, nullptr, false);
    if (schema.contains("required")) {
        for (const Json& key : schema["required"]) {
            Json section = good;
            section.erase(key.get<std::string>());
            require_refused(context, plugin, host, section, key.get<std::string>(),
                            "a section without \"" + key.get<std::string>() + "\"");
        }
    }
    Json section = good;
    section[kUnknownKey] = 1;
    const bool open = schema.contains("additionalProperties") && schema["additionalProperties"] != false;
    if (open) context.note("the schema takes any key: a misspelt one will not be noticed");
    if (!open) require_refused(context, plugin, host, section, kUnknownKey, "an unknown key");
}

// Texts that a schema may well accept.
std::vector<std::string> odd_texts() {
    return {"",
            " ",
            "\"\\\"",
            "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
            std::string("nul\0inside", 10),
            "line\nbreak\r\n",
            "../../../../etc/passwd",
            "%s%n%x",
            "https://user:password@[::1]:99999/%zz",
            std::string(4096, 'x')};
}

void odd_config(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    const Json good = Json::parse(context.config), properties = properties_of(plugin.component());
    size_t tried = 0;
    const auto attempt = [&](const std::string& key, const Json& value) {
        Json section = good;
        section[key] = value;
        const Result<plugins::CheckedSection> checked =
            plugin.schema().check(section_without_host(section), given(context), context.directory);
        if (!checked) return;
        ++tried;
        context.step("create, with \"" + key + "\" = " + value.dump(-1, ' ', true, Json::error_handler_t::replace));
        const Trial trial(plugin, host, checked->config);  // a refusal without a reason fails the case
        require(trial.created() || BELFRY_CODE_CLASS(trial.code()) == BELFRY_CONFIG ||
                    BELFRY_CODE_CLASS(trial.code()) == BELFRY_BAD_REQUEST,
                "create refuses with CONFIG or BAD_REQUEST; with \"" + key + "\" changed it answered " +
                    conformance::said(trial.code(), trial.why()));
        if (trial.created()) return;
        const std::string words = conformance::said(trial.code(), trial.why());
        bool named = false;
        for (const auto& [known, property] : properties.items())
            named = named || words.find(known) != std::string::npos;
        require(named, "a refusal names a key of the section; with \"" + key + "\" changed it says: " + words);
    };
    for (const auto& [key, property] : properties.items()) {
        if (!property.is_object()) continue;
        const std::string type = property.value("type", Json()).is_string() ? property["type"].get<std::string>() : "";
        if (type == "string") {
            for (const std::string& text : odd_texts()) attempt(key, text);
        }
        for (const char* bound : {"minimum", "maximum"}) {
            if (property.contains(bound)) attempt(key, property[bound]);
        }
        if (type == "boolean") {
            attempt(key, true);
            attempt(key, false);
        }
        if (type == "array") attempt(key, Json::array());
        if (property.contains("enum")) {
            for (const Json& value : property["enum"]) attempt(key, value);
        }
    }
    if (tried == 0) conformance::skip("the schema leaves no room for odd values");
}

void missing_services(Context& context) {
    FakeHost host(context, "state");
    const Opened plugin(context, host);
    host.offer_only({BELFRY_LOG_ID});
    context.step("create, on a host that offers nothing but belfry.log/1");
    Trial trial(plugin, host, context.config);
    if (!trial.created()) return;
    context.step("start, on a host that offers nothing but belfry.log/1");
    trial.start(host);
    context.step("destroy, on a host that offers nothing but belfry.log/1");
    trial.destroy();
}

void missing_secrets(Context& context) {
    if (context.secrets.empty()) conformance::skip("the configuration has no secret");
    FakeHost host(context.directory + "/state", {}, context.component);
    const Opened plugin(context, host);
    Trial trial(plugin, host, context.config);
    must_create(trial);
    context.step("start, with secrets that cannot be read");
    require(!trial.start(host), "start refuses when a secret of its configuration cannot be read");
}

void secrets_stay_secret(Context& context) {
    if (context.secrets.empty()) conformance::skip("the configuration has no secret");
    conformance::Secrets wrong = context.secrets;
    for (auto& [id, value] : wrong) value = kWrongSecret;
    FakeHost host(context.directory + "/state", wrong, context.component);
    const Opened plugin(context, host);
    Trial trial(plugin, host, context.config);
    must_create(trial);
    context.step("start, with a wrong secret");
    trial.start(host);
    const auto silent = [](std::string_view text) { return text.find(kWrongSecret) == std::string_view::npos; };
    require(silent(trial.why().where) && silent(trial.why().text), "what start answers does not show a secret");
    trial.destroy();
    for (const std::string& line : host.log_lines()) require(silent(line), "what is logged does not show a secret");
}

constexpr std::array<Case, 5> kCases{{
    {"contract.bad_config", "wrong types, missing and unknown keys are refused, and the refusal names the key", 30,
     bad_config},
    {"contract.odd_config", "odd values that the schema accepts are taken or refused by name", 60, odd_config},
    {"contract.missing_services", "a host that lacks services is refused with a reason, or served", 30,
     missing_services},
    {"contract.missing_secrets", "a secret that cannot be read stops the start, with a reason", 30, missing_secrets},
    {"contract.secrets_stay_secret", "a wrong secret is shown in no reason and no log line", 30, secrets_stay_secret},
}};

}  // namespace

std::span<const Case> config_cases() {
    return kCases;
}

}  // namespace belfry::kit
