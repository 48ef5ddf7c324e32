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

#ifndef OFFLOAD_SHARE_H
#define OFFLOAD_SHARE_H 1

/* Counters of offloaded flows, as Open vSwitch is to see them.
 *
 * Shares
 * ======
 *
 * Each packet thread of the datapath has flows of its own, so there may be
 * several for the same packets of the same port.  The backend has one flow for
 * all of them, with one set of counters.  If each of them reported those as
 * its own, Open vSwitch would count packets twice.  So what is new since the
 * counters were last read goes to the flow on whose behalf they are read, and
 * stays its own from then on: the sum is exact whoever asks.
 *
 *
 * Ends
 * ====
 *
 * Open vSwitch reads the counters of a flow for the last time before it
 * deletes it, and adds them to those of OpenFlow rules.  Up to 3.6 another
 * thread deletes the backend's flow some time later.  What that forwards
 * meanwhile would not be counted.  So whoever deletes flows of the datapath
 * says so before, and asks afterwards for all that there was: the backend's
 * flow ends then, if nobody else has a share in it.  What it gets is not what
 * was read and something more but the sum, the datapath's own counters and
 * ours, so it does not matter who else has read meanwhile.  Nor does it if the
 * flow had no share before: one that it gets before it is deleted, most often
 * because its counters are read then for the first time, is known for what it
 * is.
 *
 * When the backend's flow ends first, because its port or the device behind it
 * goes, the counters must not go back: Open vSwitch, by version, subtracts the
 * difference from the rules' counters, or counts it again later.  They stay
 * here until the port goes, too: then Open vSwitch does not ask here any more,
 * and they become the datapath's own.  That cannot be one step for those who
 * read both, so they read with a lock (offload_share_read_lock()).
 *
 *
 * Names
 * =====
 *
 * Both interfaces for offload name a flow by a pointer to its UFID, which is a
 * member of the datapath's flow.  So the address tells which of those that
 * share the UFID it is.  There is a reference to each flow that has a share,
 * so that no other can have the address meanwhile.
 *
 * The UFID is made from the bits that a flow matches, and not from its masks:
 * where bits are zero, flows with different masks have the same.  Only the
 * first of them is offloaded.
 *
 *
 * Threads
 * =======
 *
 * Any.  There is a lock inside, with which functions of the backend and those
 * of "struct offload_share_class" are called. */

#include <stdbool.h>

#include "openvswitch/types.h"
#include "virtnet-flow-provider.h"

struct dpif_flow_stats;
struct flow_wildcards;
struct match;
struct virtnet_device;

/* What differs with the interface for offload. */
struct offload_share_class {
    /* Gives back the reference to 'flow' of packet thread 'pmd_id'. */
    void (*release)(void *flow, unsigned int pmd_id);

    /* The rest is for those of offload_share_prepare(), _delete() and _keep()
     * only. */

    /* Has the datapath deleted 'flow'? */
    bool (*is_dead)(const void *flow);

    /* Adds the own counters of 'flow' to '*stats'. */
    void (*add_own)(const void *flow, struct dpif_flow_stats *stats);

    /* Adds '*stats' to the own counters of 'flow', for the rest of whose life
     * Open vSwitch does not ask here. */
    void (*keep)(void *flow, const struct virtnet_flow_stats *stats);
};

/* Main thread, before anything else. */
void offload_share_init(const struct offload_share_class *);

/* A flow of the datapath that is offloaded. */
struct offload_share_flow {
    void *flow;
    unsigned int pmd_id;        /* Whose it is. */
    const ovs_u128 *mega_ufid;  /* Its member, the name of the backend's. */
    const ovs_u128 *ufid;       /* Its own name, or NULL if not known. */
    const void *port;           /* Of offload_share_keep(). */
};

/* Has the flow put by the backend 'class', see there, for 'flow', whose masks
 * are 'wc' and a reference to which the caller hands over.  If that thread has
 * a share in it already it is replaced, and returned with its reference in
 * '*oldp', which may be that of the same flow.  Else NULL is stored there.
 * Returns EEXIST if there is one with other masks. */
int offload_share_put(const struct virtnet_flow_class *class,
                      struct virtnet_device *dev, const struct match *match,
                      const struct virtnet_flow_actions *actions,
                      const struct flow_wildcards *wc,
                      const struct offload_share_flow *flow,
                      struct virtnet_flow_stats *stats,
                      enum virtnet_flow_reason *reason, void **oldp);

/* Gives 'flow', whose masks are 'wc', a share, if the backend has its flow.
 * Returns true if it does, and the reference is handed over; '*oldp' is as
 * above. */
bool offload_share_join(const struct flow_wildcards *wc,
                        const struct offload_share_flow *flow, void **oldp);

/* Stores what is to be reported for the flow that 'mega_ufid' is a member of
 * in '*stats'.  Returns ENOENT if it has no share. */
int offload_share_get(const ovs_u128 *mega_ufid,
                      struct virtnet_flow_stats *stats);

/* Removes the flow that 'mega_ufid' is a member of, whose reference goes to
 * the caller; the backend's is deleted if nobody else has a share.  Returns
 * ENOENT if it has none. */
int offload_share_remove(const ovs_u128 *mega_ufid);

/* Deletes the backend's flow with this name, if it exists, and the shares of
 * those flows that are dead.  Those that are not, and those about whose
 * deletion somebody will ask, keep theirs, and the counters.  Returns ENOENT
 * if nobody has one. */
int offload_share_delete(const ovs_u128 *mega_ufid);

/* The port of the datapath that is called 'port' in "struct
 * offload_share_flow" goes, whose flows the backend has ended: their counters
 * become the datapath's own, and the shares end.  No packet thread has packets
 * from it, and none of those who read counters is within
 * offload_share_get(). */
void offload_share_keep(const void *port);

/* Stores 'from' in '*to', as Open vSwitch has it. */
void offload_share_to_dpif(const struct virtnet_flow_stats *from,
                           struct dpif_flow_stats *to);

/* Around what reads counters, the datapath's own and ours, and is not a
 * deletion. */
void offload_share_read_lock(void);
void offload_share_read_unlock(void);

/* Announces that the flow of the datapath with the name 'ufid' that belongs to
 * packet thread 'pmd_id' is about to be deleted.  Returns what is to be passed
 * to offload_share_finish() then.  '*ufid' stays until then, and the caller
 * does not quiesce. */
struct share *offload_share_prepare(const ovs_u128 *ufid,
                                    unsigned int pmd_id);

/* If it was 'deleted', and has or had a share since it was prepared, makes of
 * '*stats', the counters that were read when it was deleted, all that there
 * are. */
void offload_share_finish(struct share *, bool deleted,
                          struct dpif_flow_stats *stats);

#endif /* offload-share.h */
