// SPDX-License-Identifier: GPL-3.0-or-later
//
// Intrusive doubly linked lists: the link lives in the element, so that nothing is allocated to be in
// a list. A zeroed head is an empty list; a zeroed link is in none.
//
// Shard    No synchronisation: a list belongs to one shard.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "core/invariant.h"

struct list_link {
    struct list_link *prev, *next;
};

static inline void list_init(struct list_link *head)
{
    head->prev = head->next = head;
}

static inline bool list_empty(const struct list_link *head)
{
    return head->next == NULL || head->next == head;
}

// Whether `link` is in a list.
static inline bool list_linked(const struct list_link *link)
{
    return link->next != NULL;
}

static inline void list_append(struct list_link *head, struct list_link *link)
{
    if (head->next == NULL) list_init(head);
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_prepend(struct list_link *head, struct list_link *link)
{
    if (head->next == NULL) list_init(head);
    link->next = head->next;
    link->prev = head;
    head->next->prev = link;
    head->next = link;
}

// Nothing when it is in none.
static inline void list_remove(struct list_link *link)
{
    if (link->next == NULL) return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

// Takes the oldest out; NULL when empty.
static inline struct list_link *list_pop(struct list_link *head)
{
    if (list_empty(head)) return NULL;
    struct list_link *link = head->next;
    list_remove(link);
    return link;
}

// Moves all of `from` to the end of `to`.
static inline void list_splice(struct list_link *to, struct list_link *from)
{
    if (list_empty(from)) return;
    if (to->next == NULL) list_init(to);
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}
