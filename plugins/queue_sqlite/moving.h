// SPDX-License-Identifier: Apache-2.0
// Dump and load: everything the file keeps as records (queue/record.h), and back.
//
// Threads: the writer's.
#pragma once

#include <belfry/queue.h>

#include <string>
#include <string_view>

#include "movements.h"
#include "queue/dump_page.h"
#include "queue/record.h"

namespace belfry::queue_sqlite {

class Moving {
public:
    Moving(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    // Fills the page; answers the cursor of the next one, empty at the end.
    std::string dump(std::string_view cursor, DumpPage& page);
    // What is known already stays as it is. Throws BAD_REQUEST that names the record, CONFLICT for a number that
    // something else has.
    void load(belfry_list records);

private:
    // Each adds rows after `id` until the page is full, and moves `id` along. True: there may be more.
    bool dump_pushes(int64_t& id, DumpPage& page);
    bool dump_blobs(int64_t& id, DumpPage& page);
    bool dump_items(int64_t& id, DumpPage& page);
    bool dump_laters(int64_t& id, DumpPage& page);
    bool dump_dead(int64_t& id, DumpPage& page);
    bool dump_bundles(int64_t& id, DumpPage& page);
    bool dump_part(DumpPlace& place, DumpPage& page);
    // Blob id of the body of work that picks from a token blob; else 0.
    int64_t body_of(const Item& work);

    void load(const PushRecord& record, size_t index);
    void load(const BlobRecord& record, size_t index);
    void load(const WorkRecord& record, size_t index);
    void load(const DeadRecord& record, size_t index);
    void load(const BundleRecord& record, size_t index);
    Push& push_of(int64_t id, size_t index);

    Core& core_;
    Movements& movements_;
};

}  // namespace belfry::queue_sqlite
