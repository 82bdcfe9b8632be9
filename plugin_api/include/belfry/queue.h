/* SPDX-License-Identifier: Apache-2.0
 * Interface "belfry.queue/1": the durable queue of pushes.
 *
 * Never a row per device. Three kinds of work item, and nothing else is claimable: a SLICE is a key range of a push's
 * audience with a cursor; a LIST is up to 1,000 entries of one push, device keys or picks (indices into an immutable
 * token blob); a BUNDLE is many small pushes packed into one row by enqueue. Invariants every queue keeps: I1 enqueue
 * answers only after a durable commit. I2 every recipient still owed is covered by exactly one live item; each
 * transition is one atomic transaction. I3 a cursor moves in the transaction that also stores the lists it owes, the
 * sibling it splits off and the counters. I4 every write of an owner carries (item, epoch, node); a stale one changes
 * nothing and is answered FENCED. I5 cancel and expiry are monotone. I6 only the store's clock decides what is due. */
#ifndef BELFRY_QUEUE_H
#define BELFRY_QUEUE_H

#include <belfry/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_QUEUE_ID "belfry.queue/1"

/* belfry_queue.flags */
enum {
    BELFRY_QUEUE_MULTI_NODE = 1u,
    BELFRY_QUEUE_FAILOVER_LOSS = 2u,  /* a failover of the store may lose acknowledged pushes */
    BELFRY_QUEUE_SURVIVES_POWER = 4u, /* acknowledged = on disk */
    BELFRY_QUEUE_DUMP = 8u,
    BELFRY_QUEUE_BACKUP = 16u,
    BELFRY_QUEUE_PURGE_APP = 32u
};

enum belfry_lane { BELFRY_LANE_HIGH = 1, BELFRY_LANE_NORMAL = 2, BELFRY_LANE_LOW = 3 };
enum belfry_work_kind { BELFRY_WORK_SLICE = 1, BELFRY_WORK_LIST = 2, BELFRY_WORK_BUNDLE = 3 };
enum belfry_push_state {
    BELFRY_PUSH_DELAYED = 1, /* waits for send_at */
    BELFRY_PUSH_RUNNING = 2,
    BELFRY_PUSH_PAUSED = 3,
    BELFRY_PUSH_DONE = 4,
    BELFRY_PUSH_CANCELLED = 5, /* steered to stop; items in flight may still be settling */
    BELFRY_PUSH_EXPIRED = 6
};
/* Final outcomes as counted in result rows; the words of the API. */
enum belfry_final {
    BELFRY_FINAL_ACCEPTED = 1,
    BELFRY_FINAL_GONE = 2,
    BELFRY_FINAL_REFUSED = 3,
    BELFRY_FINAL_EXPIRED = 4,
    BELFRY_FINAL_CANCELLED = 5,
    BELFRY_FINAL_RATE_LIMITED = 6,
    BELFRY_FINAL_NO_TIMEZONE = 7,
    BELFRY_FINAL_SKIPPED_NO_PAYLOAD = 8,
    BELFRY_FINAL_UNSUPPORTED = 9,
    BELFRY_FINAL_INTERNAL = 10,
    BELFRY_FINAL_DEAD = 11
};

/* A work item a new push starts with. */
typedef struct belfry_new_item {
    uint32_t size;
    int32_t kind;      /* SLICE or LIST */
    uint32_t gate;     /* provider instance number; 0 = mixed */
    uint32_t blob;     /* LIST of picks: index into belfry_new_push.blobs; UINT32_MAX = keys */
    int64_t after, hi; /* SLICE: (after, hi) */
    belfry_list keys;  /* LIST of keys: int64_t[] */
    belfry_list picks; /* LIST of picks: uint32_t[] */
} belfry_new_item;

/* A push to store. SMALL ones (at most 64 recipients, body at most 16 KiB, no send_at, exactly one item) may be packed
 * into bundles; the host sees them again as members of a claimed BUNDLE. */
typedef struct belfry_new_push {
    uint32_t size, flags; /* BELFRY_NEW_PUSH_* */
    int32_t lane;
    uint32_t weight;         /* share inside its lane, 1 = normal */
    belfry_str app, uid;     /* uid always set (the host makes one up if the caller gave none), 1-64 bytes, no NUL */
    uint8_t fingerprint[16]; /* of the request; same uid with another fingerprint is CONFLICT */
    int64_t send_at_unix_ms; /* 0 = now */
    int64_t expires_unix_ms; /* 0 = never */
    belfry_str body;         /* the host's own encoding, opaque, immutable */
    belfry_list blobs;       /* belfry_str[]: token blobs that picks refer to, immutable, freed with their last item */
    belfry_list items;       /* belfry_new_item[] */
} belfry_new_push;
enum { BELFRY_NEW_PUSH_SMALL = 1u };

/* One per push of an enqueue. OK, DUPLICATE (uid and state are the first answer's), CONFLICT, BUSY, TOO_LARGE. */
typedef struct belfry_enqueued {
    uint32_t size, index;
    belfry_code code;
    int32_t state; /* belfry_push_state of a duplicate; else 0 */
} belfry_enqueued;

/* One small push inside a claimed bundle. */
typedef struct belfry_member {
    uint32_t size, index; /* index within the bundle: what owed lists, tallies and samples name */
    uint32_t flags;       /* BELFRY_MEMBER_* */
    uint32_t attempt;
    belfry_str app, uid, body;
    belfry_str blob;         /* its token blob, inline; empty if its list has keys */
    belfry_list keys, picks; /* int64_t[], uint32_t[] */
    int64_t expires_unix_ms;
} belfry_member;
enum { BELFRY_MEMBER_STOPPED = 1u /* cancelled or expired: send nothing, count its entries as such */ };

/* A reference that claim hands out: everything needed but bodies. */
typedef struct belfry_claimed {
    uint32_t size;
    int32_t kind, lane;
    uint32_t gate, epoch;
    uint32_t attempt;    /* of the entries: 1 = first */
    uint32_t crashes;    /* how often an owner died holding it */
    uint32_t flags;      /* BELFRY_CLAIMED_* */
    uint32_t live_items; /* claimable and claimed items of this push now, this one included */
    uint32_t weight;
    uint64_t item, push; /* push: 0 for bundles */
    uint64_t body;       /* blob id of the push body; 0 for bundles */
    uint64_t blob;       /* blob id of the token blob; 0 if the list has keys */
    belfry_str app, uid;
    int32_t state, reserved; /* belfry_push_state */
    int64_t after, hi;
    belfry_list keys, picks;
    belfry_list members; /* belfry_member[] of a BUNDLE */
    int64_t expires_unix_ms;
    int64_t ready_unix_ms;   /* since when it could have been claimed: lag */
    int64_t created_unix_ms; /* when the push was enqueued */
} belfry_claimed;
enum {
    BELFRY_CLAIMED_LIMITS_PASSED = 1u, /* rate limits were charged already */
    BELFRY_CLAIMED_STOPPED = 2u,       /* push cancelled or expired: count what is owed, send nothing, FINISH */
    BELFRY_CLAIMED_INITIAL = 4u        /* its entries are not part of the push's `planned` yet: it came with the push or
                                          was split off such an item. Never set on what was owed, replayed or MINE */
};

/* What a page still owes: becomes a LIST due at due_unix_ms. */
typedef struct belfry_owed {
    uint32_t size, flags; /* BELFRY_OWED_* */
    uint32_t gate, attempt;
    uint32_t member; /* of a bundle; else 0. A member's retry becomes a LIST with the member's body and blob */
    uint32_t reserved;
    int64_t due_unix_ms; /* 0 = now */
    belfry_list keys;    /* int64_t[]  - one of the two */
    uint64_t blob;       /* blob id that picks refer to (the claimed item's); 0: those of this very item */
    belfry_list picks;   /* uint32_t[] */
    belfry_str note;     /* DEAD: why, kept with the dead letter */
} belfry_owed;
enum {
    BELFRY_OWED_MINE = 1u, /* born claimed by this node: answered with its item and epoch */
    BELFRY_OWED_LIMITS_PASSED = 2u,
    BELFRY_OWED_DEAD = 4u /* goes to the dead letters instead */
};

/* Counters to add to the push's result row. */
typedef struct belfry_tally {
    uint32_t size, gate;
    uint32_t member;
    int32_t outcome; /* belfry_final */
    uint32_t n, reserved;
} belfry_tally;

/* An error to show; the queue keeps the first five of a push. */
typedef struct belfry_sample {
    uint32_t size, gate;
    uint32_t member;
    int32_t outcome;
    belfry_str text; /* one line of JSON, at most 512 bytes */
} belfry_sample;

enum belfry_next {
    BELFRY_NEXT_KEEP = 1,    /* page done, the item stays claimed by this node */
    BELFRY_NEXT_RELEASE = 2, /* page done, claimable again */
    BELFRY_NEXT_FINISH = 3,  /* nothing left in this item */
    BELFRY_NEXT_PARK = 4,    /* put aside until its push is resumed */
    BELFRY_NEXT_BURY = 5     /* to the dead letters as it is, with note */
};
/* One page's whole result: one atomic transaction. */
typedef struct belfry_checkpoint {
    uint32_t size, epoch;
    uint64_t item;
    uint64_t request; /* unique per checkpoint of a node: a repetition after a lost reply is answered like the first */
    int32_t next;     /* belfry_next */
    uint32_t cost;    /* deliveries of this page: virtual time to add, times live items, divided by weight */
    uint32_t planned; /* deliveries newly discovered, to add to the push's planned (bundles: planned_of) */
    uint32_t split_gate; /* gate of the sibling */
    int64_t cursor;      /* SLICE: new `after` */
    int64_t split_at,
        split_hi;     /* SLICE: sibling (split_at - 1, split_hi); this item then ends at hi = split_at; 0 = no split */
    belfry_list owed; /* belfry_owed[] */
    belfry_list tallies;    /* belfry_tally[] */
    belfry_list samples;    /* belfry_sample[] */
    belfry_list planned_of; /* bundles: belfry_tally[] with member and n */
    belfry_str note;        /* BURY: why */
    int32_t lane;           /* 0 = unchanged: move the push to this lane */
    uint32_t reserved;
} belfry_checkpoint;
/* One per checkpoint: OK, FENCED, STOPPED (applied; the push is cancelled or expired: hold no more), PAUSED (applied
 * and parked). */
typedef struct belfry_paged {
    uint32_t size, index;
    belfry_code code;
    uint32_t live_items; /* of the push, after this */
    belfry_list mine;    /* belfry_ref[]: MINE lists in the order of `owed` */
} belfry_paged;
/* Frozen leaf. */
typedef struct belfry_ref {
    uint64_t item;
    uint32_t epoch, owed; /* owed: index into the checkpoint's owed */
} belfry_ref;

typedef struct belfry_blob {
    uint32_t size, index;
    uint64_t id;
    belfry_str bytes;
} belfry_blob;

enum belfry_steer { BELFRY_STEER_CANCEL = 1, BELFRY_STEER_PAUSE = 2, BELFRY_STEER_RESUME = 3 };
/* One per uid. OK: done; DUPLICATE: was so already (finished, cancelled, paused); NOT_FOUND: unknown uid; BUSY: a small
 * push cannot be paused while its bundle is claimed, nothing was changed. */
typedef struct belfry_steered {
    uint32_t size, index;
    belfry_code code;
    int32_t state; /* before the call */
    uint64_t push;
    int64_t settled; /* deliveries with a final outcome so far */
} belfry_steered;

/* A push that was stopped, paused or resumed since a change number. */
typedef struct belfry_change {
    uint32_t size;
    int32_t state;
    int64_t number; /* grows; pass the largest seen to the next call */
    uint64_t push;  /* 0 for a bundled push */
    belfry_str app, uid;
} belfry_change;

typedef struct belfry_pulse {
    uint32_t size, live_nodes, rank, reserved;
    int64_t store_unix_ms; /* the store's clock */
    int64_t changes;       /* number of the latest change */
} belfry_pulse;

/* A push as lookup and list show it. */
typedef struct belfry_push_row {
    uint32_t size, index;
    int32_t state, lane;
    uint32_t planned_final, live_items;
    int64_t planned;
    int64_t created_unix_ms, send_at_unix_ms, expires_unix_ms, finished_unix_ms; /* finished: 0 = not yet */
    int64_t range_left; /* sum of (hi - after) over live slices, for the ETA */
    belfry_str app, uid;
    uint64_t body;       /* blob id; 0 once purged or bundled */
    belfry_list tallies; /* belfry_tally[]: counters per gate and outcome */
    belfry_list samples; /* belfry_sample[] */
} belfry_push_row;

typedef struct belfry_dead_row {
    uint32_t size, attempt;
    uint64_t id;
    uint32_t gate, entries;
    int64_t buried_unix_ms, replayed_unix_ms;
    belfry_str app, uid, note;
} belfry_dead_row;

typedef struct belfry_queue_stats {
    uint32_t size, reserved;
    int64_t ready[4], claimed[4]; /* items by lane number */
    int64_t delayed, parked, dead;
    int64_t running_pushes, delayed_pushes;
    int64_t oldest_ready_unix_ms[4]; /* 0 = none */
    int64_t store_bytes;
} belfry_queue_stats;

/* All calls: [work]. Common codes: RETRY_LATER, STORE_FULL, CORRUPT, INTERNAL, each with `why`. `node` is this
 * process's incarnation: a random number made at its start. */
typedef struct belfry_queue {
    uint32_t size, flags, concurrency, item_bytes_max; /* calls at once, 0: any; longest body + blobs of a push */
    /* Stores pushes (belfry_new_push[]) durably before it returns; one belfry_enqueued each. Batches are built by the
     * host. */
    belfry_code (*enqueue)(belfry_instance*, uint64_t node, belfry_list pushes, belfry_emit, void* ctx, belfry_why*);
    /* Claims up to n ready items of a lane whose gate is 0 or among open_gates (uint32_t[]), fairest first; emits
     * belfry_claimed. Waits up to wait_ms if there is none. Items of stopped pushes come flagged, whatever their gate.
     */
    belfry_code (*claim)(belfry_instance*, uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n,
                         uint32_t wait_ms, belfry_emit, void* ctx, belfry_why*);
    /* Bodies and token blobs by id (uint64_t[]); emits belfry_blob, missing ones not at all. */
    belfry_code (*blobs)(belfry_instance*, belfry_list ids, belfry_emit, void* ctx, belfry_why*);
    /* Commits checkpoints (belfry_checkpoint[]), each atomic; one belfry_paged each. Returns when applied; synced to
     * disk with the next enqueue or shortly after (progress_durability "fast") or before the return ("strict"). */
    belfry_code (*page)(belfry_instance*, uint64_t node, belfry_list checkpoints, belfry_emit, void* ctx, belfry_why*);
    /* Cancels, pauses or resumes pushes (belfry_str[] uids), durably; one belfry_steered each. */
    belfry_code (*steer)(belfry_instance*, belfry_str app, belfry_list uids, int32_t verb, belfry_emit, void* ctx,
                         belfry_why*);
    /* What was steered or expired after change number `since`; emits belfry_change in order. */
    belfry_code (*changes)(belfry_instance*, int64_t since, belfry_emit, void* ctx, belfry_why*);
    /* Sign of life, every few seconds. FENCED: this node was taken for dead; stop and start as a new one. */
    belfry_code (*beat)(belfry_instance*, uint64_t node, belfry_pulse*, belfry_why*);
    /* Moves what is due, takes back items of dead nodes, buries poison, closes finished pushes, purges what is too old;
     * at most budget_ms. *next_ms: when to call again. */
    belfry_code (*upkeep)(belfry_instance*, uint64_t node, uint32_t budget_ms, uint32_t* next_ms, belfry_why*);
    /* Pushes by uid (belfry_str[]); emits belfry_push_row with the index of the uid. */
    belfry_code (*lookup)(belfry_instance*, belfry_str app, belfry_list uids, belfry_emit, void* ctx, belfry_why*);
    /* Pushes of an app, newest first, after a cursor. state 0 = any. */
    belfry_code (*list)(belfry_instance*, belfry_str app, int32_t state, belfry_str cursor, uint32_t limit, belfry_emit,
                        void* ctx, char next_cursor[64], belfry_why*);
    /* Dead letters of an app after an id; uid empty = any. */
    belfry_code (*dead)(belfry_instance*, belfry_str app, belfry_str uid, uint64_t after, uint32_t limit, belfry_emit,
                        void* ctx, belfry_why*);
    /* Puts dead letters (uint64_t[] ids) back as new items with attempt 1; each once. *replayed: how many. */
    belfry_code (*replay)(belfry_instance*, belfry_str app, belfry_list ids, int32_t ignore_expiry, uint32_t* replayed,
                          belfry_why*);
    belfry_code (*stats)(belfry_instance*, belfry_queue_stats*, belfry_why*);
    /* DUMP (of all apps; load: into an empty queue; records: docs/abi.md), BACKUP, PURGE_APP: as in storage.h. */
    belfry_code (*dump)(belfry_instance*, belfry_str cursor, uint32_t limit, belfry_emit, void* ctx,
                        char next_cursor[64], belfry_why*);
    belfry_code (*load)(belfry_instance*, belfry_list records, belfry_why*);
    belfry_code (*backup)(belfry_instance*, belfry_str path, belfry_why*);
    belfry_code (*purge_app)(belfry_instance*, belfry_str app, uint32_t limit, int32_t* more, belfry_why*);
} belfry_queue;

#ifdef __cplusplus
}
#endif
#endif
