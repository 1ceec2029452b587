#include "instance_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "report.h"
#include "session.h"

enum { ENDPOINT = 24 };

int registry_options(const struct args *args, coord_options **out) {
  const char *format = args_text(args, "--format");
  int code = session_options(args, out);
  if (code != CLI_FINE || format == NULL) return code;
  code = session_set(*out, "--format", "registry.format", format);
  if (code == CLI_FINE) return code;
  coord_options_free(*out);
  *out = NULL;
  return code;
}

json_object *instance_parse(const char *json) {
  return json != NULL ? json_tokener_parse(json) : NULL;
}

const char *instance_text(json_object *instance, const char *field) {
  json_object *value = json_object_object_get(instance, field);
  return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static int32_t number_of(json_object *instance, const char *field) {
  return json_object_get_int(json_object_object_get(instance, field));
}

/* Its length. */
static int write_endpoint(json_object *instance, char *out, size_t size) {
  const char *address = instance_text(instance, "address");
  int32_t port = number_of(instance, "port");
  if (port == 0) return snprintf(out, size, "%s", address);
  bool brackets = strchr(address, ':') != NULL && strncmp(address, "unix:", 5) != 0;
  return snprintf(out, size, brackets ? "[%s]:%" PRId32 : "%s:%" PRId32, address, port);
}

void print_endpoint(json_object *instance) {
  char text[600];
  write_endpoint(instance, text, sizeof text);
  print_bytes(text, strlen(text));
}

void print_instance_heading(const char *first) {
  printf("%s%s%-*s  %-9s %6s  %-24s  %s%s\n", paint_out(PAINT_BOLD), first, ENDPOINT, "ENDPOINT",
         "STATUS", "WEIGHT", "ID", "METADATA", paint_out(PAINT_OFF));
}

static void print_padded(const char *text, int width) {
  size_t len = strlen(text);
  print_bytes(text, len);
  printf("%*s", width > 0 && len < (size_t)width ? width - (int)len : 0, "");
}

void print_instance(const char *first, json_object *instance) {
  char endpoint[600];
  const char *lead = "  ";
  json_object *metadata = json_object_object_get(instance, "metadata");
  write_endpoint(instance, endpoint, sizeof endpoint);
  fputs(first, stdout);
  print_padded(endpoint, ENDPOINT);
  fputs("  ", stdout);
  print_padded(instance_text(instance, "status"), 9);
  printf(" %6" PRId32 "  ", number_of(instance, "weight"));
  bool has_more =
      json_object_is_type(metadata, json_type_object) && json_object_object_length(metadata) > 0;
  print_padded(instance_text(instance, "id"), has_more ? ENDPOINT : 0);
  if (has_more) {
    json_object_object_foreach(metadata, key, value) {
      const char *text = json_object_get_string(value);
      fputs(lead, stdout);
      print_bytes(key, strlen(key));
      putchar('=');
      if (text != NULL) print_bytes(text, strlen(text));
      lead = " ";
    }
  }
  putchar('\n');
}
