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

/* Ports and flows of the software eSwitch, for those who make them.  See
 * soft-eswitch.h. */

#include <config.h>

#include "soft-eswitch.h"

#include <errno.h>
#include <inttypes.h>

#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "ovs-thread.h"
#include "soft-backend.h"
#include "soft-eswitch-private.h"
#include "soft-uplink.h"
#include "timeval.h"

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list ports OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&ports);
static struct soft_actions_set actions_set OVS_GUARDED_BY(mutex)
    = SOFT_ACTIONS_SET_INITIALIZER(&actions_set);

/* All flows, by UFID.  Writers hold 'mutex'. */
static struct cmap all_flows = CMAP_INITIALIZER;

atomic_uint64_t soft_eswitch_last_seq;

/* Ports. */

static struct soft_port *
soft_port_of(const struct virtnet_device *dev)
{
    return soft_device_cast(dev)->rep.eswitch_port;
}

struct soft_port *
soft_port_create(struct virtnet_device *dev)
{
    struct soft_port *port = xzalloc_cacheline(sizeof *port);

    soft_key_init();
    port->dev = dev;
    soft_table_init(&port->table);
    ovs_list_init(&port->flows);
    ovs_mutex_lock(&mutex);
    ovs_list_push_back(&ports, &port->list_node);
    ovs_mutex_unlock(&mutex);
    return port;
}

void
soft_port_destroy(struct soft_port *port)
{
    if (port) {
        ovs_mutex_lock(&mutex);
        ovs_assert(ovs_list_is_empty(&port->flows));
        ovs_list_remove(&port->list_node);
        ovs_mutex_unlock(&mutex);
        soft_table_uninit(&port->table);
        free_cacheline(port);
    }
}

void
soft_port_set_foreign(struct soft_port *port)
{
    port->foreign = true;
}

bool
soft_port_has_flows(const struct soft_port *port)
{
    size_t n;

    atomic_read_relaxed(&CONST_CAST(struct soft_port *, port)->n_flows, &n);
    return n > 0;
}

/* Flows.  'mutex' is held. */

static void
flow_put_in_force(struct soft_flow *flow, const struct soft_actions *actions)
{
    const struct soft_actions *old
        = ovsrcu_get_protected(const struct soft_actions *, &flow->actions);
    uint64_t seq;

    ovsrcu_set(&flow->actions, actions);
    soft_actions_put(&actions_set, old);
    atomic_read_relaxed(&flow->seq, &seq);
    if (actions && !seq) {
        atomic_read_relaxed(&soft_eswitch_last_seq, &seq);
        seq++;
        atomic_store_explicit(&flow->seq, seq, memory_order_release);
        atomic_store_explicit(&soft_eswitch_last_seq, seq,
                              memory_order_release);
    } else if (!actions) {
        atomic_store_relaxed(&flow->seq, 0);
    }
}

/* Takes 'flow' out.  The caller frees it. */
static void
flow_remove(struct soft_flow *flow)
{
    struct soft_port *port = flow->in;
    size_t n;

    flow_put_in_force(flow, NULL);
    soft_table_remove(&port->table, flow);
    cmap_remove(&all_flows, &flow->ufid_node, hash_bytes(&flow->ufid,
                                                         sizeof flow->ufid,
                                                         0));
    ovs_list_remove(&flow->list_node);
    atomic_sub_relaxed(&port->n_flows, 1, &n);
}

static struct soft_flow *
flow_find(const struct soft_port *port, const ovs_u128 *ufid)
{
    uint32_t hash = hash_bytes(ufid, sizeof *ufid, 0);
    struct soft_flow *flow;

    CMAP_FOR_EACH_WITH_HASH (flow, ufid_node, hash, &all_flows) {
        if (ovs_u128_equals(flow->ufid, *ufid) && flow->in == port) {
            return flow;
        }
    }
    return NULL;
}

static struct soft_flow *
flow_create(struct soft_port *port, const ovs_u128 *ufid,
            const struct match *match, const struct soft_key *key,
            const struct soft_key *mask)
{
    struct soft_flow *flow = soft_flow_alloc();
    size_t n;

    soft_flow_clear_stats(flow);
    flow->ufid = *ufid;
    flow->in = port;
    flow->in_port = match->flow.in_port.odp_port;
    ovsrcu_init(&flow->actions, NULL);
    soft_table_insert(&port->table, flow, key, mask);
    cmap_insert(&all_flows, &flow->ufid_node,
                hash_bytes(ufid, sizeof *ufid, 0));
    ovs_list_push_back(&port->flows, &flow->list_node);
    atomic_add_relaxed(&port->n_flows, 1, &n);
    return flow;
}

/* Flows as virtnet-flow-provider.h has them. */

static int
soft_flow_port_attach(struct virtnet_device *dev)
{
    ovs_mutex_lock(&mutex);
    soft_port_of(dev)->attached = true;
    ovs_mutex_unlock(&mutex);
    return 0;
}

/* A flow that is to end.  It is there, with its counters, until whoever knows
 * it has taken over those. */
struct ending {
    ovs_u128 ufid;
    struct virtnet_device *in;
};

struct endings {
    struct ending *flows;
    size_t n, allocated;
};

/* Adds flows of 'port' to 'endings', for flows_end(), until there are 'max'
 * of them. */
static void
port_flush(const struct soft_port *port, size_t max, struct endings *endings)
    OVS_REQUIRES(mutex)
{
    const struct soft_flow *flow;

    LIST_FOR_EACH (flow, list_node, &port->flows) {
        if (endings->n >= max) {
            break;
        }
        if (endings->n >= endings->allocated) {
            endings->flows = x2nrealloc(endings->flows, &endings->allocated,
                                        sizeof *endings->flows);
        }
        endings->flows[endings->n++] = (struct ending) {
            .ufid = flow->ufid,
            .in = port->dev,
        };
    }
}

static int soft_flow_del(struct virtnet_device *, const ovs_u128 *,
                         struct virtnet_flow_stats *);

static void
flows_end(struct endings *endings)
    OVS_EXCLUDED(mutex)
{
    for (size_t i = 0; i < endings->n; i++) {
        const struct ending *e = &endings->flows[i];

        virtnet_flow_end(&e->ufid, e->in);
        soft_flow_del(e->in, &e->ufid, NULL); /* If nobody knew it. */
    }
    free(endings->flows);
}

void
soft_port_end_flows(struct soft_port *port, size_t max)
{
    struct endings endings = { .n = 0 };

    ovs_mutex_lock(&mutex);
    port->attached = false;
    port_flush(port, max, &endings);
    ovs_mutex_unlock(&mutex);
    flows_end(&endings);
}

static void
soft_flow_port_detach(struct virtnet_device *dev)
{
    struct soft_port *port = soft_port_of(dev), *other;
    struct endings endings = { .n = 0 };

    ovs_mutex_lock(&mutex);
    port->attached = false;
    port_flush(port, SIZE_MAX, &endings);
    LIST_FOR_EACH (other, list_node, &ports) {
        struct soft_flow *flow;

        LIST_FOR_EACH (flow, list_node, &other->flows) {
            const struct soft_actions *actions
                = ovsrcu_get_protected(const struct soft_actions *,
                                       &flow->actions);

            if (actions && (other == port
                            || soft_actions_output_to(actions, dev))) {
                flow_put_in_force(flow, NULL);
            }
        }
    }
    ovs_mutex_unlock(&mutex);
    flows_end(&endings);
}

/* Are all devices that 'actions' lead to attached? */
static bool
outputs_are_attached(const struct virtnet_flow_actions *actions)
    OVS_REQUIRES(mutex)
{
    for (size_t i = 0; i < actions->n; i++) {
        const struct virtnet_flow_action *a = &actions->actions[i];

        if (a->type == VIRTNET_FLOW_OUTPUT
            && !soft_port_of(a->dev)->attached) {
            return false;
        }
    }
    return true;
}

static int
soft_flow_put(struct virtnet_device *in, const ovs_u128 *ufid,
              const struct match *match,
              const struct virtnet_flow_actions *actions,
              struct virtnet_flow_stats *stats,
              enum virtnet_flow_reason *reason)
{
    struct soft_port *port = soft_port_of(in);
    const struct soft_actions *list = NULL;
    struct soft_key key, mask;
    struct soft_flow *flow;
    int error = 0;

    if (actions) {
        *reason = soft_key_from_match(match, &key, &mask);
        if (*reason) {
            actions = NULL;
        }
    }

    ovs_mutex_lock(&mutex);
    flow = flow_find(port, ufid);
    if (actions && !port->attached) {
        *reason = VIRTNET_FLOW_NOT_ATTACHED;
        actions = NULL;
    } else if (actions && !outputs_are_attached(actions)) {
        *reason = VIRTNET_FLOW_OUTPUT_NONE;
        actions = NULL;
    }
    if (actions && flow) {
        struct soft_key old_key, old_mask;

        soft_flow_get_key(flow, &old_key, &old_mask);
        if (memcmp(&key, &old_key, sizeof key)
            || memcmp(&mask, &old_mask, sizeof mask)) {
            *reason = VIRTNET_FLOW_MATCH_SAME_ID;
            actions = NULL;
        }
    }
    if (actions) {
        list = soft_actions_get(&actions_set, actions);
        if (!flow) {
            flow = flow_create(port, ufid, match, &key, &mask);
        }
    }
    if (flow) {
        flow_put_in_force(flow, list);
        if (stats) {
            soft_flow_get_stats(flow, stats);
        }
        soft_table_order(&port->table, time_msec());
    } else {
        error = *reason == VIRTNET_FLOW_NOT_ATTACHED ? ENODEV : EOPNOTSUPP;
    }
    ovs_mutex_unlock(&mutex);
    return error;
}

static int
soft_flow_del(struct virtnet_device *in, const ovs_u128 *ufid,
              struct virtnet_flow_stats *stats)
{
    struct soft_flow *flow;

    ovs_mutex_lock(&mutex);
    flow = flow_find(soft_port_of(in), ufid);
    if (flow) {
        flow_remove(flow);
        if (stats) {
            soft_flow_get_stats(flow, stats);
        }
        soft_flow_free(flow);
    }
    ovs_mutex_unlock(&mutex);
    return flow ? 0 : ENOENT;
}

static int
soft_flow_get(struct virtnet_device *in, const ovs_u128 *ufid,
              struct virtnet_flow_stats *stats)
{
    const struct soft_flow *flow = flow_find(soft_port_of(in), ufid);

    if (!flow) {
        return ENOENT;
    }
    soft_flow_get_stats(flow, stats);
    return 0;
}

static int
soft_flow_flush(struct virtnet_device *in)
{
    struct endings endings = { .n = 0 };
    const struct soft_port *port;

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH (port, list_node, &ports) {
        if (!in || port->dev == in) {
            port_flush(port, SIZE_MAX, &endings);
        }
    }
    ovs_mutex_unlock(&mutex);
    flows_end(&endings);
    return 0;
}

static void
soft_flow_dump(struct virtnet_device *in,
               bool (*cb)(const ovs_u128 *ufid, const struct match *,
                          const struct virtnet_flow_actions *,
                          const struct virtnet_flow_stats *, void *aux),
               void *aux)
{
    struct soft_flow *flow;

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH (flow, list_node, &soft_port_of(in)->flows) {
        const struct soft_actions *list
            = ovsrcu_get_protected(const struct soft_actions *,
                                   &flow->actions);
        struct virtnet_flow_actions actions = { .n = 0 };
        struct virtnet_flow_stats stats;
        struct soft_key key, mask;
        struct match match;

        soft_flow_get_key(flow, &key, &mask);
        soft_key_to_match(&key, &mask, flow->in_port, &match);
        soft_flow_get_stats(flow, &stats);
        if (list) {
            actions.n = list->n;
            memcpy(actions.actions, list->actions,
                   list->n * sizeof list->actions[0]);
        }
        if (!cb(&flow->ufid, &match, &actions, &stats, aux)) {
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
}

static uint64_t
soft_flow_number(struct virtnet_device *in)
{
    size_t n = cmap_count(&all_flows);

    if (in) {
        atomic_read_relaxed(&soft_port_of(in)->n_flows, &n);
    }
    return n;
}

static void
soft_flow_format(struct ds *s)
{
    struct soft_port *port;

    ovs_mutex_lock(&mutex);
    ds_put_format(s, "flows: %"PRIuSIZE"\n", cmap_count(&all_flows));
    ds_put_format(s, "lists of actions: %"PRIuSIZE"\n",
                  hmap_count(&actions_set.lists));
    ds_put_format(s, "memory of flows: %"PRIu64" bytes\n",
                  soft_flow_memory());
    LIST_FOR_EACH (port, list_node, &ports) {
        uint64_t n_hits, n_misses;

        if (!port->attached) {
            continue;
        }
        atomic_read_relaxed(&port->n_hits, &n_hits);
        atomic_read_relaxed(&port->n_misses, &n_misses);
        ds_put_format(s, "%s: %"PRIuSIZE" flows, %"PRIuSIZE" masks, "
                      "%"PRIu64" packets forwarded, %"PRIu64" passed up\n",
                      port->dev->rep_name, ovs_list_size(&port->flows),
                      ovs_list_size(&port->table.list), n_hits, n_misses);
    }
    ovs_mutex_unlock(&mutex);
}

const struct virtnet_flow_class soft_flow_class = {
    .port_attach = soft_flow_port_attach,
    .port_detach = soft_flow_port_detach,
    .put = soft_flow_put,
    .del = soft_flow_del,
    .get = soft_flow_get,
    .flush = soft_flow_flush,
    .dump = soft_flow_dump,
    .count = soft_flow_number,
    .uplink_create = soft_uplink_create,
    .uplink_destroy = soft_uplink_destroy,
    .uplink_recv = soft_uplink_recv,
    .format = soft_flow_format,
};
