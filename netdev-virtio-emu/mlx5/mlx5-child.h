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

#ifndef MLX5_CHILD_H
#define MLX5_CHILD_H 1

/* A program that is run beside the main loop, for what it prints.
 *
 * No shell is involved.  The child is in a process group of its own, reads
 * nothing, inherits no descriptor and no blocked signal.  It is waited for by
 * its own id, so it does not matter who else handles SIGCHLD.  What it prints
 * is kept up to a bound.  When it takes too long, or too much is printed, the
 * whole group is killed.
 *
 * Main thread. */

#include <stdbool.h>
#include <stddef.h>

struct mlx5_child;

/* Starts argv[0] with the arguments 'argv', which ends with NULL.  Returns
 * NULL, and a negative errno in '*errorp', if that cannot be done. */
struct mlx5_child *mlx5_child_start(const char *const argv[], int timeout_ms,
                                    size_t max_output, int *errorp);

/* Returns true when it has ended. */
bool mlx5_child_run(struct mlx5_child *);
void mlx5_child_wait(struct mlx5_child *);

/* Kills it, if it has not ended, and frees everything. */
void mlx5_child_destroy(struct mlx5_child *);

/* Of one that has ended: 0 if it ended by itself with status 0 or 1 (1 is what
 * programs use whose answer is a failure), -ETIMEDOUT, -EMSGSIZE, or -ECHILD
 * for another end, which mlx5_child_get_end() describes.  Null-terminated. */
int mlx5_child_get_result(const struct mlx5_child *);
const char *mlx5_child_get_output(const struct mlx5_child *);
const char *mlx5_child_get_errors(const struct mlx5_child *);
const char *mlx5_child_get_end(const struct mlx5_child *);

#endif /* mlx5-child.h */
