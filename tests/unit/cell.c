/* Cells: what is looked at stays, what is replaced is dropped, and a fork in between harms nobody. */
#include "base/cell.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "support/t.h"

enum { THREADS = 4, ROUNDS = 20000, FORKS = 200 };

typedef struct thing {
  coord__shared shared;
  uint64_t number;
  uint64_t again; /* the same, while it lives */
} thing;

static atomic_long alive;
static coord__cell cell;

static void drop(coord__shared *shared) {
  thing *t = COORD__CONTAINER(shared, thing, shared);
  t->again = ~t->number;
  atomic_fetch_sub(&alive, 1);
  free(t);
}

static coord__shared *make(uint64_t number) {
  thing *t = calloc(1, sizeof *t);
  t->shared.drop = drop;
  t->number = t->again = number;
  atomic_fetch_add(&alive, 1);
  return &t->shared;
}

static void what_is_looked_at_stays(void) {
  uint32_t look, other;
  T_TRUE(coord__cell_enter(&cell, &look) == NULL);
  coord__cell_set(&cell, make(1));
  coord__shared *s = coord__cell_enter(&cell, &look);
  T_FATAL(s != NULL);
  coord__cell_set(&cell, make(2));
  T_INT(atomic_load(&alive), 2);
  T_INT(COORD__CONTAINER(s, thing, shared)->again, 1);
  T_TRUE(coord__cell_enter(&cell, &other) != s);
  coord__cell_leave(other);
  coord__cell_leave(look);
  coord__cell_set(&cell, NULL);
  T_INT(atomic_load(&alive), 0);
}

static void *replace(void *arg) {
  atomic_bool *over = arg;
  for (uint64_t i = 0; over != NULL ? !atomic_load(over) : i < ROUNDS; i++) {
    coord__cell_set(&cell, i % 64 == 63 ? NULL : make(i));
  }
  return NULL;
}

static void *look(void *arg) {
  long *wrong = arg;
  for (int i = 0; i < ROUNDS; i++) {
    uint32_t at;
    coord__shared *s = coord__cell_enter(&cell, &at);
    if (s == NULL) continue;
    const thing *t = COORD__CONTAINER(s, thing, shared);
    if (t->number != t->again) ++*wrong;
    coord__cell_leave(at);
  }
  return NULL;
}

static void many_look_while_many_replace(void) {
  pthread_t setters[THREADS], readers[THREADS];
  long wrong[THREADS] = {0};
  for (int i = 0; i < THREADS; i++) {
    T_FATAL(pthread_create(&setters[i], NULL, replace, NULL) == 0);
    T_FATAL(pthread_create(&readers[i], NULL, look, &wrong[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(setters[i], NULL);
    pthread_join(readers[i], NULL);
    T_INT(wrong[i], 0);
  }
  coord__cell_set(&cell, NULL);
  coord__cell_set(&cell, NULL);
  T_INT(atomic_load(&alive), 0);
}

/* Whatever another thread was doing to a cell at that moment: the child goes on. */
static void a_forked_child_can_set_one(void) {
  atomic_bool over = false;
  pthread_t setter;
  T_FATAL(pthread_create(&setter, NULL, replace, &over) == 0);
  int hung = 0;
  for (int i = 0; i < FORKS && hung == 0; i++) {
    pid_t pid = fork();
    T_FATAL(pid >= 0);
    if (pid == 0) {
      static coord__cell own;
      alarm(10 * T_SLOW);
      coord__cell_set(&own, make(1));
      coord__cell_set(&own, NULL);
      _exit(0);
    }
    int status = 0;
    T_TRUE(waitpid(pid, &status, 0) == pid);
    hung = status;
  }
  T_INT(hung, 0);
  atomic_store(&over, true);
  pthread_join(setter, NULL);
  coord__cell_set(&cell, NULL);
}

T_MAIN(T_CASE(what_is_looked_at_stays), T_CASE(many_look_while_many_replace),
       T_CASE(a_forked_child_can_set_one))
