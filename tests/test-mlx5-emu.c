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

/* Tests emulated functions on the model of the firmware: discovery,
 * capabilities, lists, plugging, registers, and every error. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fw-model.h"
#include "mlx5-emu.h"
#include "mlx5-prm-emulation.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"

static const char *const names[] = { FW_SECOND, FW_MANAGER };

static const struct fw_config card = {
    .n_static_pfs = 2, .max_vfs = 8, .max_hotplug = 3, .n_sfs = 2,
    .max_queues = 9,
};

static const struct mlx5_emu_config plain = {
    .features = UINT64_C(0x100010020), .mtu = 1500, .max_pairs = 2,
    .max_queue_size = 256, .num_msix = 6, .link_up = true,
    .mac = ETH_ADDR_C(02,11,22,33,44,55),
};

/* An error has a line that names what was to be done. */
static void
expect(int error, int expected, char **err, const char *part)
{
    if (error != expected || !*err || !strstr(*err, part)) {
        ovs_fatal(0, "%d, not %d with \"%s\": %s", error, expected, part,
                  *err ? *err : "(null)");
    }
    free(*err);
    *err = NULL;
}

static struct mlx5_devx *
discover(struct mlx5_emu_caps *caps)
{
    struct mlx5_devx *devx;
    char *err = NULL;

    if (mlx5_emu_discover(&fw_model_class, names, 2, &devx, caps, &err)) {
        ovs_fatal(0, "%s", err);
    }
    assert(!err);
    return devx;
}

static void
test_discovery(void)
{
    static const char *const nothing[] = { "mlx5_bond_0" };
    struct fw_config c = card;
    struct mlx5_emu_caps caps;
    char *err = NULL, *text;
    struct mlx5_devx *devx;

    fw_model_create(&c);
    devx = discover(&caps);
    assert(!strcmp(devx->name, FW_MANAGER));
    assert(fw_n_own_calls() > 3);
    assert(caps.hotplug && caps.max_hotplug == 3 && caps.max_devices == 5);
    assert(caps.max_queues == 9 && caps.max_vfs == 8);
    assert(caps.query_vuid && caps.crossing_mkey && !caps.on_manager);
    assert(caps.queue_types == 1 && caps.event_modes == 5);
    assert(caps.max_tunnel_desc == 4 && caps.log_max_rqt_size == 6);
    assert(caps.umem_a[0] == 128 && caps.umem_b[0] == 4096);
    assert(caps.umem_a[1] == 64 && caps.umem_b[1] == 0);
    assert(caps.umem_a[2] == 0 && caps.umem_b[2] == 100);
    assert(caps.max_vf_msix == 32 && caps.min_vf_msix == 2);
    assert(caps.tso_ipv4 && caps.tso_ipv6 && caps.tx_csum && caps.rx_csum);
    mlx5_devx_close(devx);

    assert(!mlx5_emu_probe(&fw_model_class, names, 2, &text, &err) && !err);
    assert(!strcmp(text, "mlx5_0 manages emulation: 2 PFs of up to 5, of "
                   "which up to 3 are hotplugged; up to 8 VFs each; up to 9 "
                   "split queues each"));
    free(text);
    expect(mlx5_emu_probe(&fw_model_class, nothing, 1, &text, &err), -ENODEV,
           &err, "no RDMA device mlx5_bond_0");
    assert(!text);
    expect(mlx5_emu_discover(&fw_model_class, nothing, 1, &devx, &caps, &err),
           -ENODEV, &err, "no RDMA device mlx5_bond_0");
    assert(!devx);
    expect(mlx5_emu_discover(&fw_model_class, names, 1, &devx, &caps, &err),
           -ENODEV, &err, "VIRTIO_NET_EMULATION_ENABLE=1");
    fw_model_destroy();

    c.no_emulation = true;
    fw_model_create(&c);
    expect(mlx5_emu_discover(&fw_model_class, names, 2, &devx, &caps, &err),
           -ENODEV, &err, "VIRTIO_NET_EMULATION_ENABLE=1");
    fw_model_destroy();

    c.no_emulation = false;
    c.no_hotplug = c.no_vuid = true;
    fw_model_create(&c);
    devx = discover(&caps);
    assert(!caps.hotplug && !caps.max_hotplug && !caps.query_vuid);
    mlx5_devx_close(devx);
    fw_model_destroy();

    /* No privilege; no RDMA in the kernel. */
    fw_model_create(&card);
    fw_fail_at(2, EPERM);
    expect(mlx5_emu_discover(&fw_model_class, &names[1], 1, &devx, &caps,
                             &err), -EPERM, &err, "CAP_NET_RAW");
    fw_fail_at(1, ENOSYS);
    expect(mlx5_emu_discover(&fw_model_class, names, 2, &devx, &caps, &err),
           -ENOSYS, &err, "cannot be listed");
    fw_model_destroy();
}

static void
test_rdma_core(void)
{
    static const char *const nothing[] = { "no_such_device" };
    struct mlx5_emu_caps caps;
    struct mlx5_devx *devx;
    char *err = NULL;
    int error;

    /* With or without RDMA: one line. */
    error = mlx5_emu_discover(&mlx5_devx_rdma_core, nothing, 1, &devx, &caps,
                              &err);
    assert(error < 0 && !devx && err && !strchr(err, '\n'));
    free(err);
}

static void
test_functions(void)
{
    struct mlx5_emu_function *functions;
    struct mlx5_devx_obj *obj, *second;
    struct mlx5_emu_config config;
    struct mlx5_emu_state s;
    struct mlx5_emu_caps caps;
    struct mlx5_devx *devx;
    uint16_t vhca_id;
    char *err = NULL;
    size_t n;

    fw_model_create(&card);
    devx = discover(&caps);

    /* Static ones. */
    assert(!mlx5_emu_list(devx, &caps, 0, 16, &functions, &n, &err));
    assert(n == 2);
    for (size_t i = 0; i < n; i++) {
        assert(functions[i].vhca_id == FW_STATIC_PF(i));
        assert(!functions[i].hotplug);
        assert(functions[i].bdf == 0x1000 + 8 * i);
    }
    assert(!strcmp(functions[1].vuid, "MT2306XZ0001VNETS0D0F1"));
    free(functions);

    /* Hotplug. */
    assert(!mlx5_emu_plug(devx, &plain, &vhca_id, &err));
    assert(vhca_id == FW_HOTPLUG_PF(0) && fw_n_hotplugged() == 1);
    assert(!mlx5_emu_list(devx, &caps, 0, 16, &functions, &n, &err));
    assert(n == 3 && functions[2].hotplug
           && functions[2].vhca_id == vhca_id);
    free(functions);
    assert(!mlx5_emu_list(devx, &caps, 0, 2, &functions, &n, &err));
    assert(n == 2);
    free(functions);

    assert(!mlx5_emu_manage(devx, &caps, vhca_id, false, &obj, &err));
    expect(mlx5_emu_manage(devx, &caps, vhca_id, false, &second, &err), -EBUSY,
           &err,
           "mlx5_0: emulation object: resource busy (status 0x6, syndrome");
    assert(!second);
    assert(!mlx5_emu_query(obj, 5, &s, &err));
    assert(s.enabled && !s.status && s.num_queues == 5 && s.n_queues == 5);
    assert(s.device_features == plain.features && s.mtu == 1500);
    assert(eth_addr_equals(s.mac, plain.mac) && s.link_up);
    assert(s.max_pairs == 2 && s.max_queue_size == 256 && s.num_msix == 6);
    assert(s.bdf == 0x4000);
    assert(s.crossed_mkey == (0xc0000000 | vhca_id));

    /* Configuration. */
    config = plain;
    config.mac.ea[5] = 0x66;
    config.mtu = 9000;
    config.features |= 1;
    config.max_queue_size = 512;
    assert(!mlx5_emu_configure(obj, s.modifiable, &config, true, true, &err));
    mlx5_emu_state_uninit(&s);
    assert(!mlx5_emu_set_link(obj, false, &err));
    assert(!mlx5_emu_query(obj, 0, &s, &err));
    assert(s.device_features == config.features && s.mtu == 9000);
    assert(eth_addr_equals(s.mac, config.mac) && !s.link_up);
    assert(s.max_queue_size == 512 && !s.queues);

    /* With a driver, not. */
    assert(fw_host_probe(fw_host_find(vhca_id), UINT64_MAX, 2, 128));
    assert(!mlx5_emu_query(obj, 5, &s, &err));
    assert(s.status == 0xf && s.driver_features == config.features);
    assert(s.queues[0].enabled && s.queues[3].size == 128);
    assert(s.queues[1].msix_vector == 2 && s.queues[1].driver == 8192 + 4096);
    expect(mlx5_emu_configure(obj, s.modifiable, &plain, false, true, &err),
           -EBUSY, &err, "does not let the function be modified");
    expect(mlx5_emu_configure(obj, UINT64_MAX, &plain, false, true, &err),
           -EINVAL, &err, "configuration: bad resource state");
    mlx5_emu_state_uninit(&s);

    /* What was not offered does not count. */
    fw_host_accept(fw_host_find(vhca_id), UINT64_MAX);
    assert(!mlx5_emu_query(obj, 0, &s, &err));
    assert(s.driver_features == config.features);

    /* Reset. */
    assert(!mlx5_emu_needs_reset(obj, 0xf, &err));
    assert(fw_host_needs_reset(fw_host_find(vhca_id)));
    expect(mlx5_emu_ack_reset(obj, &err), -EINVAL, &err, "end of reset");
    fw_host_write_status(fw_host_find(vhca_id), 0);
    assert(fw_host_status(fw_host_find(vhca_id)));
    assert(!mlx5_emu_ack_reset(obj, &err));
    assert(!fw_host_status(fw_host_find(vhca_id)));

    /* Unplug: not while it is managed, and once. */
    expect(mlx5_emu_unplug(devx, vhca_id, &err), -EBUSY, &err, "unplug");
    mlx5_devx_destroy(&obj);
    assert(!obj);
    assert(!mlx5_emu_unplug(devx, vhca_id, &err));
    expect(mlx5_emu_unplug(devx, vhca_id, &err), -EINVAL, &err, "unplug");
    expect(mlx5_emu_unplug(devx, FW_STATIC_PF(0), &err), -EINVAL, &err,
           "unplug");
    assert(!fw_n_hotplugged());

    /* No more than there is room for. */
    for (int i = 0; i < 3; i++) {
        assert(!mlx5_emu_plug(devx, &plain, &vhca_id, &err));
    }
    expect(mlx5_emu_plug(devx, &plain, &vhca_id, &err), -EAGAIN, &err,
           "no resources");
    config = plain;
    config.max_pairs = 5;
    expect(mlx5_emu_plug(devx, &config, &vhca_id, &err), -EINVAL, &err,
           "bad parameter");

    /* They outlive the process. */
    mlx5_devx_close(devx);
    devx = discover(&caps);
    assert(!mlx5_emu_list(devx, &caps, 0, 16, &functions, &n, &err));
    assert(n == 5);
    free(functions);

    assert(!fw_n_objects());
    mlx5_devx_close(devx);
    fw_model_destroy();
}

static void
test_vfs(void)
{
    struct mlx5_emu_function *functions;
    struct mlx5_devx_obj *pf, *vf;
    struct fw_config config = card;
    struct mlx5_emu_state s;
    struct mlx5_emu_caps caps;
    struct mlx5_devx *devx;
    char *err = NULL;
    size_t n;

    config.spare_vf_msix = 22;
    fw_model_create(&config);
    devx = discover(&caps);
    assert(!mlx5_emu_manage(devx, &caps, FW_STATIC_PF(1), true, &pf, &err));
    fw_host_enable_vfs(fw_host_find(FW_STATIC_PF(1)), 8);
    assert(!mlx5_emu_query(pf, 0, &s, &err));
    assert(s.num_vfs == 8);
    assert(!mlx5_emu_list(devx, &caps, FW_STATIC_PF(1), s.num_vfs, &functions,
                          &n, &err));
    assert(n == 8);
    assert(!strcmp(functions[7].vuid, "MT2306XZ0001VNETS0D0F1V7"));
    assert(!mlx5_emu_manage(devx, &caps, functions[7].vhca_id, false, &vf,
                            &err));
    assert(!mlx5_emu_set_msix(vf, 12, &err));
    assert(!mlx5_emu_query(vf, 0, &s, &err));
    assert(s.num_msix == 12 && s.modifiable & MLX5_EMU_MODIFY_NUM_MSIX);
    expect(mlx5_emu_set_msix(pf, 12, &err), -EINVAL, &err, "MSI-X");
    assert(caps.min_vf_msix == 2 && caps.max_vf_msix == 32);
    expect(mlx5_emu_set_msix(vf, 1, &err), -EINVAL, &err, "MSI-X");
    expect(mlx5_emu_set_msix(vf, 33, &err), -EINVAL, &err, "MSI-X");
    assert(!mlx5_emu_query(pf, 0, &s, &err));
    assert(s.free_vf_msix == 20);
    assert(!mlx5_emu_set_msix(vf, 32, &err));
    assert(!mlx5_emu_query(pf, 0, &s, &err));
    assert(s.free_vf_msix == 0);

    /* Only while the PF says so. */
    mlx5_devx_destroy(&pf);
    assert(!mlx5_emu_manage(devx, &caps, FW_STATIC_PF(1), false, &pf, &err));
    assert(!mlx5_emu_query(vf, 0, &s, &err));
    assert(!(s.modifiable & MLX5_EMU_MODIFY_NUM_MSIX));
    expect(mlx5_emu_set_msix(vf, 12, &err), -EINVAL, &err, "MSI-X");
    mlx5_devx_destroy(&pf);
    caps.max_vf_msix = 0;
    assert(!mlx5_emu_manage(devx, &caps, FW_STATIC_PF(1), true, &pf, &err));
    expect(mlx5_emu_set_msix(vf, 12, &err), -EINVAL, &err, "MSI-X");
    free(functions);

    /* They go while they are managed. */
    fw_host_enable_vfs(fw_host_find(FW_STATIC_PF(1)), 0);
    expect(mlx5_emu_query(vf, 0, &s, &err), -EINVAL, &err, "registers");
    mlx5_devx_destroy(&vf);
    mlx5_devx_destroy(&pf);
    assert(!fw_n_objects());
    mlx5_devx_close(devx);
    fw_model_destroy();
}

/* Does a bit of everything and undoes it.  Returns the first error; whatever
 * happens, nothing is left, but for a function that cannot be unplugged. */
static int
everything(void)
{
    struct mlx5_emu_function *functions;
    struct mlx5_devx_obj *obj = NULL;
    struct mlx5_emu_state s;
    struct mlx5_emu_caps caps;
    struct mlx5_devx *devx;
    uint16_t vhca_id = 0;
    char *err = NULL;
    int error, second;
    size_t n;

    error = mlx5_emu_discover(&fw_model_class, names, 2, &devx, &caps, &err);
    if (error) {
        assert(!devx && err);
        free(err);
        return error;
    }
    error = mlx5_emu_list(devx, &caps, 0, 16, &functions, &n, &err);
    free(functions);
    if (!error) {
        error = mlx5_emu_plug(devx, &plain, &vhca_id, &err);
    }
    if (!error) {
        error = mlx5_emu_manage(devx, &caps, vhca_id, false, &obj, &err);
    }
    if (!error) {
        error = mlx5_emu_query(obj, 5, &s, &err);
        mlx5_emu_state_uninit(&s);
    }
    if (!error) {
        error = mlx5_emu_set_link(obj, false, &err);
    }
    assert(!error == !err);
    free(err);
    err = NULL;
    mlx5_devx_destroy(&obj);
    assert(!mlx5_devx_reap(devx));
    if (vhca_id) {
        second = mlx5_emu_unplug(devx, vhca_id, &err);
        if (second) {
            assert(!error && err);
            free(err);
            error = second;
            assert(!mlx5_emu_unplug(devx, vhca_id, &err));
        }
    }
    assert(!fw_n_objects() && !fw_n_hotplugged());
    mlx5_devx_close(devx);
    return error;
}

static void
test_errors(void)
{
    unsigned int n_calls, n_failed = 0;

    fw_model_create(&card);
    fw_fail_at(0, 0);
    assert(!everything());
    n_calls = fw_n_calls();
    assert(n_calls > 12);
    for (unsigned int i = 1; i <= n_calls; i++) {
        for (int how = 0; how < 2; how++) {
            fw_fail_at(i, how ? ENOMEM : 0);
            n_failed += everything() != 0;
            assert(fw_failed());
            assert(!fw_n_open());
        }
    }
    /* All are reported, but for the destruction that is tried again, and
     * devices that cannot be opened besides the one that can. */
    assert(n_failed >= 2 * (n_calls - 3));
    fw_model_destroy();
}

/* An object that firmware does not let go is destroyed when it can be. */
static void
test_refused(void)
{
    struct mlx5_devx_obj *obj, *umem;
    struct mlx5_emu_caps caps;
    struct mlx5_devx *devx;
    char *err = NULL;

    fw_model_create(&card);
    devx = discover(&caps);
    for (int closing = 0; closing < 2; closing++) {
        assert(!mlx5_emu_manage(devx, &caps, FW_STATIC_PF(0), false, &obj,
                                &err));
        assert(!mlx5_devx_umem(devx, 5000, &umem, &err));
        fw_fail_at(1, 0);
        mlx5_devx_destroy(&umem);
        assert(!umem);
        fw_fail_at(1, EBUSY);
        mlx5_devx_destroy(&obj);
        assert(fw_n_objects() == 2);
        fw_fail_at(2, 0);
        if (!closing) {
            assert(!mlx5_devx_reap(devx));
            assert(!fw_n_objects());
        }
    }
    fw_fail_at(0, 0);
    mlx5_devx_close(devx);
    fw_model_destroy();
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    test_discovery();
    test_rdma_core();
    test_functions();
    test_vfs();
    test_errors();
    test_refused();
    return 0;
}
