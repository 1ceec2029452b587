#include "coord/discovery_handle.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/queue.h"
#include "coord/view.h"

struct coord_discovery {
  atomic_int refs; /* the program's, its events' */
  coord__service *service;
  coord_queue *queue;
  uint64_t tag;
  coord__job open_job;
  coord__job free_job;
  coord__list link; /* of the service; I/O thread only */
  pthread_mutex_t
      mutex; /* of what follows; recursive, for an event may end where it is delivered */
  bool muted;
  coord__news *waiting; /* that may be in the queue still */
  coord__news *last;    /* CLOSED, made beforehand; NULL: it has been told */
  coord__news *closed;  /* the same, as long as it is waiting */
  coord_instances *told;
};

static coord_registry *registry_of(const coord_discovery *d) { return d->service->registry; }

static void release(coord_discovery *d) {
  if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) > 1) return;
  coord_registry *r = registry_of(d);
  if (d->told != NULL) coord__roster_release(d->told);
  coord__free(d->last);
  coord__queue_release(d->queue);
  pthread_mutex_destroy(&d->mutex);
  coord__free(d);
  coord__registry_release(r);
}

/* ---- events ---- */

static void destroy(coord_event *event) {
  coord__news *n = COORD__CONTAINER(event, coord__news, event);
  coord_discovery *d = n->discovery;
  pthread_mutex_lock(&d->mutex);
  if (d->waiting == n) d->waiting = NULL;
  if (d->closed == n) d->closed = NULL;
  pthread_mutex_unlock(&d->mutex);
  if (n->before != NULL) coord__roster_release(n->before);
  if (n->now != NULL) coord__roster_release(n->now);
  coord__free(n->difference);
  coord__free(n);
  release(d);
}

/* Without the reference to the discovery, which comes with its going out. */
static coord__news *new_news(coord_discovery *d, int32_t type) {
  coord__news *n = coord__calloc(1, sizeof *n);
  if (n == NULL) return NULL;
  n->discovery = d;
  n->event = (coord_event){.type = type, .tag = d->tag, .destroy = destroy};
  return n;
}

static void push(coord_discovery *d, coord__news *n) {
  coord__list events;
  coord__list_init(&events);
  coord__list_append(&events, &n->event.link);
  atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
  coord__queue_push(d->queue, &events);
}

/* An event of all that differs from `before`; *out NULL: nothing does, which was told. False: memory is
 * out. */
static bool news_of(coord_discovery *d, coord_instances *before, coord_instances *roster,
                    coord__news **out) {
  coord__difference *difference = coord__roster_between(before, roster);
  if (difference == NULL) return false;
  bool same = before != NULL && difference->count == 0 && before->guarded == roster->guarded;
  coord__news *n = same ? NULL : new_news(d, COORD_EVENT_CHANGES);
  if (n == NULL) {
    coord__free(difference);
    return same;
  }
  if (before != NULL) n->before = coord__roster_retain(before);
  n->now = coord__roster_retain(roster);
  n->difference = difference;
  n->event.news = n;
  n->event.revision = roster->revision;
  *out = n;
  return true;
}

/* What was told last is the base of what is told next; of what is waiting still, its own base. False:
 * memory is out; nothing is told now, and all of it the next time. */
static bool tell(coord_discovery *d, coord_instances *roster) {
  pthread_mutex_lock(&d->mutex);
  coord__news *waiting = d->waiting;
  bool withdrawn = waiting != NULL && coord__queue_withdraw(d->queue, &waiting->event);
  coord_instances *before = withdrawn ? waiting->before : d->told;
  coord__news *n = NULL;
  bool ok = d->muted || d->last == NULL || news_of(d, before, roster, &n);
  coord_instances *told = n != NULL ? roster : before;
  if (told != NULL) coord__roster_retain(told);
  if (d->told != NULL) coord__roster_release(d->told);
  d->told = told;
  d->waiting = n;
  if (n != NULL) push(d, n);
  if (withdrawn) coord_event_free(&waiting->event);
  pthread_mutex_unlock(&d->mutex);
  return ok;
}

bool coord__discovery_tell(coord__list *watchers, coord_instances *roster) {
  bool ok = true;
  for (coord__list *n = watchers->next; n != watchers; n = n->next) {
    ok = tell(COORD__CONTAINER(n, coord_discovery, link), roster) && ok;
  }
  return ok;
}

static void end(coord_discovery *d, coord_code code, const coord_error *err) {
  pthread_mutex_lock(&d->mutex);
  coord__news *last = d->last;
  d->last = NULL;
  if (last != NULL && !d->muted) {
    last->event.code = code;
    last->event.error = coord__error_dup(err);
    d->closed = last;
    push(d, last);
    last = NULL;
  }
  pthread_mutex_unlock(&d->mutex);
  coord__free(last);
}

void coord__discovery_end(coord__list *watchers, coord_code code, const coord_error *err) {
  for (coord__list *n = watchers->next; n != watchers; n = n->next) {
    end(COORD__CONTAINER(n, coord_discovery, link), code, err);
  }
}

/* ---- life ---- */

static void run_open(coord__job *job) {
  coord_discovery *d = COORD__CONTAINER(job, coord_discovery, open_job);
  coord_registry *r = registry_of(d);
  coord_error *err = NULL;
  pthread_mutex_lock(&r->mutex);
  coord_code code = r->view_code;
  pthread_mutex_unlock(&r->mutex);
  coord__list_append(&d->service->watchers, &d->link);
  if (code != COORD_OK) {
    coord__fail(&err, code, "discovery: the registry is read no more");
    end(d, code, err);
    coord_error_free(err);
  } else {
    coord__view_tell(d->service); /* or it comes when it was read */
  }
}

static void run_free(coord__job *job) {
  coord_discovery *d = COORD__CONTAINER(job, coord_discovery, free_job);
  coord_registry *r = registry_of(d);
  coord__list_remove(&d->link);
  coord__registry_unuse(r);
  release(d);
}

/* By the mutex. */
static void withdraw(coord_discovery *d, coord__news *n) {
  if (n != NULL && coord__queue_withdraw(d->queue, &n->event)) coord_event_free(&n->event);
}

void coord__discovery_free(coord_discovery *d) {
  coord_registry *r = registry_of(d);
  coord_client *c = r->client;
  if (coord__client_forked(c)) {
    coord__list_remove(&d->link);
    release(d);
    coord__registry_unuse(r);
    return;
  }
  pthread_mutex_lock(&d->mutex);
  d->muted = true;
  withdraw(d, d->waiting);
  withdraw(d, d->closed);
  pthread_mutex_unlock(&d->mutex);
  coord__loop_post(c->loop, &d->free_job);
  coord__client_unuse(c);
}

coord_code coord__discovery_open(coord__service *service, coord_queue *queue, uint64_t tag,
                                 coord_discovery **out, coord_error **err) {
  coord_discovery *d = coord__calloc(1, sizeof *d);
  if (d == NULL) return coord__no_memory(err);
  d->tag = tag;
  d->service = service;
  d->last = new_news(d, COORD_EVENT_CLOSED);
  if (d->last == NULL) {
    coord__free(d);
    return coord__no_memory(err);
  }
  atomic_init(&d->refs, 1);
  d->queue = coord__queue_retain(queue);
  d->open_job.run = run_open;
  d->free_job.run = run_free;
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&d->mutex, &attr);
  pthread_mutexattr_destroy(&attr);
  coord_registry *r = registry_of(d);
  coord__registry_retain(r);
  coord__registry_use(r);
  coord__client_use(r->client);
  coord__loop_post(r->client->loop, &d->open_job);
  *out = d;
  return COORD_OK;
}
