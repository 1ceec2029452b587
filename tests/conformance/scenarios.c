/*
 * conformance_scenarios FILE...            each scenario as one line of JSON
 * conformance_scenarios --verbs            the table of verbs for README.md
 * conformance_scenarios --test DIR         test cases: what stands in DIR is in order
 * conformance_scenarios --must-fail FILE RUNNER...  test cases: the runner finds all of the file wrong
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/check.h"
#include "conformance/verbs.h"

static int print_scenarios(int count, char **files) {
  json_object *names = json_object_new_object();
  int status = count > 0 ? 0 : 2;
  for (int i = 0; i < count; i++) {
    json_object *list = conf_load(files[i]);
    if (list == NULL) status = 1;
    for (size_t k = 0; list != NULL && k < json_object_array_length(list); k++) {
      json_object *scenario = json_object_array_get_idx(list, k);
      const char *name = json_object_get_string(json_object_object_get(scenario, "name"));
      if (json_object_object_get_ex(names, name, NULL)) {
        fprintf(stderr, "%s: another file has a scenario %s\n", files[i], name);
        status = 1;
      }
      json_object_object_add(names, name, NULL);
      puts(json_object_to_json_string_ext(scenario, JSON_C_TO_STRING_NOSLASHESCAPE));
    }
    json_object_put(list);
  }
  json_object_put(names);
  return status;
}

/* "| put | o c | key bytes, [value bytes] | revision |" */
static void row(const conf_verb *verb, char *text, size_t size) {
  conf_arg arg;
  const char *at = verb->args, *comma = "";
  bool operation = conf_verb_is(verb, 'o') && strstr(verb->args, "of:") == NULL;
  const char *more = operation ? "c" : "";
  size_t n = (size_t)snprintf(text, size, "| %s | %s%s | ", verb->name, verb->flags, more);
  while (conf_next_arg(&at, &arg)) {
    for (char *p = arg.type; *p != '\0'; p++) {
      if (*p == '|') *p = '/';
      if (*p == '-') *p = ' ';
    }
    n += (size_t)snprintf(text + n, size - n, arg.optional ? "%s[%s %s]" : "%s%s %s", comma,
                          arg.name, arg.type);
    comma = ", ";
  }
  snprintf(text + n, size - n, " | %s |", verb->fields);
}

static void print_verbs(void) {
  char text[1024];
  for (size_t i = 0; i < conf_verb_count; i++) {
    row(&conf_verbs[i], text, sizeof text);
    puts(text);
  }
}

/* ---- test cases ---- */

static int failed;

static void tell(bool good, const char *name, const char *why) {
  printf(good ? "ok %s\n" : "not ok %s: %s\n", name, why);
  if (!good) failed++;
}

static char *file_text(const char *path) {
  FILE *file = fopen(path, "r");
  char *text = calloc(1, 1 << 18);
  if (file != NULL && text != NULL) (void)!fread(text, 1, (1 << 18) - 1, file);
  if (file != NULL) fclose(file);
  return text;
}

static void readme_has_the_verbs(const char *dir) {
  char path[512], text[1024], why[1200] = "";
  snprintf(path, sizeof path, "%s/README.md", dir);
  char *readme = file_text(path);
  for (size_t i = 0; i < conf_verb_count && why[0] == '\0'; i++) {
    row(&conf_verbs[i], text, sizeof text);
    if (strstr(readme, text) == NULL) snprintf(why, sizeof why, "it lacks the line %s", text);
  }
  free(readme);
  tell(why[0] == '\0', "readme_has_the_verbs", why);
}

/* What conf_load says on stderr about a file. */
static bool load_and_listen(const char *path, char *said, size_t size) {
  FILE *file = tmpfile();
  int before = dup(2);
  fflush(stderr);
  dup2(fileno(file), 2);
  json_object *list = conf_load(path);
  fflush(stderr);
  dup2(before, 2);
  close(before);
  rewind(file);
  said[fread(said, 1, size - 1, file)] = '\0';
  fclose(file);
  json_object_put(list);
  return list != NULL;
}

/* The first line of a file that is wrong says "# LINE: part of what is told". */
static void check_file(const char *dir, const char *name, bool bad) {
  char path[512], said[4096], wanted[256] = "", expected[300], why[4600];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  bool good = load_and_listen(path, said, sizeof said);
  said[strcspn(said, "\n")] = '\0';
  if (!bad) {
    tell(good, name, said);
    return;
  }
  char *text = file_text(path);
  snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(text, "\n"), text);
  free(text);
  snprintf(expected, sizeof expected, "%s:%s", name, wanted[0] == '#' ? wanted + 2 : "?");
  snprintf(why, sizeof why, "expected %s, not %s", expected, good ? "that it is good" : said);
  tell(strstr(said, expected) != NULL, name, why);
}

static void check_folder(const char *dir, const char *folder, bool bad) {
  char path[512];
  struct dirent **names = NULL;
  snprintf(path, sizeof path, "%s/%s", dir, folder);
  int n = scandir(path, &names, NULL, alphasort);
  if (n < 3) tell(false, folder, "nothing is in it");
  for (int i = 0; i < n; i++) {
    if (strstr(names[i]->d_name, ".yaml") != NULL) check_file(path, names[i]->d_name, bad);
    free(names[i]);
  }
  free(names);
}

static const char *name_of(json_object *scenario) {
  return json_object_get_string(json_object_object_get(scenario, "name"));
}

/* "FILE:LINE: " of its last step, where each scenario that must fail is wrong. */
static void place_of_fault(json_object *scenario, char *text, size_t size) {
  json_object *steps = json_object_object_get(scenario, "steps");
  json_object *last = json_object_array_get_idx(steps, json_object_array_length(steps) - 1);
  snprintf(text, size, "%s:%d: ", json_object_get_string(json_object_object_get(scenario, "file")),
           json_object_get_int(json_object_object_get(last, "line")));
}

/* What a runner has said of one scenario, turned round. */
static void turn_round(json_object *scenario, const char *line) {
  char place[600];
  const char *name = name_of(scenario), *why = strchr(line, ':');
  if (strncmp(line, "skip ", 5) == 0) {
    fputs(line, stdout);
  } else if (strncmp(line, "ok ", 3) == 0) {
    tell(false, name, "the runner finds nothing wrong with it");
  } else {
    place_of_fault(scenario, place, sizeof place);
    bool right = why != NULL && strncmp(why + 2, place, strlen(place)) == 0;
    tell(right, name, right ? "" : "the runner finds something else wrong with it");
    if (!right) printf("# %s", line);
  }
}

/* The scenario that a line is about, which is taken out of the list; NULL: it is about none. */
static json_object *taken_out(json_object *list, const char *line) {
  char name[128];
  if (sscanf(line, "not ok %127[^: \n]", name) != 1 && sscanf(line, "ok %127[^: \n]", name) != 1 &&
      sscanf(line, "skip %127[^: \n]", name) != 1) {
    return NULL;
  }
  for (size_t i = 0; i < json_object_array_length(list); i++) {
    json_object *scenario = json_object_array_get_idx(list, i);
    if (strcmp(name_of(scenario), name) != 0) continue;
    json_object_get(scenario);
    json_object_array_del_idx(list, i, 1);
    return scenario;
  }
  return NULL;
}

/* A runner must say of every scenario of a file that it fails, once and where; and end so. */
static void must_fail(const char *file, int count, char **runner) {
  char command[2048] = "", line[4096];
  json_object *list = conf_load(file);
  bool skipped = false;
  if (list == NULL) {
    tell(false, "must_fail", "it is not well-formed");
    return;
  }
  for (int i = 0; i < count; i++) {
    size_t n = strlen(command);
    snprintf(command + n, sizeof command - n, "'%s' ", runner[i]);
  }
  size_t used = strlen(command);
  snprintf(command + used, sizeof command - used, "'%s'", file);
  FILE *output = popen(command, "r");
  while (output != NULL && fgets(line, sizeof line, output) != NULL) {
    json_object *scenario = taken_out(list, line);
    if (scenario != NULL) {
      turn_round(scenario, line);
    } else {
      fputs(line, stdout);
      failed += strncmp(line, "not ok ", 7) == 0;
    }
    skipped = skipped || strncmp(line, "skip ", 5) == 0;
    json_object_put(scenario);
  }
  bool failing = output != NULL && pclose(output) != 0;
  for (size_t i = 0; !skipped && i < json_object_array_length(list); i++) {
    tell(false, name_of(json_object_array_get_idx(list, i)), "the runner says nothing of it");
  }
  if (!skipped) tell(failing, "exit_status", "the runner ends as if nothing had failed");
  json_object_put(list);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--verbs") == 0) {
    print_verbs();
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "--test") == 0) {
    readme_has_the_verbs(argv[2]);
    check_file(argv[2], "must_fail.yaml", false);
    check_folder(argv[2], "scenarios", false);
    check_folder(argv[2], "bad", true);
    return failed == 0 ? 0 : 1;
  }
  if (argc >= 4 && strcmp(argv[1], "--must-fail") == 0) {
    must_fail(argv[2], argc - 3, argv + 3);
    return failed == 0 ? 0 : 1;
  }
  return print_scenarios(argc - 1, argv + 1);
}
