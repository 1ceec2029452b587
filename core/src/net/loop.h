/*
 * The I/O engine: one thread for the process, with epoll, timers and jobs from other threads.
 *
 * It starts with the first acquire and ends by itself after the last release. Everything marked
 * "I/O thread" may be called only from callbacks of the loop.
 */
#ifndef COORD_NET_LOOP_H
#define COORD_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "coord/base.h"

typedef struct coord__loop coord__loop;

/* Work for the I/O thread, embedded in what it is about; not to be touched until it has run. */
typedef struct coord__job {
  struct coord__job *next;
  void (*run)(struct coord__job *job);
} coord__job;

/* A descriptor to watch. */
typedef struct coord__io {
  int fd;
  uint32_t events; /* EPOLLIN, EPOLLOUT; 0 when not watched */
  void (*ready)(struct coord__io *io, uint32_t events);
} coord__io;

/* Something to do at a time. All zero but `fire` is a timer that is not set. */
typedef struct coord__timer {
  coord__heap_node node;
  void (*fire)(struct coord__timer *timer);
} coord__timer;

/* Something to do once more before the loop sleeps. */
typedef struct coord__idle {
  coord__list link;
  void (*run)(struct coord__idle *idle);
} coord__idle;

/* Any thread; the thread is started when there is none. COORD_EXHAUSTED, COORD_NO_MEMORY. */
coord_code coord__loop_acquire(coord__loop **out, coord_error **err);
coord__loop *coord__loop_retain(coord__loop *loop);
/* Hold the engine that runs, if somebody has acquired it; else NULL. */
coord__loop *coord__loop_borrow(void);
/* Any thread, the I/O thread too; never blocks. */
void coord__loop_release(coord__loop *loop);
/* Once for each acquire: the program has let go, and what is left of it ends by itself. An exit of
 * the program waits for that. */
void coord__loop_leave(coord__loop *loop);

/* Any thread that holds the loop; the job may be what lets go of it. Jobs of one thread run in
 * order. */
void coord__loop_post(coord__loop *loop, coord__job *job);
/* The same without waking the I/O thread; coord__loop_kick must follow, after one or many, and the
 * loop be held until that returns. It runs them on the calling thread when the I/O thread sleeps: a
 * thread that is about to wait anyway saves the way over another one. */
void coord__loop_push(coord__loop *loop, coord__job *job);
void coord__loop_kick(coord__loop *loop);

/* A thread that waits does the I/O meanwhile: take the I/O thread's place, if that is free, until
 * over(arg), which is asked after each round; until the time (monotonic); or until the program lets go
 * of the engine. False at once if it is not free. Whoever makes `over` true from elsewhere nudges. The
 * loop is held by the caller. Jobs pushed before are run. */
bool coord__loop_lead(coord__loop *loop, int64_t until_ns, bool (*over)(void *arg), void *arg);
/* Whether leading is worth a try. */
bool coord__loop_is_free(const coord__loop *loop);
/* Wake whoever sleeps in the loop. Any thread that holds it. */
void coord__loop_nudge(coord__loop *loop);

/* I/O thread, all below; or whoever stands in for it, one at a time. */

/* Time at the start of this round, monotonic. */
int64_t coord__loop_now_ns(const coord__loop *loop);
/* Watch io->fd for `events` instead of what was watched before; 0 stops. False: out of memory or
 * descriptors. */
bool coord__io_set(coord__loop *loop, coord__io *io, uint32_t events);
/* Set, or set anew. */
void coord__timer_set(coord__loop *loop, coord__timer *timer, int64_t at_ns);
void coord__timer_stop(coord__loop *loop, coord__timer *timer);
/* The same at a time of coord__clock_boot_ns, and once that has come before anything is received or
 * sent: whoever was stopped for long learns it before what else has happened. A timer is set in one of
 * the two ways. */
void coord__alarm_set(coord__loop *loop, coord__timer *timer, int64_t at_boot_ns);
void coord__alarm_stop(coord__loop *loop, coord__timer *timer);
/* Run before the loop sleeps, once; asking again before that does nothing. */
void coord__loop_defer(coord__loop *loop, coord__idle *idle);
/* The same, before all that is deferred so far: for what somebody waits for. */
void coord__loop_defer_first(coord__loop *loop, coord__idle *idle);
void coord__idle_cancel(coord__idle *idle);
/* Memory for one read from a socket, free for use until the callback returns. */
uint8_t *coord__loop_scratch(coord__loop *loop, size_t *size);

/* A slot for what is shared by all connections (the dialer); `destroy` runs when the loop ends. */
void *coord__loop_get_shared(coord__loop *loop);
void coord__loop_set_shared(coord__loop *loop, void *shared, void (*destroy)(void *shared));

/* A descriptor that a forked child has to close. Any thread that the loop's rounds exclude. */
typedef struct coord__fd_entry {
  coord__list link;
  int fd;
} coord__fd_entry;
void coord__loop_own_fd(coord__loop *loop, coord__fd_entry *entry, int fd);
void coord__loop_disown_fd(coord__fd_entry *entry);

#endif
