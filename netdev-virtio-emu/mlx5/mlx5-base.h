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

#ifndef MLX5_BASE_H
#define MLX5_BASE_H 1

/* What open backends of a card have in common, whoever owns the card.
 *
 * Main thread. */

#include <stddef.h>

#include "virtnet-backend-provider.h"

struct virtnet_settings;

/* RDMA devices that functions can have as parent. */
#define MLX5_MAX_PARENTS 2

struct mlx5_parents {
    struct virtnet_ib_device devs[MLX5_MAX_PARENTS]; /* Texts are owned. */
    size_t n;
};

/* Fills in 'wanted' with those that the settings name, whose 'pci_addr' is
 * NULL and whose texts are the settings', and returns their number. */
size_t mlx5_wanted_parents(const struct virtnet_settings *,
                           struct virtnet_ib_device wanted[MLX5_MAX_PARENTS]);

/* The settings name devices that cannot be used, and there are 'n' RDMA
 * devices 'names': if it is whether the ports are bonded that the settings
 * have wrong, complains of that. */
void mlx5_complain_of_lag(const struct virtnet_settings *,
                          const char *const names[], size_t n);

/* Adds a copy of 'wanted' with 'pci_addr'. */
void mlx5_parents_add(struct mlx5_parents *,
                      const struct virtnet_ib_device *wanted,
                      const char *pci_addr);

/* Returns the one with 'name', or NULL, also if 'name' is. */
const struct virtnet_ib_device *mlx5_parents_find(const struct mlx5_parents *,
                                                  const char *name);

/* A backend embeds it as its first member. */
struct mlx5_base {
    struct virtnet_backend up;
    struct virtnet_backend_caps caps; /* 'emulation_manager' is owned. */
    struct mlx5_parents parents;
};

/* Frees what 'base' owns. */
void mlx5_base_uninit(struct mlx5_base *);

const struct virtnet_backend_caps *mlx5_base_get_caps(
    const struct virtnet_backend *);
size_t mlx5_base_get_ib_devices(const struct virtnet_backend *,
                                const struct virtnet_ib_device **devs);

/* Why the setting 'key' of the firmware configuration is of no effect where
 * there is a card, and the entry of mlxconfig that is in its place; or NULL if
 * it has an effect.  With 'all', none has. */
const char *mlx5_firmware_says(const char *key, bool all);

#define MLX5_BASE_OPS                                                       \
    .get_caps = mlx5_base_get_caps,                                         \
    .get_ib_devices = mlx5_base_get_ib_devices

#endif /* mlx5-base.h */
