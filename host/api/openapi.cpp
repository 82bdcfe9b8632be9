// SPDX-License-Identifier: Apache-2.0
#include "api/openapi.h"

#include <set>

#include "api/json_writer.h"
#include "api/schema.h"

namespace belfry::api {
namespace {

std::string reference(std::string_view name) {
    return "#/components/schemas/" + std::string(name);
}

std::string response(std::string_view name) {
    return "#/components/responses/" + std::string(name);
}

// Every status but 400, 401 and 413 is an error of transport error mode only.
struct Refusal {
    std::string_view status, name, help;
    bool text = false, json = false, retry_after = false;
};
constexpr Refusal kRefusals[] = {
    {"400", "BadRequest", "The body is no JSON object (text), or, in transport error mode, error 107 or 108.", true,
     true},
    {"401", "Unauthorized", "No valid API key; the body is empty."},
    {"404", "NotFound", "In transport error mode: error 104.", false, true},
    {"409", "Conflict", "In transport error mode: error 113.", false, true},
    {"413", "TooLarge", "The body is longer than http.max_body_bytes.", true},
    {"429", "TooManyRequests", "In transport error mode: error 111.", false, true, true},
    {"500", "Internal", "In transport error mode: error 100, a fault of the server; see its log.", false, true},
    {"503", "Unavailable", "In transport error mode: error 100, trouble that passes.", false, true},
    {"507", "StoreFull", "In transport error mode: error 100, a disk or quota is full.", false, true},
};

constexpr std::string_view kUserTopicsLine = "user_topic_update";  // of device_import and device_export

class Document {
public:
    std::string write(std::string_view version) {
        out_.open('{').key("openapi").text("3.0.3");
        out_.key("info").open('{').key("title").text("Belfry API").key("version").text(version).close('}');
        out_.key("servers").open('[').open('{').key("url").text("/api").close('}').close(']');
        out_.key("security").open('[').open('{').key("ApiKeyAuth").open('[').close(']').close('}').close(']');
        out_.key("paths").open('{');
        for (const Method& method : methods()) write_method(method);
        out_.close('}');
        write_components();
        out_.close('}');
        return out_.take();
    }

private:
    void write_method(const Method& method) {
        out_.key("/" + std::string(method.name)).open('{').key("post").open('{');
        out_.key("operationId").text(method.name).key("summary").text(method.help);
        if (method.superset) out_.key("x-belfry-superset").boolean(true);
        if (!method.request) out_.key("x-belfry-available").boolean(false);
        out_.key("requestBody").open('{').key("required").boolean(true).key("content").open('{');
        open_schema(method.streams == Streams::Request ? "application/x-ndjson" : "application/json");
        if (!method.request) {
            out_.key("type").text("object");
        } else if (method.streams == Streams::Request) {
            write_line(*method.request);
        } else {
            out_.key("$ref").text(reference(method.request->name));
        }
        out_.close('}');
        if (method.request && method.streams == Streams::Nothing) out_.key("example").raw(method.example());
        out_.close('}').close('}').close('}');
        out_.key("responses").open('{');
        write_success(method);
        for (const Refusal& refusal : kRefusals)
            out_.key(refusal.status).open('{').key("$ref").text(response(refusal.name)).close('}');
        out_.close('}').close('}').close('}');
    }

    void write_success(const Method& method) {
        out_.key("200").open('{').key("description").text("The result, or an error in the envelope.");
        out_.key("content").open('{');
        if (method.streams == Streams::Answer) {
            open_schema("application/x-ndjson");
            write_line(*method.answer);
            close_schema();
        }
        open_schema("application/json");
        write_answer(method);
        close_schema();
        out_.close('}').close('}');
    }

    // A line of a stream is a device, or the topics of a user.
    void write_line(const ObjectType& device) {
        out_.key("anyOf").open('[');
        out_.open('{').key("$ref").text(reference(device.name)).close('}');
        out_.open('{').key("type").text("object").key("required").open('[').text(kUserTopicsLine).close(']');
        out_.key("properties").open('{').key(kUserTopicsLine).open('{');
        for (const Method& method : methods()) {
            if (method.name == kUserTopicsLine) out_.key("$ref").text(reference(method.request->name));
        }
        out_.close('}').close('}').key("additionalProperties").boolean(false).close('}').close(']');
    }

    void open_schema(std::string_view media_type) { out_.key(media_type).open('{').key("schema").open('{'); }
    void close_schema() { out_.close('}').close('}'); }

    // What every method may answer besides 200.
    void write_refusals() {
        out_.key("responses").open('{');
        for (const Refusal& refusal : kRefusals) {
            out_.key(refusal.name).open('{').key("description").text(refusal.help);
            if (refusal.retry_after) {
                out_.key("headers").open('{').key("Retry-After").open('{').key("description").text("Seconds.");
                out_.key("schema").open('{').key("type").text("integer").close('}').close('}').close('}');
            }
            if (refusal.text || refusal.json) out_.key("content").open('{');
            if (refusal.text) {
                open_schema("text/plain");
                out_.key("type").text("string");
                close_schema();
            }
            if (refusal.json) {
                open_schema("application/json");
                out_.key("$ref").text(reference("Error"));
                close_schema();
            }
            if (refusal.text || refusal.json) out_.close('}');
            out_.close('}');
        }
        out_.close('}');
    }

    void write_answer(const Method& method) {
        if (method.id == MethodId::Batch) {
            out_.key("oneOf").open('[').open('{').key("$ref").text(reference(method.answer->name)).close('}');
            out_.open('{').key("type").text("object").key("required").open('[').text("error").close(']');
            out_.key("properties").open('{').key("error").open('{').key("$ref").text(reference("Error"));
            out_.close('}').close('}').close('}').close(']');
            return;
        }
        out_.key("type").text("object").key("properties").open('{');
        out_.key("error").open('{').key("$ref").text(reference("Error")).close('}');
        if (method.answer && method.streams != Streams::Answer)
            out_.key("result").open('{').key("$ref").text(reference(method.answer->name)).close('}');
        out_.close('}');
    }

    void write_components() {
        out_.key("components").open('{');
        out_.key("securitySchemes").open('{').key("ApiKeyAuth").open('{');
        out_.key("type").text("apiKey").key("in").text("header").key("name").text("X-API-Key").close('}').close('}');
        write_refusals();
        out_.key("schemas").open('{');
        out_.key("Error")
            .open('{')
            .key("type")
            .text("object")
            .key("required")
            .open('[')
            .text("code")
            .text("message")
            .close(']');
        out_.key("properties").open('{').key("code").open('{').key("type").text("integer").close('}');
        out_.key("message").open('{').key("type").text("string").close('}').close('}').close('}');
        in_request_ = true;
        for (const Method& method : methods()) write_object(method.request);
        for (const char* wire : {"fcm", "hms", "apns", "webpush"}) write_object(published_payload(wire));
        in_request_ = false;
        for (const Method& method : methods()) write_object(method.answer);
        out_.close('}').close('}');
    }

    void write_object(const ObjectType* type) {
        if (!type || !written_.insert(type->name).second) return;
        out_.key(type->name).open('{').key("type").text("object");
        bool any = false;
        for (const Field& field : type->fields) any = any || field.required;
        if (any) {
            out_.key("required").open('[');
            for (const Field& field : type->fields) {
                if (field.required) out_.text(field.name);
            }
            out_.close(']');
        }
        out_.key("properties").open('{');
        for (const Field& field : type->fields) write_field(field);
        if (type->others == Others::Providers) write_providers();
        out_.close('}');
        if (type->others == Others::Refuse) out_.key("additionalProperties").boolean(false);
        out_.close('}');
        for (const Field& field : type->fields) write_object(field.object);
    }

    void write_providers() {
        for (const char* wire : {"fcm", "hms", "apns", "webpush"}) {
            out_.key(wire).open('{').key("$ref").text(reference(published_payload(wire)->name)).close('}');
        }
    }

    void write_field(const Field& field) {
        out_.key(field.name).open('{');
        if (field.type == Type::Object) {
            // A reference may not have siblings in OpenAPI 3.0.
            out_.key("allOf").open('[').open('{').key("$ref").text(reference(field.object->name)).close('}').close(']');
        } else {
            write_type(field);
            // In requests null means absent.
            if (in_request_ && !field.required && field.type != Type::Json) out_.key("nullable").boolean(true);
        }
        std::string help(field.help);
        if (field.not_built) help += " Known, not available in this version: error 108.";
        out_.key("description").text(help);
        if (field.superset) out_.key("x-belfry-superset").boolean(true);
        out_.close('}');
    }

    void write_type(const Field& field) {
        const Bounds& bounds = field.bounds;
        switch (field.type) {
            case Type::Text:
                out_.key("type").text("string");
                if (bounds.min > 0) out_.key("minLength").integer(bounds.min);
                if (bounds.max > 0) out_.key("maxLength").integer(bounds.max);
                write_choices(field.choices);
                break;
            case Type::Integer:
                out_.key("type").text("integer").key("format").text("int64");
                if (bounds.max > 0) out_.key("minimum").integer(bounds.min).key("maximum").integer(bounds.max);
                break;
            case Type::Boolean:
                out_.key("type").text("boolean");
                break;
            case Type::TextList:
                out_.key("type").text("array").key("items").open('{').key("type").text("string");
                if (bounds.item_max > 0)
                    out_.key("minLength").integer(bounds.item_min).key("maxLength").integer(bounds.item_max);
                out_.close('}');
                if (bounds.min > 0) out_.key("minItems").integer(bounds.min);
                if (bounds.max > 0) out_.key("maxItems").integer(bounds.max);
                break;
            case Type::TextMap:
                out_.key("type")
                    .text("object")
                    .key("additionalProperties")
                    .open('{')
                    .key("type")
                    .text("string")
                    .close('}');
                if (bounds.max > 0) out_.key("maxProperties").integer(bounds.max);
                break;
            case Type::ObjectList:
                out_.key("type")
                    .text("array")
                    .key("items")
                    .open('{')
                    .key("$ref")
                    .text(reference(field.object->name))
                    .close('}');
                break;
            case Type::JsonList:
                out_.key("type").text("array").key("items").open('{').close('}');
                if (bounds.max > 0) out_.key("maxItems").integer(bounds.max);
                break;
            case Type::JsonObject:
                out_.key("type").text("object");
                break;
            case Type::Object:
            case Type::Json:
                break;
        }
    }

    void write_choices(std::string_view choices) {
        if (choices.empty()) return;
        out_.key("enum").open('[');
        while (true) {
            const size_t end = choices.find(' ');
            out_.text(choices.substr(0, end));
            if (end == std::string_view::npos) break;
            choices.remove_prefix(end + 1);
        }
        out_.close(']');
    }

    JsonWriter out_;
    std::set<std::string_view> written_;
    bool in_request_ = false;
};

}  // namespace

std::string openapi(std::string_view version) {
    return Document().write(version);
}

}  // namespace belfry::api
