#include "etcd/sync.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "etcd.pb-c.h"
#include "etcd/client.h"
#include "etcd/endpoints.h"
#include "etcd/op.h"
#include "etcd/waiter.h"

enum { LONGEST_ANSWER = 1 << 20, ARENA_FACTOR = 64 };

/* ---- reading the list ---- */

typedef enum scheme { OTHER, PLAIN, SECURE } scheme;

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

static scheme scheme_of(const char *url) {
  if (starts_with(url, "https://") || starts_with(url, "unixs:")) return SECURE;
  return starts_with(url, "http://") || starts_with(url, "unix:") ? PLAIN : OTHER;
}

/* It has not started without a name, and a learner refuses most calls. */
static bool is_of_use(const Etcdserverpb__Member *member) {
  return member->name != NULL && member->name[0] != '\0' && !member->islearner;
}

static size_t count_urls(const Etcdserverpb__MemberListResponse *list, scheme wanted) {
  size_t n = 0;
  for (size_t i = 0; i < list->n_members; i++) {
    const Etcdserverpb__Member *m = list->members[i];
    for (size_t k = 0; is_of_use(m) && k < m->n_clienturls; k++) {
      n += scheme_of(m->clienturls[k]) == wanted;
    }
  }
  return n;
}

static bool has_name(const coord__endpoints *endpoints, const char *name) {
  for (size_t i = 0; i < endpoints->count; i++) {
    if (strcmp(endpoints->items[i].name, name) == 0) return true;
  }
  return false;
}

/* What is no endpoint is passed over: one member with a strange URL must not cost the others. */
static coord_code add_url(const char *url, coord__endpoints *out) {
  coord__endpoints one = {0};
  coord_code code = coord__endpoints_parse(url, &one, NULL);
  if (code != COORD_OK) return code == COORD_NO_MEMORY ? code : COORD_OK;
  if (one.count == 1 && !has_name(out, one.items[0].name)) {
    out->items[out->count++] = one.items[0];
    one.count = 0;
  }
  coord__endpoints_free(&one);
  return COORD_OK;
}

static coord_code collect(const Etcdserverpb__MemberListResponse *list, scheme wanted,
                          coord__endpoints *out) {
  coord__endpoints found = {.items =
                                coord__calloc(count_urls(list, wanted) + 1, sizeof *found.items)};
  coord_code code = found.items != NULL ? COORD_OK : COORD_NO_MEMORY;
  for (size_t i = 0; i < list->n_members; i++) {
    const Etcdserverpb__Member *m = list->members[i];
    for (size_t k = 0; code == COORD_OK && is_of_use(m) && k < m->n_clienturls; k++) {
      if (scheme_of(m->clienturls[k]) == wanted) code = add_url(m->clienturls[k], &found);
    }
  }
  if (code == COORD_OK) {
    *out = found;
  } else {
    coord__endpoints_free(&found);
  }
  return code;
}

/* Secrets must not go over the wire in the clear because somebody could change what the members
 * announce: so from TLS there is no way back. Without TLS, it is used once nobody announces anything
 * else. */
static coord_code choose(const Etcdserverpb__MemberListResponse *list, bool secure,
                         coord__endpoints *out, coord_error **err) {
  coord__endpoints plain = {0};
  coord_code code = collect(list, PLAIN, &plain);
  if (code == COORD_OK && !secure && plain.count > 0) {
    *out = plain;
    return COORD_OK;
  }
  bool has_plain = plain.count > 0;
  coord__endpoints_free(&plain);
  if (code == COORD_OK) code = collect(list, SECURE, out);
  if (code != COORD_OK) return coord__no_memory(err);
  if (out->count > 0) return COORD_OK;
  coord__endpoints_free(out);
  if (has_plain) {
    return coord__fail(
        err, COORD_TLS,
        "members: what they announce to clients is without TLS, and the endpoints in "
        "use are with TLS; see etcd's --advertise-client-urls");
  }
  return coord__fail(err, COORD_NOT_FOUND,
                     "members: of %zu none announces an address of use to clients; see etcd's "
                     "--advertise-client-urls",
                     list->n_members);
}

coord_code coord__sync_read(const uint8_t *bytes, size_t len, bool secure, coord__endpoints *out,
                            coord_error **err) {
  coord__arena *arena = coord__arena_new(4096, LONGEST_ANSWER + ARENA_FACTOR * len);
  if (arena == NULL) return coord__no_memory(err);
  Etcdserverpb__MemberListResponse *list =
      etcdserverpb__member_list_response__unpack(coord__arena_allocator(arena), len, bytes);
  coord_code code;
  if (list != NULL) {
    code = choose(list, secure, out, err);
  } else if (coord__arena_get_state(arena) == COORD__ARENA_NO_MEMORY) {
    code = coord__no_memory(err);
  } else {
    code = coord__fail(err, COORD_PROTOCOL,
                       "members: the server's answer of %zu bytes is not a valid list", len);
  }
  coord__arena_free(arena);
  return code;
}

/* ---- taking it ---- */

static bool same_set(const coord__endpoints *a, const coord__endpoints *b) {
  for (size_t i = 0; i < a->count; i++) {
    if (!has_name(b, a->items[i].name)) return false;
  }
  return a->count == b->count;
}

static coord_code take(coord_client *c, const coord__buf *answer, coord_error **err) {
  coord__endpoints found = {0};
  const coord__endpoints *present = &c->rpc.config.endpoints;
  coord_code code = coord__sync_read(answer->data, answer->len, present->items[0].tls, &found, err);
  if (code != COORD_OK) return code;
  if (same_set(&found, present)) {
    coord__endpoints_free(&found);
    return COORD_OK;
  }
  code = coord__client_check_tls(c, &found, err);
  char *text = code == COORD_OK ? coord__endpoints_text(&found) : NULL;
  if (code == COORD_OK && (text == NULL || !coord__rpc_set_endpoints(&c->rpc, &found))) {
    code = coord__no_memory(err);
  }
  if (code == COORD_OK) {
    coord__log_at(&c->log, COORD_LOG_INFO, "members: the endpoints are %s", text);
  } else {
    coord__endpoints_free(&found);
  }
  coord__free(text);
  return code;
}

/* The end of a call for the list; frees its answer. */
static coord_code finish(coord_client *c, coord__call *call, int64_t called_ns, coord_error **err) {
  coord_code code = call->code;
  if (code == COORD_OK) {
    code = take(c, &call->response, &call->error);
    coord__error_set_endpoint(call->error, call->endpoint);
  }
  coord__stats_record(&c->stats, call->method, coord__clock_ns() - called_ns, 0, call->response.len,
                      call->code != COORD_OK);
  coord__buf_free(&call->response);
  if (err != NULL) {
    *err = call->error;
  } else {
    coord_error_free(call->error);
  }
  return code;
}

static coord_code prepare(coord_client *c, coord__call *call, int64_t deadline_ns,
                          void (*done)(coord__call *), coord_error **err) {
  coord__request request = {0};
  coord_op *op = coord__op_members();
  if (op == NULL) return coord__no_memory(err);
  coord_code code = coord__op_encode(op, &c->limits, &request, err);
  coord__op_free(op);
  if (code != COORD_OK) return code;
  *call = (coord__call){.method = request.method,
                        .request = request.body,
                        .repeatable = true,
                        .read_only = true,
                        .deadline_ns = deadline_ns,
                        .done = done};
  return COORD_OK;
}

/* ---- again and again ---- */

static void tell(coord__sync *sync, coord_code code, const coord_error *err) {
  if (code != COORD_OK && code != sync->told) {
    coord__log_at(&sync->client->log, COORD_LOG_WARN,
                  "endpoints.sync.interval.ms: %s; going on with the endpoints of before",
                  err != NULL ? coord_error_message(err) : "memory is exhausted");
  }
  sync->told = code;
}

static void arm(coord__sync *sync) {
  coord_client *c = sync->client;
  if (c->rpc.closed) return;
  coord__timer_set(c->loop, &sync->timer,
                   coord__loop_now_ns(c->loop) + coord__jitter(sync->interval_ns));
}

static void on_list(coord__call *call) {
  coord__sync *sync = COORD__CONTAINER(call, coord__sync, call);
  coord_error *err = NULL;
  coord_code code = finish(sync->client, call, sync->called_ns, &err);
  if (code != COORD_CLOSED) tell(sync, code, err);
  coord_error_free(err);
  arm(sync);
}

static void ask(coord__sync *sync) {
  coord_client *c = sync->client;
  coord_error *err = NULL;
  sync->called_ns = coord__clock_ns();
  coord_code code = prepare(
      c, &sync->call, sync->called_ns + c->request_timeout_ms * COORD__NS_PER_MS, on_list, &err);
  if (code == COORD_OK) {
    coord__call_start(&c->rpc, &sync->call);
    return;
  }
  tell(sync, code, err);
  coord_error_free(err);
  arm(sync);
}

static void on_timer(coord__timer *timer) { ask(COORD__CONTAINER(timer, coord__sync, timer)); }

static void run_first(coord__job *job) {
  coord__sync *sync = COORD__CONTAINER(job, coord__sync, first);
  coord_client *c = sync->client;
  if (!c->rpc.closed) ask(sync);
  coord__client_release(c);
}

void coord__sync_init(coord__sync *sync, coord_client *c, int64_t interval_ms) {
  *sync = (coord__sync){.client = c,
                        .interval_ns = interval_ms * COORD__NS_PER_MS,
                        .first.run = run_first,
                        .timer.fire = on_timer};
}

void coord__sync_start(coord__sync *sync) {
  if (sync->interval_ns == 0) return;
  coord__client_retain(sync->client);
  coord__loop_post(sync->client->loop, &sync->first);
}

void coord__sync_stop(coord__sync *sync) {
  if (sync->client != NULL) coord__timer_stop(sync->client->loop, &sync->timer);
}

/* ---- now ---- */

/* A thread in coord__client_sync_endpoints. */
typedef struct asker {
  coord__job job;
  coord__waiter waiter;
  coord_client *client;
  coord__call call;
  int64_t called_ns;
  coord_code code;
  coord_error *error;
} asker;

static void on_list_for_asker(coord__call *call) {
  asker *a = COORD__CONTAINER(call, asker, call);
  a->code = finish(a->client, call, a->called_ns, &a->error);
  coord__waiter_signal(&a->waiter);
}

static void run_asker(coord__job *job) {
  asker *a = COORD__CONTAINER(job, asker, job);
  coord__call_start(&a->client->rpc, &a->call);
}

coord_code coord__client_sync_endpoints(coord_client *c, int32_t timeout_ms, coord_error **err) {
  asker a = {.client = c, .job.run = run_asker, .called_ns = coord__clock_ns()};
  int64_t deadline_ns = 0;
  if (timeout_ms == 0) timeout_ms = c->request_timeout_ms;
  if (timeout_ms > 0) deadline_ns = a.called_ns + timeout_ms * COORD__NS_PER_MS;
  coord_code code = prepare(c, &a.call, deadline_ns, on_list_for_asker, err);
  if (code != COORD_OK) return code;
  coord__client_retain(c);
  coord__waiter_init(&a.waiter, c->loop, 1);
  coord__loop_push(c->loop, &a.job);
  coord__waiter_wait(&a.waiter);
  coord__client_release(c);
  if (err != NULL) {
    coord_error_free(*err);
    *err = a.error;
  } else {
    coord_error_free(a.error);
  }
  return a.code;
}
