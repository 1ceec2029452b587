/* A stream of a client for tests: driven from the thread of the case, observed from there. */
#ifndef COORD_TEST_DUPLEX_H
#define COORD_TEST_DUPLEX_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "etcd/client.h"
#include "etcd/waiter.h"
#include "support/t.h"

typedef struct duplex duplex;
struct duplex {
  coord__stream stream;
  coord_client *client;
  const coord__method *method;
  /* What the callbacks do, set before the stream is opened. */
  bool pause_on_open;
  bool pause_on_message; /* after each one */
  size_t end_after;      /* the stream is ended from within this message; 0: it is not */
  void (*on_message)(duplex *d, const uint8_t *p, size_t n);
  void *user;
  /* What was seen. */
  atomic_bool opened;
  atomic_bool closed;
  atomic_size_t messages;
  atomic_size_t bytes;
  coord_code code; /* once closed */
  coord_error *err;
};

/* ---- on the I/O thread ---- */

typedef struct duplex_errand {
  coord__job job;
  coord__waiter waiter;
  void (*run)(void *arg);
  void *arg;
} duplex_errand;

static inline void duplex_run_errand(coord__job *job) {
  duplex_errand *e = COORD__CONTAINER(job, duplex_errand, job);
  e->run(e->arg);
  coord__waiter_signal(&e->waiter);
}

/* Runs a function on the I/O thread and waits for it. */
static inline void duplex_on_loop(coord_client *client, void (*run)(void *arg), void *arg) {
  duplex_errand e = {.job.run = duplex_run_errand, .run = run, .arg = arg};
  coord__waiter_init(&e.waiter, client->loop, 1);
  coord__loop_post(client->loop, &e.job);
  coord__waiter_wait(&e.waiter);
}

static inline duplex *duplex_of(coord__stream *stream) {
  return COORD__CONTAINER(stream, duplex, stream);
}

static inline void duplex_opened(coord__stream *stream) {
  duplex *d = duplex_of(stream);
  if (d->pause_on_open) coord__stream_pause(stream, true);
  atomic_store(&d->opened, true);
}

static inline void duplex_message(coord__stream *stream, const uint8_t *p, size_t n) {
  duplex *d = duplex_of(stream);
  atomic_fetch_add(&d->bytes, n);
  size_t count = atomic_fetch_add(&d->messages, 1) + 1;
  if (d->on_message != NULL) d->on_message(d, p, n);
  if (d->pause_on_message) coord__stream_pause(stream, true);
  if (count == d->end_after) coord__stream_end(stream);
}

static inline void duplex_closed(coord__stream *stream, coord_code code, coord_error *err) {
  duplex *d = duplex_of(stream);
  d->code = code;
  d->err = err;
  if (atomic_exchange(&d->closed, true)) T_FAIL("a stream was closed twice");
}

/* ---- from the case ---- */

static inline void duplex_do_open(void *arg) {
  duplex *d = arg;
  coord__stream_open(&d->client->rpc, &d->stream, d->method);
}

static inline void duplex_open(duplex *d, coord_client *client, const coord__method *method) {
  d->client = client;
  d->method = method;
  d->stream = (coord__stream){.lane = COORD__LANE_WATCHES,
                              .opened = duplex_opened,
                              .message = duplex_message,
                              .closed = duplex_closed};
  duplex_on_loop(client, duplex_do_open, d);
}

static inline bool duplex_is_open(void *d) { return atomic_load(&((duplex *)d)->opened); }

static inline bool duplex_is_closed(void *d) { return atomic_load(&((duplex *)d)->closed); }

static inline void duplex_do_end(void *arg) { coord__stream_end(&((duplex *)arg)->stream); }

static inline void duplex_end(duplex *d) { duplex_on_loop(d->client, duplex_do_end, d); }

static inline void duplex_do_resume(void *arg) {
  coord__stream_pause(&((duplex *)arg)->stream, false);
}

static inline void duplex_resume(duplex *d) { duplex_on_loop(d->client, duplex_do_resume, d); }

static inline void duplex_do_pause(void *arg) {
  coord__stream_pause(&((duplex *)arg)->stream, true);
}

static inline void duplex_pause(duplex *d) { duplex_on_loop(d->client, duplex_do_pause, d); }

typedef struct duplex_frame {
  duplex *d;
  const void *p;
  size_t n;
  bool last;
} duplex_frame;

static inline void duplex_do_send(void *arg) {
  duplex_frame *f = arg;
  uint8_t *frame = malloc(COORD__FRAME_HEADROOM + f->n);
  if (frame == NULL) abort();
  if (f->n > 0) memcpy(frame + COORD__FRAME_HEADROOM, f->p, f->n);
  T_TRUE(coord__stream_send(&f->d->stream, frame, COORD__FRAME_HEADROOM + f->n, f->last));
  free(frame);
}

static inline void duplex_send(duplex *d, const void *p, size_t n, bool last) {
  duplex_frame f = {d, p, n, last};
  duplex_on_loop(d->client, duplex_do_send, &f);
}

/* Waits for the end and checks it; frees the error. */
static inline void duplex_expect_closed(duplex *d, coord_code code, const char *part) {
  if (!T_TRUE(t_wait_until(duplex_is_closed, d, 10000))) return;
  T_CODE(d->code, code);
  T_CODE(coord_error_code(d->err), code);
  if (code != COORD_OK) T_HAS(coord_error_message(d->err), part);
  coord_error_free(d->err);
  d->err = NULL;
}

#endif
