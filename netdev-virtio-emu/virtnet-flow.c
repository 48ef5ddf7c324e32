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

/* What offload of flows has in common for all backends and all versions of
 * Open vSwitch: actions, reasons.  See virtnet-flow-provider.h. */

#include <config.h>

#include "virtnet-flow-provider.h"

#include <inttypes.h>

#include "coverage.h"
#include "netlink.h"
#include "odp-netlink.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "ovs-atomic.h"
#include "packets.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-backend-provider.h"

COVERAGE_DEFINE(virtnet_flow_refused);

static const struct reason {
    const char *name;
    const char *text;
} reasons[] = {
#define R(ENUM, NAME, TEXT) { NAME, TEXT },
    VIRTNET_FLOW_REASONS
#undef R
};

/* Flows refused, by reason. */
static atomic_uint64_t n_refused[VIRTNET_FLOW_N_REASONS];

const char *
virtnet_flow_reason_text(enum virtnet_flow_reason reason)
{
    return reasons[reason].text;
}

void
virtnet_flow_count_refusal(enum virtnet_flow_reason reason)
{
    uint64_t orig;

    COVERAGE_INC(virtnet_flow_refused);
    atomic_add_relaxed(&n_refused[reason], 1, &orig);
}

/* Actions. */

static struct virtnet_flow_action *
add_action(struct virtnet_flow_actions *out,
           enum virtnet_flow_action_type type)
{
    struct virtnet_flow_action *a;

    if (out->n >= VIRTNET_FLOW_MAX_ACTIONS) {
        return NULL;
    }
    a = &out->actions[out->n++];
    memset(a, 0, sizeof *a);
    a->type = type;
    return a;
}

/* Compiles OVS_ACTION_ATTR_SET_MASKED, or OVS_ACTION_ATTR_SET if not
 * 'masked', of the field 'key'. */
static enum virtnet_flow_reason
compile_set(const struct nlattr *key, bool masked,
            struct virtnet_flow_actions *out)
{
    static const struct {
        enum ovs_key_attr attr;
        enum virtnet_flow_action_type type;
        size_t size;
    } sets[] = {
#define S(ATTR, TYPE, STRUCT) { OVS_KEY_ATTR_##ATTR, VIRTNET_FLOW_SET_##TYPE, \
                                sizeof(struct STRUCT) }
        S(ETHERNET, ETH, ovs_key_ethernet),
        S(IPV4, IPV4, ovs_key_ipv4),
        S(IPV6, IPV6, ovs_key_ipv6),
        S(TCP, TCP, ovs_key_tcp),
        S(UDP, UDP, ovs_key_udp),
        S(SCTP, SCTP, ovs_key_sctp),
        S(ARP, ARP, ovs_key_arp),
        S(ND, ND, ovs_key_nd),
#undef S
    };
    enum ovs_key_attr attr = nl_attr_type(key);

    if (attr == OVS_KEY_ATTR_PRIORITY || attr == OVS_KEY_ATTR_SKB_MARK) {
        /* Nothing that a virtio device could see. */
        return VIRTNET_FLOW_NONE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        size_t size = sets[i].size;

        if (attr == sets[i].attr
            && nl_attr_get_size(key) == size * (masked ? 2 : 1)) {
            struct virtnet_flow_action *a = add_action(out, sets[i].type);
            const uint8_t *value = nl_attr_get(key);
            uint8_t *k, *m;

            if (!a) {
                return VIRTNET_FLOW_ACTION_COUNT;
            }
            k = (uint8_t *) &a->eth;
            m = k + size;
            memcpy(k, value, size);
            if (masked) {
                memcpy(m, value + size, size);
            } else {
                memset(m, 0xff, size);
            }
            for (size_t j = 0; j < size; j++) {
                k[j] &= m[j];
            }
            return VIRTNET_FLOW_NONE;
        }
    }
    return VIRTNET_FLOW_ACTION_SET;
}

/* Returns why the actions 'nla', which work on a copy of the packet, cannot be
 * carried out. */
static enum virtnet_flow_reason
clone_reason(const struct nlattr *nla)
{
    const struct nlattr *inner;
    size_t left;

    NL_NESTED_FOR_EACH (inner, left, nla) {
        if (nl_attr_type(inner) == OVS_ACTION_ATTR_TUNNEL_PUSH) {
            return VIRTNET_FLOW_ACTION_TUNNEL; /* That is how it sends. */
        }
    }
    return VIRTNET_FLOW_ACTION_OTHER;
}

enum virtnet_flow_reason
virtnet_flow_compile(const struct nlattr *actions, size_t len,
                     struct virtnet_device *(*port_to_dev)(
                         odp_port_t port, void *aux,
                         enum virtnet_flow_reason *),
                     void *aux, struct virtnet_flow_actions *out)
{
    const struct nlattr *nla;
    size_t left;

    out->n = 0;
    NL_ATTR_FOR_EACH (nla, left, actions, len) {
        enum virtnet_flow_reason reason = VIRTNET_FLOW_NONE;
        struct virtnet_flow_action *a;

        switch ((int) nl_attr_type(nla)) {
        case OVS_ACTION_ATTR_OUTPUT: {
            odp_port_t port = nl_attr_get_odp_port(nla);
            struct virtnet_device *dev;

            dev = port_to_dev(port, aux, &reason);
            if (reason) {
                return reason;
            }
            a = add_action(out, (dev ? VIRTNET_FLOW_OUTPUT
                                 : VIRTNET_FLOW_OUTPUT_PORT));
            if (!a) {
                return VIRTNET_FLOW_ACTION_COUNT;
            }
            if (dev) {
                a->dev = dev;
            } else {
                a->port = port;
            }
            break;
        }

        case OVS_ACTION_ATTR_PUSH_VLAN:
            a = add_action(out, VIRTNET_FLOW_PUSH_VLAN);
            if (!a) {
                return VIRTNET_FLOW_ACTION_COUNT;
            }
            memcpy(&a->vlan, nl_attr_get_unspec(nla, sizeof a->vlan),
                   sizeof a->vlan);
            break;

        case OVS_ACTION_ATTR_POP_VLAN:
            if (!add_action(out, VIRTNET_FLOW_POP_VLAN)) {
                return VIRTNET_FLOW_ACTION_COUNT;
            }
            break;

        case OVS_ACTION_ATTR_SET:
            reason = compile_set(nl_attr_get(nla), false, out);
            break;
        case OVS_ACTION_ATTR_SET_MASKED:
            reason = compile_set(nl_attr_get(nla), true, out);
            break;

        case OVS_ACTION_ATTR_DROP:
        case OVS_ACTION_ATTR_CT_CLEAR:
            /* Packets that are not put out anywhere are dropped, and those
             * that are not tracked have no state to be cleared. */
            break;

        case OVS_ACTION_ATTR_USERSPACE:
            return VIRTNET_FLOW_ACTION_USERSPACE;
        case OVS_ACTION_ATTR_SAMPLE:
            return VIRTNET_FLOW_ACTION_SAMPLE;
        case OVS_ACTION_ATTR_RECIRC:
        case OVS_ACTION_ATTR_HASH:
        case OVS_ACTION_ATTR_LB_OUTPUT:
            return VIRTNET_FLOW_ACTION_RECIRC;
        case OVS_ACTION_ATTR_CT:
            return VIRTNET_FLOW_ACTION_CT;
        case OVS_ACTION_ATTR_METER:
            return VIRTNET_FLOW_ACTION_METER;
        case OVS_ACTION_ATTR_TUNNEL_PUSH:
        case OVS_ACTION_ATTR_TUNNEL_POP:
            return VIRTNET_FLOW_ACTION_TUNNEL;
        case OVS_ACTION_ATTR_CLONE:
            return clone_reason(nla);
        default:
            return VIRTNET_FLOW_ACTION_OTHER;
        }
        if (reason) {
            return reason;
        }
    }
    return VIRTNET_FLOW_NONE;
}

bool
virtnet_flow_has_device(const struct virtnet_flow_actions *actions)
{
    for (size_t i = 0; i < actions->n; i++) {
        if (actions->actions[i].type == VIRTNET_FLOW_OUTPUT) {
            return true;
        }
    }
    return false;
}

/* For the operator. */

static void
virtnet_flow_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
                  const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (virtnet_soft_backend_class.flow) {
        virtnet_soft_backend_class.flow->format(&s);
    }
    ds_put_cstr(&s, "flows left to Open vSwitch, by reason:\n");
    for (size_t i = 1; i < VIRTNET_FLOW_N_REASONS; i++) {
        uint64_t n;

        atomic_read_relaxed(&n_refused[i], &n);
        if (n) {
            ds_put_format(&s, "  %-16s %10"PRIu64"  (%s)\n", reasons[i].name,
                          n, reasons[i].text);
        }
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

/* Ends of flows. */

static virtnet_flow_end_cb *end_cb;

void
virtnet_flow_set_end_cb(virtnet_flow_end_cb *cb)
{
    end_cb = cb;
}

void
virtnet_flow_end(const ovs_u128 *ufid, struct virtnet_device *in)
{
    if (end_cb) {
        end_cb(ufid, in);
    }
}

void
virtnet_flow_init(void)
{
    unixctl_command_register("virtnet/offload-show", "", 0, 0,
                             virtnet_flow_show, NULL);
}
