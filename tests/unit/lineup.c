/* Picking: who is chosen by each policy, who is left out, and what moves when instances come and go. */
#include "coord/lineup.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coord/picker_handle.h"
#include "coord/roster.h"
#include "support/t.h"

enum { MANY = 100, KEYS = 20000 };

static coord_instance *made[MANY + 8];
static size_t made_count;

static coord_instance *instance(int n, int weight, const char *status, const char *zone) {
  char json[300];
  snprintf(json, sizeof json,
           "{\"id\":\"i%03d\",\"name\":\"web\",\"address\":\"h\",\"port\":%d,\"weight\":%d,"
           "\"status\":\"%s\","
           "\"metadata\":{\"zone\":\"%s\"}}",
           n, n + 1, weight, status, zone);
  coord_instance *i = NULL;
  T_FATAL(coord__instance_parse(json, strlen(json), &i, NULL) == COORD_OK);
  T_FATAL(coord__instance_share(i, NULL));
  return i;
}

static void make(size_t count, int (*weight)(size_t i)) {
  for (made_count = 0; made_count < count; made_count++) {
    made[made_count] = instance((int)made_count, weight != NULL ? weight(made_count) : 1, "up",
                                made_count % 2 == 0 ? "eu" : "us");
  }
}

static void unmake(void) {
  while (made_count > 0) coord_instance_free(made[--made_count]);
}

static coord__lineup *line_up(int32_t policy) {
  coord__lineup *l = coord__lineup_new(policy, made, made_count, NULL);
  T_FATAL(l != NULL);
  return l;
}

static int pick(const coord__lineup *l, atomic_uint_fast64_t *turn, const char *key) {
  coord_instance *i = coord__lineup_pick(l, turn, key, key != NULL ? strlen(key) : 0);
  if (i == NULL) return -1;
  int n = coord_instance_port(i) - 1;
  coord_instance_free(i);
  return n;
}

static void first_stays(void) {
  atomic_uint_fast64_t turn = 0;
  make(3, NULL);
  coord__lineup *l = line_up(COORD_PICK_FIRST);
  T_INT(pick(l, &turn, NULL), 0);
  T_INT(pick(l, &turn, NULL), 0);
  coord_instance_failed(made[0], 60000);
  T_INT(pick(l, &turn, NULL), 1);
  coord_instance_failed(made[0], 0);
  T_INT(pick(l, &turn, NULL), 0);
  coord__lineup_free(l);
  unmake();
}

static void round_robin_goes_around(void) {
  atomic_uint_fast64_t turn = 0;
  make(3, NULL);
  coord__lineup *l = line_up(COORD_PICK_ROUND_ROBIN);
  for (int n = 0; n < 9; n++) T_INT(pick(l, &turn, NULL), n % 3);
  coord_instance_failed(made[1], 60000);
  for (int n = 0; n < 9; n++)
    T_INT(pick(l, &turn, NULL), n % 2 * 2); /* 2 does not get what 1 had */
  coord_instance_failed(made[0], 60000);
  for (int n = 0; n < 9; n++) T_INT(pick(l, &turn, NULL), 2);
  coord_instance_failed(made[2], 60000); /* nobody is left: it is overlooked */
  for (int n = 0; n < 9; n++) {
    int next = (int)(turn % 3);
    T_INT(pick(l, &turn, NULL), next);
  }
  coord__lineup_free(l);
  unmake();
}

static void failures_pass(void) {
  atomic_uint_fast64_t turn = 0;
  make(2, NULL);
  coord__lineup *l = line_up(COORD_PICK_FIRST);
  coord_instance_failed(made[0], 30);
  int64_t from = t_now_ms();
  while (pick(l, &turn, NULL) == 1 && t_now_ms() < from + 5000) {
  }
  T_TRUE(t_now_ms() >= from + 29);
  T_INT(pick(l, &turn, NULL), 0);
  T_INT(atomic_load(&made[0]->tally->excluded_ns), 0);
  coord__lineup_free(l);
  unmake();
}

static void random_is_even(void) {
  atomic_uint_fast64_t turn = 0;
  int counts[10] = {0};
  make(10, NULL);
  coord__lineup *l = line_up(COORD_PICK_RANDOM);
  for (int n = 0; n < 100000; n++) counts[pick(l, &turn, NULL)]++;
  for (int i = 0; i < 10; i++) {
    if (abs(counts[i] - 10000) > 600) T_FAIL("%d of 100000 picks for one of ten", counts[i]);
  }
  coord__lineup_free(l);
  unmake();
}

static int by_number(size_t i) { return (int)i; }

/* Any run of picks has each instance as often as its weight says, but for two. */
static void weighted_is_smooth(void) {
  atomic_uint_fast64_t turn = 0;
  enum { COUNT = 6, PICKS = 15000, SUM = 0 + 1 + 2 + 3 + 4 + 5 };
  int counts[COUNT] = {0}, longest = 0, run = 0, before = -1;
  double worst = 0;
  make(COUNT, by_number);
  coord__lineup *l = line_up(COORD_PICK_WEIGHTED);
  for (int n = 1; n <= PICKS; n++) {
    int i = pick(l, &turn, NULL);
    counts[i]++;
    run = i == before ? run + 1 : 1;
    before = i;
    if (run > longest) longest = run;
    for (int k = 0; k < COUNT; k++) {
      double off = counts[k] - (double)n * k / SUM;
      if (off < 0) off = -off;
      if (off > worst) worst = off;
    }
  }
  T_INT(counts[0], 0);
  if (worst > 3) T_FAIL("a count is off by %.2f", worst);
  if (longest > 2) T_FAIL("the same one %d times in a row", longest);
  coord__lineup_free(l);
  unmake();
}

static int huge(size_t i) { return i == 0 ? 0 : COORD__WEIGHT_MAX; }

static int nothing(size_t i) {
  (void)i;
  return 0;
}

static void weights_may_be_huge_or_none(void) {
  static int (*const weights[])(size_t i) = {huge, nothing};
  static const int32_t policies[] = {COORD_PICK_WEIGHTED, COORD_PICK_CONSISTENT_HASH};
  for (size_t w = 0; w < 2; w++) {
    for (size_t p = 0; p < 2; p++) {
      atomic_uint_fast64_t turn = 0;
      int counts[MANY] = {0};
      make(MANY, weights[w]);
      coord__lineup *l = line_up(policies[p]);
      for (int n = 0; n < KEYS; n++) {
        char key[20];
        snprintf(key, sizeof key, "key %d", n);
        counts[pick(l, &turn, key)]++;
      }
      if (w == 0) T_INT(counts[0], 0);
      for (int i = w == 0; i < MANY; i++) {
        if (counts[i] < 100 || counts[i] > 400) T_FAIL("%d picks of 200", counts[i]);
      }
      coord__lineup_free(l);
      unmake();
    }
  }
}

static void least_pending_is_least(void) {
  atomic_uint_fast64_t turn = 0;
  make(3, NULL);
  coord__lineup *l = line_up(COORD_PICK_LEAST_PENDING);
  coord_instance_begin(made[0]);
  coord_instance_begin(made[0]);
  coord_instance_begin(made[1]);
  for (int n = 0; n < 5; n++) T_INT(pick(l, &turn, NULL), 2);
  coord_instance_begin(made[2]);
  coord_instance_begin(made[2]);
  T_INT(pick(l, &turn, NULL), 1);
  coord_instance_failed(made[1], 60000);
  T_TRUE(pick(l, &turn, NULL) != 1);
  coord_instance_done(made[0]);
  coord_instance_done(made[0]);
  T_INT(pick(l, &turn, NULL), 0);
  coord__lineup_free(l);
  unmake();
}

static void least_pending_keeps_many_even(void) {
  atomic_uint_fast64_t turn = 0;
  make(MANY, NULL);
  coord__lineup *l = line_up(COORD_PICK_LEAST_PENDING);
  for (int n = 0; n < MANY * 20; n++) coord_instance_begin(made[pick(l, &turn, NULL)]);
  for (int i = 0; i < MANY; i++) {
    int pending = atomic_load(&made[i]->tally->pending);
    if (pending < 14 || pending > 26) T_FAIL("%d at one of a hundred, of 20", pending);
  }
  coord__lineup_free(l);
  unmake();
}

static void map_keys(const coord__lineup *l, int *to) {
  for (int n = 0; n < KEYS; n++) {
    char key[20];
    snprintf(key, sizeof key, "user-%d", n);
    to[n] = pick(l, NULL, key);
  }
}

static void consistent_hash_moves_little(void) {
  static int before[KEYS], after[KEYS];
  int moved = 0, counts[MANY] = {0}, most = 0, least = KEYS;
  make(MANY, NULL);
  coord__lineup *l = line_up(COORD_PICK_CONSISTENT_HASH);
  map_keys(l, before);
  coord__lineup_free(l);
  for (int n = 0; n < KEYS; n++) counts[before[n]]++;
  for (int i = 0; i < MANY; i++) {
    if (counts[i] > most) most = counts[i];
    if (counts[i] < least) least = counts[i];
  }
  coord_instance *gone = made[--made_count];
  l = line_up(COORD_PICK_CONSISTENT_HASH);
  map_keys(l, after);
  coord__lineup_free(l);
  for (int n = 0; n < KEYS; n++) {
    if (before[n] == after[n]) continue;
    moved++;
    if (before[n] != MANY - 1) T_FAIL("key %d moved from %d to %d", n, before[n], after[n]);
  }
  T_INT(moved, counts[MANY - 1]);
  printf(
      "# consistent_hash: one of %d leaves or joins, %.2f %% of the keys move (1/n is %.2f %%); an "
      "instance has %.2f to %.2f of an even share\n",
      MANY, 100.0 * moved / KEYS, 100.0 / MANY, (double)least * MANY / KEYS,
      (double)most * MANY / KEYS);
  T_TRUE(moved < KEYS * 2 / MANY);
  T_TRUE(most < KEYS * 3 / 2 / MANY && least > KEYS / 2 / MANY);
  coord_instance_free(gone);
  unmake();
}

static void keys_of_one_that_failed_spread(void) {
  static int before[KEYS], after[KEYS];
  int counts[MANY] = {0};
  make(MANY, NULL);
  coord__lineup *l = line_up(COORD_PICK_CONSISTENT_HASH);
  map_keys(l, before);
  coord_instance_failed(made[7], 60000);
  map_keys(l, after);
  for (int n = 0; n < KEYS; n++) {
    if (before[n] != 7) {
      T_INT(after[n], before[n]);
    } else {
      counts[after[n]]++;
    }
  }
  T_INT(counts[7], 0);
  for (int i = 0; i < MANY; i++) T_TRUE(counts[i] < 50);
  coord__lineup_free(l);
  unmake();
}

/* On every machine, for processes on different ones must agree. */
static void hashes_are_fixed(void) {
  T_TRUE(coord__lineup_hash("a", 1) == UINT64_C(0x67762d1821ff3d07));
  T_TRUE(coord__lineup_hash("consistent", 10) == UINT64_C(0x3e99b49eea8f7105));
}

static void only_those_up_and_in_the_subset(void) {
  atomic_uint_fast64_t turn = 0;
  make(4, NULL);
  made[made_count++] = instance(4, 1, "draining", "eu");
  coord__lineup *l = coord__lineup_new(COORD_PICK_ROUND_ROBIN, made, made_count, "zone=eu");
  T_INT(l->count, 2);
  for (int n = 0; n < 10; n++) T_INT(pick(l, &turn, NULL) % 2, 0);
  coord__lineup_free(l);
  static const struct {
    const char *subset;
    size_t count;
  } cases[] = {{"", 4},      {"zone=us", 2}, {"zone=us,zone=us", 2}, {"zone=us,zone=eu", 0},
               {"zone=", 0}, {"zon=us", 0},  {"zone=u", 0},          {"zone=uss", 0}};
  for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
    l = coord__lineup_new(COORD_PICK_WEIGHTED, made, made_count, cases[n].subset);
    T_INT(l->count, cases[n].count);
    if (l->count == 0) T_INT(pick(l, &turn, NULL), -1);
    coord__lineup_free(l);
  }
  T_TRUE(coord__lineup_subset_ok(NULL) && coord__lineup_subset_ok("") &&
         coord__lineup_subset_ok("a=b") && coord__lineup_subset_ok("a=,b=c=d"));
  T_TRUE(!coord__lineup_subset_ok("a") && !coord__lineup_subset_ok("=a") &&
         !coord__lineup_subset_ok("a=b,") && !coord__lineup_subset_ok(",a=b") &&
         !coord__lineup_subset_ok("a=b,,c=d"));
  unmake();
}

/* ---- pickers ---- */

static void destroy_group(coord__group *g) { free(g); }

static coord__group *new_group(void) {
  coord__group *g = malloc(sizeof *g);
  T_FATAL(g != NULL);
  coord__group_init(g, NULL, destroy_group);
  return g;
}

static void set_roster(coord__group *g, size_t from, size_t to) {
  coord_instances *r = coord__roster_new(to - from);
  T_FATAL(r != NULL);
  for (size_t i = from; i < to; i++) r->all[r->count++] = coord__instance_retain(made[i]);
  r->version = g->version + 1;
  coord__group_set(g, r);
  g->version++;
}

static void pickers_follow_their_group(void) {
  coord_instance *i = NULL;
  make(4, NULL);
  coord__group *g = new_group();
  coord_picker *p = coord__picker_new(g, COORD_PICK_ROUND_ROBIN, "zone=us", NULL);
  T_CODE(coord__picker_pick(p, NULL, 0, &i), COORD_UNAVAILABLE);
  set_roster(g, 0, 1);
  T_CODE(coord__picker_pick(p, NULL, 0, &i), COORD_NOT_FOUND);
  set_roster(g, 0, 2);
  T_OK(coord__picker_pick(p, NULL, 0, &i), NULL);
  T_STR(coord_instance_id(i), "i001");
  set_roster(g, 2, 4);
  T_STR(coord_instance_id(i), "i001"); /* stays as long as it is held */
  coord_instance_free(i);
  T_OK(coord__picker_pick(p, NULL, 0, &i), NULL);
  T_STR(coord_instance_id(i), "i003");
  coord_instance_free(i);
  coord__group_release(g);
  coord__picker_free(p);
  unmake();
}

typedef struct crowd {
  coord_picker *picker;
  atomic_bool stop;
  atomic_long picks;
} crowd;

static void *run_picks(void *arg) {
  crowd *c = arg;
  long n = 0;
  while (!atomic_load(&c->stop)) {
    coord_instance *i = NULL;
    if (coord__picker_pick(c->picker, &n, sizeof n, &i) != COORD_OK) continue;
    if (strncmp(coord_instance_id(i), "i0", 2) != 0) T_FAIL("id %s", coord_instance_id(i));
    if (n % 16 == 0) coord_instance_failed(i, 1);
    coord_instance_free(i);
    n++;
  }
  atomic_fetch_add(&c->picks, n);
  return NULL;
}

/* The address and thread sanitizers watch. */
static void picks_while_all_changes(void) {
  for (int32_t policy = COORD_PICK_FIRST; policy <= COORD_PICK_CONSISTENT_HASH; policy++) {
    pthread_t threads[4];
    coord__group *g = new_group();
    crowd c = {.picker = coord__picker_new(g, policy, NULL, NULL)};
    make(20, NULL);
    set_roster(g, 0, made_count);
    unmake();
    for (int t = 0; t < 4; t++) pthread_create(&threads[t], NULL, run_picks, &c);
    for (int64_t until = t_now_ms() + 100; t_now_ms() < until;) {
      make(20, by_number);
      set_roster(g, (size_t)t_now_ms() % 10, made_count);
      unmake(); /* nobody but rosters, lineups and picks hold them now */
    }
    atomic_store(&c.stop, true);
    for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
    T_TRUE(atomic_load(&c.picks) > 100);
    coord__picker_free(c.picker);
    coord__group_release(g);
  }
}

T_MAIN(T_CASE(first_stays), T_CASE(round_robin_goes_around), T_CASE(failures_pass),
       T_CASE(random_is_even), T_CASE(weighted_is_smooth), T_CASE(weights_may_be_huge_or_none),
       T_CASE(least_pending_is_least), T_CASE(least_pending_keeps_many_even),
       T_CASE(consistent_hash_moves_little), T_CASE(keys_of_one_that_failed_spread),
       T_CASE(hashes_are_fixed), T_CASE(only_those_up_and_in_the_subset),
       T_CASE(pickers_follow_their_group), T_CASE(picks_while_all_changes))
