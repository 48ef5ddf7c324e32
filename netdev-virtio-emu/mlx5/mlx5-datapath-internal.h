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

#ifndef MLX5_DATAPATH_INTERNAL_H
#define MLX5_DATAPATH_INTERNAL_H 1

/* What the files of a datapath share.
 *
 * mlx5-datapath.c is its life, and what all queues have in common;
 * mlx5-datapath-queue.c are virtqueues; mlx5-datapath-rx.c is the receive
 * table with the hashes that lead to it; mlx5-datapath-flow.c are the flows
 * that lead there. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlx5-datapath.h"

/* The protocols that have a hash of their own, the first one being all. */
#define MLX5_DP_N_KINDS 7
struct mlx5_dp_kind {
    uint8_t ip_version, l4_proto;
    uint32_t fields;
};
extern const struct mlx5_dp_kind mlx5_dp_kinds[MLX5_DP_N_KINDS];

struct mlx5_dp_queue {
    struct mlx5_emu_queue layout;
    struct mlx5_devx_obj *obj, *counters, *umem[3];
    bool ready;
    uint16_t used;              /* Where it begins: buffers used so far. */
    struct mlx5_period period;
};

struct mlx5_dp_flow {
    struct mlx5_rx_match match; /* Without protocol. */
    struct mlx5_devx_obj *obj[MLX5_DP_N_KINDS];
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
    struct mlx5_dp_queue *queues;
    unsigned int n_queues;
    unsigned int next;          /* The queue that is started next. */

    struct mlx5_devx_obj *rx_td; /* Of the SF. */
    struct mlx5_devx_obj *rqt;
    struct mlx5_devx_obj *tirs[MLX5_DP_N_KINDS];
    size_t n_kinds;             /* 1 without hash. */
    struct mlx5_rx_filter filter; /* 'vlans' is owned. */
    struct mlx5_dp_flow *flows;
    size_t n_flows;
    struct mlx5_dp_flow *coming; /* While they are replaced: new ones, */
    size_t n_coming, n_made;    /* those of them that have been made, */
    struct mlx5_dp_flow *going; /* and ones to be destroyed. */
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

/* Common objects. */

int mlx5_dp_create_td(struct mlx5_devx *, struct mlx5_devx_obj **,
                      char **errp);

/* Queues. */

int mlx5_dp_start_queue(struct mlx5_datapath *, unsigned int index,
                        char **errp);

/* Returns true if there was something. */
bool mlx5_dp_stop_queue(struct mlx5_dp_queue *);

/* All queues that resume have been started, or none will be. */
void mlx5_dp_close_dma(struct mlx5_datapath *);

/* Receiving. */

int mlx5_dp_start_receiving(struct mlx5_datapath *, char **errp);

/* Does the next step.  Returns false if it was the last one. */
bool mlx5_dp_stop_receiving(struct mlx5_datapath *);

/* Flows. */

void mlx5_dp_copy_filter(struct mlx5_rx_filter *dst,
                         const struct mlx5_rx_filter *src);

/* Puts the flows of 'filter' in place of those that there are.  New ones come
 * first and old ones go last, so that no packet that both want is lost.  One
 * flow, which takes as many commands as there are protocols, in each step: see
 * mlx5_datapath_set_filter(). */
int mlx5_dp_replace_flows(struct mlx5_datapath *,
                          const struct mlx5_rx_filter *, char **errp);

/* Destroys a flow, whatever it is for.  Returns false if there was none: then
 * there is no change of them under way any more. */
bool mlx5_dp_destroy_flow(struct mlx5_datapath *);

#endif /* mlx5-datapath-internal.h */
