/* etcd/sync: which endpoints come out of a list of members. */
#include "etcd/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "etcd.pb-c.h"
#include "support/t.h"

enum { MEMBERS_MAX = 4, URLS_MAX = 4 };

/* A member: "NAME|URL|URL", with "+" before the name of a learner. */
typedef struct row {
  const char *members[MEMBERS_MAX];
  bool secure;
  const char *endpoints; /* NULL: `code` */
  coord_code code;
  const char *why;
} row;

static const row rows[] = {
    {{"a|http://h1:1", "b|http://h2:2"}, false, "h1:1,h2:2", 0, NULL},
    {{"a|https://h1:1", "b|https://h2:2"}, true, "https://h1:1,https://h2:2", 0, NULL},
    {{"a|unix:///x|http://[::1]:5"}, false, "unix:///x,[::1]:5", 0, NULL},
    {{"a|unixs:///x"}, true, "unixs:///x", 0, NULL},
    /* Learners, members that have not started, and those that announce nothing. */
    {{"a|http://h1:1", "+b|http://h2:2", "|http://h3:3", "d"}, false, "h1:1", 0, NULL},
    {{"a|http://h1:1|http://h1:1/", "b|http://h1:1"}, false, "h1:1", 0, NULL},
    /* One kind of them. */
    {{"a|http://h1:1|https://h1:2", "b|http://h2:1"}, false, "h1:1,h2:1", 0, NULL},
    {{"a|http://h1:1|https://h1:2", "b|http://h2:1"}, true, "https://h1:2", 0, NULL},
    {{"a|https://h1:1"}, false, "https://h1:1", 0, NULL},
    {{"a|http://h1:1"}, true, NULL, COORD_TLS, "without TLS"},
    /* What is no endpoint. */
    {{"a|http://h 1:1|http://h1:1,h2:1|http://h1:0|h4:4|srv://h|ftp://h", "b|http://h2:2"},
     false,
     "h2:2",
     0,
     NULL},
    {{"a|h4:4|srv://h"}, false, NULL, COORD_NOT_FOUND, "of 1 none announces"},
    {{"a", "|http://h1:1", "+b|http://h1:1"}, false, NULL, COORD_NOT_FOUND, "of 3 none"},
    {{"a"}, true, NULL, COORD_NOT_FOUND, "none announces"},
    {{NULL}, false, NULL, COORD_NOT_FOUND, "of 0 none"},
};

typedef struct list {
  Etcdserverpb__MemberListResponse message;
  Etcdserverpb__Member members[MEMBERS_MAX];
  Etcdserverpb__Member *pointers[MEMBERS_MAX];
  char *urls[MEMBERS_MAX][8];
  char text[MEMBERS_MAX][200];
} list;

static void fill(list *l, const row *r) {
  etcdserverpb__member_list_response__init(&l->message);
  l->message.members = l->pointers;
  for (int i = 0; i < MEMBERS_MAX && r->members[i] != NULL; i++) {
    Etcdserverpb__Member *m = l->pointers[l->message.n_members++] = &l->members[i];
    etcdserverpb__member__init(m);
    char *p = l->text[i];
    m->islearner = r->members[i][0] == '+';
    snprintf(p, sizeof l->text[i], "%s", r->members[i] + (m->islearner ? 1 : 0));
    m->name = p;
    m->clienturls = l->urls[i];
    while ((p = strchr(p, '|')) != NULL) {
      *p++ = '\0';
      l->urls[i][m->n_clienturls++] = p;
    }
  }
}

static coord_code read_row(const row *r, coord__endpoints *out, coord_error **err) {
  list l;
  uint8_t bytes[1000];
  fill(&l, r);
  size_t n = etcdserverpb__member_list_response__pack(&l.message, bytes);
  return coord__sync_read(bytes, n, r->secure, out, err);
}

static void endpoints_of_use_are_found(void) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const row *r = &rows[i];
    coord__endpoints found = {0};
    coord_error *err = NULL;
    coord_code code = read_row(r, &found, &err);
    if (!T_CODE(code, r->code)) T_FAIL("this was row %zu", i);
    if (r->endpoints != NULL && code == COORD_OK) {
      char *text = coord__endpoints_text(&found);
      T_STR(text, r->endpoints);
      coord__free(text);
    } else {
      T_HAS(coord_error_message(err), r->why);
      T_TRUE(found.items == NULL);
    }
    coord__endpoints_free(&found);
    coord_error_free(err);
  }
}

static void rubbish_is_refused(void) {
  static const uint8_t bytes[] = {0x12, 0x7f, 1, 2, 3};
  coord__endpoints found = {0};
  coord_error *err = NULL;
  T_ERROR(coord__sync_read(bytes, sizeof bytes, false, &found, &err), COORD_PROTOCOL, err,
          "members: the server's answer of 5 bytes");
}

static void without_memory_there_are_none(void) {
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < 100; n++) {
    coord__endpoints found = {0};
    coord__alloc_fail_after(n);
    code = read_row(&rows[0], &found, NULL);
    coord__alloc_fail_after(-1);
    T_TRUE(code == COORD_OK || code == COORD_NO_MEMORY);
    T_TRUE((found.items != NULL) == (code == COORD_OK));
    coord__endpoints_free(&found);
  }
  T_TRUE(n > 5);
  T_CODE(code, COORD_OK);
}

T_MAIN(T_CASE(endpoints_of_use_are_found), T_CASE(rubbish_is_refused),
       T_CASE(without_memory_there_are_none))
