/*
 * index.h - a section's nodes by id.
 *
 * An open-addressing hash table, half full at most. The hash has no secret (the engine has no randomness), so
 * whoever makes up ids can make them collide; a probe that gets long therefore turns the index into a crit-bit
 * tree, in which no id costs more than its own length, to look up or to add.
 */
#ifndef TM_INDEX_H
#define TM_INDEX_H

#include <stdint.h>

#include "slice.h"

struct tm_node;

typedef struct {
    struct tm_node **table; /* NULL: not built */
    size_t mask;            /* table size - 1 */
    size_t count;
    bool is_tree; /* `root` holds all, and the table nothing */
    void *root;
} tm_index;

uint32_t tm_hash(tm_slice id);

/* An empty index for `count` nodes; 0 or ENOMEM. */
int tm_index_init(tm_index *index, tm_arena *arena, size_t count);

struct tm_node *tm_index_find(const tm_index *index, tm_slice id, uint32_t hash);

/*
 * Adds `node`, or where its id is there already leaves that and gives it back in `*present`. Memory comes
 * from the arena when the index must grow. 0 or ENOMEM, and then nothing has changed.
 */
int tm_index_add(tm_index *index, tm_arena *arena, struct tm_node *node, struct tm_node **present);

/* Puts `node` in the place of the one with its id, which is there. */
void tm_index_replace(tm_index *index, struct tm_node *node);
void tm_index_remove(tm_index *index, tm_slice id, uint32_t hash);

#endif
