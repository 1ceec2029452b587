#include "rpc/discovery.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "rpc/rpc.h"

static void ask(coord__discovery *d, bool tls);

static const coord__endpoint *domain_of(const coord__rpc *rpc) {
  const coord__endpoints *endpoints = &rpc->config.endpoints;
  bool is_domain = endpoints->count == 1 && endpoints->items[0].domain != NULL;
  return is_domain ? endpoints->items : NULL;
}

void coord__discovery_init(coord__discovery *d, coord__rpc *rpc) {
  *d = (coord__discovery){.rpc = rpc, .domain = domain_of(rpc)};
}

/* ---- the end of a lookup ---- */

/* Let those go on who wait: with the endpoints that are known, or with a failure. */
static void resume(coord__discovery *d, coord_code code, const char *why) {
  d->failures = 0;
  for (int i = 0; i < COORD__LANES; i++) {
    if (!d->waiting[i]) continue;
    d->waiting[i] = false;
    if (d->known) {
      coord__channel_wake(&d->rpc->channels[i]);
    } else {
      coord__channel_fail(&d->rpc->channels[i], code, why, d->domain->name);
    }
    if (d->rpc->closed) return;
  }
}

static void fail(coord__discovery *d, coord_code code, const char *why) {
  if (d->known) {
    coord__log_at(d->rpc->log, COORD_LOG_WARN, "%s: %s; going on with the endpoints of before",
                  d->domain->name, why);
  }
  resume(d, code, why);
}

/* A list for the parser, which knows what a host may look like. NULL when memory is out. */
static char *list_of(const coord__srv_record *records, size_t count, bool tls) {
  coord__buf list = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < count; i++) {
    char item[300];
    snprintf(item, sizeof item, "%s%s%s:%d", i > 0 ? "," : "", tls ? "https://" : "",
             records[i].host, records[i].port);
    ok = coord__buf_append_str(&list, item);
  }
  if (ok && coord__buf_append(&list, "", 1)) return (char *)list.data;
  coord__buf_free(&list);
  return NULL;
}

static coord_code take(coord__discovery *d, const coord__srv_record *records, size_t count,
                       coord_error **err) {
  coord__endpoints found = {0};
  char *list = list_of(records, count, d->tls);
  if (list == NULL) return coord__no_memory(err);
  coord_code code = coord__endpoints_parse(list, &found, err);
  if (code == COORD_OK && !coord__rpc_set_endpoints(d->rpc, &found)) code = coord__no_memory(err);
  if (code == COORD_OK) {
    d->known = true;
    coord__log_at(d->rpc->log, COORD_LOG_INFO, "%s: the endpoints are %s", d->domain->name, list);
  } else {
    coord__endpoints_free(&found);
  }
  coord__free(list);
  return code;
}

static void on_answer(void *user, coord_code code, const char *why,
                      const coord__srv_record *records, size_t count) {
  coord__discovery *d = user;
  char text[256];
  const char *service = d->tls ? "etcd-client-ssl" : "etcd-client";
  d->lookup = NULL;
  if (code != COORD_OK) {
    snprintf(text, sizeof text, "DNS does not tell _%s._tcp.%s: %s", service, d->domain->domain,
             why);
    fail(d, code, text);
  } else if (count == 0 && d->tls && !d->domain->tls) {
    ask(d, false);
  } else if (count == 0) {
    snprintf(text, sizeof text, "DNS has no SRV record _%s._tcp.%s", service, d->domain->domain);
    fail(d, COORD_UNAVAILABLE, text);
  } else {
    coord_error *err = NULL;
    code = take(d, records, count, &err);
    snprintf(text, sizeof text, "%s",
             err != NULL ? coord_error_message(err) : "memory is exhausted");
    coord_error_free(err);
    if (code == COORD_OK) {
      resume(d, COORD_OK, "");
    } else {
      fail(d, code, text);
    }
  }
}

/* ---- asking ---- */

static void ask(coord__discovery *d, bool tls) {
  char name[300];
  const coord__rpc_config *config = &d->rpc->config;
  snprintf(name, sizeof name, "_etcd-client%s._tcp.%s", tls ? "-ssl" : "", d->domain->domain);
  d->tls = tls;
  d->lookup = coord__srv_start(d->rpc->loop, name, config->dns_servers,
                               config->link.connect_timeout_ms, on_answer, d);
  if (d->lookup == NULL) fail(d, COORD_NO_MEMORY, "memory is exhausted");
}

bool coord__discovery_ask(coord__discovery *d, coord__channel *channel) {
  if (d->domain == NULL) return false;
  bool due = !d->known || d->failures >= d->rpc->config.endpoints.count;
  if (d->lookup == NULL && !due) return false;
  d->waiting[channel - d->rpc->channels] = true;
  /* Endpoints with TLS win: who can hide their record can do no more than hinder. */
  if (d->lookup == NULL) ask(d, true);
  return true;
}

bool coord__discovery_set_endpoints(coord__discovery *d, coord__endpoints *endpoints) {
  bool waiting[COORD__LANES];
  if (!coord__rpc_set_endpoints(d->rpc, endpoints)) return false;
  coord__discovery_close(d);
  d->domain = domain_of(d->rpc);
  d->known = false;
  d->failures = 0;
  memcpy(waiting, d->waiting, sizeof waiting);
  memset(d->waiting, 0, sizeof d->waiting);
  for (int i = 0; i < COORD__LANES; i++) {
    if (waiting[i]) coord__channel_wake(&d->rpc->channels[i]);
  }
  return true;
}

void coord__discovery_note_failure(coord__discovery *d) { d->failures++; }

void coord__discovery_close(coord__discovery *d) {
  if (d->lookup != NULL) coord__srv_cancel(d->lookup);
  d->lookup = NULL;
}
