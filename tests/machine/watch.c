/* One watch, fed by hand: what it makes of every answer, and of every piece of one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "coord/watch_state.h"
#include "etcd.pb-c.h"
#include "support/t.h"

enum { ANSWER_SIZE = 4096, EVENTS_MAX = 16 };

static coord__namespace no_namespace;

/* ---- answers ---- */

typedef struct told {
  int64_t revision;
  const char *key;
  const char *value; /* NULL: deleted */
  const char *prev;  /* NULL: none */
} told;

typedef struct script {
  int64_t revision; /* of the header */
  bool created;
  bool canceled;
  bool fragment;
  int64_t compact_revision;
  const char *reason;
  told events[EVENTS_MAX];
} script;

typedef struct packed {
  uint8_t bytes[ANSWER_SIZE];
  size_t len;
} packed;

static ProtobufCBinaryData data_of(const char *text) {
  return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static packed pack(const script *s) {
  static char empty[] = "";
  Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
  Etcdserverpb__WatchResponse r = ETCDSERVERPB__WATCH_RESPONSE__INIT;
  Etcdserverpb__Event events[EVENTS_MAX], *list[EVENTS_MAX];
  Etcdserverpb__KeyValue kvs[EVENTS_MAX], prevs[EVENTS_MAX];
  packed out;
  header.revision = s->revision;
  r.header = &header;
  r.watch_id = 1;
  r.created = s->created;
  r.canceled = s->canceled;
  r.fragment = s->fragment;
  r.compact_revision = s->compact_revision;
  r.cancel_reason = s->reason != NULL ? (char *)(uintptr_t)s->reason : empty;
  r.events = list;
  for (const told *t = s->events; t->revision > 0; t++) {
    size_t i = r.n_events++;
    etcdserverpb__event__init(&events[i]);
    etcdserverpb__key_value__init(&kvs[i]);
    list[i] = &events[i];
    events[i].kv = &kvs[i];
    kvs[i].key = data_of(t->key);
    kvs[i].mod_revision = t->revision;
    if (t->value != NULL) {
      kvs[i].value = data_of(t->value);
      kvs[i].create_revision = 1;
      kvs[i].version = 2;
      kvs[i].lease = 3;
    } else {
      events[i].type = ETCDSERVERPB__EVENT__EVENT_TYPE__DELETE;
    }
    if (t->prev == NULL) continue;
    etcdserverpb__key_value__init(&prevs[i]);
    prevs[i].key = kvs[i].key;
    prevs[i].value = data_of(t->prev);
    events[i].prev_kv = &prevs[i];
  }
  T_FATAL(etcdserverpb__watch_response__get_packed_size(&r) <= sizeof out.bytes);
  out.len = etcdserverpb__watch_response__pack(&r, out.bytes);
  return out;
}

/* ---- the watch ---- */

static void begin_in(coord__watch *w, int64_t start, int32_t attribute,
                     const coord__namespace *ns) {
  coord_op *get = coord_op_get("k", 1);
  coord_op_set_prefix(get);
  if (attribute >= 0) T_CODE(coord_op_set(get, attribute, 1), COORD_OK);
  T_CODE(coord__watch_init(w, get, start, ns, NULL), COORD_OK);
  coord_op_free(get);
}

static void begin(coord__watch *w, int64_t start) { begin_in(w, start, -1, &no_namespace); }

static coord__news take_packed(coord__watch *w, const packed *p) {
  coord__answer answer;
  uint8_t *exact = malloc(p->len); /* so that a sanitizer sees what is read beyond it */
  memcpy(exact, p->bytes, p->len);
  T_FATAL(coord__answer_read(exact, p->len, &answer));
  coord__news news = coord__watch_take(w, &answer);
  free(exact);
  return news;
}

static coord__news take(coord__watch *w, const script *s) {
  packed p = pack(s);
  return take_packed(w, &p);
}

/* What an event tells, as "5:+k=v(prev) 6:-k"; frees it. */
static const char *text_of(coord__news news) {
  static char text[1024];
  size_t used = 0;
  text[0] = '\0';
  if (news.kind != COORD__NEWS_CHANGES) return news.kind == COORD__NEWS_NOTHING ? "nothing" : "?";
  for (size_t i = 0; i < coord_event_count(news.event); i++) {
    int32_t type;
    coord_kv kv, prev;
    T_CODE(coord_event_change(news.event, i, &type, &kv, &prev), COORD_OK);
    T_INT(strlen(kv.key), kv.key_len);
    T_INT(strlen(kv.value), kv.value_len);
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld:%s%s%s%s", i > 0 ? " " : "",
                             (long long)kv.mod_revision, type == COORD_CHANGE_PUT ? "+" : "-",
                             (const char *)kv.key, type == COORD_CHANGE_PUT ? "=" : "",
                             (const char *)kv.value);
    if (prev.key == NULL) continue;
    T_STR(prev.key, kv.key);
    used += (size_t)snprintf(text + used, sizeof text - used, "(%s)", (const char *)prev.value);
  }
  T_INT(news.revision, coord_event_revision(news.event));
  coord_event_free(news.event);
  return text;
}

static void expect(coord__watch *w, const script *s, const char *text, int64_t next) {
  T_STR(text_of(take(w, s)), text);
  T_INT(w->next, next);
}

/* ---- cases ---- */

static const script created_at_9 = {.revision = 9, .created = true};

static void from_now_on_begins_after_the_creation(void) {
  coord__watch w;
  begin(&w, 0);
  T_TRUE(!w.has_stood);
  coord__news news = take(&w, &created_at_9);
  T_INT(news.kind, COORD__NEWS_STANDS);
  T_INT(news.revision, 9);
  T_INT(w.next, 10);
  coord__watch_break(&w);
  /* Again, on a server that is ahead: what came meanwhile is still to be told. */
  news = take(&w, &(script){.revision = 20, .created = true});
  T_INT(news.revision, 9);
  T_INT(w.next, 10);
  coord__watch_free(&w);
}

static void start_revision_is_not_moved_by_the_creation(void) {
  coord__watch w;
  begin(&w, 3);
  T_INT(take(&w, &created_at_9).revision, 2);
  T_INT(w.next, 3);
  expect(&w, &(script){.revision = 9, .events = {{3, "k", "a", NULL}}}, "3:+k=a", 4);
  coord__watch_break(&w);
  take(&w, &(script){.revision = 12, .created = true});
  T_INT(w.next, 4);
  coord__watch_free(&w);
}

static void changes_of_all_kinds(void) {
  coord__watch w;
  begin(&w, 1);
  take(&w, &created_at_9);
  expect(&w,
         &(script){.revision = 9,
                   .events = {{3, "k", "a", NULL},
                              {3, "kk", "", NULL},
                              {5, "k", NULL, "a"},
                              {6, "k", "", ""}}},
         "3:+k=a 3:+kk= 5:-k(a) 6:+k=()", 7);
  coord__news news = take(&w, &(script){.revision = 9, .events = {{8, "k", "v", NULL}}});
  coord_kv kv;
  T_CODE(coord_event_change(news.event, 0, NULL, &kv, NULL), COORD_OK);
  T_INT(kv.create_revision, 1);
  T_INT(kv.version, 2);
  T_INT(kv.lease_id, 3);
  T_CODE(coord_event_change(news.event, 1, NULL, &kv, NULL), COORD_INVALID);
  coord_event_free(news.event);
  coord__watch_free(&w);
}

static void what_was_told_is_not_told_again(void) {
  coord__watch w;
  begin(&w, 5);
  take(&w, &created_at_9);
  expect(&w, &(script){.revision = 9, .events = {{3, "k", "a", NULL}, {4, "k", "b", NULL}}},
         "nothing", 5);
  expect(&w, &(script){.revision = 9, .events = {{4, "k", "b", NULL}, {5, "k", "c", NULL}}},
         "5:+k=c", 6);
  expect(&w, &(script){.revision = 9, .events = {{5, "k", "c", NULL}}}, "nothing", 6);
  coord__watch_free(&w);
}

static void revisions_that_go_back_are_an_error(void) {
  coord__watch w;
  begin(&w, 1);
  take(&w, &created_at_9);
  coord__news news =
      take(&w, &(script){.revision = 9, .events = {{5, "k", "a", NULL}, {4, "k", "b", NULL}}});
  T_INT(news.kind, COORD__NEWS_FAILED);
  T_CODE(news.code, COORD_PROTOCOL);
  T_INT(w.next, 1);
  coord__watch_free(&w);
}

static const told six[] = {{3, "k", "a", NULL}, {4, "k", "b", NULL}, {4, "kb", "c", NULL},
                           {4, "k", NULL, "b"}, {6, "k", "d", NULL}, {6, "kb", NULL, NULL}};

/* The six events divided at two places: each revision arrives whole, once, and is not counted as
 * told before. */
static void divide(size_t first, size_t second) {
  coord__watch w;
  char all[256] = "";
  size_t begins[] = {0, first, second, 6};
  begin(&w, 1);
  take(&w, &created_at_9);
  for (int part = 0; part < 3; part++) {
    script s = {.revision = 9, .fragment = part < 2};
    memcpy(s.events, six + begins[part], (begins[part + 1] - begins[part]) * sizeof *six);
    coord__news news = take(&w, &s);
    if (news.kind == COORD__NEWS_NOTHING) continue;
    T_INT(w.next, news.revision + 1);
    if (all[0] != '\0') strcat(all, " ");
    strcat(all, text_of(news));
    /* Whole revisions only. */
    size_t told_so_far = news.revision == 3 ? 1 : news.revision == 4 ? 4 : 6;
    int colons = 0;
    for (const char *c = all; *c != '\0'; c++) colons += *c == ':';
    T_INT(colons, told_so_far);
  }
  T_STR(all, "3:+k=a 4:+k=b 4:+kb=c 4:-k(b) 6:+k=d 6:-kb");
  T_INT(w.next, 7);
  T_INT(w.partial.len, 0);
  coord__watch_free(&w);
}

static void fragments_are_joined_wherever_they_are_divided(void) {
  for (size_t first = 0; first <= 6; first++) {
    for (size_t second = first; second <= 6; second++) divide(first, second);
  }
}

static void break_in_a_fragment_begins_that_revision_anew(void) {
  coord__watch w;
  begin(&w, 1);
  take(&w, &created_at_9);
  expect(&w, &(script){.fragment = true, .events = {{3, "k", "a", NULL}, {4, "k", "b", NULL}}},
         "3:+k=a", 4);
  coord__watch_break(&w);
  take(&w, &created_at_9);
  expect(&w, &(script){.events = {{4, "k", "b", NULL}, {4, "kb", "c", NULL}}}, "4:+k=b 4:+kb=c", 5);
  coord__watch_free(&w);
}

static void progress_moves_the_place_to_resume(void) {
  coord__watch quiet, loud;
  begin(&quiet, 5);
  take(&quiet, &created_at_9);
  expect(&quiet, &(script){.revision = 3}, "nothing", 5); /* future revision, early notice */
  expect(&quiet, &(script){.revision = 9}, "nothing", 10);
  coord__watch_free(&quiet);
  begin_in(&loud, 5, COORD_OP_PROGRESS, &no_namespace);
  take(&loud, &created_at_9);
  coord__news news = take(&loud, &(script){.revision = 9});
  T_INT(news.kind, COORD__NEWS_CHANGES);
  T_INT(coord_event_count(news.event), 0);
  T_INT(coord_event_revision(news.event), 9);
  coord_event_free(news.event);
  T_INT(take(&loud, &(script){.revision = 9}).kind, COORD__NEWS_NOTHING);
  coord__watch_free(&loud);
}

static void progress_between_fragments_moves_nothing(void) {
  coord__watch w;
  begin(&w, 1);
  take(&w, &created_at_9);
  expect(&w, &(script){.fragment = true, .events = {{4, "k", "b", NULL}}}, "nothing", 1);
  expect(&w, &(script){.revision = 9}, "4:+k=b", 5);
  coord__watch_free(&w);
}

static void compaction_is_told_in_all_its_forms(void) {
  static const char words[] = "etcdserver: mvcc: required revision has been compacted";
  const script forms[] = {{.canceled = true, .compact_revision = 7},
                          {.compact_revision = 7},
                          {.created = true, .canceled = true, .reason = words},
                          {.canceled = true, .compact_revision = 7, .reason = words}};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    coord__watch w;
    begin(&w, 3);
    coord__news news = take(&w, &forms[i]);
    T_INT(news.kind, COORD__NEWS_COMPACTED);
    T_INT(news.revision, forms[i].compact_revision);
    coord__watch_free(&w);
  }
}

static void cancel_is_no_progress(void) {
  coord__watch w;
  begin(&w, 3);
  T_INT(take(&w, &(script){.revision = 9, .canceled = true, .reason = "x"}).kind,
        COORD__NEWS_CANCELED);
  T_INT(w.next, 3);
  coord__watch_free(&w);
}

static void namespace_is_taken_off(void) {
  coord__namespace ns;
  coord__watch w;
  T_TRUE(coord__namespace_init(&ns, "ns/"));
  begin_in(&w, 1, -1, &ns);
  take(&w, &created_at_9);
  expect(&w, &(script){.events = {{4, "ns/k", "b", "a"}, {5, "ns/", NULL, NULL}}}, "4:+k=b(a) 5:-",
         6);
  coord__news news = take(&w, &(script){.events = {{6, "other", "b", NULL}}});
  T_INT(news.kind, COORD__NEWS_FAILED);
  T_CODE(news.code, COORD_PROTOCOL);
  coord__watch_free(&w);
  coord__namespace_free(&ns);
}

/* Every beginning of an answer, and every answer with one byte changed: nothing is read beyond the
 * bytes, and what is told keeps the order. */
static void damaged_answers_do_no_harm(void) {
  const script s = {.revision = 9,
                    .canceled = false,
                    .reason = "why",
                    .events = {{3, "k", "a", "z"}, {4, "kb", NULL, "y"}, {6, "k", "d", NULL}}};
  packed whole = pack(&s);
  for (size_t i = 0; i < whole.len * 256; i++) {
    packed p = whole;
    coord__watch w;
    coord__answer answer;
    if (i % 256 == 0) {
      p.len = i / 256;
    } else {
      p.bytes[i / 256] ^= (uint8_t)(i % 256);
    }
    uint8_t *exact = malloc(p.len + 1);
    memcpy(exact, p.bytes, p.len);
    exact[p.len] = 0xff;
    begin(&w, 2);
    if (coord__answer_read(exact, p.len, &answer)) {
      coord__news news = coord__watch_take(&w, &answer);
      if (news.kind == COORD__NEWS_CHANGES) {
        T_TRUE(w.next > 2 && coord_event_count(news.event) <= 3);
        coord_event_free(news.event);
      }
    }
    coord__watch_free(&w);
    free(exact);
  }
}

static Etcdserverpb__WatchCreateRequest *created_request(coord__buf *bytes,
                                                         Etcdserverpb__WatchRequest **request) {
  *request = etcdserverpb__watch_request__unpack(NULL, bytes->len, bytes->data);
  T_FATAL(*request != NULL);
  T_INT((*request)->request_union_case, ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST);
  return (*request)->create_request;
}

static void request_asks_for_what_the_op_says(void) {
  coord__watch w;
  coord__buf bytes = {0};
  Etcdserverpb__WatchRequest *request;
  coord_op *get = coord_op_get("key", 3);
  coord_op_set(get, COORD_OP_PREV_KV, 1);
  coord_op_set(get, COORD_OP_NO_DELETES, 1);
  T_CODE(coord__watch_init(&w, get, 77, &no_namespace, NULL), COORD_OK);
  T_TRUE(coord__watch_ask_create(&w, 5, &bytes));
  Etcdserverpb__WatchCreateRequest *create = created_request(&bytes, &request);
  T_MEM(create->key.data, create->key.len, "key", 3);
  T_INT(create->range_end.len, 0);
  T_INT(create->start_revision, 77);
  T_INT(create->watch_id, 5);
  T_TRUE(create->prev_kv && create->progress_notify);
  T_TRUE(!create->fragment); /* until an answer was too large, see feed.c */
  T_INT(create->n_filters, 1);
  T_INT(create->filters[0], ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE);
  etcdserverpb__watch_request__free_unpacked(request, NULL);
  coord__watch_free(&w);
  coord_op_free(get);
  bytes.len = 0;
  begin_in(&w, 0, COORD_OP_NO_PUTS, &no_namespace);
  T_TRUE(coord__watch_ask_create(&w, 6, &bytes));
  create = created_request(&bytes, &request);
  T_MEM(create->range_end.data, create->range_end.len, "l", 1);
  T_INT(create->start_revision, 0);
  T_TRUE(!create->prev_kv);
  T_INT(create->filters[0], ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT);
  etcdserverpb__watch_request__free_unpacked(request, NULL);
  coord__watch_free(&w);
  coord__buf_free(&bytes);
}

T_MAIN(T_CASE(from_now_on_begins_after_the_creation),
       T_CASE(start_revision_is_not_moved_by_the_creation), T_CASE(changes_of_all_kinds),
       T_CASE(what_was_told_is_not_told_again), T_CASE(revisions_that_go_back_are_an_error),
       T_CASE(fragments_are_joined_wherever_they_are_divided),
       T_CASE(break_in_a_fragment_begins_that_revision_anew),
       T_CASE(progress_moves_the_place_to_resume), T_CASE(progress_between_fragments_moves_nothing),
       T_CASE(compaction_is_told_in_all_its_forms), T_CASE(cancel_is_no_progress),
       T_CASE(namespace_is_taken_off), T_CASE(damaged_answers_do_no_harm),
       T_CASE(request_asks_for_what_the_op_says))
