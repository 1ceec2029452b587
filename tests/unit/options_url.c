/* base/options_url: a URL in the option endpoints, and who wins over it. */
#include "base/options_url.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "support/t.h"

static coord_options *options;
static coord_error *err;

static void fresh(void) {
  coord_options_free(options);
  options = NULL;
  T_FATAL(coord_options_new(&options) == COORD_OK);
}

static void done(void) {
  coord_options_free(options);
  options = NULL;
}

static const char *value_of(const char *name) {
  const char *value = NULL;
  T_CODE(coord_options_get(options, name, &value, NULL), COORD_OK);
  return value;
}

static void set(coord__source source, const char *name, const char *value) {
  T_OK(coord__options_set_from(options, source, name, value, &err), err);
}

typedef struct good {
  const char *url;
  const char *list;
  const char *namespace;
  const char *username;
} good;

static const good goods[] = {
    {"etcd://h", "h", "", ""},
    {"etcd://h1:2379,h2:2380", "h1:2379,h2:2380", "", ""},
    {"etcd://h/", "h", "", ""},
    {"etcd://h?", "h", "", ""},
    {"etcd://h/?", "h", "", ""},
    {"etcd://[::1]:2379,[fe80::1%25eth0]", "[::1]:2379,[fe80::1%eth0]", "", ""},
    {"etcd://root@h1:1,h2:2/app/", "h1:1,h2:2", "app/", "root"},
    {"etcd://a%40b%3ac@h", "h", "", "a@b:c"},
    {"etcd://h//app/x@y:z", "h", "/app/x@y:z", ""},
    {"etcd://h/%2fapp%3f%FF", "h", "/app?\xff", ""},
    {"etcd://h/a+b", "h", "a+b", ""},
    {"etcd://h?namespace=a/b&username=u", "h", "a/b", "u"},
    {"etcds://h1,[::1]:5", "https://h1,https://[::1]:5", "", ""},
    {"etcd://%2Frun%2Fetcd.sock/ns", "unix:/run/etcd.sock", "ns", ""},
    {"etcds://%2Frun%2Fetcd.sock", "unixs:/run/etcd.sock", "", ""},
    {"etcd+srv://u@example.com/ns", "srv://example.com", "ns", "u"},
    {"etcds+srv://example.com", "srvs://example.com", "", ""},
    {"h1:1,h2:2", "h1:1,h2:2", "", ""},
};

static void urls_are_taken_apart(void) {
  for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
    fresh();
    t_ok(__FILE__, __LINE__, goods[i].url,
         coord_options_set(options, "endpoints", goods[i].url, &err), err);
    T_STR(value_of("endpoints"), goods[i].list);
    T_STR(value_of("namespace"), goods[i].namespace);
    T_STR(value_of("username"), goods[i].username);
  }
  done();
}

static void query_sets_any_option(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints",
                         "etcd://h?request.timeout.ms=77&log.level=%64ebug&connect.lazy=true&",
                         &err),
       err);
  T_INT(coord__options_int(options, COORD__OPTION_REQUEST_TIMEOUT_MS), 77);
  T_STR(value_of("log.level"), "debug");
  T_TRUE(coord__options_bool(options, COORD__OPTION_CONNECT_LAZY));
  done();
}

typedef struct bad {
  const char *url;
  const char *why;
} bad;

static const bad bads[] = {
    {"etcd://", "has an empty host"},
    {"etcd:///ns", "has an empty host"},
    {"etcd://h,", "has an empty host"},
    {"etcd://,h", "has an empty host"},
    {"etcd://u@", "has an empty host"},
    {"etcd://@h", "has an empty user name"},
    {"etcd://u:hunter2@h", "holds a password"},
    {"etcd://:hunter2@h", "holds a password"},
    {"etcd://u:hun@ter2@h", "holds a password"},
    {"etcd://u:hunter2/x@h", "has a port that is no number"},
    {"etcd://h:hunter2", "has a port that is no number"},
    {"etcd://h%2cx", "has a host with a comma"},
    {"etcd://h/%", "has a % that"},
    {"etcd://h/%1", "has a % that"},
    {"etcd://h/%zz", "has a % that"},
    {"etcd://h/%00", "has a % that"},
    {"etcd://h#x", "has a #"},
    {"etcd://h?x", "has a word without ="},
    {"etcd://h?namespace=", "gives option namespace no value"},
    {"etcd://h?a=1&b=2", "no option \"a\""},
    {"etcd://h?request.timeout=1", "did you mean request.timeout.ms?"},
    {"etcd://h?request.timeout.ms=x", "option request.timeout.ms: \"x\" is not"},
    {"etcd://h?endpoints=x", "sets option endpoints within itself"},
    {"etcd://h?proxy=http://u:hunter2@p:1", "sets option proxy, a secret"},
    {"etcd://h?log.level=warn&log.level=warn", "sets option log.level twice"},
    {"etcd://h/a?namespace=b", "sets option namespace twice"},
    {"etcd://u@h?username=u", "sets option username twice"},
    {"etcd://h?proxy.file=/nowhere/at/all", "\"/nowhere/at/all\" cannot be read"},
};

static void bad_urls_are_refused_and_change_nothing(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints", "etcd://before/ns", &err), err);
  for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
    T_CODE(coord_options_set(options, "endpoints", bads[i].url, &err), COORD_INVALID);
    if (!T_HAS(coord_error_message(err), bads[i].why)) T_FAIL("this was %s", bads[i].url);
    T_TRUE(strstr(coord_error_message(err), "hun") == NULL);
    coord_error_free(err);
    err = NULL;
  }
  T_STR(coord__options_text(options, COORD__OPTION_ENDPOINTS), "before");
  T_STR(value_of("namespace"), "ns");
  done();
}

static void what_is_set_itself_wins_over_the_url_in_any_order(void) {
  static const char url[] = "etcd://h/url?request.timeout.ms=7";
  fresh();
  T_OK(coord_options_set(options, "namespace", "own", &err), err);
  T_OK(coord_options_set(options, "endpoints", url, &err), err);
  T_STR(value_of("namespace"), "own");
  T_STR(value_of("request.timeout.ms"), "7");
  fresh();
  T_OK(coord_options_set(options, "endpoints", url, &err), err);
  T_OK(coord_options_set(options, "namespace", "own", &err), err);
  T_STR(value_of("namespace"), "own");
  /* The default, by wish, is a value too. */
  T_OK(coord_options_set(options, "namespace", "", &err), err);
  T_STR(value_of("namespace"), "");
  done();
}

static void another_url_replaces_all_of_the_one_before(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints", "etcd://u@h/a?log.level=info", &err), err);
  T_OK(coord_options_set(options, "endpoints", "etcd://h2/b", &err), err);
  T_STR(value_of("namespace"), "b");
  T_STR(value_of("log.level"), "warn");
  T_STR(value_of("username"), "");
  T_OK(coord_options_set(options, "endpoints", "h3", &err), err);
  T_STR(value_of("namespace"), "");
  T_STR(coord__options_text(options, COORD__OPTION_ENDPOINTS), "h3");
  T_OK(coord_options_set(options, "endpoints", "etcd://h2/b", &err), err);
  T_OK(coord_options_set(options, "endpoints", "", &err), err);
  T_STR(value_of("namespace"), "");
  T_STR(coord__options_text(options, COORD__OPTION_ENDPOINTS), "127.0.0.1:2379");
  done();
}

/* A URL belongs to its source: what outranks the source outranks the URL. */
static void url_ranks_right_below_its_source(void) {
  for (int at = COORD__SOURCE_FILE_DEFAULTS; at <= COORD__SOURCE_CALL; at++) {
    for (int other = COORD__SOURCE_FILE_DEFAULTS; other <= COORD__SOURCE_CALL; other++) {
      for (int order = 0; order < 2; order++) {
        fresh();
        if (order == 0) set((coord__source)other, "namespace", "other");
        set((coord__source)at, "endpoints", "etcd://h/url");
        if (order == 1) set((coord__source)other, "namespace", "other");
        T_STR(value_of("namespace"), other >= at ? "other" : "url");
      }
    }
  }
  done();
}

static void url_of_a_lower_source_is_out_when_endpoints_are_set_above(void) {
  fresh();
  set(COORD__SOURCE_FILE, "endpoints", "etcd://h/file");
  set(COORD__SOURCE_CALL, "endpoints", "h2");
  T_STR(value_of("namespace"), "");
  fresh();
  set(COORD__SOURCE_CALL, "endpoints", "h2");
  set(COORD__SOURCE_FILE, "endpoints", "etcd://h/file");
  T_STR(value_of("namespace"), "");
  T_STR(coord__options_text(options, COORD__OPTION_ENDPOINTS), "h2");
  done();
}

static void copy_has_what_the_url_says(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints", "etcd://u@h/ns", &err), err);
  coord_options *copy = coord__options_copy(options);
  done();
  T_FATAL(copy != NULL);
  T_STR(coord__options_text(copy, COORD__OPTION_ENDPOINTS), "h");
  T_STR(coord__options_text(copy, COORD__OPTION_NAMESPACE), "ns");
  coord_options_free(copy);
}

static void without_memory_nothing_changes(void) {
  fresh();
  T_OK(coord_options_set(options, "endpoints", "etcd://u@h/ns", &err), err);
  coord_code code = COORD_NO_MEMORY;
  long n = 0;
  for (; code != COORD_OK && n < 100; n++) {
    coord__alloc_fail_after(n);
    code = coord_options_set(options, "endpoints", "etcd://v@a,b/x?log.level=info", &err);
    coord__alloc_fail_after(-1);
    coord_error_free(err);
    err = NULL;
    if (code == COORD_OK) break;
    T_CODE(code, COORD_NO_MEMORY);
    T_STR(value_of("namespace"), "ns");
    T_STR(coord__options_text(options, COORD__OPTION_ENDPOINTS), "h");
  }
  T_TRUE(n > 5);
  T_STR(value_of("namespace"), "x");
  done();
}

T_MAIN(T_CASE(urls_are_taken_apart), T_CASE(query_sets_any_option),
       T_CASE(bad_urls_are_refused_and_change_nothing),
       T_CASE(what_is_set_itself_wins_over_the_url_in_any_order),
       T_CASE(another_url_replaces_all_of_the_one_before), T_CASE(url_ranks_right_below_its_source),
       T_CASE(url_of_a_lower_source_is_out_when_endpoints_are_set_above),
       T_CASE(copy_has_what_the_url_says), T_CASE(without_memory_nothing_changes))
