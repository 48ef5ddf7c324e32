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

/* Flows: which packets are received.  See mlx5-datapath-internal.h. */

#include <config.h>

#include "mlx5-datapath-internal.h"

#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "packets.h"
#include "util.h"

/* More flows than this are not made: filters are then less exact, which
 * VIRTIO 1.2, section 5.1.6.5.1, allows. */
#define MAX_FLOWS 512

/* What a filter wants. */

void
mlx5_dp_copy_filter(struct mlx5_rx_filter *dst,
                    const struct mlx5_rx_filter *src)
{
    *dst = *src;
    dst->vlans = src->vlans ? bitmap_clone(src->vlans, 4096) : NULL;
}

static void
add_match(struct mlx5_dp_flow **flows, size_t *n, size_t *allocated,
          enum mlx5_rx_match_type type, struct eth_addr mac, int vid)
{
    struct mlx5_dp_flow *flow;

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
add_matches(struct mlx5_dp_flow **flows, size_t *n, size_t *allocated,
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
           struct mlx5_dp_flow **flowsp, size_t *np)
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

/* What there is. */

static void
destroy_flow(struct mlx5_dp_flow *flow)
{
    for (size_t i = 0; i < MLX5_DP_N_KINDS; i++) {
        mlx5_devx_destroy(&flow->obj[i]);
    }
}

static int
create_flow(struct mlx5_datapath *dp, struct mlx5_dp_flow *flow, char **errp)
{
    for (size_t i = 0; i < dp->n_kinds; i++) {
        struct mlx5_rx_match match = flow->match;
        int error;

        match.ip_version = mlx5_dp_kinds[i].ip_version;
        match.l4_proto = mlx5_dp_kinds[i].l4_proto;
        error = mlx5_devx_flow(dp->sf, &match, dp->tirs[i], &flow->obj[i],
                               errp);
        if (error) {
            destroy_flow(flow);
            return error;
        }
    }
    return 0;
}

static struct mlx5_dp_flow *
find_flow(struct mlx5_dp_flow *flows, size_t n,
          const struct mlx5_rx_match *match)
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
destroy_last(struct mlx5_dp_flow **flows, size_t *n)
{
    while (*n) {
        struct mlx5_dp_flow *flow = &(*flows)[--*n];

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
        struct mlx5_dp_flow *old = &dp->flows[i];
        struct mlx5_dp_flow *same = find_flow(dp->coming, dp->n_coming,
                                              &old->match);

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

int
mlx5_dp_replace_flows(struct mlx5_datapath *dp,
                      const struct mlx5_rx_filter *filter, char **errp)
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

bool
mlx5_dp_destroy_flow(struct mlx5_datapath *dp)
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
    return false;
}

int
mlx5_datapath_set_filter(struct mlx5_datapath *dp,
                         const struct mlx5_rx_filter *filter, char **errp)
{
    int error = mlx5_dp_replace_flows(dp, filter, errp);

    if (!error) {
        free(dp->filter.vlans);
        mlx5_dp_copy_filter(&dp->filter, filter);
    }
    return error;
}
