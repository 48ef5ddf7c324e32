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

/* rte_flow of ports that have none: in place of a card's, since no driver that
 * works everywhere takes rules such as Open vSwitch's.
 *
 * With FW_RTE_FLOW in the environment the linker has calls of rte_flow come
 * here (--wrap, in automake.mk).  Rules are kept, by port, and nothing else is
 * done about them: packets go on to the switch.  A rule that is destroyed when
 * it is not there, or on another port, is the end of the process, as it may be
 * with a driver; a port that is stopped loses its rules, as with "mlx5".
 *
 * "fw/rules" prints the rules that there are, "fw/rules-count" how many have
 * been made, destroyed and lost with their port.  After "fw/rules-refuse on"
 * no more are made.  "fw/rules-hit" counts a number of packets, of 100 bytes
 * each, in each rule. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "ovs-thread.h"
#include "unixctl.h"
#include "util.h"

#define WRAP(TYPE, NAME, ...)                   \
    TYPE __real_##NAME(__VA_ARGS__);            \
    TYPE __wrap_##NAME(__VA_ARGS__)

WRAP(int, rte_flow_validate, uint16_t, const struct rte_flow_attr *,
     const struct rte_flow_item[], const struct rte_flow_action[],
     struct rte_flow_error *);
WRAP(struct rte_flow *, rte_flow_create, uint16_t,
     const struct rte_flow_attr *, const struct rte_flow_item[],
     const struct rte_flow_action[], struct rte_flow_error *);
WRAP(int, rte_flow_destroy, uint16_t, struct rte_flow *,
     struct rte_flow_error *);
WRAP(int, rte_flow_query, uint16_t, struct rte_flow *,
     const struct rte_flow_action *, void *, struct rte_flow_error *);
WRAP(int, rte_eth_dev_stop, uint16_t);

struct rule {
    struct ovs_list list_node;  /* In 'rules'. */
    uint16_t port;
    uint64_t hits;              /* Not yet queried. */
    char *text;
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list rules = OVS_LIST_INITIALIZER(&rules);
static unsigned int n_created, n_destroyed, n_lost;
static bool refuse;

static bool
enabled(void)
{
    return getenv("FW_RTE_FLOW") != NULL;
}

static char *
describe(uint16_t port, const struct rte_flow_attr *attr,
         const struct rte_flow_item *items,
         const struct rte_flow_action *actions)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    char name[64];

    ds_put_format(&s, "port %u %s:", port,
                  attr->transfer ? "transfer" : "ingress");
    for (; items->type != RTE_FLOW_ITEM_TYPE_END; items++) {
        rte_flow_conv(RTE_FLOW_CONV_OP_ITEM_NAME, name, sizeof name,
                      (void *) (uintptr_t) items->type, NULL);
        ds_put_format(&s, " %s", name);
    }
    ds_put_cstr(&s, " ->");
    for (; actions->type != RTE_FLOW_ACTION_TYPE_END; actions++) {
        if (actions->type == RTE_FLOW_ACTION_TYPE_PORT_ID) {
            const struct rte_flow_action_port_id *id = actions->conf;

            ds_put_format(&s, " TO %"PRIu32, id->id);
        } else if (actions->type == RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT) {
            const struct rte_flow_action_ethdev *ethdev = actions->conf;

            ds_put_format(&s, " TO %u", ethdev->port_id);
        } else {
            rte_flow_conv(RTE_FLOW_CONV_OP_ACTION_NAME, name, sizeof name,
                          (void *) (uintptr_t) actions->type, NULL);
            ds_put_format(&s, " %s", name);
        }
    }
    return ds_steal_cstr(&s);
}

int
__wrap_rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr,
                         const struct rte_flow_item items[],
                         const struct rte_flow_action actions[],
                         struct rte_flow_error *error)
{
    return (enabled() ? 0
            : __real_rte_flow_validate(port, attr, items, actions, error));
}

struct rte_flow *
__wrap_rte_flow_create(uint16_t port, const struct rte_flow_attr *attr,
                       const struct rte_flow_item items[],
                       const struct rte_flow_action actions[],
                       struct rte_flow_error *error)
{
    struct rule *rule = NULL;

    if (!enabled()) {
        return __real_rte_flow_create(port, attr, items, actions, error);
    }
    ovs_mutex_lock(&mutex);
    if (refuse) {
        rte_flow_error_set(error, ENOSPC, RTE_FLOW_ERROR_TYPE_ACTION, NULL,
                           "no room");
    } else {
        rule = xzalloc(sizeof *rule);
        rule->port = port;
        rule->text = describe(port, attr, items, actions);
        ovs_list_push_back(&rules, &rule->list_node);
        n_created++;
    }
    ovs_mutex_unlock(&mutex);
    return (struct rte_flow *) (void *) rule;
}

static struct rule *
find_rule(uint16_t port, const struct rte_flow *flow)
{
    struct rule *rule;

    LIST_FOR_EACH (rule, list_node, &rules) {
        if ((const void *) rule == (const void *) flow) {
            assert(rule->port == port);
            return rule;
        }
    }
    ovs_abort(0, "port %u has no rule %p", port, (const void *) flow);
}

static void
free_rule(struct rule *rule)
{
    ovs_list_remove(&rule->list_node);
    free(rule->text);
    free(rule);
}

int
__wrap_rte_flow_destroy(uint16_t port, struct rte_flow *flow,
                        struct rte_flow_error *error)
{
    if (!enabled()) {
        return __real_rte_flow_destroy(port, flow, error);
    }
    ovs_mutex_lock(&mutex);
    free_rule(find_rule(port, flow));
    n_destroyed++;
    ovs_mutex_unlock(&mutex);
    return 0;
}

int
__wrap_rte_flow_query(uint16_t port, struct rte_flow *flow,
                      const struct rte_flow_action *action, void *data,
                      struct rte_flow_error *error)
{
    struct rte_flow_query_count *query = data;
    struct rule *rule;

    if (!enabled()) {
        return __real_rte_flow_query(port, flow, action, data, error);
    }
    ovs_mutex_lock(&mutex);
    assert(action->type == RTE_FLOW_ACTION_TYPE_COUNT && query->reset);
    rule = find_rule(port, flow);
    query->hits_set = query->bytes_set = 1;
    query->hits = rule->hits;
    query->bytes = rule->hits * 100;
    rule->hits = 0;
    ovs_mutex_unlock(&mutex);
    return 0;
}

int
__wrap_rte_eth_dev_stop(uint16_t port)
{
    struct rule *rule;

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH_SAFE (rule, list_node, &rules) {
        if (rule->port == port) {
            free_rule(rule);
            n_lost++;
        }
    }
    ovs_mutex_unlock(&mutex);
    return __real_rte_eth_dev_stop(port);
}

/* Commands. */

static void
rules_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
           const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct rule *rule;

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH (rule, list_node, &rules) {
        ds_put_format(&s, "%s\n", rule->text);
    }
    ovs_mutex_unlock(&mutex);
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
rules_count(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    char *s;

    ovs_mutex_lock(&mutex);
    s = xasprintf("created=%u destroyed=%u lost=%u left=%"PRIuSIZE,
                  n_created, n_destroyed, n_lost, ovs_list_size(&rules));
    ovs_mutex_unlock(&mutex);
    unixctl_command_reply(conn, s);
    free(s);
}

static void
rules_refuse(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[], void *aux OVS_UNUSED)
{
    ovs_mutex_lock(&mutex);
    refuse = !strcmp(argv[1], "on");
    ovs_mutex_unlock(&mutex);
    unixctl_command_reply(conn, NULL);
}

static void
rules_hit(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[], void *aux OVS_UNUSED)
{
    struct rule *rule;

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH (rule, list_node, &rules) {
        rule->hits += atoi(argv[1]);
    }
    ovs_mutex_unlock(&mutex);
    unixctl_command_reply(conn, NULL);
}

static void __attribute__((constructor))
fw_flow_init(void)
{
    if (enabled()) {
        unixctl_command_register("fw/rules", "", 0, 0, rules_show, NULL);
        unixctl_command_register("fw/rules-count", "", 0, 0, rules_count,
                                 NULL);
        unixctl_command_register("fw/rules-refuse", "on|off", 1, 1,
                                 rules_refuse, NULL);
        unixctl_command_register("fw/rules-hit", "PACKETS", 1, 1, rules_hit,
                                 NULL);
    }
}
