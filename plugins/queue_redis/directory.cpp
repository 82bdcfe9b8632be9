// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/directory.h"

namespace belfry::queue_redis {

void send_uids(redis::Connection& connection, const Keys& keys, const std::vector<std::string>& fields) {
    const std::string key = keys.of("uid");
    redis::Words words{"HMGET", key};
    words.insert(words.end(), fields.begin(), fields.end());
    connection.send(words);
}

std::vector<Ref> find_refs(Core& core, redis::Connection& connection, uint32_t app, Rows<belfry_str> uids,
                           redis::Deadline deadline) {
    std::vector<Ref> refs(uids.size());
    if (app == 0 || uids.empty()) return refs;
    std::vector<std::string> fields;
    for (const belfry_str& uid : uids) fields.push_back(uid_field(app, view(uid)));
    send_uids(connection, core.keys, fields);
    const std::vector<redis::Reply> replies = connection.trip(deadline);
    for (size_t i = 0; i < refs.size(); ++i) refs[i] = intact_ref(replies.front()[i].row()).value_or(Ref());
    return refs;
}

}  // namespace belfry::queue_redis
