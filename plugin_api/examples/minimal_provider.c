/* SPDX-License-Identifier: Apache-2.0
 * A whole provider in plain C: posts each payload to https://<url>/push/<token> with a bearer key. Start your own from
 * here. */
#include <belfry/provider.h>
#include <belfry/services.h>
#include <stdlib.h>
#include <string.h>

#define STR(literal) \
    { literal, sizeof(literal) - 1 }
#define LIST(array) \
    { array, (uint32_t)(sizeof(array) / sizeof *(array)), (uint32_t)sizeof *(array) }

struct belfry_instance {
    const belfry_host* host;
    char url[256], key_id[64], bearer[512];
    int32_t endpoint;
};

static belfry_code refuse(belfry_why* why, belfry_code code, const char* where, const char* text) {
    strncat(why->where, where, sizeof why->where - 1);
    strncat(why->text, text, sizeof why->text - 1);
    return code;
}

/* ---- life cycle ---- */
typedef struct buffer {
    char* p;
    size_t room, n;
} buffer;
static int32_t append(void* ctx, belfry_list rows) { /* for services that emit one belfry_str */
    buffer* into = ctx;
    const belfry_str* text = rows.p;
    if (rows.n != 1 || text->n >= into->room - into->n) return 1;
    memcpy(into->p + into->n, text->p, text->n);
    into->n += text->n;
    into->p[into->n] = '\0';
    return 0;
}
static belfry_code create(const belfry_host* host, belfry_str component, belfry_str config, belfry_instance** out,
                          belfry_why* why) {
    const belfry_str id = STR(BELFRY_JSON_ID), url_path = STR("url"), key_path = STR("key.$secret");
    const belfry_json* json = host->service(host, id);
    belfry_instance* self = calloc(1, sizeof *self);
    (void)component;
    if (json == NULL || self == NULL) {
        free(self);
        return refuse(why, BELFRY_UNSUPPORTED, "", "this host offers no " BELFRY_JSON_ID);
    }
    self->host = host;
    buffer url = {self->url, sizeof self->url, 0}, key = {self->key_id, sizeof self->key_id, 0};
    json->unescape(host, config, json->find(host, config, url_path).at, append, &url);
    json->unescape(host, config, json->find(host, config, key_path).at, append, &key);
    *out = self;
    return BELFRY_OK;
}
static belfry_code start(belfry_instance* self, int64_t deadline_mono_ns, belfry_why* why) {
    const belfry_str http_id = STR(BELFRY_HTTP_ID), secret_id = STR(BELFRY_SECRET_ID);
    const belfry_http* http = self->host->service(self->host, http_id);
    const belfry_secret* secret = self->host->service(self->host, secret_id);
    belfry_endpoint endpoint = {.size = sizeof endpoint, .url = {self->url, strlen(self->url)}};
    belfry_str key_id = {self->key_id, strlen(self->key_id)};
    buffer bearer = {self->bearer, sizeof self->bearer, sizeof "Bearer " - 1};
    (void)deadline_mono_ns;
    if (http == NULL || secret == NULL) return refuse(why, BELFRY_UNSUPPORTED, "", "this host is too old");
    memcpy(self->bearer, "Bearer ", sizeof "Bearer ");
    belfry_code code = secret->read(self->host, key_id, append, &bearer, why);
    if (code != BELFRY_OK) return code;
    self->endpoint = http->endpoint(self->host, &endpoint, why);
    return self->endpoint < 0 ? BELFRY_CONFIG : BELFRY_OK;
}
static void destroy(belfry_instance* self) {
    free(self);
}

/* ---- the codec ---- */
static belfry_code validate(belfry_instance* self, const belfry_token* token, belfry_emit emit, void* ctx,
                            belfry_why* why) {
    belfry_token row = {.size = sizeof row, .token = token->token, .identity = token->token};
    (void)self;
    if (token->token.n < 8)
        return refuse(why, BELFRY_BAD_REQUEST, "token", "is shorter than 8 characters; register the whole token");
    emit(ctx, (belfry_list){&row, 1, sizeof row});
    return BELFRY_OK;
}
static belfry_code prepare(belfry_instance* self, const belfry_content* content, belfry_emit emit, void* ctx,
                           belfry_prepared** out, belfry_why* why) {
    const belfry_piece path[] = {{BELFRY_PIECE_TEXT, 0, 6}, {BELFRY_PIECE_TOKEN_PATH, 0, 0}};
    const belfry_piece type[] = {{BELFRY_PIECE_TEXT, 6, 22}};
    const belfry_piece body[] = {{BELFRY_PIECE_PAYLOAD, 0, (uint32_t)content->payload.n}};
    const belfry_field headers[] = {{.size = sizeof *headers, .name = STR("content-type"), .value = LIST(type)}};
    const belfry_plan plan = {.size = sizeof plan,
                              .endpoint = self->endpoint, /* credential 0: what authorize gives */
                              .items_max = 1,
                              .method = STR("POST"),
                              .text = STR("/push/application/json"),
                              .path = LIST(path),
                              .body = LIST(body),
                              .headers = LIST(headers)};
    *out = NULL; /* nothing to remember */
    if (content->kind != BELFRY_CONTENT_TOKENS)
        return refuse(why, BELFRY_UNSUPPORTED, "", "this provider knows device tokens only");
    if ((content->flags & BELFRY_CONTENT_CHECK_ONLY) == 0) emit(ctx, (belfry_list){&plan, 1, sizeof plan});
    return BELFRY_OK;
}
static void release(belfry_instance* self, belfry_prepared* prepared) {
    (void)self, (void)prepared;
}
static belfry_code authorize(belfry_instance* self, uint32_t slot, int64_t deadline_mono_ns, belfry_emit emit,
                             void* ctx, belfry_why* why) {
    const int64_t day_ms = 24 * 3600 * 1000;
    belfry_credential row = {.size = sizeof row, .valid_ms = day_ms, .refresh_after_ms = day_ms / 2};
    row.value = (belfry_str){self->bearer, strlen(self->bearer)};
    (void)slot, (void)deadline_mono_ns, (void)why;
    emit(ctx, (belfry_list){&row, 1, sizeof row});
    return BELFRY_OK;
}
static int32_t outcome_of(int32_t status) {
    if (status / 100 == 2) return BELFRY_ACCEPTED;
    if (status == 404 || status == 410) return BELFRY_DEVICE_GONE;
    if (status == 401) return BELFRY_AUTH_REFUSED;
    if (status == 429) return BELFRY_THROTTLED;
    return status >= 500 ? BELFRY_RETRY : BELFRY_REFUSED;
}
static void decode(belfry_instance* self, belfry_list answers, belfry_emit emit, void* ctx) {
    (void)self;
    for (uint32_t i = 0; i < answers.n; ++i) {
        const belfry_answer* answer = (const void*)((const char*)answers.p + (size_t)i * answers.stride);
        const int32_t outcome = outcome_of(answer->status);
        const int pauses = outcome == BELFRY_AUTH_REFUSED || outcome == BELFRY_THROTTLED;
        belfry_verdict row = {.size = sizeof row, .item = answer->first_item, .outcome = outcome};
        row.scope = pauses ? BELFRY_SCOPE_INSTANCE : BELFRY_SCOPE_ITEM;
        emit(ctx, (belfry_list){&row, 1, sizeof row});
    }
}

/* ---- tables ---- */
static const void* get_interface(belfry_instance* self, belfry_str id) {
    /* What is not named is NULL: this provider neither writes its requests itself nor sends them. */
    static const belfry_provider table = {.size = sizeof table,
                                          .validate = validate,
                                          .prepare = prepare,
                                          .release = release,
                                          .authorize = authorize,
                                          .decode = decode};
    (void)self;
    return id.n == sizeof BELFRY_PROVIDER_ID - 1 && memcmp(id.p, BELFRY_PROVIDER_ID, id.n) == 0 ? &table : NULL;
}
const belfry_plugin* belfry_plugin_main_draft(const belfry_host* host) {
    static const belfry_plugin table = {
        sizeof table, BELFRY_DRAFT_REVISION, 0, 0, STR("minimal"), STR("1.0.0"), create, start, destroy, get_interface};
    (void)host;
    return &table;
}
