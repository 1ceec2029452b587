#include "support/registry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *t_service_key(char key[t_key_size], const char *rest) { return t_key(key, rest); }

coord_registry *t_registry(coord_client *client, ...) {
  char prefix[t_key_size];
  coord_options *options = t_options("registry.prefix", t_key(prefix, ""), NULL);
  coord_registry *registry = NULL;
  coord_error *err = NULL;
  va_list args;
  va_start(args, client);
  for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
    T_OK(coord_options_set(options, name, va_arg(args, const char *), &err), err);
  }
  va_end(args);
  T_OK(coord_registry_open(client, options, &registry, &err), err);
  coord_options_free(options);
  T_FATAL(registry != NULL);
  return registry;
}

coord_registration *t_register(coord_registry *registry, const char *id, int64_t ttl_s,
                               coord_queue *queue, uint64_t tag) {
  char json[200];
  coord_registration *reg = NULL;
  coord_error *err = NULL;
  snprintf(json, sizeof json,
           "{\"id\":\"%s\",\"name\":\"web\",\"address\":\"127.0.0.1\",\"port\":80}", id);
  T_OK(coord_registry_register(registry, json, ttl_s, queue, tag, &reg, &err), err);
  T_FATAL(reg != NULL);
  return reg;
}

coord_code t_ends(coord_client *client, coord_op *op, int32_t timeout_ms) {
  coord_result *result = NULL;
  T_FATAL(op != NULL);
  coord_code code = coord_call(client, op, timeout_ms, &result, NULL);
  coord_result_free(result);
  coord_op_free(op);
  return code;
}

bool t_registration_told(coord_queue *queue, int timeout_ms, int32_t type, uint64_t tag,
                         coord_code code) {
  int64_t began = t_now_ms();
  for (;;) {
    int64_t left = timeout_ms - t_took_ms(began);
    coord_event *event = coord_queue_next(queue, left > 0 ? (int32_t)left : 0);
    if (event == NULL && left > 0) continue;
    if (event == NULL) {
      T_FAIL("no event %d for %d within %d ms", (int)type, (int)tag, timeout_ms);
      return false;
    }
    int32_t got = coord_event_type(event);
    bool passed_over = got == COORD_EVENT_AT_RISK && type != COORD_EVENT_AT_RISK;
    if (!passed_over) {
      T_INT(got, type);
      T_INT(coord_event_tag(event), tag);
      T_CODE(coord_event_code(event), code);
    }
    bool good = got == type && coord_event_tag(event) == tag && coord_event_code(event) == code;
    coord_event_free(event);
    if (!passed_over) return good;
  }
}

const char *t_discovered(coord_client *client, coord_registry *registry, const char *service) {
  static char text[1000];
  coord_result *result = t_call(client, coord_op_discover(registry, service));
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < coord_result_count(result) && used < sizeof text - 200; i++) {
    coord_kv kv = {0};
    T_CODE(coord_result_kv(result, i, &kv), COORD_OK);
    const char *id = strrchr(kv.key, '/') + 1;
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? " " : "", id);
  }
  coord_result_free(result);
  return text;
}
