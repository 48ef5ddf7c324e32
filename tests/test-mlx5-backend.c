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

/* The controller on the mlx5 backend in mode "native", with models of firmware
 * and devlink: lives of devices in which each call of the DevX layer fails
 * once.  After each, all works, and nothing is left. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "fw-devlink.h"
#include "fw-model.h"
#include "mlx5-native-backend.h"
#include "mlx5-service.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-life.h"
#include "virtnet-record-io.h"
#include "virtnet-sriov.h"

#define N_VFS 3

static const struct fw_config config = {
    .n_static_pfs = 1, .max_vfs = N_VFS, .max_hotplug = 2, .n_sfs = 16,
    .max_queues = 5,
};

static unsigned int failing;    /* Number of the call that fails. */

/* Runs the main loop until COND. */
#define RUN_UNTIL(COND)                                                     \
    FW_RUN_UNTIL(virtnet_controller_run(), virtnet_controller_wait(), COND, \
                 #COND, failing)

/* What has come out. */
static struct {
    int n, error;
    char *vuid;                 /* Of the device that is there, or NULL. */
} heard;

static void
hear(struct virtnet_device *dev, int error, const char *reason,
     void *aux OVS_UNUSED)
{
    assert(!error || reason);
    heard.n++;
    heard.error = error;
    free(heard.vuid);
    heard.vuid = dev ? xstrdup(dev->vuid) : NULL;
}

static int
hotplug(void)
{
    struct virtnet_hotplug_request req = {
        .ib_device = FW_MANAGER,
        .mac = "0C:C4:7A:00:00:01",
        .mtu = 1500,
        .has_queue_pairs = true,
        .queue_pairs = 2,
        .queue_size = 256,
    };
    struct virtnet_device *dev;
    char *err;

    heard.n = 0;
    assert(virtnet_controller_start_hotplug(&req, hear, NULL, &dev, &err)
           == -EINPROGRESS);
    assert(!err);
    RUN_UNTIL(heard.n);
    return heard.error;
}

static int
unplug(void)
{
    struct virtnet_device *dev = virtnet_device_by_vuid(heard.vuid);
    char *err;
    int error;

    heard.n = 0;
    error = virtnet_controller_start_unplug(dev, false, hear, NULL, &err);
    if (error == -EINPROGRESS) {
        RUN_UNTIL(heard.n);
        error = heard.error;
    }
    free(err);
    return error;
}

/* A driver comes, is ready or is asked to reset, and goes. */
static void
use(uint16_t vhca_id)
{
    struct fw_fn *fn = fw_host_find(vhca_id);
    const struct virtnet_device *dev = virtnet_device_by_vuid(heard.vuid);

    assert(fw_host_probe(fn, UINT64_MAX, 1, 64));
    RUN_UNTIL(dev->state == VIRTNET_STATE_DRIVER_OK
              || fw_host_needs_reset(fn));
    fw_host_write_status(fn, 0);
    RUN_UNTIL(!fw_host_status(fn) && !virtnet_device_has_driver(dev));
}

/* Is there the static PF, and nothing else? */
static bool
is_clean(void)
{
    return (fw_n_objects() == 1 && !fw_n_hotplugged() && !fw_n_vfs()
            && fw_devlink_n_sfs() == 1 && virtnet_controller_n_devices() == 1
            && !virtnet_life_is_busy() && !virtnet_sriov_is_busy());
}

/* The host enables VFs, and disables them again.  Returns false if the
 * controller would not have them. */
static bool
vfs(void)
{
    struct fw_fn *fn = fw_host_find(FW_STATIC_PF(0));
    const struct virtnet_device *pf = virtnet_device_by_pf(0);
    bool ok;

    fw_host_enable_vfs(fn, N_VFS);
    RUN_UNTIL(pf->num_vfs == N_VFS);
    RUN_UNTIL(!virtnet_sriov_is_busy());
    ok = pf->n_vfs == N_VFS;
    assert(ok || !pf->n_vfs);
    fw_host_enable_vfs(fn, 0);
    RUN_UNTIL(is_clean());
    return ok;
}

static void
restarted(int error, const char *reason, void *aux OVS_UNUSED)
{
    if (getenv("VERBOSE")) {
        fprintf(stderr, "restarted: %d %s\n", error, reason ? reason : "");
    }
    heard.n++;
    heard.error = error;
}

/* Returns whether the controller runs again, with all devices. */
static bool
restart(size_t n_devices)
{
    char *err;

    heard.n = 0;
    assert(!virtnet_controller_restart(restarted, NULL, &err));
    RUN_UNTIL(heard.n);
    return !heard.error && virtnet_controller_n_devices() == n_devices;
}

/* Lives of devices, in which call 'fail_at' (if not 0) fails with 'errno_'.
 * Returns how many calls there were. */
static unsigned int
live(unsigned int fail_at, int errno_)
{
    unsigned int n_calls;

    failing = fail_at;
    fw_fail_at(fail_at, errno_);
    if (!hotplug()) {
        use(FW_HOTPLUG_PF(0));
        if (unplug()) {
            /* It is as it was. */
            assert(fw_failed() && virtnet_controller_n_devices() == 2);
            fw_fail_at(0, 0);
            use(FW_HOTPLUG_PF(0));
            assert(!unplug());
        }
    } else {
        assert(fw_failed() && virtnet_controller_n_devices() == 1);
    }
    RUN_UNTIL(is_clean());
    if (!vfs()) {
        assert(fw_failed());
    }
    if (!restart(1)) {
        assert(fw_failed());
    }
    n_calls = fw_n_calls();

    /* All works. */
    fw_fail_at(0, 0);
    if (virtnet_controller_n_devices() != 1) {
        assert(restart(1));
    }
    assert(!hotplug());
    use(FW_HOTPLUG_PF(0));
    assert(restart(2));
    assert(heard.vuid && virtnet_device_by_vuid(heard.vuid));
    use(FW_HOTPLUG_PF(0));
    assert(!unplug());
    RUN_UNTIL(is_clean());
    assert(vfs());
    return n_calls;
}

int
main(int argc, char *argv[])
{
    unsigned int stride = argc > 1 ? atoi(argv[1]) : 1;
    struct smap other_config = SMAP_INITIALIZER(&other_config);
    char dir[] = "/tmp/fw.XXXXXX";
    unsigned int n_calls;
    char *command;

    set_program_name(argv[0]);
    if (!getenv("VERBOSE")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    }
    /* Representors are real interfaces. */
    if (unshare(CLONE_NEWNET)) {
        return 77;
    }
    assert(mkdtemp(dir));
    fw_model_create(&config);
    fw_devlink_create(dir, 0, false);
    mlx5_native_devx = &fw_model_class;
    mlx5_native_kernel = &fw_devlink;
    mlx5_service_proc = dir;    /* Of which no process is. */
    ovsthread_id_init();

    virtnet_backend_register_class(&virtnet_mlx5_backend_class);
    virtnet_controller_init();
    smap_add(&other_config, "virtnet-backend", "mlx5");
    smap_add_format(&other_config, "virtnet-recovery-dir", "%s/recovery",
                    dir);
    virtnet_controller_configure(&other_config);
    smap_destroy(&other_config);
    RUN_UNTIL(virtnet_controller_is_running(NULL));
    RUN_UNTIL(is_clean());

    n_calls = live(0, 0);
    assert(n_calls > 60);
    for (unsigned int i = 1; i <= n_calls + 5; i += stride) {
        live(i, i / stride % 2 ? ENOMEM : 0);
    }

    free(heard.vuid);
    virtnet_record_io_flush();
    command = xasprintf("rm -r %s", dir);
    assert(!system(command));
    free(command);
    return 0;
}
