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

#ifndef SOFT_IDLE_H
#define SOFT_IDLE_H 1

/* Receive queues that sleep until the driver kicks.
 *
 * To poll a queue costs the same whether there is something in it or not, and
 * takes a cache line of the guest's to this processor.  So a queue that has
 * had nothing for a while is not polled any more: the driver is asked for
 * notifications, and the packet thread's loop leaves the queue out (see
 * pmd-awake.h, in vswitchd-patches/).  The kick, an eventfd, is in an epoll
 * set of the packet thread, which that looks at every 30 us or so.
 *
 * Why not a thread that waits in epoll_wait() all the time: the packet thread
 * would still have to look for its messages, and where processors are busy, it
 * runs when the scheduler thinks fit, which can take milliseconds.  To look
 * costs a system call that finds nothing, 1 % of a packet thread, and that
 * only while queues sleep.
 *
 * The eventfd is watched by edges, and never read: it belongs to the front
 * end, and might block.  Each write is an edge.
 *
 * Drivers that kick without need cost one look at one ring in 30 us each.
 * Drivers that do not kick although they have been asked are wrong, but are
 * found nevertheless: each sleeping queue is looked at once in 100 ms.
 *
 * Threads
 * =======
 *
 * "struct soft_idle" belongs to a packet thread, but for its 'lock' and what
 * that protects, by which others wake queues whose ring is taken away.  It is
 * never freed, only used again, by the next packet thread, with another
 * generation: so what remains of queues that are polled elsewhere now, in the
 * epoll set or in "struct soft_sleeper", does no harm.
 *
 * "struct soft_sleeper" is a part of "struct soft_ring", protected by its
 * lock, but for soft_idle_wake(). */

#include <stdbool.h>
#include <stdint.h>

#include "ovs-atomic.h"
#include "util.h"

struct pmd_awake;
struct soft_idle;

/* What puts a ring to sleep. */
struct soft_sleeper {
    ATOMIC(struct soft_idle *) armed; /* Has the kick in its epoll set, or
                                 * NULL. */
    atomic_uint64_t key;        /* The queue's name there. */
    atomic_bool asked;          /* Has the driver been asked to kick? */
    bool fresh;                 /* Not kicked since 'armed' was set? */
    uint64_t busy_tsc;          /* When there last was something, or 0. */
};

/* Is the queue asleep, or has it been woken and not been polled yet? */
static inline bool
soft_idle_is_asked(const struct soft_sleeper *sl)
{
    bool asked;

    atomic_read_relaxed(&CONST_CAST(struct soft_sleeper *, sl)->asked,
                        &asked);
    return asked;
}

/* What a sleeper has been woken for. */
enum soft_wake {
    SOFT_WAKE_KICK,             /* A kick. */
    SOFT_WAKE_FIRST_KICK,       /* The first, or one from before it slept. */
    SOFT_WAKE_PROBE,            /* To see whether a kick is missing. */
    SOFT_WAKE_OTHER,
};

/* Packet threads, for the queue that is being polled. */
bool soft_idle_is_time(struct soft_sleeper *);
bool soft_idle_arm(struct soft_sleeper *, int kickfd);
void soft_idle_sleep(void);
enum soft_wake soft_idle_woken(struct soft_sleeper *);
void soft_idle_busy(struct soft_sleeper *);

/* Any thread. */
void soft_idle_wake(struct soft_sleeper *);
void soft_idle_forget(struct soft_sleeper *, int kickfd);
bool soft_idle_is_kick(int fd);

/* What Open vSwitch calls.  See vswitchd-patches/. */
void virtnet_pmd_load(struct pmd_awake *);
void virtnet_pmd_check(struct pmd_awake *);
void virtnet_pmd_exit(struct pmd_awake *);

#endif /* soft-idle.h */
