#include "coord/teller.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/queue.h"
#include "coord/changes.h"

typedef struct coord__notice {
  coord_event event;
  coord__teller *teller;
  coord__changes *changes;
} notice;

void coord__teller_init(coord__teller *t, coord_queue *queue, uint64_t tag, void *owner,
                        void (*retain)(void *owner), void (*release)(void *owner)) {
  *t = (coord__teller){.tag = tag, .owner = owner, .retain = retain, .release = release};
  if (queue != NULL) t->queue = coord__queue_retain(queue);
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&t->lock, &attr);
  pthread_mutexattr_destroy(&attr);
}

void coord__teller_free(coord__teller *t) {
  for (size_t i = 0; i < COORD__TELLER_TYPES; i++) coord__free(t->ready[i]);
  if (t->queue != NULL) coord__queue_release(t->queue);
  pthread_mutex_destroy(&t->lock);
}

static void destroy(coord_event *event) {
  notice *n = COORD__CONTAINER(event, notice, event);
  coord__teller *t = n->teller;
  pthread_mutex_lock(&t->lock);
  if (t->out[event->type] == n) t->out[event->type] = NULL;
  pthread_mutex_unlock(&t->lock);
  if (n->changes != NULL) coord_event_free(&n->changes->event);
  coord__free(n);
  t->release(t->owner);
}

bool coord__teller_prepare(coord__teller *t, int32_t type) {
  if (t->queue == NULL || t->ready[type] != NULL) return true;
  t->ready[type] = coord__calloc(1, sizeof *t->ready[type]);
  return t->ready[type] != NULL;
}

/* Lock held. */
static bool withdraw(coord__teller *t, int32_t type) {
  notice *n = t->out[type];
  t->out[type] = NULL;
  if (n == NULL || !coord__queue_withdraw(t->queue, &n->event)) return false;
  coord_event_free(&n->event);
  return true;
}

/* Lock held, not muted. */
static void push(coord__teller *t, notice *n) {
  coord__list events;
  coord__list_init(&events);
  coord__list_append(&events, &n->event.link);
  t->out[n->event.type] = n;
  t->retain(t->owner);
  coord__queue_push(t->queue, &events);
}

/* In the place of the one that waits. Lock held. NULL: it is muted, or memory is out. */
static notice *take(coord__teller *t, int32_t type, coord_code code, int64_t revision) {
  if (t->muted) return NULL;
  notice *n = t->ready[type];
  t->ready[type] = NULL;
  withdraw(t, type);
  if (n == NULL) n = coord__calloc(1, sizeof *n);
  if (n == NULL) return NULL;
  n->teller = t;
  n->event = (coord_event){
      .type = type, .code = code, .tag = t->tag, .revision = revision, .destroy = destroy};
  return n;
}

void coord__teller_tell(coord__teller *t, int32_t type, coord_code code, const char *why,
                        int64_t revision) {
  if (t->queue == NULL) return;
  pthread_mutex_lock(&t->lock);
  notice *n = take(t, type, code, revision);
  if (n != NULL) {
    if (code != COORD_OK) coord__fail(&n->event.error, code, "%s", why != NULL ? why : "");
    push(t, n);
  }
  pthread_mutex_unlock(&t->lock);
}

void coord__teller_tell_changes(coord__teller *t, coord__changes *changes) {
  notice *n = NULL;
  pthread_mutex_lock(&t->lock);
  if (t->queue != NULL) n = take(t, COORD_EVENT_CHANGES, COORD_OK, changes->event.revision);
  if (n != NULL) {
    n->changes = changes;
    n->event.changes = changes;
    push(t, n);
  }
  pthread_mutex_unlock(&t->lock);
  if (n == NULL) coord_event_free(&changes->event);
}

bool coord__teller_withdraw(coord__teller *t, int32_t type) {
  pthread_mutex_lock(&t->lock);
  bool is_withdrawn = withdraw(t, type);
  pthread_mutex_unlock(&t->lock);
  return is_withdrawn;
}

void coord__teller_tell_risk(coord__teller *t, bool at_risk, coord_code code, const char *why) {
  if (t->queue == NULL) return;
  pthread_mutex_lock(&t->lock);
  bool is_told = at_risk && withdraw(t, COORD_EVENT_RESTORED);
  if (!is_told) {
    coord__teller_tell(t, at_risk ? COORD_EVENT_AT_RISK : COORD_EVENT_RESTORED, code, why, 0);
  }
  pthread_mutex_unlock(&t->lock);
}

void coord__teller_mute(coord__teller *t) {
  if (t->queue == NULL) return;
  pthread_mutex_lock(&t->lock);
  t->muted = true;
  for (int32_t type = 0; type < COORD__TELLER_TYPES; type++) withdraw(t, type);
  pthread_mutex_unlock(&t->lock);
}
