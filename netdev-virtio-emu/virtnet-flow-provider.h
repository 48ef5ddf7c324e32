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

#ifndef VIRTNET_FLOW_PROVIDER_H
#define VIRTNET_FLOW_PROVIDER_H 1

/* Provider interface for the offload of flows to a backend.
 *
 * Open vSwitch decides what happens to packets by "megaflows": a match with a
 * mask of any shape, and a list of actions.  With other_config:hw-offload=true
 * it offers each of them to whatever claims the port that the packets come
 * from.  For ports of type virtio-emu that is the backend of their device: the
 * eSwitch of a DPU, or software that stands for it.  Packets that match a flow
 * which the backend has taken are forwarded and counted there, and Open
 * vSwitch does not see them.  All others come up through the port as ever.
 *
 * This header is the half that a backend sees.  It knows of neither generation
 * of Open vSwitch's own interface (struct netdev_flow_api up to 3.6, struct
 * dpif_offload_class since): those are served by one file each in
 * ofproto-hooks/, which translate with what is at the end of this header.
 *
 *
 * Whole or not at all
 * ===================
 *
 * A backend that cannot do all that a flow asks for, exactly, refuses it with
 * a reason (enum virtnet_flow_reason), and the flow stays in Open vSwitch.  So
 * a backend may start with little.  The same goes for single packets: one that
 * the backend cannot deal with, although a flow matches it, is passed up as if
 * it had matched none, before anything is done to it.
 *
 * Megaflows of one port that overlap have the same actions, so a backend may
 * use any that matches.
 *
 *
 * Identity
 * ========
 *
 * A flow is named by its unique flow id (UFID).  A "put" of an id that exists
 * modifies that flow; its counters go on.
 *
 *
 * Counters
 * ========
 *
 * "get" returns what the backend has done with the packets of a flow since it
 * was put, and Open vSwitch adds that to its own.  The sum must be exact and
 * must never go back while the flow exists, also when the flow was modified or
 * is not in force (see below).  'used' is what Open vSwitch ages flows by.
 *
 *
 * Ports
 * =====
 *
 * Flows are only put for, and only lead to, devices that are attached: from
 * "port_attach", when the device's port is part of the datapath, to
 * "port_detach", after which the pointer may not be used any longer than an
 * RCU grace period.  Detaching ends the flows of that port.  Flows of other
 * ports that lead to it cease to be in force: they keep their counters until
 * Open vSwitch deletes them, and their packets go up.
 *
 * Flows may also lead to ports of other types (an uplink, the bridge's own
 * port), which are named by their number in the datapath of the packet thread
 * that has the packet.  A backend hands packets for them to
 * pmd_forward_output() (pmd-forward.h, in the patches), which drops what is
 * for a port that is gone, as the datapath does; or it refuses such flows with
 * VIRTNET_FLOW_OUTPUT_OTHER.
 *
 * And flows may come from ports of other types, if the backend has functions
 * for "uplinks".  "uplink_create" returns what stands for such a port as 'in'
 * of the other functions, and is no device otherwise; "uplink_recv" is shown
 * all packets that the port receives.
 *
 *
 * Threads
 * =======
 *
 * "port_attach" and "port_detach" are called by the main thread, and by that
 * thread only.  All others may be called by any thread, several at a time, but
 * not by packet threads; they may take locks, and must not wait for packet
 * threads.  The devices that they are passed were obtained under RCU by the
 * caller, who does not quiesce meanwhile.
 *
 *
 * Errors
 * ======
 *
 * 0, or a positive errno value, as in Open vSwitch's interfaces: ENOENT for a
 * flow that does not exist, EOPNOTSUPP for one that is refused, ENODEV for a
 * device that is not attached. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "odp-netlink.h"
#include "openvswitch/types.h"

struct dp_packet_batch;
struct ds;
struct match;
struct nlattr;
struct virtnet_device;

/* Why a flow is not offloaded: name of the counter, text for the operator. */
#define VIRTNET_FLOW_REASONS                                                  \
    R(NONE, "none", "no reason")                                              \
    R(MATCH_RECIRC, "match_recirc", "matches packets that OVS recirculates")  \
    R(MATCH_TUNNEL, "match_tunnel", "matches metadata of tunnels")            \
    R(MATCH_CT, "match_ct", "matches state of connections")                   \
    R(MATCH_MPLS, "match_mpls", "matches MPLS labels")                        \
    R(MATCH_NSH, "match_nsh", "matches a network service header")             \
    R(MATCH_METADATA, "match_metadata", "matches other metadata")             \
    R(MATCH_SAME_ID, "match_same_id", "has the UFID of another flow")         \
    R(INPUT_OTHER, "input_other", "leads to no port of type virtio-emu")      \
    R(OUTPUT_OTHER, "output_other", "outputs to a port of another type")      \
    R(OUTPUT_NONE, "output_none", "outputs to a port that is not attached")   \
    R(ACTION_CT, "action_ct", "tracks connections")                           \
    R(ACTION_METER, "action_meter", "meters")                                 \
    R(ACTION_RECIRC, "action_recirc", "recirculates")                         \
    R(ACTION_TUNNEL, "action_tunnel", "enters or leaves a tunnel")            \
    R(ACTION_USERSPACE, "action_userspace", "sends packets to userspace")     \
    R(ACTION_SAMPLE, "action_sample", "samples packets")                      \
    R(ACTION_SET, "action_set", "sets a field that cannot be set")            \
    R(ACTION_OTHER, "action_other", "has an action that is not supported")    \
    R(ACTION_COUNT, "action_count", "has too many actions")                   \
    R(NOT_ATTACHED, "not_attached", "comes from a port that is not attached") \
    R(NO_SPACE, "no_space", "would be one flow more than fit")

enum virtnet_flow_reason {
#define R(ENUM, NAME, TEXT) VIRTNET_FLOW_##ENUM,
    VIRTNET_FLOW_REASONS
#undef R
    VIRTNET_FLOW_N_REASONS
};

/* Actions. */
enum virtnet_flow_action_type {
    VIRTNET_FLOW_OUTPUT,        /* 'dev'. */
    VIRTNET_FLOW_OUTPUT_PORT,   /* 'port'. */
    VIRTNET_FLOW_PUSH_VLAN,     /* 'vlan'. */
    VIRTNET_FLOW_POP_VLAN,
    VIRTNET_FLOW_SET_ETH,       /* The others: their key and mask. */
    VIRTNET_FLOW_SET_IPV4,
    VIRTNET_FLOW_SET_IPV6,
    VIRTNET_FLOW_SET_TCP,
    VIRTNET_FLOW_SET_UDP,
    VIRTNET_FLOW_SET_SCTP,
    VIRTNET_FLOW_SET_ARP,
    VIRTNET_FLOW_SET_ND,
};

/* One action.  In those that set fields, key[0] is the value, whose bits
 * outside of the mask key[1] are zero; the structures are those of Open
 * vSwitch's netlink attributes, of which fields that cannot be set (IP
 * protocol, fragment) are to be ignored.  Padding is zero. */
struct virtnet_flow_action {
    enum virtnet_flow_action_type type;
    union {
        struct virtnet_device *dev;
        odp_port_t port;
        struct ovs_action_push_vlan vlan;
        struct ovs_key_ethernet eth[2];
        struct ovs_key_ipv4 ipv4[2];
        struct ovs_key_ipv6 ipv6[2];
        struct ovs_key_tcp tcp[2];
        struct ovs_key_udp udp[2];
        struct ovs_key_sctp sctp[2];
        struct ovs_key_arp arp[2];
        struct ovs_key_nd nd[2];
    };
};

static inline bool
virtnet_flow_is_output(const struct virtnet_flow_action *a)
{
    return (a->type == VIRTNET_FLOW_OUTPUT
            || a->type == VIRTNET_FLOW_OUTPUT_PORT);
}

/* What is done to a packet, in this order.  Without any output the packet is
 * dropped. */
#define VIRTNET_FLOW_MAX_ACTIONS 64
struct virtnet_flow_actions {
    size_t n;
    struct virtnet_flow_action actions[VIRTNET_FLOW_MAX_ACTIONS];
};

struct virtnet_flow_stats {
    uint64_t n_packets;
    uint64_t n_bytes;
    long long int used;         /* time_msec() of the last packet, or 0. */
    uint16_t tcp_flags;         /* All that were seen. */
    bool in_force;              /* Does the backend forward its packets? */
};

struct virtnet_flow_class {
    /* Attaches 'dev', which has a port in the datapath now, or detaches it.
     * Mandatory. */
    int (*port_attach)(struct virtnet_device *dev);
    void (*port_detach)(struct virtnet_device *dev);

    /* Puts, or modifies, the flow 'ufid', which takes the packets that 'in'
     * sends to the switch and that match 'match' (whose in_port is that of
     * 'in').  If 'actions' is NULL the flow is one that cannot be taken, for
     * 'reason': then, if it exists, it ceases to be in force.
     *
     * Returns 0 if the flow exists afterwards, in force or not.  A flow that
     * exists already is never refused, because its counters would be lost: if
     * its new form cannot be taken it is kept, but not in force.  If the flow
     * is not in force, or not taken, '*reason' tells why.  If 'stats' is
     * nonnull the counters are stored there.  Mandatory. */
    int (*put)(struct virtnet_device *in, const ovs_u128 *ufid,
               const struct match *match,
               const struct virtnet_flow_actions *actions,
               struct virtnet_flow_stats *stats,
               enum virtnet_flow_reason *reason);

    /* Deletes a flow.  If 'stats' is nonnull its counters are stored there;
     * packets that are on their way may be missing in them.  Mandatory. */
    int (*del)(struct virtnet_device *in, const ovs_u128 *ufid,
               struct virtnet_flow_stats *stats);

    /* Stores the counters of a flow in '*stats'.  Called for every flow many
     * times, from several threads: it should not take locks.  Mandatory. */
    int (*get)(struct virtnet_device *in, const ovs_u128 *ufid,
               struct virtnet_flow_stats *stats);

    /* Ends all flows of 'in', or of all devices if it is NULL.  Mandatory. */
    int (*flush)(struct virtnet_device *in);

    /* Calls 'cb' for each flow of 'in', with what was put, until it returns
     * false.  'cb' must not call functions of this class.  Mandatory. */
    void (*dump)(struct virtnet_device *in,
                 bool (*cb)(const ovs_u128 *ufid, const struct match *,
                            const struct virtnet_flow_actions *,
                            const struct virtnet_flow_stats *, void *aux),
                 void *aux);

    /* Number of flows of 'in', or of all devices if it is NULL.
     * Mandatory. */
    uint64_t (*count)(struct virtnet_device *in);

    /* Ports of other types.  Optional.
     *
     * "uplink_create" returns what stands for a port that is named 'name' for
     * the operator.  "uplink_recv", which packet threads call within
     * rxq_recv() of the port's netdev, takes out of 'batch', which has at
     * least one packet, those that it forwards, and leaves the rest in order.
     * "uplink_destroy" deletes the flows, and frees after a grace period. */
    struct virtnet_device *(*uplink_create)(const char *name);
    void (*uplink_destroy)(struct virtnet_device *);
    void (*uplink_recv)(struct virtnet_device *, struct dp_packet_batch *);

    /* Appends to '*s' what an operator may want to know.  Mandatory. */
    void (*format)(struct ds *s);
};

/* For backends. */

/* Has the flow 'ufid' of 'in' deleted, by "del", because of "port_detach" or
 * "flush".  Whoever counts its packets takes over its counters with that, so
 * that at no time they are nowhere.  If nobody knows it, it is the backend's
 * to delete.  No locks of the backend are held that its functions take.  Any
 * thread. */
void virtnet_flow_end(const ovs_u128 *ufid, struct virtnet_device *in);

/* For the glue in ofproto-hooks/. */

/* Has 'cb' called by virtnet_flow_end().  Main thread, once, before there are
 * flows. */
typedef void virtnet_flow_end_cb(const ovs_u128 *ufid,
                                 struct virtnet_device *in);
void virtnet_flow_set_end_cb(virtnet_flow_end_cb *);

/* Compiles the 'len' bytes of OVS_ACTION_ATTR_* at 'actions' into '*out'.
 * 'port_to_dev' finds the device that a port number of the datapath leads to;
 * it returns NULL if that is none, and stores a reason why the flow cannot be
 * offloaded, or VIRTNET_FLOW_NONE if it is a port of another type.  Returns
 * VIRTNET_FLOW_NONE, or why it cannot be done.  Any thread. */
enum virtnet_flow_reason virtnet_flow_compile(
    const struct nlattr *actions, size_t len,
    struct virtnet_device *(*port_to_dev)(odp_port_t port, void *aux,
                                          enum virtnet_flow_reason *),
    void *aux, struct virtnet_flow_actions *out);

/* Does any of 'actions' lead to a device? */
bool virtnet_flow_has_device(const struct virtnet_flow_actions *actions);

/* Counts a flow that was refused, for "virtnet/offload-show" and the coverage
 * counters.  Any thread. */
void virtnet_flow_count_refusal(enum virtnet_flow_reason);

/* Text for the operator. */
const char *virtnet_flow_reason_text(enum virtnet_flow_reason);

/* Registers "virtnet/offload-show".  Main thread. */
void virtnet_flow_init(void);

#endif /* virtnet-flow-provider.h */
