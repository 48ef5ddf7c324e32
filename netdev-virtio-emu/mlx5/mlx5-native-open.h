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

#ifndef MLX5_NATIVE_OPEN_H
#define MLX5_NATIVE_OPEN_H 1

/* Opening and closing what is below the mlx5 backend, beside the main loop:
 * finding the emulation manager takes some commands for each function that
 * there is, and closing has to let go of all.
 *
 * Main thread. */

#include "mlx5-base.h"

struct mlx5_devlink;
struct mlx5_devx_class;
struct mlx5_native;
struct virtnet_settings;

/* Whoever gets this owns it. */
struct mlx5_open_result {
    struct mlx5_native *fw;
    struct mlx5_parents parents;
};

/* Opens, or goes on opening, what the settings name.  Returns 0, -EINPROGRESS
 * if it is to be called again, or another negative errno.  In the last two
 * cases '*errp' is one line, owned by the caller. */
int mlx5_native_open_run(const struct virtnet_settings *,
                         const struct mlx5_devx_class *,
                         struct mlx5_open_result *, char **errp);

/* Closes both. */
void mlx5_native_open_close(struct mlx5_native *, struct mlx5_devlink *);

#endif /* mlx5-native-open.h */
