/* SPDX-License-Identifier: Apache-2.0
 * Belfry plugin ABI, version 1 (draft): the core every plugin shares. Plain C99, no dependencies.
 *
 * Rules that hold for every header of this folder:
 *  1. Every call is synchronous and made on a host thread. Results leave a call through `emit`, on the same thread,
 * before the call returns. There are no callbacks after return.
 *  2. Inputs live for the call only. Rows given to `emit` are borrowed: the receiver copies what it keeps. Nobody frees
 * the other side's memory. A plugin's tables and strings in them live as long as the process; instance tables until
 * destroy.
 *  3. Strings are pointer + length, UTF-8 where they are text, without a NUL promise. p may be NULL only when n is 0.
 *  4. Every table and every struct that is not marked "frozen leaf" begins with `uint32_t size`, set from sizeof by the
 * side that allocates it. The reader copies min(size, own) and tests later members by offset. Larger than known is
 * fine.
 *  5. Arrays travel as belfry_list and are walked by `stride`, never by sizeof. Only frozen leaves are embedded by
 * value.
 *  6. Enums travel as int32_t; 0 means none. Unknown codes fall back to their class (code >> 16).
 *  7. Times: *_unix_ms wall clock milliseconds, *_mono_ns the host's monotonic clock in nanoseconds (belfry.clock/1).
 *  8. No exception, panic, longjmp or signal crosses. Threads that a plugin makes belong to an instance, mask all
 * signals and are joined before destroy returns. Thread tags: [control] one call at a time per instance; [work] host
 * pool thread, at most `concurrency` at once, may block until the deadline; [pure] as [work] but CPU only, calls no
 * blocking service; [any] any thread. While version 1 is a draft, draft_revision must equal the host's. */
#ifndef BELFRY_PLUGIN_H
#define BELFRY_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_ABI_MAJOR 1
#define BELFRY_ABI_MINOR 0
/* Grows with every incompatible change of the draft; gone once version 1 is frozen. */
#define BELFRY_DRAFT_REVISION 1
#define BELFRY_ENTRY_SYMBOL "belfry_plugin_main_draft"

#if defined(__GNUC__)
#define BELFRY_EXPORT __attribute__((visibility("default")))
#else
#define BELFRY_EXPORT
#endif

/* Frozen leaf: a borrowed view of bytes. */
typedef struct belfry_str {
    const char* p;
    size_t n;
} belfry_str;

/* Frozen leaf: a borrowed array; element i is at (const char *)p + i * stride. */
typedef struct belfry_list {
    const void* p;
    uint32_t n, stride;
} belfry_list;

/* Frozen leaf: a byte range of a buffer named by the member's comment. */
typedef struct belfry_span {
    uint32_t at, n;
} belfry_span;

/* Class in the high half, detail (0 = none) in the low half. Classes are chosen by what the caller does next. */
typedef int32_t belfry_code;
enum {
    BELFRY_OK = 0,
    BELFRY_RETRY_LATER = 1 << 16, /* trouble that passes; the same call may succeed later */
    BELFRY_BUSY = 2 << 16,        /* a bound of the callee is reached; wait, then the same call */
    BELFRY_BAD_REQUEST = 3 << 16, /* the input is wrong; belfry_why says where */
    BELFRY_AUTH = 4 << 16,        /* a credential was refused; an operator must act */
    BELFRY_NOT_FOUND = 5 << 16,
    BELFRY_CONFLICT = 6 << 16,  /* the stored state is not the one the call relied on */
    BELFRY_DUPLICATE = 7 << 16, /* already done before; the row carries the first answer */
    BELFRY_TOO_LARGE = 8 << 16,
    BELFRY_FENCED = 9 << 16,       /* the item is no longer owned by the caller: discard its results */
    BELFRY_STOPPED = 10 << 16,     /* the push was cancelled or expired */
    BELFRY_PAUSED = 11 << 16,      /* the push was paused; the item was parked */
    BELFRY_DEADLINE = 12 << 16,    /* not finished by the deadline; the outcome may be unknown */
    BELFRY_UNSUPPORTED = 13 << 16, /* this component does not offer the call */
    BELFRY_STORE_FULL = 14 << 16,  /* disk or quota full: nothing was written */
    BELFRY_CORRUPT = 15 << 16,     /* stored data cannot be read */
    BELFRY_CONFIG = 16 << 16,      /* configuration is wrong; an operator must act */
    BELFRY_INTERNAL = 17 << 16     /* a fault of the callee */
};
#define BELFRY_CODE_CLASS(code) ((code) & ~0xffff)

/* Frozen leaf: room that the caller offers for the reason of a failure. Texts are NUL-terminated and cut to fit.
 * `where` names the place in the input ("message.android.ttl", "credentials"); a failure without `text` is itself a
 * fault. */
typedef struct belfry_why {
    uint32_t retry_after_ms; /* 0 = no hint */
    uint32_t reserved;
    char where[128];
    char text[504];
} belfry_why;

/* What one plugin object keeps for one configured instance; opaque to the host. */
typedef struct belfry_instance belfry_instance;

/* Takes rows during a call: same thread, rows borrowed. A non-zero answer means: stop emitting and return soon. */
typedef int32_t (*belfry_emit)(void* ctx, belfry_list rows);

/* The host as one instance sees it. The pointer stays valid until destroy returns; it is the first argument of every
 * service. */
typedef struct belfry_host {
    uint32_t size, abi_minor;
    /* [any] The table of a service by id ("belfry.log/1", see services.h); NULL if this host does not know it. */
    const void* (*service)(const struct belfry_host*, belfry_str id);
} belfry_host;

/* What the entry function returns: a constant table that lives as long as the process. */
typedef struct belfry_plugin {
    uint32_t size;
    uint32_t draft_revision; /* BELFRY_DRAFT_REVISION of the headers this plugin was built with */
    uint32_t needs_minor;    /* lowest BELFRY_ABI_MINOR that has all this plugin uses; written by the author */
    uint32_t reserved;
    belfry_str id, version; /* equal to the manifest's */
    /* [control] Makes an instance of component `component` (a name of the manifest). Pure and repeatable: no I/O, no
     * threads, so that `belfry config check` may call it. `config_json` was checked against the component's schema;
     * every secret in it is {"$secret":"id"}, to be read in start by belfry.secret/1. Returns OK and *out, or
     * BAD_REQUEST/CONFIG with `why`. */
    belfry_code (*create)(const belfry_host*, belfry_str component, belfry_str config_json, belfry_instance** out,
                          belfry_why* why);
    /* [control] Opens what the instance needs; called once, before any call through its interface.
     * Returns OK, or CONFIG, AUTH, RETRY_LATER (the host tries again), CORRUPT, INTERNAL with `why`. */
    belfry_code (*start)(belfry_instance*, int64_t deadline_mono_ns, belfry_why* why);
    /* [control] Ends the instance, started or not: no call is running, its threads are joined before it returns. */
    void (*destroy)(belfry_instance*);
    /* [any] The table of an interface by id ("belfry.provider/1"); NULL if this instance does not have it. */
    const void* (*get_interface)(belfry_instance*, belfry_str id);
} belfry_plugin;

/* The only symbol a plugin exports. `host` is a reduced host that offers only belfry.log/1. Runs no code of
 * consequence: the host may call it in a probe process first. NULL = the plugin refuses this host. */
BELFRY_EXPORT const belfry_plugin* belfry_plugin_main_draft(const belfry_host* host);

#ifdef __cplusplus
}
#endif
#endif
