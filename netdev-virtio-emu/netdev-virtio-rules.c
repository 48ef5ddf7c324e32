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

/* Rules of rte_flow on representors.  See netdev-virtio-dpdk.h. */

#include <config.h>

#include "netdev-virtio-dpdk.h"

#include <errno.h>
#include <rte_flow.h>

#include "netdev-dpdk.h"
#include "util.h"

/* What Open vSwitch's provider takes for a "struct rte_flow".  Whoever queries
 * or destroys one is alone with it: the provider sees to that. */
struct rule {
    struct ovs_list list_node;  /* In 'list' of "struct virtio_emu_rules". */
    struct rte_flow *flow;      /* NULL if it is not in the hardware. */
    uint64_t hits, bytes;       /* Then: counted, and not yet told. */
};

static struct rule *
rule_from_flow(struct rte_flow *flow)
{
    return (struct rule *) (void *) flow;
}

bool
virtio_emu_rules_begin(struct virtio_emu_rules *rules, struct netdev *netdev)
{
    bool ended;

    ovs_rwlock_wrlock(&rules->rwlock);
    rules->netdev = netdev;
    ended = rules->ended;
    rules->ended = false;
    ovs_rwlock_unlock(&rules->rwlock);
    return ended;
}

void
virtio_emu_rules_end(struct virtio_emu_rules *rules)
{
    struct rule *rule;

    ovs_rwlock_wrlock(&rules->rwlock);
    LIST_FOR_EACH_POP (rule, list_node, &rules->list) {
        struct rte_flow_query_count query = { .reset = 1 };
        struct rte_flow_error error;

        /* Nobody else will count these packets. */
        if (!netdev_dpdk_rte_flow_query_count(rules->netdev, rule->flow,
                                              &query, &error)) {
            rule->hits = query.hits_set ? query.hits : 0;
            rule->bytes = query.bytes_set ? query.bytes : 0;
        }
        /* What the driver refuses goes with its port. */
        netdev_dpdk_rte_flow_destroy(rules->netdev, rule->flow, &error);
        rule->flow = NULL;
        rules->ended = true;
    }
    rules->netdev = NULL;
    ovs_rwlock_unlock(&rules->rwlock);
}

int
virtio_emu_rules_port_id(struct virtio_emu_rules *rules)
{
    int id;

    ovs_rwlock_rdlock(&rules->rwlock);
    id = rules->netdev ? netdev_dpdk_get_port_id(rules->netdev) : -1;
    ovs_rwlock_unlock(&rules->rwlock);
    return id;
}

/* Of this type, Open vSwitch does not log it as a warning for each flow. */
static void
no_port(struct rte_flow_error *error)
{
    rte_flow_error_set(error, ENODEV, RTE_FLOW_ERROR_TYPE_ACTION, NULL,
                       "the representor is no port of DPDK now");
}

struct rte_flow *
virtio_emu_rules_create(struct virtio_emu_rules *rules,
                        const struct rte_flow_attr *attr,
                        const struct rte_flow_item *items,
                        const struct rte_flow_action *actions,
                        struct rte_flow_error *error)
{
    struct rule *rule = NULL;

    ovs_rwlock_rdlock(&rules->rwlock);
    if (rules->netdev) {
        struct rte_flow *flow = netdev_dpdk_rte_flow_create(
            rules->netdev, attr, items, actions, error);

        if (flow) {
            rule = xzalloc(sizeof *rule);
            rule->flow = flow;
            ovs_mutex_lock(&rules->mutex);
            ovs_list_push_back(&rules->list, &rule->list_node);
            ovs_mutex_unlock(&rules->mutex);
        }
    } else {
        no_port(error);
    }
    ovs_rwlock_unlock(&rules->rwlock);
    return (struct rte_flow *) (void *) rule;
}

int
virtio_emu_rules_destroy(struct virtio_emu_rules *rules,
                         struct rte_flow *flow, struct rte_flow_error *error)
{
    struct rule *rule = rule_from_flow(flow);
    int retval = 0;

    ovs_rwlock_rdlock(&rules->rwlock);
    if (rule->flow) {
        retval = netdev_dpdk_rte_flow_destroy(rules->netdev, rule->flow,
                                              error);
        if (!retval) {
            ovs_mutex_lock(&rules->mutex);
            ovs_list_remove(&rule->list_node);
            ovs_mutex_unlock(&rules->mutex);
        }
    }
    ovs_rwlock_unlock(&rules->rwlock);
    if (!retval) {
        free(rule);
    }
    return retval;
}

int
virtio_emu_rules_query_count(struct virtio_emu_rules *rules,
                             struct rte_flow *flow,
                             struct rte_flow_query_count *query,
                             struct rte_flow_error *error)
{
    struct rule *rule = rule_from_flow(flow);
    int retval = 0;

    ovs_rwlock_rdlock(&rules->rwlock);
    if (rule->flow) {
        retval = netdev_dpdk_rte_flow_query_count(rules->netdev, rule->flow,
                                                  query, error);
    } else {
        /* What has been counted stays counted: the provider adds it up. */
        query->hits_set = query->bytes_set = 1;
        query->hits = rule->hits;
        query->bytes = rule->bytes;
        if (query->reset) {
            rule->hits = rule->bytes = 0;
        }
    }
    ovs_rwlock_unlock(&rules->rwlock);
    return retval;
}
