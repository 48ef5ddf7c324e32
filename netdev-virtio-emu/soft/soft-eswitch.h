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

#ifndef SOFT_ESWITCH_H
#define SOFT_ESWITCH_H 1

/* The software eSwitch: forwards the packets of flows that Open vSwitch has
 * offloaded, between devices of the soft backend, and from and to other ports
 * of the same datapath.
 *
 *   - soft-eswitch.c: what packet threads call.
 *
 *   - soft-eswitch-flow.c: ports, and flows as virtnet-flow-provider.h has
 *     them.
 *
 *   - soft-eswitch-key.c: what is looked at in a packet.
 *
 *   - soft-eswitch-table.c: flows, their counters, and how they are found.
 *
 *   - soft-eswitch-action.c: what is done to a packet.
 *
 *   - soft-uplink.c: ports of other types that packets come from.
 *
 * Where it stands
 * ===============
 *
 * Behind the receive queue of a representor: what the guest has sent is first
 * shown to the eSwitch, which takes the packets that it has a flow for, and
 * the rest goes on to Open vSwitch.  The port's own counters have them all, as
 * has the datapath's view of ports without offload.
 *
 * What goes out by a port of another type is handed to the datapath for that,
 * with the number of the port, and is sent as whatever the datapath puts out:
 * see pmd-forward.h.  So the eSwitch knows nothing of other netdevs, and there
 * is nothing of them that it could use when they are gone.
 *
 * Order
 * =====
 *
 * Packets of one flow of one receive queue stay in order, also when the flow
 * is offloaded while they come in: those that Open vSwitch gets left the port
 * before, unless it is told to hold packets back (other_config:tx-flush-
 * interval).
 *
 * Threads
 * =======
 *
 * Packet threads: soft_eswitch_run(), soft_eswitch_find().  They read what is
 * RCU-protected, and count in what is theirs.  Any other thread, under the
 * eSwitch's lock, changes flows.  The main thread has the ports. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ovs-atomic.h"
#include "soft-eswitch-action.h"
#include "soft-eswitch-key.h"

struct dp_packet_batch;
struct soft_flow;
struct soft_port;
struct virtnet_device;

extern const struct virtnet_flow_class soft_flow_class;

/* Ports.  Each device has one from birth to its memory's end. */
struct soft_port *soft_port_create(struct virtnet_device *);
void soft_port_destroy(struct soft_port *);

/* Says that 'port' is one of another type, whose packets are as a netdev of
 * that type left them. */
void soft_port_set_foreign(struct soft_port *port);

/* Has the port any flows?  If not there is no need to call the rest. */
bool soft_port_has_flows(const struct soft_port *);

/* Ends 'max' of the port's flows.  It gets no others, until it is attached
 * anew.  Takes a microsecond or two for each. */
void soft_port_end_flows(struct soft_port *, size_t max);

/* Packets that are in buffers of ours.
 *
 * Takes out of 'batch', which 'port' has received and which holds at least one
 * packet, those that the eSwitch forwards, and forwards them.  The rest stays,
 * in order. */
void soft_eswitch_run(struct soft_port *port, struct dp_packet_batch *batch);

/* Packets that are still in buffers of a guest.
 *
 * Looks up 'n' frames, at most 32, whose data, sizes and headroom are set, and
 * which have come from 'port'.  'partial' has the bit of each frame whose
 * transport checksum is to be completed.  Stores in 'actions' what is to be
 * done with each, or NULL if it must go to Open vSwitch, and in 'flows' the
 * flow, for soft_eswitch_count(), or NULL if it has none.  Returns the number
 * of frames to which something is to be done.
 *
 * Frames that have a flow and go to Open vSwitch nevertheless, since not
 * enough of them is there or they lack a header, take the later ones of their
 * flow with them.
 *
 * The caller carries the actions out: soft_action_rewrite() for all but
 * outputs.  Flows and actions are valid until the thread quiesces. */
size_t soft_eswitch_find(struct soft_port *port, struct soft_frame frames[],
                         size_t n, uint32_t partial,
                         struct soft_flow *flows[],
                         const struct soft_actions *actions[]);

/* Forwards and counts the packets of 'batch', which have been made of 'frames'
 * that soft_eswitch_find() has found 'flows' and 'actions' for.  Those that
 * are to be cut into segments, but not by their receivers, stay in 'batch',
 * and so do those of their flow that come later.
 * The thread must not have quiesced since. */
void soft_eswitch_execute(struct soft_port *port,
                          struct dp_packet_batch *batch,
                          struct soft_flow *const flows[],
                          const struct soft_actions *const actions[],
                          struct soft_frame frames[]);

/* Counts the 'n' frames of 'flows', of 'sizes[i]' bytes each before they were
 * rewritten, as forwarded; or, where the flow is NULL, as passed up.  No other
 * frame may have a flow here than those to which something was done.  All are
 * from 'port'.  The thread must not have quiesced since it found them. */
void soft_eswitch_count(struct soft_port *port,
                        struct soft_flow *const flows[],
                        const uint32_t sizes[], size_t n);

/* Returns a number that is this thread's alone, to choose transmit queues by:
 * 'qid' of the last call of soft_eswitch_set_queue_id(), so that frames of a
 * flow, of which the first go by way of Open vSwitch, go through the same
 * queue and cannot overtake each other. */
int soft_eswitch_queue_id(void);
void soft_eswitch_set_queue_id(int qid);

#endif /* soft-eswitch.h */
