/* Lists of instances: what differs between two, and the guard against losing most of them at once. */
#include "coord/roster.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

enum { SECOND = 1000 };

/* Instances "a", "b", ..., each with the revision that its letter's case says: 1, capitals 2. */
static coord_instances *roster(const char *letters) {
  coord_instances *r = coord__roster_new(strlen(letters));
  T_FATAL(r != NULL);
  for (const char *c = letters; *c != '\0'; c++) {
    char json[100];
    snprintf(json, sizeof json, "{\"id\":\"%c\",\"name\":\"web\",\"address\":\"h\"}", *c | 32);
    coord_instance *i = NULL;
    T_FATAL(coord__instance_parse(json, strlen(json), &i, NULL) == COORD_OK);
    i->mod = *c < 'a' ? 2 : 1;
    r->all[r->count++] = i;
  }
  return r;
}

static const char *text_of(const coord_instances *r) {
  static char text[64];
  size_t n = 0;
  for (; n < r->count; n++) text[n] = r->all[n]->id[0];
  text[n] = '\0';
  return text;
}

static void differ(const char *from, const char *to, const char *expected) {
  coord_instances *a = from != NULL ? roster(from) : NULL, *b = roster(to);
  coord__difference *d = coord__roster_between(a, b);
  char text[64];
  size_t n = 0;
  T_FATAL(d != NULL);
  for (size_t i = 0; i < d->count; i++) {
    text[n++] = "+-*"[d->of[i].change];
    text[n++] = d->of[i].instance->id[0];
  }
  text[n] = '\0';
  T_STR(text, expected);
  coord__free(d);
  if (a != NULL) coord__roster_release(a);
  coord__roster_release(b);
}

static void differences(void) {
  differ(NULL, "", "");
  differ(NULL, "ab", "+a+b");
  differ("", "ab", "+a+b");
  differ("ab", "", "-a-b");
  differ("abc", "abc", "");
  differ("abd", "bcD", "-a+c*d");
  differ("b", "aBc", "+a*b+c");
}

/* What is shown, by a guard, at this second; "!" before it when it is held back. */
static void show(coord__guard *g, int second, const char *there, const char *shown) {
  char text[70];
  coord_instances *r = coord__guard_pass(g, roster(there), (int64_t)second * SECOND);
  snprintf(text, sizeof text, "%s%s", r->guarded ? "!" : "", text_of(r));
  T_STR(text, shown);
  coord__roster_release(r);
}

static void most_are_held_back(void) {
  coord__guard g = {.percent = 60, .for_ns = 10LL * SECOND};
  show(&g, 0, "abcde", "abcde");
  show(&g, 100, "abcd", "abcd"); /* 20 % */
  show(&g, 105, "ab", "!abcde"); /* 60 % of what was there within 10 s, or just before */
  show(&g, 106, "abf", "!abcdef");
  show(&g, 114, "", "!abcde");
  show(&g, 115, "", ""); /* the time is up */
  show(&g, 116, "a", "a");
  coord__guard_free(&g);
}

static void those_that_return_end_it(void) {
  coord__guard g = {.percent = 50, .for_ns = 10LL * SECOND};
  show(&g, 0, "abcd", "abcd");
  show(&g, 1, "d", "!abcd");
  show(&g, 2, "cd", "!abcd");
  show(&g, 3, "bcd", "bcd");
  show(&g, 4, "abcd", "abcd");
  show(&g, 5, "", "!abcd"); /* and again */
  show(&g, 14, "", "!abcd");
  show(&g, 15, "", "");
  coord__guard_free(&g);
}

static void few_at_a_time_are_let_go(void) {
  coord__guard g = {.percent = 50, .for_ns = 10LL * SECOND};
  show(&g, 0, "abcdef", "abcdef");
  show(&g, 11, "bcdef", "bcdef"); /* far apart */
  show(&g, 22, "cdef", "cdef");
  show(&g, 33, "def", "def");
  show(&g, 34, "ef", "!cdef"); /* half of those within a second */
  coord__guard_free(&g);
}

static void off_it_shows_all_as_it_is(void) {
  coord__guard g = {0};
  show(&g, 0, "abc", "abc");
  show(&g, 1, "", "");
  coord__guard_free(&g);
}

static void json_of_all(void) {
  coord_instances *r = roster("a");
  char *json = coord__roster_json(r);
  T_STR(json,
        "[{\"id\":\"a\",\"name\":\"web\",\"address\":\"h\",\"port\":0,\"metadata\":{},\"weight\":1,"
        "\"status\":\"up\"}]");
  coord__free(json);
  coord__roster_release(r);
}

T_MAIN(T_CASE(differences), T_CASE(most_are_held_back), T_CASE(those_that_return_end_it),
       T_CASE(few_at_a_time_are_let_go), T_CASE(off_it_shows_all_as_it_is), T_CASE(json_of_all))
