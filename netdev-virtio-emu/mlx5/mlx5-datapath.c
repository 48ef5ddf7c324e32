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

/* Virtqueues and receive tables.  See mlx5-datapath.h. */

#include <config.h>

#include "mlx5-datapath.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "mlx5-prm.h"
#include "packets.h"
#include "unaligned.h"
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

/* Entries of an RQT, as far as the firmware has room. */
#define MAX_RQT 512

/* More flows than this are not made: filters are then less exact, which
 * VIRTIO 1.2, section 5.1.6.5.1, allows. */
#define MAX_FLOWS 512

/* The protocols that have a hash of their own. */
static const struct {
    uint8_t ip_version, l4_proto;
    uint32_t fields;
} kinds[] = {
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

struct queue {
    struct mlx5_emu_queue layout;
    struct mlx5_devx_obj *obj, *counters, *umem[3];
    bool ready;
    uint16_t used;              /* Where it begins: buffers used so far. */
    struct mlx5_period period;
};

struct flow {
    struct mlx5_rx_match match; /* Without protocol. */
    struct mlx5_devx_obj *obj[ARRAY_SIZE(kinds)];
};

struct mlx5_datapath {
    struct mlx5_devx *sf;
    struct mlx5_devx *devx;     /* Of the virtqueues. */
    const struct mlx5_emu_caps *caps;
    struct mlx5_devx_obj *emu;
    uint16_t vhca_id;           /* Of the function, */
    uint16_t devx_vhca_id;      /* of 'devx'. */
    uint64_t features;          /* That the driver has accepted. */
    uint16_t max_queue_size, num_msix; /* That it was told. */
    uint32_t crossed_mkey;

    struct mlx5_devx_obj *pd, *mkey, *td;
    struct mlx5_devx_obj *tis[MLX5_LAG_MAX_PORTS]; /* One for each port. */
    unsigned int n_tis;
    bool resume;
    struct mlx5_devx_dma *dma;  /* While queues are started, if 'resume'. */
    struct queue *queues;
    unsigned int n_queues;
    unsigned int next;          /* The queue that is started next. */

    struct mlx5_devx_obj *rx_td; /* Of the SF. */
    struct mlx5_devx_obj *rqt;
    struct mlx5_devx_obj *tirs[ARRAY_SIZE(kinds)];
    size_t n_kinds;             /* 1 without hash. */
    struct mlx5_rx_filter filter; /* 'vlans' is owned. */
    struct flow *flows;
    size_t n_flows;
    struct flow *coming;        /* While they are replaced: new ones, */
    size_t n_coming, n_made;    /* those of them that have been made, */
    struct flow *going;         /* and ones to be destroyed. */
    size_t n_going;
    enum {
        FLOWS_STAY,
        FLOWS_COME,
        FLOWS_GO,
    } flows_state;
    int flows_error;            /* What FLOWS_GO ends with, */
    char *flows_reason;         /* and why. */
    unsigned int n_pairs;
};

static void
filter_copy(struct mlx5_rx_filter *dst, const struct mlx5_rx_filter *src)
{
    *dst = *src;
    dst->vlans = src->vlans ? bitmap_clone(src->vlans, 4096) : NULL;
}

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
    dp->n_kinds = dp->n_queues > 2 ? ARRAY_SIZE(kinds) : 1;
    dp->n_pairs = 1;
    mlx5_datapath_set_lag_ports(dp, 0);
    filter_copy(&dp->filter, filter);
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

static int
create_td(struct mlx5_devx *devx, struct mlx5_devx_obj **objp, char **errp)
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
        error = create_td(dp->devx, &dp->td, errp);
    }
    for (unsigned int i = 0; i < dp->n_tis && !error; i++) {
        error = create_tis(dp, i, errp);
    }
    return error;
}

/* Queues. */

static int
create_counters(struct mlx5_datapath *dp, struct queue *q, char **errp)
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
umem_size(const struct mlx5_datapath *dp, const struct queue *q, int i)
{
    return ((size_t) dp->caps->umem_a[i] * q->layout.size
            + dp->caps->umem_b[i]);
}

static int
create_virtq(struct mlx5_datapath *dp, unsigned int index, char **errp)
{
    struct queue *q = &dp->queues[index];
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
modify_virtq(struct queue *q, uint8_t in[LEN_HDR + MLX5_LEN_virtio_net_q],
             uint64_t select, char **errp)
{
    MLX5_SET(cmd_in, in, opcode, MLX5_OP_MODIFY_GENERAL_OBJECT);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_type, MLX5_OBJ_VIRTIO_NET_Q);
    MLX5_SET(general_obj_in_cmd_hdr, in, obj_id, q->obj->id);
    MLX5_SET(virtio_net_q, in + LEN_HDR, modify_field_select, select);
    return mlx5_devx_modify(q->obj, "virtqueue", in,
                            LEN_HDR + MLX5_LEN_virtio_net_q, errp);
}

static int
set_state(struct queue *q, enum mlx5_virtq_state state, char **errp)
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

static void
close_dma(struct mlx5_datapath *dp)
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
    struct queue *q = &dp->queues[index];
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

static int
start_queue(struct mlx5_datapath *dp, unsigned int index, char **errp)
{
    struct queue *q = &dp->queues[index];
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

/* Returns true if there was something. */
static bool
stop_queue(struct queue *q)
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

/* Receiving. */

/* Room for a command with the longest list. */
#define LEN_RQT (MLX5_LEN_create_rqt_in + MAX_RQT * 8)

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
             kinds[kind].fields ? MLX5_TIR_HASH_TOEPLITZ
             : MLX5_TIR_HASH_NONE);
    if (kinds[kind].fields) {
        /* A key that repeats itself every 16 bits gives both directions of a
         * connection the same hash. */
        for (size_t i = 0; i < MLX5_TIR_KEY_LEN; i += 2) {
            tirc[MLX5_KEY_OFFSET + i] = 0x6d;
            tirc[MLX5_KEY_OFFSET + i + 1] = 0x5a;
        }
        MLX5_SET(rx_hash_field_select, sel, selected_fields,
                 kinds[kind].fields);
        MLX5_SET(rx_hash_field_select, sel, l3_prot_type,
                 kinds[kind].ip_version == 6);
        MLX5_SET(rx_hash_field_select, sel, l4_prot_type,
                 kinds[kind].l4_proto == IPPROTO_UDP);
    }
    return mlx5_devx_create(dp->sf, "TIR", in, sizeof in, out, sizeof out,
                            MLX5_F_create_tir_out_tirn, &dp->tirs[kind], errp);
}

/* Flows. */

static void
add_match(struct flow **flows, size_t *n, size_t *allocated,
          enum mlx5_rx_match_type type, struct eth_addr mac, int vid)
{
    struct flow *flow;

    if (*n >= *allocated) {
        *flows = x2nrealloc(*flows, allocated, sizeof **flows);
    }
    flow = &(*flows)[*n];
    memset(flow, 0, sizeof *flow);
    flow->match.type = type;
    flow->match.mac = mac;
    flow->match.match_vlan = vid >= 0;
    flow->match.vid = MAX(vid, 0);
    for (size_t i = 0; i < *n; i++) {
        if (!memcmp(&(*flows)[i].match, &flow->match, sizeof flow->match)) {
            return;
        }
    }
    ++*n;
}

/* Adds what 'filter' wants of packets of VLAN 'vid', or any for -1. */
static void
add_matches(struct flow **flows, size_t *n, size_t *allocated,
            const struct mlx5_rx_filter *filter, int vid)
{
    if (filter->promisc || filter->alluni || filter->overflow) {
        add_match(flows, n, allocated, MLX5_RX_ALL, eth_addr_zero, vid);
        return;
    }
    if (filter->allmulti) {
        add_match(flows, n, allocated, MLX5_RX_MULTICAST, eth_addr_zero, vid);
    }
    if (!filter->nobcast) {
        add_match(flows, n, allocated, MLX5_RX_MAC, eth_addr_broadcast, vid);
    }
    if (!filter->nouni) {
        add_match(flows, n, allocated, MLX5_RX_MAC, filter->mac, vid);
    }
    for (size_t i = 0; i < filter->n_macs; i++) {
        bool multicast = eth_addr_is_multicast(filter->macs[i]);

        if (multicast ? !filter->nomulti && !filter->allmulti
            : !filter->nouni) {
            add_match(flows, n, allocated, MLX5_RX_MAC, filter->macs[i], vid);
        }
    }
}

/* Stores what 'filter' wants in '*flowsp', without objects. */
static void
make_flows(const struct mlx5_datapath *dp, const struct mlx5_rx_filter *filter,
           struct flow **flowsp, size_t *np)
{
    size_t allocated = 0, max = MAX_FLOWS / dp->n_kinds;

    *flowsp = NULL;
    *np = 0;
    if (filter->vlan_filter) {
        size_t n_vlans = filter->vlans ? bitmap_count1(filter->vlans, 4096)
                         : 0;
        size_t vid;

        if (n_vlans + 1 <= max / (filter->n_macs + 3)) {
            add_matches(flowsp, np, &allocated, filter, 0);
            if (filter->vlans) {
                BITMAP_FOR_EACH_1 (vid, 4096, filter->vlans) {
                    if (vid) {
                        add_matches(flowsp, np, &allocated, filter, vid);
                    }
                }
            }
            return;
        }
    }
    add_matches(flowsp, np, &allocated, filter, -1);
}

static void
destroy_flow(struct flow *flow)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        mlx5_devx_destroy(&flow->obj[i]);
    }
}

static int
create_flow(struct mlx5_datapath *dp, struct flow *flow, char **errp)
{
    for (size_t i = 0; i < dp->n_kinds; i++) {
        struct mlx5_rx_match match = flow->match;
        int error;

        match.ip_version = kinds[i].ip_version;
        match.l4_proto = kinds[i].l4_proto;
        error = mlx5_devx_flow(dp->sf, &match, dp->tirs[i], &flow->obj[i],
                               errp);
        if (error) {
            destroy_flow(flow);
            return error;
        }
    }
    return 0;
}

static struct flow *
find_flow(struct flow *flows, size_t n, const struct mlx5_rx_match *match)
{
    for (size_t i = 0; i < n; i++) {
        if (!memcmp(&flows[i].match, match, sizeof *match)) {
            return &flows[i];
        }
    }
    return NULL;
}

/* Destroys the last one of '*flows' that exists.  Frees the array and returns
 * false if there is none. */
static bool
destroy_last(struct flow **flows, size_t *n)
{
    while (*n) {
        struct flow *flow = &(*flows)[--*n];

        if (flow->obj[0]) {
            destroy_flow(flow);
            return true;
        }
    }
    free(*flows);
    *flows = NULL;
    return false;
}

/* All new flows are there: the old ones, but for those that stay, go. */
static void
take_new_flows(struct mlx5_datapath *dp)
{
    for (size_t i = 0; i < dp->n_flows; i++) {
        struct flow *old = &dp->flows[i];
        struct flow *same = find_flow(dp->coming, dp->n_coming, &old->match);

        if (same) {
            memcpy(same->obj, old->obj, sizeof same->obj);
            memset(old->obj, 0, sizeof old->obj);
        }
    }
    dp->going = dp->flows;
    dp->n_going = dp->n_flows;
    dp->flows = dp->coming;
    dp->n_flows = dp->n_coming;
    dp->coming = NULL;
    dp->n_coming = 0;
}

/* Puts the flows of 'filter' in place of those that there are.  New ones come
 * first and old ones go last, so that no packet that both want is lost.  One
 * flow, which takes as many commands as there are protocols, in each step: see
 * mlx5_datapath_set_filter(). */
static int
replace_flows(struct mlx5_datapath *dp, const struct mlx5_rx_filter *filter,
              char **errp)
{
    if (dp->flows_state == FLOWS_STAY) {
        /* A flow that could not be destroyed is in the way of the same one. */
        mlx5_devx_reap(dp->sf);
        make_flows(dp, filter, &dp->coming, &dp->n_coming);
        dp->n_made = 0;
        dp->flows_state = FLOWS_COME;
    }
    if (dp->flows_state == FLOWS_COME) {
        while (dp->n_made < dp->n_coming
               && find_flow(dp->flows, dp->n_flows,
                            &dp->coming[dp->n_made].match)) {
            dp->n_made++;
        }
        if (dp->n_made < dp->n_coming) {
            dp->flows_error = create_flow(dp, &dp->coming[dp->n_made],
                                          &dp->flows_reason);
            if (!dp->flows_error) {
                dp->n_made++;
                return 1;
            }
            dp->going = dp->coming;
            dp->n_going = dp->n_made;
            dp->coming = NULL;
            dp->n_coming = 0;
        } else {
            take_new_flows(dp);
        }
        dp->flows_state = FLOWS_GO;
    }
    if (destroy_last(&dp->going, &dp->n_going)) {
        return 1;
    }
    dp->flows_state = FLOWS_STAY;
    if (dp->flows_error) {
        int error = dp->flows_error;

        *errp = dp->flows_reason;
        dp->flows_error = 0;
        dp->flows_reason = NULL;
        return error;
    }
    return 0;
}

int
mlx5_datapath_set_filter(struct mlx5_datapath *dp,
                         const struct mlx5_rx_filter *filter, char **errp)
{
    int error = replace_flows(dp, filter, errp);

    if (!error) {
        free(dp->filter.vlans);
        filter_copy(&dp->filter, filter);
    }
    return error;
}

static int
start_receiving(struct mlx5_datapath *dp, char **errp)
{
    int error = create_td(dp->sf, &dp->rx_td, errp);

    if (!error) {
        error = create_rqt(dp, errp);
    }
    for (size_t i = 0; i < dp->n_kinds && !error; i++) {
        error = create_tir(dp, i, errp);
    }
    if (!error) {
        /* There are few: those of a driver that has not set any. */
        do {
            error = replace_flows(dp, &dp->filter, errp);
        } while (error > 0);
    }
    return error;
}

/* Does the next step.  Returns false if it was the last one. */
static bool
stop_receiving(struct mlx5_datapath *dp)
{
    if (destroy_last(&dp->going, &dp->n_going)
        || destroy_last(&dp->coming, &dp->n_coming)
        || destroy_last(&dp->flows, &dp->n_flows)) {
        return true;
    }
    dp->flows_state = FLOWS_STAY;
    dp->flows_error = 0;
    free(dp->flows_reason);
    dp->flows_reason = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        mlx5_devx_destroy(&dp->tirs[i]);
    }
    mlx5_devx_destroy(&dp->rqt);
    mlx5_devx_destroy(&dp->rx_td);
    return false;
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
        error = start_queue(dp, dp->next, errp);
        dp->next += !error;
        return error ? error : 1;
    } else {
        close_dma(dp);
        return start_receiving(dp, errp);
    }
}

bool
mlx5_datapath_stop(struct mlx5_datapath *dp)
{
    if (dp->rx_td) {
        stop_receiving(dp);
        return true;
    }
    for (unsigned int i = 0; i < dp->n_queues; i++) {
        if (stop_queue(&dp->queues[i])) {
            return true;
        }
    }
    dp->next = 0;
    close_dma(dp);
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

/* Queries. */

static int
set_period(struct queue *q, const struct mlx5_period *period, char **errp)
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
        struct queue *q = &dp->queues[i];
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
    struct queue *q = index < dp->n_queues ? &dp->queues[index] : NULL;
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
