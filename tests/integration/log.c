/* The log of a client: levels, standard error, a queue, and what must never be in it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/etcd.h"
#include "support/peer.h"

static void log_to(coord_client *client, coord_queue *queue, uint64_t tag) {
  coord_error *err = NULL;
  T_OK(coord_client_log_to(client, queue, tag, &err), err);
}

/* Standard error goes to a file between begin and end; the text of it comes back. */
static int saved_stderr;
static FILE *captured;

static void begin_capture(void) {
  fflush(stderr);
  captured = tmpfile();
  T_FATAL(captured != NULL);
  saved_stderr = dup(2);
  dup2(fileno(captured), 2);
}

static void end_capture(char *text, size_t size) {
  fflush(stderr);
  dup2(saved_stderr, 2);
  close(saved_stderr);
  rewind(captured);
  text[fread(text, 1, size - 1, captured)] = '\0';
  fclose(captured);
}

/* Counts the waiting lines that hold `part`, and checks that each is a proper LOG event. */
static int count_lines(coord_queue *queue, uint64_t tag, const char *part, int *of) {
  int n = 0;
  *of = 0;
  for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL; ++*of) {
    const char *text = coord_event_text(event);
    T_INT(coord_event_type(event), COORD_EVENT_LOG);
    T_INT((long long)coord_event_tag(event), (long long)tag);
    T_TRUE(coord_event_level(event) >= COORD_LOG_ERROR);
    T_TRUE(coord_event_level(event) <= COORD_LOG_DEBUG);
    T_FATAL(text != NULL);
    T_TRUE(strchr(text, '\n') == NULL);
    T_CODE(coord_event_code(event), COORD_OK);
    T_TRUE(coord_event_result(event) == NULL);
    n += strstr(text, part) != NULL;
    coord_event_free(event);
  }
  return n;
}

static void debug_tells_every_call_to_the_queue(void) {
  int lines;
  coord_client *client = t_client_with("log.level", "debug", NULL);
  coord_queue *queue = t_queue();
  log_to(client, queue, 42);
  for (int i = 0; i < 5; i++) T_TRUE(t_get_is(client, "absent", NULL));
  T_INT(count_lines(queue, 42, "get", &lines), 5);
  T_INT(lines, 5);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void quieter_levels_leave_calls_out(void) {
  static const char *const levels[] = {"off", "error", "warn", "info"};
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
    int lines;
    coord_client *client = t_client_with("log.level", levels[i], NULL);
    coord_queue *queue = t_queue();
    log_to(client, queue, 1);
    T_TRUE(t_get_is(client, "absent", NULL));
    count_lines(queue, 1, "", &lines);
    T_INT(lines, 0);
    coord_client_free(client);
    coord_queue_free(queue);
  }
}

static bool has_warned(void *queue) {
  bool warned = false;
  for (coord_event *event; (event = coord_queue_next(queue, 0)) != NULL;) {
    warned |= coord_event_level(event) == COORD_LOG_WARN;
    coord_event_free(event);
  }
  return warned;
}

static void failing_endpoint_is_warned_of(void) {
  t_peer *down = t_peer_raw(&t_raw_refuses);
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(down), "connect.lazy", "true",
                                       "request.timeout.ms", "600", NULL);
  coord_queue *queue = t_queue();
  log_to(client, queue, 1);
  t_call_fails(client, coord_op_get("k", 1), COORD_UNAVAILABLE, NULL);
  T_TRUE(t_wait_until(has_warned, queue, 2000));
  coord_client_free(client);
  coord_queue_free(queue);
  t_peer_stop(down);
}

static void standard_error_is_the_default_and_comes_back(void) {
  char text[8192];
  int lines;
  coord_queue *queue = t_queue();
  coord_client *client = t_client_with("log.level", "debug", NULL);
  begin_capture();
  T_TRUE(t_get_is(client, "first", NULL));
  log_to(client, queue, 1);
  T_TRUE(t_get_is(client, "second", NULL));
  log_to(client, NULL, 0);
  T_TRUE(t_get_is(client, "third", NULL));
  coord_client_free(client);
  end_capture(text, sizeof text);
  int calls = 0;
  for (const char *p = text; (p = strstr(p, "debug: get")) != NULL; p++) calls++;
  T_INT(calls, 2);
  T_INT(count_lines(queue, 1, "get", &lines), 1);
  coord_queue_free(queue);
}

static void log_off_says_nothing(void) {
  char text[8192];
  t_peer *down = t_peer_raw(&t_raw_refuses);
  begin_capture();
  coord_client *client = t_client_with("endpoints", t_peer_endpoint(down), "connect.lazy", "true",
                                       "request.timeout.ms", "600", "log.level", "off", NULL);
  t_call_fails(client, coord_op_get("k", 1), COORD_UNAVAILABLE, NULL);
  coord_client_free(client);
  end_capture(text, sizeof text);
  T_STR(text, "");
  t_peer_stop(down);
}

static void queue_that_nobody_reads_keeps_the_newest_1024_lines(void) {
  int lines;
  coord_client *client = t_client_with("log.level", "debug", NULL);
  coord_queue *queue = t_queue();
  log_to(client, queue, 7);
  coord_op *op = coord_op_get("absent", 6);
  /* A result among the lines must stay, however many come after it. */
  T_CODE(coord_submit(client, op, 0, queue, 99, NULL, NULL), COORD_OK);
  for (int i = 0; i < 1500; i++) T_CODE(coord_call(client, op, 0, NULL, NULL), COORD_OK);
  coord_event *event = coord_queue_next(queue, 0);
  T_INT(coord_event_type(event), COORD_EVENT_RESULT);
  T_INT((long long)coord_event_tag(event), 99);
  coord_event_free(event);
  T_INT(count_lines(queue, 7, "get", &lines), 1024);
  coord_op_free(op);
  coord_client_free(client);
  coord_queue_free(queue);
}

static void log_to_checks_its_arguments(void) {
  coord_error *err = NULL;
  coord_queue *queue = t_queue();
  T_ERROR(coord_client_log_to(NULL, queue, 0, &err), COORD_INVALID, err, "client");
  coord_queue_free(queue);
}

static void queue_and_client_of_a_log_may_go_in_any_order(void) {
  for (int order = 0; order < 2; order++) {
    coord_client *client = t_client_with("log.level", "debug", NULL);
    coord_queue *queue = t_queue();
    log_to(client, queue, 1);
    T_TRUE(t_get_is(client, "absent", NULL));
    if (order == 0) coord_queue_free(queue);
    T_TRUE(t_get_is(client, "absent", NULL));
    coord_client_free(client);
    if (order == 1) coord_queue_free(queue);
  }
}

static void secrets_values_and_keys_stay_out_of_the_log(void) {
  char proxy[100];
  char text[16384];
  t_peer *down = t_peer_raw(&t_raw_refuses);
  snprintf(proxy, sizeof proxy, "http://user:hunter2@%s", t_peer_endpoint(down));
  begin_capture();
  coord_client *client =
      t_client_with("endpoints", "127.0.0.1:9", "proxy", proxy, "connect.lazy", "true",
                    "request.timeout.ms", "600", "log.level", "debug", NULL);
  char message[256];
  t_call_fails(client, coord_op_put("k", 1, "swordfish", 9), COORD_UNAVAILABLE, message);
  coord_client_free(client);
  end_capture(text, sizeof text);
  T_TRUE(text[0] != '\0');
  T_TRUE(strstr(text, "hunter2") == NULL);
  T_TRUE(strstr(message, "hunter2") == NULL);
  T_TRUE(strstr(text, "swordfish") == NULL);
  t_peer_stop(down);
}

T_MAIN(T_CASE(debug_tells_every_call_to_the_queue), T_CASE(quieter_levels_leave_calls_out),
       T_CASE(failing_endpoint_is_warned_of), T_CASE(standard_error_is_the_default_and_comes_back),
       T_CASE(log_off_says_nothing), T_CASE(queue_that_nobody_reads_keeps_the_newest_1024_lines),
       T_CASE(log_to_checks_its_arguments), T_CASE(queue_and_client_of_a_log_may_go_in_any_order),
       T_CASE(secrets_values_and_keys_stay_out_of_the_log))
