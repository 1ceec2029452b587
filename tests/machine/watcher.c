/* Many watches on a stream of a server that is played by hand. */
#include "coord/watcher.h"

#include <stdarg.h>
#include "coord/feed.h"
#include "machine/login.h"

static size_t looked_at; /* of the messages sent */
static size_t links_known;

enum { SUBS = 4, LIVENESS_MS = 300 };

static coord__watcher watcher;
static coord__subscription subs[SUBS];
static coord__namespace no_namespace;
static char events_text[SUBS][512]; /* what was told to each */

/* ---- who is told ---- */

static void add_text(const coord__subscription *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_text(const coord__subscription *s, const char *format, ...) {
  char *text = events_text[s - subs];
  size_t used = strlen(text);
  va_list args;
  va_start(args, format);
  if (used > 0) used += (size_t)snprintf(text + used, 512 - used, " ");
  vsnprintf(text + used, 512 - used, format, args);
  va_end(args);
}

static bool on_stands(coord__subscription *s, int64_t revision, coord_code broken) {
  add_text(s, "stands@%lld%s%s", (long long)revision, broken != COORD_OK ? "/" : "",
           broken != COORD_OK ? coord_code_name(broken) : "");
  return true;
}

static void on_changes(coord__subscription *s, coord_event *event) {
  add_text(s, "%zu@%lld", coord_event_count(event), (long long)coord_event_revision(event));
  coord_event_free(event);
}

static void on_ended(coord__subscription *s, coord_code code, coord_error *err, int64_t compacted) {
  add_text(s, "%s", coord_code_name(code));
  if (compacted > 0) add_text(s, "%lld", (long long)compacted);
  coord_error_free(err);
}

static const coord__subscriber subscriber = {on_stands, on_changes, on_ended};

/* ---- the watcher ---- */

static bool one_at_a_time;
static int64_t liveness_ms = 60000;
static int verifications;

static void count_verification(coord__watcher *w) {
  (void)w;
  verifications++;
}

static void do_begin(void *unused) {
  (void)unused;
  coord__watcher_config config = {.method = &coord__methods[COORD__METHOD_WATCH],
                                  .liveness_ns = liveness_ms * COORD__NS_PER_MS,
                                  .verify = count_verification,
                                  .one_at_a_time = one_at_a_time};
  coord__watcher_init(&watcher, &rpc, &config);
}

static void do_end_all(void *unused) {
  (void)unused;
  coord__watcher_end(&watcher, COORD_CLOSED, "it is over");
  coord__watcher_free(&watcher);
}

typedef struct addition {
  int i;
  int64_t start;
} addition;

static void do_add(void *arg) {
  const addition *a = arg;
  coord__subscription *s = &subs[a->i];
  coord_op *get = coord_op_get("k", 1);
  *s = (coord__subscription){.subscriber = &subscriber};
  events_text[a->i][0] = '\0';
  T_CODE(coord__watch_init(&s->watch, get, a->start, &no_namespace, NULL), COORD_OK);
  T_TRUE(coord__watcher_add(&watcher, s));
  coord_op_free(get);
}

static void do_remove(void *s) { coord__watcher_remove(s); }
static void do_park(void *s) { coord__watcher_park(&watcher, s); }
static void do_unpark(void *s) { coord__watcher_unpark(&watcher, s); }

static void add(int i, int64_t start) { on_loop(do_add, &(addition){i, start}); }

static void begin_watching_as(const char *user, const char *password) {
  looked_at = 0;
  links_known = 1;
  start_as(user, password, "", 5000);
  on_loop(do_begin, NULL);
}

static void begin_watching(void) { begin_watching_as("", ""); }

static void look_links(void *count) { *(size_t *)count = links_opened; }

static bool has_more_links(void *unused) {
  (void)unused;
  size_t count = 0;
  on_loop(look_links, &count);
  return count > links_known;
}

static void expect_link(void) {
  T_FATAL(t_wait_until(has_more_links, NULL, 5000));
  links_known++;
  on_loop(do_ready, NULL);
}

static void end_watching(int count) {
  on_loop(do_end_all, NULL);
  for (int i = 0; i < count; i++) coord__watch_free(&subs[i].watch);
  stop();
}

/* ---- the server ---- */

typedef struct words {
  int64_t id;
  uint64_t cluster;
  int64_t revision;
  bool created;
  bool canceled;
  int64_t compact_revision;
  const char *reason;
  int64_t event; /* its revision; 0: none */
  size_t cut;    /* only so many bytes of it; 0: all */
} words;

static void do_say(void *arg) {
  static char empty[] = "";
  const words *w = arg;
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  Etcdserverpb__WatchResponse r = ETCDSERVERPB__WATCH_RESPONSE__INIT;
  Etcdserverpb__Event event = ETCDSERVERPB__EVENT__INIT, *list = &event;
  Etcdserverpb__KeyValue kv = ETCDSERVERPB__KEY_VALUE__INIT;
  uint8_t bytes[512];
  header.revision = w->revision;
  header.cluster_id = w->cluster;
  r.header = &header;
  r.watch_id = w->id;
  r.created = w->created;
  r.canceled = w->canceled;
  r.compact_revision = w->compact_revision;
  r.cancel_reason = w->reason != NULL ? (char *)(uintptr_t)w->reason : empty;
  event.kv = &kv;
  kv.key = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "k"};
  kv.mod_revision = w->event;
  r.events = &list;
  r.n_events = w->event > 0;
  size_t n = etcdserverpb__watch_response__pack(&r, bytes);
  if (w->cut > 0) n = w->cut;
  view v = {.method = "watch"};
  look(&v);
  if (T_TRUE(v.count > 0)) on_link[v.at].stream->message(on_link[v.at].stream, bytes, n);
}

static void say(words w) { on_loop(do_say, &w); }

/* The requests sent since the last look, as "create:3@5 cancel:3 progress"; "create:3@5/f": in
 * fragments. */
static void do_look_sent(void *arg) {
  char *text = arg;
  size_t used = 0;
  text[0] = '\0';
  for (; looked_at < messages_sent && looked_at < FRAMES_MAX; looked_at++) {
    Etcdserverpb__WatchRequest *r =
        etcdserverpb__watch_request__unpack(NULL, frames[looked_at].len, frames[looked_at].bytes);
    if (!T_TRUE(r != NULL)) continue;
    const char *space = used > 0 ? " " : "";
    if (r->request_union_case == ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST) {
      used += (size_t)snprintf(text + used, 512 - used, "%screate:%lld@%lld%s", space,
                               (long long)r->create_request->watch_id,
                               (long long)r->create_request->start_revision,
                               r->create_request->fragment ? "/f" : "");
    } else if (r->request_union_case == ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CANCEL_REQUEST) {
      used += (size_t)snprintf(text + used, 512 - used, "%scancel:%lld", space,
                               (long long)r->cancel_request->watch_id);
    } else {
      used += (size_t)snprintf(text + used, 512 - used, "%sprogress", space);
    }
    etcdserverpb__watch_request__free_unpacked(r, NULL);
  }
}

static const char *sent_text(void) {
  static char text[512];
  on_loop(do_look_sent, text);
  return text;
}

static void look_messages(void *count) { *(size_t *)count = messages_sent; }

static bool has_sent(void *unused) {
  (void)unused;
  size_t count = 0;
  on_loop(look_messages, &count);
  return count > looked_at;
}

static void sends(const char *text) {
  T_TRUE(t_wait_until(has_sent, NULL, 3000));
  T_STR(sent_text(), text);
}

static void told(int i, const char *text) { T_STR(events_text[i], text); }

/* Two watches that stand under these ids. */
static void two_stand(int64_t first, int64_t second) {
  begin_watching();
  add(0, 0);
  add(1, 5);
  expect_link();
  arrives("watch", 1, "-");
  sends("create:1@0 create:2@5");
  say((words){.id = first, .revision = 8, .created = true});
  say((words){.id = second, .revision = 8, .created = true});
  told(0, "stands@8");
  told(1, "stands@4");
}

/* The same with a server that must not be silent for long. */
static void two_stand_and_listen(void) {
  liveness_ms = LIVENESS_MS;
  two_stand(1, 2);
  liveness_ms = 60000;
}

/* ---- cases ---- */

static void events_go_where_they_belong(void) {
  const int64_t ids[][2] = {{1, 2}, {0, 1}, {2, 1}, {-5, 0}};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    two_stand(ids[i][0], ids[i][1]);
    say((words){.id = ids[i][1], .revision = 9, .event = 6});
    say((words){.id = ids[i][0], .revision = 9, .event = 9});
    say((words){.id = 77, .revision = 9, .event = 9});
    say((words){.id = -1, .revision = 20});
    told(0, "stands@8 1@9");
    told(1, "stands@4 1@6");
    end_watching(2);
    told(0, "stands@8 1@9 CLOSED");
  }
}

static void refusal_hits_the_oldest_request_alone(void) {
  begin_watching();
  for (int i = 0; i < 3; i++) add(i, 0);
  expect_link();
  sends("create:1@0 create:2@0 create:3@0");
  say((words){.id = 1, .revision = 8, .created = true});
  say((words){.id = -1,
              .revision = 8,
              .created = true,
              .canceled = true,
              .reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"});
  say((words){.id = 3, .revision = 8, .created = true});
  told(0, "stands@8");
  told(1, "AUTH");
  told(2, "stands@8");
  say((words){.id = 3, .revision = 9, .event = 9});
  told(2, "stands@8 1@9");
  end_watching(3);
}

static void lost_stream_is_opened_again_from_where_it_was(void) {
  two_stand(1, 2);
  say((words){.id = 2, .revision = 9, .event = 6});
  answer("watch", 14, "etcdserver: server stopped");
  arrives("watch", 1, "-");
  sends("create:1@9 create:2@7");
  say((words){.id = 1, .revision = 30, .created = true});
  answer("watch", 14, "etcdserver: no leader"); /* before the second one was answered */
  arrives("watch", 1, "-");
  sends("create:1@9 create:2@7");
  say((words){.id = 1, .revision = 30, .created = true});
  say((words){.id = 2, .revision = 30, .created = true});
  say((words){.id = 1, .revision = 30, .event = 9});
  told(0, "stands@8 stands@8/UNAVAILABLE stands@8/UNAVAILABLE 1@9");
  told(1, "stands@4 1@6 stands@6/UNAVAILABLE");
  end_watching(2);
}

static void removed_ones_are_cancelled_and_not_heard(void) {
  two_stand(1, 2);
  on_loop(do_remove, &subs[0]);
  sends("cancel:1");
  say((words){.id = 1, .revision = 9, .event = 9});
  say((words){.id = 1, .revision = 9, .canceled = true});
  told(0, "stands@8");
  add(2, 0);
  sends("create:3@0");
  on_loop(do_remove, &subs[2]); /* not answered yet: there is nothing to cancel */
  add(3, 0);
  sends("create:4@0");
  say((words){.id = 3, .revision = 9, .created = true});
  sends("cancel:3");
  say((words){.id = 4, .revision = 9, .created = true});
  told(2, "");
  told(3, "stands@9");
  on_loop(do_remove, &subs[3]);
  on_loop(do_remove, &subs[1]); /* the last one takes the stream with it */
  arrives("watch", 0, "");
  end_watching(4);
}

static void parked_ones_go_on_without_a_word(void) {
  two_stand(1, 2);
  on_loop(do_park, &subs[1]);
  sends("cancel:2");
  say((words){.id = 2, .revision = 9, .event = 6});
  on_loop(do_unpark, &subs[1]);
  sends("create:3@5");
  say((words){.id = 3, .revision = 9, .created = true});
  say((words){.id = 3, .revision = 9, .event = 6});
  told(1, "stands@4 1@6");
  on_loop(do_park, &subs[1]);
  end_watching(2);
  told(1, "stands@4 1@6 CLOSED");
}

static void do_ask(void *one) { *(coord__subscription **)one = coord__watcher_doubts(&watcher); }
static void do_settle(void *revision) {
  coord__watcher_settle(&watcher, *(const int64_t *)revision);
}

static void settle_at(int64_t revision) { on_loop(do_settle, &revision); }

/* Both go on at a server that has come as far as this. */
static void go_on_at(int64_t revision) {
  answer("watch", 14, "etcdserver: server stopped");
  arrives("watch", 1, "-");
  T_STR(sent_text(), "create:1@9 create:2@7");
  say((words){.id = 1, .revision = revision, .created = true});
  say((words){.id = 2, .revision = revision, .created = true});
}

static void restored_store_ends_what_it_does_not_hold(void) {
  coord__subscription *one = NULL;
  verifications = 0;
  two_stand(1, 2);
  say((words){.id = 2, .revision = 9, .event = 6});
  go_on_at(7); /* which may lag */
  told(0, "stands@8");
  told(1, "stands@4 1@6 stands@6/UNAVAILABLE");
  T_INT(verifications, 1);
  on_loop(do_ask, &one);
  T_TRUE(one == &subs[0]);
  settle_at(8); /* and does */
  told(0, "stands@8 stands@8/UNAVAILABLE");
  go_on_at(5);
  T_INT(verifications, 3);
  on_loop(do_ask, &one);
  T_TRUE(one != NULL);
  answer("watch", 14, "etcdserver: server stopped"); /* before that is answered */
  arrives("watch", 1, "-");
  settle_at(1);
  sends("create:1@9 create:2@7");
  say((words){.id = 1, .revision = 5, .created = true});
  settle_at(1); /* which was asked before */
  told(0, "stands@8 stands@8/UNAVAILABLE");
  say((words){.id = 2, .revision = 5, .created = true});
  on_loop(do_ask, &one);
  say((words){.id = 1, .revision = 9, .event = 9}); /* it has come on */
  told(0, "stands@8 stands@8/UNAVAILABLE stands@8/UNAVAILABLE 1@9");
  settle_at(5);
  /* It came on after the question, and others may have been told less than the backup lacks. */
  told(0, "stands@8 stands@8/UNAVAILABLE stands@8/UNAVAILABLE 1@9 COMPACTED");
  told(1, "stands@4 1@6 stands@6/UNAVAILABLE COMPACTED");
  sends("cancel:1 cancel:2");
  add(2, 0); /* what comes later knows nothing of it */
  add(3, 20);
  arrives("watch", 1, "-");
  sends("create:1@0 create:2@20");
  say((words){.id = 1, .revision = 6, .created = true});
  say((words){.id = 2, .revision = 6, .created = true});
  told(2, "stands@6");
  told(3, "stands@19");
  end_watching(4);
}

/* One that waits for what is still to come was told nothing, and waits on. */
static void restored_store_has_told_nothing_to_some(void) {
  coord__subscription *one = NULL;
  two_stand(1, 2);
  add(2, 50);
  sends("create:3@50");
  say((words){.id = 3, .revision = 9, .created = true});
  say((words){.id = 2, .revision = 9, .event = 6});
  answer("watch", 14, "etcdserver: server stopped");
  arrives("watch", 1, "-");
  sends("create:1@9 create:2@7 create:3@50");
  say((words){.id = 1, .revision = 4, .created = true});
  on_loop(do_ask, &one);
  say((words){.id = 3, .revision = 4, .created = true}); /* the second one's answer */
  say((words){.id = 2, .revision = 5, .created = true}); /* the third one's */
  settle_at(5);
  told(0, "stands@8 COMPACTED");
  told(1, "stands@4 1@6 COMPACTED");
  told(2, "stands@49 stands@49/UNAVAILABLE");
  end_watching(3);
}

/* By the time the second one stands the store has come further than it was. */
static void restored_store_that_has_come_on(void) {
  coord__subscription *one = NULL;
  two_stand(1, 2);
  say((words){.id = 2, .revision = 9, .event = 6});
  answer("watch", 14, "etcdserver: server stopped");
  arrives("watch", 1, "-");
  sends("create:1@9 create:2@7");
  say((words){.id = 1, .revision = 4, .created = true});
  on_loop(do_ask, &one);
  settle_at(4);
  told(0, "stands@8 COMPACTED");
  sends("cancel:1");
  say((words){.id = 2, .revision = 30, .created = true});
  told(1, "stands@4 1@6 COMPACTED");
  end_watching(2);
}

static void other_cluster_ends_all(void) {
  two_stand(1, 2);
  say((words){.id = 2, .revision = 9, .event = 6});
  for (int cluster = 7; cluster < 10; cluster++) {
    answer("watch", 14, "etcdserver: server stopped");
    arrives("watch", 1, "-");
    sends("create:1@9 create:2@7");
    /* Some proxies do not say it. */
    uint64_t id = cluster == 8 ? 0 : (uint64_t)cluster;
    say((words){.id = 1, .cluster = id, .revision = 9, .created = true});
    say((words){.id = 2, .revision = 9, .created = true});
  }
  told(0, "stands@8 stands@8/UNAVAILABLE stands@8/UNAVAILABLE COMPACTED");
  told(1, "stands@4 1@6 stands@6/UNAVAILABLE stands@6/UNAVAILABLE COMPACTED");
  end_watching(2);
}

static void compaction_is_the_end(void) {
  two_stand(1, 2);
  say((words){.id = 2, .revision = 9, .canceled = true, .compact_revision = 7});
  told(1, "stands@4 COMPACTED 7");
  say((words){.id = 1, .revision = 9, .compact_revision = 9}); /* as old servers say it */
  told(0, "stands@8 COMPACTED 9");
  arrives("watch", 0, "");
  end_watching(2);
}

static void server_cancels_one(void) {
  two_stand(1, 2);
  say((words){.id = 1, .revision = 9, .canceled = true});
  told(0, "stands@8 CANCELED");
  say((words){.id = 2, .revision = 9, .canceled = true, .reason = "etcdserver: no leader"});
  sends("create:3@5");
  say((words){.id = 3, .revision = 9, .created = true});
  told(1, "stands@4 stands@4/UNAVAILABLE");
  end_watching(2);
}

static void bad_answers_begin_the_stream_anew(void) {
  two_stand(1, 2);
  for (size_t cut = 1; cut < 4; cut++) {
    say((words){.id = 2, .revision = 300, .event = 6, .cut = cut});
    arrives("watch", 1, "-");
    sends("create:1@9 create:2@5");
    say((words){.id = 1, .revision = 8, .created = true});
    say((words){.id = 2, .revision = 8, .created = true});
  }
  say((words){.id = 2, .revision = 9, .event = 6});
  told(1, "stands@4 stands@4/PROTOCOL stands@4/PROTOCOL stands@4/PROTOCOL 1@6");
  end_watching(2);
}

static void refused_for_good_ends_all(void) {
  two_stand(1, 2);
  answer("watch", 7, "etcdserver: permission denied");
  told(0, "stands@8 AUTH");
  told(1, "stands@4 AUTH");
  end_watching(2);
}

static void too_large_an_answer_is_asked_for_in_fragments(void) {
  const char *too_large = "grpc: received message larger than max (9 vs. 8)";
  two_stand(1, 2);
  answer("watch", 8, too_large);
  arrives("watch", 1, "-");
  sends("create:1@9/f create:2@5/f");
  say((words){.id = 1, .revision = 9, .created = true});
  say((words){.id = 2, .revision = 9, .created = true});
  say((words){.id = 2, .revision = 9, .event = 6});
  told(1, "stands@4 1@6");
  add(2, 3); /* that of a new one may be in one piece, and be the one that is too large */
  sends("create:3@3");
  answer("watch", 8, too_large);
  arrives("watch", 1, "-");
  sends("create:1@9/f create:2@7/f create:3@3/f");
  answer("watch", 14, "etcdserver: server stopped");
  arrives("watch", 1, "-");
  sends("create:1@9 create:2@7 create:3@3");
  answer("watch", 8, too_large);
  arrives("watch", 1, "-");
  sends("create:1@9/f create:2@7/f create:3@3/f");
  answer("watch", 8, too_large);
  told(0, "stands@8 TOO_LARGE");
  told(1, "stands@4 1@6 TOO_LARGE");
  told(2, "TOO_LARGE");
  end_watching(3);
}

static void do_hear(void *unused) {
  (void)unused;
  view v = {.method = "watch"};
  look(&v);
  if (T_TRUE(v.count > 0)) on_link[v.at].stream->heard_ns = coord__clock_ns();
}

static void large_message_that_is_on_its_way_is_no_silence(void) {
  two_stand_and_listen();
  sends("progress");
  for (int64_t until = t_now_ms() + 5 * LIVENESS_MS; t_now_ms() < until;) {
    on_loop(do_hear, NULL);
    T_TRUE(!t_wait_until(has_more_links, NULL, LIVENESS_MS / 8));
  }
  say((words){.id = 1, .revision = 9, .event = 9});
  told(0, "stands@8 1@9");
  end_watching(2);
}

static void silent_server_is_asked_and_left(void) {
  two_stand_and_listen();
  sends("progress");
  say((words){.id = -1, .revision = 9});
  sends("progress");
  say((words){.id = -1, .revision = 9});
  sends("progress");
  expect_link();
  arrives("watch", 1, "-");
  sends("create:1@9 create:2@5");
  say((words){.id = 1, .revision = 30, .created = true});
  told(0, "stands@8 stands@8/UNAVAILABLE");
  /* The other one is owed an answer. */
  expect_link();
  sends("create:1@9 create:2@5");
  end_watching(2);
}

static void idle_server_is_left_alone(void) {
  two_stand_and_listen();
  int asked = 0;
  int64_t until = t_now_ms() + 10 * LIVENESS_MS + LIVENESS_MS;
  while (t_now_ms() < until) {
    if (t_wait_until(has_sent, NULL, LIVENESS_MS / T_SLOW)) {
      T_STR(sent_text(), "progress");
      asked++;
      say((words){.id = -1, .revision = 9});
    }
  }
  T_TRUE(asked > 5);
  T_TRUE(!t_wait_until(has_sent, NULL, 2 * LIVENESS_MS / T_SLOW));
  end_watching(2);
}

static void wire_that_answers_out_of_order_is_asked_one_by_one(void) {
  one_at_a_time = true;
  begin_watching();
  one_at_a_time = false;
  for (int i = 0; i < 3; i++) add(i, 0);
  expect_link();
  sends("create:1@0");
  on_loop(do_remove, &subs[1]);
  say((words){.id = 1, .revision = 8, .created = true});
  sends("create:2@0");
  say((words){.id = -1, .created = true, .canceled = true, .reason = "no"});
  told(0, "stands@8");
  told(2, "CANCELED");
  end_watching(3);
}

static void token_at_fault_moves_all_to_a_new_stream(void) {
  begin_watching_as("ann", "secret");
  add(0, 0);
  add(1, 0);
  expect_link();
  logged_in("t0");
  arrives("watch", 1, "t0");
  sends("create:1@0 create:2@0");
  settle();
  say((words){.id = 1, .revision = 8, .created = true});
  say((words){.id = -1,
              .created = true,
              .canceled = true,
              .reason = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"});
  logged_in("t1");
  arrives("watch", 1, "t1");
  sends("create:1@9 create:2@0");
  say((words){.id = 1, .revision = 9, .created = true});
  say((words){.id = 2, .revision = 9, .created = true});
  told(0, "stands@8");
  told(1, "stands@9");
  end_watching(2);
}

static void stream_refused_at_its_opening_asks_again(void) {
  begin_watching_as("ann", "secret");
  add(0, 3);
  expect_link();
  logged_in("t0");
  arrives("watch", 1, "t0");
  sends("create:1@3");
  settle();
  answer("watch", 16, bad_token);
  add(1, 4);
  logged_in("t1");
  arrives("watch", 1, "t1");
  sends("create:1@3 create:2@4");
  say((words){.id = 1, .revision = 9, .created = true});
  told(0, "stands@2");
  told(1, "");
  end_watching(2);
}

T_MAIN(T_CASE(events_go_where_they_belong), T_CASE(refusal_hits_the_oldest_request_alone),
       T_CASE(lost_stream_is_opened_again_from_where_it_was),
       T_CASE(removed_ones_are_cancelled_and_not_heard), T_CASE(parked_ones_go_on_without_a_word),
       T_CASE(restored_store_ends_what_it_does_not_hold), T_CASE(other_cluster_ends_all),
       T_CASE(restored_store_has_told_nothing_to_some), T_CASE(restored_store_that_has_come_on),
       T_CASE(compaction_is_the_end), T_CASE(server_cancels_one),
       T_CASE(bad_answers_begin_the_stream_anew), T_CASE(refused_for_good_ends_all),
       T_CASE(too_large_an_answer_is_asked_for_in_fragments),
       T_CASE(large_message_that_is_on_its_way_is_no_silence),
       T_CASE(silent_server_is_asked_and_left), T_CASE(idle_server_is_left_alone),
       T_CASE(wire_that_answers_out_of_order_is_asked_one_by_one),
       T_CASE(token_at_fault_moves_all_to_a_new_stream),
       T_CASE(stream_refused_at_its_opening_asks_again))
