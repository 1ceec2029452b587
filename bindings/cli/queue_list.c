#include "queue_list.h"

#include <coord.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "action.h"
#include "print.h"
#include "report.h"

/* One key of the queue, as docs/LOCKS.md has its value. */
struct place {
  coord_kv kv;
  json_object *value; /* NULL: it says nothing */
  const char *kind;
  const char *owner;
  int64_t since_ms; /* 0: unknown */
  bool holds;
};

static const char *text_of(json_object *object, const char *name) {
  json_object *member = json_object_object_get(object, name);
  return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : NULL;
}

/* Others write other values, or none: those are mutexes. */
static struct place read_place(const coord_kv *kv) {
  struct place place = {.kv = *kv};
  json_tokener *tokener = json_tokener_new();
  json_object *value = tokener == NULL || kv->value_len == 0 || kv->value_len > 65536
                           ? NULL
                           : json_tokener_parse_ex(tokener, kv->value, (int)kv->value_len);
  if (!json_object_is_type(value, json_type_object)) {
    json_object_put(value);
    value = NULL;
  }
  place.value = value;
  place.kind = value != NULL ? text_of(value, "kind") : NULL;
  place.owner = value != NULL ? text_of(value, "owner") : NULL;
  if (place.kind == NULL) place.kind = "mutex";
  if (place.owner == NULL) place.owner = "";
  place.since_ms =
      value != NULL ? json_object_get_int64(json_object_object_get(value, "since_ms")) : 0;
  json_tokener_free(tokener);
  return place;
}

/* By the rule of its kind, from how many are older, and how many of those are no readers. */
static bool holds(const struct place *place, size_t older, size_t writers, int64_t permits) {
  if (strcmp(place->kind, "read") == 0) return writers == 0;
  if (strcmp(place->kind, "semaphore") == 0) return (int64_t)older < permits;
  return older == 0;
}

static void format_time(int64_t since_ms, char *out, size_t size) {
  time_t since = (time_t)(since_ms / 1000);
  struct tm tm;
  snprintf(out, size, "-");
  if (since_ms > 0 && gmtime_r(&since, &tm) != NULL) strftime(out, size, "%FT%TZ", &tm);
}

static void print_json(const struct place *place) {
  putchar('{');
  print_json_bytes("key", place->kv.key, place->kv.key_len);
  printf(",\"lease\":\"%" PRIx64 "\",\"create_revision\":%" PRId64 ",\"state\":\"%s\",",
         (uint64_t)place->kv.lease_id, place->kv.create_revision, place->holds ? "holds" : "waits");
  print_json_bytes("kind", place->kind, strlen(place->kind));
  putchar(',');
  print_json_bytes("owner", place->owner, strlen(place->owner));
  if (place->since_ms > 0) printf(",\"since_ms\":%" PRId64, place->since_ms);
  puts("}");
}

static void print_place(const struct place *place) {
  char since[32];
  if (cli.json) {
    print_json(place);
    return;
  }
  format_time(place->since_ms, since, sizeof since);
  printf("%-5s  %-16" PRIx64 "  %-10" PRId64 "  %-9.9s  %-20s  ", place->holds ? "holds" : "waits",
         (uint64_t)place->kv.lease_id, place->kv.create_revision, place->kind, since);
  print_bytes(place->owner, strlen(place->owner));
  putchar('\n');
}

int queue_list(const struct args *args, const struct bytes *name, int64_t permits) {
  coord_result *result = NULL;
  coord_kv kv;
  size_t writers = 0;
  int code = action_call(args, coord_op_lock_queue(name->data, name->len), &result);
  if (code != CLI_FINE) return code;
  if (coord_result_count(result) == 0) {
    code = absent(args->verb->name, "nobody holds it, and nobody waits for it");
  } else if (!cli.json) {
    printf("%s%-5s  %-16s  %-10s  %-9s  %-20s  %s%s\n", paint_out(PAINT_BOLD), "STATE", "LEASE",
           "REVISION", "KIND", "SINCE", "OWNER", paint_out(PAINT_OFF));
  }
  for (size_t i = 0; coord_result_kv(result, i, &kv) == COORD_OK; i++) {
    struct place place = read_place(&kv);
    place.holds = holds(&place, i, writers, permits);
    if (strcmp(place.kind, "read") != 0) writers++;
    print_place(&place);
    json_object_put(place.value);
  }
  coord_result_free(result);
  return code;
}
