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

#ifndef VIRTNET_FEATURE_H
#define VIRTNET_FEATURE_H 1

/* Names of the bits that commands show. */

#include <stddef.h>
#include <stdint.h>

struct virtnet_json;

struct virtnet_bit {
    uint8_t bit;
    const char *name;
};

/* Terminated by a null 'name', in ascending order. */
extern const struct virtnet_bit virtnet_feature_bits[];
extern const struct virtnet_bit virtnet_status_bits[];
extern const struct virtnet_bit virtnet_queue_type_bits[];
extern const struct virtnet_bit virtnet_event_mode_bits[];

/* Adds member 'key', an object: "value" first, then an entry for each bit of
 * 'value', whose key is a blank and the number of the bit. */
void virtnet_json_bits(struct virtnet_json *, const char *key,
                       const struct virtnet_bit *, uint64_t value);

#endif /* virtnet-feature.h */
