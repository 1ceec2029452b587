#include "base/options_file.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

enum {
  FILE_BYTES_MAX = 262144,
  DEPTH_MAX = 16,
  NAME_MAX_BYTES = 128,
  NAMES_SHOWN = 200 /* bytes of section names in a message */
};

typedef struct loader {
  yaml_parser_t parser;
  yaml_event_t event; /* the current one */
  const char *path;
  const char *section;
  const coord__buf *text;
  coord_options *options;
  coord_error **err;
  bool exposed; /* every user of the machine can read the file */
  bool found;
  bool found_defaults;
  char names[NAMES_SHOWN]; /* of the sections */
  /* Of the section being read: */
  coord__source source;
  bool seen[COORD__OPTION_COUNT];
} loader;

/* ---- errors ---- */

static coord_code refuse_at(loader *l, yaml_mark_t mark, coord_code code, const char *why) {
  return coord__fail(l->err, code, "options file \"%.200s\", line %zu, column %zu: %s", l->path,
                     mark.line + 1, mark.column + 1, why);
}

static coord_code refuse(loader *l, const char *why) {
  return refuse_at(l, l->event.start_mark, COORD_INVALID, why);
}

/* Where a byte is that is no UTF-8: libyaml tells its offset alone. */
static yaml_mark_t mark_of(const loader *l, size_t offset) {
  yaml_mark_t mark = {.index = offset};
  for (size_t i = 0; i < offset && i < l->text->len; i++) {
    mark.column++;
    if (l->text->data[i] != '\n') continue;
    mark.line++;
    mark.column = 0;
  }
  return mark;
}

static coord_code syntax_error(loader *l) {
  const yaml_parser_t *p = &l->parser;
  char why[200];
  if (p->error == YAML_MEMORY_ERROR) return coord__no_memory(l->err);
  yaml_mark_t mark = p->problem_mark;
  if (p->error == YAML_READER_ERROR) mark = mark_of(l, p->problem_offset);
  snprintf(why, sizeof why, "this is no YAML in UTF-8: %s",
           p->problem != NULL ? p->problem : "it cannot be read");
  return refuse_at(l, mark, COORD_INVALID, why);
}

/* ---- events ---- */

static const yaml_char_t *anchor_of(const yaml_event_t *e) {
  switch (e->type) {
    case YAML_SCALAR_EVENT:
      return e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
      return e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
      return e->data.mapping_start.anchor;
    default:
      return NULL;
  }
}

static const yaml_char_t *tag_of(const yaml_event_t *e) {
  switch (e->type) {
    case YAML_SCALAR_EVENT:
      return e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
      return e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
      return e->data.mapping_start.tag;
    default:
      return NULL;
  }
}

static coord_code next(loader *l) {
  yaml_event_delete(&l->event);
  if (!yaml_parser_parse(&l->parser, &l->event)) return syntax_error(l);
  if (l->event.type == YAML_ALIAS_EVENT || anchor_of(&l->event) != NULL) {
    return refuse(l,
                  "anchors and aliases (& and *) are not taken; what all sections share stands "
                  "in the section defaults");
  }
  if (tag_of(&l->event) != NULL) return refuse(l, "tags (!) are not taken");
  return COORD_OK;
}

static const char *scalar(const loader *l) { return (const char *)l->event.data.scalar.value; }

static bool holds_nul(const loader *l) { return strlen(scalar(l)) != l->event.data.scalar.length; }

/* Nothing, or YAML's words for it. */
static bool is_null(const loader *l) {
  if (l->event.type != YAML_SCALAR_EVENT || l->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
    return false;
  }
  const char *text = scalar(l);
  return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* Pass over the value that begins with the current event. */
static coord_code skip(loader *l) {
  int depth = 0;
  for (;;) {
    if (l->event.type == YAML_MAPPING_START_EVENT || l->event.type == YAML_SEQUENCE_START_EVENT) {
      depth++;
    }
    if (l->event.type == YAML_MAPPING_END_EVENT || l->event.type == YAML_SEQUENCE_END_EVENT) {
      depth--;
    }
    if (depth > DEPTH_MAX) return refuse(l, "this is nested too deep");
    if (depth == 0) return COORD_OK;
    coord_code code = next(l);
    if (code != COORD_OK) return code;
  }
}

/* ---- options ---- */

static coord_code set_option(loader *l, const char *name, const char *value, yaml_mark_t mark) {
  coord__option id = coord__options_find(name);
  bool by_file = id == COORD__OPTION_COUNT;
  if (by_file) id = coord__options_find_by_file(name);
  char why[600];
  if (id != COORD__OPTION_COUNT && l->seen[id]) {
    snprintf(why, sizeof why, "option %s is set twice in this section", coord__options_name(id));
    return refuse_at(l, mark, COORD_INVALID, why);
  }
  coord_error *err = NULL;
  coord_code code = coord__options_set_from(l->options, l->source, name, value, &err);
  if (code != COORD_OK) {
    snprintf(why, sizeof why, "%s", coord_error_message(err));
    coord_error_free(err);
    if (code == COORD_NO_MEMORY) return coord__no_memory(l->err);
    return refuse_at(l, mark, code, why);
  }
  l->seen[id] = true;
  if (l->exposed && !by_file && coord__options_is_secret(id) && value[0] != '\0') {
    coord__options_expose(l->options, l->source, id);
  }
  return COORD_OK;
}

/* A list becomes text with commas; only endpoints are a list. */
static coord_code read_list(loader *l, const char *name, yaml_mark_t mark) {
  char why[NAME_MAX_BYTES + 64];
  if (coord__options_find(name) != COORD__OPTION_ENDPOINTS) {
    char shown[COORD__SHOWN];
    snprintf(why, sizeof why, "option %s takes one value, not a list",
             coord__show(shown, name, strlen(name)));
    return refuse_at(l, mark, COORD_INVALID, why);
  }
  coord__buf list = {0};
  coord_code code = next(l);
  while (code == COORD_OK && l->event.type != YAML_SEQUENCE_END_EVENT) {
    if (l->event.type != YAML_SCALAR_EVENT || is_null(l) || holds_nul(l)) {
      code = refuse(l, "option endpoints: this is no endpoint; expected host:port");
    } else if ((list.len > 0 && !coord__buf_append_str(&list, ",")) ||
               !coord__buf_append_str(&list, scalar(l))) {
      code = coord__no_memory(l->err);
    } else {
      code = next(l);
    }
  }
  if (code == COORD_OK && list.len == 0) {
    code = refuse_at(l, mark, COORD_INVALID, "option endpoints: the list is empty");
  }
  if (code == COORD_OK && !coord__buf_append(&list, "", 1)) code = coord__no_memory(l->err);
  if (code == COORD_OK) code = set_option(l, name, (char *)list.data, mark);
  coord__buf_free(&list);
  return code;
}

/* The name that the current key makes below `prefix`: "request.timeout" and "ms". */
static coord_code full_name(loader *l, const char *prefix, char out[NAME_MAX_BYTES]) {
  out[0] = '\0';
  if (l->event.type != YAML_SCALAR_EVENT) {
    return refuse(l, "the name of an option is expected here");
  }
  int n = snprintf(out, NAME_MAX_BYTES, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", scalar(l));
  if (n >= NAME_MAX_BYTES || holds_nul(l)) return refuse(l, "there is no option with such a name");
  return COORD_OK;
}

/* The options of a map, whose start is the current event; leaves its end. */
static coord_code read_options(loader *l, const char *prefix, int depth) {
  if (depth > DEPTH_MAX) return refuse(l, "this is nested too deep");
  coord_code code = next(l);
  while (code == COORD_OK && l->event.type != YAML_MAPPING_END_EVENT) {
    char name[NAME_MAX_BYTES];
    yaml_mark_t mark = l->event.start_mark;
    code = full_name(l, prefix, name);
    if (code == COORD_OK) code = next(l);
    if (code != COORD_OK) break;
    if (l->event.type == YAML_MAPPING_START_EVENT) {
      code = read_options(l, name, depth + 1);
    } else if (l->event.type == YAML_SEQUENCE_START_EVENT) {
      code = read_list(l, name, mark);
    } else if (holds_nul(l)) {
      code = refuse(l, "the value holds a NUL byte");
    } else {
      code = set_option(l, name, is_null(l) ? "" : scalar(l), mark);
    }
    if (code == COORD_OK) code = next(l);
  }
  return code;
}

/* ---- sections ---- */

static void note_name(loader *l, const char *name) {
  char shown[COORD__SHOWN];
  size_t used = strlen(l->names);
  snprintf(l->names + used, sizeof l->names - used, "%s%s", used > 0 ? ", " : "",
           coord__show(shown, name, strlen(name)));
}

/* A section, whose name is the current event; leaves its end. */
static coord_code read_section(loader *l) {
  if (l->event.type != YAML_SCALAR_EVENT)
    return refuse(l, "the name of a section is expected here");
  bool defaults = strcmp(scalar(l), "defaults") == 0;
  bool wanted = l->section != NULL && strcmp(scalar(l), l->section) == 0;
  note_name(l, scalar(l));
  if ((defaults && l->found_defaults) || (wanted && l->found)) {
    return refuse(l, "this section is there twice");
  }
  if (defaults) l->found_defaults = true;
  if (wanted) l->found = true;
  coord_code code = next(l);
  if (code != COORD_OK || is_null(l)) return code;
  if (l->event.type != YAML_MAPPING_START_EVENT) {
    return refuse(l,
                  "a section holds options; what all clients share stands in the section "
                  "defaults");
  }
  if (!defaults && !wanted) return skip(l);
  /* The section defaults may be asked for itself. */
  l->source = wanted ? COORD__SOURCE_FILE : COORD__SOURCE_FILE_DEFAULTS;
  memset(l->seen, 0, sizeof l->seen);
  return read_options(l, "", 1);
}

static coord_code read_sections(loader *l) {
  coord_code code = next(l);
  while (code == COORD_OK && l->event.type != YAML_MAPPING_END_EVENT) {
    code = read_section(l);
    if (code == COORD_OK) code = next(l);
  }
  return code;
}

static coord_code read_document(loader *l) {
  coord_code code = next(l); /* the stream */
  if (code == COORD_OK) code = next(l);
  if (code == COORD_OK && l->event.type == YAML_DOCUMENT_START_EVENT) code = next(l);
  if (code != COORD_OK) return code;
  if (l->event.type == YAML_STREAM_END_EVENT || is_null(l)) {
    return coord__fail(l->err, COORD_INVALID, "options file \"%.200s\" is empty", l->path);
  }
  if (l->event.type != YAML_MAPPING_START_EVENT) {
    return refuse(l, "expected sections of options, such as \"defaults:\"");
  }
  code = read_sections(l);
  if (code == COORD_OK) code = next(l); /* the end of the document */
  if (code == COORD_OK) code = next(l);
  if (code == COORD_OK && l->event.type != YAML_STREAM_END_EVENT) {
    code = refuse(l, "a second document begins here; an options file is one");
  }
  return code;
}

static coord_code check_found(loader *l) {
  char shown[COORD__SHOWN];
  if (l->section != NULL && !l->found) {
    return coord__fail(l->err, COORD_INVALID,
                       "options file \"%.200s\" has no section \"%s\"; it has %s", l->path,
                       coord__show(shown, l->section, strlen(l->section)),
                       l->names[0] != '\0' ? l->names : "none");
  }
  if (l->section == NULL && !l->found_defaults) {
    return coord__fail(
        l->err, COORD_INVALID,
        "options file \"%.200s\" has no section \"defaults\", and no other was asked "
        "for; it has %s",
        l->path, l->names[0] != '\0' ? l->names : "none");
  }
  return COORD_OK;
}

static coord_code load(loader *l) {
  if (!yaml_parser_initialize(&l->parser)) return coord__no_memory(l->err);
  yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&l->parser, l->text->data, l->text->len);
  coord_code code = read_document(l);
  yaml_event_delete(&l->event);
  yaml_parser_delete(&l->parser);
  return code == COORD_OK ? check_found(l) : code;
}

coord_code coord__options_load(coord_options *o, const char *path, const char *section,
                               coord_error **err) {
  if (section != NULL && section[0] == '\0') section = NULL;
  coord__buf text = {0};
  loader l = {.path = path, .section = section, .text = &text, .err = err};
  coord_code code = coord__file_read("options", path, FILE_BYTES_MAX, &text, &l.exposed, err);
  if (code != COORD_OK) return code;
  if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) coord__buf_consume(&text, 3);
  l.options = coord__options_copy(o);
  code = l.options != NULL ? load(&l) : coord__no_memory(err);
  if (code == COORD_OK) {
    coord__options_take(o, l.options);
  } else {
    coord__options_free(l.options);
  }
  coord__buf_free(&text);
  return code;
}
