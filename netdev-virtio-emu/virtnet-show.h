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


#ifndef VIRTNET_SHOW_H
#define VIRTNET_SHOW_H 1

/* Commands that show something, see virtnet-unixctl.h: each answers 'conn',
 * perhaps later.
 *
 * Main thread. */

#include <stdbool.h>

struct unixctl_conn;
struct virtnet_args;
struct virtnet_device;

typedef void virtnet_command_func(struct unixctl_conn *conn,
                                  const struct virtnet_args *args,
                                  const struct virtnet_args *sub);

virtnet_command_func virtnet_show_list;
virtnet_command_func virtnet_show_query;
virtnet_command_func virtnet_show_stats;
virtnet_command_func virtnet_show_health;
virtnet_command_func virtnet_show_version;

/* Finds the device and, if 'queue' is nonnull, the queue (-1 for all) that a
 * command which shows something selects.  If there is no such thing, or the
 * device is migrating, says so to 'conn' and returns NULL. */
struct virtnet_device *virtnet_show_select(struct unixctl_conn *,
                                           const struct virtnet_args *,
                                           int *queue);

/* Is there what takes several turns of the main loop?  Carries on with it. */
bool virtnet_show_is_busy(void);
void virtnet_show_run(void);
void virtnet_show_wait(void);

#endif /* virtnet-show.h */
