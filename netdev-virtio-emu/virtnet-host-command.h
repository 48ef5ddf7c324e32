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

#ifndef VIRTNET_HOST_COMMAND_H
#define VIRTNET_HOST_COMMAND_H 1

/* Commands that stand for what a host does to its card.  They are none of the
 * known controller's, and their arguments are words, not options.  One table
 * for the daemon (virtnet-host.c) and the "virtnet" program. */

struct virtnet_host_command {
    const char *name;           /* NULL ends the table. */
    const char *args;           /* Usage. */
    int min_args, max_args;
    const char *help;
};

enum {
    VIRTNET_HOST_SRIOV,
    VIRTNET_HOST_FLR,
    VIRTNET_HOST_HOST,
    VIRTNET_N_HOST_COMMANDS
};

/* By the numbers above, and a null one. */
extern const struct virtnet_host_command virtnet_host_commands[];

/* Returns the command with 'name', or NULL. */
const struct virtnet_host_command *virtnet_host_command_lookup(
    const char *name);

#endif /* virtnet-host-command.h */
