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

/* Shares of the datapath's flows in the counters of an offloaded flow.
 *
 * Each packet thread of the datapath has flows of its own, so there may be
 * several for the same packets of the same port.  The backend has one flow for
 * all of them, with one set of counters.  If each of them reported those as
 * its own, Open vSwitch would count packets twice.  So what is new since the
 * counters were last read goes to the flow on whose behalf they are read, and
 * stays its own from then on: the sum is exact whoever asks.
 *
 * Both interfaces for offload name a flow by a pointer to its UFID, which is a
 * member of the datapath's flow.  So the address tells which of those that
 * share the UFID it is.  Whoever adds a flow holds a reference to it until it
 * is removed, so that no other can have the address meanwhile.
 *
 * Threads: any; there is a lock inside. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/types.h"

struct netdev;
struct virtnet_flow_stats;

/* Adds 'flow', of which 'ufid' is a member and which belongs to packet thread
 * 'pmd_id', to those that share the UFID.  'in' is their input port.  If that
 * thread has one already it is removed and returned; which may be 'flow'
 * itself, whose share remains then. */
void *offload_share_add(const struct netdev *in, const ovs_u128 *ufid,
                        unsigned int pmd_id, void *flow);

/* Removes the flow that 'ufid' is a member of.  Returns false if it is not
 * there.  '*lastp' is set to true if no other is left. */
bool offload_share_remove(const ovs_u128 *ufid, bool *lastp);

/* Replaces the number of packets and bytes in '*stats', which are those of all
 * flows that share the UFID, by the share of the one that 'ufid' is a member
 * of.  Returns false, with '*stats' unchanged, if that is not there. */
bool offload_share_stats(const ovs_u128 *ufid,
                         struct virtnet_flow_stats *stats);

/* Is called, with a lock held, for flows that are removed. */
typedef void offload_share_release_func(void *flow, unsigned int pmd_id,
                                        void *aux);

/* Removes all flows that share the UFID. */
void offload_share_remove_all(const ovs_u128 *ufid,
                              offload_share_release_func *, void *aux);

/* Removes all flows that share any UFID with input port 'in'. */
void offload_share_flush(const struct netdev *in,
                         offload_share_release_func *, void *aux);

#endif /* offload-share.h */
