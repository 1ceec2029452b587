#include "coord/verifier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "etcd/result.h"

#define PAUSE_NS (INT64_C(50) * COORD__NS_PER_MS)
#define LONGEST_PAUSE_NS (INT64_C(1000) * COORD__NS_PER_MS)

/* A read that every member answers with the newest revision. Whoever may watch may read the first key. */
static coord_op *question(const coord__watch *w) {
  size_t len = w->key_len - w->ns->len;
  coord_op *get = len > 0 ? coord__op_get(w->key + w->ns->len, len) : coord__op_get("", 1);
  if (get != NULL) coord__op_set(get, COORD_OP_KEYS_ONLY, 1);
  return get;
}

static void on_answer(coord__ask *ask, coord_code code, coord_error *err, coord_result *result,
                      bool doubt) {
  coord__verifier *v = COORD__CONTAINER(ask, coord__verifier, ask);
  (void)doubt;
  v->asking = false;
  if (code == COORD_OK) {
    v->failures = 0;
    coord__log_at(&ask->client->log, COORD_LOG_DEBUG,
                  "watch: the endpoint was behind what had been told; the store is at %lld",
                  (long long)result->revision);
    coord__watcher_settle(v->watcher, result->revision);
    coord__verifier_start(v); /* for those that have come since */
  } else if (code == COORD_NO_MEMORY || coord__error_may_pass(code, err, false)) {
    int64_t ns = coord__backoff(PAUSE_NS, LONGEST_PAUSE_NS, v->failures++);
    coord__timer_set(ask->client->loop, &v->timer, coord__clock_ns() + coord__jitter(ns));
  } else if (code != COORD_CLOSED) {
    coord__watcher_settle(v->watcher, INT64_MAX);
  }
  coord__result_free(result);
  coord_error_free(err);
}

static void on_timer(coord__timer *timer) {
  coord__verifier *v = COORD__CONTAINER(timer, coord__verifier, timer);
  coord__subscription *s = v->asking ? NULL : coord__watcher_doubts(v->watcher);
  if (s == NULL) return;
  v->asking = true;
  coord__ask_start(&v->ask, question(&s->watch),
                   coord__client_deadline_ns(v->ask.client, coord__clock_ns(), 0));
}

void coord__verifier_init(coord__verifier *v, coord_client *c, coord__watcher *watcher) {
  *v = (coord__verifier){.watcher = watcher, .ask = {.client = c, .done = on_answer}};
  v->timer.fire = on_timer;
}

void coord__verifier_start(coord__verifier *v) {
  if (v->asking || v->timer.node.is_in || v->watcher->rpc->closed) return;
  coord__timer_set(v->ask.client->loop, &v->timer, coord__clock_ns());
}

void coord__verifier_end(coord__verifier *v) {
  coord__timer_stop(v->ask.client->loop, &v->timer);
  if (v->asking) coord__call_end(&v->ask.call, COORD_CLOSED, "the client was closed");
}
