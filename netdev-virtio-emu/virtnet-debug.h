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

#ifndef VIRTNET_DEBUG_H
#define VIRTNET_DEBUG_H 1

/* What "virtnet debug" shows and does.  Its output may change without
 * notice.
 *
 * Main thread. */

struct virtnet_debug_counters;
struct virtnet_device;
struct virtnet_json;
struct virtnet_queue_info;

/* "query --dbg_stats": what has been counted of the queue 'info' of the device
 * since "query --stats_clear" was said, or since its driver came, which is
 * later. */
struct virtnet_debug_counters virtnet_debug_count(
    const struct virtnet_device *, const struct virtnet_queue_info *info);
void virtnet_debug_clear(struct virtnet_device *);

/* Adds members with all that is known of the queues of 'dev', or of 'only' if
 * that is not negative. */
void virtnet_debug_queues(struct virtnet_json *, const struct virtnet_device *,
                          int only);

/* Adds members with the state of all pools. */
void virtnet_debug_pools(struct virtnet_json *);

/* Makes the step that 'what' names fail the next time. */
void virtnet_debug_fault(const char *what);

#endif /* virtnet-debug.h */
