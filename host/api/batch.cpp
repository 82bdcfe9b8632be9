// SPDX-License-Identifier: Apache-2.0
// Several commands in one request. Neighbouring device_register commands are stored together, which makes a batch of a
// thousand registrations one or two commits; everything else runs command by command, in order unless `parallel` is
// set.
#include <set>

#include "api/crew.h"
#include "api/device_methods.h"
#include "api/envelope.h"
#include "api/service.h"
#include "base/device_id.h"

namespace belfry::api {
namespace {

// Registrations stored by one call; a part of audience::kRegistrationsWaitingMax, so that several callers fit.
constexpr size_t kRegisterTogetherMax = 500;

}  // namespace

struct Service::Command {
    const Method* method = nullptr;
    json::Value params;
    std::optional<Fault> fault;  // what is wrong with the command itself
};

// Commands that run one after the other on one thread.
struct Service::Unit {
    size_t from = 0, n = 0;
};

Answer Service::batch(const App& app, const Checked& params, std::string_view) {
    std::vector<Command> commands;
    for (const json::Entry& entry : json::Entries(params.value("commands"))) {
        const std::string place = "commands[" + std::to_string(commands.size()) + "]";
        Command& command = commands.emplace_back();
        if (!entry.value.is(json::Type::Object) || json::count(entry.value) != 1) {
            command.fault =
                bad_request(place + ": must be an object with one member, the method's name and its parameters");
            continue;
        }
        const json::Entry member = *json::Entries(entry.value).begin();
        const std::string name = json::unescape(member.key);
        for (const Method& method : methods()) {
            if (same_key(method.name, name)) command.method = &method;
        }
        command.params = member.value;
        if (!command.method)
            command.fault = bad_request(place + ": there is no method \"" + name + "\"");
        else if (command.method->id == MethodId::Batch)
            command.fault = bad_request(place + ": a batch cannot hold a batch");
        else if (command.method->streams != Streams::Nothing)
            command.fault = bad_request(place + ": " + name + " is a stream; call it by itself");
        else if (command.method->asks_provider)
            command.fault = bad_request(place + ": " + name + " waits for a provider; call it by itself");
    }
    std::vector<Unit> units;
    const auto is_register = [&](size_t i) {
        return !commands[i].fault && commands[i].method->id == MethodId::DeviceRegister;
    };
    for (size_t i = 0; i < commands.size(); ++i) {
        const bool joins =
            !units.empty() && is_register(i) && is_register(i - 1) && units.back().n < kRegisterTogetherMax;
        if (joins) {
            ++units.back().n;
        } else {
            units.push_back({i, 1});
        }
    }
    std::vector<std::string> replies(commands.size());
    if (params.boolean("parallel")) {
        crew_->run(units.size(), [&](size_t i) { run_unit(app, commands, units[i], replies); });
    } else {
        for (const Unit& unit : units) run_unit(app, commands, unit, replies);
    }
    std::string out = "{\"replies\":[";
    for (size_t i = 0; i < replies.size(); ++i) {
        if (i > 0) out += ',';
        out += replies[i];
    }
    return out + "]}";
}

void Service::run_unit(const App& app, const std::vector<Command>& commands, const Unit& unit,
                       std::vector<std::string>& replies) {
    if (unit.n > 1) return register_all(app, commands, unit, replies);
    const Command& command = commands[unit.from];
    const Answer answer = command.fault ? Answer(*command.fault) : call(app, *command.method, command.params);
    replies[unit.from] = reply_of(command, answer);
}

// Two registrations of one token or device must keep their order: the second waits for a call of its own.
void Service::register_all(const App& app, const std::vector<Command>& commands, const Unit& unit,
                           std::vector<std::string>& replies) {
    std::vector<audience::Registration> together;
    std::vector<size_t> places;
    std::set<std::string> tokens;
    std::set<int64_t> keys;
    const auto store = [&] {
        const int64_t began = clock_.mono_ns();
        const std::vector<Result<audience::Registered>> done = devices_.register_devices(together);
        const int64_t each = places.empty() ? 0 : (clock_.mono_ns() - began) / static_cast<int64_t>(places.size());
        for (size_t i = 0; i < places.size(); ++i) {
            const Command& command = commands[places[i]];
            const Answer answer = done[i] ? Answer("{\"id\":\"" + encode_device_id(app.name, done[i]->key) + "\"}")
                                          : Answer(fault_of(done[i].error()));
            count(*command.method, answer, each);
            replies[places[i]] = reply_of(command, answer);
        }
        together.clear();
        places.clear();
        tokens.clear();
        keys.clear();
    };
    for (size_t i = unit.from; i < unit.from + unit.n; ++i) {
        const Command& command = commands[i];
        std::variant<Checked, Fault> checked = read(command.params, *command.method->request, app);
        std::variant<audience::Registration, Fault> registration = Fault{};
        if (Fault* fault = std::get_if<Fault>(&checked)) {
            registration = std::move(*fault);
        } else {
            registration = registration_of(app, std::get<Checked>(checked));
        }
        if (Fault* fault = std::get_if<Fault>(&registration)) {
            const Answer answer = std::move(*fault);
            count(*command.method, answer, 0);
            replies[i] = reply_of(command, answer);
            continue;
        }
        audience::Registration& device = std::get<audience::Registration>(registration);
        const std::string token = device.provider + '\0' + device.token;
        if (tokens.contains(token) || (device.key >= 0 && keys.contains(device.key))) store();
        tokens.insert(token);
        if (device.key >= 0) keys.insert(device.key);
        together.push_back(std::move(device));
        places.push_back(i);
    }
    store();
}

std::string Service::reply_of(const Command& command, const Answer& answer) {
    if (const Fault* fault = std::get_if<Fault>(&answer)) return enveloped(*fault);
    return "{\"" + std::string(command.method->name) + "\":" + std::get<std::string>(answer) + "}";
}

}  // namespace belfry::api
