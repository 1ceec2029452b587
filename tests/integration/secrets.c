/* No secret is shown: not in a log at its most talkative, an error, the statistics, or the options. */
#include <stdio.h>
#include <string.h>

#include "support/etcd.h"

#define SECRET "hunter2secret"

static const char *const secrets[] = {
#define SECRET_0(name)
#define SECRET_1(name) name,
#define COORD_OPTION(id, name, type, value, min, max, choices, secret, since, text) \
  SECRET_##secret(name)
#include "options.def"
#undef COORD_OPTION
    NULL};

static void is_clean(const char *where, const char *text) {
  if (text != NULL && strstr(text, SECRET) != NULL) T_FAIL("%s shows a secret: %s", where, text);
}

static void error_is_clean(coord_error **err) {
  is_clean("an error", coord_error_message(*err));
  is_clean("the endpoint of an error", coord_error_endpoint(*err));
  coord_error_free(*err);
  *err = NULL;
}

static const char *value_for(const char *option) {
  return strcmp(option, "proxy") == 0 ? "http://user:" SECRET "@127.0.0.1:1" : SECRET;
}

/* All secrets, but `without`. */
static coord_options *options_with_secrets(const char *without) {
  coord_options *options = t_options("log.level", "debug", "connect.timeout.ms", "500",
                                     "request.timeout.ms", "500", NULL);
  coord_error *err = NULL;
  for (int i = 0; secrets[i] != NULL; i++) {
    if (without != NULL && strcmp(secrets[i], without) == 0) continue;
    coord_options_set(options, secrets[i], value_for(secrets[i]), &err);
    error_is_clean(&err);
  }
  return options;
}

static void options_show_no_secret(void) {
  coord_options *options = options_with_secrets(NULL);
  for (int32_t i = 0; i < coord_options_count(); i++) {
    const char *value = NULL;
    T_CODE(coord_options_get(options, coord_options_name(i), &value, NULL), COORD_OK);
    is_clean(coord_options_name(i), value);
  }
  coord_options_free(options);
}

static void wrong_secrets_are_not_shown(void) {
  static const char *const names[] = {"proxy", "request.timeout.ms", "log.level", "no.such.option"};
  static const char *const urls[] = {"etcd://u:" SECRET "@h", "etcd://h?proxy=" SECRET,
                                     "u:" SECRET "@h:1", "https://u:" SECRET "@h",
                                     "etcd://u:" SECRET "/@h"};
  coord_error *err = NULL;
  coord_options *options = t_options("connect.lazy", "true", NULL);
  coord_client *client = NULL;
  coord_options_set(options, names[0], "no proxy, " SECRET, &err);
  error_is_clean(&err);
  T_CODE(coord_client_open(options, &client, &err), COORD_INVALID);
  error_is_clean(&err);
  coord_options_free(options);
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    options = t_options("connect.lazy", "true", NULL);
    coord_code code = coord_options_set(options, "endpoints", urls[i], &err);
    error_is_clean(&err);
    if (code == COORD_OK) {
      T_CODE(coord_client_open(options, &client, &err), COORD_INVALID);
      error_is_clean(&err);
    }
    coord_options_free(options);
  }
}

static void log_is_clean(coord_queue *queue) {
  coord_event *events[64];
  size_t n;
  while ((n = coord_queue_drain(queue, events, 64)) > 0) {
    for (size_t i = 0; i < n; i++) {
      is_clean("the log", coord_event_text(events[i]));
      coord_event_free(events[i]);
    }
  }
}

/* A client with all secrets that works, or fails, as `without` and the endpoint say. */
static void use_client(const char *without, const char *endpoint) {
  coord_error *err = NULL;
  coord_queue *queue = NULL;
  coord_client *client = NULL;
  char *stats = NULL;
  coord_options *options = options_with_secrets(without);
  T_OK(coord_queue_open(&queue, &err), err);
  T_OK(coord_options_set(options, "endpoints", endpoint, &err), err);
  T_OK(coord_options_set(options, "connect.lazy", "true", &err), err);
  if (coord_client_open(options, &client, &err) == COORD_OK) {
    T_OK(coord_client_log_to(client, queue, 1, &err), err);
    coord_put(client, "secrets", 7, "v", 1, &err);
    error_is_clean(&err);
    T_OK(coord_client_stats(client, &stats, &err), err);
    is_clean("the statistics", stats);
    coord_memory_free(stats);
    coord_client_close(client, 0, NULL);
    coord_client_free(client);
  }
  error_is_clean(&err);
  log_is_clean(queue);
  T_OK(coord_options_set(options, "connect.lazy", "false", &err), err);
  T_OK(coord_options_set(options, "log.level", "off", &err), err);
  client = NULL;
  coord_client_open(options, &client, &err);
  error_is_clean(&err);
  coord_client_free(client);
  coord_options_free(options);
  coord_queue_free(queue);
}

static void clients_show_no_secret(void) {
  const char *endpoint = t_etcd_endpoint(t_etcd(), 0);
  use_client(NULL, endpoint);
  use_client("proxy", endpoint);
  use_client(NULL, "127.0.0.1:1");
  use_client("proxy", "127.0.0.1:1");
  char url[128];
  snprintf(url, sizeof url, "etcd://user@%s", endpoint);
  use_client("proxy", url);
}

T_MAIN(T_CASE(options_show_no_secret), T_CASE(wrong_secrets_are_not_shown),
       T_CASE(clients_show_no_secret))
