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

#ifndef SOFT_MEMPOOL_H
#define SOFT_MEMPOOL_H 1

/* Packet buffers of the soft backend.
 *
 * Buffers are DPDK mbufs, each with room for the rest of a "struct dp_packet"
 * behind it, so that a packet goes from a guest to the datapath without being
 * touched.  Devices share pools: there is one for each NUMA node and each size
 * of buffer in use.
 *
 * A pool is reference counted, and freed only when all of its buffers have
 * come back, which may be long after the last device let go of it: other ports
 * may hold packets.  soft_mempool_run() looks after those.
 *
 * Threads: everything here may be called from any thread that may take a
 * mutex.  A packet thread uses the "struct rte_mempool" that the owner of a
 * reference has published with RCU. */

#include <stdbool.h>
#include <stddef.h>

struct rte_mempool;
struct soft_mempool;

/* Returns, in '*poolp', a reference to a pool on NUMA node 'socket_id' (-1 for
 * the one that the process runs on) whose buffers hold a frame with 'mtu'
 * bytes of payload.  A pool that has to be made gets 'n_buffers', or as many
 * as there is memory for, if that is a useful number.
 *
 * Otherwise returns -ENOMEM (or another negative errno value), with one line
 * in '*errp' (if 'errp' is nonnull) that the caller must free. */
int soft_mempool_get(int socket_id, int mtu, unsigned int n_buffers,
                     struct soft_mempool **poolp, char **errp);

/* Drops a reference to 'pool' (which may be NULL), after a grace period of
 * RCU: a packet thread may be taking buffers from it right now. */
void soft_mempool_put(struct soft_mempool *pool);

/* For the packet threads. */
struct rte_mempool *soft_mempool_mp(const struct soft_mempool *);

/* NUMA node that 'pool' was asked for. */
int soft_mempool_socket_id(const struct soft_mempool *);

/* Frees the pools that nobody uses. */
void soft_mempool_run(void);
void soft_mempool_wait(void);

#endif /* soft-mempool.h */
