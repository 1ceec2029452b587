#include "coord/registry_handle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "coord/lineup.h"
#include "coord/registration_handle.h"
#include "coord/view.h"

/* Beyond ROLL on one lease there is another one, so that not too much hangs on each, and its end is no
 * revision without bounds. ASKING bounds what many registrations ask at once. */
enum { ROLL = 1000, ASKING = 256, READ = 1024 };

/* ---- memory ---- */

coord_registry *coord__registry_retain(coord_registry *r) {
  atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
  return r;
}

void coord__registry_release(coord_registry *r) {
  if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1) return;
  coord__view_free(r);
  for (size_t i = 0; r->read != NULL && i < READ; i++) {
    if (r->read[i] != NULL) coord__instance_release(r->read[i]);
  }
  coord__free(r->read);
  coord__options_free(r->options);
  coord__buf_free(&r->prefix);
  pthread_mutex_destroy(&r->mutex);
  coord__free(r);
}

/* ---- keys ---- */

bool coord__registry_key(const coord_registry *r, const char *service, const char *id,
                         coord__buf *out) {
  return coord__buf_append(out, r->prefix.data, r->prefix.len) &&
         coord__buf_append_str(out, service) && coord__buf_append_str(out, "/") &&
         coord__buf_append_str(out, id);
}

static void skip(const coord_registry *r, const coord_kv *kv, const char *why) {
  char shown[COORD__SHOWN];
  coord__log_at(&r->client->log, COORD_LOG_WARN, "registry: key %s is passed over: %s",
                coord__show(shown, kv->key, kv->key_len), why);
}

coord_code coord__registry_read(const coord_registry *r, const coord_kv *kv, bool is_news,
                                coord_instance **out) {
  const char *rest = (const char *)kv->key + r->prefix.len;
  size_t left = kv->key_len - r->prefix.len;
  const char *slash = memchr(rest, '/', left);
  if (slash == NULL || slash == rest || memchr(rest, '\0', left) != NULL) {
    if (is_news) skip(r, kv, "it is none of an instance");
    return COORD_INVALID;
  }
  coord_error *err = NULL;
  char *name = coord__strdup(rest); /* a NUL follows each key */
  if (name == NULL) return COORD_NO_MEMORY;
  name[slash - rest] = '\0';
  coord_code code =
      coord__instance_read(r->format, name, slash + 1, kv->value, kv->value_len, out, &err);
  if (code == COORD_INVALID && is_news) skip(r, kv, coord_error_message(err));
  coord_error_free(err);
  coord__free(name);
  return code;
}

/* Whether an instance is what was read of this key. */
static bool is_of(const coord_registry *r, const coord_instance *i, const coord_kv *kv) {
  const char *rest = (const char *)kv->key + r->prefix.len;
  size_t left = kv->key_len - r->prefix.len, name = strlen(i->name), id = strlen(i->id);
  return i->mod == kv->mod_revision && left == name + 1 + id && memcmp(rest, i->name, name) == 0 &&
         rest[name] == '/' && memcmp(rest + name + 1, i->id, id) == 0;
}

coord_code coord__registry_read_again(coord_registry *r, const coord_kv *kv, coord_instance **out) {
  if (r->read == NULL) r->read = coord__calloc(READ, sizeof(coord_instance *));
  if (r->read == NULL) return coord__registry_read(r, kv, true, out);
  coord_instance **place = &r->read[coord__lineup_hash(kv->key, kv->key_len) % READ];
  if (*place == NULL || !is_of(r, *place, kv)) {
    coord_instance *i;
    coord_code code = coord__registry_read(r, kv, true, &i);
    if (code != COORD_OK) return code;
    i->mod = kv->mod_revision;
    if (*place != NULL) coord__instance_release(*place);
    *place = i;
  }
  *out = coord__instance_retain(*place);
  return COORD_OK;
}

/* ---- leases ---- */

coord__roll *coord__registry_join(coord_registry *r, int64_t ttl_s) {
  for (coord__list *n = r->rolls.next; n != &r->rolls; n = n->next) {
    coord__roll *roll = COORD__CONTAINER(n, coord__roll, link);
    if (roll->ttl_s != ttl_s || roll->count == ROLL) continue;
    roll->count++;
    return roll;
  }
  coord__roll *roll = coord__calloc(1, sizeof *roll);
  if (roll == NULL) return NULL;
  roll->pool = coord__pool_open(r->client, ttl_s, true, 0);
  if (roll->pool == NULL) {
    coord__free(roll);
    return NULL;
  }
  roll->ttl_s = ttl_s;
  roll->count = 1;
  coord__list_append(&r->rolls, &roll->link);
  return roll;
}

void coord__registry_leave(coord_registry *r, coord__roll *roll) {
  (void)r;
  if (--roll->count > 0) return;
  coord__list_remove(&roll->link);
  coord__pool_close(roll->pool); /* which revokes the lease */
  coord__free(roll);
}

/* ---- turns ---- */

void coord__registry_turn(coord_registry *r) {
  if (!coord__list_empty(&r->turns)) coord__loop_defer(r->client->loop, &r->serve);
}

static void serve(coord__idle *idle) {
  coord_registry *r = COORD__CONTAINER(idle, coord_registry, serve);
  coord__registry_retain(r);
  while (r->asking < ASKING && !coord__list_empty(&r->turns)) {
    coord__registration_ask(coord__list_pop(&r->turns));
  }
  coord__registry_release(r);
}

/* ---- life ---- */

static void end_part(coord__part *part) {
  coord_registry *r = COORD__CONTAINER(part, coord_registry, part);
  r->ended = true;
  for (coord__list *n = r->registrations.next; n != &r->registrations;) {
    coord__list *next = n->next;
    coord__registration_end(n);
    n = next;
  }
}

static void free_part(coord__part *part) { (void)part; }

static void run_open(coord__job *job) {
  coord_registry *r = COORD__CONTAINER(job, coord_registry, open_job);
  r->ended = r->client->rpc.closed;
  if (!r->ended) coord__list_append(&r->client->parts, &r->part.link);
}

void coord__registry_check(coord_registry *r) {
  if (!r->freed || !coord__list_empty(&r->registrations)) return;
  coord_client *c = r->client;
  coord__list_remove(&r->part.link);
  coord__idle_cancel(&r->serve);
  coord__registry_release(r);
  coord__client_release(c);
}

static void run_free(coord__job *job) {
  coord_registry *r = COORD__CONTAINER(job, coord_registry, free_job);
  r->freed = true;
  coord__view_close(r);
  coord__registry_check(r);
}

static void free_in_child(coord_registry *r) {
  coord_client *c = r->client;
  coord_mirror *mirror = atomic_load(&r->mirror);
  coord__list_remove(&r->part.link);
  if (mirror != NULL) {
    coord__mirror_free(mirror);
    coord__registry_release(r); /* which the listener has held */
  }
  coord__registry_release(r);
  atomic_fetch_sub(&c->refs, 1);
}

void coord__registry_use(coord_registry *r) {
  atomic_fetch_add_explicit(&r->uses, 1, memory_order_relaxed);
}

void coord__registry_unuse(coord_registry *r) {
  if (atomic_fetch_sub_explicit(&r->uses, 1, memory_order_acq_rel) > 1) return;
  if (coord__client_forked(r->client)) {
    free_in_child(r);
  } else {
    r->free_job.run = run_free;
    coord__loop_post(r->client->loop, &r->free_job);
  }
}

void coord__registry_free(coord_registry *r) {
  coord_client *c = r->client;
  coord__registry_unuse(r);
  coord__client_unuse(c);
}

static bool set_prefix(coord_registry *r) {
  const char *prefix = coord__options_text(r->options, COORD__OPTION_REGISTRY_PREFIX);
  size_t len = strlen(prefix);
  if (len > 0 && prefix[len - 1] == '/') len--;
  return len == 0 ||
         (coord__buf_append(&r->prefix, prefix, len) && coord__buf_append_str(&r->prefix, "/"));
}

coord_code coord__registry_open(coord_client *c, const coord_options *options, coord_registry **out,
                                coord_error **err) {
  coord_registry *r = coord__calloc(1, sizeof *r);
  if (r == NULL) return coord__no_memory(err);
  atomic_init(&r->refs, 1);
  atomic_init(&r->uses, 1);
  pthread_mutex_init(&r->mutex, NULL);
  r->client = c;
  r->part = (coord__part){.end = end_part, .free = free_part};
  r->open_job.run = run_open;
  r->serve.run = serve;
  coord__list_init(&r->registrations);
  coord__list_init(&r->rolls);
  coord__list_init(&r->turns);
  r->options = coord__options_copy(options != NULL ? options : c->options);
  if (r->options == NULL || !set_prefix(r)) {
    coord__registry_release(r);
    return coord__no_memory(err);
  }
  r->format = (coord__format)coord__options_choice(r->options, COORD__OPTION_REGISTRY_FORMAT);
  r->replace = coord__options_bool(r->options, COORD__OPTION_REGISTRY_REPLACE);
  r->guard_percent = (int32_t)coord__options_int(r->options, COORD__OPTION_REGISTRY_GUARD_PERCENT);
  r->guard_ns = coord__options_int(r->options, COORD__OPTION_REGISTRY_GUARD_MS) * COORD__NS_PER_MS;
  coord__client_retain(c);
  coord__client_use(c);
  coord__loop_post(c->loop, &r->open_job);
  *out = r;
  return COORD_OK;
}
