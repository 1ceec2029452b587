#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"

enum { FILE_MOST = 4096 };

void password_free(struct bytes *password) {
  if (password->data != NULL) explicit_bzero(password->data, password->len);
  bytes_free(password);
}

/* The first line, without its end. False, with a complaint, when it is no password. */
static bool first_line(const struct args *args, const char *from, struct bytes *text) {
  size_t len = strcspn(text->data, "\r\n");
  const char *fault = NULL;
  if (len == 0) fault = "is empty";
  if (memchr(text->data, '\0', text->len) != NULL) fault = "holds a NUL byte";
  if (fault != NULL) {
    input_error(args->verb->name, "the password from %s %s", from, fault);
    password_free(text);
    return false;
  }
  explicit_bzero(text->data + len, text->len - len);
  text->len = len;
  return true;
}

static bool from_file(const struct args *args, const char *path, struct bytes *out) {
  bool standard = strcmp(path, "-") == 0;
  int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  bool good = fd >= 0 && bytes_read_fd(fd, FILE_MOST, out);
  int why = errno;
  if (fd >= 0 && !standard) close(fd);
  if (good) return first_line(args, standard ? "standard input" : path, out);
  input_error(args->verb->name, "cannot read the password from %s: %s",
              standard ? "standard input" : path, strerror(why));
  return false;
}

/* ---- the terminal ---- */

static int terminal = -1;
static struct termios before;

static void restore_echo(void) {
  if (terminal >= 0) tcsetattr(terminal, TCSAFLUSH, &before);
}

/* Interrupted at the prompt: the echo comes back first. */
static void on_signal(int number) {
  restore_echo();
  signal(number, SIG_DFL);
  raise(number);
}

static bool ask(const char *prompt, struct bytes *out) {
  char line[1024];
  size_t len = 0;
  ssize_t n = 0;
  (void)!write(terminal, prompt, strlen(prompt));
  while (len < sizeof line - 1 && (n = read(terminal, line + len, 1)) == 1) {
    if (line[len] == '\n') break;
    len++;
  }
  (void)!write(terminal, "\n", 1);
  line[len] = '\0';
  *out = bytes_copy(line, len);
  explicit_bzero(line, sizeof line);
  return n == 1;
}

static bool open_terminal(void) {
  terminal = isatty(STDIN_FILENO) == 1 ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
  if (terminal >= 0 && tcgetattr(terminal, &before) != 0) {
    close(terminal);
    terminal = -1;
  }
  return terminal >= 0;
}

/* With echo off; closes the terminal. */
static bool ask_quietly(const char *prompt, bool twice, struct bytes *out, struct bytes *again) {
  struct termios quiet = before;
  quiet.c_lflag &= ~(tcflag_t)ECHO;
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  tcsetattr(terminal, TCSAFLUSH, &quiet);
  bool good = ask(prompt, out) && out->len > 0 && (!twice || ask("Once more: ", again));
  restore_echo();
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  close(terminal);
  terminal = -1;
  return good;
}

static bool from_terminal(const struct args *args, const char *prompt, bool twice,
                          struct bytes *out) {
  struct bytes again = {0};
  const char *fault = NULL;
  *out = (struct bytes){0};
  if (!ask_quietly(prompt, twice, out, &again)) {
    fault = "no password was given";
  } else if (twice && (again.len != out->len || memcmp(again.data, out->data, out->len) != 0)) {
    fault = "the two passwords differ";
  }
  password_free(&again);
  if (fault == NULL) return true;
  input_error(args->verb->name, "%s", fault);
  password_free(out);
  return false;
}

bool password_read(const struct args *args, const char *flag, const char *const *variables,
                   const char *prompt, bool twice, struct bytes *out) {
  const char *path = args_text(args, flag);
  if (path != NULL) return from_file(args, path, out);
  for (const char *const *name = variables; *name != NULL; name++) {
    const char *value = getenv(*name);
    if (value == NULL || *value == '\0') continue;
    *out = bytes_copy(value, strlen(value));
    return true;
  }
  if (open_terminal()) return from_terminal(args, prompt, twice, out);
  char names[128] = "";
  for (const char *const *name = variables; *name != NULL; name++) {
    size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s$%s", n > 0 ? " or " : "", *name);
  }
  input_error(args->verb->name, "a password is needed: %s FILE, %s, or a terminal to ask on", flag,
              names);
  return false;
}
