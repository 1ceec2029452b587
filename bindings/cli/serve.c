#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "process.h"
#include "progress.h"
#include "report.h"

/* One life of an instance. */
struct life {
  struct service *service;
  pid_t child; /* 0: none */
  int status;
  bool ended;
  bool lost;
  int stop;       /* the signal that asked to end; 0: none */
  double stop_at; /* when it is obeyed */
  bool stopped;   /* it is */
};

/* Says what the events say. */
static void take_events(struct life *life) {
  coord_queue *queue = life->service->hold.queue;
  for (coord_event *e; (e = coord_queue_next(queue, 0)) != NULL; coord_event_free(e)) {
    const coord_error *err = coord_event_error(e);
    int32_t type = coord_event_type(e);
    if (type == COORD_EVENT_RESULT && coord_event_code(e) != COORD_OK) {
      remark("It could not be marked as draining: %s", coord_error_message(err));
    }
    if (type == COORD_EVENT_AT_RISK) remark("%s", coord_error_message(err));
    if (type == COORD_EVENT_RESTORED) remark("It is registered, as before.");
    if (type == COORD_EVENT_LOST) {
      remark("Others do not see it any more (%s); it is going to be registered again.",
             coord_error_message(err));
    }
    if (type == COORD_EVENT_CLOSED && !life->lost) {
      call_error("register", coord_event_code(e), err);
      life->lost = true;
    }
  }
}

/* What comes of it is among the events. */
static void mark_as_draining(struct life *life) {
  struct service *service = life->service;
  coord_error *err = NULL;
  coord_op *op = coord_op_update_instance(service->registration, "{\"status\":\"draining\"}");
  coord_code code =
      op == NULL ? COORD_NO_MEMORY
                 : coord_submit(service->hold.session.client, op, service->hold.session.timeout_ms,
                                service->hold.queue, 0, NULL, &err);
  if (code != COORD_OK) call_error("register", code, err);
  coord_error_free(err);
  coord_op_free(op);
}

/* The first signal makes it drain, the next one ends that. */
static void stop(struct life *life, int signal) {
  int32_t drain_ms = life->service->drain_ms;
  if (life->stop == 0 && drain_ms > 0 && !life->lost) {
    life->stop_at = now_s() + (double)drain_ms / 1000;
    mark_as_draining(life);
    remark("Draining for %g s; another signal cuts that short.", (double)drain_ms / 1000);
  } else {
    life->stop_at = 0;
    life->stopped = false;
  }
  life->stop = signal;
}

static void take_signals(struct life *life) {
  bool from_terminal = false, left = false;
  for (int signal; (signal = hold_next_signal(&life->service->hold, &from_terminal)) != 0;) {
    /* One that the terminal sent has reached CMD as well, which decides what it means. */
    if (signal == SIGCHLD || (life->child > 0 && from_terminal)) continue;
    if (life->child > 0 && signal == SIGHUP) {
      kill(life->child, signal);
    } else {
      stop(life, signal);
    }
  }
  if (life->child > 0 && process_take_ends(life->child, &life->status, &left)) life->ended = true;
}

static int pause_ms(const struct life *life) {
  if (life->stop == 0 || life->stopped) return -1;
  double ms = (life->stop_at - now_s()) * 1000 + 1;
  return ms < 0 ? 0 : (int)ms;
}

static bool is_due(const struct life *life) {
  return life->stop != 0 && !life->stopped && now_s() >= life->stop_at;
}

/* Waits for what comes, and takes it; `input`: or for the end of standard input. */
static void take(struct life *life, int input) {
  struct hold *hold = &life->service->hold;
  struct pollfd fds[3] = {{.fd = hold->signals, .events = POLLIN},
                          {.fd = coord_queue_fd(hold->queue), .events = POLLIN},
                          {.fd = life->stop == 0 ? input : -1, .events = POLLIN}};
  if (poll(fds, 3, pause_ms(life)) < 0) return;
  take_events(life);
  take_signals(life);
  if (fds[2].revents != 0 && life->stop == 0 && hold_input_ended()) stop(life, SIGTERM);
}

int serve_command(struct service *service, char *const *argv) {
  struct life life = {.service = service, .child = hold_start(&service->hold, argv)};
  bool told = false;
  if (life.child < 0) return CLI_OTHER;
  while (!life.ended) {
    take(&life, -1);
    if (life.ended) break;
    if (is_due(&life)) {
      life.stopped = true;
      kill(life.child, life.stop);
    } else if (life.lost && !told) {
      told = true;
      kill(life.child, SIGTERM);
    }
  }
  return life.lost ? CLI_LOST : process_exit_code(life.status);
}

int serve_until_stopped(struct service *service) {
  struct life life = {.service = service};
  int input = hold_input_can_end() ? STDIN_FILENO : -1;
  while (!life.lost && !is_due(&life)) take(&life, input);
  return life.lost ? CLI_LOST : CLI_FINE;
}

void serve_deregister(struct service *service) {
  coord_error *err = NULL;
  coord_op *op = coord_op_deregister(service->registration);
  coord_code code = op == NULL ? COORD_NO_MEMORY
                               : coord_call(service->hold.session.client, op,
                                            service->hold.session.timeout_ms, NULL, &err);
  if (code != COORD_OK) {
    remark("It could not be taken out (%s: %s); it is gone when its time (--ttl) has passed.",
           coord_code_name(code), coord_error_message(err));
  }
  coord_error_free(err);
  coord_op_free(op);
}
