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

/* Those to which we have a reference.  An array, since each turn of the main
 * loop looks at all of them: through a list a thousand that are not in the
 * cache would have to be waited for one after another. */
static struct netdev_virtio_emu **held;
static size_t n_held, allocated_held;

/* Does another thread keep any of them? */
static bool waiting;

void
virtio_emu_hold(struct netdev_virtio_emu *nd)
{
    if (!nd->held) {
        if (n_held >= allocated_held) {
            held = x2nrealloc(held, &allocated_held, sizeof *held);
        }
        netdev_ref(&nd->up);
        held[n_held++] = nd;
        nd->held = true;
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
    waiting = false;
    for (size_t i = n_held; i-- > 0; ) {
        struct netdev_virtio_emu *nd = held[i];

        if (is_unused(nd)) {
            held[i] = held[--n_held];
            nd->held = false;
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
