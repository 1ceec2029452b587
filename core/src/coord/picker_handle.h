/* The handle of a picker: the lineup that it picks from follows its group. Same contracts as in
 * coord/picker.h, without the checks. */
#ifndef COORD_COORD_PICKER_HANDLE_H
#define COORD_COORD_PICKER_HANDLE_H

#include "coord/group.h"
#include "coord/picker.h"

/* The group is retained; `owner` is for coord__picker_owner. NULL: memory is out. */
coord_picker *coord__picker_new(coord__group *group, int32_t policy, const char *subset,
                                void *owner);
/* COORD_OK, COORD_NOT_FOUND, COORD_UNAVAILABLE, COORD_NO_MEMORY. */
coord_code coord__picker_pick(coord_picker *p, const void *hash_key, size_t hash_key_len,
                              coord_instance **out);
void *coord__picker_owner(const coord_picker *p);
int32_t coord__picker_policy(const coord_picker *p);
void coord__picker_free(coord_picker *p);

#endif
