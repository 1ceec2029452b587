/* Configuration on a real server: layers, versions, changes, what is no JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/lease.h"

/* An application of this case alone: its environment. */
static const char *env_name(void) {
  static char name[64];
  snprintf(name, sizeof name, "e%" PRIu64, t_case_id());
  return name;
}

/* "shop.cart" becomes "e123.shop.cart". */
static const char *app_name(const char *rest) {
  static char name[128];
  snprintf(name, sizeof name, "%s%s%s", env_name(), rest[0] != '\0' ? "." : "", rest);
  return name;
}

static coord_config *open_config(coord_client *client, const char *rest, coord_queue *queue) {
  coord_config *config = NULL;
  coord_error *err = NULL;
  T_OK(coord_config_open(client, app_name(rest), NULL, queue, 7, &config, &err), err);
  T_FATAL(config != NULL);
  return config;
}

static int64_t write_it(coord_client *client, const coord_config *config, const char *key,
                        const char *json, int64_t expected) {
  coord_result *result = t_call(client, coord_op_config_set(config, key, json, expected));
  int64_t revision = coord_result_revision(result);
  coord_result_free(result);
  return revision;
}

/* A value as it is, JSON or not, in the layer of a name. */
static void put_raw(coord_client *client, const char *rest, const char *key, const char *value) {
  char full[256];
  snprintf(full, sizeof full, "config/%s/%s", app_name(rest), key);
  t_put(client, full, value);
}

/* What is current; NULL: nothing is. */
static bool is(const coord_config *config, const char *key, const char *expected) {
  char *json = NULL;
  int64_t version = -1;
  coord_code code = coord_config_get(config, key, &json, &version, NULL);
  bool same =
      expected == NULL ? code == COORD_NOT_FOUND : code == COORD_OK && strcmp(json, expected) == 0;
  if (!same) T_FAIL("%s is %s, not %s", key, json != NULL ? json : "(none)", expected);
  coord_memory_free(json);
  return same;
}

static int64_t version_of(const coord_config *config, const char *key) {
  char *json = NULL;
  int64_t version = -1;
  T_CODE(coord_config_get(config, key, &json, &version, NULL), COORD_OK);
  coord_memory_free(json);
  return version;
}

typedef struct wish {
  const coord_config *config;
  const char *key;
  const char *json;
} wish;

static bool has_come(void *arg) {
  const wish *w = arg;
  char *json = NULL;
  coord_code code = coord_config_get(w->config, w->key, &json, NULL, NULL);
  bool same =
      w->json == NULL ? code == COORD_NOT_FOUND : code == COORD_OK && strcmp(json, w->json) == 0;
  coord_memory_free(json);
  return same;
}

static bool becomes(const coord_config *config, const char *key, const char *json) {
  wish w = {config, key, json};
  return t_wait_until(has_come, &w, 5000);
}

/* The next event that is of this type. */
static coord_event *next(coord_queue *queue, int32_t type) {
  for (;;) {
    coord_event *event = coord_queue_next(queue, 5000);
    T_FATAL(event != NULL);
    if (coord_event_type(event) == type) return event;
    coord_event_free(event);
  }
}

/* "+key=value(prev) -key(prev)" of one event. */
static const char *story(const coord_event *event) {
  static char text[1024];
  text[0] = '\0';
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t type;
    coord_kv kv, prev;
    size_t used = strlen(text);
    T_CODE(coord_event_change(event, i, &type, &kv, &prev), COORD_OK);
    snprintf(text + used, sizeof text - used, "%s%c%.*s%s%.*s(%.*s)", i > 0 ? " " : "",
             type == COORD_CHANGE_PUT ? '+' : '-', (int)kv.key_len, (const char *)kv.key,
             type == COORD_CHANGE_PUT ? "=" : "", (int)kv.value_len, (const char *)kv.value,
             (int)prev.value_len, prev.value != NULL ? (const char *)prev.value : "");
  }
  return text;
}

static void layers_come_together(void) {
  coord_client *client = t_client();
  put_raw(client, "", "level", "1");
  put_raw(client, "", "only", "\"environment\"");
  put_raw(client, "shop", "level", "2");
  put_raw(client, "shop.cart", "level", "3");
  put_raw(client, "shop.other", "level", "4");
  coord_config *cart = open_config(client, "shop.cart", NULL);
  coord_config *shop = open_config(client, "shop", NULL);
  is(cart, "level", "3");
  is(shop, "level", "2");
  is(cart, "only", "\"environment\"");
  is(cart, "nowhere", NULL);
  T_TRUE(version_of(cart, "level") > 0);
  T_INT(version_of(cart, "only"), 0);
  T_CODE(coord_config_default(cart, "level", "0", NULL), COORD_OK);
  T_CODE(coord_config_default(cart, "a", "[true]", NULL), COORD_OK);
  T_CODE(coord_config_default(cart, "z", "null", NULL), COORD_OK);
  is(cart, "level", "3");
  is(cart, "a", "[true]");
  T_INT(version_of(cart, "a"), 0);
  coord_result *all = NULL;
  T_CODE(coord_config_all(cart, &all, NULL), COORD_OK);
  static const char *const keys[] = {"a", "level", "only", "z"};
  T_INT(coord_result_count(all), 4);
  for (size_t i = 0; i < coord_result_count(all) && i < 4; i++) {
    coord_kv kv;
    T_CODE(coord_result_kv(all, i, &kv), COORD_OK);
    T_MEM(kv.key, kv.key_len, keys[i], strlen(keys[i]));
    T_INT(kv.version, i == 1 ? 1 : 0);
  }
  coord_result_free(all);
  T_CODE(coord_config_default(cart, "a", NULL, NULL), COORD_OK);
  is(cart, "a", NULL);
  coord_config_free(cart);
  coord_config_free(shop);
  coord_client_free(client);
}

static void value_is_set_when_its_version_is_as_expected(void) {
  coord_client *client = t_client();
  coord_config *config = open_config(client, "app", NULL);
  char message[256], text[64];
  int64_t first = write_it(client, config, "k", "{\"a\": 1}", 0);
  T_TRUE(t_call_fails(client, coord_op_config_set(config, "k", "2", 0), COORD_CONFLICT, message));
  T_HAS(message, "app/k\" is at version ");
  T_TRUE(becomes(config, "k", "{\"a\": 1}"));
  T_INT(version_of(config, "k"), first);
  int64_t second = write_it(client, config, "k", "2", first);
  T_TRUE(
      t_call_fails(client, coord_op_config_set(config, "k", "3", first), COORD_CONFLICT, message));
  snprintf(text, sizeof text, "is at version %" PRId64 "; %" PRId64 " was", second, first);
  T_HAS(message, text);
  T_TRUE(t_call_fails(client, coord_op_config_delete(config, "k", first), COORD_CONFLICT, message));
  coord_result_free(t_call(client, coord_op_config_delete(config, "k", second)));
  T_TRUE(
      t_call_fails(client, coord_op_config_delete(config, "k", second), COORD_CONFLICT, message));
  T_HAS(message, "is not there");
  T_TRUE(becomes(config, "k", NULL));
  write_it(client, config, "k", "4", -1);
  T_TRUE(becomes(config, "k", "4"));
  coord_config_free(config);
  coord_client_free(client);
}

static void past_values_are_read(void) {
  coord_client *client = t_client();
  coord_config *config = open_config(client, "app", NULL);
  int64_t revisions[5];
  char json[16];
  coord_kv kv;
  for (int i = 0; i < 5; i++) {
    snprintf(json, sizeof json, "%d", i);
    revisions[i] = write_it(client, config, "k", json, -1);
  }
  coord_op *get = coord_op_config_get(config, "k");
  coord_op_set(get, COORD_OP_REVISION, revisions[1]);
  coord_result *result = t_call(client, get);
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_MEM(kv.value, kv.value_len, "1", 1);
  coord_result_free(result);
  result = t_call(client, coord_op_config_history(config, "k", 3));
  T_INT(coord_result_count(result), 3);
  T_TRUE(coord_result_more(result));
  for (size_t i = 0; i < 3; i++) {
    T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
    T_INT(kv.mod_revision, revisions[4 - i]);
    T_INT(((const char *)kv.value)[0], '4' - (int)i);
  }
  coord_result_free(result);
  result = t_call(client, coord_op_config_history(config, "k", 1000));
  T_INT(coord_result_count(result), 5);
  T_TRUE(!coord_result_more(result));
  coord_result_free(result);
  result = t_call(client, coord_op_config_history(config, "none", 10));
  T_INT(coord_result_count(result), 0);
  coord_result_free(result);
  result = t_call(client, coord_op_config_list(config));
  T_INT(coord_result_count(result), 1);
  coord_result_free(result);
  coord_config_free(config);
  coord_client_free(client);
}

static void history_ends_where_it_was_compacted(void) {
  t_cluster *etcd = t_etcd_start(NULL);
  coord_client *client = t_client_with("endpoints", t_etcd_endpoint(etcd, 0), NULL);
  coord_config *config = open_config(client, "app", NULL);
  int64_t revision = 0;
  for (int i = 0; i < 4; i++) revision = write_it(client, config, "k", "true", -1);
  coord_result_free(t_call(client, coord_op_compact(revision - 1)));
  coord_result *result = t_call(client, coord_op_config_history(config, "k", 100));
  T_INT(coord_result_count(result), 2);
  T_TRUE(coord_result_more(result));
  coord_result_free(result);
  coord_config_free(config);
  coord_client_free(client);
  t_etcd_stop(etcd);
}

static void changes_come_as_a_set(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  put_raw(client, "", "a", "1");
  coord_config *config = open_config(client, "app", queue);
  coord_event_free(next(queue, COORD_EVENT_RESYNC));
  coord_op *batch = coord_op_txn();
  coord_op *parts[] = {coord_op_config_set(config, "a", "2", -1),
                       coord_op_config_set(config, "b", "3", -1)};
  for (int i = 0; i < 2; i++) {
    T_CODE(coord_op_then(batch, parts[i]), COORD_OK);
    coord_op_free(parts[i]);
  }
  coord_result *result = t_call(client, batch);
  coord_event *event = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(event), "+a=2(1) +b=3()");
  T_INT(coord_event_tag(event), 7);
  T_INT(coord_event_revision(event), coord_result_revision(result));
  coord_event_free(event);
  coord_result_free(result);
  is(config, "a", "2");
  /* What is beneath comes to light. */
  coord_result_free(t_call(client, coord_op_config_delete(config, "a", -1)));
  event = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(event), "+a=1(2)");
  coord_event_free(event);
  coord_result_free(t_call(client, coord_op_config_delete(config, "b", -1)));
  event = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(event), "-b(3)");
  coord_event_free(event);
  /* What is hidden is no change. */
  write_it(client, config, "a", "5", -1);
  coord_event_free(next(queue, COORD_EVENT_CHANGES));
  put_raw(client, "", "a", "6");
  T_TRUE(t_lease_quiet(queue, 100));
  coord_config_free(config);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void untaken_changes_become_one(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_config *config = open_config(client, "app", queue);
  coord_event_free(next(queue, COORD_EVENT_RESYNC));
  write_it(client, config, "a", "1", -1);
  write_it(client, config, "b", "1", -1);
  coord_result_free(t_call(client, coord_op_config_delete(config, "b", -1)));
  write_it(client, config, "a", "2", -1);
  T_TRUE(becomes(config, "a", "2"));
  coord_event *event = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(event), "+a=2()");
  coord_event_free(event);
  T_TRUE(t_lease_quiet(queue, 50));
  coord_config_free(config);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void what_is_no_json_is_rejected(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  put_raw(client, "", "a", "1");
  put_raw(client, "", "only", "{");
  put_raw(client, "app", "a", "[1");
  coord_config *config = open_config(client, "app", queue);
  is(config, "a", "1");
  is(config, "only", NULL);
  put_raw(client, "app", "a", "2");
  T_TRUE(becomes(config, "a", "2"));
  put_raw(client, "app", "a", "nonsense");
  put_raw(client, "app", "b", "1");
  T_TRUE(becomes(config, "b", "1"));
  is(config, "a", "2");
  coord_event *event = next(queue, COORD_EVENT_REJECTED);
  T_CODE(coord_event_code(event), COORD_INVALID);
  T_HAS(coord_error_message(coord_event_error(event)), "app/a\" at revision ");
  T_HAS(coord_error_message(coord_event_error(event)), "is no JSON");
  coord_event_free(event);
  put_raw(client, "app", "a", " 3 ");
  T_TRUE(becomes(config, "a", " 3 "));
  coord_config_free(config);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void change_is_current_when_it_was_accepted(void) {
  coord_client *client = t_client();
  coord_queue *queue = t_queue();
  coord_options *options = NULL;
  coord_config *config = NULL;
  coord_error *err = NULL;
  put_raw(client, "app", "a", "1");
  T_CODE(coord_options_new(&options), COORD_OK);
  T_OK(coord_options_set(options, "config.manual", "true", &err), err);
  T_ERROR(coord_config_open(client, app_name("app"), options, NULL, 7, &config, &err),
          COORD_INVALID, err, "config.manual");
  T_OK(coord_config_open(client, app_name("app"), options, queue, 7, &config, &err), err);
  T_FATAL(config != NULL);
  is(config, "a", "1");
  put_raw(client, "app", "a", "-1");
  coord_event *bad = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(bad), "+a=-1(1)");
  is(config, "a", "1");
  coord_event_free(bad); /* not accepted */
  put_raw(client, "app", "b", "2");
  bad = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(bad), "+a=-1(1) +b=2()");
  put_raw(client, "app", "a", "3");
  coord_event *good = next(queue, COORD_EVENT_CHANGES);
  T_STR(story(good), "+a=3(1) +b=2()");
  T_OK(coord_config_accept(config, good, &err), err);
  is(config, "a", "3");
  is(config, "b", "2");
  T_OK(coord_config_accept(config, bad, &err), err); /* older: it changes nothing */
  is(config, "a", "3");
  coord_event_free(bad);
  coord_event_free(good);
  coord_config_free(config);
  coord_options_free(options);
  coord_queue_free(queue);
  coord_client_free(client);
}

static void last_values_are_there_when_etcd_is_away(void) {
  t_cluster *etcd = t_etcd_start(NULL);
  char file[256];
  snprintf(file, sizeof file, "/tmp/coord-test-config-%d", (int)getpid());
  coord_client *client =
      t_client_with("endpoints", t_etcd_endpoint(etcd, 0), "mirror.file", file, NULL);
  put_raw(client, "", "a", "1");
  put_raw(client, "app", "b", "2");
  coord_config_free(open_config(client, "app", NULL));
  T_CODE(coord_client_close(client, 5000, NULL), COORD_OK);
  coord_client_free(client);
  t_etcd_kill(etcd, 0);
  client = t_client_with("endpoints", t_etcd_endpoint(etcd, 0), "mirror.file", file, "log.level",
                         "off", "connect.lazy", "true", NULL);
  coord_config *config = open_config(client, "app", NULL);
  is(config, "a", "1");
  is(config, "b", "2");
  coord_config_free(config);
  coord_client_free(client);
  t_etcd_stop(etcd);
  for (int i = 0; i < 2; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s.%s", file, app_name(i == 0 ? "" : "app"));
    T_INT(unlink(path), 0);
  }
}

static void handle_for_ops_alone(void) {
  coord_client *client = t_client();
  coord_options *options = t_options("config.live", "false", NULL);
  coord_queue *queue = t_queue();
  coord_config *config = NULL;
  coord_error *err = NULL;
  T_OK(coord_config_open(client, app_name("app"), options, queue, 7, &config, &err), err);
  T_FATAL(config != NULL);
  int64_t version = write_it(client, config, "a", "1", 0);
  T_TRUE(write_it(client, config, "a", "2", version) > version);
  coord_result *result = t_call(client, coord_op_config_list(config));
  T_INT(coord_result_count(result), 1);
  coord_result_free(result);
  T_CODE(coord_client_close(client, 5000, NULL), COORD_OK);
  T_TRUE(coord_queue_next(queue, 100) == NULL);
  coord_config_free(config);
  coord_queue_free(queue);
  coord_options_free(options);
  coord_client_free(client);
}

static void bad_arguments_are_named(void) {
  static const struct {
    const char *name;
    const char *part;
  } bad[] = {{"", "empty part"},
             {"a/b", "slash"},
             {"a..b", "empty part"},
             {".a", "empty part"},
             {"a.", "empty part"},
             {"\xff", "no UTF-8"},
             {"1.2.3.4.5.6.7.8.9", "8 parts"}};
  coord_client *client = t_client();
  coord_config *config = NULL;
  coord_error *err = NULL;
  char *json = NULL, message[256];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    T_ERROR(coord_config_open(client, bad[i].name, NULL, NULL, 0, &config, &err), COORD_INVALID,
            err, bad[i].part);
  }
  T_ERROR(coord_config_open(client, NULL, NULL, NULL, 0, &config, &err), COORD_INVALID, err,
          "application");
  T_ERROR(coord_config_open(NULL, "a", NULL, NULL, 0, &config, &err), COORD_INVALID, err, "client");
  T_ERROR(coord_config_open(client, "a", NULL, NULL, 0, NULL, &err), COORD_INVALID, err, "out");
  config = open_config(client, "app", NULL);
  T_ERROR(coord_config_get(config, "", &json, NULL, &err), COORD_INVALID, err, "key is empty");
  T_ERROR(coord_config_get(config, "\xfe", &json, NULL, &err), COORD_INVALID, err, "no UTF-8");
  T_ERROR(coord_config_get(NULL, "k", &json, NULL, &err), COORD_INVALID, err, "config");
  T_ERROR(coord_config_default(config, "k", "{]", &err), COORD_INVALID, err, "argument json");
  T_ERROR(coord_config_accept(config, NULL, &err), COORD_INVALID, err, "event");
  T_TRUE(coord_op_config_set(NULL, "k", "1", 0) == NULL);
  T_TRUE(t_call_fails(client, coord_op_config_set(config, "k", "{", -1), COORD_INVALID, message));
  T_HAS(message, "argument json is no JSON");
  T_TRUE(t_call_fails(client, coord_op_config_set(config, "k", NULL, 0), COORD_INVALID, message));
  T_TRUE(t_call_fails(client, coord_op_config_set(config, "", "1", 0), COORD_INVALID, message));
  T_TRUE(t_call_fails(client, coord_op_config_set(config, "k", "1", -2), COORD_INVALID, message));
  T_HAS(message, "expected_version is -2");
  T_TRUE(t_call_fails(client, coord_op_config_history(config, "k", 0), COORD_INVALID, message));
  T_TRUE(t_call_fails(client, coord_op_config_history(config, "k", 1001), COORD_INVALID, message));
  coord_config_free(NULL);
  coord_config_free(config);
  coord_client_free(client);
}

T_MAIN(T_CASE(layers_come_together), T_CASE(value_is_set_when_its_version_is_as_expected),
       T_CASE(past_values_are_read), T_CASE(history_ends_where_it_was_compacted),
       T_CASE(changes_come_as_a_set), T_CASE(untaken_changes_become_one),
       T_CASE(what_is_no_json_is_rejected), T_CASE(change_is_current_when_it_was_accepted),
       T_CASE(last_values_are_there_when_etcd_is_away), T_CASE(handle_for_ops_alone),
       T_CASE(bad_arguments_are_named))
