#include "support/dns.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAMES = 16, NAME_SIZE = 256, TARGETS_SIZE = 512 };

typedef struct entry {
  char name[NAME_SIZE];
  char targets[TARGETS_SIZE];
  int kind;
  int asked;
} entry;

struct t_dns {
  int fd;
  pthread_t thread;
  pthread_mutex_t lock;
  char address[32];
  entry entries[NAMES];
};

/* The entry of a name, made when it is not there. */
static entry *find(t_dns *dns, const char *name) {
  for (int i = 0; i < NAMES; i++) {
    entry *e = &dns->entries[i];
    if (strcasecmp(e->name, name) == 0) return e;
    if (e->name[0] != '\0') continue;
    snprintf(e->name, sizeof e->name, "%s", name);
    e->kind = T_DNS_NO_NAME;
    return e;
  }
  abort();
}

static size_t put16(uint8_t *p, int n) {
  p[0] = (uint8_t)(n >> 8);
  p[1] = (uint8_t)n;
  return 2;
}

static size_t put_name(uint8_t *p, const char *name) {
  size_t at = 0;
  while (*name != '\0') {
    size_t n = strcspn(name, ".");
    p[at++] = (uint8_t)n;
    memcpy(p + at, name, n);
    at += n;
    name += n + (name[n] == '.');
  }
  p[at++] = 0;
  return at;
}

/* The question's name as text. Returns the length of the question, 0 when it is none. */
static size_t read_question(const uint8_t *p, size_t len, char name[NAME_SIZE]) {
  size_t at = 12;
  size_t used = 0;
  while (at < len && p[at] != 0) {
    size_t n = p[at++];
    if (at + n >= len || used + n + 2 > NAME_SIZE) return 0;
    if (used > 0) name[used++] = '.';
    memcpy(name + used, p + at, n);
    used += n;
    at += n;
  }
  name[used] = '\0';
  return at + 5 <= len ? at + 5 - 12 : 0;
}

static size_t put_records(uint8_t *out, const char *targets, int *count) {
  size_t at = 0;
  for (*count = 0; *targets != '\0';) {
    char host[NAME_SIZE];
    size_t n = strcspn(targets, ",");
    const char *colon = memchr(targets, ':', n);
    snprintf(host, sizeof host, "%.*s", (int)(colon - targets), targets);
    at += put16(out + at, 0xc00c); /* the name of the question */
    at += put16(out + at, 33);     /* SRV */
    at += put16(out + at, 1);
    at += put16(out + at, 0);
    at += put16(out + at, 1); /* seconds to live */
    uint8_t *length = out + at;
    at += 2;
    size_t begin = at;
    at += put16(out + at, ++*count);
    at += put16(out + at, 1);
    at += put16(out + at, atoi(colon + 1));
    at += put_name(out + at, strcmp(host, ".") == 0 ? "" : host);
    put16(length, (int)(at - begin));
    targets += n + (targets[n] == ',');
  }
  return at;
}

/* Returns the length of the answer, 0 for silence. */
static size_t answer(t_dns *dns, const uint8_t *question, size_t len, uint8_t *out) {
  char name[NAME_SIZE];
  size_t n = read_question(question, len, name);
  if (n == 0) return 0;
  entry *e = find(dns, name);
  int count = 0;
  e->asked++;
  if (e->kind == T_DNS_SILENT) return 0;
  memcpy(out, question, 12 + n);
  if (e->kind == T_DNS_GARBAGE) {
    memset(out + 2, 0x5a, 10 + n);
    return 12 + n;
  }
  size_t at = 12 + n;
  if (e->kind == T_DNS_RECORDS) at += put_records(out + at, e->targets, &count);
  int status = e->kind == T_DNS_NO_NAME ? 3 : e->kind == T_DNS_BROKEN ? 2 : 0;
  put16(out + 2, 0x8180 | status);
  put16(out + 6, count);
  put16(out + 8, 0);
  put16(out + 10, 0);
  return at;
}

static void *serve(void *arg) {
  t_dns *dns = arg;
  for (;;) {
    uint8_t question[1024];
    uint8_t out[4096];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n =
        recvfrom(dns->fd, question, sizeof question, 0, (struct sockaddr *)&from, &from_len);
    if (n == 0) return NULL; /* an empty datagram: t_dns_stop */
    if (n < 12) continue;
    pthread_mutex_lock(&dns->lock);
    size_t len = answer(dns, question, (size_t)n, out);
    pthread_mutex_unlock(&dns->lock);
    if (len > 0) sendto(dns->fd, out, len, 0, (struct sockaddr *)&from, from_len);
  }
}

t_dns *t_dns_start(void) {
  t_dns *dns = calloc(1, sizeof *dns);
  T_FATAL(dns != NULL);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  T_FATAL(dns->fd >= 0);
  T_FATAL(bind(dns->fd, (struct sockaddr *)&address, sizeof address) == 0);
  T_FATAL(getsockname(dns->fd, (struct sockaddr *)&address, &len) == 0);
  snprintf(dns->address, sizeof dns->address, "127.0.0.1:%d", ntohs(address.sin_port));
  pthread_mutex_init(&dns->lock, NULL);
  T_FATAL(pthread_create(&dns->thread, NULL, serve, dns) == 0);
  return dns;
}

void t_dns_stop(t_dns *dns) {
  struct sockaddr_in address;
  socklen_t len = sizeof address;
  getsockname(dns->fd, (struct sockaddr *)&address, &len);
  sendto(dns->fd, "", 0, 0, (struct sockaddr *)&address, len);
  pthread_join(dns->thread, NULL);
  close(dns->fd);
  pthread_mutex_destroy(&dns->lock);
  free(dns);
}

const char *t_dns_address(const t_dns *dns) { return dns->address; }

void t_dns_set(t_dns *dns, const char *name, int kind, const char *targets) {
  pthread_mutex_lock(&dns->lock);
  entry *e = find(dns, name);
  e->kind = kind;
  snprintf(e->targets, sizeof e->targets, "%s", targets != NULL ? targets : "");
  pthread_mutex_unlock(&dns->lock);
}

int t_dns_asked(t_dns *dns, const char *name) {
  pthread_mutex_lock(&dns->lock);
  int asked = find(dns, name)->asked;
  pthread_mutex_unlock(&dns->lock);
  return asked;
}
