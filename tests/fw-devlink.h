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

#ifndef FW_DEVLINK_H
#define FW_DEVLINK_H 1

/* A model of devlink, and of the rest of the kernel as far as SFs go, for the
 * card of fw-model.h.
 *
 * It speaks netlink behind mlx5-devlink-io.h.  For each SF there is a real
 * network interface as representor, a TAP interface "en3f0pf0sfN", and a
 * directory in a sysfs of its own; its RDMA device is one of the model's. */

#include "mlx5-devlink-io.h"

#define FW_DEVLINK_DEV "0000:03:00.0"
#define FW_DEVLINK_SECOND "0000:03:00.1" /* The second port. */

extern struct mlx5_dl_kernel fw_devlink;

/* 'sysfs' is a directory that is there, and empty or left by another process,
 * whose SFs are there then; each request that changes something takes
 * 'latency_us'.  With 'slow_udev' representors are "eth0" and so on until
 * fw_devlink_rename(). */
void fw_devlink_create(const char *sysfs, unsigned int latency_us,
                       bool slow_udev);

/* udev gives all representors their names. */
void fw_devlink_rename(void);

/* Somebody takes SF 'sf_num' away.  Returns false if there is none. */
bool fw_devlink_lose(uint32_t sf_num);

/* The representor of SF 'sf_num' goes, or comes.  Returns false if there is no
 * such SF. */
bool fw_devlink_set_rep(uint32_t sf_num, bool there);

/* Somebody puts the eSwitches of both ports into switchdev mode, or out of it:
 * the kernel does not tell, but takes the uplinks away and makes them anew. */
void fw_devlink_set_switchdev(bool switchdev);

unsigned int fw_devlink_n_sfs(void);

/* Requests of the thread that has called fw_devlink_create(), which is to wait
 * for nothing. */
unsigned int fw_devlink_n_own_requests(void);

/* The next 'n' requests for an SF are refused. */
void fw_devlink_refuse(unsigned int n);

#endif /* fw-devlink.h */
