/*
 * Claims on a store that exists only here: every order of requests, answers, watch events, losses and
 * ends of leases that a seed comes to. What must hold whatever happens is looked at after each step.
 */
#include "coord/claim.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "etcd/op.h"
#include "machine/store.h"

enum { CLAIMS = 6, SEEDS = 400, STEPS = 1500, LATE = 8 };

typedef struct contender {
  coord__claim claim;
  bool running;  /* started, and not over */
  bool believes; /* that it holds */
  bool has_blocked;
  int ends; /* told since the start */
  coord_code end;
  bool meddled;         /* somebody has deleted its key */
  coord_op *op;         /* on its way; NULL: none */
  coord_op *late[LATE]; /* given up by the client, and perhaps executed yet */
  bool wakes;
  int64_t wake_after_ns;
  bool attends;
  struct {
    bool on;
    bool prefix;
    char key[STORE_TEXT];
    size_t at; /* in the deletes of the store */
  } eyes[2];
} contender;

static store etcd;
static contender all[CLAIMS];
static uint64_t seed;
static int64_t lease_ids = 100;
static bool faults;

static unsigned pick(unsigned n) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)((seed >> 33) % n);
}

static contender *of(coord__claim *claim) { return (contender *)claim; }

/* ---- the wire ---- */

static void wire_ask(coord__claim *claim, coord_op *op) {
  T_FATAL(op != NULL);
  T_TRUE(of(claim)->op == NULL);
  of(claim)->op = op;
}

static bool wire_watch(coord__claim *claim, coord__claim_eye eye, const void *key, size_t key_len,
                       bool prefix, int64_t revision) {
  contender *c = of(claim);
  T_TRUE(!c->eyes[eye].on);
  T_TRUE(revision > 0);
  if (faults && pick(20) == 0) return false;
  c->eyes[eye].on = true;
  c->eyes[eye].prefix = prefix;
  text_of((ProtobufCBinaryData){key_len, (uint8_t *)(uintptr_t)key}, c->eyes[eye].key);
  c->eyes[eye].at = 0;
  while (c->eyes[eye].at < etcd.deleted && etcd.deletes[c->eyes[eye].at].revision < revision) {
    c->eyes[eye].at++;
  }
  return true;
}

static void wire_unwatch(coord__claim *claim, coord__claim_eye eye) {
  T_TRUE(of(claim)->eyes[eye].on);
  of(claim)->eyes[eye].on = false;
}

static void wire_wake(coord__claim *claim, int64_t after_ns) {
  of(claim)->wakes = after_ns != INT64_MAX;
  of(claim)->wake_after_ns = after_ns;
}

static const coord__claim_wire wire = {wire_ask, wire_watch, wire_unwatch, wire_wake};

static void told(coord__claim *claim, coord__claim_news news, coord_code code, coord_error *err) {
  contender *c = of(claim);
  if (err != NULL) T_CODE(coord_error_code(err), code);
  coord_error_free(err);
  switch (news) {
    case COORD__CLAIM_IS_BLOCKED:
      T_TRUE(!c->has_blocked);
      c->has_blocked = true;
      break;
    case COORD__CLAIM_IS_HELD:
      T_TRUE(c->ends == 0 && !c->believes);
      c->believes = true;
      break;
    case COORD__CLAIM_IS_LOST:
      T_TRUE(c->believes);
      c->believes = false;
      c->ends++;
      c->end = code;
      break;
    case COORD__CLAIM_HAS_FAILED:
    case COORD__CLAIM_HAS_LEFT:
      T_TRUE(!c->believes);
      c->ends++;
      c->end = code;
      break;
    case COORD__CLAIM_IS_OVER:
      T_INT(c->ends, 1);
      T_TRUE(!c->eyes[0].on && !c->eyes[1].on && !c->wakes && c->op == NULL);
      c->running = false;
      break;
  }
}

/* ---- what may happen ---- */

static void start(contender *c, coord__claim_kind kind, size_t permits, int64_t delay_ns) {
  coord__claim_free(&c->claim);
  T_FATAL(coord__claim_init(&c->claim, &wire, "n", 1));
  c->claim.told = told;
  c->claim.kind = kind;
  c->claim.permits = permits;
  c->claim.delay_ns = delay_ns;
  if (kind == COORD__CLAIM_READ) coord__buf_append_str(&c->claim.value, "{\"kind\":\"read\"}");
  c->running = true;
  c->believes = c->has_blocked = c->meddled = c->attends = false;
  c->ends = 0;
  T_TRUE(coord__claim_start(&c->claim, lease_ids++));
}

static void key_text(const contender *c, char out[STORE_TEXT]) {
  text_of((ProtobufCBinaryData){c->claim.key.len, c->claim.key.data}, out);
}

static void answer(contender *c) {
  coord_op *op = c->op;
  coord_result *result = store_do(&etcd, &op->message.txn);
  c->op = NULL;
  if (faults && pick(8) == 0) { /* done, and the answer is lost */
    coord_error *err = NULL;
    coord_result_free(result);
    coord__fail(&err, COORD_TIMEOUT, "lost");
    coord__op_free(op);
    coord__claim_answered(&c->claim, COORD_TIMEOUT, err, NULL, true);
    return;
  }
  coord__op_free(op);
  coord__claim_answered(&c->claim, COORD_OK, NULL, result, false);
}

/* The client gives it up; the server may do it later all the same. */
static void give_up(contender *c) {
  coord_error *err = NULL;
  size_t i = 0;
  while (i < LATE && c->late[i] != NULL) i++;
  if (i == LATE) return;
  c->late[i] = c->op;
  c->op = NULL;
  coord__fail(&err, COORD_UNAVAILABLE, "cut");
  coord__claim_answered(&c->claim, COORD_UNAVAILABLE, err, NULL, true);
}

static bool is_late(const contender *c) {
  for (size_t i = 0; i < LATE; i++) {
    if (c->late[i] != NULL) return true;
  }
  return false;
}

static void do_late(contender *c, bool really) {
  for (size_t i = 0; i < LATE; i++) {
    if (c->late[i] == NULL) continue;
    if (really) coord_result_free(store_do(&etcd, &c->late[i]->message.txn));
    coord__op_free(c->late[i]);
    c->late[i] = NULL;
    return;
  }
}

static void see(contender *c, coord__claim_eye eye) {
  if (faults && pick(30) == 0) {
    c->eyes[eye].on = false;
    c->attends |= coord__claim_blind(&c->claim, eye);
    return;
  }
  if (c->eyes[eye].at >= etcd.deleted) return;
  const char *key = etcd.deletes[c->eyes[eye].at++].key;
  bool matches = c->eyes[eye].prefix ? strncmp(key, c->eyes[eye].key, strlen(c->eyes[eye].key)) == 0
                                     : strcmp(key, c->eyes[eye].key) == 0;
  if (matches) c->attends |= coord__claim_deleted(&c->claim, eye, key, strlen(key));
}

/* Its time is up by its own clock, and then by the server's. */
static void end_lease(contender *c) {
  char key[STORE_TEXT];
  key_text(c, key);
  coord__claim_lose(&c->claim, COORD_LOST, "the lease has ended");
  T_TRUE(!c->believes);
  for (size_t i = 0; i < LATE; i++) do_late(c, false); /* no key without its lease */
  if (c->op != NULL) {                                 /* nor of this */
    coord_error *err = NULL;
    coord__op_free(c->op);
    c->op = NULL;
    coord__fail(&err, COORD_NOT_FOUND, "no such lease");
    coord__claim_answered(&c->claim, COORD_NOT_FOUND, err, NULL, false);
  }
  store_delete(&etcd, key, etcd.revision + 1);
}

static void meddle(contender *c) {
  char key[STORE_TEXT];
  key_text(c, key);
  c->meddled = true;
  store_delete(&etcd, key, etcd.revision + 1);
}

static void step(contender *c, coord__claim_kind kind, size_t permits, int64_t delay_ns) {
  if (!c->running) {
    if (!is_late(c) && faults) start(c, kind, permits, delay_ns);
    return;
  }
  switch (pick(faults ? 12 : 6)) {
    case 0:
    case 1:
      if (c->op != NULL) answer(c);
      break;
    case 2:
      if (c->eyes[0].on) see(c, COORD__EYE_OWN);
      break;
    case 3:
      if (c->eyes[1].on) see(c, COORD__EYE_BLOCKER);
      break;
    case 4:
      if (c->attends) {
        c->attends = false;
        coord__claim_attend(&c->claim);
      }
      break;
    case 5:
      /* What was on the way has come by the end of a long wait. */
      if (c->wakes && !(c->claim.state == COORD__CLAIM_LINGERING && is_late(c))) {
        c->wakes = false;
        coord__claim_run(&c->claim);
      }
      break;
    case 6:
      do_late(c, pick(2) == 0);
      break;
    case 7:
      if (c->op != NULL && pick(6) == 0) give_up(c);
      break;
    case 8:
    case 9:
      if (pick(c->believes ? 3 : 20) == 0) {
        c->believes = false;
        coord__claim_leave(&c->claim);
      }
      break;
    case 10:
      if (pick(60) == 0) end_lease(c);
      break;
    default:
      if (pick(60) == 0) meddle(c);
      break;
  }
}

/* ---- what must hold ---- */

static int64_t created(const contender *c) {
  char key[STORE_TEXT];
  key_text(c, key);
  const stored *at = store_find(&etcd, key);
  return at != NULL ? at->created : 0;
}

static void look(coord__claim_kind others, size_t permits) {
  size_t holders = 0;
  for (size_t i = 0; i < CLAIMS; i++) {
    const contender *c = &all[i];
    if (!c->believes) continue;
    int64_t at = created(c);
    if (at != c->claim.revision) { /* which its watch will tell it */
      T_TRUE(c->meddled);
      continue;
    }
    holders++;
    size_t older = 0;
    for (size_t k = 0; k < CLAIMS; k++) {
      const contender *o = &all[k];
      int64_t other = o->running && o->claim.key.len > 0 ? created(o) : 0;
      bool counts = c->claim.kind != COORD__CLAIM_READ || o->claim.kind != COORD__CLAIM_READ;
      if (o != c && counts && other != 0 && other < at) older++;
    }
    T_TRUE(older < permits);
  }
  if (others != COORD__CLAIM_READ) T_TRUE(holders <= permits);
}

static void settle(coord__claim_kind kind, size_t permits, int64_t delay_ns) {
  faults = false;
  for (int i = 0; i < 200 * CLAIMS; i++) {
    contender *c = &all[pick(CLAIMS)];
    do_late(c, true);
    step(c, kind, permits, delay_ns);
    look(kind, permits);
  }
  /* Somebody holds it if anybody wants it. */
  size_t wanting = 0, holding = 0;
  for (size_t i = 0; i < CLAIMS; i++) {
    wanting += all[i].running && !all[i].claim.leaving;
    holding += all[i].believes;
  }
  T_TRUE(wanting == 0 || holding > 0);
  for (size_t i = 0; i < CLAIMS; i++) {
    all[i].believes = false;
    if (all[i].running) coord__claim_leave(&all[i].claim);
  }
  for (int i = 0; i < 200 * CLAIMS; i++) step(&all[pick(CLAIMS)], kind, permits, delay_ns);
  for (size_t i = 0; i < CLAIMS; i++) T_TRUE(!all[i].running);
  T_INT(etcd.count, store_find(&etcd, "n!held") != NULL);
}

static void run(coord__claim_kind kind, size_t permits, int64_t delay_ns, bool mixed) {
  for (int s = 1; s <= SEEDS && !t_any_failed(); s++) {
    seed = (uint64_t)s * 7919;
    etcd = (store){.revision = 10};
    faults = true;
    for (int i = 0; i < STEPS; i++) {
      unsigned who = pick(CLAIMS);
      coord__claim_kind mine = mixed && who % 2 == 0 ? COORD__CLAIM_EXCLUSIVE : kind;
      step(&all[who], mine, permits, delay_ns);
      look(kind, permits);
      if (etcd.deleted > STORE_DELETES - 16) break;
    }
    settle(kind, permits, delay_ns);
    if (t_any_failed()) T_FAIL("seed %d", s);
    for (size_t i = 0; i < CLAIMS; i++) coord__claim_free(&all[i].claim);
    memset(all, 0, sizeof all);
  }
}

static void mutex_has_one_holder_whatever_happens(void) {
  run(COORD__CLAIM_EXCLUSIVE, 1, 0, false);
}

static void semaphore_has_as_many_as_permits(void) { run(COORD__CLAIM_SEMAPHORE, 3, 0, false); }

static void writer_excludes_readers_and_writers(void) { run(COORD__CLAIM_READ, 1, 0, true); }

static void delayed_mutex_has_one_holder(void) { run(COORD__CLAIM_EXCLUSIVE, 1, 1000, false); }

/* ---- by hand ---- */

static contender *fresh(void) {
  etcd = (store){.revision = 10};
  faults = false;
  memset(all, 0, sizeof all);
  return all;
}

static void run_until_idle(contender *c) {
  for (int i = 0; i < 50; i++) {
    if (c->op != NULL) answer(c);
    if (c->attends) {
      c->attends = false;
      coord__claim_attend(&c->claim);
    }
  }
}

static void free_name_takes_one_question(void) {
  contender *c = fresh();
  start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
  answer(c);
  T_TRUE(c->believes && c->op == NULL);
  T_INT(c->claim.revision, 11);
  T_TRUE(!c->eyes[0].on); /* not yet */
  coord__claim_leave(&c->claim);
  c->believes = false;
  answer(c);
  T_TRUE(!c->running && c->end == COORD_OK);
  T_INT(etcd.count, 0);
  coord__claim_free(&c->claim);
}

static void release_says_whether_the_key_was_there(void) {
  contender *c = fresh();
  start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
  answer(c);
  meddle(c);
  c->believes = false;
  coord__claim_leave(&c->claim);
  answer(c);
  T_CODE(c->end, COORD_NOT_FOUND);
  /* Was it the delete whose answer was lost? Then it is as it should be. */
  start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
  answer(c);
  c->believes = false;
  coord__claim_leave(&c->claim);
  coord_result_free(store_do(&etcd, &c->op->message.txn));
  give_up(c);
  T_TRUE(c->wakes);
  coord__claim_run(&c->claim);
  answer(c);
  T_CODE(c->end, COORD_OK);
  T_TRUE(!c->running);
  coord_op *retried = c->late[0];
  /* And what comes late does no harm to the next one. */
  contender *next = &all[1];
  start(next, COORD__CLAIM_EXCLUSIVE, 1, 0);
  answer(next);
  coord_result_free(store_do(&etcd, &retried->message.txn));
  T_INT(etcd.count, 1);
  coord__op_free(retried);
  coord__claim_free(&c->claim);
  coord__claim_free(&next->claim);
}

static void key_that_comes_late_is_swept(void) {
  contender *c = fresh();
  start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
  give_up(c);
  coord__claim_leave(&c->claim);
  answer(c);
  T_CODE(c->end, COORD_OK);
  T_TRUE(c->running && c->wakes && c->wake_after_ns >= INT64_C(7000000000));
  do_late(c, true);
  T_INT(etcd.count, 1);
  coord__claim_run(&c->claim);
  answer(c);
  T_INT(etcd.count, 0);
  T_TRUE(!c->running);
  coord__claim_free(&c->claim);
}

static void refused_claim_fails_and_a_wrong_answer_too(void) {
  contender *c = fresh();
  coord_error *err = NULL;
  start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
  coord__op_free(c->op);
  c->op = NULL;
  coord__fail(&err, COORD_AUTH, "no");
  coord__claim_answered(&c->claim, COORD_AUTH, err, NULL, false);
  T_CODE(c->end, COORD_AUTH);
  T_TRUE(!c->running);
  start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
  coord__op_free(c->op);
  c->op = NULL;
  coord__claim_answered(&c->claim, COORD_OK, NULL, coord__result_empty(), false);
  T_CODE(c->end, COORD_PROTOCOL);
  coord__claim_free(&c->claim);
}

static void lost_lease_ends_it_in_every_state(void) {
  for (int state = 0; state < 4; state++) {
    contender *first = fresh(), *c = &all[1];
    start(first, COORD__CLAIM_EXCLUSIVE, 1, 0);
    answer(first);
    start(c, COORD__CLAIM_EXCLUSIVE, 1, 0);
    if (state > 0) answer(c); /* it waits */
    if (state > 1) {
      meddle(first);
      while (!c->attends) see(c, COORD__EYE_BLOCKER);
      run_until_idle(c);
      T_TRUE(c->believes);
    }
    if (state > 2) {
      c->believes = false;
      coord__claim_leave(&c->claim);
    }
    end_lease(c);
    T_CODE(c->end, COORD_LOST);
    T_INT(c->ends, 1);
    T_TRUE(!c->running);
    coord__claim_free(&c->claim);
    coord__claim_free(&first->claim);
  }
}

static void readers_are_known_by_their_value(void) {
  const char *good = "{\"kind\":\"read\",\"owner\":\"me\"}";
  const char *bad[] = {
      "",        "read", "{\"kind\":\"write\"}", "{\"kind\":1}", "[\"read\"]",
      "null",    "{",    "{\"kind\":null}",      "\"kind\"",     "{\"Kind\":\"read\"}",
      "\xff\xfe"};
  T_TRUE(coord__claim_reads(good, strlen(good)));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    T_TRUE(!coord__claim_reads(bad[i], strlen(bad[i])));
  }
}

T_MAIN(T_CASE(mutex_has_one_holder_whatever_happens), T_CASE(semaphore_has_as_many_as_permits),
       T_CASE(writer_excludes_readers_and_writers), T_CASE(delayed_mutex_has_one_holder),
       T_CASE(free_name_takes_one_question), T_CASE(release_says_whether_the_key_was_there),
       T_CASE(key_that_comes_late_is_swept), T_CASE(refused_claim_fails_and_a_wrong_answer_too),
       T_CASE(lost_lease_ends_it_in_every_state), T_CASE(readers_are_known_by_their_value))
