/*
 * Handles in Tcl: a table in each interpreter, of names that are never used again. Freed by coord::free, and all that are left
 * with the interpreter. Part of the file that SWIG writes.
 */
#ifndef COORD_TCL_HANDLE_H
#define COORD_TCL_HANDLE_H

#include <string.h>

typedef struct coord_tcl_table {
  Tcl_HashTable handles; /* by name */
  unsigned long long count;
} coord_tcl_table;

typedef struct coord_tcl_handle {
  void *pointer;
  const char *type;
  void (*destroy)(void *pointer);
  /* Of a queue: a command for each event, while its descriptor is watched. */
  Tcl_Interp *interp;
  Tcl_Obj *script;
  int fd;
} coord_tcl_handle;

static const char coord_tcl_key[] = "coord";

static coord_tcl_table *coord_tcl_handles(Tcl_Interp *interp) {
  return Tcl_GetAssocData(interp, coord_tcl_key, NULL);
}

/* An object that is its name; empty for NULL. */
static Tcl_Obj *coord_tcl_new(Tcl_Interp *interp, void *pointer, const char *type,
                              void (*destroy)(void *)) {
  int is_new;
  char name[64];
  coord_tcl_table *table = coord_tcl_handles(interp);
  if (table == NULL) destroy(pointer); /* the interpreter is being deleted */
  if (table == NULL || pointer == NULL) return Tcl_NewObj();
  coord_tcl_handle *handle = (coord_tcl_handle *)ckalloc(sizeof *handle);
  *handle = (coord_tcl_handle){
      .pointer = pointer, .type = type, .destroy = destroy, .interp = interp, .fd = -1};
  snprintf(name, sizeof name, "%s%llu", type, ++table->count);
  Tcl_SetHashValue(Tcl_CreateHashEntry(&table->handles, name, &is_new), handle);
  return Tcl_NewStringObj(name, -1);
}

static Tcl_HashEntry *coord_tcl_find(Tcl_Interp *interp, const char *name) {
  coord_tcl_table *table = coord_tcl_handles(interp);
  return table != NULL ? Tcl_FindHashEntry(&table->handles, name) : NULL;
}

static void coord_tcl_no_script(coord_tcl_handle *handle) {
  if (handle->script == NULL) return;
  Tcl_DeleteFileHandler(handle->fd);
  Tcl_DecrRefCount(handle->script);
  handle->script = NULL;
}

static void coord_tcl_destroy(Tcl_HashEntry *entry) {
  coord_tcl_handle *handle = Tcl_GetHashValue(entry);
  coord_tcl_no_script(handle);
  Tcl_DeleteHashEntry(entry);
  handle->destroy(handle->pointer);
  ckfree((char *)handle);
}

static void coord_tcl_close(ClientData data, Tcl_Interp *interp) {
  (void)interp;
  coord_tcl_table *table = data;
  Tcl_HashSearch search;
  Tcl_HashEntry *entry;
  while ((entry = Tcl_FirstHashEntry(&table->handles, &search)) != NULL) coord_tcl_destroy(entry);
  Tcl_DeleteHashTable(&table->handles);
  ckfree((char *)table);
}

/* SWIG's own commands on classes take any text for a pointer: they go. */
static int coord_tcl_open(Tcl_Interp *interp) {
  if (coord_tcl_handles(interp) == NULL) {
    coord_tcl_table *table = (coord_tcl_table *)ckalloc(sizeof *table);
    Tcl_InitHashTable(&table->handles, TCL_STRING_KEYS);
    table->count = 0;
    Tcl_SetAssocData(interp, coord_tcl_key, coord_tcl_close, table);
  }
  return Tcl_Eval(interp,
                  "foreach delete [info commands ::coord::delete_*] {\n"
                  "  rename ::coord::[string range $delete 16 end] {}\n"
                  "  rename $delete {}\n"
                  "}\nunset -nocomplain delete");
}

/* coord::free handle ?handle ...?: what is empty is passed over. */
static int coord_tcl_free(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
  (void)data;
  for (int i = 1; i < objc; i++) {
    const char *name = Tcl_GetString(objv[i]);
    Tcl_HashEntry *entry = coord_tcl_find(interp, name);
    if (*name == 0) continue;
    if (entry == NULL) return coord_tcl_no_handle(interp, objv[0], i, "handle", objv[i], "handle");
    coord_tcl_destroy(entry);
  }
  return TCL_OK;
}

/* ---- the event loop ----------------------------------------------------------------------------- */

static void coord_tcl_free_taken(void *event) { coord_event_free(event); }

/* One event, whose name is put behind the command. The command may free the queue, or the interpreter. */
static void coord_tcl_readable(ClientData data, int mask) {
  (void)mask;
  coord_tcl_handle *handle = data;
  coord_event *event = coord_queue_next(handle->pointer, 0);
  if (event == NULL) return;
  Tcl_Interp *interp = handle->interp;
  Tcl_Obj *command = Tcl_DuplicateObj(handle->script);
  Tcl_IncrRefCount(command);
  Tcl_ListObjAppendElement(NULL, command,
                           coord_tcl_new(interp, event, "coord_event", coord_tcl_free_taken));
  Tcl_Preserve(interp);
  int status = Tcl_EvalObjEx(interp, command, TCL_EVAL_GLOBAL);
  if (status != TCL_OK) Tcl_BackgroundException(interp, status);
  Tcl_Release(interp);
  Tcl_DecrRefCount(command);
}

/* coord::queue_script queue command: for each event, in the event loop of this thread; an empty one ends that. */
static int coord_tcl_queue_script(ClientData data, Tcl_Interp *interp, int objc,
                                  Tcl_Obj *const objv[]) {
  int length;
  (void)data;
  if (objc != 3) {
    Tcl_WrongNumArgs(interp, 1, objv, "queue command");
    return TCL_ERROR;
  }
  Tcl_HashEntry *entry = coord_tcl_find(interp, Tcl_GetString(objv[1]));
  coord_tcl_handle *handle = entry != NULL ? Tcl_GetHashValue(entry) : NULL;
  if (handle == NULL || strcmp(handle->type, "coord_queue") != 0) {
    return coord_tcl_no_handle(interp, objv[0], 1, "queue", objv[1], "coord_queue");
  }
  if (Tcl_ListObjLength(interp, objv[2], &length) != TCL_OK) return TCL_ERROR;
  coord_tcl_no_script(handle);
  if (length == 0) return TCL_OK;
  handle->fd = coord_queue_fd(handle->pointer);
  if (handle->fd < 0) return coord_tcl_fail(interp, COORD_FORKED, NULL);
  handle->script = objv[2];
  Tcl_IncrRefCount(handle->script);
  Tcl_CreateFileHandler(handle->fd, TCL_READABLE, coord_tcl_readable, handle);
  return TCL_OK;
}

#endif
