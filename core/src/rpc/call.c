/* A unary call: tries, deadline, what may be repeated. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "rpc/rpc.h"

static coord__channel *channel_of(const coord__call *call) {
  return &call->rpc->channels[COORD__LANE_CALLS];
}

/* The one timer of a call is for its deadline, or for the end of a pause before it. */
static void set_timer(coord__call *call) {
  int64_t at = call->resume_ns;
  if (call->deadline_ns != 0 && (at == 0 || call->deadline_ns < at)) at = call->deadline_ns;
  if (at != 0) {
    coord__timer_set(call->rpc->loop, &call->timer, at);
  } else {
    coord__timer_stop(call->rpc->loop, &call->timer);
  }
}

static void leave(coord__call *call) {
  coord__list_remove(&call->link);
  coord__timer_stop(call->rpc->loop, &call->timer);
  call->carrier = NULL;
}

static void finish(coord__call *call, coord_code code) {
  call->code = code;
  leave(call);
  if (call->method->secret) coord__buf_wipe(&call->request);
  coord__buf_free(&call->request);
  call->done(call);
}

/* " of \"key\"", when the server says that this must not be. */
static void describe(const coord__call *call, coord_code code, char out[256]) {
  out[0] = '\0';
  if (code != COORD_AUTH || call->rpc->config.describe == NULL) return;
  call->rpc->config.describe(call->method, call->request.data + COORD__FRAME_HEADROOM,
                             call->request.len - COORD__FRAME_HEADROOM, out, 256);
}

/* The deadline has passed, by whichever clock: a token that the server does not know may be why. */
static void doubt_login(const coord__call *call) {
  coord__identity *identity = call->rpc->config.identity;
  if (identity != NULL && call->carrier != NULL) identity->unanswered(identity, call->login);
}

/* Fill in the error and finish. `outcome` is what the server has said, NULL for nothing. */
static void fail(coord__call *call, coord_code code, uint32_t flags, const char *why,
                 const coord__outcome *outcome) {
  char about[256] = "";
  if (outcome != NULL) describe(call, code, about);
  if (code == COORD_TIMEOUT) doubt_login(call);
  coord__fail(&call->error, code, "%s%s: %s", call->method->name, about, why);
  if (call->error != NULL) {
    call->error->flags = flags;
    if ((call->sent || call->maybe_applied) && !call->read_only) {
      call->error->flags |= COORD_MAYBE_APPLIED;
    }
    if (outcome != NULL) {
      call->error->grpc_status = outcome->grpc_status;
      call->error->http_status = outcome->http_status;
    }
    coord__error_set_endpoint(call->error, call->endpoint);
  }
  finish(call, code);
}

void coord__call_end(coord__call *call, coord_code code, const char *why) {
  if (call->carrier != NULL) call->carrier->wire->ops->cancel(&call->attempt);
  fail(call, code, code == COORD_TIMEOUT || code == COORD_UNAVAILABLE ? COORD_RETRIABLE : 0, why,
       NULL);
}

static void on_deadline(coord__call *call) {
  const coord__channel *ch = channel_of(call);
  if (call->held) {
    char why[400];
    snprintf(why, sizeof why, "the deadline passed while it waited for %s",
             call->rpc->config.identity->why);
    coord__call_end(call, COORD_TIMEOUT, why);
    return;
  }
  bool reached = call->carrier != NULL || coord__channel_is_ready(ch);
  if (reached || ch->last_why[0] == '\0') {
    coord__call_end(call, COORD_TIMEOUT, "the deadline passed before the answer came");
    return;
  }
  char why[400];
  snprintf(why, sizeof why, "no endpoint could be reached before the deadline; last: %s",
           ch->last_why);
  bool is_plain =
      ch->last_code == COORD_TLS || ch->last_code == COORD_AUTH || ch->last_code == COORD_NO_MEMORY;
  coord__call_end(call, is_plain ? ch->last_code : COORD_UNAVAILABLE, why);
}

/* ---- once more ---- */

/* Wait for a link, as those do that are new. */
static void wait(coord__call *call) {
  coord__channel *ch = channel_of(call);
  coord__list_append(&ch->waiting, &call->link);
  coord__channel_pump(ch);
}

static void on_timer(coord__timer *timer) {
  coord__call *call = COORD__CONTAINER(timer, coord__call, timer);
  if (call->resume_ns == 0 || (call->deadline_ns != 0 && call->deadline_ns <= call->resume_ns)) {
    on_deadline(call);
    return;
  }
  call->resume_ns = 0;
  coord__list_remove(&call->link);
  set_timer(call);
  wait(call);
}

/* Another endpoint is asked at once, each of them; then comes a pause, longer each time. */
static int64_t next_pause_ns(const coord__call *call) {
  const coord__rpc *rpc = call->rpc;
  const coord__retry *retry = &rpc->config.retry;
  if (call->carrier->retiring) return 0; /* connecting takes its own pauses */
  bool others = coord__channel_has_other(channel_of(call), call->endpoint);
  if (others && (size_t)call->tries + 1 < rpc->target_count) return 0;
  double ns = (double)retry->initial_delay_ns;
  for (int i = 0; i < call->pauses && ns < (double)retry->max_delay_ns; i++) {
    ns = ns * retry->multiplier_percent / 100;
  }
  if (ns > (double)retry->max_delay_ns) ns = (double)retry->max_delay_ns;
  int64_t spread = (int64_t)(ns * 2 * retry->jitter_percent / 100);
  int64_t shift = spread > 0 ? (int64_t)(coord__random() % (uint64_t)spread) - spread / 2 : 0;
  return (int64_t)ns + shift;
}

/* Whether there is a further try, and then *pause_ns before it. */
static bool may_retry(const coord__call *call, int64_t *pause_ns) {
  if (call->rpc->closed || call->tries + 1 >= call->rpc->config.retry.max_attempts) return false;
  *pause_ns = next_pause_ns(call);
  return call->deadline_ns == 0 || coord__clock_ns() + *pause_ns < call->deadline_ns;
}

static void retry(coord__call *call, int64_t pause_ns) {
  coord__list_remove(&call->link);
  call->carrier = NULL;
  call->maybe_applied |= call->sent;
  call->sent = false;
  call->tries++;
  atomic_fetch_add(&call->rpc->counters.retries, 1);
  if (pause_ns == 0) {
    wait(call);
    return;
  }
  call->pauses++;
  call->resume_ns = coord__clock_ns() + pause_ns;
  coord__list_append(&channel_of(call)->pausing, &call->link);
  set_timer(call);
}

bool coord__call_may_move(const coord__call *call) {
  return call->repeatable && call->tries + 1 < call->rpc->config.retry.max_attempts;
}

void coord__call_move(coord__call *call) {
  call->carrier->wire->ops->cancel(&call->attempt);
  retry(call, 0);
}

/* ---- the identity ---- */

static void hold(coord__call *call) {
  call->held = true;
  coord__list_append(&call->rpc->held_calls, &call->link);
}

/* Whether the token was at fault; then the call waits for another. */
static bool hold_refused(coord__call *call, const char *message) {
  coord__identity *identity = call->rpc->config.identity;
  if (identity == NULL || call->rpc->closed || call->refusals == COORD__REFUSALS_MAX) return false;
  if (!identity->refused(identity, call->login, message)) return false;
  coord__list_remove(&call->link);
  call->carrier = NULL;
  call->sent = false;
  call->refusals++;
  hold(call);
  atomic_fetch_add(&call->rpc->counters.retries, 1);
  return true;
}

void coord__call_refuse(coord__call *call, coord_code code, const coord_error *failure) {
  fail(call, code, coord_error_flags(failure),
       failure != NULL ? coord_error_message(failure) : "memory is exhausted", NULL);
}

/* ---- tries ---- */

static void answered(coord__call *call, const coord__outcome *outcome, coord__buf *body) {
  coord__path *path = call->carrier->path;
  call->carrier->has_served = true;
  if (outcome->grpc_status == 0) {
    if (path != NULL && path->target->ejected) coord__target_served(path->target);
    call->response = *body;
    *body = (coord__buf){0};
    finish(call, COORD_OK);
    return;
  }
  if (hold_refused(call, outcome->message)) return;
  uint32_t flags = 0;
  coord_code code =
      call->rpc->config.classify(outcome->grpc_status, outcome->message, call->read_only, &flags);
  bool safe = call->repeatable || !(flags & COORD_MAYBE_APPLIED);
  bool cannot_serve = code == COORD_UNAVAILABLE && (flags & COORD_RETRIABLE);
  int64_t pause_ns = 0;
  if (cannot_serve && path != NULL) coord__target_eject(path->target, code, outcome->message);
  if (cannot_serve && safe && may_retry(call, &pause_ns)) {
    if (!(flags & COORD_MAYBE_APPLIED)) call->sent = false;
    retry(call, pause_ns);
    return;
  }
  /* The server has answered: whether it may have been applied is in its answer. */
  call->sent = false;
  fail(call, code, flags, outcome->message, outcome);
}

static void on_done(coord__attempt *attempt, const coord__outcome *outcome, coord__buf *body) {
  coord__call *call = COORD__CONTAINER(attempt, coord__call, attempt);
  if (outcome->code == COORD_OK) {
    answered(call, outcome, body);
    return;
  }
  coord__carrier *carrier = call->carrier;
  if (outcome->unprocessed) {
    call->sent = false;
    if (carrier->path != NULL) {
      coord__target_eject(carrier->path->target, outcome->code, outcome->message);
    }
  }
  bool safe = call->repeatable || outcome->unprocessed;
  int64_t pause_ns = 0;
  if (outcome->code == COORD_UNAVAILABLE && safe && may_retry(call, &pause_ns)) {
    retry(call, pause_ns);
    return;
  }
  bool retriable = outcome->code == COORD_UNAVAILABLE || outcome->code == COORD_TIMEOUT;
  fail(call, outcome->code, retriable ? COORD_RETRIABLE : 0, outcome->message, outcome);
}

bool coord__call_try(coord__call *call, coord__carrier *carrier) {
  coord__identity *identity = call->rpc->config.identity;
  const char *token = NULL;
  if (identity != NULL && !identity->ready(identity, call->method, &token, &call->login)) {
    hold(call);
    return true;
  }
  call->held = false;
  call->attempt = (coord__attempt){.method = call->method,
                                   .frame = call->request.data,
                                   .frame_len = call->request.len,
                                   .deadline_ns = call->deadline_ns,
                                   .token = token,
                                   .needs_leader = call->needs_leader,
                                   .done = on_done};
  if (!carrier->wire->ops->call(carrier->wire, &call->attempt)) return false;
  call->carrier = carrier;
  call->endpoint = carrier->endpoint->name;
  call->sent = true;
  call->sent_ns = coord__loop_now_ns(call->rpc->loop);
  coord__list_append(&carrier->calls, &call->link);
  coord__channel_expect(carrier);
  return true;
}

void coord__call_start(coord__rpc *rpc, coord__call *call) {
  call->rpc = rpc;
  call->timer = (coord__timer){.fire = on_timer};
  call->carrier = NULL;
  call->sent = call->maybe_applied = call->held = false;
  call->refusals = call->tries = call->pauses = 0;
  call->resume_ns = 0;
  call->error = NULL;
  call->endpoint = NULL;
  call->response = (coord__buf){0};
  if (rpc->closed) {
    coord__fail(&call->error, COORD_CLOSED, "%s: the client was closed", call->method->name);
    finish(call, COORD_CLOSED);
    return;
  }
  if (call->deadline_ns != 0) coord__timer_set(rpc->loop, &call->timer, call->deadline_ns);
  wait(call);
}
