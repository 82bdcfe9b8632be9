/* SPDX-License-Identifier: Apache-2.0
 * Interface "belfry.limiter/1": rate limits of recipients, for a page of them in one call. Optional; an instance of a
 * queue offers it beside belfry.queue/1, because limits that several nodes share belong where they share everything
 * else.
 *
 * A bucket belongs to a key and a policy, whatever other policies a call names. It holds `burst` deliveries, and each
 * one that was taken comes back after interval_ms / rate, one at a time (GCRA). Exactly: over any time, no more than
 * burst + time * rate / interval_ms are taken, and whoever asks often enough gets that many. Only the store's clock
 * counts; should it step back, nobody waits longer for a bucket than an empty one takes to fill.
 * A bucket that is full again is forgotten, with everything that was charged to it: that bounds what is stored. */
#ifndef BELFRY_LIMITER_H
#define BELFRY_LIMITER_H

#include <belfry/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_LIMITER_ID "belfry.limiter/1"

/* belfry_limiter.flags */
enum {
    BELFRY_LIMITER_SHARED = 1u, /* all nodes on the store share the buckets; else they are this process's alone */
    BELFRY_LIMITER_LASTING = 2u /* buckets outlive an orderly restart of host and store; nothing else is promised */
};

/* Bounds of a call; what exceeds them is BAD_REQUEST, which names policies[i] or charges[i] in `where`. */
enum {
    BELFRY_POLICIES_MAX = 8,         /* of a call */
    BELFRY_CHARGES_MAX = 4096,       /* of a call; a page has about 1,000 */
    BELFRY_POLICY_RATE_MAX = 1000000 /* of rate and of burst */
};
#define BELFRY_POLICY_INTERVAL_MAX_MS INT64_C(2678400000) /* 31 days */
#define BELFRY_POLICY_FILL_MAX_MS INT64_C(31622400000)    /* 366 days: burst * interval_ms / rate */
/* How many of the latest charges a bucket knows at least. */
#define BELFRY_CHARGES_KNOWN 8

typedef struct belfry_policy {
    uint32_t size, rate; /* `rate` deliveries ... */
    int64_t interval_ms; /* ... in so long ... */
    uint32_t burst;      /* ... of which so many may come at once; usually `rate` */
    uint32_t reserved;
} belfry_policy;

/* One delivery. `stamp` names it, the same on every repetition of (push, device): a charge that one of its buckets
 * still knows is not made again. Stores may look at its low 32 bits only. 0: unnamed, charged each time. */
typedef struct belfry_charge {
    uint32_t size, reserved;
    uint8_t key[16]; /* whose buckets: a hash of app, kind of key and key, all of it well mixed */
    uint64_t stamp;
} belfry_charge;

/* The answer to one charge. OK: taken from a bucket of every policy. DUPLICATE: was taken before, and is allowed like
 * OK. BUSY: denied by at least one policy, and nothing was taken from any; the same charge alone will be allowed
 * wait_ms later, and not before. */
typedef struct belfry_charged {
    uint32_t size, index;
    belfry_code code;
    uint32_t reserved;
    int64_t wait_ms; /* of BUSY: at least 1 */
} belfry_charged;

typedef struct belfry_limiter {
    uint32_t size, flags, concurrency, reserved; /* calls at once, 0: any */
    /* [work] Charges (belfry_charge[]) against all of `policies` (belfry_policy[], at least one), in their order, each
     * atomically whatever other callers do; one belfry_charged each. RETRY_LATER, DEADLINE, STORE_FULL, INTERNAL: the
     * store did not answer, there are no rows, and the host decides whether what it asked about is sent or waits;
     * some may have been charged, so that the same call, repeated, answers DUPLICATE for them. */
    belfry_code (*charge)(belfry_instance*, belfry_list policies, belfry_list charges, int64_t deadline_mono_ns,
                          belfry_emit, void* ctx, belfry_why*);
} belfry_limiter;

#ifdef __cplusplus
}
#endif
#endif
