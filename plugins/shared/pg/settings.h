// SPDX-License-Identifier: Apache-2.0
// The part of a plugin's section that names its database, and how such a section is read.
//
// Threads: values.
#pragma once

#include <belfry/services.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace belfry::pg {

// A text, or the id under which the host keeps it.
struct Secret {
    std::string value;
    bool is_id = false;
    // In start.
    std::string read(const Services& services) const { return is_id ? services.secret(value) : value; }
};

// Where the tables are.
struct Place {
    Secret dsn, password;
    std::string schema = "belfry";

    // In start. Of the database itself, or of another one with the same schema and password.
    Address address(const Services& services) const { return address(services, dsn); }
    Address address(const Services& services, const Secret& other_dsn) const;
};

// A section's members by name. Everything throws Refused: CONFIG, naming the member.
class Settings {
public:
    explicit Settings(std::string_view json);
    ~Settings();
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    Place place() const;
    // Leaves `value` as it is if the section is silent.
    template <class Number>
    void number(const char* name, uint64_t least, uint64_t most, Number& value) const {
        value = static_cast<Number>(number_or(name, least, most, value));
    }
    // One of `words`.
    std::string word(const char* name, const std::vector<std::string>& words, const std::string& otherwise) const;
    std::vector<Secret> secrets(const char* name) const;
    void refuse_others(const std::vector<std::string>& names) const;

private:
    uint64_t number_or(const char* name, uint64_t least, uint64_t most, uint64_t otherwise) const;

    std::unique_ptr<nlohmann::json> root_;
};

}  // namespace belfry::pg
