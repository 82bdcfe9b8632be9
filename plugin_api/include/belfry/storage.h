/* SPDX-License-Identifier: Apache-2.0
 * Interface "belfry.storage/1": devices, their topics, users' topics and the cluster's small state.
 *
 * A domain interface, not a key-value store: fan-out must be the database's work. Every call carries the app; what
 * belongs to one app is never seen or changed through another. The device key is 56 bits: name slot (8) | hash bucket
 * (8) | sequence (40); the host gives slot and bucket, the storage mints the sequence once, at creation. Any ordered
 * source will do for it. Lists and scans run in ascending key order. No transaction stays open after a call. */
#ifndef BELFRY_STORAGE_H
#define BELFRY_STORAGE_H

#include <belfry/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_STORAGE_ID "belfry.storage/1"
#define BELFRY_KEY_SEQUENCE_BITS 40
#define BELFRY_KEY_END INT64_C(0x100000000000000) /* 2^56, one above the largest key */

/* belfry_storage.flags: what a storage offers beyond the mandatory calls. */
enum {
    BELFRY_STORAGE_FILTERS = 1u,            /* scan honours belfry_scan.filter */
    BELFRY_STORAGE_COUNTS = 2u,             /* count */
    BELFRY_STORAGE_SPLIT = 4u,              /* split */
    BELFRY_STORAGE_ATOMIC_USER_TOPICS = 8u, /* update_user_topics changes user and devices in one transaction */
    BELFRY_STORAGE_EXPIRE = 16u,            /* expire */
    BELFRY_STORAGE_DUMP = 32u,              /* dump and load, keys kept */
    BELFRY_STORAGE_BACKUP = 64u,            /* backup */
    BELFRY_STORAGE_PURGE_APP = 128u,        /* purge_app */
    BELFRY_STORAGE_MULTI_NODE = 256u        /* several hosts may use one store */
};

/* Which members of a belfry_device row are wanted; the others are left empty. `key` always comes. */
enum {
    BELFRY_FIELD_PROVIDER = 1u,
    BELFRY_FIELD_TOKEN = 2u, /* token, data, variant */
    BELFRY_FIELD_USER = 4u,
    BELFRY_FIELD_PLATFORM = 8u,
    BELFRY_FIELD_TIMEZONE = 16u,
    BELFRY_FIELD_LOCALE = 32u,
    BELFRY_FIELD_META = 64u,
    BELFRY_FIELD_TOPICS = 128u,
    BELFRY_FIELD_TIMES = 256u /* created, updated, registered */
};

/* A row that leaves the storage; borrowed during emit. */
typedef struct belfry_device {
    uint32_t size, index; /* index: of the value it answers (fetch), else 0 */
    int64_t key;
    belfry_str provider; /* instance name */
    belfry_str token, data, user, platform, timezone, locale;
    belfry_str meta;    /* JSON object text, empty = none */
    belfry_list topics; /* belfry_str[], sorted by bytes */
    uint32_t variant, reserved;
    int64_t created_unix_ms, updated_unix_ms; /* updated: last change of any field */
    int64_t registered_unix_ms;               /* last register call, what a 410 timestamp is compared with */
} belfry_device;

/* A whole device state to register. Topics given here have origin "device"; the storage adds topics bound to the user
 * (origin user) and to the user "" (origin global). */
typedef struct belfry_registration {
    uint32_t size, prefix;     /* prefix: slot << 8 | bucket, used when a key is minted */
    int64_t key;               /* the device to replace; -1 = by identity, else a new one */
    uint8_t identity_hash[16]; /* unique per app */
    uint8_t token_hash[16];    /* of the exact token, for invalidate and amend */
    belfry_str provider, token, data, user, platform, timezone, locale, meta;
    belfry_list topics;      /* belfry_str[] without duplicates */
    uint32_t variant, flags; /* BELFRY_REGISTRATION_* */
} belfry_registration;
enum {
    /* The variant is a guess: if the device that has the identity now has this provider and token_hash, too, its
     * variant, perhaps learnt (amend), is kept instead. */
    BELFRY_REGISTRATION_VARIANT_GUESSED = 1u
};

enum {
    BELFRY_REGISTERED_CREATED = 1u, /* a new row, or one that came back under its old key */
    BELFRY_REGISTERED_CHANGED = 2u, /* some field other than the time differs from before */
    BELFRY_REGISTERED_EVICTED = 4u  /* another device held the identity and was removed: evicted_key */
};
/* One per registration, any order. */
typedef struct belfry_registered {
    uint32_t size, index;
    belfry_code code; /* OK, CONFLICT (lost a race that a retry may win), TOO_LARGE, ... */
    uint32_t flags;
    int64_t key, evicted_key;
} belfry_registered;

enum belfry_topic_op { BELFRY_TOPICS_ADD = 1, BELFRY_TOPICS_REMOVE = 2, BELFRY_TOPICS_SET = 3 };
enum {
    BELFRY_PATCH_USER = 1u,
    BELFRY_PATCH_META = 2u,
    BELFRY_PATCH_TIMEZONE = 4u,
    BELFRY_PATCH_LOCALE = 8u,
    BELFRY_PATCH_TOPICS = 16u,      /* changes subscriptions of origin device only */
    BELFRY_PATCH_SYNC_TOPICS = 32u, /* with USER: also switch the subscriptions of origin user */
    BELFRY_PATCH_GUARD_USER = 64u   /* change nothing and answer CONFLICT unless the device's user equals guard_user */
};
/* What update_devices changes on each device it is given. */
typedef struct belfry_patch {
    uint32_t size, flags;
    int32_t topic_op;
    uint32_t reserved;
    belfry_str user, meta, timezone, locale, guard_user;
    belfry_list topics; /* belfry_str[] */
} belfry_patch;

/* Which devices a call means: lists are OR inside, AND between; an empty list does not restrict. */
typedef struct belfry_selection {
    uint32_t size, flags;
    belfry_list keys;                                /* int64_t[] */
    belfry_list users, topics, providers, platforms; /* belfry_str[] */
    belfry_str topic_prefix;                         /* for the topic lists */
} belfry_selection;

/* One page of a list. */
typedef struct belfry_paging {
    uint32_t size, limit, fields; /* fields: BELFRY_FIELD_* */
    uint32_t want_total;          /* 1: also count all matches (may cost a scan) */
    belfry_str cursor;            /* opaque text of the storage; empty = from the start */
} belfry_paging;
/* How a list ended; written by the storage. */
typedef struct belfry_page_end {
    uint32_t size, more; /* more: 1 if there are further rows */
    int64_t total;       /* -1 unless wanted */
    char cursor[256];    /* NUL-terminated, for the next page; empty if no more */
} belfry_page_end;

enum belfry_origin { BELFRY_ORIGIN_DEVICE = 1u, BELFRY_ORIGIN_USER = 2u, BELFRY_ORIGIN_GLOBAL = 4u };
/* A row of list_device_topics (user empty unless BELFRY_FIELD_USER) or list_user_topics (key 0). */
typedef struct belfry_topic_row {
    uint32_t size, origins;
    int64_t key;
    belfry_str user, topic;
    const belfry_device* device; /* with the wanted fields, NULL if none were wanted */
} belfry_topic_row;

/* A change of one user's topics; user "" binds to everybody at their next registration. */
typedef struct belfry_user_topics {
    uint32_t size;
    int32_t op; /* belfry_topic_op */
    belfry_str user;
    belfry_list topics; /* belfry_str[] */
} belfry_user_topics;

enum belfry_by {
    BELFRY_BY_ALL = 1,
    BELFRY_BY_TOPIC = 2,
    BELFRY_BY_KEY = 3,
    BELFRY_BY_USER = 4,
    BELFRY_BY_IDENTITY = 5
};

/* One page of a fan-out: rows with after < key < hi in key order. */
typedef struct belfry_scan {
    uint32_t size, fields;
    int32_t by;           /* BELFRY_BY_ALL or BELFRY_BY_TOPIC */
    uint32_t want;        /* at most so many rows */
    uint32_t budget_rows; /* look at no more than so many stored rows */
    uint32_t reserved;
    belfry_str app, value; /* value: the topic */
    belfry_str filter;     /* reserved for FILTERS, empty */
    int64_t after, hi;     /* after = -1: from the start */
    int64_t deadline_mono_ns;
} belfry_scan;

/* What is known about the token of one device. */
typedef struct belfry_fact {
    uint32_t size, variant;
    int64_t key;                        /* -1: find the device by identity_hash */
    int64_t unless_registered_after_ms; /* leave a device alone that registered later; 0 = no such test */
    uint8_t token_hash[16];             /* must equal the stored one */
    uint8_t identity_hash[16];
} belfry_fact;
/* One per fact: OK (done), NOT_FOUND, CONFLICT (stored token or time differs). */
typedef struct belfry_fact_result {
    uint32_t size, index;
    belfry_code code;
    uint32_t reserved;
    int64_t key;
} belfry_fact_result;

/* One per item of calls that answer item by item. */
typedef struct belfry_item_result {
    uint32_t size, index;
    belfry_code code;
    uint32_t changed; /* how many rows */
    int64_t key;      /* of the device; -1 for a row about a user */
} belfry_item_result;

typedef struct belfry_kv {
    uint32_t size, reserved;
    belfry_str key, value;
    int64_t version; /* 0 = does not exist */
} belfry_kv;

/* All calls: [work]. Common codes: RETRY_LATER (connection lost, busy), DEADLINE, STORE_FULL, CORRUPT, INTERNAL, each
 * with `why`. */
typedef struct belfry_storage {
    uint32_t size, flags, concurrency, reserved; /* concurrency: how many calls may run at once; 0 = any number */
    /* Registers whole devices (full replacement); one belfry_registered per row of `registrations`. Each row is atomic
     * by itself, the batch is durable on return. */
    belfry_code (*register_devices)(belfry_instance*, belfry_str app, belfry_list registrations, belfry_emit, void* ctx,
                                    belfry_why*);
    /* Applies one patch to the devices of `which` (by keys and/or users only; given both, a device must match both);
     * emits one belfry_item_result per key, then per user: `index` counts the keys first. Keys: OK, NOT_FOUND, CONFLICT
     * (guard), TOO_LARGE; users: OK, or the code of a device of theirs that stayed as it was. */
    belfry_code (*update_devices)(belfry_instance*, belfry_str app, const belfry_selection* which, const belfry_patch*,
                                  belfry_emit, void* ctx, belfry_why*);
    /* Removes the devices of `which` (by keys and/or users) with their subscriptions; emits as update_devices. */
    belfry_code (*remove_devices)(belfry_instance*, belfry_str app, const belfry_selection* which, belfry_emit,
                                  void* ctx, belfry_why*);
    /* One page of devices in key order; emits belfry_device rows. */
    belfry_code (*list_devices)(belfry_instance*, belfry_str app, const belfry_selection*, const belfry_paging*,
                                belfry_emit, void* ctx, belfry_page_end*, belfry_why*);
    /* One page of (device, topic) pairs, ordered by (key, topic). */
    belfry_code (*list_device_topics)(belfry_instance*, belfry_str app, const belfry_selection*, const belfry_paging*,
                                      belfry_emit, void* ctx, belfry_page_end*, belfry_why*);
    /* One page of (user, topic) pairs, ordered by (user, topic). */
    belfry_code (*list_user_topics)(belfry_instance*, belfry_str app, const belfry_selection*, const belfry_paging*,
                                    belfry_emit, void* ctx, belfry_page_end*, belfry_why*);
    /* Changes users' topics (belfry_user_topics[]) and the subscriptions of origin user of their devices before it
     * answers; for the user "" only the binding. Emits one belfry_item_result per row. */
    belfry_code (*update_user_topics)(belfry_instance*, belfry_str app, belfry_list changes, belfry_emit, void* ctx,
                                      belfry_why*);
    /* One fan-out page. *cursor always advances: continue with after = *cursor. Few or no rows is normal. *end = 1:
     * none left below hi. If the receiver stops, or the deadline passes after some rows, *cursor is the last row that
     * was handed out and *end is 0. */
    belfry_code (*scan)(belfry_instance*, const belfry_scan*, belfry_emit, void* ctx, int64_t* cursor, int32_t* end,
                        belfry_why*);
    /* Devices BY_KEY (int64_t[]), BY_USER (belfry_str[]) or BY_IDENTITY (uint8_t[16][]): rows carry the index of their
     * value, at most `each` per value. Missing ones are simply not emitted. */
    belfry_code (*fetch)(belfry_instance*, belfry_str app, int32_t by, belfry_list values, uint32_t each,
                         uint32_t fields, int64_t deadline_mono_ns, belfry_emit, void* ctx, belfry_why*);
    /* Compare-and-delete of dead tokens (belfry_fact[]); one belfry_fact_result each, each fact atomic by itself. */
    belfry_code (*invalidate)(belfry_instance*, belfry_str app, belfry_list facts, belfry_emit, void* ctx, belfry_why*);
    /* Compare-and-set of the learnt variant; as invalidate. */
    belfry_code (*amend)(belfry_instance*, belfry_str app, belfry_list facts, belfry_emit, void* ctx, belfry_why*);
    /* Cluster state: emits one belfry_kv if the key exists, nothing otherwise (OK, too). Not bound to an app. */
    belfry_code (*kv_get)(belfry_instance*, belfry_str key, belfry_emit, void* ctx, belfry_why*);
    /* Writes key = value if the stored version equals kv->version (0: must not exist); the new version is the old + 1.
     * An empty value with p == NULL deletes. CONFLICT if the version differs. Durable on return. */
    belfry_code (*kv_cas)(belfry_instance*, const belfry_kv*, belfry_why*);
    /* COUNTS: how many devices match; exact. OK with 0 if none does. */
    belfry_code (*count)(belfry_instance*, belfry_str app, const belfry_selection*, int64_t deadline_mono_ns,
                         int64_t* n, belfry_why*);
    /* SPLIT: a key that about halves the rows of the scan (its app, by, value, after, hi and deadline count): those
     * below it, and it with those above. NOT_FOUND: fewer than two. Without this call the host halves the key space. */
    belfry_code (*split)(belfry_instance*, const belfry_scan*, int64_t* middle, belfry_why*);
    /* EXPIRE: removes devices neither registered nor updated since; at most `limit`. *more = 1: call again. */
    belfry_code (*expire)(belfry_instance*, belfry_str app, int64_t before_unix_ms, uint32_t limit, uint32_t* removed,
                          int32_t* more, belfry_why*);
    /* DUMP: the app as records (belfry_str) after a cursor: devices with keys, times and topics, users' topics; of the
     * app "" the cluster's state. load takes them into any app and any storage that declares DUMP, durable on return;
     * twice is as good as once, also after a failure that took some. BAD_REQUEST names the record that is none. */
    belfry_code (*dump)(belfry_instance*, belfry_str app, const belfry_paging*, belfry_emit, void* ctx,
                        belfry_page_end*, belfry_why*);
    belfry_code (*load)(belfry_instance*, belfry_str app, belfry_list records, belfry_why*);
    /* BACKUP: a consistent copy into a new file, in use or not; never over a file that exists. The host syncs it. */
    belfry_code (*backup)(belfry_instance*, belfry_str path, belfry_why*);
    /* PURGE_APP: removes everything of an app in small steps; *more = 1: call again. */
    belfry_code (*purge_app)(belfry_instance*, belfry_str app, uint32_t limit, int32_t* more, belfry_why*);
} belfry_storage;

#ifdef __cplusplus
}
#endif
#endif
