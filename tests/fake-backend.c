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

/* A backend that exists only in unit tests.  See fake-backend.h. */

#include <config.h>
#undef NDEBUG

#include "fake-backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dp-packet.h"
#include "netdev.h"
#include "util.h"
#include "virtnet-settings.h"

struct fake_backend {
    struct virtnet_backend up;
    struct virtnet_ib_device ib[2];
};

enum step fail_at;
int fail_after;
bool not_ready;
bool sfs_not_ready;
bool slow;
int n_found = -1;
atomic_count n_alive = ATOMIC_COUNT_INIT(0);
int n_constructed;
int n_sfs;
int n_plugged;

static const struct virtnet_backend_caps fake_caps = {
    .emulation_manager = "mlx5_0",
    .max_hotplug_devices = 31,
    .max_devices = 1100,
    .max_vfs_per_pf = 1008,
    .max_virt_queues = 63,
    .supported_features = (UINT64_C(0x23006ff82f) | 1 << 7
                           | UINT64_C(1) << 34 | UINT64_C(1) << 57),
    .default_features = UINT64_C(0x230047082b),
    .required_features = UINT64_C(1) << 32,
    .packed_excludes = 1 << 15,
    .packed_max_mtu = 1500,
    .virt_queue_types = 1,
};

static int
fake_open(const struct virtnet_settings *settings,
          struct virtnet_backend **backendp, char **errp)
{
    struct fake_backend *b;

    if (not_ready) {
        *errp = xstrdup("the fake is not ready");
        return -EAGAIN;
    }
    b = xzalloc(sizeof *b);
    b->up.class = virtnet_backend_lookup_class("fake");
    b->ib[0] = (struct virtnet_ib_device) { settings->ib_dev_p0,
                                            "0000:03:00.0", 0 };
    b->ib[1] = (struct virtnet_ib_device) { settings->ib_dev_p1,
                                            "0000:03:00.1", 1 };
    *backendp = &b->up;
    return 0;
}

static void
fake_close(struct virtnet_backend *backend OVS_UNUSED, bool keep OVS_UNUSED)
{
}

/* Makes what "enumerate" finds. */
static void
found(struct virtnet_backend *backend, enum virtnet_function_type type,
      unsigned int vf_id, void (*cb)(struct virtnet_device *, void *aux),
      void *aux)
{
    struct virtnet_device *dev = backend->class->device_alloc(backend, type);
    bool vf = type == VIRTNET_VF;
    char *err = NULL;

    dev->vf_id = vf_id;
    dev->ib_device = xstrdup("mlx5_0");
    dev->sf_num = (vf ? VIRTNET_SF_VF_MIN : VIRTNET_SF_STATIC_MIN) + vf_id;
    dev->max_vfs = vf ? 0 : 8;
    dev->config.mac = (struct eth_addr) { .ea = { 0x0e, 0, 0, 0, vf, vf_id } };
    dev->config.num_msix = 32;
    dev->config.max_queue_pairs = 15;
    ovs_assert(!backend->class->device_construct(dev, &err)
               && !backend->class->sf_create(dev, &err)
               && !backend->class->device_plug(dev, &err));
    cb(dev, aux);
}

static int
fake_enumerate(struct virtnet_backend *backend,
               void (*cb)(struct virtnet_device *, void *aux), void *aux,
               char **errp OVS_UNUSED)
{
    if (n_found >= 0) {
        found(backend, VIRTNET_STATIC_PF, 0, cb, aux);
        for (int i = 0; i < n_found; i++) {
            found(backend, VIRTNET_VF, i, cb, aux);
        }
    }
    return 0;
}

static const struct virtnet_backend_caps *
fake_get_caps(const struct virtnet_backend *backend OVS_UNUSED)
{
    return &fake_caps;
}

static size_t
fake_get_ib_devices(const struct virtnet_backend *backend,
                    const struct virtnet_ib_device **devs)
{
    *devs = CONTAINER_OF(backend, struct fake_backend, up)->ib;
    return 2;
}

static struct virtnet_device *
fake_device_alloc(struct virtnet_backend *backend,
                  enum virtnet_function_type type)
{
    struct virtnet_device *dev = xzalloc(sizeof *dev);

    virtnet_device_init(dev, backend, type);
    atomic_count_inc(&n_alive);
    return dev;
}

static void
fake_device_dealloc(struct virtnet_device *dev)
{
    virtnet_device_uninit(dev);
    free(dev);
    atomic_count_dec(&n_alive);
}

static int
fake_fail(enum step step, char **errp)
{
    if (fail_at == step && fail_after-- <= 0) {
        *errp = xstrdup("told to fail");
        return VIRTNET_E_BACKEND_HOTPLUG;
    }
    return 0;
}

/* Steps that take their time. */
static struct {
    struct virtnet_device *dev;
    int (*step)(struct virtnet_device *, char **errp);
} late[2048];
static size_t n_late;

/* Is 'step' of 'dev' to be taken later? */
static bool
is_late(struct virtnet_device *dev,
        int (*step)(struct virtnet_device *, char **errp))
{
    if (!slow) {
        return false;
    }
    ovs_assert(n_late < ARRAY_SIZE(late));
    late[n_late].dev = dev;
    late[n_late++].step = step;
    return true;
}

bool
fake_go_on(void)
{
    size_t n = n_late;

    for (size_t i = 0; i < n; i++) {
        struct virtnet_device *dev = late[0].dev;
        char *err = NULL;
        int error;

        slow = false;
        error = late[0].step(dev, &err);
        slow = true;
        memmove(late, late + 1, --n_late * sizeof *late);
        virtnet_device_step_done(dev, error, err);
        free(err);
    }
    return n > 0;
}

static int
fake_device_construct(struct virtnet_device *dev, char **errp)
{
    int error = (is_late(dev, fake_device_construct) ? -EINPROGRESS
                 : fake_fail(STEP_CONSTRUCT, errp));

    if (!error) {
        n_constructed++;
        if (!dev->vuid) {
            if (dev->type == VIRTNET_VF) {
                dev->vuid = xasprintf("FAKE%uVNETS0D0F%uVF%u", 0, dev->pf_id,
                                      dev->vf_id + 1);
            } else {
                dev->vuid = xasprintf("FAKE%uVNETS%uD0F0", 0, dev->pf_id + 1);
            }
            dev->bdf = VIRTNET_BDF(0x15 + dev->pf_id, 0, 0) + dev->vf_id;
        }
    }
    return error;
}

static void
fake_device_destruct(struct virtnet_device *dev OVS_UNUSED)
{
    n_constructed--;
}

static int
fake_sf_create(struct virtnet_device *dev, char **errp)
{
    int error = (is_late(dev, fake_sf_create) ? -EINPROGRESS
                 : fake_fail(STEP_SF, errp));

    if (!error) {
        n_sfs++;
        snprintf(dev->rep_name, sizeof dev->rep_name, "en3f0pf0sf%u",
                 (unsigned int) dev->sf_num);
    }
    return error;
}

static void
fake_sf_destroy(struct virtnet_device *dev OVS_UNUSED)
{
    n_sfs--;
}

static int
fake_device_plug(struct virtnet_device *dev, char **errp)
{
    int error = (is_late(dev, fake_device_plug) ? -EINPROGRESS
                 : fake_fail(STEP_PLUG, errp));

    if (!error) {
        n_plugged++;
        dev->attachment = "fake";
    }
    return error;
}

static int
fake_late_unplug(struct virtnet_device *dev OVS_UNUSED, char **errp)
{
    int error = fake_fail(STEP_UNPLUG, errp);

    n_plugged -= !error;
    return error;
}

static int
fake_device_unplug(struct virtnet_device *dev, bool force, char **errp)
{
    if (!force && virtnet_device_has_driver(dev)) {
        return VIRTNET_E_UNPLUG_NOT_READY;
    } else if (!force && is_late(dev, fake_late_unplug)) {
        return -EINPROGRESS;
    }
    return fake_late_unplug(dev, errp);
}

static int
fake_set_vfs(struct virtnet_device *dev OVS_UNUSED, unsigned int n OVS_UNUSED,
             char **errp)
{
    return fake_fail(STEP_SET_VFS, errp);
}

static int
fake_sf_prepare(struct virtnet_backend *backend OVS_UNUSED,
                char **errp OVS_UNUSED)
{
    return sfs_not_ready ? -EAGAIN : 0;
}

static int
fake_apply_config(struct virtnet_device *dev OVS_UNUSED,
                  const struct virtnet_device_config *new OVS_UNUSED,
                  uint32_t changed OVS_UNUSED, char **errp)
{
    return fake_fail(STEP_APPLY, errp);
}

static int
fake_get_queue_info(const struct virtnet_device *dev OVS_UNUSED,
                    unsigned int index OVS_UNUSED,
                    struct virtnet_queue_info *info OVS_UNUSED)
{
    return VIRTNET_E_QUEUE_INDEX;
}

static int
fake_rep_set_mtu(struct virtnet_device *dev OVS_UNUSED, int mtu OVS_UNUSED)
{
    return 0;
}

static void
fake_rep_set_up(struct virtnet_device *dev OVS_UNUSED, bool up OVS_UNUSED)
{
}

static void
fake_rep_get_stats(const struct virtnet_device *dev OVS_UNUSED,
                   struct netdev_stats *stats OVS_UNUSED)
{
}

static int
fake_rep_recv(struct virtnet_device *dev OVS_UNUSED, int qid OVS_UNUSED,
              struct dp_packet_batch *batch OVS_UNUSED,
              int *qfill OVS_UNUSED)
{
    return EAGAIN;
}

static void
fake_rep_send(struct virtnet_device *dev OVS_UNUSED, int qid OVS_UNUSED,
              bool concurrent_txq OVS_UNUSED,
              struct dp_packet_batch *batch)
{
    dp_packet_delete_batch(batch, true);
}

static bool
fake_rep_rxq_enabled(const struct virtnet_device *dev OVS_UNUSED,
                     int qid OVS_UNUSED)
{
    return false;
}

const struct virtnet_backend_class fake_class = {
    .type = "fake",
    .open = fake_open,
    .close = fake_close,
    .get_caps = fake_get_caps,
    .enumerate = fake_enumerate,
    .get_ib_devices = fake_get_ib_devices,
    .device_alloc = fake_device_alloc,
    .device_construct = fake_device_construct,
    .device_destruct = fake_device_destruct,
    .device_dealloc = fake_device_dealloc,
    .sf_create = fake_sf_create,
    .sf_destroy = fake_sf_destroy,
    .device_plug = fake_device_plug,
    .device_unplug = fake_device_unplug,
    .set_vfs = fake_set_vfs,
    .sf_prepare = fake_sf_prepare,
    .apply_config = fake_apply_config,
    .get_queue_info = fake_get_queue_info,
    .rep_set_mtu = fake_rep_set_mtu,
    .rep_set_up = fake_rep_set_up,
    .rep_get_stats = fake_rep_get_stats,
    .rep_recv = fake_rep_recv,
    .rep_send = fake_rep_send,
    .rep_rxq_enabled = fake_rep_rxq_enabled,
};
