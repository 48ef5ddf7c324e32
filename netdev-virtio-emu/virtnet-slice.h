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

#ifndef VIRTNET_SLICE_H
#define VIRTNET_SLICE_H 1

/* Work that goes from device to device is done in slices: a few devices in
 * each turn of the main loop, which so is never away for long however many
 * there are.
 *
 *     struct virtnet_slice slice;
 *
 *     virtnet_slice_begin(&slice, true);
 *     while (there is more) {
 *         if (virtnet_slice_is_over(&slice)) {
 *             return;          and be back in the next turn: see
 *         }                    virtnet_slice_wait()
 *         one device;
 *     }
 *
 * Each kind of work has a slice of its own in a turn.  That of Open vSwitch
 * comes on top: it looks at every port that has changed.
 *
 * "virtnet/slice N" has all such work that changes something stop after N
 * devices together, so that a test can see to what happens in the middle of
 * it, and "virtnet/slice all" has it go on.
 *
 * Main thread. */

#include <stdbool.h>

/* How long (ms) a slice is. */
#define VIRTNET_SLICE_MS 5
#define VIRTNET_SLICE_START_MS 15

struct virtnet_slice {
    long long int end;          /* time_msec(). */
    bool begun;                 /* Has there been a device? */
    bool changes;               /* Does the work change anything? */
};

/* A turn of the main loop has come to this work, which 'changes' devices, or
 * only looks at them. */
void virtnet_slice_begin(struct virtnet_slice *, bool changes);

/* While the process starts there is nobody yet who waits for an answer, but
 * guests do for their devices: makes 'slice', which has just begun, longer. */
void virtnet_slice_extend(struct virtnet_slice *);

/* Before each device: must it wait for the next turn?  The first one of a
 * slice does not have to, so work comes to an end. */
bool virtnet_slice_is_over(struct virtnet_slice *);

/* There is work left that changes something. */
void virtnet_slice_wait(void);

/* After 'n' devices, stop; a negative 'n' means never. */
void virtnet_slice_limit(int n);

/* Registers the command. */
void virtnet_slice_init(void);

#endif /* virtnet-slice.h */
