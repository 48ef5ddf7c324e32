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

#ifndef MLX5_VENDOR_INTERNAL_H
#define MLX5_VENDOR_INTERNAL_H 1

/* What the files of the mlx5 backend in mode "vendor" share.
 *
 * mlx5-vendor.c is the class; mlx5-vendor-look.c looks at the service again
 * and again; mlx5-vendor-device.c makes the devices what the service tells,
 * and follows their representors; mlx5-vendor-command.c passes commands on.
 *
 * Main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-base.h"
#include "mlx5-devlink.h"
#include "mlx5-port.h"
#include "mlx5-vendor-cli.h"
#include "mlx5-vendor-json.h"
#include "openvswitch/list.h"
#include "openvswitch/shash.h"

struct vendor_device {
    struct mlx5_port port;
    char handle[MLX5_DL_HANDLE_LEN]; /* Of its SF's parent, for devlink. */
    uint32_t told_ifindex;      /* By the service. */
    int missing;                /* Lists that it has been missing from. */
    bool removed;               /* Perhaps, by a command of ours. */
    bool no_rep;                /* Has it been said that there is none? */
    bool had_rep;               /* Was there one at the last look? */
};

struct vendor {
    struct mlx5_base base;
    struct mlx5_vendor_cli *cli;
    struct mlx5_devlink *devlink;

    /* Looking at the service: "list", then "query". */
    bool looking, look_again;
    long long int look_started;
    long long int next_look;
    struct mlx5_vendor_list *list; /* Between the two. */
    unsigned int n_failures;    /* In a row. */
    bool has_failed;            /* Since all devices were last there. */
    char *problem;              /* Last one told, or NULL. */
    unsigned long long int n_looks, n_bad;
    uint64_t n_reps_lost;       /* Of devices that stayed. */

    /* Commands that wait for the next look to end. */
    struct ovs_list waiting;    /* Of struct vendor_command. */
    struct shash bridges;       /* VUID to "char *", of new devices. */
    bool is_open;               /* Then looks change the registry. */
    char *opening;              /* Why it is not open yet. */
};

static inline struct vendor *
vendor_cast(const struct virtnet_backend *backend)
{
    return CONTAINER_OF(backend, struct vendor, base.up);
}

static inline struct vendor_device *
vendor_device_cast(const struct virtnet_device *dev)
{
    return CONTAINER_OF(dev, struct vendor_device, port.up);
}

/* Devices. */

/* Makes the registry what 'list' says. */
void vendor_apply(struct vendor *, const struct mlx5_vendor_list *list);

/* For mlx5_devlink_open(), with the "struct vendor". */
mlx5_devlink_port_cb vendor_port_changed;

/* Looking. */

/* Begins a look.  Before the backend is open its result is kept: 'list', and
 * 'opening' if it was in vain. */
void vendor_look(struct vendor *);

/* Ends a look, with 'problem' if it was in vain. */
void vendor_look_done(struct vendor *, const char *problem);

/* How long (ms) to wait after a look that began at 'started', which is the
 * last of 'n_failures' in a row that were in vain. */
long long int vendor_pause_after(long long int started,
                                 unsigned int n_failures);

/* Commands. */

/* "command" of the class. */
bool vendor_command(struct virtnet_backend *, const char *name, int argc,
                    const char *const argv[], virtnet_command_cb *,
                    void *aux);

/* A look has ended: answers the commands that wait for that. */
void vendor_answer_waiting(struct vendor *);

#endif /* mlx5-vendor-internal.h */
