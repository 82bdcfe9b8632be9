/* SPDX-License-Identifier: Apache-2.0
 * What the host offers to plugins, each table by its id from belfry_host.service. Every function takes the instance's
 * host first. With these a provider needs no TLS, HTTP, JSON or crypto library of its own. Tables live as long as the
 * process. */
#ifndef BELFRY_SERVICES_H
#define BELFRY_SERVICES_H

#include <belfry/plugin.h>
#include <belfry/provider.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- belfry.log/1 ---- */
#define BELFRY_LOG_ID "belfry.log/1"
enum belfry_level { BELFRY_LEVEL_DEBUG = 1, BELFRY_LEVEL_INFO = 2, BELFRY_LEVEL_WARNING = 3, BELFRY_LEVEL_ERROR = 4 };
typedef struct belfry_log {
    uint32_t size, reserved;
    /* [any] 1 if lines of this level are kept; ask before formatting. */
    int32_t (*enabled)(const belfry_host*, int32_t level);
    /* [any] One line: fixed event text and fields (belfry_header[]). Never give tokens, payloads or secrets. */
    void (*write)(const belfry_host*, int32_t level, belfry_str event, belfry_list fields);
} belfry_log;

/* ---- belfry.metrics/1: define in create or start, then add from anywhere ---- */
#define BELFRY_METRICS_ID "belfry.metrics/1"
enum belfry_metric_kind { BELFRY_METRIC_COUNTER = 1, BELFRY_METRIC_GAUGE = 2 };
typedef struct belfry_metrics {
    uint32_t size, reserved;
    /* [control] A handle >= 0, or -1 if the name is not [a-z_]+ or too many are defined. The host adds prefix and
     * instance label. */
    int32_t (*define)(const belfry_host*, int32_t kind, belfry_str name, belfry_str help);
    /* [any] Adds to a counter (value >= 0) or sets a gauge. */
    void (*record)(const belfry_host*, int32_t handle, double value);
} belfry_metrics;

/* ---- belfry.clock/1 ---- */
#define BELFRY_CLOCK_ID "belfry.clock/1"
typedef struct belfry_clock {
    uint32_t size, reserved;
    int64_t (*mono_ns)(const belfry_host*); /* [any] */
    int64_t (*unix_ms)(const belfry_host*); /* [any] */
} belfry_clock;

/* ---- belfry.http/1: endpoints for plans, and blocking calls for control traffic (OAuth, channels) ---- */
#define BELFRY_HTTP_ID "belfry.http/1"
enum {
    BELFRY_ENDPOINT_UNTRUSTED = 1u,    /* the URL comes from outside: address policy applies at connect time */
    BELFRY_ENDPOINT_H1_OK = 2u,        /* HTTP/1.1 will do if the peer has no h2 */
    BELFRY_ENDPOINT_WAIT_SETTINGS = 4u /* one stream at most until the peer's SETTINGS came */
};
typedef struct belfry_endpoint {
    uint32_t size, flags;
    belfry_str url;       /* "https://host[:port]", without path; "http://" if the configuration says plain_loopback */
    belfry_str partition; /* connections are shared only between equal (url, partition) */
    belfry_str client_cert_pem, client_key_pem;
    uint32_t connections_max, idle_s; /* 0 = the host's defaults */
} belfry_endpoint;
typedef struct belfry_http {
    uint32_t size, reserved;
    /* [control] Declares an endpoint, in start. An id >= 0, or -1 with `why`. ca_file, proxy and the like come from the
     * provider's host-level configuration. */
    int32_t (*endpoint)(const belfry_host*, const belfry_endpoint*, belfry_why*);
    /* [work][control] One request, blocking until the answer or the deadline; spans refer to buf, headers as "name:
     * value\n", `method` e.g. "POST". Emits one belfry_answer. RETRY_LATER: no answer, `why` says what happened. */
    belfry_code (*call)(const belfry_host*, int32_t endpoint, belfry_str method, const belfry_request*, const char* buf,
                        int64_t deadline_mono_ns, belfry_emit answer, void* ctx, belfry_why*);
} belfry_http;

/* ---- belfry.crypto/1 ---- */
#define BELFRY_CRYPTO_ID "belfry.crypto/1"
enum belfry_jwt_alg { BELFRY_JWT_RS256 = 1, BELFRY_JWT_ES256 = 2, BELFRY_JWT_PS256 = 3 };

enum { BELFRY_SEAL_CHECK_ONLY = 1u }; /* check the keys, encrypt nothing */
/* One Web Push message for one subscription. */
typedef struct belfry_seal_item {
    uint32_t size, padding; /* padding: zero bytes behind the payload, inside the encryption, to hide its length */
    belfry_str p256dh;      /* the subscription's key: 65 bytes, an uncompressed point on P-256 */
    belfry_str auth;        /* the subscription's secret: 16 bytes */
    belfry_str payload;     /* at most 3993 bytes with the padding */
} belfry_seal_item;
typedef struct belfry_sealed {
    uint32_t size, index; /* index: of the item */
    belfry_code code;     /* OK, BAD_REQUEST or TOO_LARGE */
    uint32_t reserved;
    belfry_str body;   /* of the request, with `content-encoding: aes128gcm`; empty unless OK */
    belfry_str reason; /* "p256dh: is not a point on the curve P-256"; empty if OK */
} belfry_sealed;
typedef struct belfry_p256_key {
    uint32_t size, reserved;
    belfry_str pem;          /* PKCS#8, as jwt_sign takes it */
    belfry_str public_point; /* 65 bytes, uncompressed */
    belfry_str scalar;       /* the private number, 32 bytes */
} belfry_p256_key;
/* A certificate with its private key, as TLS takes them. */
typedef struct belfry_client_identity {
    uint32_t size, reserved;
    belfry_str key_pem, certificates_pem; /* certificates: the key's own first, then its chain */
    belfry_str subject_uid;               /* attribute UID of the subject, empty if there is none */
    int64_t not_after_unix_ms;
} belfry_client_identity;

typedef struct belfry_crypto {
    uint32_t size, reserved;
    /* [pure] Signs {"alg":..., + header_json members} . claims_json with a PEM key (PKCS#8 or traditional) and emits
     * one belfry_str: the compact JWT. BAD_REQUEST: the key cannot be read or does not fit the algorithm. */
    belfry_code (*jwt_sign)(const belfry_host*, int32_t alg, belfry_str key_pem, belfry_str header_json,
                            belfry_str claims_json, belfry_emit, void* ctx, belfry_why*);
    /* [pure] HMAC-SHA-256 / SHA-256 into out[32]. */
    void (*hmac_sha256)(const belfry_host*, belfry_str key, belfry_str data, uint8_t out[32]);
    void (*sha256)(const belfry_host*, belfry_str data, uint8_t out[32]);
    /* [pure] Cryptographically random bytes. */
    void (*random)(const belfry_host*, void* out, uint32_t n);
    /* [pure] Web Push encryption (RFC 8291, aes128gcm), a fresh key pair and salt per item. `items`:
     * belfry_seal_item[]; flags: BELFRY_SEAL_*. Emits one belfry_sealed per item, in order, one by one. */
    void (*webpush_seal)(const belfry_host*, uint32_t flags, belfry_list items, belfry_emit, void* ctx);
    /* [pure] A key pair on P-256: a new one if `key` is empty, else the one of a PEM text or of a bare private number
     * of at most 32 bytes. Emits one belfry_p256_key. BAD_REQUEST: `key` is neither. */
    belfry_code (*p256_key)(const belfry_host*, belfry_str key, belfry_emit, void* ctx, belfry_why*);
    /* [pure] Reads PKCS#12 (bytes or base64; also with the old ciphers of Keychain) or PEM text, decrypting by
     * `password`, and emits one belfry_client_identity. BAD_REQUEST: unreadable, wrong password, or no key. */
    belfry_code (*client_identity)(const belfry_host*, belfry_str bytes, belfry_str password, belfry_emit, void* ctx,
                                   belfry_why*);
} belfry_crypto;

/* ---- belfry.json/1: spans of JSON text, never a tree ---- */
#define BELFRY_JSON_ID "belfry.json/1"
enum belfry_json_type {
    BELFRY_JSON_NULL = 1,
    BELFRY_JSON_FALSE = 2,
    BELFRY_JSON_TRUE = 3,
    BELFRY_JSON_NUMBER = 4,
    BELFRY_JSON_STRING = 5,
    BELFRY_JSON_ARRAY = 6,
    BELFRY_JSON_OBJECT = 7
};
/* Frozen leaf: a value inside a text; strings include their quotes. */
typedef struct belfry_json_value {
    int32_t type; /* belfry_json_type; 0 = absent */
    belfry_span at;
} belfry_json_value;
/* A member of an object or element of an array; borrowed during emit. Frozen leaf. */
typedef struct belfry_json_entry {
    belfry_json_value key; /* absent in arrays */
    belfry_json_value value;
} belfry_json_entry;
typedef struct belfry_json {
    uint32_t size, reserved;
    /* [pure] OK if text is one valid JSON value (RFC 8259, valid UTF-8, depth <= 64); else BAD_REQUEST with the
     * position in why. */
    belfry_code (*check)(const belfry_host*, belfry_str text, belfry_why*);
    /* [pure] The value at a path like "error.details" or "results.0.error"; type 0 if absent. `text` must be valid. */
    belfry_json_value (*find)(const belfry_host*, belfry_str text, belfry_str path);
    /* [pure] Emits the entries (belfry_json_entry[], spans relative to text) of the object or array at `at`. */
    void (*entries)(const belfry_host*, belfry_str text, belfry_span at, belfry_emit, void* ctx);
    /* [pure] Unescapes the string at `at` (with quotes) and emits one belfry_str. */
    void (*unescape)(const belfry_host*, belfry_str text, belfry_span at, belfry_emit, void* ctx);
    /* [pure] Emits `raw` as the inside of a JSON string. */
    void (*escape)(const belfry_host*, belfry_str raw, belfry_emit, void* ctx);
} belfry_json;

/* ---- belfry.secret/1 ---- */
#define BELFRY_SECRET_ID "belfry.secret/1"
typedef struct belfry_secret {
    uint32_t size, reserved;
    /* [control] In start: emits one belfry_str with the secret's bytes. NOT_FOUND or CONFIG with `why` (file unreadable
     * ...). */
    belfry_code (*read)(const belfry_host*, belfry_str id, belfry_emit, void* ctx, belfry_why*);
} belfry_secret;

/* ---- belfry.state/1: small private state of an instance ---- */
#define BELFRY_STATE_ID "belfry.state/1"
enum belfry_state_scope { BELFRY_STATE_NODE = 1, BELFRY_STATE_CLUSTER = 2 };
typedef struct belfry_state {
    uint32_t size, reserved;
    /* [control] The private directory of this instance under data_dir, created 0700; emits one belfry_str. */
    belfry_code (*directory)(const belfry_host*, belfry_emit, void* ctx, belfry_why*);
    /* [work][control] As kv_get / kv_cas of storage.h, keys private to the instance. */
    belfry_code (*get)(const belfry_host*, int32_t scope, belfry_str key, belfry_emit, void* ctx, belfry_why*);
    belfry_code (*cas)(const belfry_host*, int32_t scope, belfry_str key, int64_t version, belfry_str value,
                       belfry_why*);
} belfry_state;

#ifdef __cplusplus
}
#endif
#endif
