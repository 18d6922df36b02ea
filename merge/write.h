/* write.h - canonical text (merge §1) into a buffer. */
#ifndef TM_WRITE_H
#define TM_WRITE_H

#include "buffer.h"
#include "state.h"

void tm_write_item(tm_buffer *b, const trivet_merge_item *item);
void tm_write_state(tm_buffer *b, const trivet_merge_state *state);

#endif
