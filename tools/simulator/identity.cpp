// SPDX-License-Identifier: Apache-2.0
#include "identity.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "certificates.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    if (!file) throw std::runtime_error("cannot read " + path);
    return content.str();
}

std::string random_hex(std::size_t bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    std::string raw(bytes, '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes));
    for (const char c : raw) {
        text += kDigits[static_cast<unsigned char>(c) >> 4];
        text += kDigits[static_cast<unsigned char>(c) & 15U];
    }
    return text;
}

void make_certificates(const Identity& identity) {
    const Key ca_key = make_ec_key();
    const Certificate ca = make_ca(ca_key.get());
    const Key key = make_ec_key();
    const Certificate certificate = make_server_certificate(key.get(), ca.get(), ca_key.get());
    // The CA's key is not kept: with new certificates comes a new CA.
    write_private_file(identity.key_file, private_pem(key.get()));
    write_private_file(identity.certificate_file, certificate_pem(certificate.get()));
    write_private_file(identity.ca_file, certificate_pem(ca.get()));
}

Json make_service_account(const std::string& project) {
    const Key key = make_rsa_key();
    return {
        {"type", "service_account"},
        {"project_id", project},
        {"private_key_id", random_hex(20)},
        {"private_key", private_pem(key.get())},
        {"client_email", "firebase-adminsdk-sim@" + project + ".iam.gserviceaccount.com"},
        {"client_id", "100000000000000000001"},
        {"token_uri", ""},
        {"universe_domain", "googleapis.com"},
    };
}

Account read_service_account(const std::string& path) {
    const Json json = Json::parse(read_file(path), nullptr, false);
    Account account;
    if (json.is_object()) {
        account.project = json.value("project_id", "");
        account.client_email = json.value("client_email", "");
        account.key_id = json.value("private_key_id", "");
        account.key.reset(read_private_pem(json.value("private_key", "")).release());
    }
    if (account.project.empty() || account.client_email.empty() || account.key == nullptr) {
        throw std::runtime_error(path + " is not a service account file: delete it to get a new one");
    }
    return account;
}

}  // namespace

Identity prepare_identity(const std::string& folder, const std::vector<std::string>& projects) {
    Identity identity;
    identity.ca_file = folder + "/ca.pem";
    identity.certificate_file = folder + "/server.pem";
    identity.key_file = folder + "/server-key.pem";
    // ca.pem is written last: when it is there, so are the others.
    if (!std::filesystem::exists(identity.ca_file)) make_certificates(identity);
    for (const std::string& project : projects) {
        const bool first = identity.accounts.empty();
        const std::string path = folder + (first ? "/service-account.json" : "/service-account-" + project + ".json");
        if (!std::filesystem::exists(path)) write_private_file(path, make_service_account(project).dump(2) + '\n');
        identity.accounts.push_back(read_service_account(path));
        identity.service_account_files.push_back(path);
        if (identity.accounts.back().project != project) {
            throw std::runtime_error(path + " is for project " + identity.accounts.back().project + ", not " + project +
                                     ": use another --dir or delete the file");
        }
    }
    return identity;
}

void publish_token_uri(const Identity& identity, const std::string& token_uri) {
    for (const std::string& path : identity.service_account_files) {
        Json json = Json::parse(read_file(path));
        if (json["token_uri"] == token_uri) continue;
        json["token_uri"] = token_uri;
        write_private_file(path, json.dump(2) + '\n');
    }
}

void write_private_file(const std::string& path, const std::string& content) {
    const std::string temporary = path + ".new";
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    bool ok = fd >= 0;
    if (ok) ok = write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    if (fd >= 0) ok = close(fd) == 0 && ok;
    if (ok) ok = std::rename(temporary.c_str(), path.c_str()) == 0;
    if (!ok) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

}  // namespace belfry::simulator
