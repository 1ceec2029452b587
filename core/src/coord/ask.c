#include "coord/ask.h"

#include "base/clock.h"
#include "base/error.h"
#include "etcd/result.h"

static coord_code decode(coord__ask *ask, coord_result **out, coord_error **err) {
  const coord__buf *bytes = &ask->call.response;
  coord_code code = ask->decode(bytes->data, bytes->len, out, err);
  if (code == COORD_OK) code = coord__namespace_leave(&ask->client->ns, *out, err);
  if (code == COORD_OK) return COORD_OK;
  coord__error_set_endpoint(*err, ask->call.endpoint);
  coord__result_free(*out);
  *out = NULL;
  return code;
}

static void on_done(coord__call *call) {
  coord__ask *ask = COORD__CONTAINER(call, coord__ask, call);
  coord_code code = call->code;
  coord_error *err = call->error;
  coord_result *result = NULL;
  bool doubt = call->maybe_applied || (coord_error_flags(err) & COORD_MAYBE_APPLIED) != 0;
  size_t received = call->response.len;
  if (code == COORD_OK) {
    code = decode(ask, &result, &err);
    doubt |= code != COORD_OK;
  }
  coord__buf_free(&call->response);
  coord__stats_record(&ask->client->stats, call->method, coord__clock_ns() - ask->asked_ns,
                      ask->sent, received, code != COORD_OK);
  ask->done(ask, code, err, result, doubt);
}

void coord__ask_start(coord__ask *ask, coord_op *op, int64_t deadline_ns) {
  coord_client *c = ask->client;
  coord__request request = {0};
  coord_error *err = NULL;
  coord_code code =
      op != NULL ? coord__op_encode(op, &c->limits, &request, &err) : coord__no_memory(&err);
  coord__op_free(op);
  if (code != COORD_OK) {
    ask->done(ask, code, err, NULL, false);
    return;
  }
  ask->decode = request.decode;
  ask->sent = request.body.len;
  ask->asked_ns = coord__clock_ns();
  ask->call = (coord__call){.method = request.method,
                            .request = request.body,
                            .repeatable = request.read_only || ask->repeatable,
                            .read_only = request.read_only,
                            .needs_leader = request.needs_leader,
                            .deadline_ns = deadline_ns,
                            .done = on_done};
  coord__call_start(&c->rpc, &ask->call);
}
