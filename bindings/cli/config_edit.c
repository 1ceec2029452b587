#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "config_app.h"
#include "process.h"
#include "report.h"

static const char what[] = "config edit";

#define MOST_BYTES ((size_t)64 << 20)

/* A value while it is edited. */
struct draft {
  const char *application;
  const char *key;
  char path[4096];
  struct bytes before;
  struct bytes after;
  int64_t version; /* 0: the layer has none */
  bool keeps;      /* the file stays */
};

/* While the editor runs, Ctrl-C is its own. Before the client is opened. */
static sigset_t old_mask;

static void block_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGQUIT);
  sigprocmask(SIG_BLOCK, &set, &old_mask);
}

static void unblock_signals(void) {
  const struct timespec at_once = {0};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGQUIT);
  while (sigtimedwait(&set, NULL, &at_once) > 0) continue;
  sigprocmask(SIG_SETMASK, &old_mask, NULL);
}

/* ---- what is there ---- */

/* That of the layers beneath, to begin with. */
static int read_beneath(struct config_app *app, struct draft *draft) {
  coord_error *err = NULL;
  char *json = NULL;
  coord_code code = coord_config_get(app->config, draft->key, &json, NULL, &err);
  int exit_code = CLI_FINE;
  if (code == COORD_OK) {
    draft->before = bytes_copy(json, strlen(json));
  } else if (code == COORD_NOT_FOUND) {
    draft->before = bytes_copy("", 0);
  } else {
    exit_code = call_error(what, code, err);
  }
  coord_memory_free(json);
  coord_error_free(err);
  return exit_code;
}

/* From the server itself, also what is no JSON: it is to be mended. */
static int read_value(struct config_app *app, struct draft *draft) {
  coord_result *result = NULL;
  coord_kv kv;
  int code = config_call(app, coord_op_config_get(app->config, draft->key), &result);
  if (code == CLI_FINE && coord_result_kv(result, 0, &kv) == COORD_OK) {
    draft->before = bytes_copy(kv.value, kv.value_len);
    draft->version = kv.mod_revision;
  } else if (code == CLI_FINE) {
    code = read_beneath(app, draft);
  }
  coord_result_free(result);
  return code;
}

/* ---- the file ---- */

static int file_error(const char *path, const char *did) {
  complain(what, "IO", "cannot %s %s: %s", did, path, strerror(errno));
  return CLI_OTHER;
}

/* mkstemps makes it for this user alone. */
static int write_file(struct draft *draft) {
  const char *folder = getenv("TMPDIR");
  if (folder == NULL || *folder == '\0') folder = "/tmp";
  int n = snprintf(draft->path, sizeof draft->path, "%s/coord-config-XXXXXX.json", folder);
  if (n >= (int)sizeof draft->path) {
    draft->path[0] = '\0';
    return input_error(what, "TMPDIR is too long");
  }
  int fd = mkstemps(draft->path, 5);
  FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (file == NULL) {
    int code = file_error(draft->path, "create");
    if (fd >= 0) close(fd);
    if (fd < 0) draft->path[0] = '\0';
    return code;
  }
  const struct bytes *text = &draft->before;
  fwrite(text->data, 1, text->len, file);
  if (text->len > 0 && text->data[text->len - 1] != '\n') fputc('\n', file);
  bool ok = ferror(file) == 0;
  if (fclose(file) == 0 && ok) return CLI_FINE;
  return file_error(draft->path, "write");
}

static int read_file(struct draft *draft) {
  int fd = open(draft->path, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0 && bytes_read_fd(fd, MOST_BYTES, &draft->after);
  int code = ok ? CLI_FINE : file_error(draft->path, "read");
  if (fd >= 0) close(fd);
  return code;
}

/* With one line end less, which write_file added or the editor did. */
static size_t length(const struct bytes *text) {
  return text->len > 0 && text->data[text->len - 1] == '\n' ? text->len - 1 : text->len;
}

static bool is_changed(const struct draft *draft) {
  return length(&draft->before) != length(&draft->after) ||
         memcmp(draft->before.data, draft->after.data, length(&draft->after)) != 0;
}

static void keep_file(struct draft *draft) {
  draft->keeps = true;
  fprintf(stderr, "The text is in %s.\n", draft->path);
}

/* ---- the editor ---- */

/* The variable may hold flags too, as "code --wait" does. */
static int run_editor(const char *path) {
  const char *editor = getenv("VISUAL");
  char script[1024], shell[] = "sh", flag[] = "-c", name[] = "coord";
  char *argv[] = {shell, flag, script, name, (char *)path, NULL};
  int status = 0;
  if (editor == NULL || *editor == '\0') editor = getenv("EDITOR");
  if (editor == NULL || *editor == '\0') editor = "vi";
  if (snprintf(script, sizeof script, "%s \"$1\"", editor) >= (int)sizeof script) {
    return input_error(what, "the variable VISUAL or EDITOR is too long");
  }
  pid_t pid = process_start(what, argv, NULL, &old_mask);
  if (pid < 0) {
    complain(what, "IO", "cannot start a process: %s", strerror(errno));
    return CLI_OTHER;
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (process_exit_code(status) == 0) return CLI_FINE;
  complain(what, "EDITOR", "\"%s\" ended with exit code %d", editor, process_exit_code(status));
  return CLI_OTHER;
}

/* ---- writing ---- */

static int write_value(struct config_app *app, struct draft *draft) {
  coord_result *result = NULL;
  int code = config_call(
      app, coord_op_config_set(app->config, draft->key, draft->after.data, draft->version),
      &result);
  if (code == CLI_FINE && cli.json) {
    printf("{\"version\":%" PRId64 "}\n", coord_result_revision(result));
  } else if (code == CLI_FINE) {
    printf("%" PRId64 "\n", coord_result_revision(result));
  }
  coord_result_free(result);
  if (code == CLI_CONFLICT) {
    fprintf(stderr, "Somebody else changed it meanwhile: see \"coord config get %s %s\".\n",
            draft->application, draft->key);
  }
  return code;
}

static int edit(struct config_app *app, struct draft *draft) {
  int code = read_value(app, draft);
  if (code == CLI_FINE) code = write_file(draft);
  if (code != CLI_FINE) return code;
  code = run_editor(draft->path);
  unblock_signals();
  int read_code = read_file(draft);
  if (code == CLI_FINE) code = read_code;
  bool changed = read_code != CLI_FINE || is_changed(draft);
  if (code == CLI_FINE && !changed) {
    remark("It is as it was; nothing is written.");
    return CLI_FINE;
  }
  if (code == CLI_FINE) code = config_check(what, "what was edited", &draft->after);
  if (code == CLI_FINE) code = write_value(app, draft);
  if (code != CLI_FINE && changed) keep_file(draft);
  return code;
}

int config_edit(const struct args *args, char **words) {
  struct draft draft = {.application = words[0], .key = words[1]};
  struct config_app app = {0};
  block_signals();
  int code = config_open(args, what, words[0], true, &app);
  if (code == CLI_FINE) code = edit(&app, &draft);
  if (draft.path[0] != '\0' && !draft.keeps) unlink(draft.path);
  config_close(&app);
  bytes_free(&draft.before);
  bytes_free(&draft.after);
  return code;
}
