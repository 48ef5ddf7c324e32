/*
 * Copyright (c) 2026 The ovs-virtio-emu authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

#ifndef VIRTNET_JSON_H
#define VIRTNET_JSON_H 1

/* JSON whose members stay in order.
 *
 * Open vSwitch's "struct json" keeps the members of an object in a hash table.
 * Scripts that read the output of "virtnet" have come to rely on the order of
 * the documented examples, so answers are written here as text, one member a
 * line, indented by two blanks, in the order of the calls.
 *
 * 'key' is the name of the member, or NULL for an element of an array and for
 * the outermost value. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/dynamic-string.h"

struct virtnet_bit;

struct virtnet_json {
    struct ds text;
    unsigned int depth;         /* Of nesting. */
    bool empty;                 /* Is the innermost object or array empty? */
};

void virtnet_json_init(struct virtnet_json *);

/* Returns the text, which the caller must free.  Everything that was begun
 * must have been ended. */
char *virtnet_json_steal(struct virtnet_json *);

void virtnet_json_begin_object(struct virtnet_json *, const char *key);
void virtnet_json_end_object(struct virtnet_json *);
void virtnet_json_begin_array(struct virtnet_json *, const char *key);
void virtnet_json_end_array(struct virtnet_json *);

/* The printed types of the command reference. */
void virtnet_json_string(struct virtnet_json *, const char *key,
                         const char *value);
void virtnet_json_number(struct virtnet_json *, const char *key,
                         long long int value);
void virtnet_json_dec(struct virtnet_json *, const char *key,
                      uint64_t value);  /* "1500" */
void virtnet_json_hex(struct virtnet_json *, const char *key,
                      uint64_t value);  /* "0x8c" */
void virtnet_json_hex_upper(struct virtnet_json *, const char *key,
                            uint64_t value); /* "0x8C" */

/* Adds member 'key', an object: "value" first, then an entry for each bit of
 * 'value', whose key is a blank and the number of the bit. */
void virtnet_json_bits(struct virtnet_json *, const char *key,
                       const struct virtnet_bit *, uint64_t value);

/* The two members that end every answer to an action. */
void virtnet_json_errno(struct virtnet_json *, int error);

/* A number with six digits behind the point. */
void virtnet_json_real(struct virtnet_json *, const char *key, double value);

#endif /* virtnet-json.h */
