// SPDX-License-Identifier: Apache-2.0
// The keys the simulator lives by: its own CA, a server certificate, one service account per project.
//
// Made on first start in the given folder (files 0600), used again afterwards.
#pragma once

#include <string>
#include <vector>

#include "fcm/oauth.h"

namespace belfry::simulator {

struct Identity {
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::vector<Account> accounts;                   // in the order of the projects asked for
    std::vector<std::string> service_account_files;  // beside them
};

// Throws std::runtime_error that names the file.
Identity prepare_identity(const std::string& folder, const std::vector<std::string>& projects);

// Puts `token_uri` into every service account file: the port may be another one after a restart.
void publish_token_uri(const Identity& identity, const std::string& token_uri);

// Replaces `path` atomically; the file is readable by its owner only.
void write_private_file(const std::string& path, const std::string& content);

}  // namespace belfry::simulator
