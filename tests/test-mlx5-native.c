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

/* Tests the emulation manager at work on the model of the firmware: drivers
 * come and go, reset, FLR, hotplug, VFs, and every error. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fw-model.h"
#include "mlx5-datapath.h"
#include "mlx5-native.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

static const char *const names[] = { FW_MANAGER };
static const char *const bond[] = { FW_BOND };

static const struct fw_config small = {
    .n_static_pfs = 1, .max_vfs = 4, .max_hotplug = 2, .n_sfs = 6,
    .max_queues = 5,
};

static const struct mlx5_emu_config plain = {
    .features = UINT64_C(0x100c70020), .mtu = 1500, .max_pairs = 2,
    .max_queue_size = 256, .num_msix = 6, .link_up = true,
    .mac = ETH_ADDR_C(02,11,22,33,44,55),
};

/* The first VF of PF 0. */
#define FIRST_VF 300

static struct mlx5_native *native;
static unsigned int failing;    /* Number of the call that fails. */

/* What the thread has told: of PF 0 or whatever function is looked at. */
static struct {
    struct virtnet_driver_info info;
    unsigned int n_driver, n_flrs, n_problems, n_released, n_vfs_events;
    struct mlx5_emu_function *vfs;
    size_t n_vfs;
    unsigned int n_pools, free_vf_msix;

    /* What was asked for without waiting. */
    unsigned int n_cookies;
    int error;
    struct mlx5_emu_function function;
    struct mlx5_emu_config config;
} heard;

static void
run(void)
{
    struct mlx5_native_event *event;

    while ((event = mlx5_native_poll(native)) != NULL) {
        switch (event->type) {
        case MLX5_NATIVE_DRIVER:
            heard.info = event->info;
            heard.n_driver++;
            heard.n_flrs += event->flr;
            break;
        case MLX5_NATIVE_VFS:
            heard.n_vfs_events++;
            free(heard.vfs);
            heard.vfs = event->vfs;
            heard.n_vfs = event->n_vfs;
            event->vfs = NULL;
            break;
        case MLX5_NATIVE_POOL:
            if (event->vhca_id == FW_STATIC_PF(0)) {
                heard.n_pools++;
                heard.free_vf_msix = event->free_vf_msix;
            }
            break;
        case MLX5_NATIVE_RELEASED:
            heard.n_released++;
            break;
        case MLX5_NATIVE_PROBLEM:
            assert(event->text && !strchr(event->text, '\n'));
            heard.n_problems++;
            break;
        case MLX5_NATIVE_TAKEN:
        case MLX5_NATIVE_UNPLUGGED:
        case MLX5_NATIVE_CONFIGURED:
            heard.n_cookies += event->cookie == &heard;
            heard.error = event->error;
            heard.function = event->function;
            heard.config = event->config;
            assert(!event->error == !event->text);
            break;
        }
        mlx5_native_event_free(event);
    }
}

/* Runs the main loop until COND. */
#define WAIT_UNTIL(COND)                                                    \
    FW_RUN_UNTIL(run(), mlx5_native_wait(native), COND, #COND, failing)

static void
start(const struct fw_config *config)
{
    char *err = NULL;

    free(heard.vfs);
    memset(&heard, 0, sizeof heard);
    fw_model_create(config);
    if (mlx5_native_open(&fw_model_class, config->n_lag_ports ? bond : names,
                         1, &native, &err)) {
        ovs_fatal(0, "%s", err);
    }
}

static void
stop(void)
{
    mlx5_native_close(native, false);
    fw_model_destroy();
}

/* The parts that a hotplug PF has. */
#define ALL_PARTS \
    (MLX5_NATIVE_CONFIG_COMMON | MLX5_NATIVE_CONFIG_DEVICE \
     | MLX5_NATIVE_CONFIG_LINK)

/* Changes a function and waits until that has come out. */
static int
configure(uint16_t vhca_id, const struct mlx5_emu_config *config,
          unsigned int parts)
{
    unsigned int n = heard.n_cookies;

    mlx5_native_start_configure(native, vhca_id,
                                vhca_id >= FIRST_VF ? FW_STATIC_PF(0) : 0,
                                config, parts, &heard);
    WAIT_UNTIL(heard.n_cookies == n + 1);
    return heard.error;
}

/* Asks for 'wish', and waits.  Returns what has become of it. */
static int
take(const struct mlx5_native_wish *wish)
{
    heard.n_cookies = 0;
    mlx5_native_take(native, wish, &heard);
    WAIT_UNTIL(heard.n_cookies == 1);
    return heard.error;
}

/* To manage the function 'vhca_id', and leave it as the model has made it. */
static struct mlx5_native_wish
as_it_is(uint16_t vhca_id, const char *sf_name)
{
    struct mlx5_native_wish wish = {
        .vhca_id = vhca_id,
        .config = {
            .features = UINT64_C(0x100cf182b), .mtu = 1500, .max_pairs = 2,
            .max_queue_size = 256, .link_up = true,
            .mac = { .ea = { 2, 0, 0, 0, vhca_id >> 8, vhca_id & 0xff } },
        },
    };

    ovs_strlcpy(wish.sf_name, sf_name, sizeof wish.sf_name);
    return wish;
}

static int
manage_pf(void)
{
    struct mlx5_native_wish wish = as_it_is(FW_STATIC_PF(0), "mlx5_10");

    return take(&wish);
}

static int
plug(void)
{
    const struct mlx5_native_wish wish = {
        .plug = true, .sf_name = "mlx5_11", .config = plain,
    };

    return take(&wish);
}

static int
unplug(uint16_t vhca_id)
{
    heard.n_cookies = 0;
    mlx5_native_start_unplug(native, vhca_id, &heard);
    WAIT_UNTIL(heard.n_cookies == 1);
    return heard.error;
}

static bool
is_ready(void)
{
    return heard.info.status & VIRTNET_STATUS_DRIVER_OK;
}

static void
test_driver(bool on_manager)
{
    struct fw_config config = small;
    struct virtnet_queue_info info;
    struct mlx5_native_stats stats;
    struct fw_fn *fn;
    uint8_t ack;

    config.on_manager = on_manager;
    start(&config);
    fn = fw_host_find(FW_STATIC_PF(0));
    assert(!manage_pf() && manage_pf() == -EEXIST);
    WAIT_UNTIL(heard.n_driver == 1);
    assert(!heard.info.status && heard.info.attached);

    /* A driver, twice: by reset, and by FLR. */
    for (int round = 0; round < 2; round++) {
        assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
        WAIT_UNTIL(is_ready());
        for (int i = 0; i < 4; i++) {
            assert(fw_queue_is_running(fn, i) && !fw_queue_port(fn, i));
        }
        assert(heard.info.enabled_pairs == 1);
        assert(heard.info.features == fw_host_features(fn));
        assert(eth_addr_is_zero(heard.info.ctrl_mac));

        /* Control queue. */
        fw_host_ctrl_post(fn, 4, 0, "\2", 2);
        WAIT_UNTIL(fw_host_ctrl_done(fn, &ack));
        assert(!ack);
        WAIT_UNTIL(heard.info.enabled_pairs == 2);
        fw_host_ctrl_post(fn, 1, 1, "\2\1\1\1\1\1", 6);
        WAIT_UNTIL(heard.info.ctrl_mac.ea[1] == 1);

        /* Counters. */
        assert(mlx5_native_get_queue(native, FW_STATIC_PF(0), 3, &info));
        assert(info.enabled && info.size == 64 && info.msix_vector == 4);
        fw_queue_count(fn, 3, 77);
        WAIT_UNTIL(mlx5_native_get_queue(native, FW_STATIC_PF(0), 3, &info)
                   && info.received_desc == 77);

        if (!round) {
            fw_host_write_status(fn, 0);
            WAIT_UNTIL(!fw_host_status(fn));
        } else {
            fw_host_flr(fn);
            WAIT_UNTIL(fw_host_flr_done(fn));
            WAIT_UNTIL(heard.n_flrs == 1);
        }
        WAIT_UNTIL(!heard.info.status);
        assert(!fw_queue_is_running(fn, 0));
        assert(fw_n_objects() == 1);
        assert(!fw_n_objects_of(0xd));
    }
    mlx5_native_get_stats(native, FW_STATIC_PF(0), &stats);
    assert(stats.resets == 1 && stats.flrs == 1 && stats.ctrl_commands == 4);
    assert(!stats.retries && !stats.start_errors && !stats.queue_errors);
    assert(!heard.n_problems);

    /* Let go while the driver is there. */
    assert(fw_host_probe(fn, UINT64_MAX, 1, 64));
    WAIT_UNTIL(is_ready());
    mlx5_native_release(native, FW_STATIC_PF(0));
    WAIT_UNTIL(heard.n_released == 1);
    assert(!fw_n_objects());

    /* Taken over while it is there. */
    heard.info.status = 0;
    assert(!manage_pf());
    WAIT_UNTIL(is_ready());
    mlx5_native_close(native, false);
    assert(fw_host_needs_reset(fn));
    fw_model_destroy();
}

/* Pairs of queues take the ports of a bond in turn. */
static void
test_lag(bool on_manager)
{
    struct mlx5_native_wish wish = as_it_is(FW_STATIC_PF(0), "mlx5_10");
    struct fw_config config = small;
    struct fw_fn *fn;

    config.on_manager = on_manager;
    config.n_lag_ports = 2;
    config.max_queues = 9;
    wish.config.max_pairs = 4;
    start(&config);
    assert(!strcmp(mlx5_native_get_name(native), FW_BOND));
    fn = fw_host_find(FW_STATIC_PF(0));
    assert(!take(&wish));
    assert(fw_host_probe(fn, UINT64_MAX, 4, 64));
    WAIT_UNTIL(is_ready());
    for (int i = 0; i < 8; i++) {
        assert(fw_queue_port(fn, i) == 1u + i / 2 % 2);
    }
    fw_host_write_status(fn, 0);
    WAIT_UNTIL(!fw_host_status(fn));
    assert(fw_n_objects() == 1);
    stop();
}

/* What goes wrong at the driver's side. */
static void
test_trouble(bool on_manager)
{
    struct fw_config config = small;
    uint64_t desc, avail, used;
    struct fw_fn *fn;

    config.on_manager = on_manager;
    start(&config);
    fn = fw_host_find(FW_STATIC_PF(0));
    assert(!manage_pf());

    for (int i = 0; i < 3; i++) {
        assert(fw_host_probe(fn, UINT64_MAX, 2, i == 2 ? 63 : 64));
        if (i == 0) {
            WAIT_UNTIL(is_ready());
            fw_queue_error(fn, 1);
        } else if (i == 1) {
            WAIT_UNTIL(is_ready());
            fw_host_ctrl_areas(fn, &desc, &avail, &used);
            fw_host_memory(fn)[avail + 3] = 0xff;
        }
        WAIT_UNTIL(heard.n_problems == i + 1u);
        WAIT_UNTIL(fw_host_needs_reset(fn));
        WAIT_UNTIL(!is_ready());
        fw_host_write_status(fn, 0);
        WAIT_UNTIL(!fw_host_status(fn));
    }

    /* Reset in the middle of starting. */
    for (int i = 0; i < 20; i++) {
        assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
        if (i % 2) {
            fw_host_write_status(fn, 0);
            WAIT_UNTIL(!fw_host_status(fn));
        } else {
            fw_host_flr(fn);
            WAIT_UNTIL(fw_host_flr_done(fn));
        }
    }
    /* A driver that begins with a reset, of which more is not to be seen than
     * that its status is 0, and goes on at once. */
    fw_host_flr(fn);
    WAIT_UNTIL(fw_host_flr_done(fn));
    WAIT_UNTIL(!heard.info.status);
    fw_host_be_hasty(fn);
    fw_host_write_status(fn, 0);
    WAIT_UNTIL(is_ready());
    fw_host_write_status(fn, 0);
    WAIT_UNTIL(!fw_host_status(fn));

    /* Right after an FLR. */
    fw_host_be_quick(fn);
    fw_host_flr(fn);
    WAIT_UNTIL(fw_host_flr_done(fn));
    WAIT_UNTIL(!fw_host_status(fn));
    assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
    WAIT_UNTIL(is_ready());
    assert(heard.n_problems == 3);
    stop();
}

/* A driver whose control queue is of a kind that is not known.  Its memory is
 * not written to. */
static void
test_packed_ctrl(void)
{
    struct mlx5_native_wish wish = {
        .plug = true, .sf_name = "mlx5_11", .config = plain,
    };
    struct fw_config config = small;
    uint64_t desc, avail, used;
    struct fw_fn *fn;

    config.packed = true;
    start(&config);
    wish.config.features |= UINT64_C(1) << 34;
    assert(!take(&wish));
    fn = fw_host_find(heard.function.vhca_id);
    assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
    WAIT_UNTIL(fw_host_needs_reset(fn));
    WAIT_UNTIL(heard.n_problems == 1);
    fw_host_ctrl_areas(fn, &desc, &avail, &used);
    assert(is_all_zeros(fw_host_memory(fn) + desc, used + 64 - desc));
    fw_host_write_status(fn, 0);
    WAIT_UNTIL(!fw_host_status(fn));

    /* A driver that does not accept it. */
    assert(fw_host_probe(fn, UINT64_MAX & ~(UINT64_C(1) << 34), 2, 64));
    WAIT_UNTIL(is_ready());
    stop();
}

static void
test_hotplug(void)
{
    struct mlx5_emu_config config = plain;
    struct mlx5_emu_function f;
    uint16_t mtu, pairs, status;
    struct fw_fn *fn;
    char *err = NULL;
    uint8_t mac[6];
    size_t n;

    start(&small);
    assert(mlx5_native_get_pfs(native, &n)[0].vhca_id == FW_STATIC_PF(0));
    assert(n == 1);
    assert(!strcmp(mlx5_native_get_name(native), FW_MANAGER));
    assert(mlx5_native_get_caps(native)->max_hotplug == 2);

    assert(!plug());
    f = heard.function;
    assert(f.vhca_id == FW_HOTPLUG_PF(0) && f.hotplug && f.bdf == 0x4000);
    assert(!strcmp(f.vuid, "MT2306XZ0001VNETH0D0F0"));

    /* Configuration. */
    fn = fw_host_find(f.vhca_id);
    config.mac.ea[0] = 0x12;
    config.mtu = 9000;
    config.link_up = false;
    assert(!configure(f.vhca_id, &config, ALL_PARTS));
    fw_host_get_config(fn, mac, &mtu, &pairs, &status);
    assert(mac[0] == 0x12 && mtu == 9000 && pairs == 2 && !(status & 1));

    /* All or nothing. */
    fw_fail_at(3, 0);
    assert(configure(f.vhca_id, &plain, ALL_PARTS) < 0);
    fw_fail_at(0, 0);
    fw_host_get_config(fn, mac, &mtu, &pairs, &status);
    assert(mac[0] == 0x12 && mtu == 9000 && !(status & 1));

    /* With a driver only the link. */
    assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
    WAIT_UNTIL(is_ready());
    assert(configure(f.vhca_id, &plain, MLX5_NATIVE_CONFIG_DEVICE) == -EBUSY);
    assert(!configure(f.vhca_id, &plain, MLX5_NATIVE_CONFIG_LINK));
    fw_host_get_config(fn, mac, &mtu, &pairs, &status);
    assert(mac[0] == 0x12 && status & 1);

    /* Unplugging. */
    mlx5_native_release(native, f.vhca_id);
    WAIT_UNTIL(heard.n_released == 1);
    assert(!unplug(f.vhca_id) && !fw_n_hotplugged());

    /* What is plugged is found by the next process. */
    assert(!plug());
    mlx5_native_close(native, true);
    assert(!mlx5_native_open(&fw_model_class, names, 1, &native, &err));
    assert(mlx5_native_get_pfs(native, &n)[1].vhca_id
           == heard.function.vhca_id);
    assert(n == 2);
    stop();
}

#define MLX5_TABLE 50           /* Addresses of a driver. */

/* Functions are made and taken over beside the main thread. */
static void
test_take(void)
{
    struct mlx5_native_wish wish = {
        .plug = true, .sf_name = "mlx5_11", .config = plain,
    };
    uint16_t mtu, pairs, status, vhca_id;
    unsigned int n;
    uint8_t mac[6];

    start(&small);

    /* Whole or gone, whatever fails. */
    for (n = 1;; n++) {
        fw_fail_at(n, n % 2 ? ENOMEM : 0);
        if (!take(&wish)) {
            break;
        }
        assert(fw_failed() && !fw_n_hotplugged() && !fw_n_objects());
    }
    /* A function that has been taken over is looked at, which may have failed
     * by now. */
    assert(n > 5);
    fw_fail_at(0, 0);
    vhca_id = heard.function.vhca_id;
    assert(vhca_id == FW_HOTPLUG_PF(0) && fw_n_objects() == 1);
    wish.plug = false;
    wish.vhca_id = vhca_id;
    assert(take(&wish) == -EEXIST);

    /* One that is managed is not unplugged. */
    assert(unplug(vhca_id) && fw_n_hotplugged() == 1);
    mlx5_native_release(native, vhca_id);
    WAIT_UNTIL(heard.n_released == 1);

    /* Taken over again, and changed. */
    wish.config.mac.ea[5] = 0x77;
    wish.config.mtu = 9000;
    wish.config.max_queue_size = 64;
    wish.config.link_up = false;
    for (n = 1;; n++) {
        fw_fail_at(n, n % 2 ? ENOMEM : 0);
        if (!take(&wish)) {
            break;
        }
        assert(fw_failed() && !fw_n_objects());
    }
    assert(n > 4);
    fw_fail_at(0, 0);
    fw_host_get_config(fw_host_find(vhca_id), mac, &mtu, &pairs, &status);
    assert(mac[5] == 0x77 && mtu == 9000 && !(status & 1));
    assert(heard.config.mtu == 9000 && heard.config.max_queue_size == 64);

    /* A driver resets it while nobody manages it. */
    for (n = 0; n < 2; n++) {
        struct fw_fn *fn = fw_host_find(vhca_id);

        if (!n) {
            heard.info.status = 0;
            assert(fw_host_probe(fn, UINT64_MAX, 1, 64));
            WAIT_UNTIL(is_ready());
        }
        mlx5_native_release(native, vhca_id);
        WAIT_UNTIL(heard.n_released == 2 + n);
        if (!n) {
            fw_host_write_status(fn, 0);
            assert(fw_host_status(fn));
        } else {
            fw_host_be_quick(fn);
        }
        wish.config.mtu = 8000 + n;
        assert(!take(&wish) && heard.config.mtu == 8000 + n);
        assert(!fw_host_status(fn));
    }
    wish.config.mtu = 9000;
    mlx5_native_release(native, vhca_id);
    WAIT_UNTIL(heard.n_released == 4);
    assert(!take(&wish));

    /* With a driver, what it has found stays, and it goes on in the middle of
     * its rings. */
    heard.info.status = 0;
    assert(fw_host_probe(fw_host_find(vhca_id), UINT64_MAX, 1, 64));
    WAIT_UNTIL(is_ready());
    for (n = 0; n < 2; n++) {
        struct fw_fn *fn = fw_host_find(vhca_id);
        uint8_t ack;

        fw_host_ctrl_post(fn, 0, n, "", 1);
        WAIT_UNTIL(fw_host_ctrl_done(fn, &ack));
        assert(!ack);
        if (n) {
            break;
        }
        mlx5_native_release(native, vhca_id);
        WAIT_UNTIL(heard.n_released == 5);
        fw_host_use(fn, 0, 0x1234);
        fw_host_use(fn, 1, 77);
        heard.info.status = 0;
        wish.config.mtu = 1400;
        assert(!take(&wish) && heard.config.mtu == 9000);
        WAIT_UNTIL(is_ready());
        assert(fw_queue_is_running(fn, 1));
    }
    assert(!heard.n_problems);

    /* After a reset it begins anew. */
    fw_host_write_status(fw_host_find(vhca_id), 0);
    WAIT_UNTIL(!fw_host_status(fw_host_find(vhca_id)));
    WAIT_UNTIL(!heard.info.status);
    assert(fw_host_probe(fw_host_find(vhca_id), UINT64_MAX, 1, 64));
    WAIT_UNTIL(is_ready());
    assert(!heard.n_problems);
    mlx5_native_release(native, vhca_id);
    WAIT_UNTIL(heard.n_released == 6);
    assert(!unplug(vhca_id) && !fw_n_hotplugged());
    stop();
}

static void
test_vfs(unsigned int n, unsigned int latency_us)
{
    const struct fw_config config = {
        .n_static_pfs = 1, .max_vfs = n, .n_sfs = n, .max_queues = 5,
        .latency_us = latency_us,
    };
    uint8_t table[4 + 6 * MLX5_TABLE + 4] = { 0 };
    long long int begin, worst = 0;
    struct fw_fn *vf;
    unsigned int own;
    uint8_t ack;

    start(&config);
    own = fw_n_own_calls();
    assert(!manage_pf());
    WAIT_UNTIL(heard.n_driver == 1);
    begin = time_msec();
    fw_host_enable_vfs(fw_host_find(FW_STATIC_PF(0)), n);
    WAIT_UNTIL(heard.n_vfs == n);
    heard.n_cookies = 0;
    for (unsigned int i = 0; i < n; i++) {
        char *sf = xasprintf("mlx5_%u", FW_FIRST_SF + i);
        struct mlx5_native_wish wish = as_it_is(300 + i, sf);
        long long int t = time_msec();

        assert(heard.vfs[i].vhca_id == 300 + i);
        assert(heard.vfs[i].bdf == 0x8000 + i);
        wish.pf_vhca_id = FW_STATIC_PF(0);
        mlx5_native_take(native, &wish, &heard);
        worst = MAX(worst, time_msec() - t);
        free(sf);
    }
    WAIT_UNTIL(heard.n_cookies == n);
    assert(!heard.error);
    WAIT_UNTIL(heard.n_driver == 1 + n);
    assert(fw_n_objects_of(0x15) == 1 + n);
    printf("%u VFs in %lld ms, longest call %lld ms\n", n,
           time_msec() - begin, worst);

    /* A driver, while the main thread goes on asking. */
    vf = fw_host_find(300 + n - 1);
    assert(fw_host_probe(vf, UINT64_MAX, 2, 64));
    while (!is_ready()) {
        struct virtnet_queue_info info;
        long long int t = time_msec();

        mlx5_native_get_queue(native, 300, 0, &info);
        worst = MAX(worst, time_msec() - t);
        run();
        mlx5_native_wait(native);
        poll_timer_wait(1);
        poll_block();
    }
    assert(fw_queue_is_running(vf, 3));

    /* It sets a large table, of which each entry takes several rules. */
    table[0] = MLX5_TABLE;
    for (int i = 0; i < MLX5_TABLE; i++) {
        table[4 + 6 * i] = 2;
        table[9 + 6 * i] = i;
    }
    fw_host_ctrl_post(vf, 0, 0, "", 1);
    WAIT_UNTIL(fw_host_ctrl_done(vf, &ack));
    fw_host_ctrl_post(vf, 1, 0, table, sizeof table);
    while (!fw_host_ctrl_done(vf, &ack)) {
        struct virtnet_queue_info info;
        long long int t = time_msec();

        mlx5_native_get_queue(native, 300, 0, &info);
        worst = MAX(worst, time_msec() - t);
        run();
        poll_timer_wait(1);
        poll_block();
    }
    assert(!ack);
    assert(fw_rx_queue(vf, &table[4 + 6 * 9], 0, 0) == 0);

    /* They go, at once, with whatever they have. */
    fw_host_enable_vfs(fw_host_find(FW_STATIC_PF(0)), 0);
    WAIT_UNTIL(heard.n_vfs_events == 2 && !heard.n_vfs);
    for (unsigned int i = 0; i < n; i++) {
        long long int t = time_msec();

        mlx5_native_release(native, 300 + i);
        worst = MAX(worst, time_msec() - t);
    }
    WAIT_UNTIL(heard.n_released == n);
    assert(fw_n_objects() == 1);
    assert(fw_n_own_calls() == own); /* Nothing waits for firmware. */
    printf("longest call %lld ms\n", worst);
    stop();
}

/* A driver that asks for much of the firmware does not keep it from others. */
static void
test_fairness(void)
{
    const struct fw_config config = {
        .n_static_pfs = 2, .n_sfs = 2, .max_queues = 5,
    };
    uint8_t table[4 + 6 * MLX5_RX_MAX_MACS + 4] = { MLX5_RX_MAX_MACS };
    unsigned int gaps[2];
    struct fw_fn *a, *b;
    uint8_t ack;

    for (int i = 0; i < MLX5_RX_MAX_MACS; i++) {
        table[4 + 6 * i] = 2;
        table[9 + 6 * i] = i;
    }
    start(&config);
    for (int i = 0; i < 2; i++) {
        char *sf = xasprintf("mlx5_%u", FW_FIRST_SF + i);
        struct mlx5_native_wish wish = as_it_is(FW_STATIC_PF(i), sf);

        assert(!take(&wish));
        free(sf);
    }
    a = fw_host_find(FW_STATIC_PF(0));
    b = fw_host_find(FW_STATIC_PF(1));
    assert(fw_host_probe(a, UINT64_MAX, 2, 64));
    WAIT_UNTIL(is_ready());
    fw_host_ctrl_post(a, 0, 0, "", 1);
    WAIT_UNTIL(fw_host_ctrl_done(a, &ack));
    assert(!ack);

    /* First it sets a large table, then it resets the device, for which all
     * of it has to go, while another one comes.  The thread is about to look
     * at its control queue, since it has nothing else to do. */
    for (int i = 0; i < 2; i++) {
        fw_hold(true);
        WAIT_UNTIL(fw_is_waiting());
        if (!i) {
            fw_host_ctrl_post(a, 1, 0, table, sizeof table);
        } else {
            assert(fw_rx_queue(a, &table[4 + 6 * 9], 0, 0) == 0);
            fw_host_write_status(a, 0);
        }
        assert(fw_host_probe(b, UINT64_MAX, 2, 64));
        fw_watch(FW_SF_VHCA(1));
        fw_hold(false);
        WAIT_UNTIL(fw_queue_is_running(b, 3) && fw_host_ctrl_done(a, &ack)
                   && (!i || !fw_host_status(a)));
        assert(!ack);
        gaps[i] = fw_watched_gap();

        fw_host_write_status(b, 0);
        WAIT_UNTIL(!fw_host_status(b));
    }
    printf("another driver's steps: %u and %u commands apart\n", gaps[0],
           gaps[1]);
    assert(gaps[0] && gaps[1] && gaps[0] < 60 && gaps[1] < 60);
    stop();
}

/* A life in which one call fails.  In the end all is well or the host has been
 * told, and nothing is left. */
static void
one_life(unsigned int fail_at, int error, unsigned int *n_calls)
{
    struct fw_fn *fn;
    uint16_t vhca_id;
    char *err = NULL;
    uint8_t ack;

    free(heard.vfs);
    memset(&heard, 0, sizeof heard);
    fw_model_create(&small);
    failing = fail_at;
    fw_fail_at(fail_at, error);
    while (mlx5_native_open(&fw_model_class, names, 1, &native, &err)) {
        assert(fw_failed() && err && !fw_n_open());
        free(err);
        err = NULL;
    }
    while (plug()) {
        assert(fw_failed() && !fw_n_hotplugged());
    }
    vhca_id = heard.function.vhca_id;
    WAIT_UNTIL(heard.n_driver);
    fn = fw_host_find(vhca_id);

    for (int round = 0; round < 2; round++) {
        assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
        WAIT_UNTIL(is_ready() || fw_host_needs_reset(fn)
                   || heard.n_problems);
        if (is_ready() && !heard.n_problems) {
            fw_host_ctrl_post(fn, 0, 0, "", 1);
            WAIT_UNTIL(fw_host_ctrl_done(fn, &ack) || heard.n_problems);
        }
        if (round) {
            fw_host_flr(fn);
            WAIT_UNTIL(fw_host_flr_done(fn));
        } else {
            fw_host_write_status(fn, 0);
            WAIT_UNTIL(!fw_host_status(fn));
        }
        heard.n_problems = 0;
        WAIT_UNTIL(!heard.info.status);
    }

    /* After all that it works. */
    if (!fail_at || fw_failed()) {
        assert(fw_host_probe(fn, UINT64_MAX, 2, 64));
        WAIT_UNTIL(is_ready());
        assert(fw_queue_is_running(fn, 3));
    }

    *n_calls = fw_n_calls();
    mlx5_native_release(native, vhca_id);
    WAIT_UNTIL(heard.n_released == 1);
    while (unplug(vhca_id)) {
        assert(fw_failed());
    }
    WAIT_UNTIL(!fw_n_objects());
    assert(!fw_n_hotplugged());
    mlx5_native_close(native, false);
    assert(!fw_n_open());
    fw_model_destroy();
}

/* Vectors that the VFs of a PF share. */
static void
test_pool(void)
{
    const struct fw_config config = {
        .n_static_pfs = 1, .max_vfs = 2, .n_sfs = 2, .max_queues = 5,
        .num_vf_msix = 8, .spare_vf_msix = 4,
    };
    struct mlx5_native_wish wishes[2];
    unsigned int msix = 18;

    start(&config);
    assert(!manage_pf());
    WAIT_UNTIL(heard.n_pools == 1);
    assert(heard.free_vf_msix == 4);
    fw_host_enable_vfs(fw_host_find(FW_STATIC_PF(0)), 2);
    WAIT_UNTIL(heard.n_vfs == 2);
    for (int i = 0; i < 2; i++) {
        wishes[i] = as_it_is(FIRST_VF + i, i ? "mlx5_11" : "mlx5_10");
        wishes[i].pf_vhca_id = FW_STATIC_PF(0);
        assert(!take(&wishes[i]));
    }
    assert(heard.n_pools == 1);

    /* One gives, one takes: that is known before the answer is. */
    wishes[0].config.num_msix = 2;
    assert(!configure(FIRST_VF, &wishes[0].config, MLX5_NATIVE_CONFIG_MSIX));
    assert(heard.free_vf_msix == 10);
    wishes[1].config.num_msix = 18;
    assert(!configure(FIRST_VF + 1, &wishes[1].config,
                      MLX5_NATIVE_CONFIG_MSIX));
    assert(heard.free_vf_msix == 0 && heard.n_pools == 3);
    wishes[1].config.num_msix = 20;
    assert(configure(FIRST_VF + 1, &wishes[1].config,
                     MLX5_NATIVE_CONFIG_MSIX));
    assert(heard.free_vf_msix == 0);

    /* Registers of the PF that cannot be read now are read later.  (The thread
     * reads others at any time, so which call is which varies.) */
    for (unsigned int i = 1; i < 8; i++) {
        wishes[1].config.num_msix = i % 2 ? 16 : 18;
        fw_fail_at(i, 0);
        if (!configure(FIRST_VF + 1, &wishes[1].config,
                       MLX5_NATIVE_CONFIG_MSIX)) {
            msix = wishes[1].config.num_msix;
        }
        WAIT_UNTIL(heard.free_vf_msix == 18 - msix);
    }
    fw_fail_at(0, 0);

    /* One is taken over with others. */
    mlx5_native_release(native, FIRST_VF + 1);
    WAIT_UNTIL(heard.n_released == 1);
    wishes[1].config.num_msix = 12;
    assert(!take(&wishes[1]));
    WAIT_UNTIL(heard.free_vf_msix == 6);
    stop();
}

static void
test_errors(unsigned int stride)
{
    unsigned int n_calls, ignored;

    one_life(0, 0, &n_calls);
    assert(n_calls > 100);
    for (unsigned int i = 1; i <= n_calls + 20; i += stride) {
        one_life(i, i / stride % 2 ? ENOMEM : 0, &ignored);
    }
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    if (!getenv("VERBOSE")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    }
    for (int on_manager = 0; on_manager < 2; on_manager++) {
        test_driver(on_manager);
        test_lag(on_manager);
        test_trouble(on_manager);
    }
    test_packed_ctrl();
    test_hotplug();
    test_take();
    test_fairness();
    test_pool();
    test_vfs(4, 0);
    test_vfs(504, 1000);
    test_errors(argc > 1 ? atoi(argv[1]) : 1);
    free(heard.vfs);
    return 0;
}
