/*
 * What waits for a call or an event lets Perl's signal handlers run at once; by die they end the wait, and the call is cancelled.
 * Part of the file that SWIG writes.
 */
#ifndef COORD_PERL_WAIT_H
#define COORD_PERL_WAIT_H

#include <poll.h>
#include <signal.h>
#include <time.h>

#include "convert.h"

static double coord_perl_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until the descriptor is readable, a signal comes, or the time is up; < 0: none. May die, in a handler. */
static void coord_perl_sleep(int fd, double seconds) {
  dTHX;
  sigset_t all, before;
  struct pollfd one = {.fd = fd, .events = POLLIN};
  struct timespec time = {0, 0};
  if (seconds >= 0) {
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
  }
  /* A signal that comes between the look and the sleep ends the sleep. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (!PL_sig_pending) ppoll(&one, 1, seconds < 0 ? NULL : &time, &before);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  PERL_ASYNC_CHECK();
}

typedef struct coord_perl_job {
  SV *client; /* what the caller's reference refers to */
  coord_queue *queue;
  coord_op *op; /* to be freed, or NULL */
  uint64_t id;
} coord_perl_job;

/* However the wait ends. A handler may have freed the client, which has ended the call. */
static void coord_perl_end(pTHX_ void *arg) {
  coord_perl_job *job = arg;
  coord_client *client = job->client != NULL ? INT2PTR(coord_client *, SvIVX(job->client)) : NULL;
  if (client != NULL && job->id != 0) coord_cancel(client, job->id);
  coord_queue_free(job->queue);
  coord_op_free(job->op);
  SvREFCNT_dec(job->client);
  Safefree(job);
}

static coord_result *coord_perl_execute(SV *client, const coord_op *op, coord_op *own,
                                        int32_t timeout_ms) {
  dTHX;
  coord_error *error = NULL;
  coord_event *event = NULL;
  coord_client *c = SvROK(client) ? INT2PTR(coord_client *, SvIVX(SvRV(client))) : NULL;
  coord_perl_job *job;
  Newxz(job, 1, coord_perl_job);
  ENTER;
  SAVEDESTRUCTOR_X(coord_perl_end, job);
  job->op = own;
  if (c != NULL) job->client = SvREFCNT_inc(SvRV(client));
  coord_code code = coord_queue_open(&job->queue, &error);
  if (code == COORD_OK) code = coord_submit(c, op, timeout_ms, job->queue, 0, &job->id, &error);
  if (code != COORD_OK) coord_perl_fail(code, error);
  while ((event = coord_queue_next(job->queue, 0)) == NULL) {
    coord_perl_sleep(coord_queue_fd(job->queue), -1);
  }
  job->id = 0;
  LEAVE;
  code = coord_event_code(event);
  SV *raised = code != COORD_OK ? coord_perl_to_error(code, coord_event_error(event)) : NULL;
  coord_result *result = coord_event_take_result(event);
  coord_event_free(event);
  if (raised != NULL) croak_sv(raised);
  return result;
}

static coord_result *coord_perl_call(SV *client, const coord_op *op, int32_t timeout_ms) {
  return coord_perl_execute(client, op, NULL, timeout_ms);
}

/* Frees the op, whatever comes. */
static coord_result *coord_perl_run(SV *client, coord_op *op) {
  if (op == NULL) coord_perl_fail(COORD_NO_MEMORY, NULL);
  return coord_perl_execute(client, op, op, 0);
}

static coord_event *coord_perl_next(SV *given, int32_t timeout_ms) {
  dTHX;
  SV *queue = sv_mortalcopy(given); /* a handler may let go of it, or free it */
  double ends = timeout_ms < 0 ? 0 : coord_perl_now() + timeout_ms / 1000.0;
  for (;;) {
    coord_queue *q = coord_perl_to_handle(queue, "coord_queue", "queue_next", "queue");
    int fd = coord_queue_fd(q);
    if (fd < 0) coord_perl_fail(q == NULL ? COORD_INVALID : COORD_FORKED, NULL);
    coord_event *event = coord_queue_next(q, 0);
    double left = ends - coord_perl_now();
    if (event != NULL || (timeout_ms >= 0 && left <= 0)) return event;
    coord_perl_sleep(fd, timeout_ms < 0 ? -1 : left);
  }
}

/* event_error(event): why it failed, is at risk or lost, as a Coord::Error; undef when all is well. */
XS_INTERNAL(coord_perl_event_error) {
  dXSARGS;
  if (items != 1) croak("Usage: event_error(event)");
  const coord_event *event = coord_perl_to_handle(ST(0), "coord_event", "event_error", "event");
  coord_code code = coord_event_code(event);
  ST(0) = code != COORD_OK ? coord_perl_to_error(code, coord_event_error(event)) : &PL_sv_undef;
  XSRETURN(1);
}

#endif
