#include "coord/entry.h"

#include "base/error.h"

static void tell(coord__entry *e, coord__entry_news news, coord_code code, coord_error *err) {
  e->wire->told(e, news, code, err);
}

static void over(coord__entry *e, coord_code code, coord_error *err) {
  e->state = COORD__ENTRY_OVER;
  e->is_up = false;
  tell(e, COORD__ENTRY_IS_OVER, code, err);
}

static void lose_key(coord__entry *e, coord_error *why) {
  if (e->is_up) {
    e->is_up = false;
    tell(e, COORD__ENTRY_IS_LOST, COORD_LOST, why);
  } else {
    coord_error_free(why);
  }
}

static void lose(coord__entry *e, coord_error *why) {
  e->lease = 0;
  lose_key(e, why);
}

/* It is not as it was, and its lease lives on as far as is known. mod 0: it is not there. */
static void miss(coord__entry *e, int64_t mod) {
  coord_error *err = NULL;
  e->mod = mod;
  if (e->removing) return;
  coord__fail(&err, COORD_LOST, "registration: its key was %s", mod == 0 ? "deleted" : "changed");
  lose_key(e, err);
}

static void heed_deletion(coord__entry *e) {
  bool is_gone = e->is_up && e->deleted > e->mod;
  e->deleted = 0;
  if (is_gone) miss(e, 0);
}

/* The next step, when nothing is under way. Nothing may follow it: it can be over then. */
static void advance(coord__entry *e) {
  heed_deletion(e);
  if (e->removing && !e->may_be_there) {
    over(e, COORD_OK, NULL);
  } else if (e->removing) {
    e->state = COORD__ENTRY_REMOVING;
    e->wire->ask(e);
  } else if (e->lease == 0) {
    e->state = COORD__ENTRY_JOINING;
    e->wire->join(e);
  } else if (!e->is_up || e->stored != e->wanted) {
    e->state = COORD__ENTRY_WRITING;
    e->wire->ask(e);
  } else if (e->is_unsure) {
    e->state = COORD__ENTRY_CHECKING;
    e->wire->ask(e);
  } else {
    e->state = COORD__ENTRY_RESTS;
  }
}

static void pause(coord__entry *e) {
  e->state = COORD__ENTRY_PAUSING;
  e->failures++;
  e->wire->pause(e);
}

static bool is_mine(const coord__entry *e, int64_t lease) {
  for (unsigned i = 0; i < COORD__ENTRY_LEASES; i++) {
    if (lease != 0 && e->leases[i] == lease) return true;
  }
  return false;
}

static void remember_lease(coord__entry *e) {
  if (is_mine(e, e->lease)) return;
  e->leases[e->lease_count++ % COORD__ENTRY_LEASES] = e->lease;
}

void coord__entry_init(coord__entry *e, const coord__entry_wire *wire, bool replace) {
  *e = (coord__entry){.wire = wire, .replace = replace, .wanted = 1};
}

void coord__entry_start(coord__entry *e) { advance(e); }

void coord__entry_change(coord__entry *e) {
  e->wanted++;
  if (e->state == COORD__ENTRY_RESTS) advance(e);
}

/* What was asked then is answered first. */
static bool is_asking(const coord__entry *e) {
  return e->state == COORD__ENTRY_WRITING || e->state == COORD__ENTRY_CHECKING;
}

void coord__entry_remove(coord__entry *e) {
  bool was_removing = e->removing;
  e->removing = true;
  if (was_removing || is_asking(e) || e->state == COORD__ENTRY_OVER) return;
  if (e->state == COORD__ENTRY_PAUSING) e->wire->hurry(e);
  if (e->state == COORD__ENTRY_JOINING) e->wire->leave(e, false);
  advance(e);
}

void coord__entry_end(coord__entry *e, coord_code code) {
  if (e->state != COORD__ENTRY_OVER) over(e, code, NULL);
}

/* ---- the lease ---- */

void coord__entry_joined(coord__entry *e, int64_t lease) {
  e->lease = lease;
  advance(e);
}

void coord__entry_not_joined(coord__entry *e, coord_code code, coord_error *err, bool again) {
  if (again || e->was_up) {
    coord_error_free(err);
    pause(e);
  } else {
    over(e, code, err);
  }
}

void coord__entry_lost(coord__entry *e, coord_error *why) {
  lose(e, why);
  if (e->state == COORD__ENTRY_RESTS) advance(e);
}

/* ---- the key ---- */

void coord__entry_deleted(coord__entry *e, int64_t revision) {
  e->deleted = revision;
  if (e->state == COORD__ENTRY_RESTS) advance(e);
}

void coord__entry_doubt(coord__entry *e) {
  e->is_unsure = true;
  if (e->state == COORD__ENTRY_RESTS) advance(e);
}

bool coord__entry_begins(coord__entry *e) {
  if (is_asking(e) && (e->lease == 0 || e->removing)) {
    advance(e);
    return false;
  }
  if (e->state == COORD__ENTRY_WRITING) {
    e->sent = e->wanted;
    e->may_be_there = true;
    remember_lease(e);
  }
  return true;
}

static void on_stored(coord__entry *e) {
  bool was_up = e->was_up, is_up = e->is_up;
  e->stored = e->sent;
  if (e->lease != 0) {
    e->was_up = e->is_up = true;
    tell(e,
         is_up    ? COORD__ENTRY_IS_STORED
         : was_up ? COORD__ENTRY_IS_BACK
                  : COORD__ENTRY_IS_THERE,
         COORD_OK, NULL);
  }
  advance(e);
}

static void conflict(coord__entry *e, int64_t lease) {
  coord_error *err = NULL;
  coord_code code =
      coord__fail(&err, COORD_CONFLICT, "registration: another instance has this id (lease %llx)",
                  (unsigned long long)lease);
  over(e, code, err);
}

static void on_written(coord__entry *e, const coord__entry_answer *answer) {
  bool mine = answer->done || (answer->present && is_mine(e, answer->lease));
  e->mod = answer->done || answer->present ? answer->mod : 0;
  e->is_unsure = false;
  if (answer->done || (mine && answer->same && answer->lease == e->lease)) {
    on_stored(e);
  } else if (mine || !answer->present || (e->replace && !e->was_up)) {
    if (!answer->present || answer->lease != e->lease) miss(e, e->mod);
    advance(e);
  } else {
    conflict(e, answer->lease);
  }
}

static void on_checked(coord__entry *e, const coord__entry_answer *answer) {
  e->is_unsure = false;
  if (answer->done) {
    advance(e);
  } else if (!answer->present || is_mine(e, answer->lease)) {
    bool is_same = answer->present && answer->same && answer->lease == e->lease;
    if (is_same) e->mod = answer->mod;
    if (!is_same) miss(e, answer->present ? answer->mod : 0);
    advance(e);
  } else {
    conflict(e, answer->lease);
  }
}

static void on_removed(coord__entry *e, const coord__entry_answer *answer) {
  if (answer->done || !answer->present || !is_mine(e, answer->lease)) {
    over(e, COORD_OK, NULL);
  } else {
    e->mod = answer->mod;
    advance(e);
  }
}

void coord__entry_answered(coord__entry *e, const coord__entry_answer *answer) {
  e->failures = 0;
  if (e->state == COORD__ENTRY_WRITING) {
    on_written(e, answer);
  } else if (e->state == COORD__ENTRY_CHECKING) {
    on_checked(e, answer);
  } else {
    on_removed(e, answer);
  }
}

/* The server does not know the lease that the key was to be written under. */
static void on_lease_gone(coord__entry *e, coord_error *err) {
  if (e->lease == 0) { /* which was known meanwhile */
    coord_error_free(err);
    advance(e);
    return;
  }
  e->wire->leave(e, true);
  lose(e, err);
  if (e->failures > 0) {
    pause(e);
  } else {
    e->failures++;
    advance(e);
  }
}

void coord__entry_failed(coord__entry *e, coord_code code, coord_error *err, bool again) {
  bool is_write = e->state == COORD__ENTRY_WRITING;
  if (!again && is_write && code == COORD_NOT_FOUND) {
    on_lease_gone(e, err);
  } else if (!again && is_write && e->was_up && e->stored != e->sent) {
    if (e->wanted == e->sent) e->stored = e->wanted;
    tell(e, COORD__ENTRY_IS_REFUSED, code, err);
    advance(e);
  } else if (again || (is_write && e->was_up) || e->state == COORD__ENTRY_CHECKING) {
    coord_error_free(err);
    pause(e);
  } else {
    over(e, code, err);
  }
}

void coord__entry_resume(coord__entry *e) { advance(e); }
