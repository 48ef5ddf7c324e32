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

#ifndef MLX5_CTRL_H
#define MLX5_CTRL_H 1

/* The control queue of a driver, served by DMA.
 *
 * No hardware object stands for it: it is looked at from time to time, and its
 * ring (split, VIRTIO 1.2, section 2.7), descriptors and buffers are copied
 * through the crossing key.  All of it is written by the driver, who may be
 * hostile: each word is read once, checked, and then used.
 *
 * How an interrupt is raised for it no public source tells.  Common drivers
 * poll this queue and ask for none; for others 'missing_interrupts' counts.
 *
 * One thread at a time. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-datapath.h"

struct mlx5_ctrlq;

/* What a driver may set. */
struct mlx5_ctrl_state {
    struct mlx5_rx_filter filter; /* 'vlans' is owned. */
    unsigned int n_pairs;
    struct mlx5_period period;  /* That has been set last, */
    unsigned int period_index;  /* for this queue, or MLX5_RX_QUEUES... */
};

enum mlx5_ctrl_change {
    MLX5_CTRL_NOTHING,
    MLX5_CTRL_FILTER,
    MLX5_CTRL_PAIRS,
    MLX5_CTRL_PERIOD,
};

/* The state after a reset: VIRTIO 1.2, section 5.1.6.5. */
void mlx5_ctrl_state_init(struct mlx5_ctrl_state *, uint64_t features,
                          struct eth_addr mac);
void mlx5_ctrl_state_clone(struct mlx5_ctrl_state *dst,
                           const struct mlx5_ctrl_state *src);
void mlx5_ctrl_state_uninit(struct mlx5_ctrl_state *);

/* Carries out, in '*state' alone, a command of a driver that has accepted
 * 'features' and may have 'max_pairs' pairs: 'len' bytes from the class on.
 * Returns 0 and what has to be put in force, or -EINVAL. */
int mlx5_ctrl_execute(struct mlx5_ctrl_state *state, uint64_t features,
                      unsigned int max_pairs, const uint8_t *command,
                      size_t len, enum mlx5_ctrl_change *);

/* Called with a whole command.  Returns the answer, 0 for VIRTIO_NET_OK or 1
 * for VIRTIO_NET_ERR; or -EINPROGRESS, to be called with the same command
 * again at the next mlx5_ctrlq_poll(). */
typedef int mlx5_ctrlq_cb(const uint8_t *command, size_t len, void *aux);

/* Longest command. */
#define MLX5_CTRL_MAX_LEN 4096

struct mlx5_ctrlq_stats {
    uint64_t commands, errors;
    uint64_t missing_interrupts;
};

/* Serves the queue 'layout' of the driver of the running datapath, from where
 * it was left off if that resumes. */
int mlx5_ctrlq_open(struct mlx5_datapath *,
                    const struct mlx5_emu_queue *layout, struct mlx5_ctrlq **,
                    char **errp);
void mlx5_ctrlq_close(struct mlx5_ctrlq *);

/* Does the next step of carrying out a command: what drivers send is one step
 * for all of it but what the callback takes.  Returns 1 if there was one, 0 if
 * there is no command.  -EPROTO: the driver has written nonsense, and needs a
 * reset.  Others: its memory cannot be reached, as happens when it is about to
 * be reset. */
int mlx5_ctrlq_poll(struct mlx5_ctrlq *, mlx5_ctrlq_cb *, void *aux,
                    char **errp);

const struct mlx5_ctrlq_stats *mlx5_ctrlq_get_stats(const struct mlx5_ctrlq *);

#endif /* mlx5-ctrl.h */
