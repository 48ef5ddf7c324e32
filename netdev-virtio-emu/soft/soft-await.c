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

/* Waits for sockets to appear.  See soft-await.h. */

#include <config.h>

#include "soft-await.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_await);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

/* How often (ms) to look where the kernel does not tell. */
#define RECHECK_MS 1000

/* A socket appears (bind(2)) a moment before it accepts connections
 * (listen(2)), and who comes too early has to come again a second later.  So
 * leave it alone for this long (ms). */
#define SETTLE_MS 20

/* A directory in which something is to appear.  If it has two names, as
 * /var/run/X and /run/X often are, it is here twice with the same 'wd'. */
struct await_dir {
    struct shash_node *node;    /* In 'dirs'; its name is the path. */
    struct hmap_node wd_node;   /* In 'dirs_by_wd' unless 'wd' is -1. */
    int wd;                     /* Of inotify, or -1 if it does not watch. */
    struct hmap names;          /* Contains "struct soft_await"s. */
};

static struct shash dirs = SHASH_INITIALIZER(&dirs);
static struct hmap dirs_by_wd = HMAP_INITIALIZER(&dirs_by_wd);

/* Those whose path is there, in order of 'ready_at'. */
static struct ovs_list ready = OVS_LIST_INITIALIZER(&ready);

static int inotify_fd = -1;     /* -1 until needed, or if there is none. */
static bool inotify_failed;
static long long int recheck_at = LLONG_MAX; /* time_msec(). */

static void
recheck_in_a_second(void)
{
    recheck_at = MIN(recheck_at, time_msec() + RECHECK_MS);
}

/* Directories. */

/* Has the kernel tell of new files in 'dir', if it can. */
static void
dir_watch(struct await_dir *dir)
{
    if (inotify_fd < 0 && !inotify_failed) {
        inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (inotify_fd < 0) {
            inotify_failed = true;
            VLOG_WARN("sockets are looked for every second: %s",
                      ovs_strerror(errno));
        }
    }
    if (inotify_fd >= 0) {
        dir->wd = inotify_add_watch(inotify_fd, dir->node->name,
                                    (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF
                                     | IN_MOVE_SELF | IN_ONLYDIR));
    }
    if (dir->wd >= 0) {
        hmap_insert(&dirs_by_wd, &dir->wd_node, hash_int(dir->wd, 0));
    } else {
        recheck_in_a_second();
    }
}

static struct await_dir *
dir_by_wd(int wd)
{
    struct await_dir *dir;

    HMAP_FOR_EACH_WITH_HASH (dir, wd_node, hash_int(wd, 0), &dirs_by_wd) {
        if (dir->wd == wd) {
            return dir;
        }
    }
    return NULL;
}

/* The kernel does not watch 'dir' any more. */
static void
dir_unwatched(struct await_dir *dir)
{
    hmap_remove(&dirs_by_wd, &dir->wd_node);
    dir->wd = -1;
    recheck_in_a_second();
}

static struct await_dir *
dir_get(const char *path)
{
    struct await_dir *dir = shash_find_data(&dirs, path);

    if (!dir) {
        dir = xzalloc(sizeof *dir);
        dir->node = shash_add(&dirs, path, dir);
        dir->wd = -1;
        hmap_init(&dir->names);
        dir_watch(dir);
    }
    return dir;
}

/* Frees 'dir' if nobody waits for anything in it. */
static void
dir_put(struct await_dir *dir)
{
    if (hmap_is_empty(&dir->names)) {
        if (dir->wd >= 0) {
            hmap_remove(&dirs_by_wd, &dir->wd_node);
            if (!dir_by_wd(dir->wd)) {
                inotify_rm_watch(inotify_fd, dir->wd);
            }
        }
        shash_delete(&dirs, dir->node);
        hmap_destroy(&dir->names);
        free(dir);
    }
}

/* Those who wait. */

static void
set_ready(struct soft_await *aw)
{
    if (ovs_list_is_empty(&aw->ready_node)) {
        aw->ready_at = time_msec() + SETTLE_MS;
        ovs_list_push_back(&ready, &aw->ready_node);
    }
}

static void
check(struct soft_await *aw)
{
    char *path = xasprintf("%s/%s", aw->dir->node->name, aw->name);
    struct stat s;

    if (!lstat(path, &s)) {
        set_ready(aw);
    }
    free(path);
}

void
soft_await_init(struct soft_await *aw)
{
    memset(aw, 0, sizeof *aw);
    ovs_list_init(&aw->ready_node);
}

static void
start(struct soft_await *aw, const char *path)
{
    char *dir = dir_name(path);

    ovs_assert(!aw->dir);
    aw->name = base_name(path);
    aw->dir = dir_get(dir);
    hmap_insert(&aw->dir->names, &aw->node, hash_string(aw->name, 0));
    free(dir);
}

void
soft_await_start(struct soft_await *aw, const char *path)
{
    start(aw, path);
    check(aw);
}

void
soft_await_later(struct soft_await *aw, const char *path)
{
    start(aw, path);
    recheck_in_a_second();
}

void
soft_await_stop(struct soft_await *aw)
{
    if (aw->dir) {
        ovs_list_remove(&aw->ready_node);
        ovs_list_init(&aw->ready_node);
        hmap_remove(&aw->dir->names, &aw->node);
        dir_put(aw->dir);
        aw->dir = NULL;
        free(aw->name);
        aw->name = NULL;
    }
}

/* Looks at everything. */
static void
recheck(void)
{
    struct shash_node *node;

    recheck_at = LLONG_MAX;
    SHASH_FOR_EACH (node, &dirs) {
        struct await_dir *dir = node->data;
        struct soft_await *aw;

        if (dir->wd < 0) {
            dir_watch(dir);
        }
        HMAP_FOR_EACH (aw, node, &dir->names) {
            check(aw);
        }
    }
}

static void
handle_event(const struct inotify_event *ev)
{
    struct await_dir *dir;

    /* There is no directory for it if nobody cares any more. */
    if (ev->mask & IN_Q_OVERFLOW) {
        recheck_at = time_msec();
    } else if (ev->mask & (IN_MOVE_SELF | IN_IGNORED)) {
        if (ev->mask & IN_MOVE_SELF && dir_by_wd(ev->wd)) {
            inotify_rm_watch(inotify_fd, ev->wd);
        }
        while ((dir = dir_by_wd(ev->wd)) != NULL) {
            dir_unwatched(dir);
        }
    } else if (ev->len) {
        HMAP_FOR_EACH_WITH_HASH (dir, wd_node, hash_int(ev->wd, 0),
                                 &dirs_by_wd) {
            struct soft_await *aw;

            HMAP_FOR_EACH_WITH_HASH (aw, node, hash_string(ev->name, 0),
                                     &dir->names) {
                if (dir->wd == ev->wd && !strcmp(aw->name, ev->name)) {
                    set_ready(aw);
                }
            }
        }
    }
}

/* Takes in what the kernel has to tell. */
static void
read_events(void)
{
    union {
        char bytes[4096];
        struct inotify_event event;
    } buf;
    ssize_t n;

    while ((n = read(inotify_fd, &buf, sizeof buf)) > 0) {
        for (ssize_t ofs = 0; ofs < n; ) {
            const struct inotify_event *ev = ALIGNED_CAST(
                const struct inotify_event *, buf.bytes + ofs);

            handle_event(ev);
            ofs += sizeof *ev + ev->len;
        }
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        VLOG_WARN_RL(&rl, "inotify: %s", ovs_strerror(errno));
        recheck_in_a_second();
    }
}

/* Returns the first of 'ready', or NULL. */
static struct soft_await *
first_ready(void)
{
    return (ovs_list_is_empty(&ready) ? NULL
            : CONTAINER_OF(ovs_list_front(&ready), struct soft_await,
                           ready_node));
}

struct soft_await *
soft_await_poll(void)
{
    struct soft_await *aw;

    if (inotify_fd >= 0) {
        read_events();
    }
    if (time_msec() >= recheck_at) {
        recheck();
    }
    aw = first_ready();
    if (!aw || time_msec() < aw->ready_at) {
        return NULL;
    }
    soft_await_stop(aw);
    return aw;
}

void
soft_await_wait(void)
{
    const struct soft_await *aw = first_ready();

    if (aw) {
        poll_timer_wait_until(aw->ready_at);
    }
    if (inotify_fd >= 0) {
        poll_fd_wait(inotify_fd, POLLIN);
    }
    if (recheck_at != LLONG_MAX) {
        poll_timer_wait_until(recheck_at);
    }
}
