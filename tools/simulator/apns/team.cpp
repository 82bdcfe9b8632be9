// SPDX-License-Identifier: Apache-2.0
#include "apns/team.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "identity.h"

namespace belfry::simulator {

namespace {

constexpr std::string_view kTeam = "TEAM123456";
constexpr std::string_view kTopic = "com.example.app", kOtherTopic = "com.example.other";
constexpr std::string_view kPassword = "simulator";

struct KeyKind {
    std::string_view name, key_id;
    bool production, sandbox;
    std::string_view topic;
};

// The first is what a server is usually given; the others show what goes wrong with them.
constexpr KeyKind kKeys[] = {{"key", "SIMKEY0001", true, true, ""},
                             {"second_key", "SIMKEY0002", true, true, ""},
                             {"sandbox_key", "SIMKEY0003", false, true, ""},
                             {"topic_key", "SIMKEY0004", true, true, kOtherTopic}};

std::string key_file(const std::string& folder, std::string_view key_id) {
    return folder + "/AuthKey_" + std::string(key_id) + ".p8";
}

ApnsKey prepare_key(const std::string& folder, const KeyKind& kind) {
    const std::string path = key_file(folder, kind.key_id);
    if (!std::filesystem::exists(path)) write_private_file(path, private_pem(make_ec_key().get()));
    std::ifstream file(path, std::ios::binary);
    std::ostringstream pem;
    pem << file.rdbuf();
    ApnsKey key{std::string(kind.key_id), std::string(kTeam), read_private_pem(pem.str()),
                kind.production,          kind.sandbox,       std::string(kind.topic)};
    if (key.key == nullptr) throw std::runtime_error(path + " holds no private key: delete it to get a new one");
    return key;
}

void make_certificates(const std::string& folder, const std::string& ca_file) {
    const Key ca_key = make_ec_key(), key = make_ec_key();
    const Certificate ca = make_ca(ca_key.get());
    const std::string uid(kTopic);
    const Certificate push =
        make_client_certificate(key.get(), ca.get(), ca_key.get(), "Apple Push Services: " + uid, uid);
    const Certificate development =
        make_client_certificate(key.get(), ca.get(), ca_key.get(), "Apple Development IOS Push Services: " + uid, uid);
    const std::string password(kPassword);
    write_private_file(folder + "/apns.p12", pkcs12(key.get(), push.get(), password));
    write_private_file(folder + "/apns-development.p12", pkcs12(key.get(), development.get(), password));
    write_private_file(folder + "/apns.pem", certificate_pem(push.get()) + private_pem(key.get()));
    write_private_file(ca_file, certificate_pem(ca.get()));  // last: when it is there, so are the others
}

}  // namespace

ApnsTeam prepare_apns_team(const std::string& folder) {
    ApnsTeam team;
    team.folder = folder;
    team.topics = {std::string(kTopic), std::string(kOtherTopic)};
    team.client_ca_file = folder + "/apns-ca.pem";
    for (const KeyKind& kind : kKeys) team.keys.push_back(prepare_key(folder, kind));
    if (!std::filesystem::exists(team.client_ca_file)) make_certificates(folder, team.client_ca_file);
    return team;
}

nlohmann::ordered_json ApnsTeam::facts() const {
    nlohmann::ordered_json json = {{"team_id", kTeam}, {"topic", kTopic}, {"other_topic", kOtherTopic}};
    for (const KeyKind& kind : kKeys) {
        json[std::string(kind.name) + "_id"] = kind.key_id;
        json[std::string(kind.name) + "_file"] = key_file(folder, kind.key_id);
    }
    json["certificate_p12"] = folder + "/apns.p12";
    json["development_p12"] = folder + "/apns-development.p12";
    json["certificate_pem"] = folder + "/apns.pem";
    json["certificate_password"] = kPassword;
    return json;
}

}  // namespace belfry::simulator
