/*
 * tree.h - the text of a small message as a tree of jansson's.
 *
 * jansson keeps the tree and writes it. It does not read it: its reader refuses strings that a phone may send
 * (protocol §1), and does not look whether its buffer could grow, so that out of memory a byte of the user's text
 * would be missing with no one the wiser. This one is strict RFC 8259, guards strings as text.h has it, and bounds
 * what it builds: a tree may take 50 times the memory of its text.
 */
#ifndef TRIVET_PROTO_TREE_H
#define TRIVET_PROTO_TREE_H

#include "trivet_proto.h"

enum { PROTO_TREE_MAX_VALUES = 100000, PROTO_TREE_MAX_DEPTH = 64 };

/* Repeated keys are refused. The error's path is empty, its reason names the byte. */
int proto_tree_read(const char *text, size_t len, json_t **out, trivet_proto_error *err);

#endif
