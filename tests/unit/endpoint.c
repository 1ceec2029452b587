/* rpc/endpoint: the parser of the option endpoints. */
#include "rpc/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

typedef struct good {
  const char *text;
  const char *host;
  int port;
  const char *unix_path;
  const char *name;
  const char *authority;
} good;

static const good goods[] = {
    {"127.0.0.1:2379", "127.0.0.1", 2379, NULL, "127.0.0.1:2379", "127.0.0.1:2379"},
    {"localhost", "localhost", 2379, NULL, "localhost:2379", "localhost:2379"},
    {"etcd-1.example.com:1", "etcd-1.example.com", 1, NULL, "etcd-1.example.com:1", NULL},
    {"host_a:65535", "host_a", 65535, NULL, "host_a:65535", NULL},
    {"http://host:80", "host", 80, NULL, "host:80", "host:80"},
    {"http://host:80/", "host", 80, NULL, "host:80", NULL},
    {"http://host", "host", 2379, NULL, "host:2379", NULL},
    {"host/", "host", 2379, NULL, "host:2379", NULL},
    {"  host:7  ", "host", 7, NULL, "host:7", NULL},
    {"host:00080", "host", 80, NULL, "host:80", NULL},
    {"[::1]:2380", "::1", 2380, NULL, "[::1]:2380", "[::1]:2380"},
    {"[::1]", "::1", 2379, NULL, "[::1]:2379", NULL},
    {"http://[fe80::1%eth0]:99", "fe80::1%eth0", 99, NULL, "[fe80::1%eth0]:99", NULL},
    {"[::ffff:10.0.0.1]:5", "::ffff:10.0.0.1", 5, NULL, "[::ffff:10.0.0.1]:5", NULL},
    {"https://host", "host", 2379, NULL, "https://host:2379", "host:2379"},
    {"https://[::1]:5/", "::1", 5, NULL, "https://[::1]:5", "[::1]:5"},
    {"unixs:///run/etcd.sock", NULL, 0, "/run/etcd.sock", "unixs:///run/etcd.sock", "localhost"},
    {"unix:///run/etcd.sock", NULL, 0, "/run/etcd.sock", "unix:///run/etcd.sock", "localhost"},
    {"unix:/run/etcd.sock", NULL, 0, "/run/etcd.sock", "unix:/run/etcd.sock", "localhost"},
    {"unix:relative.sock", NULL, 0, "relative.sock", "unix:relative.sock", "localhost"},
    {"unix:///run/with space:1", NULL, 0, "/run/with space:1", NULL, NULL},
};

static void good_endpoints_are_understood(void) {
  for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
    const good *g = &goods[i];
    coord_error *err = NULL;
    coord__endpoints parsed = {0};
    if (!t_ok(__FILE__, __LINE__, g->text, coord__endpoints_parse(g->text, &parsed, &err), err)) {
      coord_error_free(err);
      continue;
    }
    T_INT(parsed.count, 1);
    const coord__endpoint *e = &parsed.items[0];
    T_STR(e->host, g->host);
    T_STR(e->unix_path, g->unix_path);
    if (g->host != NULL) T_INT(e->port, g->port);
    if (g->name != NULL) T_STR(e->name, g->name);
    if (g->authority != NULL) T_STR(e->authority, g->authority);
    coord__endpoints_free(&parsed);
  }
}

typedef struct bad {
  const char *text;
  const char *why;
} bad;

static const bad bads[] = {
    {"", "is empty"},
    {" ", "is empty"},
    {",", "is empty"},
    {"a:1,", "is empty"},
    {"a:1,,b:2", "is empty"},
    {":2379", "has no valid host name"},
    {"http://", "has no valid host name"},
    {"http:///", "has no valid host name"},
    {"https://", "has no valid host name"},
    {"srv://", "has no valid domain"},
    {"srv://a:1", "has no valid domain"},
    {"https://host:1/path", "has a path"},
    {"::1:2379", "has no valid host name"},
    {"[]:2379", "has no IPv6 address in its brackets"},
    {"[host]:1", "has no IPv6 address in its brackets"},
    {"[127.0.0.1]:1", "has no IPv6 address in its brackets"},
    {"[1:2:3]:1", "has no IPv6 address in its brackets"},
    {"a b:1", "has no valid host name"},
    {"a$b", "has no valid host name"},
    {"h\xc3\xb6st:1", "has no valid host name"},
    {"host\ncrlf:1", "host\\x0acrlf"},
    {"[::1", "has no closing bracket"},
    {"[::1]2379", "has text after the bracket"},
    {"[::1].example:1", "has text after the bracket"},
    {"host:", "has a port that is not 1 to 65535"},
    {"host:0", "has a port that is not 1 to 65535"},
    {"host:65536", "has a port that is not 1 to 65535"},
    {"host:123456", "has a port that is not 1 to 65535"},
    {"host:-1", "has a port that is not 1 to 65535"},
    {"host:+1", "has a port that is not 1 to 65535"},
    {"host:1a", "has a port that is not 1 to 65535"},
    {"host: 1", "has a port that is not 1 to 65535"},
    {"host:1:2", "has a port that is not 1 to 65535"},
    {"host:1/path", "has a path"},
    {"http://host:1/v3/kv", "has a path"},
    {"ftp://host:1", "has a path"},
    {"HTTP://host:1", "has a path"},
    {"user@host:1", "\"@host:1\" holds a user name"},
    {"http://user:secret@host:1", "\"@host:1\" holds a user name"},
    {"unix:", "has no path"},
    {"unix://", "has no path"},
    {"good:1,bad:x", "\"bad:x\""},
};

static void bad_endpoints_are_refused_with_the_reason(void) {
  for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
    coord_error *err = NULL;
    coord__endpoints parsed = {0};
    coord_code code = coord__endpoints_parse(bads[i].text, &parsed, &err);
    if (!T_CODE(code, COORD_INVALID)) T_FAIL("this was \"%s\"", bads[i].text);
    T_HAS(coord_error_message(err), bads[i].why);
    T_HAS(coord_error_message(err), "option endpoints");
    T_HAS(coord_error_message(err), "expected host:port");
    T_TRUE(parsed.items == NULL && parsed.count == 0);
    coord_error_free(err);
  }
}

static void https_is_with_tls(void) {
  coord_error *err = NULL;
  coord__endpoints parsed = {0};
  T_OK(coord__endpoints_parse("https://a:1,https://[::1]", &parsed, &err), err);
  T_INT(parsed.count, 2);
  T_TRUE(parsed.items[0].tls && parsed.items[1].tls);
  T_STR(parsed.items[0].name, "https://a:1");
  T_STR(parsed.items[0].authority, "a:1");
  T_STR(parsed.items[1].host, "::1");
  coord__endpoints_free(&parsed);
  T_OK(coord__endpoints_parse("http://a:1,b", &parsed, &err), err);
  T_TRUE(!parsed.items[0].tls && !parsed.items[1].tls);
  coord__endpoints_free(&parsed);
}

static void domain_is_a_list_of_its_own(void) {
  coord_error *err = NULL;
  coord__endpoints parsed = {0};
  T_OK(coord__endpoints_parse("srv://etcd.example.com", &parsed, &err), err);
  T_STR(parsed.items[0].domain, "etcd.example.com");
  T_STR(parsed.items[0].name, "srv://etcd.example.com");
  T_TRUE(parsed.items[0].host == NULL && !parsed.items[0].tls);
  coord__endpoints_free(&parsed);
  T_OK(coord__endpoints_parse("srvs://example.com", &parsed, &err), err);
  T_TRUE(parsed.items[0].tls);
  coord__endpoints_free(&parsed);
  T_ERROR(coord__endpoints_parse("a:1,srv://b", &parsed, &err), COORD_INVALID, err,
          "\"srv://b\" stands with others");
}

static void lists_with_and_without_tls_are_refused(void) {
  static const char *const texts[] = {"a:1,https://b:2", "https://b:2,http://a:1",
                                      "https://b:2,https://c,a:1", "unix:///a:1,https://b:2"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    coord_error *err = NULL;
    coord__endpoints parsed = {0};
    T_ERROR(coord__endpoints_parse(texts[i], &parsed, &err), COORD_INVALID, err,
            "\"https://b:2\" is with TLS and \"");
  }
}

static void schemes_say_what_is_spoken(void) {
  static const struct {
    const char *text;
    bool tls;
  } rows[] = {{"host:1", false},        {"http://host:1", false}, {"unix:///run/x", false},
              {"https://host:1", true}, {"unixs:///run/x", true}, {"unixs:x", true}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    coord_error *err = NULL;
    coord__endpoints parsed = {0};
    T_OK(coord__endpoints_parse(rows[i].text, &parsed, &err), err);
    T_INT(parsed.count, 1);
    if (parsed.count == 1) T_TRUE(parsed.items[0].tls == rows[i].tls);
    coord__endpoints_free(&parsed);
  }
}

static void passwords_do_not_appear_in_messages(void) {
  static const char *const texts[] = {"http://me:hunter2@host:1", "me:hunter2@host",
                                      "https://me:hunter2@host:1", "http://me:hunter2@[::1:1"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    coord_error *err = NULL;
    coord__endpoints parsed = {0};
    T_TRUE(coord__endpoints_parse(texts[i], &parsed, &err) != COORD_OK);
    if (strstr(coord_error_message(err), "hunter2") != NULL) {
      T_FAIL("a password is shown: %s", coord_error_message(err));
    }
    coord_error_free(err);
  }
}

static void lists_keep_their_order(void) {
  coord_error *err = NULL;
  coord__endpoints parsed = {0};
  T_OK(coord__endpoints_parse(" a:1 ,\tb,[::1]:3,unix:///x,http://c:4/", &parsed, &err), err);
  T_INT(parsed.count, 5);
  static const char *const names[] = {"a:1", "b:2379", "[::1]:3", "unix:///x", "c:4"};
  for (size_t i = 0; i < parsed.count; i++) T_STR(parsed.items[i].name, names[i]);
  coord__endpoints_free(&parsed);
  coord__endpoints_free(&parsed);
}

static void names_and_paths_have_a_longest_length(void) {
  char text[400];
  coord_error *err = NULL;
  coord__endpoints parsed = {0};
  memset(text, 'a', sizeof text);
  memcpy(text + 255, ":1", 3);
  T_OK(coord__endpoints_parse(text, &parsed, &err), err);
  T_INT(strlen(parsed.items[0].name), 257);
  coord__endpoints_free(&parsed);
  memset(text, 'a', sizeof text);
  memcpy(text + 256, ":1", 3);
  T_ERROR(coord__endpoints_parse(text, &parsed, &err), COORD_INVALID, err, "host name");
  memset(text, 'a', sizeof text);
  memcpy(text, "unix:/", 6);
  text[5 + 107] = '\0';
  T_OK(coord__endpoints_parse(text, &parsed, &err), err);
  coord__endpoints_free(&parsed);
  text[5 + 107] = 'a';
  text[5 + 108] = '\0';
  T_ERROR(coord__endpoints_parse(text, &parsed, &err), COORD_INVALID, err, "too long a path");
}

static void every_failing_allocation_is_reported(void) {
  coord_code code = COORD_NO_MEMORY;
  for (long n = 0; code != COORD_OK && n < 100; n++) {
    coord__endpoints parsed = {0};
    coord__alloc_fail_after(n);
    code = coord__endpoints_parse("a:1,unix:///b,[::1]:2", &parsed, NULL);
    coord__alloc_fail_after(-1);
    if (code != COORD_OK) T_CODE(code, COORD_NO_MEMORY);
    T_TRUE(code == COORD_OK || parsed.items == NULL);
    coord__endpoints_free(&parsed);
  }
  T_CODE(code, COORD_OK);
}

T_MAIN(T_CASE(good_endpoints_are_understood), T_CASE(bad_endpoints_are_refused_with_the_reason),
       T_CASE(https_is_with_tls), T_CASE(domain_is_a_list_of_its_own),
       T_CASE(lists_with_and_without_tls_are_refused), T_CASE(schemes_say_what_is_spoken),
       T_CASE(passwords_do_not_appear_in_messages), T_CASE(lists_keep_their_order),
       T_CASE(names_and_paths_have_a_longest_length), T_CASE(every_failing_allocation_is_reported))
