/* list.h: a doubly linked list whose links lie inside the elements.
 *
 * A head that was given list_init() is an empty list; a link that is all zero is in no list.
 *
 *     struct list jobs;            list_init(&jobs);
 *     struct job { struct list link; ... };
 *     list_add(&jobs, &job->link);
 *     LIST_EACH(&jobs, struct job, link, job) ...      (the current one may be removed)
 *
 * Nothing is allocated or owned. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
    return link->next != NULL;
}

static inline void list_add(struct list *head, struct list *link) /* at the end */
{
    ASSERT(!list_is_linked(link));
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_remove(struct list *link) /* one that is in no list: nothing happens */
{
    if (!list_is_linked(link))
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

/* Takes the first element out; NULL when there is none. */
static inline struct list *list_take(struct list *head)
{
    struct list *first = head->next;
    if (first == head)
        return NULL;
    head->next = first->next;
    head->next->prev = head;
    first->next = first->prev = NULL;
    return first;
}

#define LIST_TAKE(head, type, member)                                                          \
    ({                                                                                         \
        struct list *link_ = list_take(head);                                                  \
        link_ ? container_of(link_, type, member) : NULL;                                      \
    })

#define LIST_FIRST(head, type, member)                                                         \
    (list_is_empty(head) ? NULL : container_of((head)->next, type, member))

#define LIST_EACH(head, type, member, name)                                                    \
    for (struct list *at_##name = (head)->next, *next_##name = at_##name->next;                \
         at_##name != (head); at_##name = next_##name, next_##name = at_##name->next)          \
        for (type *name = container_of(at_##name, type, member); name; name = NULL)
