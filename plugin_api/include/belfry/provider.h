/* SPDX-License-Identifier: Apache-2.0
 * Interface "belfry.provider/1": a push provider is a codec. It checks tokens and payloads, says once per push how
 * requests look (a plan), makes credentials, and turns answers into verdicts. The host owns sockets, bytes in flight,
 * retries, pacing and the life of credentials, and executes plans from its own memory: no plugin code runs on a network
 * loop. */
#ifndef BELFRY_PROVIDER_H
#define BELFRY_PROVIDER_H

#include <belfry/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_PROVIDER_ID "belfry.provider/1"

/* What an instance remembers about one prepared push; opaque. */
typedef struct belfry_prepared belfry_prepared;

/* A device token as the application gave it, or as validate normalised it. */
typedef struct belfry_token {
    uint32_t size, variant; /* variant: which plan this device starts with; 0 if the provider has only one */
    belfry_str platform;    /* as registered: "android", "ios", "web" ...; may be empty */
    belfry_str token;       /* what goes on the wire */
    belfry_str identity;    /* out: what is unique; equal identity = same device registration */
    belfry_str data;        /* out: provider_data, at most 1 KiB, opaque to the host; but "<p256dh>.<auth>", both in
                               base64url, is what lists and exports show as a browser's keys */
    uint32_t flags;         /* out: BELFRY_TOKEN_*; draft 1 gained it later: absent in older rows, then 0 */
    uint32_t reserved;
} belfry_token;
enum {
    /* Nothing says that this variant is right: where the device is known with this token, the one it has is kept. */
    BELFRY_TOKEN_VARIANT_GUESSED = 1u
};

enum belfry_content_kind {
    BELFRY_CONTENT_TOKENS = 1,
    BELFRY_CONTENT_TOPIC = 2,
    BELFRY_CONTENT_CONDITION = 3,
    BELFRY_CONTENT_CHANNEL = 4
};
enum {
    BELFRY_CONTENT_CHECK_ONLY = 1u, /* validate, emit no plan, keep nothing (API validation) */
    BELFRY_CONTENT_DRY_RUN = 2u,    /* the provider's own validation mode; UNSUPPORTED if it has none */
    BELFRY_CONTENT_HAS_HOLES = 4u   /* payload holds template holes; sizes are not final */
};

/* What a push asks this provider to send. */
typedef struct belfry_content {
    uint32_t size, flags; /* BELFRY_CONTENT_* */
    int32_t kind;         /* belfry_content_kind */
    uint32_t reserved;
    belfry_str
        payload; /* the caller's JSON value for this provider, byte for byte (for FCM: the value of notification.fcm) */
    belfry_str target;       /* topic, condition or channel; empty for TOKENS */
    int64_t expires_unix_ms; /* 0 = never */
} belfry_content;

enum belfry_piece_kind {
    BELFRY_PIECE_TEXT = 1,           /* plan.text[from, to) */
    BELFRY_PIECE_PAYLOAD = 2,        /* content.payload[from, to), after rendering */
    BELFRY_PIECE_PAYLOAD_STRING = 3, /* the same, JSON-unescaped */
    BELFRY_PIECE_TOKEN = 4,          /* the device's token as it is */
    BELFRY_PIECE_TOKEN_JSON = 5,     /* escaped for the inside of a JSON string */
    BELFRY_PIECE_TOKEN_PATH = 6,     /* percent-encoded for a URL path segment */
    BELFRY_PIECE_TARGET_JSON = 7,    /* content.target, JSON-escaped */
    BELFRY_PIECE_DELIVERY_ID = 8,    /* UUID text of (push, device): the same on every retry */
    BELFRY_PIECE_EXPIRES_S = 9,      /* expiry as Unix seconds, 0 if none */
    BELFRY_PIECE_TTL_S = 10          /* seconds left until expiry */
};

/* Frozen leaf: one part of a path, header or body. */
typedef struct belfry_piece {
    int32_t kind; /* belfry_piece_kind */
    uint32_t from, to;
} belfry_piece;

enum { BELFRY_FIELD_NEVER_INDEX = 1u };
typedef struct belfry_field {
    uint32_t size, flags;
    belfry_str name;   /* lower case */
    belfry_list value; /* belfry_piece[] */
} belfry_field;

/* A request template for devices of one variant. The host copies it during emit and executes it without the plugin. */
typedef struct belfry_plan {
    uint32_t size, variant;
    int32_t endpoint;       /* id from belfry.http/1 endpoint() */
    int32_t credential;     /* slot whose value is sent as `authorization`; -1 = none */
    uint32_t items_max;     /* devices per request; 1 unless encode packs more; beyond 1,000 means 1,000 */
    uint32_t answer_max;    /* longest answer body decode wants to see, bytes; longer ones are cut */
    belfry_str method;      /* "POST" */
    belfry_str text;        /* what TEXT pieces refer to */
    belfry_list path, body; /* belfry_piece[]; empty body = encode writes the requests */
    belfry_list headers;    /* belfry_field[]; without authorization, content-length and pseudo headers */
    belfry_list keep;       /* belfry_str[]: answer headers that decode wants, lower case */
} belfry_plan;

typedef struct belfry_item {
    uint32_t size, index, variant, attempt; /* attempt: 1 = first */
    belfry_str token, data, payload;        /* payload: rendered; equal renderings are adjacent and pointer-equal */
    int64_t expires_unix_ms;
    uint8_t delivery_id[16];
    int64_t started_unix_ms; /* since when the push could be sent, the same on every attempt: what a time to live counts
                                from. 0 = not known (older hosts) */
} belfry_item;

/* One request written by encode; spans refer to outbox.buf. */
typedef struct belfry_request {
    uint32_t size, first_item, items, variant;
    belfry_span origin, path, headers,
        body; /* origin may be empty: the plan's endpoint; headers as "name: value\n" lines */
} belfry_request;

typedef struct belfry_outbox {
    uint32_t size, stride, cap, n; /* requests: stride, room, and how many encode wrote */
    void* requests;                /* belfry_request[cap] */
    char* buf;
    uint32_t buf_cap, buf_n;
} belfry_outbox;

enum {
    /* The body broke off before its end (stream reset, connection lost): only status and headers are what was said. */
    BELFRY_ANSWER_CUT = 1u
};

/* One HTTP answer. Transport failures (never sent, refused, unknown) are the host's and never come here. */
typedef struct belfry_answer {
    uint32_t size, first_item, items, variant;
    int32_t status;
    uint32_t resent; /* how often this attempt was sent again after RESEND */
    const belfry_prepared* prepared;
    belfry_str body, origin;
    belfry_list headers;  /* belfry_header[]: those named by plan.keep, whatever the status */
    int64_t date_unix_ms; /* the answer's Date header, 0 if none; for a 2xx let plan.keep name "date" instead */
    belfry_list tokens;   /* belfry_str[]: of the items, in order; only for requests that encode wrote */
    uint32_t flags;       /* BELFRY_ANSWER_*; draft 1 gained it later: absent in older rows, then 0 */
    uint32_t reserved;
} belfry_answer;

/* Frozen leaf. */
typedef struct belfry_header {
    belfry_str name, value;
} belfry_header;

enum belfry_outcome {
    BELFRY_ACCEPTED = 1,      /* counted; message_id may be given */
    BELFRY_DEVICE_GONE = 2,   /* the token is dead: gone_unix_ms = since when (0 unknown); SUSPECT when not certain */
    BELFRY_REFUSED = 3,       /* final for the scope; never touches devices */
    BELFRY_RETRY = 4,         /* counts as an attempt; retry_after_ms or the host's back-off */
    BELFRY_THROTTLED = 5,     /* paces or pauses the scope; no attempt */
    BELFRY_AUTH_REFUSED = 6,  /* pauses the scope, alarm, slow probes; no attempt */
    BELFRY_MISCONFIGURED = 7, /* as AUTH_REFUSED, for settings */
    BELFRY_EXPIRED = 8,
    BELFRY_NOT_SUPPORTED = 9,
    BELFRY_FAULT = 10 /* the answer made no sense */
};
enum belfry_scope {
    BELFRY_SCOPE_ITEM = 1,
    BELFRY_SCOPE_PUSH = 2,
    BELFRY_SCOPE_PLATFORM = 3,
    BELFRY_SCOPE_ORIGIN = 4,
    BELFRY_SCOPE_INSTANCE = 5
};
enum {
    /* With DEVICE_GONE: perhaps dead. With REFUSED: it looks dead, but is to be kept. Both are counted: where nearly
     * everything is suspect, the host deletes nothing and says so. */
    BELFRY_VERDICT_SUSPECT = 1u,
    BELFRY_VERDICT_RESEND = 2u, /* send again now, as `variant`; at most twice per attempt */
    BELFRY_VERDICT_REAUTH = 4u, /* the credential this request used is no longer good; host compares generations */
    BELFRY_VERDICT_RETIRE_CONNECTION = 8u,
    BELFRY_VERDICT_LEARN_VARIANT = 16u /* keep `variant` on the device */
};

/* Exactly one per item of the answers given to decode (or items given to send). */
typedef struct belfry_verdict {
    uint32_t size, item;     /* index of the item */
    int32_t outcome, scope;  /* belfry_outcome, belfry_scope */
    uint32_t flags, variant; /* BELFRY_VERDICT_* */
    int64_t retry_after_ms;  /* 0 = no hint */
    int64_t gone_unix_ms;
    belfry_str message_id, reason; /* reason: the provider's own short word ("UNREGISTERED"), then what to do */
} belfry_verdict;

typedef struct belfry_credential {
    uint32_t size, reserved;
    belfry_str value;            /* the whole authorization header value */
    int64_t valid_ms;            /* from now, on the monotonic clock */
    int64_t refresh_after_ms;    /* renew in the background from then on */
    int64_t not_again_before_ms; /* even when refused, do not make another one earlier */
} belfry_credential;

/* ---- broadcast channels that the provider keeps (APNs): one request reaches everybody who follows one ---- */
enum belfry_channel_verb {
    BELFRY_CHANNEL_CREATE = 1, /* makes a channel and emits it, with its id */
    BELFRY_CHANNEL_GET = 2,    /* emits the channel `id` */
    BELFRY_CHANNEL_DELETE = 3, /* emits nothing */
    BELFRY_CHANNEL_LIST = 4    /* emits all channels of the topic; a row may have nothing but its id */
};
enum { BELFRY_CHANNEL_STORES = 1u }; /* the newest push is kept for devices that are offline */

/* What a user wants done, now. */
typedef struct belfry_channel_call {
    uint32_t size;
    int32_t verb;             /* belfry_channel_verb; UNSUPPORTED refuses one that the plugin does not know */
    uint32_t flags, reserved; /* BELFRY_CHANNEL_*, of CREATE */
    belfry_str topic;         /* the app as the provider calls it (APNs: bundle id); empty = the configured one */
    belfry_str id;            /* of GET and DELETE */
    belfry_str push_type;     /* of CREATE, in the provider's own word; empty = its usual one */
    int64_t deadline_mono_ns;
} belfry_channel_call;

typedef struct belfry_channel {
    uint32_t size, flags; /* BELFRY_CHANNEL_* */
    belfry_str id;        /* visible ASCII, no blanks, at most 1 KiB; what content.target of a push to it says */
    belfry_str push_type; /* likewise; may be empty */
} belfry_channel;

typedef struct belfry_provider {
    uint32_t size;
    uint32_t flags;              /* reserved, 0 */
    uint32_t concurrency;        /* how many [work]/[pure] calls may run at once; 0 = any number */
    uint32_t per_minute_default; /* devices per minute when the configuration says nothing; 0 = no limit */
    /* [pure] Checks a token and emits exactly one belfry_token. BAD_REQUEST with `why` refuses it. */
    belfry_code (*validate)(belfry_instance*, const belfry_token*, belfry_emit, void* ctx, belfry_why* why);
    /* [work] Checks the content and emits one belfry_plan per variant; *out lives until release. Once per push, node
     * and instance generation. BAD_REQUEST, TOO_LARGE or UNSUPPORTED with `why` refuse the push for this provider. */
    belfry_code (*prepare)(belfry_instance*, const belfry_content*, belfry_emit, void* ctx, belfry_prepared** out,
                           belfry_why* why);
    /* [work] Forgets a prepared push; no request of it is in flight or waits for decode. */
    void (*release)(belfry_instance*, belfry_prepared*);
    /* [control] Makes the credential of `slot` and emits it. The host does single flight, refresh, back-off and the
     * alarm. AUTH or CONFIG: an operator must act; RETRY_LATER: trouble that passes. */
    belfry_code (*authorize)(belfry_instance*, uint32_t slot, int64_t deadline_mono_ns, belfry_emit, void* ctx,
                             belfry_why* why);
    /* [pure] Optional, NULL if plans have bodies. Writes requests for a prefix of `items` (belfry_item[]) and returns
     * its length; items it refuses leave as belfry_verdict rows by emit. */
    uint32_t (*encode)(belfry_instance*, const belfry_prepared*, belfry_list items, belfry_outbox*, belfry_emit,
                       void* ctx);
    /* [pure] HTTP answers (belfry_answer[]) in, one belfry_verdict per item out. 2xx come once per page, others at once
     * in small lists. */
    void (*decode)(belfry_instance*, belfry_list answers, belfry_emit, void* ctx);
    /* [work] Instead of plans and decode for what is not HTTP; NULL otherwise. Sends `items` and emits verdicts. */
    belfry_code (*send)(belfry_instance*, const belfry_prepared*, belfry_list items, int64_t deadline_mono_ns,
                        belfry_emit, void* ctx);
    /* [work] Optional, NULL if the provider has none; draft 1 gained it later, so the host tests `size`. Manages its
     * broadcast channels while somebody waits, and emits belfry_channel rows. BAD_REQUEST, NOT_FOUND or CONFLICT with
     * why.where "topic", "id" or "push_type"; BUSY with a hint: too many calls; AUTH or CONFIG: an operator must act;
     * RETRY_LATER or DEADLINE: `why` says so where it may have been done all the same. */
    belfry_code (*channels)(belfry_instance*, const belfry_channel_call*, belfry_emit, void* ctx, belfry_why* why);
} belfry_provider;

#ifdef __cplusplus
}
#endif
#endif
