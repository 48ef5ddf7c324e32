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

/* The end of netdevs of the class "virtio-emu", which is the main thread's.
 * See virtio_emu_close_unused(). */

#include <config.h>

#include "netdev-virtio-private.h"

#include "coverage.h"
#include "netdev-virtio-emu.h"
#include "openvswitch/poll-loop.h"

COVERAGE_DEFINE(virtio_emu_held);

/* How often (ms) to look for netdevs whose port has gone while another thread
 * has a reference, as nothing tells when that ends. */
#define HELD_RECHECK_MS 10

/* Contains "struct netdev_virtio_emu"s, to each of which we have a
 * reference. */
static struct ovs_list held = OVS_LIST_INITIALIZER(&held);

/* Does another thread keep any of them? */
static bool waiting;

void
virtio_emu_hold(struct netdev_virtio_emu *nd)
{
    if (ovs_list_is_empty(&nd->hold_node)) {
        netdev_ref(&nd->up);
        ovs_list_push_back(&held, &nd->hold_node);
    }
}

/* Are we the only ones who have a reference to 'nd'?  Who has none cannot get
 * any but by the name, and only the main thread does that.
 *
 * The counter is no atomic type, so ovs-atomic.h has nothing for it, and its
 * mutex is netdev.c's own. */
static bool
is_unused(const struct netdev_virtio_emu *nd)
{
    return __atomic_load_n(&nd->up.ref_cnt, __ATOMIC_RELAXED) == 1;
}

bool
virtio_emu_is_removed(const struct netdev_virtio_emu *nd)
{
    return !nd->up.node         /* See netdev_remove(). */
           || is_unused(nd);
}

void
virtio_emu_close_unused(void)
{
    struct netdev_virtio_emu *nd;

    waiting = false;
    LIST_FOR_EACH_SAFE (nd, hold_node, &held) {
        if (is_unused(nd)) {
            ovs_list_remove(&nd->hold_node);
            ovs_list_init(&nd->hold_node);
            netdev_close(&nd->up);
        } else if (!nd->up.node) {
            COVERAGE_INC(virtio_emu_held);
            waiting = true;
        }
    }
}

void
virtio_emu_close_unused_wait(void)
{
    if (waiting) {
        poll_timer_wait(HELD_RECHECK_MS);
    }
}
