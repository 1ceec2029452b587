/* Instances of this library in the format etcd-naming and endpoints of Go's naming/endpoints: each sees the
 * other's. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/registry.h"

enum { TTL = 10, WAIT = 10000 };

static const char *peer(void) {
  const char *path = getenv("COORD_TEST_GO_PEER");
  return path != NULL && access(path, X_OK) == 0 ? path : NULL;
}

static const char missing[] =
    "no Go peer (COORD_TEST_GO_PEER; ./dev test builds it where there is a Go)";

/* A command of the peer on the target of the case: "t/<case id>/web". */
static FILE *start(const char *what, const char *rest, const char *mode) {
  char target[t_key_size], command[1500];
  snprintf(command, sizeof command, "'%s' %s %s '%s' %s%s", peer(), t_etcd_endpoint(t_etcd(), 0),
           what, t_service_key(target, "web"), rest, *mode == 'w' ? " >/dev/null" : "");
  FILE *pipe = popen(command, mode);
  T_FATAL(pipe != NULL);
  return pipe;
}

/* What Go lists, with what comes before the ids left out. */
static const char *listed(void) {
  static char text[1000];
  char line[400], prefix[t_key_size];
  size_t used = 0;
  FILE *list = start("list", "", "r");
  text[0] = '\0';
  t_service_key(prefix, "web/");
  while (fgets(line, sizeof line, list) != NULL && used < sizeof text) {
    size_t skip = strncmp(line, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    line[strcspn(line, "\n")] = '\0';
    used += (size_t)snprintf(text + used, sizeof text - used, "%s;", line + skip);
  }
  T_INT(pclose(list), 0);
  return text;
}

static coord_registration *ours(coord_client *client, coord_registry *registry, const char *json) {
  coord_registration *reg = NULL;
  T_CODE(coord_registry_register(registry, json, TTL, NULL, 0, &reg, NULL), COORD_OK);
  T_CODE(t_ends(client, coord_op_registered(reg), WAIT), COORD_OK);
  return reg;
}

static void go_lists_ours(void) {
  if (peer() == NULL) T_SKIP(missing);
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, "registry.format", "etcd-naming", NULL);
  coord_registration *plain = ours(
      client, registry, "{\"name\":\"web\",\"id\":\"a\",\"address\":\"10.0.0.1\",\"port\":80}");
  coord_registration *rich = ours(client, registry,
                                  "{\"name\":\"web\",\"address\":\"::1\",\"port\":81,\"weight\":3,"
                                  "\"metadata\":{\"zone\":\"eu\"}}");
  T_STR(listed(),
        "[::1]:81 [::1]:81 {\"metadata\":{\"zone\":\"eu\"},\"weight\":3};a 10.0.0.1:80 null;");
  T_CODE(t_ends(client, coord_op_update_instance(plain, "{\"status\":\"draining\"}"), WAIT),
         COORD_OK);
  T_CODE(t_ends(client, coord_op_deregister(rich), WAIT), COORD_OK);
  T_STR(listed(), "a 10.0.0.1:80 {\"status\":\"draining\"};");
  coord_registration_free(plain);
  coord_registration_free(rich);
  coord_registry_free(registry);
  coord_client_free(client);
}

/* Until there are so many of them in the local copy; NULL: never. */
static coord_instances *becomes(coord_registry *registry, size_t count) {
  coord_instances *all = NULL;
  for (int i = 0; i < 1000; i++) {
    T_CODE(coord_registry_discover(registry, "web", WAIT, &all, NULL), COORD_OK);
    if (coord_instances_count(all) == count) return all;
    coord_instances_free(all);
    all = NULL;
    usleep(10000);
  }
  T_FAIL("there are never %zu instances", count);
  return NULL;
}

static void ours_sees_those_of_go(void) {
  if (peer() == NULL) T_SKIP(missing);
  signal(SIGPIPE, SIG_IGN);
  coord_client *client = t_client();
  coord_registry *registry = t_registry(client, "registry.format", "etcd-naming", NULL);
  coord_registration *reg = ours(
      client, registry, "{\"name\":\"web\",\"id\":\"a\",\"address\":\"10.0.0.1\",\"port\":80}");
  FILE *first = start("add", "g1 127.0.0.1:9000 null", "w");
  FILE *second =
      start("add", "g2 '[::1]:9001' '{\"zone\":\"eu\",\"weight\":3,\"shards\":[1,2]}'", "w");
  coord_instances *all = becomes(registry, 3);
  const coord_instance *one = coord_instances_at(all, 1), *two = coord_instances_at(all, 2);
  T_STR(coord_instance_id(one), "g1");
  T_STR(coord_instance_address(one), "127.0.0.1");
  T_INT(coord_instance_port(one), 9000);
  T_STR(coord_instance_status(one), "up");
  T_STR(coord_instance_id(two), "g2");
  T_STR(coord_instance_address(two), "::1");
  T_INT(coord_instance_port(two), 9001);
  T_INT(coord_instance_weight(two), 3);
  T_STR(coord_instance_metadata(two, "zone"), "eu");
  T_HAS(coord_instance_json(two), "\"shards\":[1,2]");
  coord_instances_free(all);
  T_STR(t_discovered(client, registry, "web"), "a g1 g2");
  T_INT(pclose(first), 0);
  all = becomes(registry, 2);
  coord_instances_free(all);
  T_INT(pclose(second), 0);
  coord_instances_free(becomes(registry, 1));
  coord_registration_free(reg);
  coord_registry_free(registry);
  coord_client_free(client);
}

T_MAIN(T_CASE(go_lists_ours), T_CASE(ours_sees_those_of_go))
