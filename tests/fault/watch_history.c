/*
 * Several writers, watches through proxies, and one fault after the other on three nodes: kills, stops,
 * partitions, cuts, silence, slow links, compactions. What the watches told must be the history of what
 * was written: nothing lost, nothing twice, in order.
 *
 * COORD_CHAOS_SECONDS says for how long; a few seconds unless told. ./dev chaos watch runs it for long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "support/cluster.h"
#include "support/history.h"

enum { DEFAULT_SECONDS = 6, LONGEST_PAUSE_MS = 700 };

typedef struct stage {
  t_cluster *cluster;
  t_fronts fronts;
  coord_client *writer;
  t_history *history;
} stage;

static void wait_ms(long ms) {
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

static long some(long below) { return (long)(coord__random() % (uint64_t)below); }

/* ---- faults: done, held for a while, and undone ---- */

static void cut(stage *s, int node) {
  for (int i = 0; i < 5; i++) {
    t_proxy_cut(s->fronts.proxies[(node + i) % s->fronts.count]);
    wait_ms(some(30));
  }
}

static void stall(stage *s, int node) { t_proxy_stall(s->fronts.proxies[node], true); }
static void unstall(stage *s, int node) { t_proxy_stall(s->fronts.proxies[node], false); }
static void refuse(stage *s, int node) { t_proxy_refuse(s->fronts.proxies[node], true); }
static void admit(stage *s, int node) { t_proxy_refuse(s->fronts.proxies[node], false); }
static void slow(stage *s, int node) {
  t_proxy_trickle(s->fronts.proxies[node], 1 + (int)some(300));
}
static void quick(stage *s, int node) {
  t_proxy_cut(s->fronts.proxies[node]);
  t_proxy_trickle(s->fronts.proxies[node], 0);
}
static void late(stage *s, int node) { t_proxy_delay(s->fronts.proxies[node], (int)some(80)); }
static void prompt(stage *s, int node) { t_proxy_delay(s->fronts.proxies[node], 0); }
static void kill_node(stage *s, int node) { t_etcd_kill(s->cluster, node); }
static void terminate(stage *s, int node) { t_etcd_terminate(s->cluster, node); }
static void restart(stage *s, int node) { t_etcd_restart(s->cluster, node); }
static void stop_node(stage *s, int node) { t_etcd_pause(s->cluster, node); }
static void go_on(stage *s, int node) { t_etcd_resume(s->cluster, node); }
static void isolate(stage *s, int node) { t_cluster_isolate(s->cluster, node); }
static void reunite(stage *s, int node) { t_cluster_reunite(s->cluster, node); }

/* All that was told, and sometimes more. */
static void compact(stage *s, int node) {
  (void)node;
  int64_t revision = t_history_told(s->history) + (some(4) == 0 ? 20 : 0);
  coord_op *op = coord_op_compact(revision);
  coord_call(s->writer, op, 0, NULL, NULL); /* the future cannot be compacted: that may fail */
  coord_op_free(op);
}

typedef struct fault {
  const char *name;
  void (*begin)(stage *s, int node);
  void (*end)(stage *s, int node); /* NULL: over at once */
} fault;

static const fault faults[] = {{"cut", cut, NULL},           {"slow", slow, quick},
                               {"refuse", refuse, admit},    {"late", late, prompt},
                               {"compact", compact, NULL},   {"stall", stall, unstall},
                               {"kill", kill_node, restart}, {"isolate", isolate, reunite},
                               {"stop", stop_node, go_on},   {"terminate", terminate, restart}};

static void one_fault(stage *s, const fault *f) {
  int node = (int)some(s->fronts.count);
  f->begin(s, node);
  wait_ms(some(LONGEST_PAUSE_MS));
  if (some(3) == 0) cut(s, (int)some(s->fronts.count)); /* on top of it */
  if (f->end != NULL) f->end(s, node);
}

static void history_is_told_as_it_was_written(void) {
  const char *text = getenv("COORD_CHAOS_SECONDS");
  int seconds = text != NULL && atoi(text) > 0 ? atoi(text) : DEFAULT_SECONDS;
  char endpoints[t_endpoints_size];
  t_case_limit_s(seconds + 180);
  stage s = {.cluster = t_cluster_healed()};
  t_fronts_start(&s.fronts, s.cluster);
  s.writer = t_client_with("endpoints", t_cluster_endpoints(s.cluster, endpoints), "log.level",
                           "off", NULL);
  coord_client *watcher =
      t_client_with("endpoints", s.fronts.endpoints, "log.level", "off", "watch.liveness.ms",
                    "1000", "watch.buffer.bytes", "65536", NULL);
  s.history = t_history_start(&(t_history_options){.writer = s.writer,
                                                   .watcher = watcher,
                                                   .writers = 4,
                                                   .watches = 3,
                                                   .pause_us = 1000,
                                                   .may_be_overtaken = true});
  int64_t until = t_now_ms() + (int64_t)seconds * 1000;
  int count = 0;
  while (t_now_ms() < until && !t_any_failed()) {
    const fault *f =
        &faults[text == NULL ? count % 6 : some((long)(sizeof faults / sizeof *faults))];
    one_fault(&s, f);
    if (!t_history_go_on(s.history, 20)) printf("# after %s, fault %d\n", f->name, count);
    count++;
  }
  t_history_tally tally = t_history_end(s.history);
  printf("# %d faults, %d written (%d unknown), %d told, %d interruptions, %d times overtaken\n",
         count, tally.written, tally.maybe, tally.told, tally.resumed, tally.overtaken);
  T_TRUE(tally.resumed > 0);
  coord_client_free(watcher);
  coord_client_free(s.writer);
  t_fronts_stop(&s.fronts);
}

T_MAIN(T_CASE(history_is_told_as_it_was_written))
