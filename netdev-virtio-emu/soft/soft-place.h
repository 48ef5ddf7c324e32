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

#ifndef SOFT_PLACE_H
#define SOFT_PLACE_H 1

/* Places of functions: what the firmware of a card decides about where a
 * function is, which makes its identity.
 *
 * The place of a static PF or VF follows from its ids; that of a hotplug PF is
 * a port of the emulated switch.  A device that comes back has its old place
 * or none. */

#include <stdint.h>

#include "virtnet-device.h"

struct virtnet_record;
struct virtnet_settings;

struct soft_places {
    const struct virtnet_settings *settings;
    unsigned int max_ports;     /* Of the emulated switch. */
    unsigned long *slots;       /* Bitmap of those in use. */
    unsigned int free_hint;     /* All ports below are taken. */
};

struct soft_place {
    unsigned int slot;          /* Number among all functions, from 1; for a
                                 * hotplug PF that of its port. */
    uint16_t bdf;
    char *vuid;                 /* Owned. */
};

/* Most VFs and slots that there can be. */
unsigned int soft_max_vfs(void);
unsigned int soft_max_slots(void);

void soft_places_init(struct soft_places *, const struct virtnet_settings *);
void soft_places_destroy(struct soft_places *);

/* Works out the place of 'dev', which must not be taken, and must be the one
 * that 'dev' had before, if it had one, and takes it.  Returns 0, or the
 * number that the operator shall see with one line in '*errp'. */
int soft_place_take(struct soft_places *, const struct virtnet_device *dev,
                    struct soft_place *place, char **errp);

/* Returns NULL if the device of 'record' has been at the place that it says,
 * or why it cannot have been, in a line that the caller must free. */
char *soft_place_check(struct soft_places *, const struct virtnet_record *);

/* Gives 'slot' back. */
void soft_place_release(struct soft_places *, unsigned int slot);

#endif /* soft-place.h */
