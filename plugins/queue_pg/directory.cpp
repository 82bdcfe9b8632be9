// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/directory.h"

namespace belfry::queue_pg {

namespace {

constexpr const char* kFind =
    "SELECT a.at, u.ref, u.member FROM unnest($2::bytea[]) WITH ORDINALITY a (uid, at) CROSS JOIN LATERAL "
    "(SELECT ref, member FROM queue_uid WHERE app = $1 AND uid = a.uid OFFSET 0) u";

}  // namespace

std::vector<Ref> find_refs(pg::Connection& connection, uint32_t app, Rows<belfry_str> uids, pg::Deadline deadline) {
    std::vector<Ref> refs(uids.size());
    if (app == 0 || uids.empty()) return refs;
    pg::Column column(pg::Type::Bytes);
    for (const belfry_str& uid : uids) column.add(view(uid));
    const pg::Result rows =
        connection.run(kFind, pg::Params().number4(static_cast<int32_t>(app)).column(column), deadline);
    for (int row = 0; row < rows.rows(); ++row)
        refs.at(static_cast<size_t>(rows.number(row, 0) - 1)) = {rows.number(row, 1), rows.number4(row, 2)};
    return refs;
}

}  // namespace belfry::queue_pg
