/* Registries as the flags ask for them, and instances on standard output. */
#ifndef CLI_INSTANCE_PRINT_H
#define CLI_INSTANCE_PRINT_H

#include <coord.h>
#include <json-c/json.h>

#include "args.h"

#define FLAG_FORMAT                                                              \
  {                                                                              \
    "--format", "FORMAT",                                                        \
        "json (default), or etcd-naming: endpoints as gRPC-Go reads them. All\n" \
        "who use a registry have to say the same"                                \
  }

/* Options of a client and its registry; CLI_FINE, or the exit code after printing what is wrong. */
int registry_options(const struct args *args, coord_options **out);

/* An instance from the JSON that the library gives; NULL when memory is out. */
json_object *instance_parse(const char *json);
const char *instance_text(json_object *instance, const char *field);
/* "address:port"; with brackets around an IPv6 address. */
void print_endpoint(json_object *instance);

void print_instance_heading(const char *first);
/* A line: `first` and what the heading says. */
void print_instance(const char *first, json_object *instance);

#endif
