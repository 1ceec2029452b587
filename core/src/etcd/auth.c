#include "etcd/auth.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "etcd.pb-c.h"
#include "etcd/fields.h"

enum {
  /* A token that is refused so soon after it was given is not old: the member that refuses it has
   * yet to hear of it. */
  YOUNG_MS = 100,
  YOUNG_PAUSE_MS = 20,
  /* So long a refused login is the answer for all: each try costs the server tens of milliseconds
   * of a processor. */
  REFUSED_MS = 1000,
  /* A simple token carries the index of the log at which it was given, and a member lets a call wait
   * until it has come so far: for ever, when it was restored from a backup. So a call without an
   * answer casts doubt on a token of this age. */
  DOUBT_MS = 10000,
  FIRST_PAUSE_MS = 50,
  LONGEST_PAUSE_MS = 1000
};

static int64_t now_ns(const coord__auth *a) { return coord__loop_now_ns(a->rpc->loop); }

static void arm(coord__auth *a, int64_t pause_ns) {
  /* By timer also without a pause: never from within a callback of the rpc. */
  if (a->rpc->closed || a->timer.node.is_in) return;
  coord__timer_set(a->rpc->loop, &a->timer, now_ns(a) + pause_ns);
}

static void enter(coord__auth *a, coord__auth_state state) {
  a->state = state;
  a->since_ns = now_ns(a);
}

/* ---- what the rpc asks ---- */

static bool ready(coord__identity *identity, const coord__method *method, const char **token,
                  uint64_t *login) {
  coord__auth *a = (coord__auth *)identity;
  *token = NULL;
  *login = a->login;
  if (a->user != NULL && method->index == COORD__METHOD_AUTHENTICATE) return true;
  if (a->user == NULL || a->state == COORD__AUTH_IN) *token = a->token;
  if (a->user == NULL || a->state == COORD__AUTH_IN || a->state == COORD__AUTH_OFF) return true;
  if (a->state == COORD__AUTH_OUT || a->state == COORD__AUTH_REFUSED) arm(a, 0);
  return false;
}

/* The third is how the store of users itself says it, in reasons for which a watch is cancelled. */
static bool is_about_the_token(const char *message) {
  static const char *const texts[] = {"invalid auth token", "revision of auth store is old",
                                      "revision in header is old", "user name is empty"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (strstr(message, texts[i]) != NULL) return true;
  }
  return false;
}

static bool refused(coord__identity *identity, uint64_t login, const char *message) {
  coord__auth *a = (coord__auth *)identity;
  if (a->user == NULL || !is_about_the_token(message)) return false;
  bool settled = a->state == COORD__AUTH_IN || a->state == COORD__AUTH_OFF;
  if (settled && login == a->login) {
    bool young = now_ns(a) - a->since_ns < YOUNG_MS * COORD__NS_PER_MS;
    if (!young) enter(a, a->calling ? COORD__AUTH_LOGIN : COORD__AUTH_OUT);
    arm(a, young ? coord__jitter(YOUNG_PAUSE_MS * COORD__NS_PER_MS) : 0);
  } else if (a->state != COORD__AUTH_LOGIN && a->state != COORD__AUTH_PAUSE) {
    arm(a, 0);
  }
  return true;
}

static void unanswered(coord__identity *identity, uint64_t login) {
  coord__auth *a = (coord__auth *)identity;
  if (a->user == NULL || a->state != COORD__AUTH_IN || login != a->login || a->calling) return;
  if (now_ns(a) - a->since_ns < DOUBT_MS * COORD__NS_PER_MS) return;
  a->doubted = true;
  arm(a, 0);
}

/* ---- logging in ---- */

static void tell_opener(coord__auth *a, coord_code code, const coord_error *err) {
  void (*opened)(void *, coord_code, const coord_error *) = a->opened;
  a->opened = NULL;
  if (opened != NULL) opened(a->opener, code, err);
}

static void wipe(char *secret) {
  if (secret != NULL) explicit_bzero(secret, strlen(secret));
  coord__free(secret);
}

static void settle(coord__auth *a, coord__auth_state state, char *token) {
  wipe(a->token);
  a->token = token;
  a->login++;
  a->failures = 0;
  enter(a, state);
  tell_opener(a, COORD_OK, NULL);
  coord__rpc_release(a->rpc);
}

static bool may_pass(coord_code code, const coord_error *err) {
  return code == COORD_UNAVAILABLE || code == COORD_TIMEOUT || code == COORD_NO_MEMORY ||
         (coord_error_flags(err) & COORD_RETRIABLE) != 0 ||
         is_about_the_token(coord_error_message(err));
}

/* `err` is handed over. */
static void fail(coord__auth *a, coord_code code, coord_error *err) {
  coord_error_free(a->error);
  a->code = code;
  a->error = err;
  if (code == COORD_CLOSED) {
    enter(a, COORD__AUTH_OUT);
    tell_opener(a, code, err);
    return;
  }
  coord__log_at(a->rpc->log, COORD_LOG_WARN, "%s",
                err != NULL ? coord_error_message(err) : "memory is exhausted");
  tell_opener(a, code, err);
  if (a->state == COORD__AUTH_IN) {
    a->since_ns = now_ns(a); /* the token was in doubt, no more: go on with it for a while */
    return;
  }
  if (!may_pass(code, err)) {
    enter(a, COORD__AUTH_REFUSED);
    coord__rpc_refuse(a->rpc, code, err);
  } else if (!coord__rpc_holds(a->rpc)) {
    enter(a, COORD__AUTH_OUT);
  } else {
    int64_t pause = coord__backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, a->failures++);
    enter(a, COORD__AUTH_PAUSE);
    arm(a, coord__jitter(pause * COORD__NS_PER_MS));
  }
}

/* An error of the login, with the user and what was said. */
static coord_error *explain(coord__auth *a, coord_error *err) {
  coord_error *told = NULL;
  if (err == NULL) return NULL;
  char shown[COORD__SHOWN];
  const char *said = coord_error_message(err);
  size_t name = strlen(a->call.method->name);
  if (strncmp(said, a->call.method->name, name) == 0 && said[name] == ':') said += name + 1;
  coord__fail(&told, err->code, "login as \"%s\":%s%s",
              coord__show(shown, a->user, strlen(a->user)), said[0] == ' ' ? "" : " ", said);
  if (told != NULL) {
    told->flags = err->flags & ~(uint32_t)COORD_MAYBE_APPLIED;
    told->grpc_status = err->grpc_status;
    told->http_status = err->http_status;
    coord__error_set_endpoint(told, err->endpoint);
  }
  coord_error_free(err);
  return told;
}

/* The token of an answer, NULL when there is none, or no memory for it. */
static char *token_of(const coord__buf *answer, coord_code *code) {
  enum { TOKEN = 2 };
  coord__fields fields = coord__fields_of(answer->data, answer->len);
  coord__field field;
  while (coord__fields_next(&fields, &field)) {
    if (field.number != TOKEN || field.bytes == NULL || field.len == 0) continue;
    for (size_t i = 0; i < field.len; i++) {
      if (field.bytes[i] <= ' ' || field.bytes[i] > '~') return NULL;
    }
    char *token = coord__malloc(field.len + 1);
    *code = token != NULL ? COORD_OK : COORD_NO_MEMORY;
    if (token == NULL) return NULL;
    memcpy(token, field.bytes, field.len);
    token[field.len] = '\0';
    return token;
  }
  return NULL;
}

static void on_login(coord__call *call) {
  coord__auth *a = COORD__CONTAINER(call, coord__auth, call);
  coord_code code = call->code;
  coord_error *err = call->error;
  a->calling = false;
  coord__stats_record(a->stats, call->method, coord__clock_ns() - a->called_ns, 0,
                      call->response.len, code != COORD_OK);
  if (code == COORD_OK) {
    code = COORD_PROTOCOL;
    char *token = token_of(&call->response, &code);
    coord__buf_wipe(&call->response);
    coord__buf_free(&call->response);
    if (token != NULL) {
      coord__log_at(a->rpc->log, COORD_LOG_INFO, "%s: logged in as \"%s\"", call->endpoint,
                    a->user);
      settle(a, COORD__AUTH_IN, token);
      return;
    }
    coord__fail(
        &err, code, "%s",
        code == COORD_NO_MEMORY ? "memory is exhausted" : "the server's answer holds no token");
    coord__error_set_endpoint(err, call->endpoint);
  } else if (strstr(coord_error_message(err), "authentication is not enabled") != NULL) {
    coord__log_at(a->rpc->log, COORD_LOG_INFO,
                  "%s: authentication is not enabled: going on "
                  "without a token",
                  call->endpoint);
    coord_error_free(err);
    settle(a, COORD__AUTH_OFF, NULL);
    return;
  }
  fail(a, code, explain(a, err));
}

static bool encode(coord__auth *a, coord__buf *out) {
  Etcdserverpb__AuthenticateRequest message = ETCDSERVERPB__AUTHENTICATE_REQUEST__INIT;
  message.name = a->user;
  message.password = a->password;
  size_t size = etcdserverpb__authenticate_request__get_packed_size(&message);
  if (!coord__buf_reserve(out, COORD__FRAME_HEADROOM + size)) return false;
  memset(out->data, 0, COORD__FRAME_HEADROOM);
  etcdserverpb__authenticate_request__pack(&message, out->data + COORD__FRAME_HEADROOM);
  out->len = COORD__FRAME_HEADROOM + size;
  return true;
}

static void log_in(coord__auth *a) {
  a->call = (coord__call){.method = &coord__methods[COORD__METHOD_AUTHENTICATE],
                          .repeatable = true,
                          .read_only = true,
                          .done = on_login};
  if (!encode(a, &a->call.request)) {
    coord_error *err = NULL;
    coord_code code = coord__no_memory(&err);
    fail(a, code, explain(a, err));
    return;
  }
  a->called_ns = coord__clock_ns();
  a->call.deadline_ns = a->called_ns + a->timeout_ms * COORD__NS_PER_MS;
  a->calling = true;
  a->doubted = false;
  if (a->state != COORD__AUTH_IN) enter(a, COORD__AUTH_LOGIN);
  coord__call_start(a->rpc, &a->call);
}

static void on_timer(coord__timer *timer) {
  coord__auth *a = COORD__CONTAINER(timer, coord__auth, timer);
  switch (a->state) {
    case COORD__AUTH_IN:
      if (a->doubted && !a->calling) log_in(a);
      coord__rpc_release(a->rpc);
      break;
    case COORD__AUTH_OFF:
      coord__rpc_release(a->rpc);
      break;
    case COORD__AUTH_OUT:
    case COORD__AUTH_PAUSE:
      log_in(a);
      break;
    case COORD__AUTH_REFUSED:
      if (now_ns(a) - a->since_ns < REFUSED_MS * COORD__NS_PER_MS) {
        coord__rpc_refuse(a->rpc, a->code, a->error);
      } else {
        log_in(a);
      }
      break;
    case COORD__AUTH_LOGIN:
      break;
  }
}

/* ---- life ---- */

static char *copy(const char *text, bool *ok) {
  char *made = text[0] != '\0' ? coord__strdup(text) : NULL;
  if (text[0] != '\0' && made == NULL) *ok = false;
  return made;
}

bool coord__auth_init(coord__auth *auth, const char *user, const char *password,
                      const char *token) {
  bool ok = true;
  *auth = (coord__auth){
      .identity = {.ready = ready, .refused = refused, .unanswered = unanswered, .why = "a login"},
      .timer.fire = on_timer};
  auth->user = copy(user, &ok);
  auth->password = copy(password, &ok);
  auth->token = copy(token, &ok);
  return ok;
}

coord__identity *coord__auth_identity(coord__auth *auth) {
  return auth->user != NULL || auth->token != NULL ? &auth->identity : NULL;
}

void coord__auth_bind(coord__auth *auth, coord__rpc *rpc, coord__stats *stats, int64_t timeout_ms) {
  auth->rpc = rpc;
  auth->stats = stats;
  auth->timeout_ms = timeout_ms;
}

void coord__auth_open(coord__auth *auth,
                      void (*opened)(void *user, coord_code code, const coord_error *err),
                      void *user) {
  auth->opened = opened;
  auth->opener = user;
  if (auth->user == NULL) {
    tell_opener(auth, COORD_OK, NULL);
  } else {
    arm(auth, 0);
  }
}

void coord__auth_stop(coord__auth *auth) {
  if (auth->rpc != NULL) coord__timer_stop(auth->rpc->loop, &auth->timer);
}

void coord__auth_free(coord__auth *auth) {
  coord__free(auth->user);
  wipe(auth->password);
  wipe(auth->token);
  coord_error_free(auth->error);
}
