#include "coord/picker_handle.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/random.h"
#include "coord/error.h"
#include "coord/lineup.h"
#include "coord/roster.h"

enum { LINE = 64 };

struct coord_picker {
  coord__group *group;
  coord__cell cell; /* a lineup */
  int32_t policy;
  void *owner;
  char *subset;          /* NULL: all */
  pthread_mutex_t mutex; /* whoever makes the next lineup */
  char apart[LINE];
  atomic_uint_fast64_t turn; /* which all threads write, in a cache line of its own */
  char apart_too[LINE];
};

__attribute__((cold)) coord_picker *coord__picker_new(coord__group *group, int32_t policy,
                                                      const char *subset, void *owner) {
  coord_picker *p = coord__calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  if (subset != NULL && *subset != '\0') {
    p->subset = coord__strdup(subset);
    if (p->subset == NULL) {
      coord__free(p);
      return NULL;
    }
  }
  p->group = coord__group_retain(group);
  p->policy = policy;
  p->owner = owner;
  atomic_init(&p->turn,
              coord__random() >> 16); /* many clients do not all begin with the same one */
  pthread_mutex_init(&p->mutex, NULL);
  return p;
}

__attribute__((cold)) void coord__picker_free(coord_picker *p) {
  coord__cell_set(&p->cell, NULL);
  coord__group_release(p->group);
  pthread_mutex_destroy(&p->mutex);
  coord__free(p->subset);
  coord__free(p);
}

void *coord__picker_owner(const coord_picker *p) { return p->owner; }

int32_t coord__picker_policy(const coord_picker *p) { return p->policy; }

/* 0: there is none. */
static uint64_t version_of(const coord_picker *p) {
  uint32_t look;
  coord__shared *shared = coord__cell_enter(&p->cell, &look);
  if (shared == NULL) return 0;
  uint64_t version = COORD__CONTAINER(shared, coord__lineup, shared)->version;
  coord__cell_leave(look);
  return version;
}

/* By one thread, while the others go on with the lineup before, unless there is none. */
__attribute__((cold)) static coord_code follow(coord_picker *p, bool is_first) {
  if (is_first) {
    pthread_mutex_lock(&p->mutex);
  } else if (pthread_mutex_trylock(&p->mutex) != 0) {
    return COORD_OK;
  }
  coord_code code = COORD_OK;
  coord_instances *roster = coord__group_roster(p->group);
  if (roster == NULL) {
    code = COORD_UNAVAILABLE;
  } else if (roster->version > version_of(p)) {
    coord__lineup *next = coord__lineup_new(p->policy, roster->all, roster->count, p->subset);
    if (next != NULL) {
      next->version = roster->version;
      coord__cell_set(&p->cell, &next->shared);
    } else {
      code = COORD_NO_MEMORY;
    }
  }
  if (roster != NULL) coord__roster_release(roster);
  pthread_mutex_unlock(&p->mutex);
  return code;
}

coord_code coord__picker_pick(coord_picker *p, const void *hash_key, size_t hash_key_len,
                              coord_instance **out) {
  uint64_t version = atomic_load_explicit(&p->group->version, memory_order_acquire);
  if (version == 0) return COORD_UNAVAILABLE;
  for (bool again = false;; again = true) {
    uint32_t look;
    coord__shared *shared = coord__cell_enter(&p->cell, &look);
    const coord__lineup *l =
        shared != NULL ? COORD__CONTAINER(shared, coord__lineup, shared) : NULL;
    if (l != NULL && (l->version >= version || again)) {
      *out = coord__lineup_pick(l, &p->turn, hash_key, hash_key_len);
      coord__cell_leave(look);
      return *out != NULL ? COORD_OK : COORD_NOT_FOUND;
    }
    if (l != NULL) coord__cell_leave(look);
    coord_code code = follow(p, l == NULL);
    if (code != COORD_OK && (l == NULL || code != COORD_NO_MEMORY)) return code;
  }
}
