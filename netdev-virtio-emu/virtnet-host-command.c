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

/* Commands that stand for what a host does.  See virtnet-host-command.h. */

#include <config.h>

#include "virtnet-host-command.h"

#include <string.h>

#include "util.h"

const struct virtnet_host_command virtnet_host_commands[] = {
    [VIRTNET_HOST_SRIOV] = {
        "sriov", "PF NUM [--no-wait]", 2, 3,
        "set the number of VFs, in place of a host" },
    [VIRTNET_HOST_FLR] = {
        "flr", "-p PF [-v VF] | -u VUID", 2, 4,
        "reset a function, in place of a host" },
    [VIRTNET_HOST_HOST] = {
        "host", "reboot | unload PF | power-cycle", 1, 2,
        "what happens to a host" },
    [VIRTNET_N_HOST_COMMANDS] = { NULL, NULL, 0, 0, NULL },
};

const struct virtnet_host_command *
virtnet_host_command_lookup(const char *name)
{
    for (const struct virtnet_host_command *c = virtnet_host_commands;
         c->name; c++) {
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}
