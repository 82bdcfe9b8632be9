// SPDX-License-Identifier: Apache-2.0
// What our storages accept: the host checks most of it too; here it keeps a storage readable whatever calls.
//
// Threads: [any].
#pragma once

#include <belfry/storage.h>

#include <cstddef>

#include "storage/record.h"

namespace belfry::storage {

bool is_name(belfry_str name, bool may_be_empty);
// belfry_str[] of names that are not empty: OK, BAD_REQUEST or TOO_LARGE.
belfry_code check_names(belfry_list names);
// Whether a whole device may be stored: OK, BAD_REQUEST or TOO_LARGE.
belfry_code check_registration(const belfry_registration& row);
// Throws Refused.
void check_patch(const belfry_patch& patch);
bool fits(const DeviceRecord& record);

belfry_item_result item_result(size_t index, int64_t key, belfry_code code, uint32_t changed);

}  // namespace belfry::storage
