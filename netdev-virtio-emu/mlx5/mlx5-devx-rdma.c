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

/* DevX by rdma-core: libibverbs and libmlx5.  See mlx5-devx.h. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <infiniband/mlx5dv.h>
#include <infiniband/verbs.h>
#include <libgen.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mlx5-devx.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* How long a copy may take. */
#define DMA_TIMEOUT_MS 20

/* Priorities of the NIC receive table: lower numbers come first. */
static uint16_t
rx_priority(const struct mlx5_rx_match *match)
{
    return (3 * (MLX5_RX_MAC - match->type)
            + (match->l4_proto ? 0 : match->ip_version ? 1 : 2));
}

struct rdma_devx {
    struct mlx5_devx up;
    struct ibv_context *context;
};

struct rdma_obj {
    struct mlx5_devx_obj up;
    union {
        struct mlx5dv_devx_obj *obj;
        struct mlx5dv_devx_umem *umem;
        struct ibv_pd *pd;
        struct ibv_flow *flow;
    };
    struct mlx5dv_flow_matcher *matcher; /* Of a flow. */
};

struct mlx5_devx_events {
    struct mlx5dv_devx_event_channel *channel;
};

struct mlx5_devx_dma {
    struct ibv_cq *cq;
    struct ibv_qp *qp;          /* Connected to itself. */
    struct ibv_mr *mr;          /* Of 'bounce'. */
    void *bounce;
    bool broken;                /* After an error. */
};

static struct rdma_devx *
rdma_devx_cast(struct mlx5_devx *devx)
{
    return CONTAINER_OF(devx, struct rdma_devx, up);
}

static struct rdma_obj *
rdma_obj_cast(struct mlx5_devx_obj *obj)
{
    return CONTAINER_OF(obj, struct rdma_obj, up);
}

/* errno, as a negative number that is not 0. */
static int
last_error(void)
{
    return errno ? -errno : -EIO;
}

/* Functions of rdma-core return errnos of either sign. */
static int
negative(int error)
{
    return error > 0 ? -error : error;
}

static int
rdma_list(struct mlx5_devx_info **infosp, size_t *np)
{
    struct ibv_device **devices;
    int n = 0;

    errno = 0;
    devices = ibv_get_device_list(&n);
    if (!devices) {
        return last_error();
    }
    *infosp = xcalloc(n + 1, sizeof **infosp);
    *np = 0;
    for (int i = 0; i < n; i++) {
        struct mlx5_devx_info *info = &(*infosp)[*np];
        char path[PATH_MAX], *link;
        ssize_t len;

        if (!mlx5dv_is_supported(devices[i])) {
            continue;
        }
        ovs_strlcpy(info->name, ibv_get_device_name(devices[i]),
                    sizeof info->name);
        link = xasprintf("%s/device", devices[i]->ibdev_path);
        len = readlink(link, path, sizeof path - 1);
        free(link);
        if (len > 0) {
            path[len] = '\0';
            ovs_strlcpy(info->pci_addr, basename(path),
                        sizeof info->pci_addr);
        }
        ++*np;
    }
    ibv_free_device_list(devices);
    return 0;
}

static int
rdma_open(const char *name, struct mlx5_devx **devxp)
{
    struct mlx5dv_context_attr attr = {
        .flags = MLX5DV_CONTEXT_FLAGS_DEVX,
    };
    struct ibv_context *context = NULL;
    struct ibv_device **devices;
    struct rdma_devx *devx;
    int error = -ENODEV;
    int n = 0;

    errno = 0;
    devices = ibv_get_device_list(&n);
    if (!devices) {
        return last_error();
    }
    for (int i = 0; i < n; i++) {
        if (!strcmp(ibv_get_device_name(devices[i]), name)) {
            errno = 0;
            context = mlx5dv_open_device(devices[i], &attr);
            error = context ? 0 : last_error();
            break;
        }
    }
    ibv_free_device_list(devices);
    if (error) {
        return error;
    }
    devx = xzalloc(sizeof *devx);
    devx->up.class = &mlx5_devx_rdma_core;
    ovs_strlcpy(devx->up.name, name, sizeof devx->up.name);
    devx->context = context;
    *devxp = &devx->up;
    return 0;
}

static void
rdma_close(struct mlx5_devx *devx_)
{
    struct rdma_devx *devx = rdma_devx_cast(devx_);
    struct mlx5_devx_obj *obj;

    ibv_close_device(devx->context);
    LIST_FOR_EACH_POP (obj, node, &devx->up.refused) {
        free(rdma_obj_cast(obj));
    }
    free(devx);
}

static int
rdma_command(struct mlx5_devx *devx, const void *in, size_t in_len,
             void *out, size_t out_len)
{
    return negative(mlx5dv_devx_general_cmd(rdma_devx_cast(devx)->context, in,
                                            in_len, out, out_len));
}

static int
rdma_create(struct mlx5_devx *devx, const void *in, size_t in_len,
            void *out, size_t out_len, struct mlx5_devx_obj **objp)
{
    struct mlx5dv_devx_obj *handle;
    struct rdma_obj *obj;

    errno = 0;
    handle = mlx5dv_devx_obj_create(rdma_devx_cast(devx)->context, in, in_len,
                                    out, out_len);
    if (!handle) {
        return last_error();
    }
    obj = xzalloc(sizeof *obj);
    obj->obj = handle;
    *objp = &obj->up;
    return 0;
}

static int
rdma_modify(struct mlx5_devx_obj *obj, const void *in, size_t in_len,
            void *out, size_t out_len)
{
    return negative(mlx5dv_devx_obj_modify(rdma_obj_cast(obj)->obj, in, in_len,
                                           out, out_len));
}

static int
rdma_query(struct mlx5_devx_obj *obj, const void *in, size_t in_len,
           void *out, size_t out_len)
{
    return negative(mlx5dv_devx_obj_query(rdma_obj_cast(obj)->obj, in, in_len,
                                          out, out_len));
}

static int
rdma_umem_reg(struct mlx5_devx *devx, void *memory, size_t size,
              struct mlx5_devx_obj **objp)
{
    struct mlx5dv_devx_umem *umem;
    struct rdma_obj *obj;

    errno = 0;
    umem = mlx5dv_devx_umem_reg(rdma_devx_cast(devx)->context, memory, size,
                                IBV_ACCESS_LOCAL_WRITE);
    if (!umem) {
        return last_error();
    }
    obj = xzalloc(sizeof *obj);
    obj->umem = umem;
    obj->up.id = umem->umem_id;
    *objp = &obj->up;
    return 0;
}

static int
rdma_pd_alloc(struct mlx5_devx *devx, struct mlx5_devx_obj **objp)
{
    struct mlx5dv_pd out = { .pdn = 0 };
    struct mlx5dv_obj dv = { .pd = { .out = &out } };
    struct rdma_obj *obj;
    struct ibv_pd *pd;
    int error;

    errno = 0;
    pd = ibv_alloc_pd(rdma_devx_cast(devx)->context);
    if (!pd) {
        return last_error();
    }
    dv.pd.in = pd;
    error = mlx5dv_init_obj(&dv, MLX5DV_OBJ_PD);
    if (error) {
        ibv_dealloc_pd(pd);
        return negative(error);
    }
    obj = xzalloc(sizeof *obj);
    obj->pd = pd;
    obj->up.id = out.pdn;
    *objp = &obj->up;
    return 0;
}

union match_buffer {
    struct mlx5dv_flow_match_parameters up;
    uint64_t space[1 + MLX5_LEN_fte_match_set_lyr_2_4 / 8];
};

/* Makes of 'match' a mask and what is to be under it.  Returns whether there
 * is anything. */
static bool
make_match(const struct mlx5_rx_match *match, union match_buffer *mask,
           union match_buffer *value)
{
    void *m = mask->up.match_buf, *v = value->up.match_buf;
    static const struct eth_addr multicast = {
        .ea = { 0x01, 0, 0, 0, 0, 0 }
    };
    struct eth_addr ones = ETH_ADDR_C(ff,ff,ff,ff,ff,ff);
    bool any = false;

    memset(mask, 0, sizeof *mask);
    memset(value, 0, sizeof *value);
    mask->up.match_sz = value->up.match_sz = MLX5_LEN_fte_match_set_lyr_2_4;

#define PUT(FIELD, MASK, VALUE)                                     \
    (MLX5_SET(fte_match_set_lyr_2_4, m, FIELD, MASK),               \
     MLX5_SET(fte_match_set_lyr_2_4, v, FIELD, VALUE), any = true)
    if (match->type != MLX5_RX_ALL) {
        bool mac = match->type == MLX5_RX_MAC;
        uint64_t mm = eth_addr_to_uint64(mac ? ones : multicast);
        uint64_t vv = eth_addr_to_uint64(mac ? match->mac : multicast);

        PUT(dmac_47_16, mm >> 16, vv >> 16);
        PUT(dmac_15_0, mm & 0xffff, vv & 0xffff);
    }
    if (match->match_vlan) {
        PUT(cvlan_tag, 1, match->vid != 0);
        if (match->vid) {
            PUT(first_vid, 0xfff, match->vid);
        }
    }
    if (match->ip_version) {
        PUT(ip_version, 0xf, match->ip_version);
    }
    if (match->l4_proto) {
        PUT(ip_protocol, 0xff, match->l4_proto);
    }
#undef PUT
    return any;
}

static int
rdma_flow_create(struct mlx5_devx *devx, const struct mlx5_rx_match *match,
                 struct mlx5_devx_obj *tir, struct mlx5_devx_obj **objp)
{
    struct mlx5dv_flow_action_attr action = {
        .type = MLX5DV_FLOW_ACTION_DEST_DEVX,
        .obj = rdma_obj_cast(tir)->obj,
    };
    union match_buffer mask, value;
    struct mlx5dv_flow_matcher_attr attr = {
        .type = IBV_FLOW_ATTR_NORMAL,
        .match_mask = &mask.up,
    };
    struct mlx5dv_flow_matcher *matcher;
    struct ibv_flow *flow;
    struct rdma_obj *obj;
    int error;

    attr.match_criteria_enable = make_match(match, &mask, &value);
    attr.priority = rx_priority(match);
    errno = 0;
    matcher = mlx5dv_create_flow_matcher(rdma_devx_cast(devx)->context, &attr);
    if (!matcher) {
        return last_error();
    }
    flow = mlx5dv_create_flow(matcher, &value.up, 1, &action);
    if (!flow) {
        error = last_error();
        mlx5dv_destroy_flow_matcher(matcher);
        return error;
    }
    obj = xzalloc(sizeof *obj);
    obj->flow = flow;
    obj->matcher = matcher;
    *objp = &obj->up;
    return 0;
}

static int
rdma_destroy(struct mlx5_devx_obj *obj_)
{
    struct rdma_obj *obj = rdma_obj_cast(obj_);
    int error = 0;

    switch (obj->up.kind) {
    case MLX5_DEVX_OBJ:
        error = mlx5dv_devx_obj_destroy(obj->obj);
        break;
    case MLX5_DEVX_UMEM:
        error = mlx5dv_devx_umem_dereg(obj->umem);
        break;
    case MLX5_DEVX_PD:
        error = ibv_dealloc_pd(obj->pd);
        break;
    case MLX5_DEVX_FLOW:
        error = obj->flow ? ibv_destroy_flow(obj->flow) : 0;
        if (!error) {
            obj->flow = NULL;
            error = mlx5dv_destroy_flow_matcher(obj->matcher);
        }
        break;
    }
    if (error) {
        return negative(error);
    }
    free(obj);
    return 0;
}

static int
rdma_events_open(struct mlx5_devx *devx, struct mlx5_devx_events **eventsp)
{
    struct mlx5dv_devx_event_channel *channel;
    int flags;

    errno = 0;
    channel = mlx5dv_devx_create_event_channel(
        rdma_devx_cast(devx)->context,
        MLX5DV_DEVX_CREATE_EVENT_CHANNEL_FLAGS_OMIT_EV_DATA);
    if (!channel) {
        return last_error();
    }
    flags = fcntl(channel->fd, F_GETFL);
    if (flags < 0 || fcntl(channel->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        int error = last_error();

        mlx5dv_devx_destroy_event_channel(channel);
        return error;
    }
    *eventsp = xmalloc(sizeof **eventsp);
    (*eventsp)->channel = channel;
    return 0;
}

static void
rdma_events_close(struct mlx5_devx_events *events)
{
    mlx5dv_devx_destroy_event_channel(events->channel);
    free(events);
}

static int
rdma_events_fd(const struct mlx5_devx_events *events)
{
    return events->channel->fd;
}

static int
rdma_subscribe(struct mlx5_devx_events *events, struct mlx5_devx_obj *obj,
               uint16_t event, uint64_t cookie)
{
    return negative(mlx5dv_devx_subscribe_devx_event(
                        events->channel, rdma_obj_cast(obj)->obj,
                        sizeof event, &event, cookie));
}

static int
rdma_get_event(struct mlx5_devx_events *events, uint64_t *cookie)
{
    struct mlx5dv_devx_async_event_hdr header = { .cookie = 0 };
    ssize_t n;

    errno = 0;
    n = mlx5dv_devx_get_event(events->channel, &header, sizeof header);
    if (n < (ssize_t) sizeof header) {
        return last_error();
    }
    *cookie = header.cookie;
    return 0;
}

/* A reliable connection from a queue pair to itself: RDMA reads and writes on
 * it go to the memory of whatever function the key is for. */
static int
connect_to_itself(struct ibv_qp *qp)
{
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_INIT,
        .port_num = 1,
    };
    union ibv_gid gid;
    int error;

    error = ibv_query_gid(qp->context, 1, 0, &gid);
    if (!error) {
        error = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX
                              | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
    }
    if (!error) {
        attr.qp_state = IBV_QPS_RTR;
        attr.path_mtu = IBV_MTU_1024;
        attr.dest_qp_num = qp->qp_num;
        attr.max_dest_rd_atomic = 1;
        attr.min_rnr_timer = 12;
        attr.ah_attr.is_global = 1;
        attr.ah_attr.grh.dgid = gid;
        attr.ah_attr.grh.hop_limit = 1;
        attr.ah_attr.port_num = 1;
        error = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_AV
                              | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN
                              | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC
                              | IBV_QP_MIN_RNR_TIMER);
    }
    if (!error) {
        attr.qp_state = IBV_QPS_RTS;
        attr.timeout = 8;       /* 4.096 us << 8: a millisecond. */
        attr.retry_cnt = 3;
        attr.rnr_retry = 3;
        attr.max_rd_atomic = 1;
        error = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT
                              | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY
                              | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
    }
    return negative(error);
}

static void
rdma_dma_close(struct mlx5_devx_dma *dma)
{
    if (dma->qp) {
        ibv_destroy_qp(dma->qp);
    }
    if (dma->mr) {
        ibv_dereg_mr(dma->mr);
    }
    if (dma->cq) {
        ibv_destroy_cq(dma->cq);
    }
    free_pagealign(dma->bounce);
    free(dma);
}

static int
rdma_dma_open(struct mlx5_devx *devx_, struct mlx5_devx_obj *pd,
              struct mlx5_devx_dma **dmap)
{
    struct rdma_devx *devx = rdma_devx_cast(devx_);
    struct mlx5_devx_dma *dma = xzalloc(sizeof *dma);
    int error = 0;

    errno = 0;
    dma->bounce = xmalloc_pagealign(MLX5_DEVX_DMA_MAX);
    dma->mr = ibv_reg_mr(rdma_obj_cast(pd)->pd, dma->bounce,
                         MLX5_DEVX_DMA_MAX, IBV_ACCESS_LOCAL_WRITE);
    dma->cq = ibv_create_cq(devx->context, 4, NULL, NULL, 0);
    if (dma->mr && dma->cq) {
        struct ibv_qp_init_attr init = {
            .send_cq = dma->cq,
            .recv_cq = dma->cq,
            .cap = { .max_send_wr = 4, .max_recv_wr = 1,
                     .max_send_sge = 1, .max_recv_sge = 1 },
            .qp_type = IBV_QPT_RC,
        };

        dma->qp = ibv_create_qp(rdma_obj_cast(pd)->pd, &init);
    }
    error = dma->qp ? connect_to_itself(dma->qp) : last_error();
    if (error) {
        rdma_dma_close(dma);
        return error;
    }
    *dmap = dma;
    return 0;
}

static int
rdma_dma_copy(struct mlx5_devx_dma *dma, uint32_t mkey, uint64_t addr,
              void *buf, size_t len, bool write)
{
    long long int deadline = time_msec() + DMA_TIMEOUT_MS;
    struct ibv_sge sge = {
        .addr = (uintptr_t) dma->bounce,
        .length = len,
        .lkey = dma->mr->lkey,
    };
    struct ibv_send_wr wr = {
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
        .send_flags = IBV_SEND_SIGNALED,
        .wr.rdma = { .remote_addr = addr, .rkey = mkey },
    };
    struct ibv_send_wr *bad;
    struct ibv_wc wc;
    int error, n;

    if (dma->broken) {
        return -ENOTCONN;
    } else if (!len || len > MLX5_DEVX_DMA_MAX) {
        return -EINVAL;
    }
    if (write) {
        memcpy(dma->bounce, buf, len);
    }
    error = ibv_post_send(dma->qp, &wr, &bad);
    if (error) {
        return negative(error);
    }
    do {
        n = ibv_poll_cq(dma->cq, 1, &wc);
    } while (!n && time_msec() < deadline);

    /* After an error or a completion that is late, nobody can tell what
     * becomes of the bounce buffer: the caller has to open another one. */
    if (n != 1 || wc.status != IBV_WC_SUCCESS) {
        dma->broken = true;
        return n ? -EFAULT : -ETIMEDOUT;
    }
    if (!write) {
        memcpy(buf, dma->bounce, len);
    }
    return 0;
}

const struct mlx5_devx_class mlx5_devx_rdma_core = {
    .list = rdma_list,
    .open = rdma_open,
    .close = rdma_close,
    .command = rdma_command,
    .create = rdma_create,
    .modify = rdma_modify,
    .query = rdma_query,
    .umem_reg = rdma_umem_reg,
    .pd_alloc = rdma_pd_alloc,
    .flow_create = rdma_flow_create,
    .destroy = rdma_destroy,
    .events_open = rdma_events_open,
    .events_close = rdma_events_close,
    .events_fd = rdma_events_fd,
    .subscribe = rdma_subscribe,
    .get_event = rdma_get_event,
    .dma_open = rdma_dma_open,
    .dma_close = rdma_dma_close,
    .dma_copy = rdma_dma_copy,
};
