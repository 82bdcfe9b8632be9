// SPDX-License-Identifier: Apache-2.0
#include "audience/user_devices.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace belfry::audience {

namespace {

constexpr size_t kUsersPerFetch = 256;
constexpr uint32_t kFetchedPerUser = 100;  // whoever has as many is read on by a list, which has a cursor
constexpr uint32_t kRowsPerList = 10'000;

class Reader {
public:
    Reader(plugins::Storage& storage, const Clock& clock, const std::string& app, uint32_t fields, int64_t deadline,
           const std::function<void(const belfry_device&)>& take)
        : storage_(storage), clock_(clock), app_(app), fields_(fields), deadline_(deadline), take_(take) {}

    Status read(std::span<const std::string> users) {
        for (size_t from = 0; from < users.size(); from += kUsersPerFetch) {
            if (Status in_time = check_time(); !in_time) return in_time;
            const auto part = users.subspan(from, std::min(kUsersPerFetch, users.size() - from));
            if (Status done = fetch(part); !done) return done;
            for (size_t i = 0; i < part.size(); ++i) {
                if (found_[i].size() < kFetchedPerUser) continue;
                if (Status done = read_on(part[i], found_[i]); !done) return done;
            }
        }
        return {};
    }

private:
    Status check_time() const {
        if (clock_.mono_ns() < deadline_) return {};
        return error(ErrorCode::DeadlineExceeded, "the devices of these users were not all read in time");
    }

    // False: one too many.
    bool take(const belfry_device& row) {
        if (taken_ == kDevicesOfUsersMax) return false;
        ++taken_;
        take_(row);
        return true;
    }
    static Error too_many() {
        return error(ErrorCode::InvalidArgument,
                     "these users have more than " + std::to_string(kDevicesOfUsersMax) +
                         " devices, the most that one request reaches by users; send several requests to fewer users "
                         "each, or let the devices subscribe to a topic and send to that");
    }

    Status fetch(std::span<const std::string> users) {
        found_.resize(std::max(found_.size(), users.size()));
        for (std::vector<int64_t>& keys : found_) keys.clear();
        bool fits = true;
        const std::vector<belfry_str> names = plugins::strs(users);
        const Status done =
            storage_.fetch_users(app_, names, kFetchedPerUser, fields_, deadline_, [&](const belfry_device& row) {
                found_[row.index].push_back(row.key);
                return fits = take(row);
            });
        if (done && !fits) return too_many();
        return done;
    }

    // The devices of a user besides those that are known already.
    Status read_on(const std::string& user, std::vector<int64_t>& known) {
        std::sort(known.begin(), known.end());
        const belfry_str name = str(std::string_view(user));
        belfry_selection which = sized<belfry_selection>();
        which.users = one_row(name);
        belfry_paging paging = sized<belfry_paging>();
        paging.limit = kRowsPerList;
        paging.fields = fields_;
        bool fits = true;
        for (plugins::ListEnd at{true, -1, {}}; at.more;) {
            if (Status in_time = check_time(); !in_time) return in_time;
            paging.cursor = str(std::string_view(at.cursor));
            Result<plugins::ListEnd> end = storage_.list_devices(app_, which, paging, [&](const belfry_device& row) {
                return std::binary_search(known.begin(), known.end(), row.key) || (fits = take(row));
            });
            if (!end) return end.error();
            if (!fits) return too_many();
            at = std::move(*end);
        }
        return {};
    }

    plugins::Storage& storage_;
    const Clock& clock_;
    const std::string& app_;
    const uint32_t fields_;
    const int64_t deadline_;
    const std::function<void(const belfry_device&)>& take_;
    std::vector<std::vector<int64_t>> found_;  // keys by user of the fetch
    uint32_t taken_ = 0;
};

}  // namespace

Status devices_of_users(plugins::Storage& storage, const Clock& clock, const std::string& app,
                        std::span<const std::string> users, uint32_t fields, int64_t deadline_mono_ns,
                        const std::function<void(const belfry_device&)>& take) {
    return Reader(storage, clock, app, fields, deadline_mono_ns, take).read(users);
}

}  // namespace belfry::audience
