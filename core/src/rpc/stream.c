/* A stream of messages both ways, on whatever link its lane has. */
#include "base/error.h"
#include "rpc/rpc.h"

static void detach(coord__stream *stream) {
  coord__list_remove(&stream->link);
  stream->carrier = NULL;
}

static void on_message(coord__wire_stream *wire, const uint8_t *p, size_t n) {
  coord__stream *stream = COORD__CONTAINER(wire, coord__stream, wire);
  stream->carrier->has_served = true;
  stream->heard = true;
  stream->message(stream, p, n);
}

bool coord__stream_refused(coord__stream *stream, const char *message) {
  coord__identity *identity = stream->rpc->config.identity;
  return identity != NULL && identity->refused(identity, stream->login, message);
}

bool coord__stream_abandon(coord__stream *stream, const char *why) {
  if (stream->carrier == NULL) return false;
  coord__channel_abandon(stream->carrier, why);
  return true;
}

/* Whether it was refused for its token and waits for another; *retriable: for its token, but it had
 * begun, so that whoever keeps it up has to. */
static bool hold_refused(coord__stream *stream, const coord__outcome *outcome, bool *retriable) {
  if (outcome->code != COORD_OK || outcome->grpc_status <= 0 || stream->rpc->closed) return false;
  if (stream->refusals == COORD__REFUSALS_MAX) return false;
  *retriable = coord__stream_refused(stream, outcome->message);
  if (!*retriable || stream->heard) return false;
  coord__carrier *carrier = stream->carrier;
  detach(stream);
  coord__list_append(&stream->rpc->held_streams, &stream->link);
  if (++stream->refusals % COORD__REFUSALS_TO_AVOID == 0) coord__channel_avoid(carrier);
  return true;
}

static void on_closed(coord__wire_stream *wire, const coord__outcome *outcome) {
  coord__stream *stream = COORD__CONTAINER(wire, coord__stream, wire);
  bool retriable = false;
  if (hold_refused(stream, outcome, &retriable)) return;
  const char *endpoint = stream->carrier->endpoint->name;
  coord_code code = outcome->code;
  uint32_t flags = code == COORD_UNAVAILABLE ? COORD_RETRIABLE : 0;
  if (code == COORD_OK && outcome->grpc_status > 0) {
    code = stream->rpc->config.classify(outcome->grpc_status, outcome->message, true, &flags);
  }
  if (retriable) flags |= COORD_RETRIABLE;
  coord_error *err = NULL;
  if (code != COORD_OK) {
    coord__fail(&err, code, "%s: %s", wire->method->name, outcome->message);
    if (err != NULL) {
      err->flags = flags;
      err->grpc_status = outcome->grpc_status;
      err->http_status = outcome->http_status;
      coord__error_set_endpoint(err, endpoint);
    }
  }
  coord__carrier *carrier = stream->carrier;
  detach(stream);
  if (code == COORD_UNAVAILABLE) coord__channel_avoid(carrier);
  stream->closed(stream, code, err);
}

void coord__stream_fail(coord__stream *stream, coord_code code, const char *why,
                        const char *endpoint) {
  coord_error *err = NULL;
  coord__fail(&err, code, "%s: %s", stream->wire.method->name, why);
  if (err != NULL && code != COORD_CLOSED) err->flags = COORD_RETRIABLE;
  coord__error_set_endpoint(err, endpoint);
  detach(stream);
  stream->closed(stream, code, err);
}

void coord__stream_cut(coord__stream *stream, const char *why) {
  const char *endpoint = stream->carrier->endpoint->name;
  stream->carrier->wire->ops->end(&stream->wire);
  coord__stream_fail(stream, COORD_UNAVAILABLE, why, endpoint);
}

void coord__stream_refuse(coord__stream *stream, coord_code code, const coord_error *failure) {
  coord_error *err = NULL;
  coord__fail(&err, code, "%s: %s", stream->wire.method->name,
              failure != NULL ? coord_error_message(failure) : "memory is exhausted");
  if (err != NULL) err->flags = coord_error_flags(failure);
  detach(stream);
  stream->closed(stream, code, err);
}

bool coord__stream_try(coord__stream *stream, coord__carrier *carrier) {
  coord__identity *identity = stream->rpc->config.identity;
  if (identity != NULL &&
      !identity->ready(identity, stream->wire.method, &stream->wire.token, &stream->login)) {
    coord__list_append(&stream->rpc->held_streams, &stream->link);
    return true;
  }
  if (!carrier->wire->ops->open(carrier->wire, &stream->wire)) return false;
  stream->carrier = carrier;
  coord__list_append(&carrier->streams, &stream->link);
  if (stream->opened != NULL) stream->opened(stream);
  return true;
}

void coord__stream_open(coord__rpc *rpc, coord__stream *stream, const coord__method *method) {
  coord__channel *ch = &rpc->channels[stream->lane];
  stream->rpc = rpc;
  stream->carrier = NULL;
  stream->heard = false;
  stream->refusals = 0;
  stream->wire = (coord__wire_stream){.method = method, .message = on_message, .closed = on_closed};
  if (rpc->closed) {
    coord__stream_fail(stream, COORD_CLOSED, "the client was closed", NULL);
    return;
  }
  coord__list_append(&ch->streams, &stream->link);
  coord__channel_pump(ch);
}

bool coord__stream_send(coord__stream *stream, uint8_t *frame, size_t len, bool last) {
  if (stream->carrier == NULL) return true;
  return stream->carrier->wire->ops->send(&stream->wire, frame, len, last);
}

void coord__stream_pause(coord__stream *stream, bool paused) {
  if (stream->carrier != NULL) stream->carrier->wire->ops->pause(&stream->wire, paused);
}

int64_t coord__stream_heard_ns(const coord__stream *stream) { return stream->wire.heard_ns; }

void coord__stream_end(coord__stream *stream) {
  if (stream->carrier != NULL) stream->carrier->wire->ops->end(&stream->wire);
  detach(stream);
}

void coord__stream_leave(coord__stream *stream, const char *why) {
  coord__channel *ch = &stream->rpc->channels[stream->lane];
  coord__carrier *carrier = stream->carrier;
  bool is_left =
      carrier != NULL && carrier->path == NULL; /* and may be gone with its last stream */
  coord__stream_end(stream);
  if (carrier == NULL) {
    coord__channel_skip(ch);
  } else if (!is_left) {
    coord__channel_abandon(carrier, why);
  }
}
