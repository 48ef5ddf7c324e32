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

#ifndef MLX5_PORT_H
#define MLX5_PORT_H 1

/* What devices of a card have in common, whoever owns the card: their port is
 * a representor, which is a network interface of the kernel.
 *
 * MLX5_PORT_OPS are the members of "struct virtnet_backend_class" for devices
 * that begin with "struct mlx5_port". */

#include "mlx5-devargs.h"
#include "mlx5-rep.h"
#include "virtnet-backend-provider.h"

struct mlx5_port {
    struct virtnet_device up;
    struct mlx5_rep rep;

    /* A representor that udev has yet to name, and until when it may. */
    uint32_t naming;            /* Its ifindex, or 0. */
    long long int name_by;
};

static inline struct mlx5_port *
mlx5_port_cast(const struct virtnet_device *dev)
{
    return CONTAINER_OF(dev, struct mlx5_port, up);
}

/* Initializes and frees what 'port' has besides memory. */
void mlx5_port_init(struct mlx5_port *, struct virtnet_backend *,
                    enum virtnet_function_type);
void mlx5_port_uninit(struct mlx5_port *);

/* An address for the switch's side of a device whose own is 'mac'. */
struct eth_addr mlx5_port_make_mac(struct eth_addr mac);

/* How long (ms) udev may take to give a representor its name, which is that of
 * the port.  Until then it is left alone: many kernels (before 6.2) do not
 * rename what is up.  One that comes later is logged. */
#define MLX5_PORT_NAMING_MS 5000

/* Is 'name' what the kernel calls an interface that udev has yet to name? */
bool mlx5_port_is_kernel_name(const char *name);

/* Is the representor that has come for 'port', the interface 'ifindex' called
 * 'name' (0 and NULL for none), to be left alone, since udev has yet to name
 * it?  If so, 'port->naming' is nonzero, and from 'port->name_by' on the
 * answer is another one. */
bool mlx5_port_is_being_named(struct mlx5_port *port, uint32_t ifindex,
                              const char *name);

int mlx5_port_set_mtu(struct virtnet_device *, int mtu);
void mlx5_port_set_up(struct virtnet_device *, bool up);
void mlx5_port_yield(struct virtnet_device *);
void mlx5_port_get_stats(const struct virtnet_device *,
                         struct netdev_stats *);

/* Of queues, since their driver has enabled them, and of the representor. */
size_t mlx5_port_get_custom_stats(const struct virtnet_device *,
                                  struct netdev_custom_counter **);
int mlx5_port_recv(struct virtnet_device *, int qid,
                   struct dp_packet_batch *, int *qfill);
void mlx5_port_send(struct virtnet_device *, int qid, bool concurrent_txq,
                    struct dp_packet_batch *);
bool mlx5_port_rxq_enabled(const struct virtnet_device *, int qid);

#define MLX5_PORT_OPS                                                       \
    .rep_complete = true,                                                   \
    .rep_get_devargs = mlx5_devargs_get,                                    \
    .rep_yield = mlx5_port_yield,                                           \
    .rep_is_netdev = true,                                                  \
    .rep_set_mtu = mlx5_port_set_mtu,                                       \
    .rep_set_up = mlx5_port_set_up,                                         \
    .rep_get_stats = mlx5_port_get_stats,                                   \
    .rep_get_custom_stats = mlx5_port_get_custom_stats,                     \
    .rep_recv = mlx5_port_recv,                                             \
    .rep_send = mlx5_port_send,                                             \
    .rep_rxq_enabled = mlx5_port_rxq_enabled

#endif /* mlx5-port.h */
