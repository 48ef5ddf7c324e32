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

#ifndef MLX5_REP_H
#define MLX5_REP_H 1

/* The port of a device in the userspace datapath, where it is no port of DPDK
 * (see netdev-virtio-dpdk.h): its representor, which is a network interface of
 * the kernel, by a packet socket.
 *
 * Why a packet socket of our own
 * ==============================
 *
 * An Open vSwitch netdev of type "system" or "afxdp" inside ours cannot be:
 * there is one name space of netdevs, and the port already has the
 * representor's name.  They also know interfaces by name, and representors
 * change theirs.  A packet socket is bound to an ifindex, needs no driver
 * support, and coexists with TC.
 *
 * Threads
 * =======
 *
 * The main thread attaches and detaches; packet threads reach the socket by
 * RCU.  Only one thread receives.  Any may send: the kernel serializes.
 *
 * What is checked
 * ===============
 *
 * Packets come from a guest by way of the kernel, which vouches for lengths
 * alone.  Checksums that the kernel has left to the hardware are completed
 * here.  Merged packets cannot be: generic receive offload of the representor
 * is switched off, and what is too long nevertheless is dropped and
 * counted. */

#include <stdbool.h>
#include <stdint.h>

#include "ovs-atomic.h"
#include "ovs-rcu.h"

struct dp_packet_batch;
struct mlx5_rep_socket;
struct netdev_custom_counter;
struct netdev_stats;

/* Counters that the kernel does not have. */
#define MLX5_REP_COUNTERS                                                   \
    MLX5_REP_COUNTER(rx_too_long)   /* Longer than the MTU allows. */       \
    MLX5_REP_COUNTER(rx_invalid)    /* Offload request without sense. */    \
    MLX5_REP_COUNTER(rx_overrun)    /* The switch was too slow. */          \
    MLX5_REP_COUNTER(tx_too_long)                                           \
    MLX5_REP_COUNTER(tx_no_room)    /* The kernel took no more. */          \
    MLX5_REP_COUNTER(tx_failed)     /* The kernel did not take it. */       \
    MLX5_REP_COUNTER(tx_no_rep)     /* There was no representor, or down. */

struct mlx5_rep {
    OVSRCU_TYPE(struct mlx5_rep_socket *) socket; /* NULL if detached. */
    atomic_bool up;             /* Administratively. */
    atomic_uint32_t mtu;
#define MLX5_REP_COUNTER(NAME) atomic_uint64_t NAME;
    MLX5_REP_COUNTERS
#undef MLX5_REP_COUNTER

    /* Main thread only. */
    uint32_t ifindex;           /* 0 if detached. */
    bool used;                  /* By a netdev of the userspace datapath? */
    bool gone;                  /* Has the kernel said so? */
    struct mlx5_rep_totals {    /* Of the kernel. */
        uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
        uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
    } base, last, sum;          /* When attached, last seen, and of former
                                 * interfaces. */
    bool has_base;              /* Has the kernel told 'base'? */
};

void mlx5_rep_init(struct mlx5_rep *, int mtu);

/* Frees what 'rep' has.  Any thread, a grace period after its last use. */
void mlx5_rep_uninit(struct mlx5_rep *);

/* Has packets go through the interface 'ifindex' from now on, or as soon as
 * it is used.  Returns 0, or a negative errno with one line in '*errp', owned
 * by the caller. */
int mlx5_rep_attach(struct mlx5_rep *, uint32_t ifindex, char **errp);
void mlx5_rep_detach(struct mlx5_rep *);

/* Does the userspace datapath use it?  If not, the interface may be a port of
 * the kernel datapath, and is left alone.  To say so again tries what failed
 * once more. */
int mlx5_rep_set_used(struct mlx5_rep *, bool used, char **errp);

/* Of the interface: MTU, which is the device's plus nothing, state. */
int mlx5_rep_set_mtu(struct mlx5_rep *, int mtu);
void mlx5_rep_set_up(struct mlx5_rep *, bool up);

/* Asks the kernel for counters.  Takes two system calls. */
void mlx5_rep_get_stats(struct mlx5_rep *, struct netdev_stats *);
size_t mlx5_rep_get_custom_stats(const struct mlx5_rep *,
                                 struct netdev_custom_counter **);

/* Packet threads.  As in virtnet-backend-provider.h. */
int mlx5_rep_recv(struct mlx5_rep *, struct dp_packet_batch *, int *qfill);
void mlx5_rep_send(struct mlx5_rep *, struct dp_packet_batch *);

#endif /* mlx5-rep.h */
