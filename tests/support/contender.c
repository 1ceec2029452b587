#include "support/contender.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/etcd_inside.h"
#include "support/lock_queue.h"

enum { TTL_S = 10, END_MS = 5000 * T_SLOW, TEXT = 1024 };

struct t_contender {
  t_way way;
  coord_client *client;
  const char *name;
  const char *value; /* NULL: a lock */
  char key[160];     /* "": it does not have it */
  /* ours */
  coord_queue *queue;
  coord_lock *lock;
  coord_election *election;
  /* a process, or a request that waits for its answer */
  pid_t pid;
  int in;
  int out;
  char text[TEXT]; /* what has come so far */
  size_t len;
  bool ended;
  int64_t lease_id;
  char leader[TEXT]; /* of the server's service: what it calls the leader */
};

const char *const t_way_names[T_WAYS] = {"libcoord", "etcdctl", "the server", "Go"};

static const char *etcdctl_path(void) {
  const char *path = getenv("COORD_TEST_ETCDCTL");
  return path != NULL && *path != '\0' ? path : "etcdctl";
}

static const char *go_path(void) {
  const char *path = getenv("COORD_TEST_GO_PEER");
  return path != NULL ? path : "";
}

static bool is_program(const char *path) {
  char command[1100];
  if (strchr(path, '/') != NULL) return access(path, X_OK) == 0;
  snprintf(command, sizeof command, "command -v '%s' >/dev/null", path);
  return *path != '\0' && system(command) == 0;
}

const char *t_way_missing(t_way way) {
  if (way == T_ETCDCTL && !is_program(etcdctl_path())) {
    return "no etcdctl (set COORD_TEST_ETCDCTL, or have etcdctl on PATH)";
  }
  if (way == T_GO && !is_program(go_path())) {
    return "no Go peer (COORD_TEST_GO_PEER; ./dev test builds it where there is a Go)";
  }
  return NULL;
}

/* ---- ours ---- */

static void begin_our_election(t_contender *c) {
  coord_options *options = t_options("lock.lease", "own", NULL);
  coord_op *op = NULL;
  T_CODE(coord_election_open(c->client, c->name, strlen(c->name), options, NULL, 0, &c->election,
                             NULL),
         COORD_OK);
  op = coord_op_campaign(c->election, c->value, strlen(c->value));
  T_CODE(coord_submit(c->client, op, -1, c->queue, 1, NULL, NULL), COORD_OK);
  coord_op_free(op);
  coord_options_free(options);
}

static void begin_ours(t_contender *c) {
  c->queue = t_queue();
  if (c->value != NULL) {
    begin_our_election(c);
    return;
  }
  c->lock = t_lock_tagged(c->client, c->name, NULL, 0, "lock.lease", "own", NULL);
  t_begin_acquire(c->client, c->lock, c->queue, 1);
}

static bool ours_has(t_contender *c, int timeout_ms) {
  coord_kv kv;
  coord_event *event = coord_queue_next(c->queue, timeout_ms);
  coord_code code = coord_event_code(event);
  if (event != NULL && code != COORD_OK) T_FAIL("our acquire gave %s", coord_code_name(code));
  coord_event_free(event);
  if (event == NULL || code != COORD_OK) return false;
  if (c->value != NULL) {
    T_TRUE(coord_election_is_leader(c->election));
    T_CODE(coord_election_key(c->election, &kv), COORD_OK);
  } else {
    T_TRUE(coord_lock_is_held(c->lock));
    T_CODE(coord_lock_key(c->lock, 0, &kv), COORD_OK);
  }
  snprintf(c->key, sizeof c->key, "%.*s", (int)kv.key_len, (const char *)kv.key);
  return true;
}

static void end_ours(t_contender *c) {
  coord_op *op = c->value != NULL ? coord_op_resign(c->election) : coord_op_release(c->lock);
  if (c->key[0] != '\0') T_CODE(coord_call(c->client, op, 0, NULL, NULL), COORD_OK);
  coord_op_free(op);
  coord_election_free(c->election);
  coord_lock_free(c->lock);
  coord_queue_free(c->queue);
}

/* ---- what comes in pieces: the output of a process, the answer to a request ---- */

/* Takes what is there, after a wait for it of at most so long. */
static void take_more(t_contender *c, int timeout_ms) {
  struct pollfd p = {.fd = c->out, .events = POLLIN};
  if (c->ended || poll(&p, 1, timeout_ms) != 1) return;
  ssize_t n = read(c->out, c->text + c->len, sizeof c->text - 1 - c->len);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) c->ended = true;
  if (n > 0) c->len += (size_t)n;
  c->text[c->len] = '\0';
}

/* ---- processes ---- */

static void begin_process(t_contender *c, char *const argv[]) {
  int in[2], out[2];
  pid_t parent = getpid();
  T_FATAL(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
  c->pid = fork();
  T_FATAL(c->pid >= 0);
  if (c->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(in[0], 0);
    dup2(out[1], 1);
    execvp(argv[0], argv);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  c->in = in[1];
  c->out = out[0];
}

/* The same words for both programs, but for the first ones. */
static void begin_program(t_contender *c, const char *program, const char *where,
                          const char *what) {
  begin_process(c, (char *const[]){(char *)program, (char *)where, (char *)what, (char *)c->name,
                                   (char *)c->value, NULL});
}

static const char *etcdctl_where(void) {
  static char endpoint[80];
  snprintf(endpoint, sizeof endpoint, "--endpoints=%s", t_etcd_endpoint(t_etcd(), 0));
  return endpoint;
}

static void begin_etcdctl(t_contender *c) {
  begin_program(c, etcdctl_path(), etcdctl_where(), c->value != NULL ? "elect" : "lock");
}

static void begin_go(t_contender *c) {
  begin_program(c, go_path(), t_etcd_endpoint(t_etcd(), 0), c->value != NULL ? "elect" : "lock");
}

/* The first line that it prints is the key, behind "held " with Go. */
static bool process_has(t_contender *c, int timeout_ms) {
  int64_t until = t_now_ms() + timeout_ms;
  char *end;
  do {
    int64_t left = until - t_now_ms();
    take_more(c, left > 0 ? (int)left : 0);
    end = strchr(c->text, '\n');
  } while (end == NULL && !c->ended && t_now_ms() < until);
  if (c->ended) T_FAIL("%s has ended: %s", t_way_names[c->way], c->text);
  if (end == NULL || c->ended) return false;
  size_t skip = strncmp(c->text, "held ", 5) == 0 ? 5 : 0;
  snprintf(c->key, sizeof c->key, "%.*s", (int)(end - c->text - (ptrdiff_t)skip), c->text + skip);
  return true;
}

static void end_process(t_contender *c) {
  int status = 0;
  int64_t until = t_now_ms() + END_MS;
  bool let_go = c->key[0] != '\0';
  close(c->in); /* Go lets go at that, */
  if (!let_go) kill(c->pid, SIGKILL);
  if (let_go && c->way == T_ETCDCTL) kill(c->pid, SIGINT); /* etcdctl at this. */
  while (let_go && !c->ended && t_now_ms() < until) take_more(c, 100);
  if (let_go && !c->ended) {
    T_FAIL("%s does not let go", t_way_names[c->way]);
    kill(c->pid, SIGKILL);
  }
  waitpid(c->pid, &status, 0);
  close(c->out);
}

/* ---- the server's own service, by its gateway ---- */

static void base64(char out[TEXT], const char *text) {
  EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)strlen(text));
}

static int post(const char *path, const char *body) {
  char request[4 * TEXT];
  int fd = t_etcd_connect(t_etcd_port(t_etcd(), 0), 60);
  T_FATAL(fd >= 0);
  int n = snprintf(request, sizeof request,
                   "POST %s HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   path, strlen(body), body);
  T_FATAL(n < (int)sizeof request && send(fd, request, (size_t)n, MSG_NOSIGNAL) == n);
  return fd;
}

/* It keeps no lease alive that it is given, which is why this one lasts. */
static void begin_server(t_contender *c) {
  char body[3 * TEXT], name[TEXT], value[TEXT] = "";
  coord_result *result = t_call(c->client, coord_op_lease_grant(60, 0));
  c->lease_id = coord_result_lease_id(result);
  coord_result_free(result);
  base64(name, c->name);
  if (c->value != NULL) base64(value, c->value);
  snprintf(body, sizeof body, "{\"name\":\"%s\",\"lease\":\"%lld\"%s%s%s}", name,
           (long long)c->lease_id, c->value != NULL ? ",\"value\":\"" : "", value,
           c->value != NULL ? "\"" : "");
  c->out = post(c->value != NULL ? "/v3/election/campaign" : "/v3/lock/lock", body);
}

static void decode(char out[160], const char *text) {
  unsigned char raw[TEXT] = {0};
  if (strlen(text) < TEXT) EVP_DecodeBlock(raw, (const unsigned char *)text, (int)strlen(text));
  snprintf(out, 160, "%.159s", (char *)raw);
}

/* The answer of Lock has the key; that of Campaign a leader with the key, which Resign wants back. */
static void read_key(t_contender *c) {
  const char *body = strstr(c->text, "\r\n\r\n");
  json_object *answer = body != NULL ? json_tokener_parse(body) : NULL, *leader = answer,
              *key = NULL;
  if (c->value != NULL) json_object_object_get_ex(answer, "leader", &leader);
  json_object_object_get_ex(leader, "key", &key);
  if (key == NULL) T_FAIL("the server answers %s", c->text);
  if (key != NULL) decode(c->key, json_object_get_string(key));
  snprintf(c->leader, sizeof c->leader, "%s", json_object_to_json_string(leader));
  json_object_put(answer);
}

static bool server_has(t_contender *c, int timeout_ms) {
  int64_t until = t_now_ms() + timeout_ms;
  do {
    int64_t left = until - t_now_ms();
    take_more(c, left > 0 ? (int)left : 0);
  } while (!c->ended && t_now_ms() < until);
  if (!c->ended) return false;
  read_key(c);
  return c->key[0] != '\0';
}

static void end_server(t_contender *c) {
  char body[2 * TEXT], key[TEXT];
  close(c->out);
  if (c->key[0] != '\0') {
    base64(key, c->key);
    if (c->value != NULL) {
      snprintf(body, sizeof body, "{\"leader\":%s}", c->leader);
    } else {
      snprintf(body, sizeof body, "{\"key\":\"%s\"}", key);
    }
    c->out = post(c->value != NULL ? "/v3/election/resign" : "/v3/lock/unlock", body);
    c->ended = false;
    c->len = 0;
    while (!c->ended) take_more(c, END_MS);
    T_HAS(c->text, " 200 ");
    close(c->out);
  }
  coord_result_free(t_call(c->client, coord_op_lease_revoke(c->lease_id)));
}

/* ---- all ---- */

static const struct {
  void (*begin)(t_contender *c);
  bool (*has)(t_contender *c, int timeout_ms);
  void (*end)(t_contender *c);
} ways[T_WAYS] = {{begin_ours, ours_has, end_ours},
                  {begin_etcdctl, process_has, end_process},
                  {begin_server, server_has, end_server},
                  {begin_go, process_has, end_process}};

t_contender *t_campaign(t_way way, coord_client *client, const char *name, const char *value) {
  t_contender *c = calloc(1, sizeof *c);
  T_FATAL(c != NULL);
  c->way = way;
  c->client = client;
  c->name = name;
  c->value = value;
  ways[way].begin(c);
  return c;
}

t_contender *t_contend(t_way way, coord_client *client, const char *name) {
  return t_campaign(way, client, name, NULL);
}

bool t_contender_has(t_contender *c, int timeout_ms) {
  return c->key[0] != '\0' || ways[c->way].has(c, timeout_ms);
}

const char *t_contender_key(const t_contender *c) { return c->key; }

void t_contender_end(t_contender *c) {
  ways[c->way].end(c);
  free(c);
}

/* ---- who only looks ---- */

/* Until this has come; false when it does not. */
static bool says(t_contender *c, const char *part) {
  int64_t until = t_now_ms() + END_MS;
  while (strstr(c->text, part) == NULL && !c->ended && t_now_ms() < until) take_more(c, 100);
  return strstr(c->text, part) != NULL;
}

static void process_observes(t_way way, const char *name, const char *value) {
  t_contender c = {.way = way, .name = name};
  if (t_way_missing(way) != NULL) return;
  if (way == T_GO) begin_program(&c, go_path(), t_etcd_endpoint(t_etcd(), 0), "observe");
  if (way == T_ETCDCTL) {
    begin_process(&c, (char *const[]){(char *)etcdctl_path(), (char *)etcdctl_where(),
                                      (char *)"elect", (char *)"-l", (char *)name, NULL});
  }
  if (!says(&c, value)) T_FAIL("%s observes \"%s\", not %s", t_way_names[way], c.text, value);
  kill(c.pid, SIGKILL);
  waitpid(c.pid, NULL, 0);
  close(c.in);
  close(c.out);
}

static void server_observes(const char *name, const char *value) {
  char body[2 * TEXT], key[TEXT], part[TEXT];
  t_contender c = {.way = T_SERVER};
  base64(key, name);
  base64(part, value);
  snprintf(body, sizeof body, "{\"name\":\"%s\"}", key);
  c.out = post("/v3/election/leader", body);
  if (!says(&c, part)) T_FAIL("the server says %s, not %s", c.text, value);
  close(c.out);
}

void t_all_observe(const char *name, const char *value) {
  process_observes(T_ETCDCTL, name, value);
  process_observes(T_GO, name, value);
  server_observes(name, value);
}
