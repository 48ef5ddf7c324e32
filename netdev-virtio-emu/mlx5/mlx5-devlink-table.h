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

#ifndef MLX5_DEVLINK_TABLE_H
#define MLX5_DEVLINK_TABLE_H 1

/* The table of ports of mlx5-devlink.c: what the kernel has told of them, and
 * who is told when that is something new.  See "Ports" in mlx5-devlink.h.
 *
 * Main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlx5-devlink.h"
#include "openvswitch/hmap.h"

struct mlx5_dl_table {
    const struct mlx5_dl_kernel *kernel;
    mlx5_devlink_port_cb *cb;   /* NULL for nobody. */
    void *aux;
    struct mlx5_devlink_stats *stats; /* 'lost', 'reps_lost'. */
    struct hmap ports;          /* Of struct port. */
    struct hmap by_ifindex;
};

void mlx5_dl_table_init(struct mlx5_dl_table *, const struct mlx5_dl_kernel *,
                        mlx5_devlink_port_cb *, void *aux,
                        struct mlx5_devlink_stats *);
void mlx5_dl_table_uninit(struct mlx5_dl_table *);

/* The kernel says, or has said, that there is a port 'p'.  Returns what is in
 * the table then. */
const struct mlx5_dl_port *mlx5_dl_table_seen(struct mlx5_dl_table *,
                                              const struct mlx5_dl_port *p);

/* The kernel says that a port is not there any more. */
void mlx5_dl_table_gone(struct mlx5_dl_table *, const char *handle,
                        uint32_t index);

/* Compares the table with a complete list. */
void mlx5_dl_table_compare(struct mlx5_dl_table *,
                           const struct mlx5_dl_port *ports, size_t n);

/* The kernel says that the network interface 'ifindex' has 'name' or, if that
 * is NULL, is not there any more. */
void mlx5_dl_table_link(struct mlx5_dl_table *, uint32_t ifindex,
                        const char *name);

/* The end of a port is being asked for; and this has been done, or not. */
void mlx5_dl_table_end(struct mlx5_dl_table *, const char *handle,
                       uint32_t index);
void mlx5_dl_table_ended(struct mlx5_dl_table *, const char *handle,
                         uint32_t index, bool done);

/* As those of mlx5-devlink.h. */
const struct mlx5_dl_port *mlx5_dl_table_find(const struct mlx5_dl_table *,
                                              const char *handle,
                                              uint32_t index);
const struct mlx5_dl_port *mlx5_dl_table_find_sf(const struct mlx5_dl_table *,
                                                 const char *handle,
                                                 uint32_t sf_num);
const struct mlx5_dl_port *mlx5_dl_table_find_ifindex(
    const struct mlx5_dl_table *, uint32_t ifindex);
const struct mlx5_dl_port *mlx5_dl_table_find_uplink(
    const struct mlx5_dl_table *, const char *handle);

#endif /* mlx5-devlink-table.h */
