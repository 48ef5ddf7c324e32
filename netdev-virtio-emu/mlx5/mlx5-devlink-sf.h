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

#ifndef MLX5_DEVLINK_SF_H
#define MLX5_DEVLINK_SF_H 1

/* The life of a scalable function (SF), from devlink's point of view: a whole
 * SF or none.
 *
 * These functions take as long as the kernel, firmware and udev take.  They
 * belong to the thread of mlx5-devlink-job.h. */

#include "mlx5-devlink-io.h"

/* Is the eSwitch of 'handle' in switchdev mode, without which there are no
 * SFs? */
int mlx5_sf_get_mode(struct mlx5_dl_conn *, const char *handle,
                     bool *switchdev, char **errp);

/* What is wanted. */
struct mlx5_sf_spec {
    char handle[MLX5_DL_HANDLE_LEN]; /* Its parent: "pci/0000:03:00.0". */
    uint16_t pf_num;
    uint32_t sf_num;
    struct eth_addr mac;        /* Of the function.  Zero: the kernel's. */
    bool rdma;                  /* Wait for its RDMA device, too? */
    bool reuse;                 /* Take the one that is there already... */
    uint32_t index;             /* ...and is this port. */
    int timeout_ms;             /* For all the waiting. */
};

#define MLX5_SF_NAME_LEN 64

/* What has become of it. */
struct mlx5_sf {
    struct mlx5_dl_port port;   /* With the representor, which need not have
                                 * come yet if it is one that was there. */
    char aux_dev[MLX5_SF_NAME_LEN]; /* "mlx5_core.sf.4". */
    char rdma_dev[MLX5_SF_NAME_LEN]; /* "mlx5_4", "" unless asked for. */
};

/* Makes an SF, activates it, and waits until a driver has taken it, until it
 * has a representor (unless 'reuse'), and for its auxiliary and RDMA devices.
 * Returns 0, or a negative errno with one line in '*errp', owned by the
 * caller:
 *
 *   -EOPNOTSUPP    the eSwitch is not in switchdev mode, or has no SFs
 *   -EEXIST        there is an SF of that number
 *   -ENODEV        there is not ('reuse')
 *   -ETIMEDOUT     something did not happen in time
 *   other          what the kernel said
 *
 * After a failure the SF is gone again, unless it was there before; if not
 * even that could be done, '*leftp' is true and the line says so. */
int mlx5_sf_create(struct mlx5_dl_conn *, const struct mlx5_sf_spec *,
                   struct mlx5_sf *, bool *leftp, char **errp);

/* Deactivates an SF, waits until its driver has let go, and deletes it.  It is
 * a success if it is not there. */
int mlx5_sf_destroy(struct mlx5_dl_conn *, const char *handle, uint32_t index,
                    int timeout_ms, char **errp);

/* Finds the auxiliary device, and its RDMA device, of an SF by its parent and
 * number in sysfs.  Names that are not there are "".  '*hint' is the number of
 * an auxiliary device near to which to look first; where it has been found is
 * stored there.  Returns 0 or -ENOENT. */
int mlx5_sf_find_devices(const char *sysfs, const char *handle,
                         uint32_t sf_num, int *hint, struct mlx5_sf *);

#endif /* mlx5-devlink-sf.h */
