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

#ifndef SOFT_FORWARD_H
#define SOFT_FORWARD_H 1

/* Frames that go from guest to guest by the software eSwitch, copied once.
 *
 * Only the start of a frame, where its headers are, is copied into a buffer of
 * ours first: what is looked up, and perhaps rewritten, must be what the
 * receiver gets, and the sender could change it meanwhile.
 *
 * Threads: packet threads, with the lock of the ring that the frames are
 * from. */

#include <stdbool.h>
#include <stdint.h>

struct soft_rep;
struct virtq_frame;

/* Looks up 'n' frames, at most 32, that the driver of 'rep' has sent, forwards
 * those that there are flows for, counts them in the flows, and stores the map
 * of the others in '*rest'.  'requests' says whether the driver may ask for
 * offloads.
 *
 * Returns false, having done nothing, if some of them cannot go this way,
 * because of what is to be done to them or because of what they ask for.  For
 * order's sake all must then become packets, for soft_eswitch_run(). */
bool soft_forward(struct soft_rep *rep, const struct virtq_frame *frames,
                  unsigned int n, bool requests, uint32_t *rest);

#endif /* soft-forward.h */
