#include "etcd/client.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/utf8.h"
#include "etcd/endpoints.h"
#include "etcd/subject.h"
#include "etcd/task.h"
#include "etcd/waiter.h"
#include "net/proxy.h"
#include "net/srv.h"

/* ---- life ---- */

bool coord__client_forked(const coord_client *c) {
  return c->generation != coord__fork_generation();
}

void coord__client_retain(coord_client *c) {
  atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

int64_t coord__client_deadline_ns(const coord_client *c, int64_t since_ns, int32_t timeout_ms) {
  if (timeout_ms < 0) return 0;
  if (timeout_ms == 0) timeout_ms = c->request_timeout_ms;
  return since_ns + timeout_ms * COORD__NS_PER_MS;
}

static void free_client(coord_client *c) {
  for (coord__list *node; (node = coord__list_pop(&c->parts)) != NULL;) {
    coord__part *part = COORD__CONTAINER(node, coord__part, link);
    part->free(part);
  }
  coord__rpc_free(&c->rpc);
  coord__namespace_free(&c->ns);
  coord__auth_free(&c->auth);
  coord__states_free(&c->states);
  coord__tls_release(c->tls);
  coord__map_free(&c->tasks);
  coord__stats_free(&c->stats);
  coord__log_free(&c->log);
  coord__options_free(c->options);
  coord__free(c);
}

void coord__client_release(coord_client *c) {
  if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1) return;
  coord__loop *loop = c->loop;
  free_client(c);
  coord__loop_release(loop);
}

void coord__client_use(coord_client *c) {
  atomic_fetch_add_explicit(&c->uses, 1, memory_order_relaxed);
}

void coord__client_unuse(coord_client *c) {
  if (atomic_fetch_sub_explicit(&c->uses, 1, memory_order_acq_rel) > 1) return;
  if (coord__client_forked(c)) {
    /* The thread that would end it is the parent's; calls under way are nobody's here. */
    if (atomic_load(&c->refs) == 1) free_client(c);
    return;
  }
  atomic_store(&c->closed, true);
  coord__loop *loop = coord__loop_retain(c->loop);
  coord__loop_post(loop, &c->end_job);
  coord__loop_leave(loop);
  coord__loop_release(loop);
}

static void run_end(coord__job *job) {
  coord_client *c = COORD__CONTAINER(job, coord_client, end_job);
  coord__client_end(c);
  coord__client_release(c);
}

void coord__client_end(coord_client *c) {
  while (!coord__list_empty(&c->open)) {
    coord__task_end(COORD__CONTAINER(c->open.next, coord__task, event.link), COORD_CLOSED,
                    "the client was closed");
  }
  for (coord__list *node = c->parts.next; node != &c->parts; node = node->next) {
    coord__part *part = COORD__CONTAINER(node, coord__part, link);
    part->end(part);
  }
  coord__sync_stop(&c->sync);
  coord__rpc_close(&c->rpc);
  coord__auth_stop(&c->auth);
}

/* ---- opening ---- */

/* The thread in coord__client_open, and what it learns of the endpoints. */
typedef struct opener {
  coord__waiter waiter;
  coord_client *client;
  size_t failures;
  coord_code code;
  coord_error *refusal; /* of the login */
  char why[512];
} opener;

static void end_opening(opener *o) {
  o->client->rpc.connect_result = NULL;
  coord__waiter_signal(&o->waiter);
}

static void on_login_result(void *user, coord_code code, const coord_error *err) {
  opener *o = user;
  o->code = code;
  o->refusal = coord__error_dup(err);
  coord__waiter_signal(&o->waiter);
}

static void on_connect_result(void *user, coord_code code, const char *why, const char *endpoint) {
  opener *o = user;
  if (code == COORD_OK) {
    o->client->rpc.connect_result = NULL;
    coord__auth_open(&o->client->auth, on_login_result, o);
    return;
  }
  size_t used = strlen(o->why);
  snprintf(o->why + used, sizeof o->why - used, "%s%s: %s", used > 0 ? "; " : "", endpoint, why);
  /* Endpoints that fail in different ways have one thing in common: none could be used. */
  o->code = o->failures == 0 || o->code == code ? code : COORD_UNAVAILABLE;
  if (++o->failures >= o->client->rpc.config.endpoints.count) end_opening(o);
}

static void run_connect(coord__job *job) {
  coord_client *c = COORD__CONTAINER(job, coord_client, connect_job);
  c->rpc.connect_result = on_connect_result;
  coord__rpc_connect(&c->rpc);
}

static coord_code connect(coord_client *c, coord_error **err) {
  opener o = {.client = c, .code = COORD_UNAVAILABLE};
  coord__waiter_init(&o.waiter, c->loop, 1);
  c->rpc.user = &o;
  c->connect_job.run = run_connect;
  coord__loop_post(c->loop, &c->connect_job);
  coord__waiter_wait(&o.waiter);
  if (o.code == COORD_OK) return COORD_OK;
  if (o.refusal != NULL && err != NULL) {
    coord_error_free(*err);
    *err = o.refusal;
    return o.code;
  }
  coord_error_free(o.refusal);
  if (o.code == COORD_NO_MEMORY) return coord__no_memory(err);
  coord__fail(err, o.code, "no connection: %s", o.why);
  if (err != NULL && *err != NULL) {
    if (o.code == COORD_UNAVAILABLE || o.code == COORD_TIMEOUT) (*err)->flags = COORD_RETRIABLE;
    coord__error_set_endpoint(*err, coord__rpc_endpoints(&c->rpc)->items[0].name);
  }
  return o.code;
}

static int64_t number(const coord_client *c, coord__option id) {
  return coord__options_int(c->options, id);
}

static coord_code check_token(const char *token, coord_error **err) {
  for (const char *at = token; *at != '\0'; at++) {
    if (*at > ' ' && *at <= '~') continue;
    return coord__fail(
        err, COORD_INVALID,
        "option token: byte %zu is no visible ASCII character, as all of a token are",
        (size_t)(at - token) + 1);
  }
  return COORD_OK;
}

static coord_code check_user(const coord_options *o, coord_error **err) {
  const char *user = coord__options_text(o, COORD__OPTION_USERNAME);
  const char *password = coord__options_text(o, COORD__OPTION_PASSWORD);
  const char *token = coord__options_text(o, COORD__OPTION_TOKEN);
  char shown[COORD__SHOWN];
  coord__show(shown, user, strlen(user));
  if (token[0] != '\0' && (user[0] != '\0' || password[0] != '\0')) {
    return coord__fail(err, COORD_INVALID,
                       "option token: a token is given besides username or password: a client has "
                       "one or the other");
  }
  if (user[0] == '\0' && password[0] != '\0') {
    return coord__fail(err, COORD_INVALID,
                       "option password: username says whose it is, and is "
                       "not given");
  }
  if (user[0] != '\0' && password[0] == '\0') {
    return coord__fail(err, COORD_INVALID, "option username: \"%s\" needs option password", shown);
  }
  if (!coord__utf8_ok(user)) {
    return coord__fail(err, COORD_INVALID, "option username: \"%s\" is not UTF-8", shown);
  }
  if (!coord__utf8_ok(password)) {
    return coord__fail(err, COORD_INVALID, "option password: it is not UTF-8");
  }
  return check_token(token, err);
}

/* What the table of options cannot express. */
static coord_code check_options(const coord_options *o, coord_error **err) {
  int64_t stream = coord__options_int(o, COORD__OPTION_HTTP2_STREAM_WINDOW_BYTES);
  int64_t connection = coord__options_int(o, COORD__OPTION_HTTP2_CONNECTION_WINDOW_BYTES);
  if (connection < stream) {
    return coord__fail(err, COORD_INVALID,
                       "option http2.connection.window.bytes: %lld is less than "
                       "http2.stream.window.bytes, which is %lld",
                       (long long)connection, (long long)stream);
  }
  coord_code code = check_user(o, err);
  if (code != COORD_OK) return code;
  code = coord__srv_check_servers(coord__options_text(o, COORD__OPTION_DNS_SERVERS), err);
  if (code != COORD_OK) return code;
  return coord__proxy_check(coord__options_text(o, COORD__OPTION_PROXY), err);
}

static coord_code configure_tls(coord_client *c, const coord__endpoints *endpoints,
                                coord_error **err) {
  const coord_options *o = c->options;
  coord__tls_config config = {
      .ca = coord__options_text(o, COORD__OPTION_TLS_CA),
      .cert = coord__options_text(o, COORD__OPTION_TLS_CERT),
      .key = coord__options_text(o, COORD__OPTION_TLS_KEY),
      .key_password = coord__options_text(o, COORD__OPTION_TLS_KEY_PASSWORD),
      .server_name = coord__options_text(o, COORD__OPTION_TLS_SERVER_NAME),
      .min_version = 2 + coord__options_choice(o, COORD__OPTION_TLS_MIN_VERSION),
      .verify = coord__options_bool(o, COORD__OPTION_TLS_VERIFY)};
  c->tls = coord__tls_new(&config);
  if (c->tls == NULL) return coord__no_memory(err);
  bool has_files = config.ca[0] != '\0' || config.cert[0] != '\0' || config.key[0] != '\0';
  bool used = coord__endpoints_may_use_tls(endpoints);
  if (used) coord__client_warn_of_tls(c);
  if (has_files && !used) {
    coord__log_at(&c->log, COORD_LOG_WARN,
                  "the files of tls.ca, tls.cert and tls.key are not used: no endpoint begins with "
                  "https://");
  }
  return has_files || used ? coord__tls_load(c->tls, COORD_INVALID, err) : COORD_OK;
}

static bool make_auth(coord_client *c) {
  return coord__auth_init(&c->auth, coord__options_text(c->options, COORD__OPTION_USERNAME),
                          coord__options_text(c->options, COORD__OPTION_PASSWORD),
                          coord__options_text(c->options, COORD__OPTION_TOKEN));
}

static coord_code configure(coord_client *c, coord_error **err) {
  static const coord__wire *const wires[] = {&coord__wire_grpc, &coord__wire_gateway};
  const coord_options *o = c->options;
  coord__rpc_config config = {.wire = wires[coord__options_choice(o, COORD__OPTION_WIRE)],
                              .classify = coord__etcd_status,
                              .describe = coord__subject,
                              .state = coord__states_tell,
                              .state_user = &c->states};
  coord_code code = check_options(o, err);
  if (code != COORD_OK) return code;
  if (!coord__namespace_init(&c->ns, coord__options_text(o, COORD__OPTION_NAMESPACE))) {
    return coord__no_memory(err);
  }
  if (!make_auth(c)) return coord__no_memory(err);
  config.identity = coord__auth_identity(&c->auth);
  code = coord__endpoints_parse(coord__options_text(o, COORD__OPTION_ENDPOINTS), &config.endpoints,
                                err);
  if (code != COORD_OK) return code;
  code = configure_tls(c, &config.endpoints, err);
  if (code != COORD_OK) {
    coord__endpoints_free(&config.endpoints);
    return code;
  }
  config.dns_servers = coord__options_text(o, COORD__OPTION_DNS_SERVERS);
  config.link = (coord__link_config){
      .loop = c->loop,
      .proxy = coord__options_text(o, COORD__OPTION_PROXY),
      .tls = c->tls,
      .connect_timeout_ms = number(c, COORD__OPTION_CONNECT_TIMEOUT_MS),
      .tcp_user_timeout_ms = (int)number(c, COORD__OPTION_TCP_USER_TIMEOUT_MS),
      .stream_window_bytes = (int32_t)number(c, COORD__OPTION_HTTP2_STREAM_WINDOW_BYTES),
      .connection_window_bytes = (int32_t)number(c, COORD__OPTION_HTTP2_CONNECTION_WINDOW_BYTES),
      .keepalive_interval_ns = number(c, COORD__OPTION_KEEPALIVE_INTERVAL_MS) * COORD__NS_PER_MS,
      .keepalive_timeout_ns = number(c, COORD__OPTION_KEEPALIVE_TIMEOUT_MS) * COORD__NS_PER_MS,
      .response_max_bytes = (size_t)number(c, COORD__OPTION_RESPONSE_MAX_BYTES),
      .gateway_max_connections = (size_t)number(c, COORD__OPTION_GATEWAY_MAX_CONNECTIONS),
      .gateway_idle_ns = number(c, COORD__OPTION_GATEWAY_IDLE_MS) * COORD__NS_PER_MS};
  if (config.wire == &coord__wire_gateway) {
    config.watch_silence_ns = number(c, COORD__OPTION_WATCH_LIVENESS_MS) * COORD__NS_PER_MS / 2;
  }
  config.attempt_timeout_ms = number(c, COORD__OPTION_ATTEMPT_TIMEOUT_MS);
  config.retry = (coord__retry){
      .max_attempts = (int)number(c, COORD__OPTION_RETRY_MAX_ATTEMPTS),
      .initial_delay_ns = number(c, COORD__OPTION_RETRY_INITIAL_DELAY_MS) * COORD__NS_PER_MS,
      .max_delay_ns = number(c, COORD__OPTION_RETRY_MAX_DELAY_MS) * COORD__NS_PER_MS,
      .multiplier_percent = (int)number(c, COORD__OPTION_RETRY_MULTIPLIER_PERCENT),
      .jitter_percent = (int)number(c, COORD__OPTION_RETRY_JITTER_PERCENT)};
  coord__health_probe(&config.probe);
  if (!coord__rpc_init(&c->rpc, c->loop, &c->log, &config)) {
    coord__endpoints_free(&config.endpoints);
    return coord__no_memory(err);
  }
  c->limits.ns = &c->ns;
  c->limits.request_max_bytes = (size_t)number(c, COORD__OPTION_REQUEST_MAX_BYTES);
  c->limits.request_max_ops = (size_t)number(c, COORD__OPTION_REQUEST_MAX_OPS);
  c->request_timeout_ms = (int32_t)number(c, COORD__OPTION_REQUEST_TIMEOUT_MS);
  /* A login is worth waiting for longer than a hasty call. */
  int64_t login_ms = config.link.connect_timeout_ms;
  if (login_ms < c->request_timeout_ms) login_ms = c->request_timeout_ms;
  coord__auth_bind(&c->auth, &c->rpc, &c->stats, login_ms);
  c->scan_page_keys = (int32_t)number(c, COORD__OPTION_SCAN_PAGE_KEYS);
  coord__sync_init(&c->sync, c, number(c, COORD__OPTION_ENDPOINTS_SYNC_INTERVAL_MS));
  return COORD_OK;
}

coord_code coord__client_open(const coord_options *options, coord_client **out, coord_error **err) {
  coord_client *c = coord__calloc(1, sizeof *c);
  if (c == NULL) return coord__no_memory(err);
  c->options = coord__options_copy(options);
  if (c->options == NULL) {
    coord__free(c);
    return coord__no_memory(err);
  }
  atomic_init(&c->refs, 1);
  atomic_init(&c->uses, 1);
  coord__log_init(&c->log, coord__options_choice(c->options, COORD__OPTION_LOG_LEVEL));
  coord__options_warn(c->options, &c->log);
  coord__list_init(&c->open);
  coord__list_init(&c->completed);
  coord__list_init(&c->closers);
  coord__list_init(&c->parts);
  c->deliver.run = coord__task_deliver;
  c->end_job.run = run_end;
  coord_code code = coord__loop_acquire(&c->loop, err);
  if (code == COORD_OK) {
    c->generation = coord__fork_generation();
    code = configure(c, err);
    if (code != COORD_OK) {
      coord__loop_leave(c->loop);
      coord__loop_release(c->loop);
    }
  }
  if (code != COORD_OK) {
    free_client(c);
    return code;
  }
  if (!coord__options_bool(c->options, COORD__OPTION_CONNECT_LAZY)) code = connect(c, err);
  if (code != COORD_OK) {
    coord__client_unuse(c);
    return code;
  }
  coord__sync_start(&c->sync);
  *out = c;
  return COORD_OK;
}

/* ---- closing ---- */

/* A thread in coord__client_close. */
typedef struct closer {
  coord__job job;
  coord__list link;
  coord__waiter waiter;
  coord__timer patience;
  coord_client *client;
  int64_t deadline_ns; /* 0: none */
  bool late;
} closer;

static void end_closer(closer *w) {
  coord__list_remove(&w->link);
  coord__timer_stop(w->client->loop, &w->patience);
  coord__waiter_signal(&w->waiter);
}

static bool is_busy(const coord_client *c) {
  return !coord__list_empty(&c->open) || c->farewells > 0;
}

void coord__client_farewell(coord_client *c) { c->farewells++; }

void coord__client_farewell_ended(coord_client *c) {
  if (--c->farewells == 0 && !coord__list_empty(&c->closers)) {
    coord__loop_defer(c->loop, &c->deliver);
  }
}

void coord__client_task_ended(coord_client *c) {
  if (coord__list_empty(&c->closers) || is_busy(c)) return;
  coord__client_end(c);
  while (!coord__list_empty(&c->closers)) {
    end_closer(COORD__CONTAINER(c->closers.next, closer, link));
  }
}

static void on_patience(coord__timer *timer) {
  closer *w = COORD__CONTAINER(timer, closer, patience);
  w->late = !coord__list_empty(&w->client->open);
  /* The completions are delivered before the loop sleeps; the closer is told with them. */
  coord__client_end(w->client);
  coord__loop_defer(w->client->loop, &w->client->deliver);
}

static void run_close(coord__job *job) {
  closer *w = COORD__CONTAINER(job, closer, job);
  coord_client *c = w->client;
  coord__list_append(&c->closers, &w->link);
  w->patience.fire = on_patience;
  if (!is_busy(c)) {
    coord__loop_defer(c->loop, &c->deliver);
  } else if (w->deadline_ns != 0) {
    coord__timer_set(c->loop, &w->patience, w->deadline_ns);
  }
}

coord_code coord__client_close(coord_client *c, int32_t timeout_ms, coord_error **err) {
  atomic_store(&c->closed, true);
  closer w = {.client = c};
  if (timeout_ms >= 0) w.deadline_ns = coord__clock_ns() + timeout_ms * COORD__NS_PER_MS;
  coord__waiter_init(&w.waiter, c->loop, 1);
  w.job.run = run_close;
  coord__loop_post(c->loop, &w.job);
  coord__waiter_wait(&w.waiter);
  if (!w.late) return COORD_OK;
  return coord__fail(err, COORD_TIMEOUT, "calls were still under way after %d ms and were ended",
                     (int)timeout_ms);
}
