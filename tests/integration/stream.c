/* The seam of streams, proven by a Watch on a real etcd. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "etcd.pb-c.h"
#include "support/etcd.h"
#include "wire/duplex.h"

enum { EVENTS_MAX = 64 };

/* What a watch has told, gathered on the I/O thread. */
typedef struct seen {
  pthread_mutex_t lock;
  int created;
  int events;
  char keys[EVENTS_MAX][t_key_size];
  char values[EVENTS_MAX][t_key_size];
  bool deleted[EVENTS_MAX];
  int64_t revisions[EVENTS_MAX];
} seen;

static void copy_text(char out[t_key_size], ProtobufCBinaryData data) {
  snprintf(out, t_key_size, "%.*s", (int)data.len, (const char *)data.data);
}

static void on_message(duplex *d, const uint8_t *p, size_t n) {
  seen *s = d->user;
  Etcdserverpb__WatchResponse *r = etcdserverpb__watch_response__unpack(NULL, n, p);
  if (!T_TRUE(r != NULL)) return;
  pthread_mutex_lock(&s->lock);
  s->created += r->created;
  for (size_t i = 0; i < r->n_events && s->events < EVENTS_MAX; i++) {
    copy_text(s->keys[s->events], r->events[i]->kv->key);
    copy_text(s->values[s->events], r->events[i]->kv->value);
    s->deleted[s->events] = r->events[i]->type == ETCDSERVERPB__EVENT__EVENT_TYPE__DELETE;
    s->revisions[s->events++] = r->events[i]->kv->mod_revision;
  }
  pthread_mutex_unlock(&s->lock);
  etcdserverpb__watch_response__free_unpacked(r, NULL);
}

static void watch_prefix(duplex *d, const char *prefix) {
  char end[t_key_size];
  snprintf(end, sizeof end, "%s", prefix);
  end[strlen(end) - 1]++;
  Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
  create.key = (ProtobufCBinaryData){strlen(prefix), (uint8_t *)(uintptr_t)prefix};
  create.range_end = (ProtobufCBinaryData){strlen(end), (uint8_t *)end};
  Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
  request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
  request.create_request = &create;
  uint8_t bytes[512];
  T_FATAL(etcdserverpb__watch_request__get_packed_size(&request) <= sizeof bytes);
  size_t n = etcdserverpb__watch_request__pack(&request, bytes);
  duplex_send(d, bytes, n, false);
}

typedef struct wanted {
  seen *s;
  int created;
  int events;
} wanted;

static bool have(void *arg) {
  wanted *w = arg;
  pthread_mutex_lock(&w->s->lock);
  bool all = w->s->created >= w->created && w->s->events >= w->events;
  pthread_mutex_unlock(&w->s->lock);
  return all;
}

static bool wait_for(seen *s, int created, int events) {
  wanted w = {s, created, events};
  return T_TRUE(t_wait_until(have, &w, 10000));
}

static void open_watch(duplex *d, seen *s, coord_client *client, const char *prefix) {
  *s = (seen){.lock = PTHREAD_MUTEX_INITIALIZER};
  d->user = s;
  d->on_message = on_message;
  duplex_open(d, client, &coord__methods[COORD__METHOD_WATCH]);
  T_FATAL(t_wait_until(duplex_is_open, d, 10000));
  watch_prefix(d, prefix);
  T_FATAL(wait_for(s, 1, 0));
}

static void watch_sees_puts_and_deletes_in_order(void) {
  static seen s;
  duplex d = {0};
  char prefix[t_key_size], key[t_key_size + 16];
  coord_client *client = t_client();
  open_watch(&d, &s, client, t_key(prefix, "w/"));
  int64_t revisions[11];
  for (int i = 0; i < 10; i++) {
    snprintf(key, sizeof key, "%s%d", prefix, i);
    revisions[i] = t_put(client, key, key + strlen(prefix));
    t_put(client, "elsewhere", "x");
  }
  coord_error *err = NULL;
  T_OK(coord_delete(client, key, strlen(key), NULL, &err), err);
  T_FATAL(wait_for(&s, 1, 11));
  for (int i = 0; i < 10; i++) {
    T_INT(s.keys[i][strlen(prefix)], '0' + i);
    T_INT(s.values[i][0], '0' + i);
    T_TRUE(!s.deleted[i]);
    T_INT(s.revisions[i], revisions[i]);
  }
  T_TRUE(s.deleted[10]);
  T_STR(s.keys[10], key);
  duplex_end(&d);
  t_put(client, key, "late");
  T_INT(s.events, 11);
  T_TRUE(!d.closed);
  coord_client_free(client);
}

static void many_watches_share_one_stream(void) {
  static seen s;
  duplex d = {0};
  char prefix[t_key_size], key[t_key_size + 16];
  coord_client *client = t_client();
  open_watch(&d, &s, client, t_key(prefix, "0/"));
  for (int i = 1; i < 20; i++) {
    snprintf(key, sizeof key, "%d/", i);
    watch_prefix(&d, t_key(prefix, key));
  }
  T_TRUE(wait_for(&s, 20, 0));
  for (int i = 0; i < 20; i++) {
    snprintf(key, sizeof key, "%d/k", i);
    t_put(client, t_key(prefix, key), "v");
  }
  T_TRUE(wait_for(&s, 20, 20));
  duplex_end(&d);
  coord_client_free(client);
}

static void watch_goes_on_when_we_have_said_our_last_word(void) {
  static seen s;
  duplex d = {0};
  char prefix[t_key_size], key[t_key_size + 16];
  coord_client *client = t_client();
  open_watch(&d, &s, client, t_key(prefix, "w/"));
  Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
  Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
  request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
  request.progress_request = &progress;
  uint8_t bytes[64];
  duplex_send(&d, bytes, etcdserverpb__watch_request__pack(&request, bytes), true);
  snprintf(key, sizeof key, "%sk", prefix);
  t_put(client, key, "v");
  T_TRUE(wait_for(&s, 1, 1));
  duplex_end(&d);
  coord_client_free(client);
}

static void watch_of_a_server_that_dies_is_told_so(void) {
  static seen s;
  duplex d = {0}, again = {0};
  t_cluster *cluster = t_etcd_start(NULL);
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(cluster, 0), "log.level", "off", NULL);
  open_watch(&d, &s, client, "w/");
  t_put(client, "w/a", "1");
  T_TRUE(wait_for(&s, 1, 1));
  t_etcd_kill(cluster, 0);
  duplex_expect_closed(&d, COORD_UNAVAILABLE, "watch");
  duplex_open(&again, client, &coord__methods[COORD__METHOD_WATCH]);
  duplex_expect_closed(&again, COORD_UNAVAILABLE, t_etcd_endpoint(cluster, 0));
  T_TRUE(!again.opened);
  t_etcd_restart(cluster, 0);
  duplex back = {0};
  open_watch(&back, &s, client, "w/");
  t_put(client, "w/b", "2");
  T_TRUE(wait_for(&s, 1, 1));
  T_STR(s.keys[0], "w/b");
  duplex_end(&back);
  coord_client_free(client);
  t_etcd_stop(cluster);
}

T_MAIN(T_CASE(watch_sees_puts_and_deletes_in_order), T_CASE(many_watches_share_one_stream),
       T_CASE(watch_goes_on_when_we_have_said_our_last_word),
       T_CASE(watch_of_a_server_that_dies_is_told_so))
