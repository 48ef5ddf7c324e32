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

/* The receive table, and the hashes that lead to it.  See
 * mlx5-datapath-internal.h. */

#include <config.h>

#include "mlx5-datapath-internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "mlx5-prm.h"
#include "unaligned.h"
#include "util.h"
#include "virtnet-device.h"

/* Entries of an RQT, as far as the firmware has room. */
#define MAX_RQT 512

/* Room for a command with the longest list. */
#define LEN_RQT (MLX5_LEN_create_rqt_in + MAX_RQT * 8)

const struct mlx5_dp_kind mlx5_dp_kinds[MLX5_DP_N_KINDS] = {
    { 0, 0, 0 },
    { 4, 0, MLX5_HASH_SRC_IP | MLX5_HASH_DST_IP },
    { 6, 0, MLX5_HASH_SRC_IP | MLX5_HASH_DST_IP },
#define PORTS (MLX5_HASH_SRC_IP | MLX5_HASH_DST_IP                      \
               | MLX5_HASH_SPORT | MLX5_HASH_DPORT)
    { 4, IPPROTO_UDP, PORTS },
    { 4, IPPROTO_TCP, PORTS },
    { 6, IPPROTO_UDP, PORTS },
    { 6, IPPROTO_TCP, PORTS },
#undef PORTS
};

/* Fills in the RQT context at 'ctx' and the list behind it, with the first
 * 'n_pairs' receive queues that run, over and over.  Returns the length of the
 * list in bytes, or 0 if there is no queue. */
static size_t
put_rqt(const struct mlx5_datapath *dp, uint8_t *ctx, unsigned int n_pairs)
{
    bool crossing = dp->devx != dp->sf;
    size_t n = MIN(MAX_RQT, 1u << MIN(dp->caps->log_max_rqt_size, 16));
    uint8_t *list = ctx + MLX5_RQT_LIST;
    uint32_t ids[VIRTNET_MAX_QUEUE_PAIRS];
    size_t n_ids = 0;

    for (unsigned int i = 0; i < n_pairs && 2 * i < dp->n_queues
                             && n_ids < ARRAY_SIZE(ids); i++) {
        if (dp->queues[2 * i].obj) {
            ids[n_ids++] = dp->queues[2 * i].obj->id;
        }
    }
    if (!n_ids) {
        return 0;
    }
    MLX5_SET(rqtc, ctx, list_q_type, MLX5_RQT_VIRTIO_NET_Q);
    MLX5_SET(rqtc, ctx, rqt_max_size, n);
    MLX5_SET(rqtc, ctx, rqt_actual_size, n);
    MLX5_SET(rqtc, ctx, rq_vhca_id_format, crossing);
    for (size_t i = 0; i < n; i++) {
        /* The number in the low 24 bits, and then the vhca, if any. */
        put_unaligned_be32((ovs_be32 *) list, htonl(ids[i % n_ids]));
        list += 4;
        if (crossing) {
            put_unaligned_be32((ovs_be32 *) list, htonl(dp->devx_vhca_id));
            list += 4;
        }
    }
    return list - (ctx + MLX5_RQT_LIST);
}

static int
create_rqt(struct mlx5_datapath *dp, char **errp)
{
    uint8_t *in = xzalloc(LEN_RQT);
    uint8_t out[MLX5_LEN_create_rqt_out];
    size_t len = put_rqt(dp, MLX5_SUB(create_rqt_in, in, rqt_context),
                         dp->n_pairs);
    int error;

    if (!len) {
        free(in);
        return mlx5_devx_fail(-EINVAL, errp, "the driver has enabled no "
                              "receive queue");
    }
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_RQT);
    error = mlx5_devx_create(dp->sf, "receive queue table", in,
                             MLX5_LEN_create_rqt_in + len, out, sizeof out,
                             MLX5_F_create_rqt_out_rqtn, &dp->rqt, errp);
    free(in);
    return error;
}

int
mlx5_datapath_set_pairs(struct mlx5_datapath *dp, unsigned int n, char **errp)
{
    uint8_t *in;
    size_t len;
    int error;

    if (!n || 2 * n > dp->n_queues || !dp->rqt) {
        return mlx5_devx_fail(-EINVAL, errp, "%u pairs of %u", n,
                              dp->n_queues / 2);
    }
    in = xzalloc(LEN_RQT);
    len = put_rqt(dp, MLX5_SUB(modify_rqt_in, in, ctx), n);
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_MODIFY_RQT);
    MLX5_SET(modify_rqt_in, in, rqtn, dp->rqt->id);
    MLX5_SET(modify_rqt_in, in, bitmask, MLX5_RQT_BITMASK_LIST);
    error = (!len ? mlx5_devx_fail(-EINVAL, errp, "no receive queue")
             : mlx5_devx_modify(dp->rqt, "receive queue table", in,
                                MLX5_LEN_modify_rqt_in + len, errp));
    free(in);
    if (!error) {
        dp->n_pairs = n;
    }
    return error;
}

static int
create_tir(struct mlx5_datapath *dp, size_t kind, char **errp)
{
    uint8_t in[MLX5_LEN_create_tir_in] = { 0 };
    uint8_t out[MLX5_LEN_create_tir_out];
    uint8_t *tirc = MLX5_SUB(create_tir_in, in, ctx);
    uint8_t *sel = MLX5_SUB(tirc, tirc, rx_hash_field_selector_outer);

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_TIR);
    MLX5_SET(tirc, tirc, disp_type, MLX5_TIR_INDIRECT);
    MLX5_SET(tirc, tirc, indirect_table, dp->rqt->id);
    MLX5_SET(tirc, tirc, transport_domain, dp->rx_td->id);
    MLX5_SET(tirc, tirc, rx_hash_fn,
             mlx5_dp_kinds[kind].fields ? MLX5_TIR_HASH_TOEPLITZ
             : MLX5_TIR_HASH_NONE);
    if (mlx5_dp_kinds[kind].fields) {
        /* A key that repeats itself every 16 bits gives both directions of a
         * connection the same hash. */
        for (size_t i = 0; i < MLX5_TIR_KEY_LEN; i += 2) {
            tirc[MLX5_KEY_OFFSET + i] = 0x6d;
            tirc[MLX5_KEY_OFFSET + i + 1] = 0x5a;
        }
        MLX5_SET(rx_hash_field_select, sel, selected_fields,
                 mlx5_dp_kinds[kind].fields);
        MLX5_SET(rx_hash_field_select, sel, l3_prot_type,
                 mlx5_dp_kinds[kind].ip_version == 6);
        MLX5_SET(rx_hash_field_select, sel, l4_prot_type,
                 mlx5_dp_kinds[kind].l4_proto == IPPROTO_UDP);
    }
    return mlx5_devx_create(dp->sf, "TIR", in, sizeof in, out, sizeof out,
                            MLX5_F_create_tir_out_tirn, &dp->tirs[kind], errp);
}

int
mlx5_dp_start_receiving(struct mlx5_datapath *dp, char **errp)
{
    int error = mlx5_dp_create_td(dp->sf, &dp->rx_td, errp);

    if (!error) {
        error = create_rqt(dp, errp);
    }
    for (size_t i = 0; i < dp->n_kinds && !error; i++) {
        error = create_tir(dp, i, errp);
    }
    if (!error) {
        /* There are few: those of a driver that has not set any. */
        do {
            error = mlx5_dp_replace_flows(dp, &dp->filter, errp);
        } while (error > 0);
    }
    return error;
}

bool
mlx5_dp_stop_receiving(struct mlx5_datapath *dp)
{
    if (mlx5_dp_destroy_flow(dp)) {
        return true;
    }
    for (size_t i = 0; i < MLX5_DP_N_KINDS; i++) {
        mlx5_devx_destroy(&dp->tirs[i]);
    }
    mlx5_devx_destroy(&dp->rqt);
    mlx5_devx_destroy(&dp->rx_td);
    return false;
}
