#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "print.h"
#include "progress.h"
#include "report.h"
#include "server.h"

/* How long CMD may take to end after a signal that was passed on to it. */
#define GRACE_S 10

static void introduce(const struct server *server) {
  if (cli.json) {
    printf("{\"endpoints\":\"%s\",\"pid\":%d,\"etcd_pid\":%d,\"version\":\"%s\",", server->endpoint,
           (int)getpid(), (int)server->pid, server->version);
    print_json_bytes("directory", server->directory, strlen(server->directory));
    putchar(',');
    print_json_bytes("etcd", server->etcd, strlen(server->etcd));
    puts("}");
    return;
  }
  printf("etcd %s is ready at %s%s%s (process %d, directory %s)\n\n", server->version,
         paint_out(PAINT_BOLD), server->endpoint, paint_out(PAINT_OFF), (int)server->pid,
         server->directory);
  printf(
      "  export COORD_ENDPOINTS=%s\n"
      "  coord put hello world\n"
      "  coord get hello\n\n",
      server->endpoint);
  puts("It and its data are removed when this command ends: Ctrl-C.");
}

static int etcd_died(const struct server *server) {
  complain("dev", "UNAVAILABLE", "etcd ended by itself (%s %d); the end of its log:",
           WIFSIGNALED(server->ended_with) ? "signal" : "exit code",
           WIFSIGNALED(server->ended_with) ? WTERMSIG(server->ended_with)
                                           : WEXITSTATUS(server->ended_with));
  server_print_log(server);
  return CLI_OTHER;
}

/* Until a signal ends it, which is how it is meant to end. */
static int stay(struct server *server) {
  introduce(server);
  if (!output_flushed("dev")) return CLI_OTHER;
  for (;;) {
    int signal = server_wait(server, -1, NULL);
    if (signal != 0 && signal != SIGCHLD) return CLI_FINE;
    if (server->pid == 0) return etcd_died(server);
  }
}

static pid_t spawn(const struct server *server, char **argv) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid != 0) return pid;
  server_child_setup(server, SIGTERM, parent);
  close(server->guard_pipe);
  execvp(argv[0], argv);
  int why = errno;
  dprintf(STDERR_FILENO, "coord: dev: cannot run %s: %s (COMMAND)\n", argv[0], strerror(why));
  _exit(why == ENOENT ? 127 : 126);
}

static int accompany(struct server *server, pid_t child) {
  int status = 0;
  bool told = false;
  double limit = 0;
  for (;;) {
    pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (server->pid == 0 && !told) {
      etcd_died(server);
      told = true;
    }
    siginfo_t info;
    int signal = server_wait(server, limit > 0 ? 100 : -1, &info);
    if (signal != 0 && signal != SIGCHLD) {
      /* One that the terminal sent has reached CMD as well, which decides what it means. */
      if (info.si_code == SI_KERNEL) continue;
      kill(child, signal);
      if (limit == 0) limit = now_s() + GRACE_S;
    }
    if (limit > 0 && now_s() > limit) kill(child, SIGKILL);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_command(struct server *server, char **argv) {
  if (setenv("COORD_ENDPOINTS", server->endpoint, 1) != 0) {
    complain("dev", "NO_MEMORY", "memory is exhausted");
    return CLI_OTHER;
  }
  pid_t child = spawn(server, argv);
  if (child > 0) return accompany(server, child);
  complain("dev", "IO", "cannot start a process: %s", strerror(errno));
  return CLI_OTHER;
}

static const char **extra_flags(const struct args *args) {
  const char **out = must_alloc((size_t)args->flag_count + 1, sizeof *out);
  size_t n = 0;
  for (int i = 0; i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, "--etcd-arg") == 0) out[n++] = args->flags[i].value;
  }
  return out;
}

static int run(const struct args *args) {
  struct server *server = NULL;
  int signal = 0;
  if (args->count > 0 && args->tail != 0) {
    return usage_error("dev", "the command goes behind --: coord dev -- %s ...", args->words[0]);
  }
  if (args->tail == 0 && args->count == 0) {
    return usage_error("dev", "there is no command behind --");
  }
  server = must_alloc(1, sizeof *server);
  int code = server_find(server, args_text(args, "--etcd"));
  if (code == CLI_FINE) code = server_prepare(server);
  if (code == CLI_FINE) {
    const char **extra = extra_flags(args);
    code = server_start(server, extra, &signal);
    if (code == CLI_FINE && signal != 0) {
      code = args->count > 0 ? 128 + signal : CLI_FINE;
    } else if (code == CLI_FINE) {
      code = args->count > 0 ? run_command(server, args->words) : stay(server);
    }
    free(extra);
    server_stop(server);
  }
  free(server);
  return code;
}

static const struct flag flags[] = {
    {"--etcd", "PATH", "the etcd program; else $COORD_TEST_ETCD, else the one on PATH"},
    {"--etcd-arg", "ARG",
     "one more argument for etcd, such as --max-txn-ops=1000; may be\n"
     "repeated"},
    {0}};

const struct verb verb_dev = {
    .name = "dev",
    .usage = "[FLAGS] [-- CMD [ARG...]]",
    .summary = "start a throwaway etcd, for a try or for a test",
    .text =
        "Starts an etcd on free ports of 127.0.0.1, with its data in a temporary directory. When\n"
        "it takes writes, either prints how to reach it and stays until Ctrl-C (or SIGTERM), or\n"
        "runs CMD with COORD_ENDPOINTS set and ends with CMD's exit code (128 + N when signal N\n"
        "ended it, 127 when there is no such program). SIGTERM is passed on to CMD, which then\n"
        "has 10 s. etcd and the directory are removed in every case, also after kill -9.\n"
        "With --json, how to reach it is one object: endpoints, pid (of coord dev), etcd_pid,\n"
        "version, directory, etcd.",
    .flags = flags,
    .examples =
        "  $ coord dev -- coord put hello world\n"
        "  $ coord dev -- sh -c 'coord put a 1 && coord get a && coord status'\n",
    .run = run,
};
