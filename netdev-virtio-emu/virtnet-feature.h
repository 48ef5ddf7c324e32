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

/* The bits that commands show, and what features need each other. */

#include <stddef.h>
#include <stdint.h>

struct ds;

struct virtnet_bit {
    uint8_t bit;
    const char *name;
};

/* Terminated by a null 'name', in ascending order. */
extern const struct virtnet_bit virtnet_feature_bits[];
extern const struct virtnet_bit virtnet_status_bits[];
extern const struct virtnet_bit virtnet_queue_type_bits[];
extern const struct virtnet_bit virtnet_event_mode_bits[];

/* Bits that devices of the known controller may offer. */
#define VIRTNET_CARD_FEATURES UINT64_C(0x8b30037700ef982f)

/* Appends the numbers and names of 'features' to '*s', separated by commas. */
void virtnet_features_format(uint64_t features, struct ds *s);

/* Returns NULL if each of 'features' has those that it needs, else what one
 * lacks, which the caller must free. */
char *virtnet_features_need(uint64_t features);

/* Returns those of 'features' that have no name. */
uint64_t virtnet_features_unknown(uint64_t features);

#endif /* virtnet-feature.h */
