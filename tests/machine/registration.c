/*
 * Two registrations of one id, in two processes, on a key that exists only here: every order of leases,
 * answers, lost answers, late writes, expiries and changes that a seed comes to. What must hold whatever
 * happens is looked at after each step.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "coord/entry.h"
#include "support/t.h"

enum { SEEDS = 2000, STEPS = 400, LEASES = 4096, LATE = 16, PROCESSES = 2 };

typedef struct request {
  bool is_write;
  bool is_check;
  int64_t mod;
  int64_t lease;
  uint64_t value;
} request;

typedef struct process {
  coord__entry entry;
  bool joining;
  bool asked;
  bool pausing;
  bool believes;
  bool was_there;
  bool changed; /* a value was refused */
  int overs;
  coord_code end;
  bool left_doubt; /* a write of it may come after its end */
  request late[LATE];
  int late_count;
  int64_t heard; /* of deletes of the key, up to this one */
} process;

static struct {
  bool present;
  int64_t mod;
  int64_t lease;
  uint64_t value;
  int64_t revision;
  int64_t deleted; /* by the last delete of the key */
  bool alive[LEASES];
  int64_t leases;
} etcd;

static process all[PROCESSES];
static uint64_t seed;
static bool faults;
static bool replaces; /* the first one may take the key of the second, which is not told */

static unsigned pick(unsigned n) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)((seed >> 33) % n);
}

static process *of(coord__entry *e) { return COORD__CONTAINER(e, process, entry); }

/* ---- the wire ---- */

static void wire_join(coord__entry *e) {
  T_TRUE(!of(e)->joining && !of(e)->asked && !of(e)->pausing);
  of(e)->joining = true;
}

static void wire_leave(coord__entry *e, bool gone) {
  T_TRUE(gone || of(e)->joining);
  of(e)->joining = false;
}

static void wire_ask(coord__entry *e) {
  T_TRUE(!of(e)->joining && !of(e)->asked && !of(e)->pausing);
  of(e)->asked = true;
}

static void wire_pause(coord__entry *e) {
  T_TRUE(!of(e)->joining && !of(e)->asked && !of(e)->pausing);
  of(e)->pausing = true;
}

static void wire_hurry(coord__entry *e) {
  T_TRUE(of(e)->pausing);
  of(e)->pausing = false;
}

static void told(coord__entry *e, coord__entry_news news, coord_code code, coord_error *err) {
  process *p = of(e);
  if (err != NULL && news != COORD__ENTRY_IS_LOST) T_CODE(coord_error_code(err), code);
  coord_error_free(err);
  T_INT(p->overs, 0);
  switch (news) {
    case COORD__ENTRY_IS_THERE:
      T_TRUE(!p->was_there && !p->believes);
      p->was_there = p->believes = true;
      break;
    case COORD__ENTRY_IS_BACK:
      T_TRUE(p->was_there && !p->believes);
      p->believes = true;
      break;
    case COORD__ENTRY_IS_LOST:
      T_TRUE(p->believes);
      p->believes = false;
      break;
    case COORD__ENTRY_IS_STORED:
      T_TRUE(p->believes);
      break;
    case COORD__ENTRY_IS_REFUSED:
      T_TRUE(p->was_there);
      break;
    case COORD__ENTRY_IS_OVER:
      T_TRUE(!p->entry.is_up);
      p->believes = false;
      p->overs++;
      p->end = code;
      p->left_doubt = p->late_count > 0;
      p->joining = p->asked = p->pausing = false;
      break;
  }
}

static const coord__entry_wire wire = {wire_join,  wire_leave, wire_ask,
                                       wire_pause, wire_hurry, told};

/* ---- the server ---- */

static void delete_key(void) {
  if (!etcd.present) return;
  etcd.present = false;
  etcd.deleted = ++etcd.revision;
}

static void expire(int64_t lease) {
  etcd.alive[lease] = false;
  if (etcd.lease == lease) delete_key();
}

/* COORD_OK or COORD_NOT_FOUND: there is no such lease. */
static coord_code execute(const request *r, coord__entry_answer *out) {
  *out = (coord__entry_answer){0};
  if ((etcd.present ? etcd.mod : 0) != r->mod) {
    out->present = etcd.present;
    out->mod = etcd.mod;
    out->lease = etcd.lease;
    out->same = etcd.value == r->value;
    return COORD_OK;
  }
  if (r->is_write && !etcd.alive[r->lease]) return COORD_NOT_FOUND;
  out->done = true;
  if (r->is_check) return COORD_OK;
  if (!r->is_write) delete_key();
  if (r->is_write) {
    etcd.present = true;
    etcd.mod = ++etcd.revision;
    etcd.lease = r->lease;
    etcd.value = r->value;
  }
  out->mod = etcd.revision;
  return COORD_OK;
}

static void execute_late(process *p) {
  coord__entry_answer ignored;
  request r = p->late[--p->late_count];
  execute(&r, &ignored);
}

/* ---- what may happen ---- */

static void fail_entry(process *p, coord_code code, bool again) {
  coord_error *err = NULL;
  coord__fail(&err, code, "as the test will");
  coord__entry_failed(&p->entry, code, err, again);
}

static void answer_join(process *p) {
  p->joining = false;
  if (faults && pick(4) == 0) {
    coord_error *err = NULL;
    bool again = pick(20) != 0;
    coord__fail(&err, COORD_UNAVAILABLE, "no lease");
    coord__entry_not_joined(&p->entry, COORD_UNAVAILABLE, err, again);
    return;
  }
  T_FATAL(etcd.leases + 1 < LEASES);
  etcd.alive[++etcd.leases] = true;
  coord__entry_joined(&p->entry, etcd.leases);
}

static void answer_ask(process *p) {
  p->asked = false;
  if (!coord__entry_begins(&p->entry)) return;
  coord__entry *e = &p->entry;
  request r = {.is_write = e->state == COORD__ENTRY_WRITING,
               .is_check = e->state == COORD__ENTRY_CHECKING,
               .mod = e->mod,
               .lease = e->lease,
               .value = e->sent * PROCESSES + (uint64_t)(p - all)};
  coord__entry_answer answer;
  unsigned fate = faults ? pick(10) : 9;
  if (fate == 0) { /* lost on the way there */
    fail_entry(p, COORD_TIMEOUT, true);
  } else if (fate == 1) { /* or back */
    execute(&r, &answer);
    fail_entry(p, COORD_TIMEOUT, true);
  } else if (fate == 2 && p->late_count < LATE) { /* or comes later */
    p->late[p->late_count++] = r;
    fail_entry(p, COORD_TIMEOUT, true);
  } else if (fate == 3 && pick(8) == 0) {
    fail_entry(p, COORD_AUTH, false);
  } else if (fate == 4) { /* done, repeated by the layer below, and answered by the second try */
    execute(&r, &answer);
    coord_code code = execute(&r, &answer);
    if (code != COORD_OK) {
      fail_entry(p, code, false);
    } else {
      coord__entry_answered(e, &answer);
    }
  } else {
    coord_code code = execute(&r, &answer);
    if (code != COORD_OK) {
      fail_entry(p, code, false);
      return;
    }
    if (faults && e->lease != 0 && pick(10) == 0) { /* lost while the answer was on its way */
      coord__entry_lost(e, NULL);
    }
    coord__entry_answered(e, &answer);
  }
}

static void lose_lease(process *p, bool expires) {
  int64_t lease = p->entry.lease;
  if (lease == 0 || p->entry.state == COORD__ENTRY_OVER) return;
  if (expires) expire(lease);
  if (pick(3) > 0) coord__entry_lost(&p->entry, NULL); /* or it is found out by a write */
}

static bool step(process *p) {
  if (p->joining) {
    answer_join(p);
  } else if (p->asked) {
    answer_ask(p);
  } else if (p->pausing) {
    p->pausing = false;
    coord__entry_resume(&p->entry);
  } else {
    return false;
  }
  return true;
}

/* The watch tells of a delete, or has ended before that. */
static void hear(process *p) {
  if (p->entry.state == COORD__ENTRY_OVER || p->heard == etcd.deleted) return;
  p->heard = etcd.deleted;
  if (pick(4) > 0) {
    coord__entry_deleted(&p->entry, p->heard);
  } else {
    coord__entry_doubt(&p->entry);
  }
}

static void disturb(process *p) {
  if (p->entry.state == COORD__ENTRY_OVER) {
    if (p->late_count > 0) execute_late(p);
    return;
  }
  switch (pick(14)) {
    case 0:
      lose_lease(p, true);
      break;
    case 1:
      lose_lease(p, false);
      break;
    case 2:
      coord__entry_change(&p->entry);
      break;
    case 3:
      if (p->late_count > 0) execute_late(p);
      break;
    case 4:
      if (pick(60) == 0) coord__entry_remove(&p->entry);
      break;
    case 5:
      expire(1 + pick((unsigned)etcd.leases + 1)); /* any, and nobody has been told yet */
      break;
    case 6:
      if (pick(4) == 0) delete_key();
      break;
    case 7:
    case 8:
      hear(p);
      break;
    case 9:
      if (pick(4) == 0) coord__entry_doubt(&p->entry);
      break;
    default:
      step(p);
      break;
  }
}

/* ---- what must hold ---- */

/* It may not know yet that the key is gone. */
static bool is_behind(const process *p) {
  const coord__entry *e = &p->entry;
  return p->heard < etcd.deleted || e->deleted > e->mod || e->is_unsure;
}

static void check(void) {
  int owners = 0;
  for (process *p = all; p < all + PROCESSES; p++) {
    const coord__entry *e = &p->entry;
    T_TRUE(p->overs <= 1);
    T_INT(e->is_up, p->believes);
    if (!e->is_up || e->removing || e->lease == 0 || !etcd.alive[e->lease]) continue;
    if ((replaces && p != all) || is_behind(p)) continue;
    owners++;
    T_TRUE(etcd.present && etcd.lease == e->lease);
  }
  T_TRUE(owners <= 1);
}

static void settle(void) {
  faults = false;
  for (process *p = all; p < all + PROCESSES; p++) {
    while (p->late_count > 0) execute_late(p);
  }
  for (process *p = all; p < all + PROCESSES; p++) {
    int64_t lease = p->entry.lease;
    if (lease != 0 && !etcd.alive[lease] && p->entry.state != COORD__ENTRY_OVER) {
      coord__entry_lost(&p->entry, NULL); /* the keepalive finds out */
    }
  }
  for (int rounds = 0; rounds < 1000; rounds++) {
    bool stirred = false;
    for (process *p = all; p < all + PROCESSES; p++) {
      hear(p);
      stirred |= step(p);
    }
    if (!stirred) break;
    check();
  }
  for (process *p = all; p < all + PROCESSES; p++) {
    const coord__entry *e = &p->entry;
    if (e->state == COORD__ENTRY_OVER) {
      T_INT(p->overs, 1);
      T_TRUE(p->end == COORD_OK || p->end == COORD_CONFLICT || p->end == COORD_AUTH ||
             p->end == COORD_UNAVAILABLE);
      if (p->end == COORD_OK) T_TRUE(e->removing);
      continue;
    }
    T_INT(e->state, COORD__ENTRY_RESTS);
    T_TRUE(e->is_up && e->stored == e->wanted);
    if (replaces && p != all) continue;
    T_TRUE(etcd.present && etcd.lease == e->lease);
    T_INT(etcd.mod, e->mod);
  }
}

static void begin(uint64_t number, bool replace) {
  seed = number * 2 + 1;
  faults = true;
  replaces = replace;
  memset(&etcd, 0, sizeof etcd);
  etcd.revision = 1;
  memset(all, 0, sizeof all);
  for (process *p = all; p < all + PROCESSES; p++) {
    coord__entry_init(&p->entry, &wire, replace && p == all);
  }
}

static void any_order(void) {
  int ends[3] = {0};
  for (uint64_t number = 0; number < SEEDS && !t_any_failed(); number++) {
    begin(number, number % 4 == 0);
    coord__entry_start(&all[0].entry);
    int second = (int)pick(STEPS / 2);
    for (int i = 0; i < STEPS; i++) {
      if (i == second) coord__entry_start(&all[1].entry);
      disturb(&all[pick(i < second ? 1 : PROCESSES)]);
      check();
    }
    settle();
    for (process *p = all; p < all + PROCESSES; p++) {
      ends[p->overs == 0 ? 0 : p->end == COORD_CONFLICT ? 1 : 2]++;
    }
    if (t_any_failed()) printf("# seed %d\n", (int)number);
  }
  printf("# %d stay, %d ended by a conflict, %d otherwise\n", ends[0], ends[1], ends[2]);
  T_TRUE(ends[0] > 100 && ends[1] > 100 && ends[2] > 100);
}

/* Runs the first process until it rests or is over. */
static void run_alone(void) {
  faults = false;
  while (step(&all[0])) {
  }
}

static void restart_with_the_key_still_there(void) {
  begin(1, false);
  coord__entry_start(&all[0].entry);
  run_alone();
  T_TRUE(all[0].believes);
  int64_t before = all[0].entry.lease;
  coord__entry_lost(&all[0].entry, NULL); /* by our clock; the server was away, and is back */
  T_TRUE(!all[0].believes);
  run_alone();
  T_TRUE(all[0].believes && etcd.lease == all[0].entry.lease && etcd.lease != before);
  T_INT(etcd.revision, 3); /* written over, at once */
  expire(before);
  T_TRUE(etcd.present);
}

static void second_one_is_a_conflict(void) {
  begin(1, false);
  coord__entry_start(&all[0].entry);
  run_alone();
  coord__entry_start(&all[1].entry);
  while (step(&all[1])) {
  }
  T_CODE(all[1].end, COORD_CONFLICT);
  T_TRUE(etcd.lease == all[0].entry.lease);
}

static void replaced_one_gives_way(void) {
  begin(1, true);
  coord__entry_start(&all[1].entry);
  faults = false;
  while (step(&all[1])) {
  }
  coord__entry_start(&all[0].entry);
  run_alone();
  T_TRUE(all[0].believes && etcd.lease == all[0].entry.lease);
  coord__entry_remove(&all[1].entry);
  while (step(&all[1])) {
  }
  T_CODE(all[1].end, COORD_OK);
  T_TRUE(etcd.present && etcd.lease == all[0].entry.lease); /* which is not its key any more */
}

static void refused_change_leaves_all_as_it_was(void) {
  begin(1, false);
  coord__entry *e = &all[0].entry;
  coord__entry_start(e);
  run_alone();
  coord__entry_change(e);
  T_TRUE(all[0].asked && coord__entry_begins(e));
  all[0].asked = false;
  fail_entry(&all[0], COORD_TOO_LARGE, false);
  run_alone();
  T_TRUE(e->is_up && e->state == COORD__ENTRY_RESTS && e->stored == e->wanted);
  T_INT(etcd.revision, 2);
  coord__entry_change(e);
  run_alone();
  T_INT(etcd.revision, 3);
}

static void deleted_by_somebody(void) {
  begin(1, false);
  coord__entry *e = &all[0].entry;
  coord__entry_start(e);
  run_alone();
  delete_key();
  coord__entry_deleted(e, etcd.deleted);
  T_TRUE(!all[0].believes && e->lease != 0);
  run_alone();
  T_TRUE(all[0].believes && etcd.present && etcd.lease == e->lease);
  coord__entry_deleted(e, etcd.deleted); /* again, and late */
  T_TRUE(all[0].believes && e->state == COORD__ENTRY_RESTS);
  delete_key();
  coord__entry_remove(e); /* by us, at the same time */
  coord__entry_deleted(e, etcd.deleted);
  run_alone();
  T_CODE(all[0].end, COORD_OK);
  T_TRUE(!etcd.present);
}

static void taken_after_a_delete(void) {
  begin(1, false);
  coord__entry_start(&all[0].entry);
  run_alone();
  delete_key();
  coord__entry_start(&all[1].entry);
  while (step(&all[1])) {
  }
  T_TRUE(all[1].believes);
  coord__entry_deleted(&all[0].entry, etcd.deleted);
  run_alone();
  T_CODE(all[0].end, COORD_CONFLICT);
  T_TRUE(etcd.present && etcd.lease == all[1].entry.lease);
}

/* A store that is what it was at some time before. */
static void older_store(void) {
  for (int changes = 0; changes < 3; changes++) {
    begin(1, false);
    coord__entry *e = &all[0].entry;
    if (changes == 0) {
      etcd.revision = 5;
    }
    coord__entry_start(e);
    if (changes > 0) run_alone();
    __typeof__(etcd) old = etcd;
    run_alone();
    if (changes == 2) {
      coord__entry_change(e);
      run_alone();
    }
    old.alive[e->lease] = true;
    old.leases = etcd.leases;
    etcd = old;
    coord__entry_doubt(e);
    T_INT(e->state, COORD__ENTRY_CHECKING);
    T_TRUE(all[0].believes);
    faults = false;
    T_TRUE(step(&all[0]));
    T_INT(all[0].believes, changes == 1);
    run_alone();
    T_TRUE(all[0].believes && etcd.present && etcd.mod == e->mod);
    T_INT((int)etcd.value, (int)(e->wanted * PROCESSES));
  }
}

static void removed_before_anything_was_sent(void) {
  begin(1, false);
  coord__entry_start(&all[0].entry);
  coord__entry_remove(&all[0].entry);
  T_INT(all[0].overs, 1);
  T_CODE(all[0].end, COORD_OK);
  T_TRUE(!all[0].joining && !all[0].asked);
}

T_MAIN(T_CASE(any_order), T_CASE(restart_with_the_key_still_there),
       T_CASE(second_one_is_a_conflict), T_CASE(replaced_one_gives_way),
       T_CASE(refused_change_leaves_all_as_it_was), T_CASE(deleted_by_somebody),
       T_CASE(taken_after_a_delete), T_CASE(older_store), T_CASE(removed_before_anything_was_sent))
