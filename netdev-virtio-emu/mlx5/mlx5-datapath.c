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

/* Virtqueues and receive tables: the life of a datapath.  See
 * mlx5-datapath-internal.h. */

#include <config.h>

#include "mlx5-datapath.h"

#include <stdlib.h>

#include "mlx5-datapath-internal.h"
#include "mlx5-prm.h"
#include "util.h"

struct mlx5_datapath *
mlx5_datapath_create(struct mlx5_devx *manager, struct mlx5_devx *sf,
                     uint16_t sf_vhca_id, const struct mlx5_emu_caps *caps,
                     uint16_t vhca_id, struct mlx5_devx_obj *emu,
                     const struct mlx5_emu_state *state, unsigned int n_data,
                     const struct mlx5_rx_filter *filter)
{
    struct mlx5_datapath *dp = xzalloc(sizeof *dp);

    dp->sf = sf;
    dp->devx = caps->on_manager ? manager : sf;
    dp->devx_vhca_id = caps->on_manager ? caps->vhca_id : sf_vhca_id;
    dp->caps = caps;
    dp->emu = emu;
    dp->vhca_id = vhca_id;
    dp->features = state->driver_features;
    dp->max_queue_size = state->max_queue_size;
    dp->num_msix = state->num_msix;
    dp->crossed_mkey = state->crossed_mkey;
    dp->n_queues = MIN(n_data, state->n_queues);
    dp->queues = xcalloc(MAX(dp->n_queues, 1), sizeof *dp->queues);
    for (unsigned int i = 0; i < dp->n_queues; i++) {
        dp->queues[i].layout = state->queues[i];
    }
    dp->n_kinds = dp->n_queues > 2 ? MLX5_DP_N_KINDS : 1;
    dp->n_pairs = 1;
    mlx5_datapath_set_lag_ports(dp, 0);
    mlx5_dp_copy_filter(&dp->filter, filter);
    return dp;
}

void
mlx5_datapath_set_lag_ports(struct mlx5_datapath *dp, unsigned int n)
{
    if (dp->caps->on_manager) {
        n = dp->caps->n_lag_ports;
    }
    dp->n_tis = MAX(1, MIN(n, MLX5_LAG_MAX_PORTS));
}

void
mlx5_datapath_resume(struct mlx5_datapath *dp)
{
    dp->resume = true;
}

bool
mlx5_datapath_resumes(const struct mlx5_datapath *dp)
{
    return dp->resume;
}

/* Objects that all queues have in common. */

int
mlx5_dp_create_td(struct mlx5_devx *devx, struct mlx5_devx_obj **objp,
                  char **errp)
{
    uint8_t in[MLX5_LEN_cmd_in] = { 0 };
    uint8_t out[MLX5_LEN_alloc_transport_domain_out];

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_ALLOC_TRANSPORT_DOMAIN);
    return mlx5_devx_create(
        devx, "transport domain", in, sizeof in, out, sizeof out,
        MLX5_F_alloc_transport_domain_out_transport_domain, objp, errp);
}

/* Makes the TIS for port 'i' of those of the LAG. */
static int
create_tis(struct mlx5_datapath *dp, unsigned int i, char **errp)
{
    uint8_t in[MLX5_LEN_create_tis_in] = { 0 };
    uint8_t out[MLX5_LEN_create_tis_out];

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_TIS);
    MLX5_SET(tisc, MLX5_SUB(create_tis_in, in, ctx), transport_domain,
             dp->td->id);
    /* Ports count from 1; 0 leaves it to the hardware. */
    MLX5_SET(tisc, MLX5_SUB(create_tis_in, in, ctx), lag_tx_port_affinity,
             dp->n_tis > 1 ? i + 1 : 0);
    return mlx5_devx_create(dp->devx, "TIS", in, sizeof in, out, sizeof out,
                            MLX5_F_create_tis_out_tisn, &dp->tis[i], errp);
}

/* A key for all memory of the function. */
static int
create_mkey(struct mlx5_datapath *dp, char **errp)
{
    uint8_t in[MLX5_LEN_create_mkey_in] = { 0 };
    uint8_t out[MLX5_LEN_create_mkey_out];
    uint8_t *mkc = MLX5_SUB(create_mkey_in, in, memory_key_mkey_entry);

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_MKEY);
    MLX5_SET(mkc, mkc, access_mode_1_0, MLX5_MKC_CROSSING & 3);
    MLX5_SET(mkc, mkc, access_mode_4_2, MLX5_MKC_CROSSING >> 2);
    MLX5_SET(mkc, mkc, lr, 1);
    MLX5_SET(mkc, mkc, lw, 1);
    MLX5_SET(mkc, mkc, rr, 1);
    MLX5_SET(mkc, mkc, rw, 1);
    MLX5_SET(mkc, mkc, qpn, 0xffffff);
    MLX5_SET(mkc, mkc, length64, 1);
    MLX5_SET(mkc, mkc, pd, dp->pd->id);
    MLX5_SET(mkc, mkc, crossing_target_vhca_id, dp->vhca_id);
    MLX5_SET(mkc, mkc, translations_octword_size, dp->crossed_mkey);
    return mlx5_devx_create(dp->devx, "crossing key", in, sizeof in, out,
                            sizeof out, MLX5_F_create_mkey_out_mkey_index,
                            &dp->mkey, errp);
}

static int
start_common(struct mlx5_datapath *dp, char **errp)
{
    int error = mlx5_devx_pd(dp->devx, &dp->pd, errp);

    if (!error) {
        error = create_mkey(dp, errp);
    }
    if (!error) {
        error = mlx5_dp_create_td(dp->devx, &dp->td, errp);
    }
    for (unsigned int i = 0; i < dp->n_tis && !error; i++) {
        error = create_tis(dp, i, errp);
    }
    return error;
}

/* Life. */

int
mlx5_datapath_start(struct mlx5_datapath *dp, char **errp)
{
    int error;

    if (!dp->pd) {
        error = start_common(dp, errp);
        return error ? error : 1;
    } else if (dp->next < dp->n_queues) {
        error = mlx5_dp_start_queue(dp, dp->next, errp);
        dp->next += !error;
        return error ? error : 1;
    } else {
        mlx5_dp_close_dma(dp);
        return mlx5_dp_start_receiving(dp, errp);
    }
}

bool
mlx5_datapath_stop(struct mlx5_datapath *dp)
{
    if (dp->rx_td) {
        mlx5_dp_stop_receiving(dp);
        return true;
    }
    for (unsigned int i = 0; i < dp->n_queues; i++) {
        if (mlx5_dp_stop_queue(&dp->queues[i])) {
            return true;
        }
    }
    dp->next = 0;
    mlx5_dp_close_dma(dp);
    for (unsigned int i = 0; i < dp->n_tis; i++) {
        mlx5_devx_destroy(&dp->tis[i]);
    }
    mlx5_devx_destroy(&dp->td);
    mlx5_devx_destroy(&dp->mkey);
    mlx5_devx_destroy(&dp->pd);
    return false;
}

void
mlx5_datapath_destroy(struct mlx5_datapath *dp)
{
    if (dp) {
        while (mlx5_datapath_stop(dp)) {
            continue;
        }
        free(dp->filter.vlans);
        free(dp->queues);
        free(dp);
    }
}

/* For DMA. */

struct mlx5_devx *
mlx5_datapath_devx(const struct mlx5_datapath *dp)
{
    return dp->devx;
}

struct mlx5_devx_obj *
mlx5_datapath_pd(const struct mlx5_datapath *dp)
{
    return dp->pd;
}

/* The low 8 bits of a key are what its creator has chosen: 0. */
uint32_t
mlx5_datapath_mkey(const struct mlx5_datapath *dp)
{
    return dp->mkey->id << 8;
}
