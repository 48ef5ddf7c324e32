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

/* Unit test of static PFs, VFs and what they share, against a backend that can
 * be told to fail. */

#include <config.h>
#undef NDEBUG

#include "virtnet-sriov.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake-backend.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-life.h"
#include "virtnet-pool.h"
#include "virtnet-registry.h"

#define CHECK(EXPR)                                                         \
    do {                                                                    \
        if (!(EXPR)) {                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__,      \
                    #EXPR);                                                 \
            exit(1);                                                        \
        }                                                                   \
        n_checks++;                                                         \
    } while (0)

static unsigned int n_checks;

#define N_PFS 3
#define N_VFS 1008

/* The answer to the last job, and how many there were. */
static int n_answers, last_error;
static unsigned int last_n_vfs;

static void
answer(int error, const char *detail, unsigned int n_vfs,
       void *aux OVS_UNUSED)
{
    CHECK(!error == !detail);
    n_answers++;
    last_error = error;
    last_n_vfs = n_vfs;
}

static void
settle(void)
{
    while (virtnet_sriov_is_busy()) {
        virtnet_controller_run();
        fake_go_on();
    }
}

/* Has the host ask for 'n' VFs of PF 'pf_id', and waits.  Returns what becomes
 * of that. */
static int
set_vfs(unsigned int pf_id, unsigned int n)
{
    struct virtnet_device *pf = virtnet_device_by_pf(pf_id);
    int old_answers = n_answers;
    char *detail;
    int error;

    error = virtnet_sriov_set(pf, n, answer, NULL, &detail);
    if (error) {
        CHECK(detail);
        free(detail);
        CHECK(n_answers == old_answers);
        return error;
    }
    CHECK(!detail);
    settle();
    CHECK(n_answers == old_answers + 1);
    CHECK(last_n_vfs == pf->n_vfs);
    return last_error;
}

/* Everything that there is must be 'n_vfs' VFs and the static PFs. */
static void
check_devices(unsigned int n_vfs)
{
    unsigned int last_pf = 0, n = 0;
    struct virtnet_device *dev;
    int last_vf = -1;

    CHECK(virtnet_registry_count(VIRTNET_VF) == n_vfs);
    CHECK(virtnet_controller_n_devices() == N_PFS + n_vfs);
    CHECK(n_constructed == N_PFS + n_vfs);
    CHECK(n_sfs == n_constructed && n_plugged == n_constructed);
    VIRTNET_FOR_EACH_DEVICE (dev) {
        /* In order of ids, a PF before its VFs. */
        if (dev->type == VIRTNET_VF) {
            CHECK(dev->pf_id == last_pf && (int) dev->vf_id > last_vf);
            CHECK(virtnet_device_by_vf(dev->pf_id, dev->vf_id) == dev);
            CHECK(dev->pf == virtnet_device_by_pf(dev->pf_id));
            last_vf = dev->vf_id;
        } else {
            CHECK(n == 0 || dev->pf_id > last_pf);
            last_pf = dev->pf_id;
            last_vf = -1;
        }
        CHECK(virtnet_device_by_vuid(dev->vuid) == dev);
        CHECK(virtnet_device_by_rep(dev->rep_name) == dev);
        CHECK(virtnet_device_by_mac(dev->config.mac) == dev);
        n++;
    }
    CHECK(n == N_PFS + n_vfs);
}

static void
test_start(void)
{
    struct smap config = SMAP_INITIALIZER(&config);

    smap_add(&config, "virtnet-backend", "fake");
    smap_add(&config, "virtnet-recovery", "false");
    smap_add_format(&config, "virtnet-num-pf", "%d", N_PFS);
    smap_add_format(&config, "virtnet-num-vf", "%d", N_VFS);
    smap_add(&config, "virtnet-max-functions", "2000");
    smap_add(&config, "virtnet-num-vf-msix", "32");
    smap_add(&config, "virtnet-pf-total-sf", "1500");
    smap_add(&config, "virtnet-sf-pool-percent", "10");
    sfs_not_ready = true;
    virtnet_controller_configure(&config);
    while (!virtnet_controller_is_running(NULL)) {
        virtnet_controller_run();
    }
    smap_destroy(&config);
    check_devices(0);
}

/* While SFs are made in advance, no device is. */
static void
test_sf_pool(void)
{
    struct virtnet_hotplug_request req = {
        .ib_device = "mlx5_0",
        .mac = "0C:C4:7A:00:00:01",
        .mtu = 1500,
        .has_queue_pairs = true,
        .queue_pairs = 1,
        .queue_size = 256,
    };
    struct virtnet_device *dev;
    char *detail;

    virtnet_controller_run();
    CHECK(virtnet_controller_start_hotplug(&req, NULL, NULL, &dev, &detail)
          == VIRTNET_E_SF_POOL_BUSY);
    free(detail);
    CHECK(set_vfs(0, 1) == VIRTNET_E_SF_POOL_BUSY);
    check_devices(0);

    sfs_not_ready = false;
    while (virtnet_sf_pool_is_creating(&virtnet_sfs)) {
        virtnet_controller_run();
    }
    CHECK(virtnet_sfs.n_free == 150 && virtnet_sfs.n_used == N_PFS);
    CHECK(!set_vfs(0, 1));
    CHECK(virtnet_sfs.n_free == 149);
    CHECK(!set_vfs(0, 0));
    CHECK(virtnet_sfs.n_free == 150);
    CHECK(!set_vfs(0, 200));
    CHECK(!set_vfs(0, 0));
    CHECK(virtnet_sfs.n_free == 200);
}

static void
test_numbers(void)
{
    CHECK(!set_vfs(1, 0) && last_n_vfs == 0);
    CHECK(!set_vfs(1, 500));
    check_devices(500);
    CHECK(!set_vfs(1, 500));
    CHECK(set_vfs(1, 499) == -EBUSY);
    CHECK(set_vfs(1, N_VFS + 1) == -ERANGE);
    CHECK(set_vfs(2, N_VFS - 499) == VIRTNET_E_ID_RANGE);
    /* Those of an early PF come after those of a late one, but stand
     * before. */
    CHECK(!set_vfs(2, 1));
    CHECK(!set_vfs(0, N_VFS - 501));
    check_devices(N_VFS);
    CHECK(!set_vfs(1, 0));
    check_devices(N_VFS - 500);
    CHECK(!set_vfs(0, 0));
    CHECK(!set_vfs(2, 0));
    check_devices(0);
}

/* One that fails, at whatever step and wherever, costs all; and all works
 * afterwards. */
static void
test_failures(void)
{
    static const enum step steps[] = { STEP_CONSTRUCT, STEP_SF, STEP_PLUG };

    CHECK(!set_vfs(1, 5));
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        for (int after = 0; after < 10; after++) {
            unsigned int n_used = virtnet_sfs.n_used;

            fail_at = steps[i];
            fail_after = after;
            CHECK(set_vfs(0, 10) == VIRTNET_E_BACKEND_HOTPLUG);
            fail_at = STEP_NONE;
            check_devices(5);
            CHECK(!virtnet_device_by_pf(0)->num_vfs);
            CHECK(!virtnet_device_by_pf(0)->pool->msix);
            CHECK(virtnet_sfs.n_used == n_used);
        }
    }
    fail_at = STEP_SET_VFS;
    fail_after = 0;
    CHECK(set_vfs(0, 10) == VIRTNET_E_BACKEND_HOTPLUG);
    CHECK(!virtnet_device_by_pf(0)->num_vfs);
    fail_at = STEP_NONE;
    CHECK(!set_vfs(0, 10));
    check_devices(15);
    CHECK(!set_vfs(0, 0));
    CHECK(!set_vfs(1, 0));
}

/* A job at a time for each PF, and each gets its turn. */
static void
test_jobs(void)
{
    struct virtnet_device *pf0 = virtnet_device_by_pf(0);
    struct virtnet_device *pf1 = virtnet_device_by_pf(1);
    int old_answers = n_answers;
    char *detail;

    CHECK(!virtnet_sriov_set(pf0, 300, answer, NULL, &detail));
    CHECK(!virtnet_sriov_set(pf1, 3, answer, NULL, &detail));
    CHECK(virtnet_sriov_pf_is_busy(pf0) && virtnet_sriov_pf_is_busy(pf1));
    CHECK(virtnet_sriov_set(pf0, 0, answer, NULL, &detail) == -EBUSY);
    free(detail);
    CHECK(virtnet_sriov_set(pf0, 300, answer, NULL, &detail) == -EBUSY);
    free(detail);

    /* Nothing happens in a pause. */
    virtnet_sriov_pause(true);
    virtnet_controller_run();
    CHECK(!pf0->n_vfs && !pf1->n_vfs);
    virtnet_sriov_pause(false);
    while (virtnet_sriov_pf_is_busy(pf1)) {
        virtnet_controller_run();
    }
    CHECK(n_answers > old_answers);
    CHECK(pf1->n_vfs == 3 && pf0->n_vfs >= 2);
    settle();
    CHECK(n_answers == old_answers + 2);
    check_devices(303);

    CHECK(!virtnet_sriov_set(pf0, 0, NULL, NULL, &detail));
    CHECK(!virtnet_sriov_set(pf1, 0, NULL, NULL, &detail));
    settle();
    check_devices(0);
}

/* What "modify" does with vectors and queue pairs. */
static void
test_pool(void)
{
    struct virtnet_device_config config;
    struct virtnet_device *pf, *vf;
    char *detail = NULL;
    struct eth_addr mac;

    CHECK(!set_vfs(0, 2));
    pf = virtnet_device_by_pf(0);
    vf = virtnet_device_by_vf(0, 1);
    CHECK(vf->config.num_msix == 32 && vf->config.max_queue_pairs == 15);

    config = vf->config;
    CHECK(!virtnet_pool_check_msix(pf->pool, 4, &config, &detail));
    CHECK(!virtnet_controller_apply_config(vf, &config, NULL, NULL, &detail));
    CHECK(pf->pool->msix == 28 && vf->config.num_msix == 4);

    /* If the backend refuses, nothing has changed. */
    config = vf->config;
    CHECK(!virtnet_pool_check_msix(pf->pool, 10, &config, &detail));
    fail_at = STEP_APPLY;
    fail_after = 0;
    CHECK(virtnet_controller_apply_config(vf, &config, NULL, NULL, &detail)
          == VIRTNET_E_BACKEND_HOTPLUG);
    fail_at = STEP_NONE;
    free(detail);
    CHECK(pf->pool->msix == 28 && vf->config.num_msix == 4);

    /* A new address is found, the old one is not. */
    mac = vf->config.mac;
    config = vf->config;
    config.mac = (struct eth_addr) { .ea = { 0x0c, 0, 0, 0, 0, 1 } };
    CHECK(!virtnet_controller_apply_config(vf, &config, NULL, NULL, &detail));
    CHECK(virtnet_device_by_mac(config.mac) == vf);
    CHECK(!virtnet_device_by_mac(mac));

    CHECK(!set_vfs(0, 0));
    CHECK(!pf->pool->msix && !pf->pool->queue_pairs);
}

/* Nothing takes longer the more there is: 1008 VFs made and removed with one
 * PF before and two behind, again and again, leave nothing. */
static void
test_rounds(void)
{
    for (int i = 0; i < 20; i++) {
        CHECK(!set_vfs(i % N_PFS, N_VFS));
        CHECK(!set_vfs(i % N_PFS, 0));
        ovsrcu_quiesce();
    }
    check_devices(0);
    ovsrcu_quiesce();
    while (atomic_count_get(&n_alive) > N_PFS) {
        ovsrcu_quiesce();
        xnanosleep(1000 * 1000);
    }
}

static void
restarted(int error, const char *reason, void *done)
{
    CHECK(!error && !reason);
    *(bool *) done = true;
}

static void
restart(void)
{
    bool done = false;
    char *err;

    CHECK(!virtnet_controller_restart(restarted, &done, &err));
    while (!done) {
        virtnet_controller_run();
        fake_go_on();
    }
    CHECK(virtnet_controller_is_running(NULL));
}

/* Functions that a backend finds are taken over, and nothing is left of those
 * that were there before. */
static void
test_restart(void)
{
    struct smap config = SMAP_INITIALIZER(&config);
    struct virtnet_device *pf;

    CHECK(!set_vfs(0, 10));
    restart();                  /* No records are kept. */
    check_devices(0);
    CHECK(virtnet_sfs.n_used == N_PFS);

    smap_add(&config, "virtnet-backend", "fake");
    smap_add(&config, "virtnet-recovery", "false");
    virtnet_controller_configure(&config);
    smap_destroy(&config);
    n_found = 3;
    restart();
    CHECK(virtnet_controller_n_devices() == 4 && n_constructed == 4);
    CHECK(virtnet_sfs.n_used == 4);
    pf = virtnet_device_by_pf(0);
    CHECK(pf->n_vfs == 3 && pf->num_vfs == 3 && pf->max_vfs == 8);
    CHECK(!pf->pool->msix && pf->pool->def_msix == 32);
    CHECK(virtnet_device_by_vf(0, 2)->pf == pf);
    CHECK(set_vfs(0, 4) == -EBUSY);
    CHECK(!set_vfs(0, 0));
    CHECK(n_constructed == 1);
    CHECK(!set_vfs(0, 8));

    n_found = -1;
    restart();
    CHECK(!virtnet_controller_n_devices());
    CHECK(!n_constructed && !n_sfs && !n_plugged && !virtnet_sfs.n_used);
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    ovsthread_id_init();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);

    virtnet_backend_register_class(&fake_class);
    virtnet_controller_init();

    test_start();
    test_sf_pool();
    test_numbers();
    test_failures();
    test_jobs();
    test_pool();
    test_rounds();

    /* All of it where a backend needs time for every step. */
    slow = true;
    test_numbers();
    test_failures();
    CHECK(!set_vfs(0, 10));
    restart();
    check_devices(0);
    slow = false;

    test_restart();
    printf("%u checks passed\n", n_checks);
    return 0;
}
