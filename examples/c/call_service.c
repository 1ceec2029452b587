/*
 * Call a service again and again, each time at the instance that a picker names. One that does not
 * answer is left out for a while, and the call goes to the next: nobody sees an error as long as one
 * instance answers. The instances speak HTTP, and were registered by "coord register" for example.
 */
#define _POSIX_C_SOURCE 200809L
#include <coord.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: call_service SERVICE [CALLS]\n"
    "\n"
    "Calls the instances of SERVICE in turn, CALLS times or until SIGTERM or Ctrl-C. Tells who\n"
    "comes and goes, and at the end how many calls each has served until the first one did not\n"
    "answer, and from then on. Ends with 1 when a call failed at all that were tried.";

enum { MOST = 64, TRIES = 5, PAUSE_MS = 10, LEAVE_OUT_MS = 1000, ANSWER_S = 5 };

typedef struct {
  char id[128];
  long before; /* calls that it served until an instance did not answer */
  long after;
  double silent_at; /* since when it does not answer; 0: it does */
} share;

typedef struct {
  const char *service;
  long calls; /* to do; 0: no end */
  coord_client *client;
  coord_registry *registry;
  coord_picker *picker;
  coord_discovery *discovery;
  coord_queue *queue;
  share shares[MOST];
  size_t count;
  bool lost;     /* one did not answer */
  long repeated; /* calls that went to another one then */
  long failed;
} work;

static bool complain(coord_code code, coord_error *err) {
  fprintf(stderr, "call_service: %s: %s\n", coord_code_name(code), coord_error_message(err));
  coord_error_free(err);
  return false;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool open_client(work *w) {
  const char *endpoints = getenv("COORD_ENDPOINTS");
  coord_options *options = NULL;
  coord_error *err = NULL;
  coord_code code = coord_options_new(&options);
  if (code == COORD_OK) {
    code = coord_options_set(options, "endpoints", endpoints ? endpoints : "", &err);
  }
  if (code == COORD_OK) code = coord_client_open(options, &w->client, &err);
  coord_options_free(options);
  return code == COORD_OK || complain(code, err);
}

static bool open_service(work *w) {
  coord_instances *instances = NULL;
  coord_error *err = NULL;
  coord_code code = coord_registry_open(w->client, NULL, &w->registry, &err);
  /* The first use reads the registry; from then on picks ask nobody. */
  if (code == COORD_OK)
    code = coord_registry_discover(w->registry, w->service, 0, &instances, &err);
  size_t count = coord_instances_count(instances);
  coord_instances_free(instances);
  if (code == COORD_OK && count == 0) {
    fprintf(stderr, "call_service: %s has no instance\n", w->service);
    return false;
  }
  if (code == COORD_OK) {
    code =
        coord_picker_open(w->registry, w->service, COORD_PICK_ROUND_ROBIN, NULL, &w->picker, &err);
  }
  if (code == COORD_OK) code = coord_queue_open(&w->queue, &err);
  if (code == COORD_OK) {
    code = coord_discovery_open(w->registry, w->service, w->queue, 0, &w->discovery, &err);
  }
  return code == COORD_OK || complain(code, err);
}

static share *share_of(work *w, const coord_instance *instance) {
  const char *id = coord_instance_id(instance);
  size_t i = 0;
  while (i < w->count && strcmp(w->shares[i].id, id) != 0) i++;
  if (i == w->count && i + 1 < MOST) { /* the last one stands for all that are too many */
    snprintf(w->shares[i].id, sizeof w->shares[i].id, "%s", id);
    w->count++;
  }
  return &w->shares[i];
}

/* ---- one call ---- */

static bool talk(int fd) {
  static const char request[] = "GET / HTTP/1.0\r\n\r\n";
  char answer[4096];
  size_t len = 0;
  ssize_t n = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
  if (n != (ssize_t)sizeof request - 1) return false;
  while ((n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0) len += (size_t)n;
  answer[len] = '\0';
  const char *body = strstr(answer, "\r\n\r\n");
  return n == 0 && strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0 &&
         body != NULL && body[4] != '\0';
}

static bool ask(const coord_instance *instance) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  const struct timeval patience = {.tv_sec = ANSWER_S};
  struct addrinfo *at = NULL;
  char port[16];
  snprintf(port, sizeof port, "%" PRId32, coord_instance_port(instance));
  if (getaddrinfo(coord_instance_address(instance), port, &hints, &at) != 0) return false;
  int fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
  bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
              setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
              connect(fd, at->ai_addr, at->ai_addrlen) == 0 && talk(fd);
  if (fd >= 0) close(fd);
  freeaddrinfo(at);
  return good;
}

static void note(work *w, const coord_instance *instance, bool good) {
  share *s = share_of(w, instance);
  if (good) {
    s->silent_at = 0;
    *(w->lost ? &s->after : &s->before) += 1;
    return;
  }
  w->lost = true;
  if (s->silent_at == 0) {
    s->silent_at = now_s();
    printf("%s does not answer; its calls go to others\n", s->id);
  }
}

/* A GET changes nothing, and may be repeated elsewhere. */
static bool call(work *w) {
  for (int i = 0; i < TRIES; i++) {
    coord_instance *instance = NULL;
    coord_code code = coord_picker_pick(w->picker, NULL, 0, &instance);
    if (code != COORD_OK) {
      fprintf(stderr, "call_service: %s: no instance of %s to call\n", coord_code_name(code),
              w->service);
      return false;
    }
    bool good = ask(instance);
    if (!good) coord_instance_failed(instance, LEAVE_OUT_MS);
    note(w, instance, good);
    coord_instance_free(instance);
    if (good) return true;
    w->repeated++;
  }
  fprintf(stderr, "call_service: %d instances in turn did not answer\n", TRIES);
  return false;
}

/* ---- all of them ---- */

static void tell(work *w, const coord_event *event) {
  for (size_t i = 0; i < coord_event_count(event); i++) {
    int32_t change = 0;
    const coord_instance *instance = coord_event_instance(event, i, &change);
    const share *s = share_of(w, instance);
    if (change == COORD_INSTANCE_DOWN && s->silent_at > 0) {
      printf("%s is gone, %.2f s after it did not answer\n", s->id, now_s() - s->silent_at);
    } else {
      printf("%s is %s\n", s->id,
             change == COORD_INSTANCE_DOWN ? "gone" : coord_instance_status(instance));
    }
  }
}

/* The signals are blocked: nothing is interrupted half-way. */
static bool is_stopped(void) {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

static bool call_all(work *w) {
  for (long i = 0; (w->calls == 0 || i < w->calls) && !is_stopped(); i++) {
    if (!call(w)) w->failed++;
    /* Between two calls there is time for the news. */
    coord_event *event = coord_queue_next(w->queue, PAUSE_MS);
    if (coord_event_type(event) == COORD_EVENT_CHANGES) tell(w, event);
    coord_event_free(event);
    fflush(stdout);
  }
  for (size_t i = 0; i < w->count; i++) {
    printf("%s served %ld calls, and %ld after the loss\n", w->shares[i].id, w->shares[i].before,
           w->shares[i].after);
  }
  printf("%ld calls failed, %ld were repeated elsewhere\n", w->failed, w->repeated);
  return w->failed == 0;
}

static void block_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv) {
  static work w;
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    puts(usage);
    return EXIT_SUCCESS;
  }
  if (argc == 3) w.calls = strtol(argv[2], NULL, 10);
  if (argc < 2 || argc > 3 || (argc == 3 && w.calls <= 0)) {
    fprintf(stderr, "%s\n", usage);
    return 2;
  }
  w.service = argv[1];
  block_signals();
  bool good = open_client(&w) && open_service(&w) && call_all(&w);
  coord_discovery_free(w.discovery);
  coord_queue_free(w.queue);
  coord_picker_free(w.picker);
  coord_registry_free(w.registry);
  coord_client_free(w.client);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
