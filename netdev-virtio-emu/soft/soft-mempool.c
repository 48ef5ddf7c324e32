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

/* Packet buffers of the soft backend.  See soft-mempool.h. */

#include <config.h>

#include "soft-mempool.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coverage.h"
#include "dp-packet.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_soft_mempool);

COVERAGE_DEFINE(virtnet_mempool_create);
COVERAGE_DEFINE(virtnet_mempool_free);

/* A pool with fewer buffers would starve: a full ring of one guest can have
 * this many packets on their way. */
#define MIN_BUFFERS 4096

/* Buffers that a packet thread keeps for itself. */
#define CACHE_SIZE 512

/* Room for payload grows in steps of this, so that devices whose MTUs differ a
 * little share a pool. */
#define BUFFER_STEP 1024

/* How long a pool stays although nobody uses it, since making one takes long
 * and the next device may come soon; and how often to look whether the buffers
 * of one that shall go are back (ms). */
#define KEEP_MS 10000
#define SWEEP_MS 1000

struct soft_mempool {
    struct ovs_list list_node;  /* In 'pools'. */
    struct rte_mempool *mp;     /* The pool proper. */
    int socket_id;              /* NUMA node that it was asked for. */
    size_t room;                /* Bytes for a frame in each buffer. */
    unsigned int refcnt;        /* Number of users. */
    long long int unused_since; /* Time (ms), if there are none. */
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;

/* All pools, used or not. */
static struct ovs_list pools OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&pools);

/* Number of them that have no users. */
static unsigned int n_unused OVS_GUARDED_BY(mutex);

/* Makes the names of pools unique. */
static unsigned int next_id OVS_GUARDED_BY(mutex);

/* Bytes of a frame with 'mtu' bytes of payload: Ethernet header and two VLAN
 * tags, rounded up. */
static size_t
mtu_to_room(int mtu)
{
    return ROUND_UP(mtu + ETH_HEADER_LEN + 2 * VLAN_HEADER_LEN, BUFFER_STEP);
}

static void
init_buffer(struct rte_mempool *mp OVS_UNUSED, void *aux OVS_UNUSED,
            void *buffer, unsigned int index OVS_UNUSED)
{
    dp_packet_init_dpdk(buffer);
}

static int
use_large_pages(const struct rte_memseg_list *msl, void *aux OVS_UNUSED)
{
    if (!msl->external && msl->page_sz == (size_t) sysconf(_SC_PAGESIZE)) {
        /* Of no consequence if it fails. */
        madvise(msl->base_va, msl->len, MADV_HUGEPAGE);
    }
    return 0;
}

/* Creates a pool of 'n' buffers.  Returns NULL, with 'rte_errno' set, if that
 * is not possible. */
static struct rte_mempool *
create_mp(int socket_id, size_t room, unsigned int n)
    OVS_REQUIRES(mutex)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    struct rte_mempool *mp;
    size_t priv_size, total;

    /* Without hugepages, with --no-huge, DPDK's memory is made of the smallest
     * there are.  Larger ones, which the kernel then may take where it finds
     * them, are there sooner and cost packet threads less. */
    rte_memseg_list_walk(use_large_pages, NULL);

    /* A buffer is a dp_packet, head room and room for the frame.  What is
     * missing to a multiple of a cache line goes to the private area in the
     * middle, so that the frame begins at the same place in each line. */
    total = sizeof(struct dp_packet) + RTE_PKTMBUF_HEADROOM + room;
    priv_size = (sizeof(struct dp_packet) - sizeof(struct rte_mbuf)
                 + (ROUND_UP(total, RTE_CACHE_LINE_SIZE) - total));
    BUILD_ASSERT_DECL(sizeof(struct dp_packet) % RTE_MBUF_PRIV_ALIGN == 0);

    snprintf(name, sizeof name, "virtnet%u", next_id++);
    mp = rte_pktmbuf_pool_create(name, n, CACHE_SIZE, priv_size,
                                 RTE_PKTMBUF_HEADROOM + room, socket_id);
    if (mp) {
        rte_mempool_obj_iter(mp, init_buffer, NULL);
    }
    return mp;
}

static struct soft_mempool *
create_pool(int socket_id, size_t room, unsigned int n_buffers, char **errp)
    OVS_REQUIRES(mutex)
{
    struct soft_mempool *pool;
    unsigned int n = MAX(n_buffers, MIN_BUFFERS);
    struct rte_mempool *mp;
    int error;

    for (;;) {
        mp = create_mp(socket_id, room, n);
        error = rte_errno;
        if (mp || error == EINVAL || n / 2 < MIN_BUFFERS) {
            break;
        }
        n /= 2;
    }
    if (!mp) {
        if (errp) {
            *errp = (error == EINVAL
                     ? xstrdup("no packet memory: DPDK has no driver for "
                               "memory pools; install its mempool drivers "
                               "(Debian: librte-mempool-ring23)")
                     : xasprintf("no packet memory: %u buffers of %"PRIuSIZE" "
                                 "bytes do not fit in DPDK's memory; raise -m "
                                 "in other_config:dpdk-extra or "
                                 "other_config:dpdk-socket-mem, or lower "
                                 "other_config:virtnet-mempool-size",
                                 MAX(n_buffers, MIN_BUFFERS), room));
        }
        return NULL;
    }

    COVERAGE_INC(virtnet_mempool_create);
    if (n < n_buffers) {
        VLOG_WARN("%s: %u buffers of %"PRIuSIZE" bytes instead of %u: DPDK's "
                  "memory is short", mp->name, n, room, n_buffers);
    } else {
        VLOG_DBG("%s: %u buffers of %"PRIuSIZE" bytes", mp->name, n, room);
    }

    pool = xmalloc(sizeof *pool);
    pool->mp = mp;
    pool->socket_id = socket_id;
    pool->room = room;
    pool->refcnt = 0;
    pool->unused_since = time_msec();
    n_unused++;
    ovs_list_push_back(&pools, &pool->list_node);
    return pool;
}

int
soft_mempool_get(int socket_id, int mtu, unsigned int n_buffers,
                 struct soft_mempool **poolp, char **errp)
{
    size_t room = mtu_to_room(mtu);
    struct soft_mempool *pool;
    bool found = false;

    if (socket_id < 0) {
        socket_id = rte_lcore_to_socket_id(rte_get_main_lcore());
    }

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH (pool, list_node, &pools) {
        if (pool->socket_id == socket_id && pool->room == room) {
            found = true;
            break;
        }
    }
    if (!found) {
        pool = create_pool(socket_id, room, n_buffers, errp);
    }
    if (pool) {
        if (!pool->refcnt++) {
            n_unused--;
        }
    }
    ovs_mutex_unlock(&mutex);

    *poolp = pool;
    return pool ? 0 : -ENOMEM;
}

static void
soft_mempool_put__(struct soft_mempool *pool)
{
    ovs_mutex_lock(&mutex);
    ovs_assert(pool->refcnt);
    if (!--pool->refcnt) {
        pool->unused_since = time_msec();
        n_unused++;
    }
    ovs_mutex_unlock(&mutex);
}

void
soft_mempool_put(struct soft_mempool *pool)
{
    if (pool) {
        ovsrcu_postpone(soft_mempool_put__, pool);
    }
}

struct rte_mempool *
soft_mempool_mp(const struct soft_mempool *pool)
{
    return pool->mp;
}

int
soft_mempool_socket_id(const struct soft_mempool *pool)
{
    return pool->socket_id;
}

void
soft_mempool_run(void)
{
    struct soft_mempool *pool;

    ovs_mutex_lock(&mutex);
    if (n_unused) {
        LIST_FOR_EACH_SAFE (pool, list_node, &pools) {
            /* Nobody takes buffers from a pool without users, so once they are
             * all there they stay. */
            if (!pool->refcnt && time_msec() >= pool->unused_since + KEEP_MS
                && rte_mempool_full(pool->mp)) {
                COVERAGE_INC(virtnet_mempool_free);
                VLOG_DBG("%s: freed", pool->mp->name);
                ovs_list_remove(&pool->list_node);
                rte_mempool_free(pool->mp);
                free(pool);
                n_unused--;
            }
        }
    }
    ovs_mutex_unlock(&mutex);
}

void
soft_mempool_wait(void)
{
    ovs_mutex_lock(&mutex);
    if (n_unused) {
        poll_timer_wait(SWEEP_MS);
    }
    ovs_mutex_unlock(&mutex);
}
