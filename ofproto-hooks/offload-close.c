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

/* Closing of netdevs whose flows are offloaded.  See offload-close.h. */

#include <config.h>

#include "offload-close.h"

#include "offload.h"
#include "openvswitch/list.h"
#include "openvswitch/netdev.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "netdev-provider.h"
#include "seq.h"
#include "util.h"

struct gone {
    struct ovs_list list_node;  /* In 'gone_netdevs'. */
    struct netdev *netdev;
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list gone_netdevs OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&gone_netdevs);
static struct seq *gone_seq;    /* Changes with 'gone_netdevs'. */
static uint64_t gone_seqno;     /* When last looked at.  Main thread. */

void
offload_close_soon(struct netdev *netdev)
{
    struct gone *gone = xmalloc(sizeof *gone);

    gone->netdev = netdev;
    ovs_mutex_lock(&mutex);
    ovs_list_push_back(&gone_netdevs, &gone->list_node);
    ovs_mutex_unlock(&mutex);
    seq_change(gone_seq);
}

void
offload_close_later(struct netdev *netdev)
{
    ovsrcu_postpone(offload_close_soon, netdev);
}

void
offload_run(void)
{
    struct ovs_list list;
    struct gone *gone;

    if (!gone_seq) {
        gone_seq = seq_create();
    }
    gone_seqno = seq_read(gone_seq);
    ovs_mutex_lock(&mutex);
    ovs_list_move(&list, &gone_netdevs);
    ovs_list_init(&gone_netdevs);
    ovs_mutex_unlock(&mutex);
    LIST_FOR_EACH_POP (gone, list_node, &list) {
        netdev_close(gone->netdev);
        free(gone);
    }
}

void
offload_wait(void)
{
    seq_wait(gone_seq, gone_seqno);
}
