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

/* The table of devlink's ports.  See mlx5-devlink-table.h. */

#include <config.h>

#include "mlx5-devlink-table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "hash.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_devlink_table);

COVERAGE_DEFINE(mlx5_sf_lost);
COVERAGE_DEFINE(mlx5_rep_lost);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

struct port {
    struct hmap_node node;      /* In 'ports', by index. */
    struct hmap_node ifindex_node; /* In 'by_ifindex' if there is one. */
    struct mlx5_dl_port p;
    bool ours;                  /* Is its end being asked for? */
    bool listed;                /* While a list is compared. */
};

void
mlx5_dl_table_init(struct mlx5_dl_table *t,
                   const struct mlx5_dl_kernel *kernel,
                   mlx5_devlink_port_cb *cb, void *aux,
                   struct mlx5_devlink_stats *stats)
{
    t->kernel = kernel;
    t->cb = cb;
    t->aux = aux;
    t->stats = stats;
    hmap_init(&t->ports);
    hmap_init(&t->by_ifindex);
}

void
mlx5_dl_table_uninit(struct mlx5_dl_table *t)
{
    struct port *port, *next;

    HMAP_FOR_EACH_SAFE (port, next, node, &t->ports) {
        hmap_remove(&t->ports, &port->node);
        free(port);
    }
    hmap_destroy(&t->ports);
    hmap_destroy(&t->by_ifindex);
}

static uint32_t
hash_port(uint32_t index)
{
    return hash_int(index, 0);
}

static struct port *
find(const struct mlx5_dl_table *t, const char *handle, uint32_t index)
{
    struct port *port;

    HMAP_FOR_EACH_WITH_HASH (port, node, hash_port(index), &t->ports) {
        if (port->p.index == index
            && (!handle || !strcmp(port->p.handle, handle))) {
            return port;
        }
    }
    return NULL;
}

static struct port *
find_ifindex(const struct mlx5_dl_table *t, uint32_t ifindex)
{
    struct port *port;

    HMAP_FOR_EACH_WITH_HASH (port, ifindex_node, hash_port(ifindex),
                             &t->by_ifindex) {
        if (port->p.ifindex == ifindex) {
            return port;
        }
    }
    return NULL;
}

/* What the kernel says. */

static void
notify(struct mlx5_dl_table *t, enum mlx5_devlink_event event,
       const struct port *port)
{
    if (t->cb) {
        t->cb(event, &port->p, t->aux);
    }
}

/* Puts '*p' in the place of port->p. */
static void
assign(struct mlx5_dl_table *t, struct port *port,
       const struct mlx5_dl_port *p)
{
    if (port->p.ifindex) {
        hmap_remove(&t->by_ifindex, &port->ifindex_node);
    }
    port->p = *p;
    if (port->p.ifindex) {
        hmap_insert(&t->by_ifindex, &port->ifindex_node,
                    hash_port(port->p.ifindex));
    }
}

static void
rep_lost(struct mlx5_dl_table *t, const struct port *port)
{
    t->stats->reps_lost++;
    COVERAGE_INC(mlx5_rep_lost);
    VLOG_WARN_RL(&rl, "%s/%"PRIu32": the representor %s has gone",
                 port->p.handle, port->p.index, port->p.netdev);
}

/* Gives '*p' the name that its representor has now.  What devlink says, and
 * what the thread has read, may be older than a change of the name which
 * rtnetlink has told meanwhile, be it before it was known whose it is. */
static void
refresh_name(struct mlx5_dl_table *t, struct mlx5_dl_port *p)
{
    char name[IF_NAMESIZE];

    if (p->ifindex && t->kernel->get_link_name(p->ifindex, name)) {
        memset(p->netdev, 0, sizeof p->netdev);
        ovs_strlcpy(p->netdev, name, sizeof p->netdev);
    }
}

const struct mlx5_dl_port *
mlx5_dl_table_seen(struct mlx5_dl_table *t, const struct mlx5_dl_port *p_)
{
    struct port *port = find(t, p_->handle, p_->index);
    struct mlx5_dl_port copy = *p_;
    const struct mlx5_dl_port *p = &copy;

    refresh_name(t, &copy);
    if (!port) {
        port = xzalloc(sizeof *port);
        hmap_insert(&t->ports, &port->node, hash_port(p->index));
        assign(t, port, p);
        notify(t, MLX5_DEVLINK_ADDED, port);
    } else if (memcmp(&port->p, p, sizeof *p)) {
        bool renamed = (port->p.ifindex == p->ifindex
                        && strcmp(port->p.netdev, p->netdev));

        if (port->p.ifindex && !p->ifindex && !port->ours) {
            rep_lost(t, port);
        }
        assign(t, port, p);
        notify(t, renamed ? MLX5_DEVLINK_RENAMED : MLX5_DEVLINK_CHANGED,
               port);
    }
    port->listed = true;
    return &port->p;
}

/* The kernel says that 'port' is not there any more. */
static void
port_gone(struct mlx5_dl_table *t, struct port *port)
{
    bool lost = port->p.flavour == MLX5_DL_PCI_SF && !port->ours;

    if (lost) {
        t->stats->lost++;
        COVERAGE_INC(mlx5_sf_lost);
        VLOG_WARN_RL(&rl, "%s/%"PRIu32": SF %"PRIu32" (representor %s) has "
                     "been removed by somebody else", port->p.handle,
                     port->p.index, port->p.sf_num,
                     port->p.netdev[0] ? port->p.netdev : "unknown");
    }
    notify(t, lost ? MLX5_DEVLINK_LOST : MLX5_DEVLINK_REMOVED, port);
    if (port->p.ifindex) {
        hmap_remove(&t->by_ifindex, &port->ifindex_node);
    }
    hmap_remove(&t->ports, &port->node);
    free(port);
}

void
mlx5_dl_table_gone(struct mlx5_dl_table *t, const char *handle,
                   uint32_t index)
{
    struct port *port = find(t, handle, index);

    if (port) {
        port_gone(t, port);
    }
}

void
mlx5_dl_table_compare(struct mlx5_dl_table *t,
                      const struct mlx5_dl_port *ports, size_t n)
{
    struct port *port, *next;

    HMAP_FOR_EACH (port, node, &t->ports) {
        port->listed = false;
    }
    for (size_t i = 0; i < n; i++) {
        mlx5_dl_table_seen(t, &ports[i]);
    }
    HMAP_FOR_EACH_SAFE (port, next, node, &t->ports) {
        if (!port->listed) {
            port_gone(t, port);
        }
    }
}

void
mlx5_dl_table_link(struct mlx5_dl_table *t, uint32_t ifindex,
                   const char *name)
{
    struct port *port = find_ifindex(t, ifindex);
    struct mlx5_dl_port p;

    if (!port) {
        return;
    }
    p = port->p;
    if (!name) {
        if (!port->ours) {
            rep_lost(t, port);
        }
        p.ifindex = 0;
        memset(p.netdev, 0, sizeof p.netdev);
        assign(t, port, &p);
        notify(t, MLX5_DEVLINK_CHANGED, port);
    } else if (strcmp(p.netdev, name)) {
        VLOG_INFO_RL(&rl, "%s/%"PRIu32": the representor %s is now named %s",
                     p.handle, p.index, p.netdev, name);
        memset(p.netdev, 0, sizeof p.netdev);
        ovs_strlcpy(p.netdev, name, sizeof p.netdev);
        assign(t, port, &p);
        notify(t, MLX5_DEVLINK_RENAMED, port);
    }
}

/* What is asked of it. */

void
mlx5_dl_table_end(struct mlx5_dl_table *t, const char *handle, uint32_t index)
{
    struct port *port = find(t, handle, index);

    if (port) {
        port->ours = true;
    }
}

void
mlx5_dl_table_ended(struct mlx5_dl_table *t, const char *handle,
                    uint32_t index, bool done)
{
    struct port *port = find(t, handle, index);

    if (port && !done) {
        port->ours = false;
    } else if (port && port->ours) {
        /* Otherwise it is a new one that has the same number. */
        port_gone(t, port);
    }
}

/* Looking ports up. */

const struct mlx5_dl_port *
mlx5_dl_table_find(const struct mlx5_dl_table *t, const char *handle,
                   uint32_t index)
{
    const struct port *port = find(t, handle, index);

    return port ? &port->p : NULL;
}

const struct mlx5_dl_port *
mlx5_dl_table_find_sf(const struct mlx5_dl_table *t, const char *handle,
                      uint32_t sf_num)
{
    const struct port *port;

    HMAP_FOR_EACH (port, node, &t->ports) {
        if (port->p.flavour == MLX5_DL_PCI_SF && !port->p.external
            && port->p.sf_num == sf_num
            && (!handle || !strcmp(port->p.handle, handle))) {
            return &port->p;
        }
    }
    return NULL;
}

const struct mlx5_dl_port *
mlx5_dl_table_find_ifindex(const struct mlx5_dl_table *t, uint32_t ifindex)
{
    const struct port *port = find_ifindex(t, ifindex);

    return port ? &port->p : NULL;
}

const struct mlx5_dl_port *
mlx5_dl_table_find_uplink(const struct mlx5_dl_table *t, const char *handle)
{
    const struct port *port;

    HMAP_FOR_EACH (port, node, &t->ports) {
        if (port->p.flavour == MLX5_DL_PHYSICAL
            && !strcmp(port->p.handle, handle)) {
            return &port->p;
        }
    }
    return NULL;
}
