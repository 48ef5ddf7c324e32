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

/* Virtqueues.  See mlx5-datapath-internal.h. */

#include <config.h>

#include "mlx5-datapath-internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "mlx5-prm.h"
#include "util.h"
#include "virtnet-device.h"

#define LEN_HDR MLX5_LEN_general_obj_in_cmd_hdr

/* Features: VIRTIO 1.2, sections 5.1.3 and 6. */
#define F_CSUM (UINT64_C(1) << 0)
#define F_GUEST_CSUM (UINT64_C(1) << 1)
#define F_MRG_RXBUF (UINT64_C(1) << 15)
#define F_HOST_TSO4 (UINT64_C(1) << 11)
#define F_HOST_TSO6 (UINT64_C(1) << 12)
#define F_VERSION_1 (UINT64_C(1) << 32)
#define F_RING_PACKED (UINT64_C(1) << 34)

/* Making them. */

static int
create_counters(struct mlx5_datapath *dp, struct mlx5_dp_queue *q, char **errp)
{
    uint8_t in[LEN_HDR + MLX5_LEN_virtio_q_counters] = { 0 };
    uint8_t out[MLX5_LEN_general_obj_out_cmd_hdr];

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type,
             MLX5_OBJ_VIRTIO_Q_COUNTERS);
    return mlx5_devx_create(dp->devx, "counters of a virtqueue", in,
                            sizeof in, out, sizeof out,
                            MLX5_F_general_obj_out_cmd_hdr_obj_id,
                            &q->counters, errp);
}

static size_t
umem_size(const struct mlx5_datapath *dp, const struct mlx5_dp_queue *q, int i)
{
    return ((size_t) dp->caps->umem_a[i] * q->layout.size
            + dp->caps->umem_b[i]);
}

static int
create_virtq(struct mlx5_datapath *dp, unsigned int index, char **errp)
{
    struct mlx5_dp_queue *q = &dp->queues[index];
    uint8_t in[LEN_HDR + MLX5_LEN_virtio_net_q] = { 0 };
    uint8_t out[MLX5_LEN_general_obj_out_cmd_hdr];
    uint8_t *body = in + LEN_HDR;
    uint8_t *ctx = MLX5_SUB(virtio_net_q, body, virtio_q_context);
    bool msix = q->layout.msix_vector != VIRTNET_NO_MSIX_VECTOR;
    uint64_t f = dp->features;
    bool csum = f & F_CSUM && dp->caps->tx_csum;

    MLX5_SET(cmd_in, in, opcode, MLX5_OP_CREATE_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type, MLX5_OBJ_VIRTIO_NET_Q);

    MLX5_SET(virtio_net_q, body, vhca_id, dp->vhca_id);
    MLX5_SET(virtio_net_q, body, state, MLX5_VIRTQ_INIT);
    MLX5_SET(virtio_net_q, body, hw_available_index, q->used);
    MLX5_SET(virtio_net_q, body, hw_used_index, q->used);
    MLX5_SET(virtio_net_q, body, tisn_or_qpn,
             dp->tis[index / 2 % dp->n_tis]->id);
    MLX5_SET(virtio_net_q, body, tx_csum, csum);
    MLX5_SET(virtio_net_q, body, rx_csum,
             f & F_GUEST_CSUM && dp->caps->rx_csum);
    MLX5_SET(virtio_net_q, body, tso_ipv4,
             csum && f & F_HOST_TSO4 && dp->caps->tso_ipv4);
    MLX5_SET(virtio_net_q, body, tso_ipv6,
             csum && f & F_HOST_TSO6 && dp->caps->tso_ipv6);
    MLX5_SET(virtio_net_q, body, mrg_rxbuf,
             f & F_MRG_RXBUF && dp->caps->mrg_rxbuf);

    MLX5_SET(virtio_q, ctx, virtio_q_type, !!(f & F_RING_PACKED));
    MLX5_SET(virtio_q, ctx, event_mode,
             msix ? MLX5_VIRTQ_MSIX : MLX5_VIRTQ_NO_MSIX);
    MLX5_SET(virtio_q, ctx, event_qpn_or_msix,
             msix ? q->layout.msix_vector : 0);
    MLX5_SET(virtio_q, ctx, queue_index, index);
    MLX5_SET(virtio_q, ctx, full_emulation, 1);
    MLX5_SET(virtio_q, ctx, virtio_version_1_0, !!(f & F_VERSION_1));
    MLX5_SET(virtio_q, ctx, offload_type, MLX5_VIRTQ_ETH_FRAME);
    MLX5_SET(virtio_q, ctx, queue_size, q->layout.size);
    MLX5_SET(virtio_q, ctx, device_emulation_id, dp->emu->id);
    MLX5_SET(virtio_q, ctx, desc_addr, q->layout.desc);
    MLX5_SET(virtio_q, ctx, available_addr, q->layout.driver);
    MLX5_SET(virtio_q, ctx, used_addr, q->layout.device);
    MLX5_SET(virtio_q, ctx, virtio_q_mkey, mlx5_datapath_mkey(dp));
    MLX5_SET(virtio_q, ctx, umem_1_id, q->umem[0]->id);
    MLX5_SET(virtio_q, ctx, umem_1_size, umem_size(dp, q, 0));
    MLX5_SET(virtio_q, ctx, umem_2_id, q->umem[1]->id);
    MLX5_SET(virtio_q, ctx, umem_2_size, umem_size(dp, q, 1));
    MLX5_SET(virtio_q, ctx, umem_3_id, q->umem[2]->id);
    MLX5_SET(virtio_q, ctx, umem_3_size, umem_size(dp, q, 2));
    MLX5_SET(virtio_q, ctx, counter_set_id, q->counters->id);
    MLX5_SET(virtio_q, ctx, pd, dp->pd->id);
    return mlx5_devx_create(dp->devx, "virtqueue", in, sizeof in, out,
                            sizeof out, MLX5_F_general_obj_out_cmd_hdr_obj_id,
                            &q->obj, errp);
}

/* Sends a modification of 'q' of which 'in' has all but the header. */
static int
modify_virtq(struct mlx5_dp_queue *q,
             uint8_t in[LEN_HDR + MLX5_LEN_virtio_net_q], uint64_t select,
             char **errp)
{
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_MODIFY_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type, MLX5_OBJ_VIRTIO_NET_Q);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_id, q->obj->id);
    MLX5_SET(virtio_net_q, in + LEN_HDR, modify_field_select, select);
    return mlx5_devx_modify(q->obj, "virtqueue", in,
                            LEN_HDR + MLX5_LEN_virtio_net_q, errp);
}

static int
set_state(struct mlx5_dp_queue *q, enum mlx5_virtq_state state, char **errp)
{
    uint8_t in[LEN_HDR + MLX5_LEN_virtio_net_q] = { 0 };

    MLX5_SET(virtio_net_q, in + LEN_HDR, state, state);
    return modify_virtq(q, in, MLX5_VIRTQ_MODIFY_STATE, errp);
}

/* Does the driver ask for what this function can have?  What it asks for is
 * not to be trusted. */
static int
check_layout(const struct mlx5_datapath *dp, unsigned int index, char **errp)
{
    const struct mlx5_emu_queue *l = &dp->queues[index].layout;
    bool packed = dp->features & F_RING_PACKED;

    if (!l->size || l->size > dp->max_queue_size
        || (!packed && !IS_POW2(l->size))) {
        return mlx5_devx_fail(-EINVAL, errp, "queue %u: driver has set size "
                              "%u of at most %u", index, l->size,
                              dp->max_queue_size);
    } else if (l->msix_vector != VIRTNET_NO_MSIX_VECTOR
               && l->msix_vector >= dp->num_msix) {
        return mlx5_devx_fail(-EINVAL, errp, "queue %u: driver has set vector "
                              "%u of %u", index, l->msix_vector,
                              dp->num_msix);
    } else if (packed && !dp->caps->packed) {
        return mlx5_devx_fail(-EINVAL, errp, "queue %u: firmware has no "
                              "packed virtqueues", index);
    }
    return 0;
}

void
mlx5_dp_close_dma(struct mlx5_datapath *dp)
{
    if (dp->dma) {
        dp->devx->class->dma_close(dp->dma);
        dp->dma = NULL;
    }
}

/* Finds out where the queue has left off. */
static int
read_used(struct mlx5_datapath *dp, unsigned int index, char **errp)
{
    const struct mlx5_devx_class *class = dp->devx->class;
    struct mlx5_dp_queue *q = &dp->queues[index];
    uint8_t used[2];
    int error = 0;

    if (dp->features & F_RING_PACKED) {
        return mlx5_devx_fail(-EOPNOTSUPP, errp, "queue %u: a packed ring "
                              "does not tell where it was left off", index);
    }
    if (!dp->dma) {
        error = class->dma_open(dp->devx, dp->pd, &dp->dma);
    }
    if (!error) {
        error = class->dma_copy(dp->dma, mlx5_datapath_mkey(dp),
                                q->layout.device + 2, used, sizeof used,
                                false);
    }
    if (error) {
        return mlx5_devx_fail(error, errp, "queue %u: used ring cannot be "
                              "read: %s", index, ovs_strerror(-error));
    }
    q->used = used[0] | used[1] << 8;
    return 0;
}

/* Starting and stopping. */

int
mlx5_dp_start_queue(struct mlx5_datapath *dp, unsigned int index, char **errp)
{
    struct mlx5_dp_queue *q = &dp->queues[index];
    int error;

    if (!q->layout.enabled) {
        return 0;
    }
    error = check_layout(dp, index, errp);
    if (!error && dp->resume) {
        error = read_used(dp, index, errp);
    }
    for (int i = 0; i < 3 && !error; i++) {
        error = mlx5_devx_umem(dp->devx, umem_size(dp, q, i), &q->umem[i],
                               errp);
    }
    if (!error) {
        error = create_counters(dp, q, errp);
    }
    if (!error) {
        error = create_virtq(dp, index, errp);
    }
    if (!error) {
        error = set_state(q, MLX5_VIRTQ_RDY, errp);
        q->ready = !error;
    }
    return error;
}

bool
mlx5_dp_stop_queue(struct mlx5_dp_queue *q)
{
    bool any = q->obj || q->counters || q->umem[0];

    if (q->ready) {
        char *err = NULL;

        /* So that no packet is under way; if it fails, to destroy it has to
         * do. */
        set_state(q, MLX5_VIRTQ_SUSPEND, &err);
        free(err);
        q->ready = false;
    }
    mlx5_devx_destroy(&q->obj);
    mlx5_devx_destroy(&q->counters);
    for (int i = 0; i < 3; i++) {
        mlx5_devx_destroy(&q->umem[i]);
    }
    return any;
}

/* While they run. */

static int
set_period(struct mlx5_dp_queue *q, const struct mlx5_period *period,
           char **errp)
{
    uint8_t in[LEN_HDR + MLX5_LEN_virtio_net_q] = { 0 };
    uint8_t *ctx = MLX5_SUB(virtio_net_q, in + LEN_HDR, virtio_q_context);

    MLX5_SET(virtio_q, ctx, queue_period_mode, period->mode);
    MLX5_SET(virtio_q, ctx, queue_period_us, period->usecs);
    MLX5_SET(virtio_q, ctx, queue_max_count, period->max_count);
    return modify_virtq(q, in, MLX5_VIRTQ_MODIFY_PERIOD, errp);
}

int
mlx5_datapath_set_period(struct mlx5_datapath *dp, unsigned int index,
                         const struct mlx5_period *period, char **errp)
{
    unsigned int first = (index == MLX5_RX_QUEUES ? 0
                          : index == MLX5_TX_QUEUES ? 1 : index);
    unsigned int end = first == index ? index + 1 : dp->n_queues;

    if (period->mode > 2 || period->usecs > MLX5_PERIOD_MAX_USECS
        || first >= dp->n_queues) {
        return mlx5_devx_fail(-EINVAL, errp, "bad interrupt moderation");
    }
    for (unsigned int i = first; i < end; i += 2) {
        struct mlx5_dp_queue *q = &dp->queues[i];
        int error = q->obj ? set_period(q, period, errp) : 0;

        if (error) {
            /* Back to what it was. */
            while (i > first) {
                char *err = NULL;

                i -= 2;
                q = &dp->queues[i];
                if (q->obj && set_period(q, &q->period, &err)) {
                    free(err);
                }
            }
            return error;
        }
    }
    for (unsigned int i = first; i < end; i += 2) {
        dp->queues[i].period = *period;
    }
    return 0;
}

int
mlx5_datapath_query(struct mlx5_datapath *dp, unsigned int index,
                    struct virtnet_queue_info *info, uint8_t *queue_error,
                    char **errp)
{
    uint8_t out[LEN_HDR + MLX5_LEN_virtio_net_q];
    uint8_t counters[LEN_HDR + MLX5_LEN_virtio_q_counters];
    const uint8_t *c = counters + LEN_HDR, *body = out + LEN_HDR;
    struct mlx5_dp_queue *q = index < dp->n_queues ? &dp->queues[index] : NULL;
    uint8_t in[LEN_HDR] = { 0 };
    int error;

    *queue_error = 0;
    if (!q || !q->obj) {
        return 0;
    }
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_QUERY_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type, MLX5_OBJ_VIRTIO_NET_Q);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_id, q->obj->id);
    error = mlx5_devx_query(q->obj, "query of virtqueue", in, sizeof in, out,
                            sizeof out, errp);
    if (error) {
        return error;
    }
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type,
             MLX5_OBJ_VIRTIO_Q_COUNTERS);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_id, q->counters->id);
    error = mlx5_devx_query(q->counters, "query of counters", in, sizeof in,
                            counters, sizeof counters, errp);
    if (error) {
        return error;
    }
    info->received_desc = MLX5_GET(virtio_q_counters, c, received_desc);
    info->completed_desc = MLX5_GET(virtio_q_counters, c, completed_desc);
    info->error_cqes = MLX5_GET(virtio_q_counters, c, error_cqes);
    info->bad_desc_errors = MLX5_GET(virtio_q_counters, c, bad_desc_errors);
    info->exceed_max_chain = MLX5_GET(virtio_q_counters, c, exceed_max_chain);
    info->invalid_buffer = MLX5_GET(virtio_q_counters, c, invalid_buffer);
    if (MLX5_GET(virtio_net_q, body, state) == MLX5_VIRTQ_ERR) {
        uint8_t type = MLX5_GET(virtio_q,
                                MLX5_SUB(virtio_net_q, body, virtio_q_context),
                                error_type);

        *queue_error = type ? type : UINT8_MAX;
    }
    return 0;
}

struct mlx5_devx_obj *
mlx5_datapath_queue(struct mlx5_datapath *dp, unsigned int index)
{
    return index < dp->n_queues ? dp->queues[index].obj : NULL;
}
