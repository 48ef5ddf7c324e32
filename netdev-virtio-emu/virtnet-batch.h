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

#ifndef VIRTNET_BATCH_H
#define VIRTNET_BATCH_H 1

/* Hotplug PFs by a command: "virtnet hotplug", perhaps with "--count".
 *
 * Many are made in slices (see virtnet-slice.h), and the command is answered
 * when all are there.  If one cannot be made, those that were are unplugged
 * again, and the command is answered after that.  What others do to a device
 * of the batch meanwhile is done.  If the process ends meanwhile, devices that
 * were made come back with the next one, as they have their records, and
 * nobody was told of any of them.
 *
 * Main thread. */

#include <stdbool.h>
#include <stdint.h>

struct unixctl_conn;
struct virtnet_hotplug_request;

/* Hotplugs 'n' devices like 'template' with consecutive MAC addresses, or only
 * the one unless 'many', and answers 'conn', now or later. */
void virtnet_batch_hotplug(struct unixctl_conn *conn,
                           const struct virtnet_hotplug_request *template,
                           bool many, uint64_t n);

/* Is a batch of many under way? */
bool virtnet_batch_is_busy(void);

/* Carries on with the batches. */
void virtnet_batch_run(void);
void virtnet_batch_wait(void);

#endif /* virtnet-batch.h */
