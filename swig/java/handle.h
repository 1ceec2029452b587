/*
 * A handle in Java's hands. An object has the address of a box, which lives as long as the object; a call pins the box, and
 * what is closed meanwhile is freed by the last call that still uses it. Part of the file that SWIG writes.
 */
#ifndef COORD_JAVA_HANDLE_H
#define COORD_JAVA_HANDLE_H

#include <jni.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "borrowed.h"

typedef struct coord_java_kind {
  const char *class_name;
  void (*free)(void *handle);
  void (*end)(void *handle); /* makes calls that wait return; NULL: none does */
  jclass class;
  jmethodID new;
} coord_java_kind;

enum { COORD_JAVA_CLOSED = 1 << 30 };

typedef struct coord_java_box {
  _Atomic uint32_t state; /* how many calls use it, and COORD_JAVA_CLOSED: there will be no more */
  void *handle;
  const coord_java_kind *kind;
} coord_java_box;

static jfieldID coord_java_box_field;

/* ---- exceptions ------------------------------------------------------------------------------- */

static void coord_java_throw(JNIEnv *env, const char *class_name, const char *what,
                             const char *is) {
  char text[160];
  jclass class = (*env)->FindClass(env, class_name);
  if (class == NULL) return;
  snprintf(text, sizeof text, "%s%s", what, is);
  (*env)->ThrowNew(env, class, text);
  (*env)->DeleteLocalRef(env, class);
}

static void coord_java_throw_memory(JNIEnv *env) {
  coord_java_throw(env, "java/lang/OutOfMemoryError", "coord", "");
}

/* ---- pins ------------------------------------------------------------------------------------- */

/* One use less. Others that wait are woken one by another, as a wake reaches only one that is not yet waiting. */
static void coord_java_unuse(coord_java_box *box) {
  uint32_t state = atomic_load(&box->state);
  if (state > COORD_JAVA_CLOSED + 1 && box->kind->end != NULL) box->kind->end(box->handle);
  if (atomic_fetch_sub(&box->state, 1) == COORD_JAVA_CLOSED + 1) {
    box->kind->free(box->handle);
    box->handle = NULL;
  }
}

/* 0: it is closed. */
static int coord_java_use(coord_java_box *box) {
  uint32_t state = atomic_load(&box->state);
  do {
    if (state & COORD_JAVA_CLOSED) return 0;
  } while (!atomic_compare_exchange_weak(&box->state, &state, state + 1));
  return 1;
}

static void coord_java_unpin(coord_java_box **pin) {
  if (*pin != NULL) coord_java_unuse(*pin);
}

/* A local variable that is unpinned wherever its function returns. */
#define COORD_JAVA_PINNED __attribute__((cleanup(coord_java_unpin))) coord_java_box *

static coord_java_box *coord_java_box_of(JNIEnv *env, jobject object) {
  jlong address = (*env)->GetLongField(env, object, coord_java_box_field);
  return (coord_java_box *)(intptr_t)address; /* NOLINT */
}

/* Pins a handle for the time of a call. 0: it is closed or null, and that is thrown. */
static int coord_java_pin(JNIEnv *env, jobject object, const char *name, coord_java_box **pin) {
  if (object == NULL) {
    coord_java_throw(env, "java/lang/NullPointerException", name, " is null");
    return 0;
  }
  coord_java_box *box = coord_java_box_of(env, object);
  if (!coord_java_use(box)) {
    coord_java_throw(env, "java/lang/IllegalStateException", name, " is closed");
    return 0;
  }
  *pin = box;
  return 1;
}

/* The same of an argument that may be null, unless the function is one of this very handle: queue of queue_next. */
static int coord_java_pin_optional(JNIEnv *env, jobject object, const char *name,
                                   const char *function, coord_java_box **pin) {
  size_t length = strlen(name);
  int is_self = strncmp(function, name, length) == 0 && function[length] == '_';
  return (object == NULL && !is_self) || coord_java_pin(env, object, name, pin);
}

/* ---- the life of a box ------------------------------------------------------------------------ */

static void coord_java_close(coord_java_box *box) {
  if (!coord_java_use(box)) return;
  atomic_fetch_or(&box->state, COORD_JAVA_CLOSED);
  coord_java_unuse(box);
}

/* An object for a handle that is Java's from now on; NULL for NULL. When that fails the handle is freed. */
static jobject coord_java_give(JNIEnv *env, void *handle, const coord_java_kind *kind) {
  if (handle == NULL) return NULL;
  coord_java_box *box = malloc(sizeof *box);
  if (box == NULL) {
    kind->free(handle);
    coord_java_throw_memory(env);
    return NULL;
  }
  atomic_init(&box->state, 0);
  box->handle = handle;
  box->kind = kind;
  jobject object = (*env)->NewObject(env, kind->class, kind->new, (jlong)(intptr_t)box);
  if (object == NULL) {
    coord_java_close(box);
    free(box);
  }
  return object;
}

/* ---- kinds ------------------------------------------------------------------------------------ */

static void coord_java_end_client(void *handle) { coord_client_close(handle, 0, NULL); }
static void coord_java_end_queue(void *handle) { coord_queue_wake(handle); }

#define COORD_JAVA_KINDS(DO)                  \
  DO(options, "Options", NULL)                \
  DO(client, "Client", coord_java_end_client) \
  DO(queue, "Queue", coord_java_end_queue)    \
  DO(op, "Op", NULL)                          \
  DO(result, "Result", NULL)                  \
  DO(event, "Event", NULL)                    \
  DO(scan, "Scan", NULL)                      \
  DO(lease, "Lease", NULL)                    \
  DO(watch, "Watch", NULL)                    \
  DO(mirror, "Mirror", NULL)                  \
  DO(config, "Config", NULL)                  \
  DO(lock, "Lock", NULL)                      \
  DO(election, "Election", NULL)              \
  DO(workqueue, "Workqueue", NULL)            \
  DO(registry, "Registry", NULL)              \
  DO(registration, "Registration", NULL)      \
  DO(instance, "Instance", NULL)              \
  DO(instances, "Instances", NULL)            \
  DO(discovery, "Discovery", NULL)            \
  DO(picker, "Picker", NULL)

#define COORD_JAVA_KIND(name, class, end)                                                          \
  static void coord_java_free_##name(void *handle) { coord_##name##_free(handle); }                \
  static coord_java_kind coord_java_kind_##name = {"io/coord/" class, coord_java_free_##name, end, \
                                                   NULL, NULL};
COORD_JAVA_KINDS(COORD_JAVA_KIND)

#define COORD_JAVA_KIND_OF(name, class, end) &coord_java_kind_##name,
static coord_java_kind *const coord_java_kinds[] = {COORD_JAVA_KINDS(COORD_JAVA_KIND_OF) NULL};

#endif
