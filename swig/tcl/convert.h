/* Values between Tcl and C. Part of the file that SWIG writes. */
#ifndef COORD_TCL_CONVERT_H
#define COORD_TCL_CONVERT_H

#include <stdlib.h>
#include <string.h>

/* ---- failures ----------------------------------------------------------------------------------- */

/* Frees the error. */
static int coord_tcl_fail(Tcl_Interp *interp, coord_code code, coord_error *error) {
  const char *name = coord_code_name(code);
  uint32_t flags = coord_error_flags(error);
  Tcl_Obj *all[] = {
      Tcl_NewStringObj("COORD", -1),
      Tcl_NewStringObj(name, -1),
      Tcl_NewIntObj(code),
      Tcl_NewStringObj((flags & COORD_RETRIABLE) != 0 ? "retriable" : "final", -1),
      Tcl_NewStringObj((flags & COORD_MAYBE_APPLIED) != 0 ? "maybe_applied" : "", -1),
      Tcl_NewStringObj(coord_error_endpoint(error), -1),
  };
  Tcl_SetObjResult(interp, Tcl_NewStringObj(error != NULL ? coord_error_message(error) : name, -1));
  Tcl_SetObjErrorCode(interp, Tcl_NewListObj(sizeof all / sizeof *all, all));
  coord_error_free(error);
  return TCL_ERROR;
}

/* Which argument is looked at. */
typedef struct coord_tcl_arg {
  Tcl_Interp *interp;
  Tcl_Obj *command;
  Tcl_Obj *value;
  int number;
  const char *name;
} coord_tcl_arg;
/* In a wrapper. */
#define COORD_TCL_ARG(input, name) \
  ((coord_tcl_arg){interp, objv[0], input, (int)(&(input)-objv), name})

/* 0, for those who give up. */
static int coord_tcl_refuse(coord_tcl_arg arg, const char *why) {
  coord_tcl_fail(arg.interp, COORD_INVALID, NULL);
  Tcl_SetObjResult(arg.interp, Tcl_ObjPrintf("%s: argument %d (%s) %s", Tcl_GetString(arg.command),
                                             arg.number, arg.name, why));
  return 0;
}

static int coord_tcl_refuse_value(coord_tcl_arg arg, const char *want) {
  Tcl_Obj *why = Tcl_ObjPrintf("must be %s, not \"%.40s\"", want, Tcl_GetString(arg.value));
  Tcl_IncrRefCount(why);
  coord_tcl_refuse(arg, Tcl_GetString(why));
  Tcl_DecrRefCount(why);
  return 0;
}

static int coord_tcl_no_handle(Tcl_Interp *interp, Tcl_Obj *command, int number, const char *name,
                               Tcl_Obj *value, const char *want) {
  char text[64];
  snprintf(text, sizeof text, "a %s that is not freed", want);
  coord_tcl_refuse_value((coord_tcl_arg){interp, command, value, number, name}, text);
  return TCL_ERROR;
}

/* The format has an "o" for each argument, up to the name of the command. */
static int coord_tcl_count(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[],
                           const char *format) {
  int count = (int)strcspn(format, ":");
  if (objc == count + 1) return TCL_OK;
  Tcl_SetObjResult(interp, Tcl_ObjPrintf("wrong # args: %s takes %d, not %d",
                                         Tcl_GetString(objv[0]), count, objc - 1));
  Tcl_SetErrorCode(interp, "TCL", "WRONGARGS", NULL);
  return TCL_ERROR;
}

#include "tcl/handle.h"

/* Empty is no handle, as NULL is in C. */
static int coord_tcl_to_handle(coord_tcl_arg arg, const char *type, void **out) {
  const char *name = Tcl_GetString(arg.value);
  *out = NULL;
  if (*name == 0) return 1;
  Tcl_HashEntry *entry = coord_tcl_find(arg.interp, name);
  coord_tcl_handle *handle = entry != NULL ? Tcl_GetHashValue(entry) : NULL;
  if (handle == NULL || strcmp(handle->type, type) != 0) {
    coord_tcl_no_handle(arg.interp, arg.command, arg.number, arg.name, arg.value, type);
    return 0;
  }
  *out = handle->pointer;
  return 1;
}

/* ---- integers ----------------------------------------------------------------------------------- */

/* Tcl takes what has 64 bits without a sign too, and wraps it around: the text tells. Booleans are 1 and 0. */
static int coord_tcl_to_integer(coord_tcl_arg arg, size_t size, int is_unsigned, Tcl_WideInt *out) {
  int boolean;
  double real; /* is a boolean too, for Tcl */
  if (Tcl_GetWideIntFromObj(NULL, arg.value, out) != TCL_OK) {
    if (Tcl_GetDoubleFromObj(NULL, arg.value, &real) == TCL_OK ||
        Tcl_GetBooleanFromObj(NULL, arg.value, &boolean) != TCL_OK) {
      return coord_tcl_refuse_value(arg, "an integer of 64 bits");
    }
    *out = boolean;
    return 1;
  }
  const char *text = Tcl_GetString(arg.value);
  int is_negative = text[strspn(text, " \t\n\v\f\r")] == '-' && *out != 0;
  int fits = is_unsigned ? !is_negative : is_negative == (*out < 0);
  if (size < sizeof *out) {
    Tcl_WideInt most = (Tcl_WideInt)(UINT64_C(1) << (8 * size - (is_unsigned ? 0 : 1))) - 1;
    fits = fits && *out <= most && *out >= (is_unsigned ? 0 : -most - 1);
  }
  return fits ? 1 : coord_tcl_refuse_value(arg, "in the range of its type");
}

/* Decimal text is a number in Tcl. */
static Tcl_Obj *coord_tcl_unsigned(uint64_t value) {
  if (value <= INT64_MAX) return Tcl_NewWideIntObj((Tcl_WideInt)value);
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  return Tcl_NewStringObj(text, -1);
}

/* The first value that a function hands out is its result; with a second one it is a list of them. */
static void coord_tcl_append(Tcl_Interp *interp, Tcl_Obj *one) {
  int length;
  Tcl_GetStringFromObj(Tcl_GetObjResult(interp), &length);
  if (length > 0) {
    Tcl_Obj *both[] = {Tcl_GetObjResult(interp), one};
    one = Tcl_NewListObj(2, both);
  }
  Tcl_SetObjResult(interp, one);
}

/* ---- bytes and text ----------------------------------------------------------------------------- */

/* A copy, to be freed: another argument may be the same object, and looking at it as a number ends its bytes. */
static char *coord_tcl_to_bytes(coord_tcl_arg arg, size_t *length) {
  int count;
  if (arg.value->bytes != NULL || arg.value->typePtr != Tcl_GetObjType("bytearray")) {
    /* U+0100 and above have a first byte of 0xC4 and above; Tcl would take their low byte, unseen. */
    const char *text = Tcl_GetStringFromObj(arg.value, &count);
    for (int i = 0; i < count; i++) {
      if ((unsigned char)text[i] < 0xC4) continue;
      coord_tcl_refuse(arg, "has a character above 255 and is not bytes: encoding convertto utf-8");
      return NULL;
    }
  }
  const unsigned char *bytes = Tcl_GetByteArrayFromObj(arg.value, &count);
  char *copy = ckalloc((unsigned)count + 1);
  memcpy(copy, bytes, (size_t)count);
  *length = (size_t)count;
  return copy;
}

/* Tcl writes NUL as C0 80, which would go unseen. */
static const char *coord_tcl_to_text(coord_tcl_arg arg) {
  const char *text = Tcl_GetString(arg.value);
  if (strstr(text, "\xC0\x80") == NULL) return text;
  coord_tcl_refuse(arg, "is text and has a NUL");
  return NULL;
}

typedef struct coord_tcl_names {
  char **names;
  size_t *lens;
  size_t count;
} coord_tcl_names;

static void coord_tcl_free_names(coord_tcl_names *list) {
  for (size_t i = 0; i < list->count; i++) ckfree(list->names[i]);
  if (list->names != NULL) ckfree((char *)list->names);
  if (list->lens != NULL) ckfree((char *)list->lens);
  *list = (coord_tcl_names){NULL, NULL, 0};
}

/* Freed in any case by free_names. */
static int coord_tcl_to_names(coord_tcl_arg arg, coord_tcl_names *list) {
  int count;
  Tcl_Obj **values;
  if (Tcl_ListObjGetElements(NULL, arg.value, &count, &values) != TCL_OK) {
    return coord_tcl_refuse(arg, "must be a list");
  }
  list->names = (char **)ckalloc(sizeof *list->names * ((size_t)count + 1));
  list->lens = (size_t *)ckalloc(sizeof *list->lens * ((size_t)count + 1));
  for (int i = 0; i < count; i++) {
    coord_tcl_arg one = arg;
    one.value = values[i];
    list->names[i] = coord_tcl_to_bytes(one, &list->lens[i]);
    if (list->names[i] == NULL) return 0;
    list->count++;
  }
  return 1;
}

#endif
