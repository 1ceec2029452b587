/* Bytes and failures between C and Java. Text is bytes here: Java's side has it in UTF-8, which JNI's own is not. */
#ifndef COORD_JAVA_CONVERT_H
#define COORD_JAVA_CONVERT_H

#include "java/handle.h"

static jclass coord_java_error_class, coord_java_value_class;
static jmethodID coord_java_error_new, coord_java_value_new;

/* ---- in --------------------------------------------------------------------------------------- */

enum { COORD_JAVA_SHORT = 256 };

/* A copy, as no call may keep the collector waiting; NUL follows it. NULL: there is none. */
typedef struct coord_java_copy {
  char *bytes;
  size_t length;
  char space[COORD_JAVA_SHORT];
} coord_java_copy;

static void coord_java_copy_free(coord_java_copy *copy) {
  if (copy->bytes != copy->space) free(copy->bytes);
}

#define COORD_JAVA_COPY __attribute__((cleanup(coord_java_copy_free))) coord_java_copy

/* 0: there was no memory, and that is thrown. */
static int coord_java_copy_of(JNIEnv *env, jbyteArray array, coord_java_copy *copy) {
  if (array == NULL) return 1;
  jsize length = (*env)->GetArrayLength(env, array);
  copy->bytes = length < COORD_JAVA_SHORT ? copy->space : malloc((size_t)length + 1);
  if (copy->bytes == NULL) {
    coord_java_throw_memory(env);
    return 0;
  }
  copy->length = (size_t)length;
  (*env)->GetByteArrayRegion(env, array, 0, length, (jbyte *)copy->bytes);
  copy->bytes[length] = '\0';
  return 1;
}

typedef struct coord_java_names {
  size_t count;
  void **names; /* and behind them all else, in one piece */
  size_t *lengths;
} coord_java_names;

static void coord_java_names_free(coord_java_names *list) { free(list->names); }

#define COORD_JAVA_NAMES __attribute__((cleanup(coord_java_names_free))) coord_java_names

/* The length of all names together; -1: one is null, and that is thrown. */
static jlong coord_java_names_length(JNIEnv *env, jobjectArray array, jsize count) {
  jlong length = 0;
  for (jsize i = 0; i < count; i++) {
    jbyteArray name = (*env)->GetObjectArrayElement(env, array, i);
    if (name == NULL) {
      coord_java_throw(env, "java/lang/NullPointerException", "names", " has a null");
      return -1;
    }
    length += (*env)->GetArrayLength(env, name);
    (*env)->DeleteLocalRef(env, name);
  }
  return length;
}

/* A copy of a byte[][], which nobody else changes meanwhile. */
static int coord_java_names_of(JNIEnv *env, jobjectArray array, coord_java_names *list) {
  if (array == NULL) {
    coord_java_throw(env, "java/lang/NullPointerException", "names", " is null");
    return 0;
  }
  jsize count = (*env)->GetArrayLength(env, array);
  jlong length = coord_java_names_length(env, array, count);
  if (length < 0) return 0;
  size_t each = sizeof *list->names + sizeof *list->lengths;
  char *piece = malloc((size_t)count * each + (size_t)length + 1);
  if (piece == NULL) {
    coord_java_throw_memory(env);
    return 0;
  }
  list->count = (size_t)count;
  list->names = (void **)(void *)piece;
  list->lengths = (size_t *)(void *)(piece + (size_t)count * sizeof *list->names);
  char *bytes = piece + (size_t)count * each, *end = bytes + length;
  for (jsize i = 0; i < count; i++) {
    jbyteArray name = (*env)->GetObjectArrayElement(env, array, i);
    jsize size = name != NULL ? (*env)->GetArrayLength(env, name) : 0;
    if (size > end - bytes)
      size = (jsize)(end - bytes); /* another thread has put a longer one there */
    if (size > 0) (*env)->GetByteArrayRegion(env, name, 0, size, (jbyte *)bytes);
    list->names[i] = bytes;
    list->lengths[i] = (size_t)size;
    bytes += size;
    (*env)->DeleteLocalRef(env, name);
  }
  return 1;
}

/* ---- out -------------------------------------------------------------------------------------- */

static jbyteArray coord_java_bytes(JNIEnv *env, const void *bytes, size_t length) {
  if (bytes == NULL) return NULL;
  jbyteArray array = (*env)->NewByteArray(env, (jsize)length);
  if (array != NULL) (*env)->SetByteArrayRegion(env, array, 0, (jsize)length, bytes);
  return array;
}

static jbyteArray coord_java_text(JNIEnv *env, const char *text) {
  return text != NULL ? coord_java_bytes(env, text, strlen(text)) : NULL;
}

/* json is freed. */
static jbyteArray coord_java_json(JNIEnv *env, char *json) {
  jbyteArray text = coord_java_text(env, json);
  coord_memory_free(json);
  return text;
}

static jobject coord_java_value(JNIEnv *env, char *json, int64_t version) {
  jbyteArray text = coord_java_json(env, json);
  if (text == NULL) return NULL;
  return (*env)->NewObject(env, coord_java_value_class, coord_java_value_new, text, (jlong)version);
}

/* ---- failures --------------------------------------------------------------------------------- */

/* Throws what a call has failed with; error, which may be NULL, is freed. */
static void coord_java_fail(JNIEnv *env, coord_code code, coord_error *error) {
  const char *text = error != NULL ? coord_error_message(error) : coord_code_name(code);
  jbyteArray message = coord_java_text(env, text);
  jbyteArray endpoint = message != NULL ? coord_java_text(env, coord_error_endpoint(error)) : NULL;
  if (!(*env)->ExceptionCheck(env)) {
    jobject thrown =
        (*env)->NewObject(env, coord_java_error_class, coord_java_error_new, (jint)code, message,
                          (jint)coord_error_flags(error), endpoint,
                          (jint)(error != NULL ? coord_error_grpc_status(error) : -1),
                          (jint)(error != NULL ? coord_error_http_status(error) : -1));
    if (thrown != NULL) (*env)->Throw(env, thrown);
  }
  coord_error_free(error);
}

/* ---- the library ------------------------------------------------------------------------------ */

/* A class that C makes objects of. 0: it or its constructor is missing, which is thrown. */
static int coord_java_find(JNIEnv *env, const char *name, const char *signature, jclass *class,
                           jmethodID *new) {
  jclass found = (*env)->FindClass(env, name);
  if (found == NULL) return 0;
  *class = (*env)->NewGlobalRef(env, found);
  *new = *class != NULL ? (*env)->GetMethodID(env, found, "<init>", signature) : NULL;
  (*env)->DeleteLocalRef(env, found);
  return *new != NULL;
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
  JNIEnv *env = NULL;
  (void)reserved;
  if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) != JNI_OK) return JNI_ERR;
  for (coord_java_kind *const *kind = coord_java_kinds; *kind != NULL; kind++) {
    if (!coord_java_find(env, (*kind)->class_name, "(J)V", &(*kind)->class, &(*kind)->new))
      return JNI_ERR;
  }
  if (!coord_java_find(env, "io/coord/CoordException", "(I[BI[BII)V", &coord_java_error_class,
                       &coord_java_error_new) ||
      !coord_java_find(env, "io/coord/ConfigValue", "([BJ)V", &coord_java_value_class,
                       &coord_java_value_new)) {
    return JNI_ERR;
  }
  /* Any of the kinds is a Handle. */
  coord_java_box_field = (*env)->GetFieldID(env, coord_java_kind_client.class, "box", "J");
  return coord_java_box_field != NULL ? JNI_VERSION_1_8 : JNI_ERR;
}

/* Of Handle: the two ends of a handle. */
JNIEXPORT void JNICALL Java_io_coord_Handle_release(JNIEnv *env, jclass class, jobject object) {
  (void)class;
  coord_java_close(coord_java_box_of(env, object));
}

JNIEXPORT void JNICALL Java_io_coord_Handle_drop(JNIEnv *env, jclass class, jlong address) {
  coord_java_box *box = (coord_java_box *)(intptr_t)address; /* NOLINT */
  (void)env;
  (void)class;
  coord_java_close(box);
  free(box);
}

#endif
