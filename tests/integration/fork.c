/*
 * fork: the child gets COORD_FORKED from everything that the parent opened and may open its own;
 * the parent notices nothing.
 *
 * A child must not use the checks of t.h, whose records would be lost: it counts what is wrong and
 * tells the parent by its exit status.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/etcd.h"
#include "support/peer.h"
#include "support/proxy.h"

/* All handles that the parent has. */
typedef struct handles {
  coord_options *options;
  coord_client *client;
  coord_queue *queue;
  coord_op *op;
  coord_scan *scan;
  coord_op *next;
  coord_result *result;
  coord_event *event;
  uint64_t id;
} handles;

static void open_all(handles *h, coord_client *client) {
  coord_error *err = NULL;
  h->options = t_options("endpoints", t_etcd_endpoint(t_etcd(), 0), NULL);
  h->client = client;
  T_OK(coord_queue_open(&h->queue, &err), err);
  h->op = t_prefix("k");
  T_OK(coord_scan_open(h->client, h->op, 0, &h->scan, &err), err);
  h->next = coord_op_scan_next(h->scan);
  T_OK(coord_call(h->client, h->op, 0, &h->result, &err), err);
  T_OK(coord_submit(h->client, h->op, 0, h->queue, 1, &h->id, &err), err);
  h->event = coord_queue_next(h->queue, 5000);
  T_FATAL(h->event != NULL);
}

static void free_all(handles *h) {
  coord_event_free(h->event);
  coord_result_free(h->result);
  coord_op_free(h->next);
  coord_scan_free(h->scan);
  coord_op_free(h->op);
  coord_queue_free(h->queue);
  coord_client_free(h->client);
  coord_options_free(h->options);
}

/* In the child: 1 when the code is not the expected one. */
static int wrong(const char *what, coord_code code, coord_code expected) {
  if (code == expected) return 0;
  fprintf(stderr, "child: %s gave %s, not %s\n", what, coord_code_name(code),
          coord_code_name(expected));
  return 1;
}

#define WRONG(expr) wrong(#expr, (expr), COORD_FORKED)

/* Runs in a child; its result is the exit status of the child, told by the parent. */
static int in_child(int (*run)(handles *), handles *h) {
  int status = 0;
  fflush(NULL);
  pid_t pid = fork();
  T_FATAL(pid >= 0);
  if (pid == 0) {
    alarm(20 * T_SLOW); /* a child that hangs must not hang the parent */
    _exit(run(h));
  }
  T_TRUE(waitpid(pid, &status, 0) == pid);
  if (WIFSIGNALED(status)) T_FAIL("the child died of signal %d", WTERMSIG(status));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int call_everything(handles *h) {
  char *json = NULL;
  coord_scan *scan = NULL;
  coord_result *result = NULL;
  coord_error *err = NULL;
  const coord_op *ops[] = {h->op};
  int bad = 0;
  bad += WRONG(coord_call(h->client, h->op, 0, &result, NULL));
  bad += WRONG(coord_call(h->client, h->next, 0, &result, NULL));
  bad += WRONG(coord_submit(h->client, h->op, 0, h->queue, 1, NULL, NULL));
  bad += WRONG(coord_call_many(h->client, ops, 1, 0, NULL, NULL, NULL));
  bad += WRONG(coord_cancel(h->client, h->id));
  bad += WRONG(coord_put(h->client, "k", 1, "v", 1, NULL));
  bad += WRONG(coord_get(h->client, "k", 1, &result, NULL));
  bad += WRONG(coord_delete(h->client, "k", 1, NULL, NULL));
  bad += WRONG(coord_client_stats(h->client, &json, NULL));
  bad += WRONG(coord_client_log_to(h->client, h->queue, 0, NULL));
  bad += WRONG(coord_client_states_to(h->client, h->queue, 0, NULL));
  bad += WRONG(coord_client_set_endpoints(h->client, "127.0.0.1:1", NULL));
  bad += WRONG(coord_client_sync_endpoints(h->client, 0, NULL));
  bad += WRONG(coord_client_close(h->client, 0, NULL));
  bad += WRONG(coord_scan_open(h->client, h->op, 0, &scan, NULL));
  bad += WRONG(coord_scan_next(h->scan, 0, &result, NULL));
  bad += WRONG(coord_call(h->client, h->op, 0, &result, &err));
  bad += strstr(coord_error_message(err), "fork") == NULL;
  bad += coord_error_code(err) != COORD_FORKED;
  coord_error_free(err);
  bad += result != NULL || scan != NULL || json != NULL;
  return bad;
}

static void child_gets_forked_from_every_function(void) {
  handles h = {0};
  open_all(&h, t_client());
  T_INT(in_child(call_everything, &h), 0);
  T_TRUE(t_get_is(h.client, "absent", NULL));
  free_all(&h);
}

static int use_the_queue(handles *h) {
  coord_event *events[2];
  int bad = 0;
  bad += coord_queue_fd(h->queue) != -1;
  bad += coord_queue_next(h->queue, 0) != NULL;
  bad += coord_queue_next(h->queue, -1) != NULL;
  bad += coord_queue_drain(h->queue, events, 2) != 0;
  coord_queue_wake(h->queue);
  return bad;
}

static void queue_is_silent_in_the_child_and_alive_in_the_parent(void) {
  handles h = {0};
  open_all(&h, t_client());
  int fd = coord_queue_fd(h.queue);
  T_CODE(coord_submit(h.client, h.op, 0, h.queue, 2, NULL, NULL), COORD_OK);
  struct pollfd readable = {fd, POLLIN, 0};
  T_INT(poll(&readable, 1, 5000), 1);
  T_INT(in_child(use_the_queue, &h), 0);
  T_INT(poll(&readable, 1, 0), 1);
  coord_event *event = coord_queue_next(h.queue, 1000);
  T_INT((long long)coord_event_tag(event), 2);
  coord_event_free(event);
  free_all(&h);
}

static int free_everything(handles *h) {
  free_all(h);
  return 0;
}

static void child_may_free_all_handles(void) {
  handles h = {0};
  t_proxy *proxy = t_proxy_start(t_etcd_port(t_etcd(), 0));
  open_all(&h, t_client_with("endpoints", t_proxy_endpoint(proxy), NULL));
  T_INT(in_child(free_everything, &h), 0);
  /* The connection of the parent is the same and works. */
  int connections = t_proxy_connections(proxy);
  T_TRUE(t_get_is(h.client, "absent", NULL));
  T_INT(t_proxy_connections(proxy), connections);
  free_all(&h);
  t_proxy_stop(proxy);
}

static int read_what_was_copied(handles *h) {
  const char *value = NULL;
  coord_op *op = coord_op_get("k", 1);
  int bad = op == NULL || coord_op_set(op, COORD_OP_LIMIT, 1) != COORD_OK;
  coord_op_free(op);
  bad += coord_result_revision(h->result) == 0;
  bad += coord_event_tag(h->event) != 1;
  bad += coord_options_get(h->options, "endpoints", &value, NULL) != COORD_OK;
  return bad;
}

static void results_events_and_options_are_still_good_in_the_child(void) {
  handles h = {0};
  open_all(&h, t_client());
  T_INT(in_child(read_what_was_copied, &h), 0);
  free_all(&h);
}

static int open_own(handles *h) {
  coord_client *client = NULL;
  coord_queue *queue = NULL;
  coord_error *err = NULL;
  int bad = wrong("open", coord_client_open(h->options, &client, &err), COORD_OK);
  bad += wrong("queue", coord_queue_open(&queue, &err), COORD_OK);
  bad += wrong("put", coord_put(client, "from/child", 10, "v", 1, &err), COORD_OK);
  bad += wrong("submit", coord_submit(client, h->op, 0, queue, 9, NULL, &err), COORD_OK);
  coord_event *event = coord_queue_next(queue, 5000);
  bad += coord_event_tag(event) != 9;
  bad += wrong("event", coord_event_code(event), COORD_OK);
  /* The parent's stay forked next to it. */
  bad += WRONG(coord_call(h->client, h->op, 0, NULL, NULL));
  bad += wrong("to the parent's queue", coord_submit(client, h->op, 0, h->queue, 9, NULL, NULL),
               COORD_FORKED);
  coord_event_free(event);
  coord_queue_free(queue);
  coord_client_free(client);
  if (bad) fprintf(stderr, "child: %s\n", coord_error_message(err));
  return bad;
}

static void child_opens_a_client_of_its_own(void) {
  handles h = {0};
  open_all(&h, t_client());
  T_INT(in_child(open_own, &h), 0);
  T_TRUE(t_get_is(h.client, "from/child", "v"));
  T_INT(in_child(open_own, &h), 0);
  free_all(&h);
}

static int fork_again(handles *h) {
  coord_client *client = NULL;
  int status = 0;
  int bad = wrong("open", coord_client_open(h->options, &client, NULL), COORD_OK);
  pid_t pid = fork();
  if (pid == 0) _exit(WRONG(coord_put(client, "k", 1, "v", 1, NULL)));
  bad += waitpid(pid, &status, 0) != pid || status != 0;
  bad += wrong("put", coord_put(client, "k", 1, "v", 1, NULL), COORD_OK);
  coord_client_free(client);
  return bad;
}

static void grandchild_gets_forked_from_the_childs_client(void) {
  handles h = {0};
  open_all(&h, t_client());
  T_INT(in_child(fork_again, &h), 0);
  free_all(&h);
}

/* --- Under load ------------------------------------------------------------------------------------- */

typedef struct load {
  coord_client *client;
  atomic_bool stop;
  atomic_int done;
} load;

static void *read_on(void *arg) {
  load *l = arg;
  while (!atomic_load(&l->stop)) {
    T_TRUE(t_get_is(l->client, "absent", NULL));
    atomic_fetch_add(&l->done, 1);
  }
  return NULL;
}

static int quit(handles *h) {
  (void)h;
  return 0;
}

static bool has_progressed(void *arg) { return atomic_load((atomic_int *)arg) > 200; }

static void parent_goes_on_while_it_forks_under_load(void) {
  pthread_t threads[4];
  load l = {.client = t_client()};
  handles h = {0};
  open_all(&h, t_client());
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_on, &l);
  /* AddressSanitizer's allocator may be locked for ever in a child of a busy process. */
  bool may_allocate = T_SLOW == 1;
  for (int i = 0; i < 20; i++) {
    int (*run)(handles *) = i % 4 == 0 ? open_own : i % 4 == 1 ? call_everything : quit;
    T_INT(in_child(may_allocate ? run : quit, &h), 0);
  }
  T_TRUE(t_wait_until(has_progressed, &l.done, 10000));
  atomic_store(&l.stop, true);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  coord_client_free(l.client);
  free_all(&h);
}

static void no_call_is_forgotten_when_a_fork_comes_between(void) {
  pthread_t threads[4];
  handles h = {0};
  load l = {.client = t_client_with("request.timeout.ms", "3000", NULL)};
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_on, &l);
  for (int i = 0; i < 300 && !t_any_failed(); i++) T_INT(in_child(quit, &h), 0);
  atomic_store(&l.stop, true);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  coord_client_free(l.client);
}

static void calls_under_way_at_the_fork_complete_in_the_parent(void) {
  static const t_rule rules[] = {{.delay_ms = 300, .data = T_EMPTY_MESSAGE, .grpc_status = "0"}};
  handles h = {0};
  t_peer *peer = t_peer_grpc(rules, 1, NULL);
  open_all(&h, t_client_with("endpoints", t_peer_endpoint(peer), NULL));
  for (uint64_t i = 10; i < 20; i++) {
    T_CODE(coord_submit(h.client, h.op, 0, h.queue, i, NULL, NULL), COORD_OK);
  }
  T_INT(in_child(free_everything, &h), 0);
  for (int i = 0; i < 10; i++) {
    coord_event *event = coord_queue_next(h.queue, 5000);
    T_FATAL(event != NULL);
    T_CODE(coord_event_code(event), COORD_OK);
    coord_event_free(event);
  }
  free_all(&h);
  t_peer_stop(peer);
}

T_MAIN(T_CASE(child_gets_forked_from_every_function),
       T_CASE(queue_is_silent_in_the_child_and_alive_in_the_parent),
       T_CASE(child_may_free_all_handles),
       T_CASE(results_events_and_options_are_still_good_in_the_child),
       T_CASE(child_opens_a_client_of_its_own),
       T_CASE(grandchild_gets_forked_from_the_childs_client),
       T_CASE(parent_goes_on_while_it_forks_under_load),
       T_CASE(no_call_is_forgotten_when_a_fork_comes_between),
       T_CASE(calls_under_way_at_the_fork_complete_in_the_parent))
