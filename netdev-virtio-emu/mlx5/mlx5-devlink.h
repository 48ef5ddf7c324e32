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

#ifndef MLX5_DEVLINK_H
#define MLX5_DEVLINK_H 1

/* SFs and representors, for the main thread.
 *
 * Requests
 * ========
 *
 * To make or delete an SF takes firmware, udev and driver core from
 * milliseconds to seconds.  A thread does it, one request after another (the
 * kernel serializes those of one eSwitch anyway), and mlx5_devlink_run() calls
 * back with the result.
 *
 * Ports
 * =====
 *
 * There is a table of all ports of all eSwitches, which follows the kernel by
 * notifications of devlink and, for names and disappearance of network
 * interfaces, of rtnetlink.  A representor is known by its port (handle and
 * index) and its ifindex, never by its name, which udev and operators change
 * as they like.  If the kernel had to drop notifications the table is compared
 * with a new list.
 *
 * An SF that goes without having been asked to by mlx5_devlink_destroy_sf() is
 * counted, logged, and reported like any other change. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-devlink-sf.h"

struct mlx5_devlink;

enum mlx5_devlink_event {
    MLX5_DEVLINK_ADDED,
    MLX5_DEVLINK_CHANGED,       /* Something of the port. */
    MLX5_DEVLINK_RENAMED,       /* Its representor has another name. */
    MLX5_DEVLINK_REMOVED,       /* As asked for. */
    MLX5_DEVLINK_LOST,          /* Not as asked for. */
};

/* Called by mlx5_devlink_run() for ports that have representors or had some.
 * 'port' is in the table until this returns. */
typedef void mlx5_devlink_port_cb(enum mlx5_devlink_event,
                                  const struct mlx5_dl_port *port, void *aux);

/* Watches the eSwitch of 'handle': see mlx5-devlink-eswitch.h. */
void mlx5_devlink_watch_eswitch(struct mlx5_devlink *, const char *handle);

/* What is wrong with the eSwitch of 'handle': one line, valid until
 * mlx5_devlink_run(), or NULL if that is nothing or not known yet. */
const char *mlx5_devlink_get_eswitch_problem(const struct mlx5_devlink *,
                                             const char *handle);

struct mlx5_devlink_stats {
    unsigned long long int created, destroyed; /* SFs. */
    unsigned long long int failed; /* Requests. */
    unsigned long long int left; /* SFs that could not be removed after a
                                  * failure. */
    unsigned long long int lost; /* SFs that others removed. */
    unsigned long long int reps_lost; /* Representors that went while their
                                       * port stayed. */
    unsigned long long int resyncs; /* Lists after lost notifications. */
};

/* Starts.  'kernel' is &mlx5_dl_linux but in tests; 'timeout_ms' is that of
 * one request.  Never fails: see mlx5_devlink_is_ready(). */
struct mlx5_devlink *mlx5_devlink_open(const struct mlx5_dl_kernel *kernel,
                                       int timeout_ms,
                                       mlx5_devlink_port_cb *, void *aux);

/* Ends.  Requests that have not begun are dropped, one that is under way is
 * given up as soon as possible; no callback is called.  Waits for the system
 * call in which the thread may be. */
void mlx5_devlink_close(struct mlx5_devlink *);

void mlx5_devlink_run(struct mlx5_devlink *);
void mlx5_devlink_wait(struct mlx5_devlink *);

/* Is the table filled?  If not, '*reason' is one line that says why, owned by
 * the callee, or NULL if it is about to be. */
bool mlx5_devlink_is_ready(const struct mlx5_devlink *, const char **reason);

/* Asks for an SF.  'cb' gets what mlx5_sf_create() returns; 'sf' is valid
 * until it returns, and NULL if 'error' is nonzero.  When it is called with
 * success the port is in the table. */
typedef void mlx5_devlink_create_cb(int error, const char *reason,
                                    const struct mlx5_sf *sf, void *aux);
void mlx5_devlink_create_sf(struct mlx5_devlink *,
                            const struct mlx5_sf_spec *,
                            mlx5_devlink_create_cb *, void *aux);

typedef void mlx5_devlink_destroy_cb(int error, const char *reason,
                                     void *aux);
void mlx5_devlink_destroy_sf(struct mlx5_devlink *, const char *handle,
                             uint32_t index, int timeout_ms,
                             mlx5_devlink_destroy_cb *, void *aux);

/* Nobody wants to hear of requests with 'aux' any more: their callbacks are
 * not called.  They are carried out all the same; an SF that is made for
 * nobody is deleted. */
void mlx5_devlink_forget(struct mlx5_devlink *, const void *aux);

/* Looking ports up.  Valid until mlx5_devlink_run().  NULL if there is no such
 * port.  'handle' may be NULL for any. */
const struct mlx5_dl_port *mlx5_devlink_find(const struct mlx5_devlink *,
                                             const char *handle,
                                             uint32_t index);
const struct mlx5_dl_port *mlx5_devlink_find_sf(const struct mlx5_devlink *,
                                                const char *handle,
                                                uint32_t sf_num);
const struct mlx5_dl_port *mlx5_devlink_find_ifindex(
    const struct mlx5_devlink *, uint32_t ifindex);

/* The uplink of the eSwitch of 'handle': its physical port. */
const struct mlx5_dl_port *mlx5_devlink_find_uplink(
    const struct mlx5_devlink *, const char *handle);

const struct mlx5_devlink_stats *mlx5_devlink_get_stats(
    const struct mlx5_devlink *);

#endif /* mlx5-devlink.h */
