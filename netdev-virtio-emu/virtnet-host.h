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

#ifndef VIRTNET_HOST_H
#define VIRTNET_HOST_H 1

/* What a host does to its card, as commands (virtnet-command-table.c), for
 * backends without a host:
 *
 *   virtnet/sriov [--no-wait] PF NUM
 *
 *       Sets the number of VFs of a static PF, as writing to "sriov_numvfs"
 *       does.  Answers when they are all there, or gone, or with --no-wait at
 *       once.
 *
 *   virtnet/flr -p PF [-v VF] | -u VUID
 *
 *       Function-level reset.  A PF loses its VFs by it.
 *
 *   virtnet/host reboot | unload PF | power-cycle
 *
 *       "reboot": a warm reboot: all functions are reset, and VFs go.
 *
 *       "unload": the driver of a static PF goes: it is reset, and its VFs go.
 *
 *       "power-cycle": of host and card together: hotplug PFs go, too, and
 *       static PFs are again as the firmware configuration says.
 *
 * The answer is that of an action, with "num_vfs" where VFs are concerned.
 *
 * Main thread. */

#include <stdbool.h>

struct unixctl_conn;
struct virtnet_args;

void virtnet_host_sriov(struct unixctl_conn *, const struct virtnet_args *,
                        const struct virtnet_args *sub);
void virtnet_host_flr(struct unixctl_conn *, const struct virtnet_args *,
                      const struct virtnet_args *sub);
void virtnet_host_host(struct unixctl_conn *, const struct virtnet_args *,
                       const struct virtnet_args *sub);

/* Is the host restarting?  Carries on with it, in slices. */
bool virtnet_host_is_busy(void);
void virtnet_host_run(void);
void virtnet_host_wait(void);

#endif /* virtnet-host.h */
