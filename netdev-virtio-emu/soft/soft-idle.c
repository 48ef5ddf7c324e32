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

/* See soft-idle.h. */

#include <config.h>

#include "soft-idle.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_spinlock.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bitmap.h"
#include "coverage.h"
#include "openvswitch/list.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"
#include "pmd-awake.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_soft_idle);

COVERAGE_DEFINE(virtnet_rxq_sleep);
COVERAGE_DEFINE(virtnet_rxq_probe);

/* How long (us) a queue has to be without work before it sleeps.  Much shorter
 * than that, and drivers of medium load kick for each packet, which costs them
 * more than polling costs us. */
#define IDLE_US 5000

/* How often (us) to look for kicks: half of this is what a packet waits. */
#define CHECK_US 30

/* How often (us) to look at each queue that sleeps. */
#define PROBE_US 100000

/* Kicks at a time.  The rest is for the next time, so that those who kick
 * without need cannot stop others. */
#define MAX_EVENTS 32

#define NO_QUEUE UINT_MAX

struct soft_idle {
    struct ovs_list node;       /* In 'unused'. */
    int epfd;

    /* Packet thread only. */
    struct pmd_awake *awake;    /* In its loop. */
    uint64_t idle_cycles;       /* IDLE_US, */
    uint64_t check_cycles;      /* CHECK_US, */
    uint64_t probe_cycles;      /* and PROBE_US for each queue, in TSC. */
    unsigned int n_asleep;      /* Bits of 'awake' that are 0. */
    unsigned int next_probe;    /* The queue to look at next, */
    uint64_t probe_at;          /* and when. */
    unsigned int probed;        /* A queue that is awake for that reason. */
    unsigned long *kicked;      /* Those that are awake for that one. */

    /* Written by the packet thread with 'lock' held. */
    uint32_t generation;        /* Of 'awake'. */

    rte_spinlock_t lock;
    atomic_bool pending;        /* 'n_wakes' is not 0? */
    unsigned int n_wakes;       /* Queues to wake.  If more than fit in, */
    uint32_t wakes[32];         /* all of them are. */
};

/* Those without a packet thread. */
static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list unused OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&unused);

/* The one of this thread, or NULL. */
DEFINE_STATIC_PER_THREAD_DATA(struct soft_idle *, self, NULL);

static inline uint64_t
make_key(const struct soft_idle *idle, unsigned int queue)
{
    return (uint64_t) idle->generation << 32 | queue;
}

/* Returns the queue that 'key' names, or NO_QUEUE if it is an old name. */
static inline unsigned int
parse_key(const struct soft_idle *idle, uint64_t key)
{
    return key >> 32 == idle->generation ? (uint32_t) key : NO_QUEUE;
}

/* Is 'fd' an eventfd?  Others might block us, or have no edges. */
bool
soft_idle_is_kick(int fd)
{
    static const char eventfd[] = "anon_inode:[eventfd]";
    char path[32], target[sizeof eventfd];
    ssize_t n;

    if (fd < 0) {
        return false;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof target);
    return n == sizeof eventfd - 1 && !memcmp(target, eventfd, n);
}

/* Has the queue, which has nothing now, had nothing for long enough? */
bool
soft_idle_is_time(struct soft_sleeper *sl)
{
    const struct soft_idle *idle = *self_get();
    uint64_t now;

    if (!idle) {
        return false;
    } else if (soft_idle_is_asked(sl)) {
        return true;
    }
    now = idle->awake->now;
    if (!sl->busy_tsc) {
        sl->busy_tsc = now;
    }
    return now >= sl->busy_tsc + idle->idle_cycles;
}

/* The queue has work, or cannot sleep. */
void
soft_idle_busy(struct soft_sleeper *sl)
{
    const struct soft_idle *idle = *self_get();

    atomic_store_relaxed(&sl->asked, false);
    if (idle) {
        sl->busy_tsc = idle->awake->now;
    }
}

static struct soft_idle *
get_armed(const struct soft_sleeper *sl)
{
    struct soft_idle *idle;

    atomic_read_relaxed(&CONST_CAST(struct soft_sleeper *, sl)->armed, &idle);
    return idle;
}

static uint64_t
get_key(const struct soft_sleeper *sl)
{
    uint64_t key;

    atomic_read_relaxed(&CONST_CAST(struct soft_sleeper *, sl)->key, &key);
    return key;
}

/* Sees to it that from now on a write to 'kickfd' wakes the queue that is
 * being polled.  To be called before the driver is asked to do so.  Returns
 * true if successful. */
bool
soft_idle_arm(struct soft_sleeper *sl, int kickfd)
{
    struct soft_idle *idle = *self_get();
    uint64_t key = make_key(idle, idle->awake->polled);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    struct soft_idle *armed = get_armed(sl);

    event.data.u64 = key;
    if (armed != idle || get_key(sl) != key) {
        if (armed && armed != idle) {
            epoll_ctl(armed->epfd, EPOLL_CTL_DEL, kickfd, NULL);
            atomic_store_relaxed(&sl->armed, NULL);
        }
        if (epoll_ctl(idle->epfd,
                      armed == idle ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, kickfd,
                      &event)) {
            return false;
        }
        atomic_store_relaxed(&sl->key, key);
        atomic_store_relaxed(&sl->armed, idle);
        sl->fresh = true;       /* A kick of old may be reported. */
    }
    atomic_store_explicit(&sl->asked, true, memory_order_release);
    return true;
}

/* Leaves the queue that is being polled out of the loop. */
void
soft_idle_sleep(void)
{
    struct soft_idle *idle = *self_get();
    struct pmd_awake *awake = idle->awake;

    if (bitmap_is_set(awake->map, awake->polled)) {
        bitmap_set0(awake->map, awake->polled);
        if (idle->probed == awake->polled) {
            idle->probed = NO_QUEUE;
        }
        if (!idle->n_asleep++) {
            idle->probe_at = awake->now + idle->probe_cycles;
        }
        awake->check_at = MIN(awake->check_at,
                              awake->now + idle->check_cycles);
        COVERAGE_INC(virtnet_rxq_sleep);
    }
}

/* Why has the queue that is being polled been woken?  To be asked once. */
enum soft_wake
soft_idle_woken(struct soft_sleeper *sl)
{
    struct soft_idle *idle = *self_get();

    if (idle && bitmap_is_set(idle->kicked, idle->awake->polled)) {
        bitmap_set0(idle->kicked, idle->awake->polled);
        if (!sl->fresh) {
            return SOFT_WAKE_KICK;
        }
        sl->fresh = false;
        return SOFT_WAKE_FIRST_KICK;
    } else if (idle && idle->probed == idle->awake->polled) {
        idle->probed = NO_QUEUE;
        return SOFT_WAKE_PROBE;
    }
    return SOFT_WAKE_OTHER;
}

/* Wakes the queue if it sleeps.  The caller has stored before what the packet
 * thread is to find when it polls the queue, and looks at before the queue
 * goes to sleep. */
void
soft_idle_wake(struct soft_sleeper *sl)
{
    struct soft_idle *idle;
    unsigned int queue;

    atomic_thread_fence(memory_order_seq_cst);
    if (OVS_LIKELY(!soft_idle_is_asked(sl))) {
        return;
    }
    atomic_thread_fence(memory_order_acquire);
    idle = get_armed(sl);
    if (!idle) {
        return;                 /* It has been woken. */
    }
    rte_spinlock_lock(&idle->lock);
    queue = parse_key(idle, get_key(sl));
    if (queue != NO_QUEUE) {
        if (idle->n_wakes < ARRAY_SIZE(idle->wakes)) {
            idle->wakes[idle->n_wakes] = queue;
        }
        idle->n_wakes++;
        atomic_store_relaxed(&idle->pending, true);
    }
    rte_spinlock_unlock(&idle->lock);
}

/* The ring of the queue is going, and 'kickfd' with it.  If it sleeps it is
 * woken, so that the packet thread finds the next one. */
void
soft_idle_forget(struct soft_sleeper *sl, int kickfd)
{
    struct soft_idle *idle = get_armed(sl);

    if (idle) {
        epoll_ctl(idle->epfd, EPOLL_CTL_DEL, kickfd, NULL);
        soft_idle_wake(sl);
        atomic_store_relaxed(&sl->asked, false);
        atomic_store_relaxed(&sl->armed, NULL);
    }
    sl->busy_tsc = 0;
}

/* The loop of packet threads. */

static struct soft_idle *
acquire(void)
{
    struct soft_idle *idle = NULL;

    ovs_mutex_lock(&mutex);
    if (!ovs_list_is_empty(&unused)) {
        idle = CONTAINER_OF(ovs_list_pop_front(&unused), struct soft_idle,
                            node);
    }
    ovs_mutex_unlock(&mutex);
    if (!idle) {
        int epfd = epoll_create1(EPOLL_CLOEXEC);

        if (epfd < 0) {
            VLOG_WARN("all queues of a packet thread will be polled: %s",
                      ovs_strerror(errno));
            return NULL;
        }
        idle = xzalloc(sizeof *idle);
        idle->epfd = epfd;
        rte_spinlock_init(&idle->lock);
    }
    return idle;
}

/* Makes all names of queues old ones. */
static void
start_generation(struct soft_idle *idle)
{
    rte_spinlock_lock(&idle->lock);
    idle->generation++;
    idle->n_wakes = 0;
    atomic_store_relaxed(&idle->pending, false);
    rte_spinlock_unlock(&idle->lock);
}

/* The packet thread has a new list of queues, all awake. */
void
virtnet_pmd_load(struct pmd_awake *awake)
{
    struct soft_idle **idlep = self_get();

    if (!*idlep) {
        *idlep = acquire();
    }
    if (*idlep) {
        const uint64_t us = rte_get_tsc_hz() / 1000000;
        struct soft_idle *idle = *idlep;

        start_generation(idle);
        idle->awake = awake;
        idle->idle_cycles = us * IDLE_US;
        idle->check_cycles = us * CHECK_US;
        idle->probe_cycles = us * PROBE_US / MAX(awake->n, 1);
        idle->n_asleep = 0;
        idle->next_probe = 0;
        idle->probed = NO_QUEUE;
        free(idle->kicked);
        idle->kicked = bitmap_allocate(awake->n);
    }
}

/* The packet thread ends. */
void
virtnet_pmd_exit(struct pmd_awake *awake OVS_UNUSED)
{
    struct soft_idle **idlep = self_get();
    struct soft_idle *idle = *idlep;

    if (idle) {
        *idlep = NULL;
        start_generation(idle);
        idle->awake = NULL;
        ovs_mutex_lock(&mutex);
        ovs_list_push_back(&unused, &idle->node);
        ovs_mutex_unlock(&mutex);
    }
}

/* Wakes 'queue' if it sleeps.  Returns true if it does. */
static bool
wake(struct soft_idle *idle, unsigned int queue)
{
    struct pmd_awake *awake = idle->awake;

    if (queue < awake->n && !bitmap_is_set(awake->map, queue)) {
        bitmap_set1(awake->map, queue);
        idle->n_asleep--;
        return true;
    }
    return false;
}

/* Wakes those that other threads want awake. */
static void
take_wakes(struct soft_idle *idle)
{
    bool pending;

    atomic_read_relaxed(&idle->pending, &pending);
    if (OVS_LIKELY(!pending) || !rte_spinlock_trylock(&idle->lock)) {
        return;
    }
    if (idle->n_wakes <= ARRAY_SIZE(idle->wakes)) {
        for (unsigned int i = 0; i < idle->n_wakes; i++) {
            wake(idle, idle->wakes[i]);
        }
    } else {
        bitmap_set_multiple(idle->awake->map, 0, idle->awake->n, true);
        idle->n_asleep = 0;
        idle->probed = NO_QUEUE;
    }
    idle->n_wakes = 0;
    atomic_store_relaxed(&idle->pending, false);
    rte_spinlock_unlock(&idle->lock);
}

/* Wakes those that have been kicked. */
static void
take_kicks(struct soft_idle *idle)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(idle->epfd, events, MAX_EVENTS, 0);

    for (int i = 0; i < n; i++) {
        unsigned int queue = parse_key(idle, events[i].data.u64);

        if (wake(idle, queue)) {
            bitmap_set1(idle->kicked, queue);
        }
    }
}

/* Wakes the queue whose turn it is, if it sleeps. */
static void
probe(struct soft_idle *idle)
{
    struct pmd_awake *awake = idle->awake;

    if (awake->now < idle->probe_at) {
        return;
    }
    if (idle->next_probe >= awake->n) {
        idle->next_probe = 0;
    }
    if (wake(idle, idle->next_probe)) {
        idle->probed = idle->next_probe;
        COVERAGE_INC(virtnet_rxq_probe);
    }
    idle->next_probe++;
    idle->probe_at = awake->now + idle->probe_cycles;
}

/* Wakes queues.  Called by the packet thread from 'check_at' on. */
void
virtnet_pmd_check(struct pmd_awake *awake)
{
    struct soft_idle *idle = *self_get();

    if (idle && idle->n_asleep) {
        take_wakes(idle);
        take_kicks(idle);
        probe(idle);
    }
    awake->check_at = (idle && idle->n_asleep
                       ? awake->now + idle->check_cycles : UINT64_MAX);
}
