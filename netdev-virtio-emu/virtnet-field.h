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

#ifndef VIRTNET_FIELD_H
#define VIRTNET_FIELD_H 1

/* Objects that commands print: one table for each, whose rows are the members
 * in order, with printed type and origin.  What has no meaning in a backend
 * prints a neutral value, and never disappears.
 *
 * Main thread. */

#include <stdbool.h>

struct virtnet_device;
struct virtnet_json;
struct virtnet_queue_info;

/* "controller" of "list". */
void virtnet_json_controller(struct virtnet_json *);

/* Devices as a table: its head, and a line for each.  Columns are separated by
 * blanks, and a value that is missing is "-", so scripts can split a line. */
struct ds;
void virtnet_table_header(struct ds *);
void virtnet_table_row(struct ds *, const struct virtnet_device *);

/* A device, as "list" shows it, or with 'query' as "query" does: without the
 * queues if 'brief', with debug counters if 'debug', and with one queue only
 * if 'only_queue' is not negative. */
void virtnet_json_device(struct virtnet_json *, const struct virtnet_device *,
                         bool query, bool brief, bool debug, int only_queue);

/* The members of the reply of "hotplug" before "errno".  'mac' is the address
 * as it was given, or NULL. */
void virtnet_json_hotplug(struct virtnet_json *, const struct virtnet_device *,
                          const char *mac);

/* The value of "device" of "stats". */
void virtnet_json_stats(struct virtnet_json *, const struct virtnet_device *,
                        int only_queue);

#endif /* virtnet-field.h */
