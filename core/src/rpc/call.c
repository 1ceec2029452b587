/* A unary call: tries, deadline, what may be repeated. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "rpc/rpc.h"

enum { RETRY_PAUSE_MS = 50 };

static coord__channel *channel_of(coord__call *call) {
  return &call->rpc->channels[COORD__LANE_CALLS];
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

/* Fill in the error and finish. `outcome` is what the server has said, NULL for nothing. */
static void fail(coord__call *call, coord_code code, uint32_t flags, const char *why,
                 const coord__outcome *outcome) {
  char about[256] = "";
  if (outcome != NULL) describe(call, code, about);
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

static void on_deadline(coord__timer *timer) {
  coord__call *call = COORD__CONTAINER(timer, coord__call, timer);
  coord__channel *ch = channel_of(call);
  if (call->held) {
    char why[400];
    snprintf(why, sizeof why, "the deadline passed while it waited for %s",
             call->rpc->config.identity->why);
    coord__call_end(call, COORD_TIMEOUT, why);
    return;
  }
  coord__identity *identity = call->rpc->config.identity;
  if (identity != NULL && call->carrier != NULL) identity->unanswered(identity, call->login);
  bool reached = call->carrier != NULL || (ch->carrier != NULL && ch->carrier->is_ready);
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

/* Enough for the longest pause. */
static bool has_time(const coord__call *call) {
  return call->deadline_ns == 0 ||
         coord__clock_ns() + RETRY_PAUSE_MS * 3 / 2 * COORD__NS_PER_MS < call->deadline_ns;
}

/* Wait for a link once more. `elsewhere`: another server may do better, if there is one. After a
 * pause, unless the link is one that takes nothing new: then there is a new one to wait for. */
static void try_again(coord__call *call, bool elsewhere) {
  coord__channel *ch = channel_of(call);
  coord__carrier *carrier = call->carrier;
  bool pause = !carrier->retiring;
  coord__list_remove(&call->link);
  call->carrier = NULL;
  call->maybe_applied |= call->sent;
  call->sent = false;
  atomic_fetch_add(&call->rpc->counters.retries, 1);
  if (elsewhere) coord__channel_avoid(carrier);
  if (pause) {
    coord__list_append(&ch->delayed, &call->link);
    if (!ch->again.node.is_in) {
      coord__timer_set(call->rpc->loop, &ch->again,
                       coord__clock_ns() + coord__jitter(RETRY_PAUSE_MS * COORD__NS_PER_MS));
    }
    return;
  }
  coord__list_append(&ch->waiting, &call->link);
  coord__channel_wake(ch);
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
  coord__carrier *carrier = call->carrier;
  coord__list_remove(&call->link);
  call->carrier = NULL;
  call->sent = false;
  hold(call);
  atomic_fetch_add(&call->rpc->counters.retries, 1);
  if (++call->refusals % COORD__REFUSALS_TO_AVOID == 0) coord__channel_avoid(carrier);
  return true;
}

void coord__call_refuse(coord__call *call, coord_code code, const coord_error *failure) {
  fail(call, code, coord_error_flags(failure),
       failure != NULL ? coord_error_message(failure) : "memory is exhausted", NULL);
}

/* ---- tries ---- */

static void answered(coord__call *call, const coord__outcome *outcome, coord__buf *body) {
  call->carrier->has_served = true;
  if (outcome->grpc_status == 0) {
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
  if (code == COORD_UNAVAILABLE && (flags & COORD_RETRIABLE) && safe && has_time(call)) {
    if (!(flags & COORD_MAYBE_APPLIED)) call->sent = false;
    try_again(call, true);
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
  if (outcome->unprocessed) call->sent = false;
  bool safe = call->repeatable || outcome->unprocessed;
  if (outcome->code == COORD_UNAVAILABLE && safe && !call->rpc->closed && has_time(call)) {
    try_again(call, outcome->unprocessed);
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
                                   .done = on_done};
  if (!carrier->wire->ops->call(carrier->wire, &call->attempt)) return false;
  call->carrier = carrier;
  call->endpoint = carrier->endpoint->name;
  call->sent = true;
  coord__list_append(&carrier->calls, &call->link);
  return true;
}

void coord__call_start(coord__rpc *rpc, coord__call *call) {
  call->rpc = rpc;
  call->timer = (coord__timer){.fire = on_deadline};
  call->carrier = NULL;
  call->sent = call->maybe_applied = call->held = false;
  call->refusals = 0;
  call->error = NULL;
  call->endpoint = NULL;
  call->response = (coord__buf){0};
  coord__channel *ch = &rpc->channels[COORD__LANE_CALLS];
  if (rpc->closed) {
    coord__fail(&call->error, COORD_CLOSED, "%s: the client was closed", call->method->name);
    finish(call, COORD_CLOSED);
    return;
  }
  coord__list_append(&ch->waiting, &call->link);
  if (call->deadline_ns != 0) coord__timer_set(rpc->loop, &call->timer, call->deadline_ns);
  coord__channel_pump(ch);
}
