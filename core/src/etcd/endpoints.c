#include "etcd/endpoints.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options_url.h"
#include "etcd/client.h"

/* ---- TLS ---- */

void coord__client_warn_of_tls(coord_client *c) {
  if (coord__tls_config_of(c->tls)->verify) return;
  coord__log_at(&c->log, COORD_LOG_WARN,
                "option tls.verify is false: whoever is on the way can pose as the server, and "
                "read and change everything");
}

coord_code coord__client_check_tls(coord_client *c, const coord__endpoints *endpoints,
                                   coord_error **err) {
  if (!coord__endpoints_may_use_tls(endpoints)) return COORD_OK;
  if (coord__endpoints_may_use_tls(coord__rpc_endpoints(&c->rpc))) return COORD_OK;
  /* The client's own is the I/O thread's, which reads the files when it connects. */
  coord__tls *probe = coord__tls_new(coord__tls_config_of(c->tls));
  if (probe == NULL) return coord__no_memory(err);
  coord_code code = coord__tls_load(probe, COORD_INVALID, err);
  coord__tls_release(probe);
  if (code == COORD_OK) coord__client_warn_of_tls(c);
  return code;
}

/* ---- the argument ---- */

/* The same words as for the option, about the argument. */
static coord_code as_argument(coord_code code, coord_error **err) {
  static const char option[] = "option endpoints";
  coord_error *told = NULL;
  const char *message = err != NULL ? coord_error_message(*err) : NULL;
  if (message == NULL || strncmp(message, option, sizeof option - 1) != 0) return code;
  coord__fail(&told, code, "argument%s", message + strlen("option"));
  coord_error_free(*err);
  *err = told;
  return code;
}

/* The list within a URL, as text of the caller's; NULL for what is no URL, or at a fault. */
static coord_code read_url(const char *text, char **list, coord_error **err) {
  coord__setting settings[COORD__OPTION_COUNT] = {{0}};
  coord_code code = coord__options_read_url(text, COORD__SOURCE_CALL, settings, err);
  for (int i = 0; i < COORD__OPTION_COUNT; i++) {
    bool is_list = i == COORD__OPTION_ENDPOINTS;
    if (code == COORD_OK && is_list) {
      *list = settings[i].text;
      continue;
    }
    if (code == COORD_OK && settings[i].source != COORD__SOURCE_NONE) {
      code =
          coord__fail(err, COORD_INVALID,
                      "argument endpoints: the URL sets option %s, and the options of an open "
                      "client stay as they are; expected hosts alone: etcd://host:port,host:port",
                      coord__options_name((coord__option)i));
    }
    coord__free(settings[i].text);
  }
  if (code == COORD_OK) return COORD_OK;
  coord__free(*list);
  *list = NULL;
  return as_argument(code, err);
}

static coord_code parse(const char *text, coord__endpoints *out, coord_error **err) {
  char *list = NULL;
  coord_code code = read_url(text, &list, err);
  if (code != COORD_OK) return code;
  code = coord__endpoints_parse(list != NULL ? list : text, out, err);
  coord__free(list);
  return code == COORD_OK ? COORD_OK : as_argument(code, err);
}

/* ---- the change ---- */

typedef struct change {
  coord__job job;
  coord_client *client;
  coord__endpoints endpoints;
} change;

static void drop_change(change *new) {
  coord__endpoints_free(&new->endpoints);
  coord__client_release(new->client);
  coord__free(new);
}

static void run_change(coord__job *job) {
  change *new = COORD__CONTAINER(job, change, job);
  coord_client *c = new->client;
  if (!c->rpc.closed) {
    if (coord__discovery_set_endpoints(&c->rpc.discovery, &new->endpoints)) {
      new->endpoints = (coord__endpoints){0};
    } else {
      coord__log_at(&c->log, COORD_LOG_ERROR,
                    "the endpoints stay those of before: memory is exhausted");
    }
  }
  drop_change(new);
}

coord_code coord__client_set_endpoints(coord_client *c, const char *text, coord_error **err) {
  change *new = coord__calloc(1, sizeof *new);
  if (new == NULL) return coord__no_memory(err);
  new->job.run = run_change;
  new->client = c;
  coord__client_retain(c);
  coord_code code = parse(text, &new->endpoints, err);
  if (code == COORD_OK) code = coord__client_check_tls(c, &new->endpoints, err);
  if (code == COORD_OK) {
    coord__loop_post(c->loop, &new->job);
  } else {
    drop_change(new);
  }
  return code;
}
