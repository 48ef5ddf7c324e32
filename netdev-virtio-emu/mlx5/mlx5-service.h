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

#ifndef MLX5_SERVICE_H
#define MLX5_SERVICE_H 1

/* Is NVIDIA's virtio-net-controller service running here?
 *
 * A card's firmware is for one emulation manager.  Who is told of a service by
 * nobody has to look at the processes that there are, which takes
 * milliseconds: that is for other threads than the main one. */

#include <stdbool.h>

/* Does it run now?  Any thread. */
bool mlx5_service_runs(void);

/* What there is to be done about it, for operators: the end of a line. */
#define MLX5_SERVICE_REMEDY \
    "stop it, or set other_config:virtnet-mlx5-mode=vendor"

/* A thread that looks again and again.  The functions are for the main
 * thread. */
struct mlx5_service_watch;

struct mlx5_service_watch *mlx5_service_watch_create(void);
void mlx5_service_watch_destroy(struct mlx5_service_watch *);

/* Did it run at the last look? */
bool mlx5_service_watch_sees_it(const struct mlx5_service_watch *);

/* Wakes the main loop when the answer is not 'known'. */
void mlx5_service_watch_wait(const struct mlx5_service_watch *, bool known);

/* Where processes are, and how often (ms) a thread looks.  Tests have others,
 * and put them here before anything is opened. */
extern const char *mlx5_service_proc;
extern int mlx5_service_look_ms;

#endif /* mlx5-service.h */
