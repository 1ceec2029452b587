/* base/list. */
#include "base/list.h"

#include <string.h>

#include "support/t.h"

typedef struct item {
  char name;
  coord__list link;
} item;

/* The names of a list, first to last; checks the links backwards too. */
static const char *names(const coord__list *head, char out[32]) {
  size_t n = 0;
  for (const coord__list *node = head->next; node != head; node = node->next) {
    T_TRUE(node->prev->next == node && node->next->prev == node);
    out[n++] = COORD__CONTAINER(node, const item, link)->name;
  }
  out[n] = '\0';
  return out;
}

static void make_items(item *items, const char *letters) {
  memset(items, 0, strlen(letters) * sizeof *items);
  for (size_t i = 0; letters[i] != '\0'; i++) items[i].name = letters[i];
}

static void fresh_head_is_empty(void) {
  coord__list head;
  char text[32];
  coord__list_init(&head);
  T_TRUE(coord__list_empty(&head));
  T_TRUE(coord__list_pop(&head) == NULL);
  T_STR(names(&head, text), "");
}

static void append_and_prepend_go_to_the_ends(void) {
  coord__list head;
  item items[4];
  char text[32];
  make_items(items, "abcd");
  coord__list_init(&head);
  T_TRUE(!coord__list_linked(&items[0].link));
  coord__list_append(&head, &items[0].link);
  T_TRUE(coord__list_linked(&items[0].link));
  coord__list_append(&head, &items[1].link);
  coord__list_prepend(&head, &items[2].link);
  coord__list_append(&head, &items[3].link);
  T_STR(names(&head, text), "cabd");
}

static void removal_works_at_both_ends_and_in_the_middle(void) {
  coord__list head;
  item items[5];
  char text[32];
  make_items(items, "abcde");
  coord__list_init(&head);
  for (int i = 0; i < 5; i++) coord__list_append(&head, &items[i].link);
  coord__list_remove(&items[2].link);
  T_STR(names(&head, text), "abde");
  coord__list_remove(&items[0].link);
  coord__list_remove(&items[4].link);
  T_STR(names(&head, text), "bd");
  T_TRUE(!coord__list_linked(&items[2].link));
  coord__list_remove(&items[2].link);
  coord__list_remove(&items[2].link);
  T_STR(names(&head, text), "bd");
  coord__list_append(&head, &items[2].link);
  T_STR(names(&head, text), "bdc");
}

static void pop_takes_from_the_front_until_empty(void) {
  coord__list head;
  item items[3];
  make_items(items, "abc");
  coord__list_init(&head);
  for (int i = 0; i < 3; i++) coord__list_append(&head, &items[i].link);
  for (int i = 0; i < 3; i++) {
    T_TRUE(coord__list_pop(&head) == &items[i].link);
    T_TRUE(!coord__list_linked(&items[i].link));
  }
  T_TRUE(coord__list_empty(&head));
}

static void splice_moves_all_in_order(void) {
  coord__list to, from;
  item items[5];
  char text[32];
  make_items(items, "abcde");
  coord__list_init(&to);
  coord__list_init(&from);
  coord__list_splice(&to, &from);
  T_STR(names(&to, text), "");
  for (int i = 0; i < 3; i++) coord__list_append(&from, &items[i].link);
  coord__list_splice(&to, &from);
  T_STR(names(&to, text), "abc");
  T_TRUE(coord__list_empty(&from));
  coord__list_append(&from, &items[3].link);
  coord__list_append(&from, &items[4].link);
  coord__list_splice(&to, &from);
  T_STR(names(&to, text), "abcde");
  T_STR(names(&from, text), "");
  coord__list_splice(&to, &from);
  T_STR(names(&to, text), "abcde");
}

T_MAIN(T_CASE(fresh_head_is_empty), T_CASE(append_and_prepend_go_to_the_ends),
       T_CASE(removal_works_at_both_ends_and_in_the_middle),
       T_CASE(pop_takes_from_the_front_until_empty), T_CASE(splice_moves_all_in_order))
