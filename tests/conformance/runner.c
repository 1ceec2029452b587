/* The conformance scenarios in C: conformance_c [FILE...] [--only NAME]. README.md has the rules. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/check.h"
#include "conformance/run.h"

static int failed;
static char version[32]; /* of etcd; "": there is none, and why_none says why */
static char why_none[256];

/* ---- conformance_etcd ---- */

static const char *place(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : otherwise;
}

static pid_t start_server(run *r) {
  int to[2], from[2];
  char path[512], line[256] = "";
  snprintf(path, sizeof path, "%s/conformance_etcd",
           place("COORD_CONFORMANCE_BIN", CONFORMANCE_BIN));
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) abort();
  pid_t pid = fork();
  if (pid == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    execl(path, path, (char *)NULL);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  r->to_server = fdopen(to[1], "w");
  r->from_server = fdopen(from[0], "r");
  if (fgets(line, sizeof line, r->from_server) == NULL) snprintf(line, sizeof line, "nothing");
  if (sscanf(line, "ok %31s", version) != 1) {
    line[strcspn(line, "\n")] = '\0';
    snprintf(why_none, sizeof why_none, "%s", line);
  }
  return pid;
}

static void end_server(run *r, pid_t pid) {
  char line[1024];
  int status = 0, before = failed;
  fclose(r->to_server);
  while (fgets(line, sizeof line, r->from_server) != NULL) {
    if (strncmp(line, "not ok", 6) != 0) continue;
    printf("# conformance_etcd: %s", line);
    failed++;
  }
  fclose(r->from_server);
  waitpid(pid, &status, 0);
  if (status != 0 && failed == before && version[0] != '\0') {
    printf("# conformance_etcd: it ended with %d\n", status);
    failed++;
  }
}

static bool begin(run *r, char endpoint[64], char door[64]) {
  char line[256] = "nothing";
  fputs("begin\n", r->to_server);
  fflush(r->to_server);
  if (fgets(line, sizeof line, r->from_server) != NULL &&
      sscanf(line, "ok %63s %63s", endpoint, door) == 2) {
    return true;
  }
  return run_fail(r, "conformance_etcd said: %s", line);
}

/* ---- scenarios ---- */

static const char *text(json_object *map, const char *name) {
  return json_object_get_string(run_member(map, name));
}

/* Why this one is not for here; NULL when it is. */
static const char *reason_to_skip(json_object *needs) {
  const char *wire = text(needs, "wire"), *etcd = text(needs, "etcd");
  int major = 0, minor = 0, has_major = 0, has_minor = 0;
  if (wire != NULL && strcmp(wire, place("COORD_TEST_WIRE", "grpc")) != 0)
    return text(needs, "why");
  if (etcd == NULL) return NULL;
  sscanf(etcd, "%d.%d", &major, &minor);
  sscanf(version, "%d.%d", &has_major, &has_minor);
  bool enough = has_major > major || (has_major == major && has_minor >= minor);
  return enough ? NULL : text(needs, "why");
}

static void run_scenario(run *r, json_object *scenario) {
  char endpoint[64], door[64];
  int line = json_object_get_int(run_member(scenario, "line"));
  const char *skip = version[0] == '\0' ? why_none : reason_to_skip(run_member(scenario, "needs"));
  if (skip != NULL) {
    bool missing = version[0] == '\0' && strncmp(skip, "skip", 4) != 0;
    printf("%s %s: %s\n", missing ? "not ok" : "skip", text(scenario, "name"), skip);
    failed += missing;
    return;
  }
  r->why[0] = '\0';
  r->endpoint = endpoint;
  r->door = door;
  r->variables = json_object_new_object();
  bool good = begin(r, endpoint, door);
  json_object *steps = run_member(scenario, "steps");
  for (size_t i = 0; good && i < json_object_array_length(steps); i++) {
    json_object *step = json_object_array_get_idx(steps, i);
    line = json_object_get_int(run_member(step, "line"));
    good = step_run(r, step);
  }
  step_free_all(r);
  json_object_put(r->variables);
  if (good) {
    printf("ok %s\n", text(scenario, "name"));
  } else {
    printf("not ok %s: %s:%d: %s\n", text(scenario, "name"), text(scenario, "file"), line, r->why);
    failed++;
  }
  fflush(stdout);
}

static int run_file(run *r, const char *path, const char *only) {
  json_object *list = conf_load(path);
  int count = 0;
  if (list == NULL) {
    printf("not ok %s: it is not well-formed\n", path);
    failed++;
  }
  for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
    json_object *scenario = json_object_array_get_idx(list, i);
    if (only != NULL && strcmp(only, text(scenario, "name")) != 0) continue;
    run_scenario(r, scenario);
    count++;
  }
  json_object_put(list);
  return count;
}

static int run_all(run *r, const char *only) {
  char folder[512], path[1024];
  struct dirent **names = NULL;
  snprintf(folder, sizeof folder, "%s/scenarios", place("COORD_CONFORMANCE_DIR", CONFORMANCE_DIR));
  int n = scandir(folder, &names, NULL, alphasort), count = 0;
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
    if (strstr(path, ".yaml") != NULL) count += run_file(r, path, only);
    free(names[i]);
  }
  free(names);
  return count;
}

int main(int argc, char **argv) {
  static run r;
  const char *only = NULL;
  int count = 0, files = 0;
  pid_t pid = start_server(&r);
  for (int i = 1; i + 1 < argc; i++) {
    if (strcmp(argv[i], "--only") == 0) only = argv[i + 1];
  }
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--only") == 0) {
      i++;
    } else {
      count += run_file(&r, argv[i], only);
      files++;
    }
  }
  if (files == 0) count = run_all(&r, only);
  end_server(&r, pid);
  if (count == 0) fprintf(stderr, "there is no such scenario\n");
  return failed == 0 && count > 0 ? 0 : 1;
}
