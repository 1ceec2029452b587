/* base/log. */
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/t.h"

static void expect_line(coord_queue *q, int32_t level, uint64_t tag, const char *text) {
  coord_event *event = coord_queue_next(q, 0);
  T_FATAL(event != NULL);
  T_INT(coord_event_type(event), COORD_EVENT_LOG);
  T_INT(coord_event_level(event), level);
  T_INT(coord_event_tag(event), tag);
  T_STR(coord_event_text(event), text);
  T_CODE(coord_event_code(event), COORD_OK);
  T_TRUE(coord_event_error(event) == NULL && coord_event_result(event) == NULL);
  coord_event_free(event);
}

static coord_queue *open_queue(void) {
  coord_queue *q = NULL;
  T_FATAL(coord_queue_open(&q, NULL) == COORD_OK);
  return q;
}

static void only_lines_up_to_the_level_are_written(void) {
  coord__log log;
  coord_queue *q = open_queue();
  coord__log_init(&log, COORD_LOG_WARN);
  coord__log_to(&log, q, 77);
  coord__log_at(&log, COORD_LOG_ERROR, "an error %d", 1);
  coord__log_at(&log, COORD_LOG_WARN, "a warning");
  coord__log_at(&log, COORD_LOG_INFO, "an info");
  coord__log_at(&log, COORD_LOG_DEBUG, "a detail");
  expect_line(q, COORD_LOG_ERROR, 77, "an error 1");
  expect_line(q, COORD_LOG_WARN, 77, "a warning");
  T_TRUE(coord_queue_next(q, 0) == NULL);
  atomic_store(&log.level, 0);
  coord__log_at(&log, COORD_LOG_ERROR, "nothing");
  T_TRUE(coord_queue_next(q, 0) == NULL);
  coord__log_free(&log);
  coord_queue_free(q);
}

static void line_ends_and_control_characters_become_spaces(void) {
  coord__log log;
  coord_queue *q = open_queue();
  coord__log_init(&log, COORD_LOG_DEBUG);
  coord__log_to(&log, q, 0);
  coord__log_at(&log, COORD_LOG_INFO, "a\nb\r\tc\x1b[0m gr\xc3\xbc\xc3\x9f");
  expect_line(q, COORD_LOG_INFO, 0, "a b  c [0m gr\xc3\xbc\xc3\x9f");
  coord__log_free(&log);
  coord_queue_free(q);
}

static void long_lines_are_cut(void) {
  coord__log log;
  char text[5000];
  coord_queue *q = open_queue();
  memset(text, 'y', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  coord__log_init(&log, COORD_LOG_DEBUG);
  coord__log_to(&log, q, 0);
  coord__log_at(&log, COORD_LOG_INFO, "%s", text);
  coord_event *event = coord_queue_next(q, 0);
  T_INT(strlen(coord_event_text(event)), 1023);
  coord_event_free(event);
  coord__log_free(&log);
  coord_queue_free(q);
}

static void lines_go_to_the_newest_queue(void) {
  coord__log log;
  coord_queue *first = open_queue();
  coord_queue *second = open_queue();
  coord__log_init(&log, COORD_LOG_INFO);
  coord__log_to(&log, first, 1);
  coord__log_at(&log, COORD_LOG_INFO, "one");
  coord__log_to(&log, second, 2);
  coord__log_at(&log, COORD_LOG_INFO, "two");
  expect_line(first, COORD_LOG_INFO, 1, "one");
  T_TRUE(coord_queue_next(first, 0) == NULL);
  expect_line(second, COORD_LOG_INFO, 2, "two");
  coord_queue_free(first);
  coord__log_at(&log, COORD_LOG_INFO, "three");
  coord_queue_free(second);
  coord__log_at(&log, COORD_LOG_INFO, "to a queue that was freed");
  coord__log_free(&log);
}

/* What the function writes to standard error. */
static char *on_stderr(void (*function)(void), char out[512]) {
  char path[] = "/tmp/coord-log-XXXXXX";
  int file = mkstemp(path);
  T_FATAL(file >= 0);
  unlink(path);
  fflush(stderr);
  int before = dup(STDERR_FILENO);
  dup2(file, STDERR_FILENO);
  function();
  fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  ssize_t n = pread(file, out, 511, 0);
  out[n > 0 ? n : 0] = '\0';
  close(file);
  return out;
}

static void write_two_lines(void) {
  coord__log log;
  coord__log_init(&log, COORD_LOG_WARN);
  coord__log_at(&log, COORD_LOG_WARN, "first\nline");
  coord_queue *q = open_queue();
  coord__log_to(&log, q, 0);
  coord__log_at(&log, COORD_LOG_WARN, "elsewhere");
  coord__log_to(&log, NULL, 0);
  coord__log_at(&log, COORD_LOG_ERROR, "second");
  coord__log_free(&log);
  coord_queue_free(q);
}

static void without_a_queue_lines_go_to_standard_error(void) {
  char text[512];
  on_stderr(write_two_lines, text);
  T_HAS(text, "Z coord warn: first line\n");
  T_HAS(text, "Z coord error: second\n");
  T_TRUE(strstr(text, "elsewhere") == NULL);
}

static void without_memory_a_line_is_lost_and_nothing_else(void) {
  coord__log log;
  coord_queue *q = open_queue();
  coord__log_init(&log, COORD_LOG_INFO);
  coord__log_to(&log, q, 0);
  for (long n = 0; n < 2; n++) {
    coord__alloc_fail_after(n);
    coord__log_at(&log, COORD_LOG_INFO, "lost");
    coord__alloc_fail_after(-1);
  }
  T_TRUE(coord_queue_next(q, 0) == NULL);
  coord__log_at(&log, COORD_LOG_INFO, "kept");
  expect_line(q, COORD_LOG_INFO, 0, "kept");
  coord__log_free(&log);
  coord_queue_free(q);
}

T_MAIN(T_CASE(only_lines_up_to_the_level_are_written),
       T_CASE(line_ends_and_control_characters_become_spaces), T_CASE(long_lines_are_cut),
       T_CASE(lines_go_to_the_newest_queue), T_CASE(without_a_queue_lines_go_to_standard_error),
       T_CASE(without_memory_a_line_is_lost_and_nothing_else))
