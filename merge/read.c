/*
 * read.c - a state document in (merge §1).
 *
 * One pass over the bytes; every check is made where the value stands, so that an error can say where. Items
 * go into slots in the order of the document; then the index is built, which finds duplicates.
 */
#include <stdlib.h>

#include "number.h"
#include "state.h"

/* What reading one document needs besides the reader. */
typedef struct {
    tm_reader r;
    trivet_merge_state *state;
    tm_node **nodes; /* the slot being read */
    size_t node_count, node_room;
    size_t items; /* of the whole state */
} document;

/* ---- unknown fields ------------------------------------------------------------------------------------ */

int tm_rest_take(tm_reader *r, size_t base, const tm_rest **out) {
    size_t count = r->field_count - base;
    *out = NULL;
    if (count == 0)
        return 0;
    int rc = tm_sort_fields(r, base);
    if (rc != 0)
        return rc;
    tm_rest *rest = tm_alloc(r->arena, sizeof *rest + count * sizeof rest->fields[0]);
    if (!rest)
        return tm_fail_memory(r);
    rest->count = count;
    memcpy(rest->fields, r->fields + base, count * sizeof rest->fields[0]);
    r->field_count = base;
    *out = rest;
    return 0;
}

static int read_unknown(tm_reader *r, tm_slice key) {
    tm_slice value;
    int rc = tm_value(r, &value);
    return rc != 0 ? rc : tm_push_field(r, key, value);
}

/* ---- items --------------------------------------------------------------------------------------------- */

typedef enum {
    ID = 1,
    TEXT = 2,
    DONE = 4,
    POSITION = 8,
    CREATED_AT = 16,
    UPDATED_AT = 32,
    DELETED = 64,
    DELETED_AT = 128
} item_field;

/*
 * The items of one app come with their keys in one order. So the key that stood at a place in the last item is tried first, as
 * sixteen bytes at once, quotation marks, colon and all.
 */
typedef struct {
    char text[16], mask[16]; /* `mask` is 0xff where `text` counts */
    tm_slice key;
    size_t len; /* of `text` */
    unsigned field;
} known_key;

#define KNOWN(name, ones, field)                                                                             \
    { "\"" name "\":", ones, {name, sizeof(name) - 1}, sizeof(name) + 2, field }
#define FF4 "\xff\xff\xff\xff"

static const known_key known_keys[] = {KNOWN("id", FF4 "\xff", ID),
                                       KNOWN("text", FF4 "\xff\xff\xff", TEXT),
                                       KNOWN("done", FF4 "\xff\xff\xff", DONE),
                                       KNOWN("position", FF4 FF4 "\xff\xff\xff", POSITION),
                                       KNOWN("createdAt", FF4 FF4 FF4, CREATED_AT),
                                       KNOWN("updatedAt", FF4 FF4 FF4, UPDATED_AT),
                                       KNOWN("deleted", FF4 FF4 "\xff\xff", DELETED),
                                       KNOWN("deletedAt", FF4 FF4 FF4, DELETED_AT)};

enum { KNOWN_KEYS = sizeof known_keys / sizeof *known_keys };

static inline bool stands_here(const tm_reader *r, const known_key *k) {
    uint64_t here[2], text[2], mask[2];
    if (r->end - r->at < 16)
        return false;
    memcpy(here, r->at, 16);
    memcpy(text, k->text, 16);
    memcpy(mask, k->mask, 16);
    return (((here[0] ^ text[0]) & mask[0]) | ((here[1] ^ text[1]) & mask[1])) == 0;
}

/* The next key of an item, the `place`th; `*field` is 0 for an unknown one. */
static inline int read_item_key(tm_reader *r, size_t place, tm_slice *key, unsigned *field) {
    unsigned char ignored, *guess = place < KNOWN_KEYS ? &r->guess[place] : &ignored;
    if (place < KNOWN_KEYS && stands_here(r, &known_keys[*guess])) {
        const known_key *k = &known_keys[*guess];
        r->at += k->len;
        *key = k->key;
        *field = k->field;
        return 0;
    }
    int rc = tm_key(r, key);
    *field = 0;
    for (unsigned i = 0; rc == 0 && i < KNOWN_KEYS; i++) {
        if (tm_slice_equal(*key, known_keys[i].key)) {
            *guess = (unsigned char)i;
            *field = known_keys[i].field;
            break;
        }
    }
    return rc;
}

static int read_id(tm_reader *r, tm_slice *id) {
    int rc = tm_string(r, id);
    if (rc == 0 && (id->len == 0 || id->len > TRIVET_MERGE_MAX_ID))
        return tm_fail(r, "expected 1 to 256 bytes");
    return rc;
}

static int read_item_field(tm_reader *r, trivet_merge_item *item, unsigned field, tm_slice key) {
    switch (field) {
    case ID:
        return read_id(r, &item->id);
    case TEXT:
        return tm_string(r, &item->text);
    case DONE:
        item->has |= TRIVET_MERGE_HAS_DONE;
        return tm_bool(r, &item->done);
    case POSITION:
        return tm_finite(r, &item->position);
    case CREATED_AT:
        item->has |= TRIVET_MERGE_HAS_CREATED_AT;
        return tm_time(r, &item->created_at);
    case UPDATED_AT:
        item->has |= TRIVET_MERGE_HAS_UPDATED_AT;
        return tm_time(r, &item->updated_at);
    case DELETED:
        return tm_bool(r, &item->deleted);
    case DELETED_AT:
        return tm_null(r) ? 0 : tm_time(r, &item->deleted_at);
    default:
        return read_unknown(r, key);
    }
}

int tm_item_parse(tm_reader *r, tm_node *node) {
    size_t base = r->field_count;
    unsigned seen = 0;
    bool first = true, more;
    trivet_merge_item *item = &node->item;
    memset(node, 0, sizeof *node);
    item->deleted_at = -1;
    int rc = tm_enter(r, '{', "expected an item");
    if (rc != 0)
        return rc;
    for (size_t place = 0;; place++) {
        tm_slice key;
        unsigned field;
        if ((rc = tm_more(r, '}', &first, &more)) != 0)
            return rc;
        if (!more)
            break;
        if ((rc = read_item_key(r, place, &key, &field)) != 0)
            return rc;
        tm_push_key(r, key);
        if ((seen & field) != 0)
            return tm_fail(r, "repeated key");
        seen |= field;
        if ((rc = read_item_field(r, item, field, key)) != 0)
            return rc;
        tm_pop(r);
    }
    tm_leave(r);
    if ((seen & ID) == 0)
        return tm_fail_at(r, TM_SLICE("id"), "missing");
    if ((seen & TEXT) == 0)
        return tm_fail_at(r, TM_SLICE("text"), "missing");
    if ((seen & POSITION) == 0)
        return tm_fail_at(r, TM_SLICE("position"), "missing");
    node->hash = tm_hash(item->id);
    const tm_rest *rest;
    rc = tm_rest_take(r, base, &rest);
    item->rest = rest;
    return rc;
}

static int push_node(document *d, tm_node *node) {
    if (d->node_count == d->node_room) {
        size_t room = d->node_room ? d->node_room * 2 : 64;
        tm_node **nodes = realloc(d->nodes, room * sizeof *nodes);
        if (!nodes)
            return tm_fail_memory(&d->r);
        d->nodes = nodes;
        d->node_room = room;
    }
    d->nodes[d->node_count++] = node;
    return 0;
}

static int read_item(document *d, size_t slot) {
    tm_reader *r = &d->r;
    if (d->items == TRIVET_MERGE_MAX_ITEMS)
        return tm_fail(r, "more than 1000000 items");
    tm_node *node = tm_alloc(r->arena, sizeof *node);
    if (!node)
        return tm_fail_memory(r);
    int rc = tm_item_parse(r, node);
    if (rc != 0)
        return rc;
    node->slot = (uint16_t)slot;
    d->items++;
    return push_node(d, node);
}

static int read_slot(document *d, tm_items *items) {
    tm_reader *r = &d->r;
    size_t slot = items->slot_count;
    bool first = true;
    if (slot == TRIVET_MERGE_MAX_SLOTS)
        return tm_fail(r, "more than 64 slots");
    int rc = tm_enter(r, '[', "expected an array of items");
    if (rc != 0)
        return rc;
    d->node_count = 0;
    while ((rc = tm_next_element(r, &first)) > 0)
        if ((rc = read_item(d, slot)) != 0)
            return rc;
    if (rc != 0)
        return rc;
    tm_items_extend(items, slot + 1);
    if (tm_slot_reserve(&items->slots[slot], r->arena, d->node_count) != 0)
        return tm_fail_memory(r);
    for (size_t i = 0; i < d->node_count; i++)
        tm_slot_push(items, slot, d->nodes[i]);
    return 0;
}

/* ---- duplicates ---------------------------------------------------------------------------------------- */

static void remove_dropped(tm_items *items) {
    for (size_t s = 0; s < items->slot_count; s++) {
        tm_slot *slot = &items->slots[s];
        size_t kept = 0;
        for (size_t i = 0; i < slot->count; i++)
            if (!slot->nodes[i]->dropped)
                slot->nodes[kept++] = slot->nodes[i];
        items->total -= slot->count - kept;
        slot->count = kept;
    }
}

/* Slots are visited in order, so that of equal copies the one in the lower slot, then the first, is there
 * already. */
static int index_items(document *d, tm_items *items) {
    size_t duplicates = 0;
    if (tm_index_init(&items->index, d->r.arena, items->total) != 0)
        return tm_fail_memory(&d->r);
    for (size_t s = 0; s < items->slot_count; s++) {
        for (size_t i = 0; i < items->slots[s].count; i++) {
            tm_node *node = items->slots[s].nodes[i], *present;
            if (tm_index_add(&items->index, d->r.arena, node, &present) != 0)
                return tm_fail_memory(&d->r);
            if (!present)
                continue;
            duplicates++;
            if (node->item.updated_at > present->item.updated_at) {
                tm_index_replace(&items->index, node);
                present->dropped = true;
            } else {
                node->dropped = true;
            }
        }
    }
    if (duplicates > 0)
        remove_dropped(items);
    d->state->duplicates += duplicates;
    return 0;
}

static int read_items(document *d, tm_items *items) {
    tm_reader *r = &d->r;
    bool first = true;
    int rc = tm_enter(r, '[', "expected an array of slots");
    if (rc != 0)
        return rc;
    items->present = true;
    while ((rc = tm_next_element(r, &first)) > 0)
        if ((rc = read_slot(d, items)) != 0)
            return rc;
    return rc != 0 ? rc : index_items(d, items);
}

/* ---- entries ------------------------------------------------------------------------------------------- */

static int read_entry_field(tm_reader *r, tm_entry *entry, trivet_merge_section section, tm_slice key,
                            bool *has_text) {
    if (tm_slice_equal(key, tm_text_key(section))) {
        if (*has_text)
            return tm_fail(r, "repeated key");
        *has_text = true;
        return tm_string(r, &entry->entry.text);
    }
    if (tm_slice_equal(key, TM_SLICE("updatedAt"))) {
        if (entry->has_updated_at)
            return tm_fail(r, "repeated key");
        entry->has_updated_at = true;
        return tm_time(r, &entry->entry.updated_at);
    }
    if (section != TRIVET_MERGE_SCRATCHPAD && tm_slice_equal(key, TM_SLICE("section")) && tm_peek(r) != '"')
        return tm_fail(r, "expected a string");
    return read_unknown(r, key);
}

static int read_entry(tm_reader *r, trivet_merge_section section, tm_entry *entry) {
    size_t base = r->field_count;
    bool first = true, has_text = false;
    tm_slice key;
    memset(entry, 0, sizeof *entry);
    int rc = tm_enter(r, '{',
                      section == TRIVET_MERGE_SCRATCHPAD ? "expected a scratchpad" : "expected a category");
    if (rc != 0)
        return rc;
    while ((rc = tm_next_key(r, &first, &key)) > 0)
        if ((rc = read_entry_field(r, entry, section, key, &has_text)) != 0)
            return rc;
    if (rc != 0)
        return rc;
    const tm_rest *rest;
    rc = tm_rest_take(r, base, &rest);
    entry->entry.rest = rest;
    return rc;
}

static int read_entries(tm_reader *r, trivet_merge_section section, tm_entries *entries) {
    bool first = true;
    int rc = tm_enter(r, '[', "expected an array");
    if (rc != 0)
        return rc;
    entries->present = true;
    while ((rc = tm_next_element(r, &first)) > 0) {
        if (entries->count == TRIVET_MERGE_MAX_SLOTS)
            return tm_fail(r, "more than 64 slots");
        tm_entry *entry = tm_alloc(r->arena, sizeof *entry);
        if (!entry)
            return tm_fail_memory(r);
        if ((rc = read_entry(r, section, entry)) != 0)
            return rc;
        entries->entries[entries->count++] = entry;
    }
    return rc;
}

/* ---- the document -------------------------------------------------------------------------------------- */

static trivet_merge_section section_of(tm_slice key) {
    unsigned section = 0;
    while (section < TRIVET_MERGE_SECTIONS &&
           !tm_slice_equal(key, tm_section_key((trivet_merge_section)section)))
        section++;
    return (trivet_merge_section)section;
}

static int read_key(document *d, tm_slice key, unsigned *seen) {
    trivet_merge_section section = section_of(key);
    if (section < TRIVET_MERGE_SECTIONS) {
        if ((*seen & 1u << section) != 0)
            return tm_fail(&d->r, "repeated key");
        *seen |= 1u << section;
    }
    if (section == TRIVET_MERGE_SECTIONS)
        return read_unknown(&d->r, key);
    if (tm_null(&d->r)) /* no view (merge §1) */
        return 0;
    return tm_is_items(section) ? read_items(d, tm_items_of(d->state, section))
                                : read_entries(&d->r, section, tm_entries_of(d->state, section));
}

/* An unknown key with null is no view either. */
static int take_unknown(document *d) {
    tm_reader *r = &d->r;
    const tm_rest *rest;
    int rc = tm_rest_take(r, 0, &rest);
    if (rc != 0 || !rest)
        return rc;
    tm_field *fields = tm_alloc_array(r->arena, rest->count, sizeof *fields);
    if (!fields)
        return tm_fail_memory(r);
    d->state->unknown = fields;
    for (size_t i = 0; i < rest->count; i++)
        if (!tm_slice_equal(rest->fields[i].value, TM_SLICE("null")))
            fields[d->state->unknown_count++] = rest->fields[i];
    return 0;
}

static int read_document(document *d) {
    tm_reader *r = &d->r;
    unsigned seen = 0;
    bool first = true;
    tm_slice key;
    int rc = tm_enter(r, '{', "expected an object");
    if (rc != 0)
        return rc;
    while ((rc = tm_next_key(r, &first, &key)) > 0)
        if ((rc = read_key(d, key, &seen)) != 0)
            return rc;
    if (rc != 0 || (rc = tm_finish(r)) != 0)
        return rc;
    return take_unknown(d);
}

int trivet_merge_state_read(const char *json, size_t len, trivet_merge_side side, trivet_merge_state **out,
                            trivet_merge_error *err) {
    *out = NULL;
    document d = {.state = malloc(sizeof *d.state)};
    if (!d.state)
        return tm_error_set(err, TRIVET_MERGE_ENOMEM, side, NULL, 0, "out of memory");
    /* a node is about half as long as an item's text */
    tm_state_init(d.state, len / 2);
    d.state->side = side;
    d.state->size_hint = len;
    tm_reader_init(&d.r, json, len, side, &d.state->arena, err);
    int rc = read_document(&d);
    tm_reader_release(&d.r);
    free(d.nodes);
    if (rc != 0) {
        trivet_merge_state_free(d.state);
        return rc;
    }
    *out = d.state;
    return 0;
}

int trivet_merge_state_read_steal(char *json, size_t len, trivet_merge_side side, trivet_merge_state **out,
                                  trivet_merge_error *err) {
    int rc = trivet_merge_state_read(json, len, side, out, err);
    if (rc != 0)
        free(json);
    else
        (*out)->owned = json;
    return rc;
}

int trivet_merge_item_read(trivet_merge_state *keeper, const char *json, size_t len, trivet_merge_item *out,
                           trivet_merge_error *err) {
    tm_reader r;
    tm_node node;
    tm_reader_init(&r, json, len, keeper->side, &keeper->arena, err);
    int rc = tm_item_parse(&r, &node);
    if (rc == 0)
        rc = tm_finish(&r);
    tm_reader_release(&r);
    if (rc == 0)
        *out = node.item;
    return rc;
}
