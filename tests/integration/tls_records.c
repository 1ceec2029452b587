/* What passes below HTTP/2: versions, records, new keys, goodbyes, and the log's warnings. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/etcd.h"
#include "support/secure.h"

static t_pki *pki;
static coord_error *err;

static t_secure *door(const t_secure_options *options) {
  t_secure_options o = *options;
  o.certificate = "server";
  if (!pki) {
    pki = t_pki_new();
    t_pki_issue(pki, &(t_certificate){.file = "server"});
    t_pki_issue(pki, &(t_certificate){.file = "client"});
  }
  return t_secure_start(pki, t_etcd_port(t_etcd(), 0), &o);
}

static coord_client *client_of(const t_secure *secure) {
  return t_client_with("endpoints", t_secure_endpoint(secure), "tls.ca", t_pki_file(pki, "ca.pem"),
                       "gateway.max.connections", "1", "request.timeout.ms", "20000", "log.level",
                       "off", NULL);
}

static void works(coord_client *client) {
  char key[t_key_size];
  size_t n = 1000000;
  coord_kv kv = {0};
  char *big = malloc(n);
  T_FATAL(big != NULL);
  for (size_t i = 0; i < n; i++) big[i] = (char)(i * 7 + i / 251);
  t_key(key, "big");
  T_OK(coord_put(client, key, strlen(key), big, n, &err), err);
  coord_result *result = t_call(client, coord_op_get(key, strlen(key)));
  T_CODE(coord_result_kv(result, 0, &kv), COORD_OK);
  T_MEM(kv.value, kv.value_len, big, n);
  coord_result_free(result);
  free(big);
}

static void works_through(const t_secure_options *options) {
  t_secure *secure = door(options);
  coord_client *client = client_of(secure);
  works(client);
  T_INT(t_secure_connections(secure), 1);
  coord_client_free(client);
  t_secure_stop(secure);
}

static void version_1_2_is_spoken(void) { works_through(&(t_secure_options){.max_version = 2}); }

static void version_1_2_without_tickets(void) {
  works_through(&(t_secure_options){.max_version = 2, .no_tickets = true});
}

static void short_records_are_put_together(void) {
  works_through(&(t_secure_options){.record_bytes = 512});
}

static void silence_after_the_handshake_is_no_refusal(void) {
  int64_t start = t_now_ms();
  works_through(&(t_secure_options){.no_tickets = true});
  works_through(&(t_secure_options){.no_tickets = true, .wants_certificate = true});
  T_WITHIN(start, 5000);
}

/* --- New keys ---------------------------------------------------------------------------------------- */

static void keys_may_change_at_any_time(void) {
  t_secure *secure = door(&(t_secure_options){0});
  coord_client *client = client_of(secure);
  for (int i = 0; i < 10; i++) {
    t_secure_new_keys(secure);
    works(client);
  }
  T_INT(t_secure_connections(secure), 1);
  coord_client_free(client);
  t_secure_stop(secure);
}

/* Our end of the connections to a door gets little room, as its own. */
static void shrink_sockets(const t_secure *secure) {
  int port = atoi(strrchr(t_secure_endpoint(secure), ':') + 1), found = 0, room = 1;
  for (int fd = 3; fd < 1000; fd++) {
    struct sockaddr_in to = {0};
    socklen_t len = sizeof to;
    if (getpeername(fd, (struct sockaddr *)&to, &len) != 0 || ntohs(to.sin_port) != port) continue;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    found++;
  }
  T_INT(found, 1);
}

/* Our word on the new keys does not fit into the socket: reading has to wait for writing. */
static void keys_may_change_while_the_socket_is_full(void) {
  enum { count = 20 };
  char key[t_key_size];
  size_t n = 1000000;
  coord_queue *queue = NULL;
  t_secure *secure = door(&(t_secure_options){.room_bytes = 4096});
  coord_client *client = client_of(secure);
  char *big = calloc(1, n);
  T_FATAL(big != NULL && coord_queue_open(&queue, NULL) == COORD_OK);
  works(client);
  shrink_sockets(secure);
  t_secure_stall(secure, true);
  coord_op *op = coord_op_put(t_key(key, "k"), strlen(t_key(key, "k")), big, n);
  for (uint64_t i = 0; i < count; i++) {
    T_CODE(coord_submit(client, op, 30000, queue, i, NULL, NULL), COORD_OK);
  }
  for (int i = 0; i < 5; i++) {
    usleep(100000);
    t_secure_new_keys(secure);
  }
  usleep(100000);
  t_secure_stall(secure, false);
  for (int i = 0; i < count; i++) {
    coord_event *event = coord_queue_next(queue, 30000);
    if (coord_event_code(event) != COORD_OK) {
      T_FAIL("a put gave %s", coord_error_message(coord_event_error(event)));
    }
    coord_event_free(event);
  }
  T_INT(t_secure_connections(secure), 1);
  coord_op_free(op);
  free(big);
  coord_client_free(client);
  coord_queue_free(queue);
  t_secure_stop(secure);
}

/* --- Goodbyes ---------------------------------------------------------------------------------------- */

static void server_may_end_with_and_without_goodbye(void) {
  char key[t_key_size];
  t_secure *secure = door(&(t_secure_options){0});
  coord_client *client = client_of(secure);
  T_TRUE(t_put(client, t_key(key, "k"), "v") > 0);
  for (int i = 0; i < 10; i++) {
    t_secure_end(secure, i % 2 == 0);
    T_TRUE(t_get_is(client, key, "v"));
  }
  T_TRUE(t_secure_connections(secure) >= 5);
  coord_client_free(client);
  t_secure_stop(secure);
}

static bool has_goodbye(void *secure) { return t_secure_goodbyes(secure) == 1; }

static void client_says_goodbye(void) {
  t_secure *secure = door(&(t_secure_options){0});
  coord_client *client = client_of(secure);
  works(client);
  T_INT(t_secure_goodbyes(secure), 0);
  coord_client_free(client);
  T_TRUE(t_wait_until(has_goodbye, secure, 5000));
  t_secure_stop(secure);
}

/* The connection is the parent's: its keys move on there, and nowhere else. */
static void forked_child_leaves_the_connection_alone(void) {
  t_secure *secure = door(&(t_secure_options){0});
  coord_client *client = client_of(secure);
  works(client);
  for (int i = 0; i < 5; i++) {
    int status = 0;
    pid_t pid = fork();
    T_FATAL(pid >= 0);
    if (pid == 0) {
      bool good = coord_put(client, "k", 1, "v", 1, NULL) == COORD_FORKED;
      coord_client_free(client);
      _exit(good ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    T_INT(status, 0);
    works(client);
  }
  T_INT(t_secure_goodbyes(secure), 0);
  T_INT(t_secure_connections(secure), 1);
  coord_client_free(client);
  t_secure_stop(secure);
}

/* --- The log ------------------------------------------------------------------------------------------- */

/* What opening writes to standard error. */
static void opening_logs(const char *part, const char *endpoint, const char *name,
                         const char *value) {
  char text[4096];
  int ends[2], before = dup(2);
  T_FATAL(pipe(ends) == 0);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  dup2(ends[1], 2);
  coord_client *client =
      t_client_with("endpoints", endpoint, name, value, "connect.lazy", "true", NULL);
  dup2(before, 2);
  ssize_t n = read(ends[0], text, sizeof text - 1);
  text[n > 0 ? n : 0] = '\0';
  T_HAS(text, part);
  coord_client_free(client);
  close(before);
  close(ends[0]);
  close(ends[1]);
}

static void log_warns_of_what_is_not_verified(void) {
  opening_logs("option tls.verify is false: whoever is on the way can pose as the server",
               "https://127.0.0.1:1", "tls.verify", "false");
}

static void log_warns_of_files_that_are_not_used(void) {
  t_secure *secure = door(&(t_secure_options){0});
  opening_logs("no endpoint begins with https://", "127.0.0.1:1", "tls.ca",
               t_pki_file(pki, "ca.pem"));
  t_secure_stop(secure);
}

T_MAIN(T_CASE(version_1_2_is_spoken), T_CASE(version_1_2_without_tickets),
       T_CASE(short_records_are_put_together), T_CASE(silence_after_the_handshake_is_no_refusal),
       T_CASE(keys_may_change_at_any_time), T_CASE(keys_may_change_while_the_socket_is_full),
       T_CASE(server_may_end_with_and_without_goodbye), T_CASE(client_says_goodbye),
       T_CASE(forked_child_leaves_the_connection_alone), T_CASE(log_warns_of_what_is_not_verified),
       T_CASE(log_warns_of_files_that_are_not_used))
