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

/* Unit test of the controller and the device model, against a backend that
 * exists only in tests. */

#include <config.h>
#undef NDEBUG

#include "virtnet-controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake-backend.h"
#include "fatal-signal.h"
#include "netdev.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-life.h"
#include "virtnet-modify.h"

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

/* Events. */

static int n_events[4];

static void
observe(enum virtnet_event event, struct virtnet_device *dev OVS_UNUSED,
        void *aux OVS_UNUSED)
{
    n_events[event]++;
}

/* Helpers. */

static struct virtnet_hotplug_request
good_request(char mac[18], unsigned int i)
{
    snprintf(mac, 18, "0C:C4:7A:00:%02X:%02X", (i >> 8) & 0xff, i & 0xff);
    return (struct virtnet_hotplug_request) {
        .ib_device = "mlx5_0",
        .mac = mac,
        .mtu = 1500,
        .has_queue_pairs = true,
        .queue_pairs = 1,
        .queue_size = 256,
    };
}

static struct virtnet_device *
plug(const struct virtnet_hotplug_request *req)
{
    struct virtnet_device *dev;
    char *detail;
    int error = virtnet_controller_start_hotplug(req, NULL, NULL, &dev,
                                                 &detail);

    if (error) {
        fprintf(stderr, "unexpected error %d: %s\n", error, detail);
        exit(1);
    }
    CHECK(!detail);
    return dev;
}

/* 'req' must be refused with 'expected', and leave no trace. */
static void
plug_fails(const struct virtnet_hotplug_request *req, int expected)
{
    size_t n = virtnet_controller_n_devices();
    int constructed = n_constructed;
    int sfs = n_sfs;
    int plugged = n_plugged;
    int added = n_events[VIRTNET_EVENT_ADDED];
    struct virtnet_device *dev;
    char *detail;
    int error = virtnet_controller_start_hotplug(req, NULL, NULL, &dev,
                                                 &detail);

    if (error != expected) {
        fprintf(stderr, "error %d (%s) instead of %d\n", error,
                detail ? detail : "", expected);
        exit(1);
    }
    CHECK(detail && !strchr(detail, '\n'));
    CHECK(!dev);
    CHECK(virtnet_controller_n_devices() == n);
    CHECK(n_constructed == constructed);
    CHECK(n_sfs == sfs);
    CHECK(n_plugged == plugged);
    CHECK(n_events[VIRTNET_EVENT_ADDED] == added);
    free(detail);
}

static void
unplug(struct virtnet_device *dev, bool force, int expected)
{
    char *detail;
    int error = virtnet_controller_unplug(dev, force, &detail);

    CHECK(error == expected);
    free(detail);
}

static void
unplug_all(void)
{
    struct virtnet_device *dev;

    VIRTNET_FOR_EACH_DEVICE (dev) {
        unplug(dev, true, 0);
    }
    CHECK(!virtnet_controller_n_devices());
    CHECK(!n_constructed && !n_sfs && !n_plugged);
}

/* The tests. */

static void
test_start(void)
{
    struct smap config = SMAP_INITIALIZER(&config);
    const char *reason;
    struct virtnet_device *dev;
    struct virtnet_hotplug_request req;
    char *detail;
    char mac[18];

    CHECK(!virtnet_controller_is_running(&reason) && !reason);
    req = good_request(mac, 0);
    CHECK(virtnet_controller_start_hotplug(&req, NULL, NULL, &dev, &detail)
          == -ENODEV);
    free(detail);

    smap_add(&config, "virtnet-backend", "nonesuch");
    smap_add(&config, "virtnet-recovery", "false");
    virtnet_controller_configure(&config);
    virtnet_controller_run();
    CHECK(!virtnet_controller_is_running(&reason));
    CHECK(reason && strstr(reason, "nonesuch"));
    CHECK(n_events[VIRTNET_EVENT_STARTED] == 1);

    /* A backend that is not ready is asked again. */
    not_ready = true;
    smap_replace(&config, "virtnet-backend", "fake");
    virtnet_controller_configure(&config);
    virtnet_controller_run();
    CHECK(!virtnet_controller_is_running(&reason));
    CHECK(reason && strstr(reason, "not ready"));

    not_ready = false;
    while (!virtnet_controller_is_running(NULL)) {
        xnanosleep(1000 * 1000);
        virtnet_controller_run();
    }
    CHECK(virtnet_controller_backend());
    smap_destroy(&config);
}

static void
test_identity(void)
{
    struct virtnet_hotplug_request req;
    struct virtnet_device *a, *b, *c;
    char mac[18];

    req = good_request(mac, 1);
    a = plug(&req);
    CHECK(a->pf_id == 0 && a->sf_num == 2000);
    CHECK(!strcmp(a->rep_name, "en3f0pf0sf2000"));
    CHECK(a->config.num_msix == 4);
    CHECK(virtnet_device_num_queues(a) == 3);
    req = good_request(mac, 2);
    b = plug(&req);
    CHECK(b->pf_id == 1 && b->sf_num == 2001);

    CHECK(virtnet_device_by_vuid(a->vuid) == a);
    CHECK(virtnet_device_by_pf(1) == b);
    CHECK(virtnet_device_by_rep("en3f0pf0sf2001") == b);
    CHECK(!virtnet_device_by_vuid("x") && !virtnet_device_by_pf(7));

    /* Numbers are used again, the lowest first. */
    unplug(a, false, 0);
    req = good_request(mac, 3);
    c = plug(&req);
    CHECK(c->pf_id == 0 && c->sf_num == 2000);

    /* Three queues are one pair and the control queue. */
    req = good_request(mac, 4);
    req.has_queue_pairs = false;
    req.has_queues = true;
    req.queues = 3;
    a = plug(&req);
    CHECK(a->config.max_queue_pairs == 1);

    req = good_request(mac, 5);
    req.has_sf_num = true;
    req.sf_num = 2999;
    req.queue_size = 4;
    CHECK(plug(&req)->sf_num == 2999);
    req = good_request(mac, 6);
    req.queue_size = 32768;
    plug(&req);
    unplug_all();
}

static void
test_bad_input(void)
{
    struct virtnet_hotplug_request good, req;
    struct virtnet_device *dev;
    char mac[18];

    good = good_request(mac, 1);
    dev = plug(&good);
    plug_fails(&good, VIRTNET_E_MAC_INVALID); /* Duplicate MAC. */

#define BAD(ERROR, ...)                         \
    do {                                        \
        char mac2[18];                          \
        req = good_request(mac2, 2);            \
        __VA_ARGS__;                            \
        plug_fails(&req, ERROR);                \
    } while (0)

    BAD(-EINVAL, req.ib_device = NULL);
    BAD(VIRTNET_E_PORT_CTX, req.ib_device = "mlx5_7");
    BAD(-EINVAL, req.mac = NULL);
    BAD(VIRTNET_E_MAC_INVALID, req.mac = "0C:C4:7A");
    BAD(VIRTNET_E_MAC_INVALID, req.mac = "0C:C4:7A:FF:22:9Z");
    BAD(VIRTNET_E_MAC_INVALID, req.mac = "00:00:00:00:00:00");
    BAD(VIRTNET_E_MAC_INVALID, req.mac = "01:00:00:00:00:00");
    BAD(VIRTNET_E_MTU_INVALID, req.mtu = 67);
    BAD(VIRTNET_E_MTU_INVALID, req.mtu = 9217);
    BAD(-EINVAL, req.has_queues = true; req.queues = 3);
    BAD(-EINVAL, req.has_queue_pairs = false);
    BAD(VIRTNET_E_QUEUES_INVALID, req.queue_pairs = 0);
    BAD(VIRTNET_E_QUEUES_INVALID, req.queue_pairs = 32);
    BAD(VIRTNET_E_QUEUES_INVALID, req.queue_pairs = ULLONG_MAX);
    BAD(VIRTNET_E_QUEUES_INVALID,
        req.has_queue_pairs = false; req.has_queues = true; req.queues = 4);
    BAD(VIRTNET_E_QUEUE_SIZE_POW2, req.queue_size = 0);
    BAD(VIRTNET_E_QUEUE_SIZE_POW2, req.queue_size = 2);
    BAD(VIRTNET_E_QUEUE_SIZE_POW2, req.queue_size = 3);
    BAD(VIRTNET_E_QUEUE_SIZE_POW2, req.queue_size = 1000);
    BAD(VIRTNET_E_QUEUE_SIZE, req.queue_size = 65536);
    BAD(VIRTNET_E_SF_NUM_RANGE, req.has_sf_num = true; req.sf_num = 1999);
    BAD(VIRTNET_E_SF_NUM_RANGE, req.has_sf_num = true; req.sf_num = 3000);
    BAD(VIRTNET_E_SF_NUM_IN_USE, req.has_sf_num = true; req.sf_num = 2000);
    BAD(VIRTNET_E_FEATURE_VALIDATE, req.features = UINT64_C(1) << 62);
    BAD(VIRTNET_E_FEATURE_VALIDATE, req.features = 1 << 7);
    BAD(VIRTNET_E_FEATURE_VALIDATE, req.features = 1 << 18);
    BAD(VIRTNET_E_FEATURE_VALIDATE, req.features = UINT64_C(0x500008020));
    BAD(VIRTNET_E_MTU_INVALID,
        req.features = UINT64_C(0x500000020); req.mtu = 9000);
    BAD(-EINVAL, req.vhost_mode = "both");
#undef BAD

    for (enum step step = STEP_CONSTRUCT; step <= STEP_PLUG; step++) {
        char mac2[18];

        fail_at = step;
        req = good_request(mac2, 2);
        plug_fails(&req, VIRTNET_E_BACKEND_HOTPLUG);
        fail_at = STEP_NONE;
        /* What the failure touched is free again. */
        dev = plug(&req);
        CHECK(dev->pf_id == 1 && dev->sf_num == 2001);
        unplug(dev, false, 0);
    }
    unplug_all();
}

static void
test_limit(void)
{
    struct virtnet_hotplug_request req;
    char mac[18];

    for (int i = 0; i < 31; i++) {
        req = good_request(mac, i);
        plug(&req);
    }
    req = good_request(mac, 31);
    plug_fails(&req, VIRTNET_E_ID_RANGE);
    unplug_all();
}

static void
driver(struct virtnet_device *dev, uint8_t status, bool attached,
       enum virtnet_device_state expected)
{
    struct virtnet_driver_info info = {
        .status = status,
        .features = UINT64_C(0x100020001),
        .enabled_pairs = 1,
        .attached = attached,
        .numa_id = -1,
    };

    virtnet_device_driver_changed(dev, &info);
    CHECK(dev->state == expected);
    CHECK(!!dev->driver.features
          == !!(status & VIRTNET_STATUS_FEATURES_OK));
    CHECK(virtnet_device_carrier(dev)
          == (expected == VIRTNET_STATE_DRIVER_OK));
    CHECK(virtnet_device_active_rxqs(dev)
          == (expected == VIRTNET_STATE_DRIVER_OK));
}

static void
test_states(void)
{
    struct virtnet_hotplug_request req;
    struct virtnet_device *dev;
    char mac[18];
    int changes;

    req = good_request(mac, 1);
    dev = plug(&req);
    changes = n_events[VIRTNET_EVENT_CHANGED];
    CHECK(dev->state == VIRTNET_STATE_CREATED);
    driver(dev, 0x00, true, VIRTNET_STATE_CREATED);
    driver(dev, 0x01, true, VIRTNET_STATE_CREATED);
    driver(dev, 0x03, true, VIRTNET_STATE_DRIVER_FOUND);
    unplug(dev, false, VIRTNET_E_UNPLUG_NOT_READY);
    driver(dev, 0x0b, true, VIRTNET_STATE_FEATURES_OK);
    driver(dev, 0x0f, true, VIRTNET_STATE_DRIVER_OK);
    CHECK(virtnet_device_enabled_queues(dev) == 3);
    unplug(dev, false, VIRTNET_E_UNPLUG_NOT_READY);
    driver(dev, 0x00, true, VIRTNET_STATE_RESET);
    CHECK(virtnet_device_enabled_queues(dev) == 0);
    driver(dev, 0x00, true, VIRTNET_STATE_RESET);
    driver(dev, 0x0f, true, VIRTNET_STATE_DRIVER_OK);
    driver(dev, 0x00, false, VIRTNET_STATE_CREATED);
    CHECK(n_events[VIRTNET_EVENT_CHANGED] == changes + 9);

    /* A driver that says it has more pairs than there are. */
    dev->driver.enabled_pairs = 100;
    dev->state = VIRTNET_STATE_DRIVER_OK;
    CHECK(virtnet_device_active_rxqs(dev) == 1);

    /* By force, under the driver. */
    driver(dev, 0x0f, true, VIRTNET_STATE_DRIVER_OK);
    unplug(dev, true, 0);
    CHECK(n_events[VIRTNET_EVENT_REMOVED] > 0);
    unplug_all();
}

/* "modify" of one attribute, which must say 'expected'. */
static void
modify(struct virtnet_device *dev, enum virtnet_attr attr, uint64_t number,
       int expected)
{
    struct virtnet_modification mod;
    char *err;

    memset(&mod, 0, sizeof mod);
    mod.attrs[attr].given = true;
    mod.attrs[attr].number = number;
    CHECK(virtnet_modify(dev, &mod, NULL, NULL, &err) == expected);
    free(err);
}

/* What the software backend does not have: hashes. */
static void
test_hashes(void)
{
    struct virtnet_hotplug_request req;
    struct virtnet_device *dev;
    char mac[18];

    req = good_request(mac, 1);
    dev = plug(&req);
    modify(dev, VIRTNET_ATTR_RSS_KEY_SIZE, 40, VIRTNET_E_NOT_SUPPORTED);
    modify(dev, VIRTNET_ATTR_HASH_TYPES, 1, VIRTNET_E_NOT_SUPPORTED);
    modify(dev, VIRTNET_ATTR_FEATURES,
           dev->config.features | UINT64_C(1) << 57, 0);
    modify(dev, VIRTNET_ATTR_RSS_KEY_SIZE, 40, 0);
    modify(dev, VIRTNET_ATTR_RSS_KEY_SIZE, 41, VIRTNET_E_RSS_KEY_SIZE);
    modify(dev, VIRTNET_ATTR_HASH_TYPES, 0x1ff, 0);
    modify(dev, VIRTNET_ATTR_HASH_TYPES, 0x200, VIRTNET_E_HASH_TYPE);
    CHECK(dev->config.rss_key_size == 40 && dev->config.hash_types == 0x1ff);
    unplug(dev, false, 0);
}

static void
test_rounds(void)
{
    struct virtnet_hotplug_request req;
    struct virtnet_device *kept;
    char mac[18];

    for (int i = 0; i < 1000; i++) {
        req = good_request(mac, i);
        unplug(plug(&req), false, 0);
    }

    /* A reference, as a port has one, outlives the unplugging. */
    req = good_request(mac, 1);
    kept = virtnet_device_ref(plug(&req));
    unplug(kept, false, 0);
    CHECK(kept->state == VIRTNET_STATE_UNPLUGGED);
    virtnet_device_unref(kept);

    /* Deallocation waits for a grace period, in a thread of its own. */
    ovsrcu_quiesce();
    while (atomic_count_get(&n_alive)) {
        ovsrcu_quiesce();
        xnanosleep(1000 * 1000);
    }
    CHECK(!n_constructed && !n_sfs && !n_plugged);
}

/* A backend that needs time for each step. */

static struct {
    int n, error;
    struct virtnet_device *dev;
} heard;

static void
hear(struct virtnet_device *dev, int error, const char *reason, void *aux)
{
    CHECK(aux == &heard);
    CHECK(!error == !reason);
    heard.n++;
    heard.error = error;
    heard.dev = dev;
}

static void
start_slow(const struct virtnet_hotplug_request *req)
{
    struct virtnet_device *dev;
    char *detail;

    heard.n = 0;
    CHECK(virtnet_controller_start_hotplug(req, hear, &heard, &dev, &detail)
          == -EINPROGRESS);
    CHECK(!dev && !detail);
}

static void
test_slow(void)
{
    static const enum step steps[] = { STEP_CONSTRUCT, STEP_SF, STEP_PLUG };
    struct virtnet_hotplug_request req, again;
    struct virtnet_device *dev;
    char mac[18], other_mac[18];
    char *detail;

    slow = true;
    req = good_request(mac, 1);
    again = good_request(other_mac, 2);
    start_slow(&req);
    for (int i = 0; i < 3; i++) {
        /* Nobody can see it, but what it is to have is taken. */
        CHECK(!heard.n && !virtnet_controller_n_devices());
        CHECK(virtnet_life_is_busy());
        plug_fails(&req, VIRTNET_E_MAC_INVALID);
        again.has_sf_num = true;
        again.sf_num = 2000;
        plug_fails(&again, VIRTNET_E_SF_NUM_IN_USE);
        CHECK(virtnet_controller_restart(NULL, NULL, &detail) == -EBUSY);
        free(detail);
        CHECK(fake_go_on());
    }
    CHECK(heard.n == 1 && !heard.error && heard.dev);
    CHECK(!fake_go_on() && !virtnet_life_is_busy());
    CHECK(virtnet_controller_n_devices() == 1);
    dev = heard.dev;

    /* Unplugged, at the second try. */
    for (int i = 0; i < 2; i++) {
        heard.n = 0;
        fail_at = i ? STEP_NONE : STEP_UNPLUG;
        fail_after = 0;
        CHECK(virtnet_controller_start_unplug(dev, false, hear, &heard,
                                              &detail) == -EINPROGRESS);
        unplug(dev, false, -EBUSY);
        unplug(dev, true, -EBUSY);
        CHECK(!heard.n && virtnet_controller_n_devices() == 1);
        CHECK(fake_go_on() && heard.n == 1);
        CHECK(heard.dev == (i ? NULL : dev));
        CHECK(heard.error == (i ? 0 : VIRTNET_E_BACKEND_HOTPLUG));
        CHECK(virtnet_controller_n_devices() == !i);
    }
    CHECK(!n_constructed && !n_sfs && !n_plugged);

    /* Every step fails. */
    for (int i = 0; i < 3; i++) {
        fail_at = steps[i];
        fail_after = 0;
        start_slow(&req);
        while (fake_go_on()) {
            continue;
        }
        CHECK(heard.n == 1 && heard.error == VIRTNET_E_BACKEND_HOTPLUG);
        CHECK(!heard.dev && !virtnet_life_is_busy());
        CHECK(!n_constructed && !n_sfs && !n_plugged);
    }
    fail_at = STEP_NONE;

    /* As many as there may be, and no more, while all are on their way. */
    for (unsigned int i = 0; i < 31; i++) {
        req = good_request(mac, i);
        start_slow(&req);
    }
    req = good_request(mac, 31);
    plug_fails(&req, VIRTNET_E_ID_RANGE);
    while (fake_go_on()) {
        continue;
    }
    CHECK(virtnet_controller_n_devices() == 31);
    slow = false;
    unplug_all();
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    ovsthread_id_init();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);

    virtnet_backend_register_class(&fake_class);
    virtnet_controller_init();
    virtnet_controller_add_observer(observe, NULL);

    test_start();
    test_identity();
    test_bad_input();
    test_limit();
    test_states();
    test_hashes();
    test_rounds();
    test_slow();
    printf("%u checks passed\n", n_checks);
    return 0;
}
