#include "coord/claim.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "etcd/txn.h"

/* A hold shorter than this needs no watch of its key: its release would see what the watch sees. */
#define UNWATCHED_NS (INT64_C(1000) * COORD__NS_PER_MS)
#define PAUSE_NS (INT64_C(50) * COORD__NS_PER_MS)
#define LONGEST_PAUSE_NS (INT64_C(1000) * COORD__NS_PER_MS)
/* How long a server may take to do what it was asked to: its request timeout and two elections. */
#define LINGER_NS (INT64_C(7000) * COORD__NS_PER_MS)

/* ---- making and freeing ---- */

bool coord__claim_init(coord__claim *c, const coord__claim_wire *wire, const void *name,
                       size_t name_len) {
  *c = (coord__claim){.wire = wire, .permits = 1};
  return coord__buf_append(&c->prefix, name, name_len) && coord__buf_append(&c->prefix, "/", 1) &&
         coord__buf_append(&c->mark, name, name_len) && coord__buf_append_str(&c->mark, "!held");
}

void coord__claim_free(coord__claim *c) {
  coord__buf *all[] = {&c->prefix, &c->mark, &c->key, &c->value, &c->blocker};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) coord__buf_free(all[i]);
  coord__result_free(c->older);
  c->older = NULL;
}

bool coord__claim_reads(const void *value, size_t len) {
  if (len == 0 || len > 4096) return false;
  struct json_tokener *tokener = json_tokener_new();
  if (tokener == NULL) return false;
  struct json_object *object = json_tokener_parse_ex(tokener, value, (int)len);
  struct json_object *kind = NULL;
  bool reads = json_object_object_get_ex(object, "kind", &kind) &&
               json_object_is_type(kind, json_type_string) &&
               strcmp(json_object_get_string(kind), "read") == 0;
  json_object_put(object);
  json_tokener_free(tokener);
  return reads;
}

/* ---- ops; NULL when memory is out ---- */

static coord_op *get_key(const coord__buf *key) { return coord__op_get(key->data, key->len); }

/* Whoever may be in the way: of the keys older than ours, or of all that there are. */
static coord_op *get_queue(const coord__claim *c, bool only_older) {
  coord_op *op = get_key(&c->prefix);
  if (op == NULL) return NULL;
  coord__op_set_prefix(op);
  coord__op_set(op, COORD_OP_SORT_BY, COORD_SORT_CREATE);
  coord__op_set(op, COORD_OP_SORT_DESCENDING, 1);
  if (c->kind == COORD__CLAIM_EXCLUSIVE) coord__op_set(op, COORD_OP_LIMIT, only_older ? 1 : 2);
  if (c->kind != COORD__CLAIM_READ) coord__op_set(op, COORD_OP_KEYS_ONLY, 1);
  if (only_older) coord__op_set(op, COORD_OP_MAX_CREATE_REVISION, c->revision - 1);
  return op;
}

static bool when_ours(coord_op *txn, const coord__claim *c) {
  return coord__txn_if(txn, &c->key, COORD_COMPARE_CREATE, COORD_EQUAL, c->revision);
}

static coord_op *put_key(const coord__claim *c) {
  coord_op *put = coord__op_put(c->key.data, c->key.len, c->value.data, c->value.len);
  if (put != NULL) coord__op_set(put, COORD_OP_LEASE, c->lease_id);
  return put;
}

static coord_op *join_op(const coord__claim *c) {
  coord_op *txn = coord__op_txn();
  bool ok = coord__txn_if(txn, &c->key, COORD_COMPARE_CREATE, COORD_EQUAL, 0);
  ok &= coord__txn_then(txn, put_key(c));
  ok &= coord__txn_then(txn, get_queue(c, false));
  ok &= coord__txn_else(txn, get_key(&c->key));
  if (c->rewrites) ok &= coord__txn_else(txn, put_key(c));
  return coord__txn_finish(txn, ok);
}

static coord_op *check_op(const coord__claim *c) {
  coord_op *txn = coord__op_txn();
  bool ok = when_ours(txn, c);
  ok &= coord__txn_then(txn, get_queue(c, true));
  return coord__txn_finish(txn, ok);
}

static int mark_text(const coord__claim *c, char out[24]) {
  return snprintf(out, 24, "%" PRId64, c->revision);
}

static coord_op *take_op(const coord__claim *c) {
  char text[24];
  int len = mark_text(c, text);
  coord_op *txn = coord__op_txn();
  bool ok = when_ours(txn, c);
  ok &= coord__txn_if(txn, &c->mark, COORD_COMPARE_MOD, COORD_EQUAL, c->mark_seen);
  ok &= coord__txn_then(txn, coord__op_put(c->mark.data, c->mark.len, text, (size_t)len));
  ok &= coord__txn_else(txn, get_key(&c->key));
  ok &= coord__txn_else(txn, get_key(&c->mark));
  return coord__txn_finish(txn, ok);
}

/* The mark goes if it is ours. */
static coord_op *unmark_op(const coord__claim *c) {
  char text[24];
  int len = mark_text(c, text);
  coord_op *txn = coord__op_txn();
  bool ok = txn != NULL && coord__op_if_value(txn, c->mark.data, c->mark.len, COORD_EQUAL, text,
                                              (size_t)len) == COORD_OK;
  ok &= coord__txn_then(txn, coord__op_delete(c->mark.data, c->mark.len));
  return coord__txn_finish(txn, ok);
}

static coord_op *leave_op(const coord__claim *c) {
  coord_op *txn = coord__op_txn();
  bool ok = c->revision != 0 ? when_ours(txn, c)
                             : coord__txn_if(txn, &c->key, COORD_COMPARE_CREATE, COORD_GREATER, 0);
  ok &= coord__txn_then(txn, coord__op_delete(c->key.data, c->key.len));
  if (c->delay_ns > 0 && c->revision != 0) ok &= coord__txn_then(txn, unmark_op(c));
  return coord__txn_finish(txn, ok);
}

/* ---- telling ---- */

static void ask(coord__claim *c, coord_op *op) {
  c->asking = true;
  c->wire->ask(c, op);
}

static void unwatch(coord__claim *c, coord__claim_eye eye) {
  if (!c->watched[eye]) return;
  c->watched[eye] = false;
  c->wire->unwatch(c, eye);
}

/* The last thing that is done with the claim. */
static void be_over(coord__claim *c) {
  c->state = COORD__CLAIM_OUT;
  unwatch(c, COORD__EYE_OWN);
  unwatch(c, COORD__EYE_BLOCKER);
  c->wire->wake(c, INT64_MAX);
  if (!c->asking) c->told(c, COORD__CLAIM_IS_OVER, COORD_OK, NULL);
}

static void tell_end(coord__claim *c, coord__claim_news news, coord_code code, coord_error *err) {
  if (c->ended) {
    coord_error_free(err);
    return;
  }
  c->ended = c->leaving = true;
  c->told(c, news, code, err);
}

/* ---- leaving ---- */

static void ask_to_leave(coord__claim *c) {
  unwatch(c, COORD__EYE_OWN);
  unwatch(c, COORD__EYE_BLOCKER);
  c->wire->wake(c, INT64_MAX);
  c->state = COORD__CLAIM_LEAVING;
  ask(c, leave_op(c));
}

/* Nothing is under way. */
static void begin_to_leave(coord__claim *c) {
  bool may_have_key = c->revision != 0 || c->doubt;
  if (may_have_key) {
    ask_to_leave(c);
  } else {
    tell_end(c, COORD__CLAIM_HAS_LEFT, COORD_OK, NULL);
    be_over(c);
  }
}

static void fail(coord__claim *c, coord_code code, coord_error *err) {
  tell_end(c, COORD__CLAIM_HAS_FAILED, code, err);
  begin_to_leave(c);
}

/* There is no key, unless one is still to come of what was asked long ago. */
static void linger(coord__claim *c) {
  if (!c->doubt || c->swept) {
    be_over(c);
    return;
  }
  unwatch(c, COORD__EYE_OWN);
  unwatch(c, COORD__EYE_BLOCKER);
  c->state = COORD__CLAIM_LINGERING;
  c->wire->wake(c, LINGER_NS);
}

static void on_left(coord__claim *c, coord_code code, coord_error *err) {
  tell_end(c, COORD__CLAIM_HAS_LEFT, code, err);
  if (code == COORD_CLOSED) {
    be_over(c);
  } else {
    linger(c);
  }
}

/* The key is not there any more, although nobody of us has deleted it. */
static void lose_key(coord__claim *c) {
  coord_error *err = NULL;
  char shown[COORD__SHOWN];
  bool was_held = c->state == COORD__CLAIM_HELD;
  if (c->leaving) {
    on_left(c, COORD_NOT_FOUND, NULL);
    return;
  }
  coord__fail(&err, COORD_LOST, "key \"%s\" is gone: its lease has ended, or somebody deleted it",
              coord__show(shown, c->key.data, c->key.len));
  tell_end(c, was_held ? COORD__CLAIM_IS_LOST : COORD__CLAIM_HAS_FAILED, COORD_LOST, err);
  linger(c);
}

/* ---- standing in the queue ---- */

static void be_held(coord__claim *c) {
  c->state = COORD__CLAIM_HELD;
  unwatch(c, COORD__EYE_BLOCKER);
  c->wire->wake(c, c->watched[COORD__EYE_OWN] ? INT64_MAX : UNWATCHED_NS);
  c->told(c, COORD__CLAIM_IS_HELD, COORD_OK, NULL);
}

static void be_free(coord__claim *c) {
  if (c->delay_ns == 0) {
    be_held(c);
    return;
  }
  c->state = COORD__CLAIM_TAKING;
  ask(c, take_op(c));
}

static void pause_after_failure(coord__claim *c) {
  c->wire->wake(c, coord__backoff(PAUSE_NS, LONGEST_PAUSE_NS, c->failures++));
}

static bool watch_own(coord__claim *c) {
  if (c->watched[COORD__EYE_OWN]) return true;
  c->watched[COORD__EYE_OWN] = c->wire->watch(c, COORD__EYE_OWN, c->key.data, c->key.len, false,
                                              (c->unsure ? c->seen : c->revision) + 1);
  if (c->watched[COORD__EYE_OWN]) c->unsure = false;
  return c->watched[COORD__EYE_OWN];
}

static bool watch_blocker(coord__claim *c) {
  bool all = c->kind == COORD__CLAIM_SEMAPHORE;
  const coord__buf *key = all ? &c->prefix : &c->blocker;
  c->watched[COORD__EYE_BLOCKER] =
      c->wire->watch(c, COORD__EYE_BLOCKER, key->data, key->len, all, c->seen + 1);
  return c->watched[COORD__EYE_BLOCKER];
}

static void wait_for(coord__claim *c) {
  c->state = COORD__CLAIM_WAITING;
  if (!watch_own(c) || !watch_blocker(c)) {
    c->state = COORD__CLAIM_CHECKING; /* when there is memory */
    pause_after_failure(c);
    return;
  }
  if (c->was_blocked) return;
  c->was_blocked = true;
  c->told(c, COORD__CLAIM_IS_BLOCKED, COORD_OK, NULL);
}

static bool is_older(const coord__claim *c, const Etcdserverpb__KeyValue *kv) {
  return kv->create_revision < c->revision;
}

/* The key to wait for among those, youngest first; NULL: none. */
static const Etcdserverpb__KeyValue *find_blocker(const coord__claim *c, const coord_result *r) {
  for (size_t i = 0; i < r->kv_count; i++) {
    const Etcdserverpb__KeyValue *kv = r->kvs[i];
    if (!is_older(c, kv)) continue;
    if (c->kind == COORD__CLAIM_EXCLUSIVE) return kv;
    if (!coord__claim_reads(kv->value.data, kv->value.len)) return kv;
  }
  return NULL;
}

/* How many of those have to go. What has to is kept. */
static size_t count_blockers(coord__claim *c, coord_result *r) {
  size_t older = 0;
  for (size_t i = 0; i < r->kv_count; i++) {
    if (is_older(c, r->kvs[i])) {
      older++;
    } else {
      r->kvs[i] = NULL;
    }
  }
  return older < c->permits ? 0 : older - c->permits + 1;
}

/* `queue` is a part of `whole`, which is handed over. */
static void decide(coord__claim *c, coord_result *whole, coord_result *queue) {
  c->seen = whole->revision;
  coord__result_free(c->older);
  c->older = NULL;
  bool ok = true;
  if (c->kind == COORD__CLAIM_SEMAPHORE) {
    c->to_go = count_blockers(c, queue);
    c->older = whole;
  } else {
    const Etcdserverpb__KeyValue *kv = find_blocker(c, queue);
    c->blocker.len = 0;
    ok = kv == NULL || coord__buf_append(&c->blocker, kv->key.data, kv->key.len);
    c->to_go = kv != NULL;
    coord__result_free(whole);
  }
  if (!ok) {
    c->state = COORD__CLAIM_CHECKING;
    pause_after_failure(c);
  } else if (c->to_go > 0) {
    wait_for(c);
  } else {
    be_free(c);
  }
}

static void check(coord__claim *c) {
  unwatch(c, COORD__EYE_BLOCKER);
  c->state = COORD__CLAIM_CHECKING;
  ask(c, check_op(c));
}

/* ---- answers ---- */

/* What a txn was answered with, if it has the form that was asked for. */
static bool has_form(const coord_result *r, size_t parts_then, size_t parts_else) {
  return r->part_count == (r->succeeded ? parts_then : parts_else);
}

static void on_malformed(coord__claim *c, coord_result *r) {
  coord_error *err = NULL;
  coord__result_free(r);
  coord__fail(&err, COORD_PROTOCOL, "lock: the server's answer is not one to what was asked");
  fail(c, COORD_PROTOCOL, err);
}

static void on_joined(coord__claim *c, coord_result *r) {
  if (!has_form(r, 2, c->rewrites ? 2 : 1) || (!r->succeeded && r->parts[0].kv_count != 1)) {
    on_malformed(c, r);
    return;
  }
  c->revision = r->succeeded ? r->revision : r->parts[0].kvs[0]->create_revision;
  if (c->leaving) {
    coord__result_free(r);
    begin_to_leave(c);
  } else if (r->succeeded) {
    decide(c, r, &r->parts[1]);
  } else {
    coord__result_free(r);
    check(c);
  }
}

static void on_checked(coord__claim *c, coord_result *r) {
  bool has_key = r->succeeded;
  if (!has_form(r, 1, 0)) {
    on_malformed(c, r);
  } else if (!has_key || c->own_gone) {
    coord__result_free(r);
    lose_key(c);
  } else if (c->leaving) {
    coord__result_free(r);
    begin_to_leave(c);
  } else if (c->state == COORD__CLAIM_HELD) {
    c->seen = r->revision;
    coord__result_free(r);
    if (!watch_own(c)) pause_after_failure(c);
  } else {
    decide(c, r, &r->parts[0]);
  }
}

static void on_taken(coord__claim *c, coord_result *r) {
  char ours[24];
  int len = mark_text(c, ours);
  if (!has_form(r, 1, 2)) {
    on_malformed(c, r);
    return;
  }
  bool has_mark = r->succeeded, has_key = r->succeeded || r->parts[0].kv_count > 0;
  bool delays = false;
  if (!r->succeeded && r->parts[1].kv_count > 0) {
    const Etcdserverpb__KeyValue *kv = r->parts[1].kvs[0];
    has_mark = kv->value.len == (size_t)len && memcmp(kv->value.data, ours, (size_t)len) == 0;
    delays = !has_mark;
    c->mark_seen = kv->mod_revision;
  } else {
    c->mark_seen = 0;
  }
  c->seen = r->revision;
  coord__result_free(r);
  if (!has_key || c->own_gone) {
    lose_key(c);
  } else if (c->leaving) {
    begin_to_leave(c);
  } else if (has_mark) {
    be_held(c);
  } else if (delays) {
    c->state = COORD__CLAIM_DELAYED;
    watch_own(c); /* if it can be; the next try looks anyway */
    c->wire->wake(c, c->delay_ns);
  } else {
    ask(c, take_op(c));
  }
}

static void on_leave_answered(coord__claim *c, coord_code code, coord_error *err, coord_result *r,
                              bool doubt) {
  if (code == COORD_OK) {
    bool was_there = r->succeeded || c->revision == 0 || c->leave_doubt;
    coord__result_free(r);
    on_left(c, was_there ? COORD_OK : COORD_NOT_FOUND, NULL);
  } else if (coord__error_may_pass(code, err, doubt) || code == COORD_NO_MEMORY) {
    c->leave_doubt |= doubt;
    coord_error_free(err);
    pause_after_failure(c);
  } else {
    on_left(c, code, err);
  }
}

static void on_success(coord__claim *c, coord_result *r) {
  c->failures = 0;
  switch (c->state) {
    case COORD__CLAIM_JOINING:
      on_joined(c, r);
      break;
    case COORD__CLAIM_TAKING:
      on_taken(c, r);
      break;
    default:
      on_checked(c, r);
      break;
  }
}

static void on_failure(coord__claim *c, coord_code code, coord_error *err, bool doubt) {
  if (c->state == COORD__CLAIM_JOINING) c->doubt |= doubt;
  if (c->leaving) {
    coord_error_free(err);
    begin_to_leave(c);
  } else if (c->state == COORD__CLAIM_HELD || coord__error_may_pass(code, err, doubt)) {
    coord_error_free(err);
    pause_after_failure(c);
  } else {
    if (code == COORD_NOT_FOUND) c->doubt = false; /* no key without its lease */
    fail(c, code, err);
  }
}

void coord__claim_answered(coord__claim *c, coord_code code, coord_error *err, coord_result *result,
                           bool doubt) {
  c->asking = false;
  if (c->state == COORD__CLAIM_OUT) {
    coord_error_free(err);
    coord__result_free(result);
    c->told(c, COORD__CLAIM_IS_OVER, COORD_OK, NULL);
  } else if (c->state == COORD__CLAIM_LEAVING) {
    on_leave_answered(c, code, err, result, doubt);
  } else if (code == COORD_OK) {
    if (doubt && c->state == COORD__CLAIM_JOINING) c->doubt = true;
    on_success(c, result);
  } else if (code == COORD_CLOSED) {
    tell_end(c, c->state == COORD__CLAIM_HELD ? COORD__CLAIM_IS_LOST : COORD__CLAIM_HAS_FAILED,
             code, err);
    be_over(c);
  } else {
    on_failure(c, code, err, doubt);
  }
}

/* ---- from outside ---- */

static bool set_key(coord__claim *c, int64_t lease_id) {
  char hex[24];
  int len = snprintf(hex, sizeof hex, "%" PRIx64, (uint64_t)lease_id);
  c->lease_id = lease_id;
  c->key.len = 0;
  return coord__buf_append(&c->key, c->prefix.data, c->prefix.len) &&
         coord__buf_append(&c->key, hex, (size_t)len);
}

bool coord__claim_start(coord__claim *c, int64_t lease_id) {
  if (!set_key(c, lease_id)) return false;
  c->state = COORD__CLAIM_JOINING;
  ask(c, join_op(c));
  return true;
}

void coord__claim_leave(coord__claim *c) {
  if (c->leaving || c->state == COORD__CLAIM_OUT) return;
  c->leaving = true;
  if (!c->asking) begin_to_leave(c);
}

void coord__claim_lose(coord__claim *c, coord_code code, const char *why) {
  if (c->state == COORD__CLAIM_OUT) return;
  coord_error *err = NULL;
  coord__claim_news news = COORD__CLAIM_HAS_FAILED;
  if (c->state == COORD__CLAIM_HELD) news = COORD__CLAIM_IS_LOST;
  if (c->leaving) news = COORD__CLAIM_HAS_LEFT;
  if (!c->ended) coord__fail(&err, code, "%s", why);
  tell_end(c, news, code, err);
  be_over(c);
}

bool coord__claim_deleted(coord__claim *c, coord__claim_eye eye, const void *key, size_t key_len) {
  if (eye == COORD__EYE_OWN) {
    c->own_gone = true;
    return true;
  }
  if (c->to_go == 0) return false;
  if (c->kind != COORD__CLAIM_SEMAPHORE) {
    c->to_go = 0;
    return true;
  }
  coord_result *queue = &c->older->parts[c->older->part_count - 1];
  for (size_t i = 0; i < queue->kv_count; i++) {
    const Etcdserverpb__KeyValue *kv = queue->kvs[i];
    if (kv == NULL || kv->key.len != key_len || memcmp(kv->key.data, key, key_len) != 0) continue;
    queue->kvs[i] = NULL;
    c->to_go--;
  }
  return c->to_go == 0;
}

bool coord__claim_blind(coord__claim *c, coord__claim_eye eye) {
  c->watched[eye] = false;
  if (eye == COORD__EYE_OWN) {
    c->unsure = true;
    return c->state == COORD__CLAIM_WAITING || c->state == COORD__CLAIM_HELD;
  }
  c->to_go = 0;
  return true;
}

void coord__claim_attend(coord__claim *c) {
  if (c->asking) return;
  bool stands = c->state != COORD__CLAIM_OUT && c->state != COORD__CLAIM_LEAVING &&
                c->state != COORD__CLAIM_LINGERING;
  if (stands && c->own_gone) {
    lose_key(c);
  } else if (c->state == COORD__CLAIM_WAITING) {
    check(c);
  } else if (c->state == COORD__CLAIM_HELD && c->unsure) {
    ask(c, check_op(c));
  }
}

void coord__claim_run(coord__claim *c) {
  if (c->asking) return;
  switch (c->state) {
    case COORD__CLAIM_JOINING:
      ask(c, join_op(c));
      break;
    case COORD__CLAIM_CHECKING:
      ask(c, check_op(c));
      break;
    case COORD__CLAIM_TAKING:
    case COORD__CLAIM_DELAYED:
      c->state = COORD__CLAIM_TAKING;
      ask(c, take_op(c));
      break;
    case COORD__CLAIM_HELD:
      if (c->unsure) {
        ask(c, check_op(c));
      } else if (!watch_own(c)) {
        pause_after_failure(c);
      }
      break;
    case COORD__CLAIM_LINGERING:
      c->swept = true;
      c->revision = 0;
      c->state = COORD__CLAIM_LEAVING;
      ask(c, leave_op(c));
      break;
    case COORD__CLAIM_LEAVING:
      ask(c, leave_op(c));
      break;
    case COORD__CLAIM_WAITING:
    case COORD__CLAIM_OUT:
      break;
  }
}
