#include "etcd/states.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/event.h"
#include "base/queue.h"
#include "etcd/client.h"
#include "rpc/state.h"

static void destroy(coord_event *event) { coord__free(event); }

/* In one block: the event, the text, the name. */
static coord_event *make_event(const char *endpoint, const char *why) {
  size_t text_len = strlen(why) + 1;
  size_t name_len = endpoint != NULL ? strlen(endpoint) + 1 : 0;
  coord_event *event = coord__calloc(1, sizeof *event + text_len + name_len);
  if (event == NULL) return NULL;
  event->text = (char *)(event + 1);
  memcpy(event->text, why, text_len);
  for (char *c = event->text; *c != '\0'; c++) {
    if ((unsigned char)*c < 0x20) *c = ' ';
  }
  if (endpoint != NULL) {
    event->endpoint = memcpy(event->text + text_len, endpoint, name_len);
  }
  event->destroy = destroy;
  return event;
}

void coord__states_tell(void *user, int state, const char *endpoint, coord_code code,
                        const char *why) {
  coord__states *states = user;
  if (states->queue == NULL) return;
  coord_event *event = make_event(endpoint, why);
  if (event == NULL) return; /* as a line of the log is lost then */
  event->type = COORD_EVENT_STATE;
  event->state = state;
  event->code = code;
  event->tag = states->tag;
  coord__list events;
  coord__list_init(&events);
  coord__list_append(&events, &event->link);
  coord__queue_push(states->queue, &events);
}

void coord__states_free(coord__states *states) {
  if (states->queue != NULL) coord__queue_release(states->queue);
  states->queue = NULL;
}

/* ---- choosing the queue ---- */

typedef struct choice {
  coord__job job;
  coord_client *client;
  coord__states states;
} choice;

static void run_choice(coord__job *job) {
  choice *chosen = COORD__CONTAINER(job, choice, job);
  coord_client *c = chosen->client;
  coord__states_free(&c->states);
  c->states = chosen->states;
  if (c->states.queue != NULL) coord__rpc_states_now(&c->rpc);
  coord__client_release(c);
  coord__free(chosen);
}

coord_code coord__client_states_to(coord_client *c, coord_queue *queue, uint64_t tag,
                                   coord_error **err) {
  choice *chosen = coord__calloc(1, sizeof *chosen);
  if (chosen == NULL) return coord__no_memory(err);
  chosen->job.run = run_choice;
  chosen->client = c;
  chosen->states.tag = tag;
  if (queue != NULL) chosen->states.queue = coord__queue_retain(queue);
  coord__client_retain(c);
  coord__loop_post(c->loop, &chosen->job);
  return COORD_OK;
}
