/* Allocation: the one way to memory, so that a test can make every allocation fail in turn. */
#ifndef COORD_BASE_ALLOC_H
#define COORD_BASE_ALLOC_H

#include <stddef.h>

/* All return NULL when memory is out. coord__free takes NULL. */
void *coord__malloc(size_t n);
void *coord__calloc(size_t count, size_t size);
void *coord__realloc(void *p, size_t n);
char *coord__strdup(const char *s);
void *coord__memdup(const void *p, size_t n);
void coord__free(void *p);

/* For tests: the allocation after `n` more fails, and each one after that; -1 fails none. */
void coord__alloc_fail_after(long n);
/* For tests: how many allocations there were since the last coord__alloc_fail_after. */
long coord__alloc_count(void);

#endif
