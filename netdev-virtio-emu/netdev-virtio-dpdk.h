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

#ifndef NETDEV_VIRTIO_DPDK_H
#define NETDEV_VIRTIO_DPDK_H 1

/* Packets of a port of type virtio-emu by way of DPDK.
 *
 * Where the representor of a device can be a port of DPDK, a netdev of Open
 * vSwitch's own type "dpdk" within ours is that port: its queues, buffers,
 * counters, policers, link and whatever versions of Open vSwitch know besides
 * are those that an operator of DPDK ports is used to, and none of it is done
 * a second time here.  It is called like the port, with ".dpdk" at the end,
 * and is known to no bridge.
 *
 * Otherwise the backend of the device moves the packets, and the reason is in
 * the port's status.  Which of the two it is, is decided when the port gets
 * its device, and again when the device gets another representor.
 *
 * Flows
 * =====
 *
 * Open vSwitch's provider for DPDK offloads flows of the port by rte_flow as
 * if it were one of DPDK: the linker has its calls of netdev-dpdk come to
 * ofproto-hooks/offload-rep.c, and from there they go to the netdev within.
 * What it believes to be rules are ours: a port of DPDK may come and go under
 * a port of the switch, and its rules with it, while the provider, which has
 * no way to hear of that, keeps what it has been given and will ask for it to
 * be destroyed.
 *
 * Threads
 * =======
 *
 * Packet threads receive and send, and find the port of DPDK under RCU.  Flows
 * are anybody's.  All else is for the main thread. */

#include <stdbool.h>

#include "openvswitch/list.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"

struct dp_packet_batch;
struct netdev;
struct netdev_custom_stats;
struct netdev_rxq;
struct rte_flow;
struct rte_flow_action;
struct rte_flow_attr;
struct rte_flow_error;
struct rte_flow_item;
struct rte_flow_query_count;
struct smap;
struct sset;
struct virtnet_device;

/* A port of DPDK.  'rxqs' and 'n_rxq' change only while no packet thread has
 * the port. */
struct virtio_emu_dpdk {
    struct netdev *netdev;      /* Of type "dpdk". */
    struct netdev_rxq **rxqs;
    int n_rxq;
    atomic_bool ready;          /* May packets go through? */

    /* Main thread only. */
    char *devargs;
    bool failed;                /* Is it of no use? */
    uint64_t change_seq;        /* Of 'netdev', when last looked at. */
};

/* Rules, in the hardware or not any more. */
struct virtio_emu_rules {
    struct ovs_rwlock rwlock;   /* Write-locked to change 'netdev'. */
    struct netdev *netdev;      /* To make rules on, or NULL. */
    struct ovs_mutex mutex;     /* For 'list'. */
    struct ovs_list list;       /* Contains "struct rule"s in the hardware. */
    bool ended;                 /* Have rules been taken out of it? */
};

/* Part of a netdev of type virtio-emu. */
struct virtio_emu_rep {
    OVSRCU_TYPE(struct virtio_emu_dpdk *) dpdk; /* NULL if there is none. */
    struct virtio_emu_rules rules;

    /* Main thread only. */
    struct ovs_list list_node;  /* In the list of those with 'dpdk'. */
    int ifindex;                /* What has been decided about, or 0. */
    char *refusal;              /* Why there is none, or NULL. */
    bool policed, shaped;       /* Is it to be, by netdev-virtio-qos.c? */
};

void virtio_emu_rep_init(struct virtio_emu_rep *);
void virtio_emu_rep_uninit(struct virtio_emu_rep *);

/* The port of DPDK, or NULL.  Any thread; valid until it quiesces. */
static inline struct virtio_emu_dpdk *
virtio_emu_rep_dpdk(const struct virtio_emu_rep *rep)
{
    return ovsrcu_get(struct virtio_emu_dpdk *, &rep->dpdk);
}

/* Life. */

/* Is there nothing to decide about 'dev'?  There is for each representor that
 * it has. */
bool virtio_emu_rep_is_decided(const struct virtio_emu_rep *,
                               const struct virtnet_device *dev);

/* Decides about 'dev': opens a port of DPDK, which passes packets when it has
 * been reconfigured, or has the device's backend move them, which is to let
 * them through if 'up'.  'name' is that of the port and 'args' are its
 * options. */
void virtio_emu_rep_decide(struct virtio_emu_rep *, struct virtnet_device *dev,
                           const char *name, const struct smap *args, bool up);

/* Closes the port of DPDK, if there is one.  Unless 'wait', somebody else does
 * so when no thread uses it any more. */
void virtio_emu_rep_close(struct virtio_emu_rep *, bool wait);

/* The port of DPDK has failed: closes it.  Then 'dev' is up to its backend. */
void virtio_emu_rep_give_up(struct virtio_emu_rep *,
                            struct virtnet_device *dev, bool up);

/* Cards whose first representor DPDK has refused are not tried again until
 * this is called. */
void virtio_emu_rep_forget(void);

/* Calls 'cb' for each that something has happened to. */
void virtio_emu_rep_run(void (*cb)(struct virtio_emu_rep *,
                                   struct virtio_emu_dpdk *));
void virtio_emu_rep_wait(void);

/* Adds what there is to know to 'status'. */
void virtio_emu_rep_get_status(const struct virtio_emu_rep *,
                               struct smap *status);

/* A port of DPDK. */

/* May the options of the port have 'option', which is one of its own? */
bool virtio_emu_dpdk_has_option(const char *option);

/* The options 'args' of the port have changed. */
void virtio_emu_dpdk_set_config(struct virtio_emu_dpdk *,
                                const struct smap *args);

/* Adds its counters to those in '*stats'. */
void virtio_emu_dpdk_add_custom_stats(const struct virtio_emu_dpdk *,
                                      struct netdev_custom_stats *stats);

/* Puts in force what has been asked for, with 'n_txq' transmit queues if there
 * can be so many.  No packet thread has the port.  Returns true if the port of
 * DPDK has been stopped for that. */
bool virtio_emu_rep_reconfigure(struct virtio_emu_rep *, int n_txq);

/* Are there flows whose rules have been taken out of the hardware, because
 * their port of DPDK stopped, and that it could have again?  Open vSwitch does
 * not offer a flow a second time.  Main thread; asked once it is no more. */
bool virtio_emu_reoffer_is_due(void);
void virtio_emu_reoffer_wait(void);

/* Packet threads.  As the members of "struct netdev_class", but that
 * virtio_emu_dpdk_send() returns false and leaves 'batch' alone if nothing can
 * be sent yet. */
int virtio_emu_dpdk_recv(struct virtio_emu_dpdk *, int qid,
                         struct dp_packet_batch *, int *qfill);
bool virtio_emu_dpdk_send(struct virtio_emu_dpdk *, int qid,
                          struct dp_packet_batch *, bool concurrent_txq);
bool virtio_emu_dpdk_is_ready(const struct virtio_emu_dpdk *);

/* Rules.  Any thread.  Those that are made before virtio_emu_rules_end() are
 * gone from the hardware after it; they are to be destroyed nevertheless, and
 * what they have counted can still be queried.  virtio_emu_rules_begin()
 * returns true if there are or have been such rules. */

bool virtio_emu_rules_begin(struct virtio_emu_rules *, struct netdev *);
void virtio_emu_rules_end(struct virtio_emu_rules *);

/* As functions of netdev-dpdk.h.  virtio_emu_rules_port_id() returns -1 if no
 * rules can be made. */
int virtio_emu_rules_port_id(struct virtio_emu_rules *);
struct rte_flow *virtio_emu_rules_create(struct virtio_emu_rules *,
                                         const struct rte_flow_attr *,
                                         const struct rte_flow_item *,
                                         const struct rte_flow_action *,
                                         struct rte_flow_error *);
int virtio_emu_rules_destroy(struct virtio_emu_rules *, struct rte_flow *,
                             struct rte_flow_error *);
int virtio_emu_rules_query_count(struct virtio_emu_rules *, struct rte_flow *,
                                 struct rte_flow_query_count *,
                                 struct rte_flow_error *);

/* Policing and QoS: members of "struct netdev_class" for our netdevs. */
int virtio_emu_set_policing(struct netdev *, unsigned int kbits_rate,
                            unsigned int kbits_burst, unsigned int kpkts_rate,
                            unsigned int kpkts_burst);
int virtio_emu_get_qos_types(const struct netdev *, struct sset *types);
int virtio_emu_get_qos(const struct netdev *, const char **typep,
                       struct smap *details);
int virtio_emu_set_qos(struct netdev *, const char *type,
                       const struct smap *details);

#endif /* netdev-virtio-dpdk.h */
