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

#ifndef SOFT_AWAIT_H
#define SOFT_AWAIT_H 1

/* Waits for sockets of front ends to appear in the file system.
 *
 * In client mode the switch connects to a socket that a front end makes, which
 * for most of a thousand VFs will be later, or never.  Until there is one, a
 * device costs an entry in a table: no socket, no memory of librte_vhost,
 * which has room for 1024 sockets only, and nobody who tries to connect every
 * second.
 *
 * The kernel tells about new files of the directories concerned (inotify(7)).
 * Where it cannot, because a directory is not there yet, for instance, paths
 * are looked at every second.
 *
 * Main thread. */

#include <stdbool.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct await_dir;

struct soft_await {
    struct hmap_node node;      /* In the names of 'dir'. */
    struct ovs_list ready_node; /* In the list of those that are there, or
                                 * empty. */
    long long int ready_at;     /* time_msec() when to be returned. */
    struct await_dir *dir;      /* NULL unless waiting. */
    char *name;                 /* Of the file in 'dir'. */
};

void soft_await_init(struct soft_await *);

/* Waits for 'path', which is absolute.  It may be there already. */
void soft_await_start(struct soft_await *, const char *path);

/* Stops waiting, if need be. */
void soft_await_stop(struct soft_await *);

static inline bool
soft_await_is_waiting(const struct soft_await *aw)
{
    return aw->dir != NULL;
}

/* Returns one whose path is there, and which does not wait any more, or
 * NULL. */
struct soft_await *soft_await_poll(void);
void soft_await_wait(void);

/* Waits for 'path' again, but looks at it not before a second from now:
 * something that may pass was in the way. */
void soft_await_later(struct soft_await *, const char *path);

#endif /* soft-await.h */
