/* Bytes and failures between C and Python. Part of the file that SWIG writes. */
#ifndef COORD_PYTHON_CONVERT_H
#define COORD_PYTHON_CONVERT_H

#include <Python.h>

#include "borrowed.h"

static PyObject *coord_python_error;

/* ---- in --------------------------------------------------------------------------------------- */

static void coord_python_view_free(Py_buffer *view) {
  if (view->obj != NULL) PyBuffer_Release(view);
}

/* Let go of wherever its function returns. */
#define COORD_PYTHON_VIEW __attribute__((cleanup(coord_python_view_free))) Py_buffer

/* bytes, bytearray and so on; None: nothing. -1: it is something else, and that is raised. */
static int coord_python_view(PyObject *object, Py_buffer *view) {
  return object != Py_None ? PyObject_GetBuffer(object, view, PyBUF_SIMPLE) : 0;
}

typedef struct coord_python_names {
  PyObject *list;
  void **names;
  size_t *lengths;
  size_t count;
} coord_python_names;

static void coord_python_names_free(coord_python_names *names) {
  PyMem_Free(names->names);
  PyMem_Free(names->lengths);
  Py_XDECREF(names->list);
}

#define COORD_PYTHON_NAMES __attribute__((cleanup(coord_python_names_free))) coord_python_names

/* A list, or what can be made one, of bytes. */
static int coord_python_names_of(PyObject *object, coord_python_names *names) {
  names->list = PySequence_Tuple(object);
  if (names->list == NULL) return -1;
  names->count = (size_t)PyTuple_GET_SIZE(names->list);
  names->names = PyMem_Calloc(names->count + 1, sizeof *names->names);
  names->lengths = PyMem_Calloc(names->count + 1, sizeof *names->lengths);
  if (names->names == NULL || names->lengths == NULL) {
    PyErr_NoMemory();
    return -1;
  }
  for (size_t i = 0; i < names->count; i++) {
    char *bytes = NULL;
    Py_ssize_t length = 0;
    PyObject *name = PyTuple_GET_ITEM(names->list, (Py_ssize_t)i);
    if (PyBytes_AsStringAndSize(name, &bytes, &length) != 0) return -1;
    names->names[i] = bytes;
    names->lengths[i] = (size_t)length;
  }
  return 0;
}

/* ---- out -------------------------------------------------------------------------------------- */

static PyObject *coord_python_bytes(coord_bytes bytes) {
  if (bytes.bytes == NULL) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize(bytes.bytes, (Py_ssize_t)bytes.length);
}

/* An attribute of what is raised; value, which is NULL when there was no memory, is let go of. */
static void coord_python_set(PyObject *raised, const char *name, PyObject *value) {
  if (value != NULL && raised != NULL) PyObject_SetAttrString(raised, name, value);
  Py_XDECREF(value);
}

/* Raises what a call has failed with; error, which may be NULL, is freed. */
static void coord_python_fail(coord_code code, coord_error *error) {
  const char *message = error != NULL ? coord_error_message(error) : coord_code_name(code);
  const char *endpoint = coord_error_endpoint(error);
  PyObject *raised = PyObject_CallFunction(coord_python_error, "s", message);
  coord_python_set(raised, "code", PyLong_FromLong(code));
  coord_python_set(raised, "flags", PyLong_FromUnsignedLong(coord_error_flags(error)));
  coord_python_set(raised, "endpoint", PyUnicode_FromString(endpoint));
  coord_python_set(raised, "grpc_status",
                   PyLong_FromLong(error != NULL ? coord_error_grpc_status(error) : -1));
  coord_python_set(raised, "http_status",
                   PyLong_FromLong(error != NULL ? coord_error_http_status(error) : -1));
  coord_error_free(error);
  if (raised == NULL) return;
  PyErr_SetObject(coord_python_error, raised);
  Py_DECREF(raised);
}

static int coord_python_open(PyObject *module) {
  coord_python_error = PyErr_NewException("coord_core.Error", NULL, NULL);
  if (coord_python_error == NULL) return -1;
  Py_INCREF(coord_python_error);
  return PyModule_AddObject(module, "Error", coord_python_error);
}

#endif
