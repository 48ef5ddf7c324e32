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

/* Devices of a card as ports.  See mlx5-port.h. */

#include <config.h>

#include "mlx5-port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netdev.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-health.h"

VLOG_DEFINE_THIS_MODULE(mlx5_port);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

void
mlx5_port_init(struct mlx5_port *port, struct virtnet_backend *backend,
               enum virtnet_function_type type)
{
    virtnet_device_init(&port->up, backend, type);
    mlx5_rep_init(&port->rep, VIRTNET_DEFAULT_MTU);
}

void
mlx5_port_uninit(struct mlx5_port *port)
{
    mlx5_rep_uninit(&port->rep);
    virtnet_device_uninit(&port->up);
}

struct eth_addr
mlx5_port_make_mac(struct eth_addr mac)
{
    mac.ea[0] = (mac.ea[0] | 2) ^ 0x40;
    return mac;
}

bool
mlx5_port_is_kernel_name(const char *name)
{
    return (!strncmp(name, "eth", 3) && name[3]
            && !name[3 + strspn(name + 3, "0123456789")]);
}

bool
mlx5_port_is_being_named(struct mlx5_port *port, uint32_t ifindex,
                         const char *name)
{
    /* What is in use already has had its chance; so has what goes by a name
     * of that kind for good. */
    if (!ifindex || ifindex == port->rep.ifindex
        || !mlx5_port_is_kernel_name(name)
        || !strcmp(name, port->up.rep_name)) {
        port->naming = 0;
        return false;
    }
    if (port->naming != ifindex) {
        port->naming = ifindex;
        port->name_by = time_msec() + MLX5_PORT_NAMING_MS;
    }
    return time_msec() < port->name_by;
}

int
mlx5_port_set_mtu(struct virtnet_device *dev, int mtu)
{
    return mlx5_rep_set_mtu(&mlx5_port_cast(dev)->rep, mtu);
}

void
mlx5_port_set_up(struct virtnet_device *dev, bool up)
{
    struct mlx5_rep *rep = &mlx5_port_cast(dev)->rep;
    /* While a port is made and unmade there is no netdev, and it is down. */
    bool used = up || dev->netdev;
    char *err = NULL;

    /* An interface that is up is not to be set down just because it begins to
     * be used: the kernel waits for grace periods then, with all else. */
    if (used) {
        mlx5_rep_set_up(rep, up);
    }
    if (mlx5_rep_set_used(rep, used, &err)) {
        VLOG_WARN_RL(&rl, "%s: %s", dev->rep_name, err);
        free(err);
    }
    if (!used) {
        mlx5_rep_set_up(rep, up);
    }
}

void
mlx5_port_yield(struct virtnet_device *dev)
{
    mlx5_rep_set_used(&mlx5_port_cast(dev)->rep, false, NULL);
}

void
mlx5_port_get_stats(const struct virtnet_device *dev,
                    struct netdev_stats *stats)
{
    mlx5_rep_get_stats(&mlx5_port_cast(dev)->rep, stats);
}

size_t
mlx5_port_get_custom_stats(const struct virtnet_device *dev,
                           struct netdev_custom_counter **counters)
{
    struct virtnet_queue_info sum = { .index = 0 };
    uint64_t cp_errors, dp_errors;
    size_t n;

    for (unsigned int i = 0; i < virtnet_device_num_queues(dev); i++) {
        struct virtnet_queue_info info;

        if (!dev->backend->class->get_queue_info(dev, i, &info)) {
            virtnet_queue_info_add(&sum, &info);
        }
    }
    virtnet_device_count_errors(dev, &cp_errors, &dp_errors);
    const struct netdev_custom_counter errors[] = {
        { .name = "virtnet_cp_errors", .value = cp_errors },
        { .name = "virtnet_dp_errors", .value = dp_errors },
    };

    n = mlx5_rep_get_custom_stats(&mlx5_port_cast(dev)->rep, counters);
    *counters = xrealloc(*counters,
                         (n + VIRTNET_N_QUEUE_TOTALS + ARRAY_SIZE(errors))
                         * sizeof **counters);
    n += virtnet_put_queue_totals(&sum, *counters + n);
    memcpy(*counters + n, errors, sizeof errors);
    n += ARRAY_SIZE(errors);
    return n;
}

int
mlx5_port_recv(struct virtnet_device *dev, int qid,
               struct dp_packet_batch *batch, int *qfill)
{
    return (qid ? EAGAIN
            : mlx5_rep_recv(&mlx5_port_cast(dev)->rep, batch, qfill));
}

void
mlx5_port_send(struct virtnet_device *dev, int qid OVS_UNUSED,
               bool concurrent_txq OVS_UNUSED, struct dp_packet_batch *batch)
{
    mlx5_rep_send(&mlx5_port_cast(dev)->rep, batch);
}

bool
mlx5_port_rxq_enabled(const struct virtnet_device *dev OVS_UNUSED, int qid)
{
    /* A packet socket is one queue. */
    return !qid;
}
