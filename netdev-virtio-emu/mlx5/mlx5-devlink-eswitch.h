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

#ifndef MLX5_DEVLINK_ESWITCH_H
#define MLX5_DEVLINK_ESWITCH_H 1

/* The eSwitches below which there are to be SFs: are they in switchdev mode,
 * and do they have an uplink?
 *
 * The kernel does not tell when a mode changes, but it tells of what comes and
 * goes with that, so after any news the mode is asked for again: at once, and
 * then so often at most that a burst of news costs next to nothing.  What is
 * wrong is logged when it changes, and kept as a line for the operator.
 *
 * mlx5-devlink.c asks.  Main thread. */

#include <stdbool.h>

#include "mlx5-devlink-msg.h"
#include "openvswitch/list.h"

struct mlx5_eswitch {
    struct ovs_list node;       /* In a list of all. */
    char handle[MLX5_DL_HANDLE_LEN];
    bool stale;                 /* To be asked for... */
    long long int ask_at;       /* ...not before this time. */
    bool asking;
    char *problem;              /* One line, or NULL. */
};

/* Adds 'handle' to 'eswitches', a list of struct mlx5_eswitch, unless it is
 * there. */
void mlx5_eswitch_add(struct ovs_list *eswitches, const char *handle);
void mlx5_eswitch_destroy_all(struct ovs_list *eswitches);
struct mlx5_eswitch *mlx5_eswitch_find(const struct ovs_list *eswitches,
                                       const char *handle);

/* Something has changed. */
void mlx5_eswitch_touch_all(struct ovs_list *eswitches);

/* Is its mode to be asked for now?  If so, it counts as asked. */
bool mlx5_eswitch_ask(struct mlx5_eswitch *);

/* The answer: an 'error' with one line, or the mode. */
void mlx5_eswitch_answered(struct mlx5_eswitch *, int error,
                           const char *reason, bool switchdev,
                           bool has_uplink);

/* Wakes the main loop when there is one to ask for. */
void mlx5_eswitch_wait(const struct ovs_list *eswitches);

#endif /* mlx5-devlink-eswitch.h */
