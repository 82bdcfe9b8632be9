/* SPDX-License-Identifier: Apache-2.0
 * Interface "belfry.sink/1": receives delivery events. Planned: the host loads, probes and checks sinks, but its server
 * starts none yet and refuses [sinks.*]. Then: called on the sink's own host thread; a slow or dead sink costs its own
 * events only, never a push. At least once: the event id is deterministic, the sink removes
 * repetitions. */
#ifndef BELFRY_SINK_H
#define BELFRY_SINK_H

#include <belfry/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_SINK_ID "belfry.sink/1"

typedef struct belfry_event {
    uint32_t size, attempt;
    uint64_t id, version; /* same id with a higher version replaces */
    int64_t unix_ms, latency_ms;
    belfry_str app, uid, provider, type, recipient, device_id, platform, user, msg_id, status, error_message,
        error_code, lane;
} belfry_event;

typedef struct belfry_event_query {
    uint32_t size, limit;
    belfry_str app, uid, device_id, user, cursor; /* empty = any */
    int64_t from_unix_ms, to_unix_ms;
} belfry_event_query;

typedef struct belfry_sink {
    uint32_t size, flags, batch_rows_max, batch_wait_ms;
    /* [work] Takes a batch (belfry_event[]). RETRY_LATER: the same batch comes again; BAD_REQUEST: it is set aside. */
    belfry_code (*write)(belfry_instance*, belfry_list events, int64_t deadline_mono_ns, belfry_why*);
    /* [work] Everything written so far is durable on return. */
    belfry_code (*flush)(belfry_instance*, int64_t deadline_mono_ns, belfry_why*);
    /* [work] Optional, may be NULL: events in time order after a cursor; emits belfry_event. */
    belfry_code (*query)(belfry_instance*, const belfry_event_query*, belfry_emit, void* ctx, char next_cursor[64],
                         belfry_why*);
} belfry_sink;

#ifdef __cplusplus
}
#endif
#endif
