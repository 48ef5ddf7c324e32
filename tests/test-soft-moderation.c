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

/* When drivers are notified (soft/soft-moderation.h). */

#include <config.h>
#undef NDEBUG

#include "soft-moderation.h"

#include <assert.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <string.h>

#include "util.h"
#include "virtnet-device.h"

static struct virtnet_device_config config;
static struct soft_moderation m;
static struct soft_dim dim;
static uint64_t now;            /* TSC cycles. */

static uint64_t
us(uint64_t n)
{
    return n * (rte_get_tsc_hz() / 1000000);
}

static void
start(uint32_t period, uint32_t max_count, int mode, bool adaptive)
{
    config.cq_period = period;
    config.cq_max_count = max_count;
    config.cq_period_mode = mode;
    config.dim = adaptive;
    soft_moderation_set(&m, &config);
    memset(&dim, 0, sizeof dim);
    now = us(1000000);
}

/* 'n' packets come 'after' microseconds.  Is the driver not told of them? */
static bool
delays(uint64_t after, uint32_t n)
{
    now += us(after);
    return soft_moderation_delays(&m, &dim, n, now);
}

static void
test_off(void)
{
    start(0, 0, 0, false);
    for (int i = 0; i < 100; i++) {
        assert(!delays(0, 32));
    }

    /* Every packet is a count of one. */
    start(0, 1, 0, false);
    assert(!delays(0, 1));
}

static void
test_period(void)
{
    start(100, 0, 1, false);
    assert(delays(0, 32));
    assert(!soft_dim_is_due(&dim, now + us(99)));
    assert(soft_dim_is_due(&dim, now + us(100)));
    assert(delays(50, 1));
    assert(delays(49, 1));
    assert(!delays(1, 1));
    assert(!soft_dim_is_due(&dim, UINT64_MAX));

    /* The next period begins with the next packet. */
    assert(delays(1000, 1));
    assert(delays(99, 1));
    assert(!delays(1, 1));

    /* One that is too long ends all the same. */
    start(1000000, 0, 1, false);
    assert(delays(0, 1));
    assert(delays(4094, 1));
    assert(!delays(1, 1));
}

static void
test_count(void)
{
    start(1000, 10, 1, false);
    assert(delays(0, 9));
    assert(!delays(1, 1));
    assert(delays(1, 9));
    assert(!delays(1, 5));
    assert(!delays(1, 32));

    /* Without a period, the wait does not last forever. */
    start(0, 10, 1, false);
    assert(delays(0, 9));
    assert(soft_dim_is_due(&dim, now + us(4095)));
}

static void
test_upon_cqe(void)
{
    unsigned int n = 0;

    start(100, 0, 2, false);
    assert(delays(0, 1));
    while (delays(99, 1)) {
        n++;
    }
    assert(n >= 10 && n < 17);
    assert(delays(1, 1));
    assert(!delays(100, 1));
}

/* Returns how many of 'n' bursts of 'size', one each 'interval', cause a
 * notification. */
static unsigned int
notifications(unsigned int n, unsigned int interval, uint32_t size)
{
    unsigned int n_notified = 0;

    for (unsigned int i = 0; i < n; i++) {
        n_notified += !delays(interval, size);
    }
    return n_notified;
}

static void
test_adaptive(void)
{
    start(0, 0, 0, true);

    /* A packet now and then is not kept waiting. */
    assert(notifications(100, 1000, 1) == 100);

    /* The more there are, the fewer notifications a packet costs. */
    notifications(200, 20, 1);
    unsigned int some = notifications(1000, 20, 1);
    notifications(2000, 2, 4);
    unsigned int many = notifications(1000, 2, 4);
    assert(some < 1000);
    assert(many < some / 4);
    assert(many > 0);

    /* And back again. */
    notifications(10, 1000, 1);
    assert(notifications(100, 1000, 1) == 100);
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    char *eal_argv[] = {
        argv[0], "--no-huge", "--no-shconf", "-m", "32", "--no-pci",
        "--no-telemetry", "--log-level=4", NULL
    };

    set_program_name(argv[0]);
    assert(rte_eal_init(ARRAY_SIZE(eal_argv) - 1, eal_argv) >= 0);
    test_off();
    test_period();
    test_count();
    test_upon_cqe();
    test_adaptive();
    return 0;
}
