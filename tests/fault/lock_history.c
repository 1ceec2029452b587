/*
 * Twenty who want one lock, in five processes, and one fault after the other: processes that are killed
 * and stopped for longer than their lease lives, nodes that die and stop, partitions, silence, slow links.
 * At most one may hold the lock at a time, in the order of the queue; no write of one that holds it no
 * more may be done; in the end no key is left.
 *
 * COORD_CHAOS_SECONDS says for how long; some seconds unless told. ./dev chaos lock runs it for long.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "support/cluster.h"
#include "support/lock_queue.h"
#include "support/lock_story.h"

enum { PROCESSES = 5, THREADS = 4, TTL_S = 2, DEFAULT_SECONDS = 12, LONGEST_PAUSE_MS = 700 };

typedef struct stage {
  t_cluster *cluster;
  t_fronts fronts[2]; /* ways to the same nodes: one half of the processes can be cut off */
  coord_client *client;
  t_lock_story *story;
  char name[t_key_size];
  char dir[64];
  pid_t pids[PROCESSES];
  int numbers[PROCESSES];
  int started;
  bool is_short; /* nothing is left to chance */
} stage;

static void wait_ms(long ms) {
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

static int some(int below) { return (int)(coord__random() % (uint64_t)below); }

/* ---- rivals ---- */

static void start_rival(stage *s, int i) {
  char ttl[16];
  snprintf(ttl, sizeof ttl, "%d", TTL_S);
  s->numbers[i] = s->started++;
  s->pids[i] = t_rival_start(&(t_rival_options){.endpoints = s->fronts[i % 2].endpoints,
                                                .name = s->name,
                                                .dir = s->dir,
                                                .ttl_s = ttl,
                                                .threads = THREADS,
                                                .number = s->numbers[i],
                                                .own_leases = i % 3 != 0});
}

static void add_account(stage *s, int i) {
  size_t count = 0;
  t_entry *entries = t_rival_account(s->dir, s->numbers[i], &count);
  t_lock_story_add(s->story, entries, count);
  free(entries);
}

/* Who is in the middle of an action; now and then any other. */
static int victim(const stage *s) {
  int64_t until = t_now_ms() + 500;
  bool aimed = s->is_short || some(5) > 0;
  while (aimed && t_now_ms() < until) {
    pid_t acting = (pid_t)t_register_read(s->dir).acting;
    for (int i = 0; i < PROCESSES; i++) {
      if (s->pids[i] == acting) return i;
    }
  }
  return some(PROCESSES);
}

static void kill_rival(stage *s, int node) {
  (void)node;
  int i = victim(s), status = 0;
  kill(s->pids[i], SIGKILL);
  waitpid(s->pids[i], &status, 0);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    T_FAIL("a rival had ended before, with status 0x%x", (unsigned)status);
  }
  add_account(s, i);
  start_rival(s, i);
}

static void stop_rival(stage *s, int node) {
  (void)node;
  int i = victim(s);
  kill(s->pids[i], SIGSTOP);
  bool is_brief = !s->is_short && some(3) == 0;
  wait_ms(is_brief ? some(TTL_S * 1000) : TTL_S * 1000 + 300 + some(1500));
  kill(s->pids[i], SIGCONT);
}

static void stop_all_but_one(stage *s, int node) {
  (void)node;
  int spared = some(PROCESSES);
  for (int i = 0; i < PROCESSES; i++) kill(s->pids[i], i == spared ? SIGCONT : SIGSTOP);
  wait_ms(TTL_S * 1000 + some(1500));
  for (int i = 0; i < PROCESSES; i++) kill(s->pids[i], SIGCONT);
}

/* ---- the way to the servers ---- */

static t_proxy *proxy_of(stage *s, int node) { return s->fronts[some(2)].proxies[node]; }

static void cut(stage *s, int node) {
  for (int i = 0; i < 5; i++) {
    t_proxy_cut(proxy_of(s, (node + i) % 3));
    wait_ms(some(30));
  }
}

/* One half reaches no server any more, without a word or with one. */
static void lonely(stage *s, int node) {
  t_fronts *half = &s->fronts[some(2)];
  void (*how)(t_proxy * proxy, bool on) = node == 0   ? t_proxy_refuse
                                          : node == 1 ? t_proxy_stall
                                                      : t_proxy_swallow;
  for (int i = 0; i < half->count; i++) how(half->proxies[i], true);
  wait_ms(TTL_S * 1000 + 300 + some(1500));
  for (int i = 0; i < half->count; i++) how(half->proxies[i], false);
}

/* What is asked is done, and nobody hears of it. */
static void mute(stage *s, int node) {
  t_fronts *half = &s->fronts[some(2)];
  (void)node;
  for (int i = 0; i < half->count; i++) t_proxy_mute(half->proxies[i], true);
  wait_ms(some(LONGEST_PAUSE_MS));
  for (int i = 0; i < half->count; i++) t_proxy_mute(half->proxies[i], false);
}

static void stall(stage *s, int node) {
  for (int i = 0; i < 2; i++) t_proxy_stall(s->fronts[i].proxies[node], true);
}
static void unstall(stage *s, int node) {
  for (int i = 0; i < 2; i++) t_proxy_stall(s->fronts[i].proxies[node], false);
}
static void slow(stage *s, int node) {
  for (int i = 0; i < 2; i++) t_proxy_trickle(s->fronts[i].proxies[node], 1 + some(300));
}
static void quick(stage *s, int node) {
  for (int i = 0; i < 2; i++) {
    t_proxy_cut(s->fronts[i].proxies[node]);
    t_proxy_trickle(s->fronts[i].proxies[node], 0);
  }
}
static void late(stage *s, int node) {
  for (int i = 0; i < 2; i++) t_proxy_delay(s->fronts[i].proxies[node], some(200));
}
static void prompt(stage *s, int node) {
  for (int i = 0; i < 2; i++) t_proxy_delay(s->fronts[i].proxies[node], 0);
}

/* ---- the servers ---- */

static void kill_node(stage *s, int node) { t_etcd_kill(s->cluster, node); }
static void terminate(stage *s, int node) { t_etcd_terminate(s->cluster, node); }
static void restart(stage *s, int node) { t_etcd_restart(s->cluster, node); }
static void stop_node(stage *s, int node) { t_etcd_pause(s->cluster, node); }
static void go_on(stage *s, int node) { t_etcd_resume(s->cluster, node); }

/* Longer than any call lasts: what it was asked for comes from it when nobody waits any more. */
static void stop_node_for_long(stage *s, int node) {
  t_etcd_pause(s->cluster, node);
  wait_ms(6000 + some(4000));
  t_etcd_resume(s->cluster, node);
}

static void stop_two(stage *s, int node) {
  t_etcd_pause(s->cluster, node);
  t_etcd_pause(s->cluster, (node + 1) % 3);
}
static void resume_two(stage *s, int node) {
  t_etcd_resume(s->cluster, node);
  t_etcd_resume(s->cluster, (node + 1) % 3);
}

static void isolate(stage *s, int node) { t_cluster_isolate(s->cluster, node); }
static void reunite(stage *s, int node) { t_cluster_reunite(s->cluster, node); }

static void change_leader(stage *s, int node) {
  (void)node;
  int leader = t_cluster_leader(s->cluster);
  t_etcd_kill(s->cluster, leader);
  wait_ms(some(LONGEST_PAUSE_MS));
  t_etcd_restart(s->cluster, leader);
}

/* ---- one after the other ---- */

typedef struct fault {
  const char *name;
  void (*begin)(stage *s, int node);
  void (*end)(stage *s, int node); /* NULL: over at once */
} fault;

/* The first ones make the short run. */
enum { IN_SHORT = 5 };
static const fault faults[] = {{"stop of a rival", stop_rival, NULL},
                               {"kill of a rival", kill_rival, NULL},
                               {"no way to any server", lonely, NULL},
                               {"change of the leader", change_leader, NULL},
                               {"mute", mute, NULL},
                               {"cut", cut, NULL},
                               {"stop of all rivals but one", stop_all_but_one, NULL},
                               {"slow", slow, quick},
                               {"late", late, prompt},
                               {"stall", stall, unstall},
                               {"kill of a node", kill_node, restart},
                               {"end of a node", terminate, restart},
                               {"stop of a node", stop_node, go_on},
                               {"long stop of a node", stop_node_for_long, NULL},
                               {"stop of two nodes", stop_two, resume_two},
                               {"isolation of a node", isolate, reunite}};

static void one_fault(stage *s, const fault *f) {
  int node = some(3);
  f->begin(s, node);
  if (f->end == NULL) return;
  wait_ms(some(LONGEST_PAUSE_MS));
  if (some(3) == 0) kill_rival(s, node); /* on top of it */
  if (some(3) == 0) cut(s, some(3));
  f->end(s, node);
}

/* The lock is held and left again, by whomever. */
static bool is_alive(stage *s, const char *after) {
  int64_t written = t_register_read(s->dir).written, until = t_now_ms() + 40000 * T_SLOW;
  while (t_register_read(s->dir).written < written + 40 && t_now_ms() < until) wait_ms(5);
  if (t_now_ms() < until) return true;
  T_FAIL("nobody acts any more after: %s", after);
  return false;
}

static void begin(stage *s) {
  char endpoints[t_endpoints_size];
  const char *root = getenv("TMPDIR");
  snprintf(s->dir, sizeof s->dir, "%.40s/coord-rivals-XXXXXX", root && *root ? root : "/tmp");
  T_FATAL(mkdtemp(s->dir) != NULL);
  s->cluster = t_cluster_healed();
  for (int i = 0; i < 2; i++) t_fronts_start(&s->fronts[i], s->cluster);
  s->client = t_client_with("endpoints", t_cluster_endpoints(s->cluster, endpoints), "log.level",
                            "off", "request.timeout.ms", "20000", NULL);
  s->story = t_lock_story_start(s->client, t_key(s->name, "lock"));
  for (int i = 0; i < PROCESSES; i++) start_rival(s, i);
}

static int64_t leases_of(coord_client *client) {
  coord_result *result = t_call(client, coord_op_lease_list());
  int64_t count = (int64_t)coord_result_leases(result);
  coord_result_free(result);
  return count;
}

/* Those of the killed live for their TTL, and as long again after a change of the leader. */
static void expect_nothing_left(stage *s) {
  int64_t until = t_now_ms() + (3 * TTL_S + 5) * 1000 * T_SLOW;
  t_queue_becomes(s->client, s->name, 0, 1000 * (2 * TTL_S + 5));
  while (leases_of(s->client) > 0 && t_now_ms() < until) wait_ms(50);
  T_INT(leases_of(s->client), 0);
}

static void clear_away(stage *s) {
  char path[128];
  for (int i = -1; i < s->started; i++) {
    snprintf(path, sizeof path, "%s/account-%d", s->dir, i);
    if (i < 0) snprintf(path, sizeof path, "%s/register", s->dir);
    unlink(path);
  }
  rmdir(s->dir);
}

static void tell(const stage *s, const t_lock_tally *t, int faults_done) {
  t_register r = t_register_read(s->dir);
  printf("# %d faults, %d processes; %d keys, %d held; %d actions, %d cut short\n", faults_done,
         s->started, t->keys, t->held, t->actions, t->cut_short);
  printf("# key: %d written, %d refused, of %d stale ones %d; file: %lld written, %lld refused\n",
         t->guarded, t->refused, t->stale, t->stale_refused, (long long)r.written,
         (long long)r.refused);
  printf(
      "# waits: %d held, %d conflict, %d timeout, %d canceled, %d lost, %d unavailable, %d other\n",
      t->ended[0], t->ended[1], t->ended[2], t->ended[3], t->ended[4], t->ended[5], t->ended[6]);
}

static void one_holds_it_at_a_time(void) {
  const char *text = getenv("COORD_CHAOS_SECONDS");
  stage s = {.is_short = text == NULL || atoi(text) <= 0};
  int seconds = s.is_short ? DEFAULT_SECONDS : atoi(text);
  int count = 0;
  t_case_limit_s(seconds + 180);
  begin(&s);
  is_alive(&s, "the start");
  int64_t until = t_now_ms() + (int64_t)seconds * 1000;
  while (t_now_ms() < until && !t_any_failed()) {
    int which = s.is_short ? count % IN_SHORT : some((int)(sizeof faults / sizeof *faults));
    one_fault(&s, &faults[which]);
    count++;
    if (!is_alive(&s, faults[which].name)) break;
  }
  t_cluster_heal(s.cluster);
  for (int i = 0; i < PROCESSES; i++) {
    t_rival_end(s.pids[i]);
    add_account(&s, i);
  }
  expect_nothing_left(&s);
  t_lock_tally tally = t_lock_story_end(s.story);
  tell(&s, &tally, count);
  T_TRUE(tally.held > 20 && tally.guarded > 20 && tally.stale_refused > 0);
  coord_client_free(s.client);
  for (int i = 0; i < 2; i++) t_fronts_stop(&s.fronts[i]);
  clear_away(&s);
}

int main(int argc, char **argv) {
  static const t_case cases[] = {T_CASE(one_holds_it_at_a_time)};
  t_rival_main(argc, argv);
  return t_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
