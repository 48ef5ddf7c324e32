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

#ifndef VIRTNET_COMMANDS_H
#define VIRTNET_COMMANDS_H 1

/* Commands that virtnet-unixctl.c calls, besides those of virtnet-show.h and
 * virtnet-host.h.  Each answers 'conn', at once or later.  'args' has been
 * parsed; 'sub' are those of a subcommand, or NULL.
 *
 * Main thread. */

#include "virtnet-show.h"

virtnet_command_func virtnet_cmd_hotplug;
virtnet_command_func virtnet_cmd_unplug;
virtnet_command_func virtnet_cmd_modify;
virtnet_command_func virtnet_cmd_log;
virtnet_command_func virtnet_cmd_restart;
virtnet_command_func virtnet_cmd_validate;
virtnet_command_func virtnet_cmd_update;
virtnet_command_func virtnet_cmd_debug;
virtnet_command_func virtnet_cmd_wait;
virtnet_command_func virtnet_cmd_events;

/* Is there a live update? */
bool virtnet_update_is_running(void);

#endif /* virtnet-commands.h */
