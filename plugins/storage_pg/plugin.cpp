// SPDX-License-Identifier: Apache-2.0
// The plugin's entry; the C face of the storage is the SDK's.
#include "storage_pg/store.h"

BELFRY_PLUGIN("storage_pg", "0.1.0", belfry::component<belfry::storage_pg::Store>("storage_pg"));
