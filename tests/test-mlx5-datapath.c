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

/* Tests virtqueues and receive tables on the model of the firmware. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "fw-model.h"
#include "mlx5-datapath.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "virtnet-device.h"

#define PAIRS 3

static const char *const names[] = { FW_MANAGER };

/* A function with a driver, its SF, and a datapath for it. */
struct setup {
    struct mlx5_devx *manager, *sf;
    struct mlx5_emu_caps caps;
    struct mlx5_devx_obj *emu;
    struct mlx5_emu_state state;
    struct mlx5_datapath *dp;
    struct fw_fn *fn;
};

static const struct eth_addr own = ETH_ADDR_C(02,00,00,00,00,64);
static const struct eth_addr other = ETH_ADDR_C(02,00,00,00,00,99);
static const struct eth_addr group = ETH_ADDR_C(01,00,5e,00,00,01);
static const struct eth_addr group2 = ETH_ADDR_C(01,00,5e,00,00,02);

/* Has the driver been there before? */
static bool resume;

static int
setup(struct setup *s, char **err)
{
    struct mlx5_rx_filter filter = { .promisc = true, .mac = own };
    int error;

    memset(s, 0, sizeof *s);
    s->fn = fw_host_find(FW_STATIC_PF(0));
    error = mlx5_emu_discover(&fw_model_class, names, 1, &s->manager,
                              &s->caps, err);
    if (!error) {
        error = mlx5_devx_open(&fw_model_class, "mlx5_10", &s->sf, err);
    }
    if (!error) {
        error = mlx5_emu_manage(s->manager, &s->caps, FW_STATIC_PF(0), false,
                                &s->emu, err);
    }
    if (!error) {
        error = mlx5_emu_query(s->emu, 2 * PAIRS, &s->state, err);
    }
    if (!error) {
        s->dp = mlx5_datapath_create(s->manager, s->sf, FW_SF_VHCA(0),
                                     &s->caps, FW_STATIC_PF(0), s->emu,
                                     &s->state, 2 * PAIRS, &filter);
        if (resume) {
            mlx5_datapath_resume(s->dp);
        }
        do {
            error = mlx5_datapath_start(s->dp, err);
        } while (error == 1);
    }
    return error;
}

static void
teardown(struct setup *s)
{
    mlx5_datapath_destroy(s->dp);
    mlx5_emu_state_uninit(&s->state);
    mlx5_devx_destroy(&s->emu);

    /* Those that could not be destroyed may be in use by others. */
    for (int i = 0; i < 2; i++) {
        if (s->sf) {
            mlx5_devx_reap(s->sf);
        }
        if (s->manager) {
            mlx5_devx_reap(s->manager);
        }
    }
    assert(!fw_n_objects());
    mlx5_devx_close(s->sf);
    mlx5_devx_close(s->manager);
    assert(!fw_n_open());
}

static void
create_model(bool on_manager, unsigned int n_pairs)
{
    struct fw_config config = {
        .n_static_pfs = 1, .n_sfs = 1, .max_queues = 2 * PAIRS + 1,
        .on_manager = on_manager,
    };

    fw_model_create(&config);
    assert(fw_host_probe(fw_host_find(FW_STATIC_PF(0)), UINT64_MAX, n_pairs,
                         128));
}

/* Does a packet to 'mac' in 'vid' arrive in one of the first 'n' queues, and
 * are all of these used? */
static bool
arrives(const struct setup *s, struct eth_addr mac, uint16_t vid,
        unsigned int n)
{
    unsigned int used = 0;

    for (uint32_t hash = 0; hash < 64; hash++) {
        int queue = fw_rx_queue(s->fn, mac.ea, vid, hash);

        if (queue < 0) {
            return false;
        }
        assert(queue % 2 == 0 && queue < (int) (2 * n));
        used |= 1u << queue / 2;
    }
    assert(used == (1u << n) - 1);
    return true;
}

static void
test_queues(bool on_manager)
{
    struct virtnet_queue_info info = { .index = 0 };
    uint8_t queue_error;
    char *err = NULL;
    struct setup s;

    create_model(on_manager, 2);
    if (setup(&s, &err)) {
        ovs_fatal(0, "%s (%s)", err, fw_last_refusal());
    }

    /* Those that the driver has enabled. */
    for (unsigned int i = 0; i < 2 * PAIRS; i++) {
        assert(fw_queue_is_running(s.fn, i) == (i < 4));
        assert(!mlx5_datapath_queue(s.dp, i) == (i >= 4));
    }
    assert(arrives(&s, own, 0, 1));
    assert(arrives(&s, other, 7, 1));

    /* Pairs. */
    assert(!mlx5_datapath_set_pairs(s.dp, 2, &err));
    assert(arrives(&s, other, 0, 2));
    assert(mlx5_datapath_set_pairs(s.dp, 0, &err) == -EINVAL);
    free(err);
    assert(mlx5_datapath_set_pairs(s.dp, PAIRS + 1, &err) == -EINVAL);
    free(err);
    assert(arrives(&s, other, 0, 2));
    assert(!mlx5_datapath_set_pairs(s.dp, 1, &err));
    assert(arrives(&s, other, 0, 1));

    /* Counters and errors. */
    fw_queue_count(s.fn, 2, 41);
    assert(!mlx5_datapath_query(s.dp, 2, &info, &queue_error, &err));
    assert(info.received_desc == 41 && !queue_error);
    assert(!mlx5_datapath_query(s.dp, 5, &info, &queue_error, &err));
    fw_queue_error(s.fn, 2);
    assert(!mlx5_datapath_query(s.dp, 2, &info, &queue_error, &err));
    assert(queue_error == 2);
    teardown(&s);
    fw_model_destroy();
}

static void
expect_periods(const struct setup *s, uint32_t q0, uint32_t q1, uint32_t q2,
               uint32_t q3)
{
    const uint32_t expected[] = { q0, q1, q2, q3 };

    for (unsigned int i = 0; i < 4; i++) {
        uint32_t usecs, max_count;

        fw_queue_get_period(s->fn, i, &usecs, &max_count);
        assert(usecs == expected[i]);
        assert(max_count == (usecs ? usecs + 1 : 0));
    }
}

static void
test_period(void)
{
    struct mlx5_period period = { .usecs = 50, .max_count = 51 };
    char *err = NULL;
    struct setup s;

    create_model(false, 2);
    assert(!setup(&s, &err));
    assert(!mlx5_datapath_set_period(s.dp, MLX5_RX_QUEUES, &period, &err));
    expect_periods(&s, 50, 0, 50, 0);
    period.usecs = 60;
    period.max_count = 61;
    assert(!mlx5_datapath_set_period(s.dp, MLX5_TX_QUEUES, &period, &err));
    expect_periods(&s, 50, 60, 50, 60);
    assert(!mlx5_datapath_set_period(s.dp, 2, &period, &err));
    expect_periods(&s, 50, 60, 60, 60);

    /* All or nothing. */
    period.usecs = 70;
    period.max_count = 71;
    fw_fail_at(2, 0);
    assert(mlx5_datapath_set_period(s.dp, MLX5_RX_QUEUES, &period, &err) < 0);
    assert(fw_failed() && err);
    free(err);
    err = NULL;
    expect_periods(&s, 50, 60, 60, 60);
    period.usecs = MLX5_PERIOD_MAX_USECS + 1;
    assert(mlx5_datapath_set_period(s.dp, 1, &period, &err) == -EINVAL);
    free(err);
    expect_periods(&s, 50, 60, 60, 60);
    teardown(&s);
    fw_model_destroy();
}

/* Puts 'f' in force, in whatever steps that takes. */
static int
set_filter(struct setup *s, const struct mlx5_rx_filter *f, char **errp)
{
    int error;

    do {
        error = mlx5_datapath_set_filter(s->dp, f, errp);
        assert(error <= 0 || !*errp);
    } while (error > 0);
    return error;
}

static void
test_filter(bool on_manager)
{
    struct mlx5_rx_filter f = { .mac = own };
    unsigned int n_flows;
    char *err = NULL;
    struct setup s;

    create_model(on_manager, 2);
    assert(!setup(&s, &err));

    /* Its own address and broadcast. */
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, own, 0, 1) && arrives(&s, own, 5, 1));
    assert(arrives(&s, eth_addr_broadcast, 0, 1));
    assert(!arrives(&s, other, 0, 1) && !arrives(&s, group, 0, 1));

    /* Tables. */
    f.macs[f.n_macs++] = other;
    f.macs[f.n_macs++] = group;
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, other, 0, 1) && arrives(&s, group, 0, 1));
    assert(!arrives(&s, group2, 0, 1));
    f.nomulti = true;
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, other, 0, 1) && !arrives(&s, group, 0, 1));
    f.nouni = f.nobcast = true;
    assert(!set_filter(&s, &f, &err));
    assert(!arrives(&s, own, 0, 1) && !arrives(&s, eth_addr_broadcast, 0, 1));
    assert(!fw_n_objects_of(0x10002));
    f.allmulti = true;
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, group2, 0, 1) && !arrives(&s, own, 0, 1));
    f.alluni = true;
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, other, 0, 1));

    /* VLANs. */
    f = (struct mlx5_rx_filter) { .mac = own, .vlan_filter = true };
    f.vlans = bitmap_allocate(4096);
    bitmap_set1(f.vlans, 10);
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, own, 0, 1) && arrives(&s, own, 10, 1));
    assert(!arrives(&s, own, 11, 1));
    f.promisc = true;
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, other, 10, 1) && !arrives(&s, other, 11, 1));

    /* More than is good: all VLANs. */
    bitmap_set_multiple(f.vlans, 1, 4000, true);
    assert(!set_filter(&s, &f, &err));
    assert(arrives(&s, other, 4090, 1));

    /* Twice the same address: once. */
    f.promisc = f.vlan_filter = false;
    assert(!set_filter(&s, &f, &err));
    n_flows = fw_n_objects_of(0x10002);
    f.macs[0] = own;
    f.macs[1] = eth_addr_broadcast;
    f.n_macs = 2;
    assert(!set_filter(&s, &f, &err));
    assert(fw_n_objects_of(0x10002) == n_flows);

    /* Stopped in the middle of it, when some have come and none has gone. */
    f.macs[0] = other;
    f.macs[1] = group;
    assert(mlx5_datapath_set_filter(s.dp, &f, &err) == 1);
    assert(fw_n_objects_of(0x10002) > n_flows);
    assert(arrives(&s, own, 0, 1));

    bitmap_free(f.vlans);
    teardown(&s);
    fw_model_destroy();
}

/* A driver may ask for anything. */
static void
test_bad_layout(void)
{
    char *err = NULL;
    struct setup s;

    create_model(false, 1);
    assert(!setup(&s, &err));
    mlx5_datapath_destroy(s.dp);
    for (int i = 0; i < 6; i++) {
        struct mlx5_emu_state state = s.state;
        struct mlx5_rx_filter filter = { .promisc = true };
        struct mlx5_emu_queue queues[2 * PAIRS];
        int error;

        memcpy(queues, s.state.queues, sizeof queues);
        state.queues = queues;
        switch (i) {
        case 0: queues[0].size = 0; break;
        case 1: queues[1].size = 100; break;
        case 2: queues[0].enabled = queues[1].enabled = false; break;
        case 3: state.driver_features |= UINT64_C(1) << 34; break;
        case 4: queues[1].size = 2 * state.max_queue_size; break;
        case 5: queues[1].msix_vector = state.num_msix; break;
        }
        s.dp = mlx5_datapath_create(s.manager, s.sf, FW_SF_VHCA(0), &s.caps,
                                    FW_STATIC_PF(0), s.emu, &state, 2 * PAIRS,
                                    &filter);
        do {
            error = mlx5_datapath_start(s.dp, &err);
        } while (error == 1);
        assert(error == -EINVAL && err);
        /* We have said that, not firmware. */
        assert(i < 4 || strstr(err, "driver has set "));
        free(err);
        err = NULL;
        mlx5_datapath_destroy(s.dp);
    }
    s.dp = NULL;
    teardown(&s);
    fw_model_destroy();
}

/* Starts, changes, and stops, where one call fails. */
static void
once(bool *failed)
{
    struct mlx5_rx_filter f = { .mac = own };
    char *err = NULL;
    struct setup s;
    int error;

    *failed = false;
    error = setup(&s, &err);
    assert(!error == !err);
    if (!error) {
        error = mlx5_datapath_set_pairs(s.dp, 2, &err);
        assert(!error == !err);
        assert(arrives(&s, other, 0, error ? 1 : 2));
        if (error) {
            free(err);
            err = NULL;
            assert(!mlx5_datapath_set_pairs(s.dp, 2, &err));
            *failed = true;
        }
        error = set_filter(&s, &f, &err);
        assert(!error == !err);
        assert(arrives(&s, own, 0, 2));
        if (error) {
            /* The old one is in force, whole. */
            assert(arrives(&s, other, 0, 2));
            free(err);
            err = NULL;
            assert(!set_filter(&s, &f, &err));
            *failed = true;
        }
        error = 0;
    }
    free(err);
    *failed |= error != 0;
    teardown(&s);
}

static void
test_errors(bool on_manager)
{
    unsigned int n_calls, n_failed = 0;
    bool failed;

    create_model(on_manager, 2);
    fw_fail_at(0, 0);
    once(&failed);
    assert(!failed);
    n_calls = fw_n_calls();
    assert(n_calls > 100);
    for (unsigned int i = 1; i <= n_calls; i++) {
        for (int how = 0; how < 2; how++) {
            fw_fail_at(i, how ? ENOMEM : 0);
            once(&failed);
            assert(fw_failed());
            n_failed += failed;
        }
    }
    assert(n_failed > n_calls / 2);
    fw_model_destroy();
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    for (int on_manager = 0; on_manager < 2; on_manager++) {
        test_queues(on_manager);
        test_filter(on_manager);
        test_errors(on_manager);
    }
    test_bad_layout();
    test_period();
    resume = true;
    test_errors(true);
    return 0;
}
