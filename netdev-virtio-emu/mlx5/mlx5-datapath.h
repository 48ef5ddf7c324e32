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

#ifndef MLX5_DATAPATH_H
#define MLX5_DATAPATH_H 1

/* What a running driver has in the hardware: its virtqueues, and the receive
 * table of its SF that leads to them.
 *
 *     packets for the SF -> flows (MAC, VLAN, protocol) -> TIRs (hash)
 *         -> RQT (one, of receive queues) -> virtqueues -> driver's memory
 *
 * RQT, TIRs and flows belong to the SF.  Virtqueues and what they need belong
 * to the SF, too, or to the emulation manager, as the firmware wants it
 * (caps->on_manager); then the RQT names the manager.
 *
 * To start and to stop takes several commands for each queue.  It is done in
 * steps of a few commands, so that others get a turn in between.
 *
 * Threads and errors are as in mlx5-devx.h. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-emu.h"

struct mlx5_datapath;
struct virtnet_queue_info;

/* Which packets a driver wants: VIRTIO 1.2, section 5.1.6.5. */
#define MLX5_RX_MAX_MACS 64
struct mlx5_rx_filter {
    bool promisc;               /* All, as it is after a reset. */
    bool allmulti, alluni;
    bool nomulti, nouni, nobcast;
    struct eth_addr mac;        /* Its own. */
    struct eth_addr macs[MLX5_RX_MAX_MACS]; /* Others, of both kinds. */
    size_t n_macs;
    bool overflow;              /* There are more than fit: take all. */
    bool vlan_filter;           /* Only untagged packets and these: */
    unsigned long *vlans;       /* Bitmap of 4096 bits, or NULL. */
};

/* Makes a datapath of nothing, for the function 'vhca_id' that 'emu' manages,
 * whose registers are 'state', with queues.  'n_data' queues, from 0 on, are
 * for packets; those that the driver has not enabled are left out.  All must
 * stay valid until mlx5_datapath_destroy(), but for 'state'. */
struct mlx5_datapath *mlx5_datapath_create(
    struct mlx5_devx *manager, struct mlx5_devx *sf, uint16_t sf_vhca_id,
    const struct mlx5_emu_caps *, uint16_t vhca_id, struct mlx5_devx_obj *emu,
    const struct mlx5_emu_state *state, unsigned int n_data,
    const struct mlx5_rx_filter *);

/* Under LAG the SF has 'n' ports: has send queues use them in turn.  Where
 * queues are the manager's, its own number counts.  Before
 * mlx5_datapath_start(). */
#define MLX5_LAG_MAX_PORTS 4
void mlx5_datapath_set_lag_ports(struct mlx5_datapath *, unsigned int n);

/* Has queues go on where they were: the driver has been there before, and so
 * have other queues, which have left off in the middle of its rings.  Before
 * mlx5_datapath_start().
 *
 * What the driver can see is the index of its used ring.  Buffers from there
 * on are taken (again), which is as much as can be known, and right if the
 * queues before used them in order.  Split rings only. */
void mlx5_datapath_resume(struct mlx5_datapath *);
bool mlx5_datapath_resumes(const struct mlx5_datapath *);

/* Does the next step of starting.  Returns 1 if there are more, 0 if the
 * datapath runs, or a negative errno; then stop it. */
int mlx5_datapath_start(struct mlx5_datapath *, char **errp);

/* Does the next step of stopping, in whatever state of starting it is.
 * Returns true if there are more. */
bool mlx5_datapath_stop(struct mlx5_datapath *);

/* Frees what is left of a datapath that is stopped, and stops it before if it
 * is not.  NULL is accepted. */
void mlx5_datapath_destroy(struct mlx5_datapath *);

/* While it runs.  All or nothing: on failure what was in force still is. */

/* Spreads packets over the first 'n' receive queues. */
int mlx5_datapath_set_pairs(struct mlx5_datapath *, unsigned int n,
                            char **errp);

/* Does the next step of putting the filter in force, which takes hundreds of
 * commands if it is large.  Returns 1 if there are more: then call it again
 * with the same filter, or stop the datapath. */
int mlx5_datapath_set_filter(struct mlx5_datapath *,
                             const struct mlx5_rx_filter *, char **errp);

/* Interrupt moderation: none until 'usecs' have passed or 'max_count' packets
 * have come.  'mode': 0 default, 1 upon event, 2 upon completion. */
struct mlx5_period {
    uint8_t mode;
    uint16_t usecs;             /* At most MLX5_PERIOD_MAX_USECS. */
    uint16_t max_count;
};
#define MLX5_PERIOD_MAX_USECS 0xfff

/* Sets that of queue 'index', or of all receive queues, or all send queues. */
#define MLX5_RX_QUEUES (UINT_MAX - 1)
#define MLX5_TX_QUEUES UINT_MAX
int mlx5_datapath_set_period(struct mlx5_datapath *, unsigned int index,
                             const struct mlx5_period *, char **errp);

/* Counters and state of queue 'index', which may not exist: then nothing is
 * filled in.  '*error' is nonzero if the hardware has given it up. */
int mlx5_datapath_query(struct mlx5_datapath *, unsigned int index,
                        struct virtnet_queue_info *, uint8_t *error,
                        char **errp);

/* Object of the queue 'index', for events, or NULL. */
struct mlx5_devx_obj *mlx5_datapath_queue(struct mlx5_datapath *,
                                          unsigned int index);

/* Protection domain and key of the driver's memory, for DMA; on device
 * mlx5_datapath_devx(). */
struct mlx5_devx *mlx5_datapath_devx(const struct mlx5_datapath *);
struct mlx5_devx_obj *mlx5_datapath_pd(const struct mlx5_datapath *);
uint32_t mlx5_datapath_mkey(const struct mlx5_datapath *);

#endif /* mlx5-datapath.h */
