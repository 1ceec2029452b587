#include "conformance/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32 };

typedef struct reader {
  yaml_document_t document;
  char *why; /* 256 bytes; "" as long as all is well */
} reader;

static const char *const words[] = {"yes", "no", "on", "off", "y", "n"};

__attribute__((format(printf, 3, 4))) static json_object *refuse(reader *r, size_t line,
                                                                 const char *format, ...) {
  char text[200];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (r->why[0] == '\0') snprintf(r->why, 256, "line %zu: %s", line, text);
  return NULL;
}

static json_object *at_line(json_object *value, size_t line) {
  if (value != NULL) json_object_set_userdata(value, (void *)(uintptr_t)line, NULL);
  return value;
}

int conf_line(json_object *value) {
  return value != NULL ? (int)(uintptr_t)json_object_get_userdata(value) : 0;
}

/* Decimal digits, perhaps with a sign in front. */
static bool is_integer(const char *text) {
  if (*text == '-') text++;
  if (*text == '\0' || (text[0] == '0' && text[1] != '\0')) return false;
  return text[strspn(text, "0123456789")] == '\0';
}

static json_object *plain(reader *r, const char *text, size_t line) {
  char *end;
  if (strcmp(text, "null") == 0 || strcmp(text, "~") == 0) return NULL;
  if (strcmp(text, "true") == 0) return json_object_new_boolean(1);
  if (strcmp(text, "false") == 0) return json_object_new_boolean(0);
  if (is_integer(text)) {
    errno = 0;
    long long n = strtoll(text, NULL, 10);
    if (errno != 0 || n > (1LL << 53) || n < -(1LL << 53)) {
      return refuse(r, line, "%s is beyond 2^53: write {int: \"%s\"}", text, text);
    }
    return json_object_new_int64(n);
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcasecmp(text, words[i]) == 0) return refuse(r, line, "%s needs quotes", text);
  }
  if (text[0] == '\0') return refuse(r, line, "nothing stands here: write null or \"\"");
  if (isdigit((unsigned char)text[0]) || strchr("+-.", text[0]) != NULL) {
    double d = strtod(text, &end);
    if (*end == '\0' && strspn(text, "0123456789.-") == strlen(text) && text[0] != '.') {
      return json_object_new_double(d);
    }
    return refuse(r, line, "%s needs quotes", text);
  }
  return json_object_new_string(text);
}

static json_object *convert(reader *r, int index, int depth, bool *null);

static json_object *scalar(reader *r, const yaml_node_t *node, bool *null) {
  size_t line = node->start_mark.line + 1;
  const char *text = (const char *)node->data.scalar.value;
  if (strlen(text) != node->data.scalar.length) {
    return refuse(r, line, "a text holds a NUL: write {hex: ...}");
  }
  if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
    return at_line(json_object_new_string(text), line);
  }
  json_object *value = plain(r, text, line);
  *null = value == NULL;
  return at_line(value, line);
}

static json_object *sequence(reader *r, const yaml_node_t *node, int depth) {
  json_object *list = at_line(json_object_new_array(), node->start_mark.line + 1);
  const yaml_node_item_t *item = node->data.sequence.items.start;
  for (; item < node->data.sequence.items.top; item++) {
    bool null = false;
    json_object *value = convert(r, *item, depth + 1, &null);
    if (value == NULL && !null) {
      json_object_put(list);
      return NULL;
    }
    json_object_array_add(list, value);
  }
  return list;
}

static json_object *mapping(reader *r, const yaml_node_t *node, int depth) {
  json_object *map = at_line(json_object_new_object(), node->start_mark.line + 1);
  const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
  for (; pair < node->data.mapping.pairs.top; pair++) {
    bool null = false;
    const yaml_node_t *key = yaml_document_get_node(&r->document, pair->key);
    size_t line = key->start_mark.line + 1;
    const char *name = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "";
    if (name[0] == '\0') {
      refuse(r, line, "the name of a member is no text");
    } else if (json_object_object_get_ex(map, name, NULL)) {
      refuse(r, line, "%s stands here twice", name);
    }
    json_object *value = convert(r, pair->value, depth + 1, &null);
    if (r->why[0] != '\0') {
      json_object_put(value);
      json_object_put(map);
      return NULL;
    }
    json_object_object_add(map, name, value);
  }
  return map;
}

static json_object *convert(reader *r, int index, int depth, bool *null) {
  const yaml_node_t *node = yaml_document_get_node(&r->document, index);
  size_t line = node->start_mark.line + 1;
  if (depth > DEPTH_MAX) return refuse(r, line, "this is nested too deep");
  switch (node->type) {
    case YAML_SCALAR_NODE:
      return scalar(r, node, null);
    case YAML_SEQUENCE_NODE:
      return sequence(r, node, depth);
    case YAML_MAPPING_NODE:
      return mapping(r, node, depth);
    default:
      return refuse(r, line, "this is nothing");
  }
}

/* Anchors, aliases, tags: other readers of the same file would have to know them. */
static bool is_simple(FILE *file, char why[256]) {
  yaml_parser_t parser;
  yaml_event_t event;
  bool good = true, end = false;
  yaml_parser_initialize(&parser);
  yaml_parser_set_input_file(&parser, file);
  while (good && !end && yaml_parser_parse(&parser, &event)) {
    size_t line = event.start_mark.line + 1;
    end = event.type == YAML_STREAM_END_EVENT;
    bool odd = event.type == YAML_ALIAS_EVENT;
    if (event.type == YAML_SCALAR_EVENT) {
      odd = event.data.scalar.anchor != NULL || event.data.scalar.tag != NULL;
    } else if (event.type == YAML_MAPPING_START_EVENT) {
      odd = event.data.mapping_start.anchor != NULL || event.data.mapping_start.tag != NULL;
    } else if (event.type == YAML_SEQUENCE_START_EVENT) {
      odd = event.data.sequence_start.anchor != NULL || event.data.sequence_start.tag != NULL;
    }
    if (odd) snprintf(why, 256, "line %zu: anchors, aliases and tags are not taken", line);
    good = !odd;
    yaml_event_delete(&event);
  }
  if (good && !end) {
    snprintf(why, 256, "line %zu: %.200s", parser.problem_mark.line + 1,
             parser.problem != NULL ? parser.problem : "this is no YAML");
  }
  yaml_parser_delete(&parser);
  rewind(file);
  return good && end;
}

json_object *conf_yaml_load(const char *path, char why[256]) {
  yaml_parser_t parser;
  reader r = {.why = why};
  json_object *list = NULL;
  bool null = false;
  why[0] = '\0';
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    snprintf(why, 256, "line 0: %s", strerror(errno));
    return NULL;
  }
  if (is_simple(file, why)) {
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &r.document)) {
      if (yaml_document_get_root_node(&r.document) != NULL) list = convert(&r, 1, 0, &null);
      yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
  }
  fclose(file);
  if (list != NULL && !json_object_is_type(list, json_type_array)) {
    refuse(&r, 1, "a file is a list of scenarios");
    json_object_put(list);
    list = NULL;
  }
  if (list == NULL && why[0] == '\0') snprintf(why, 256, "line 1: the file is empty");
  return list;
}
