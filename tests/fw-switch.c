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

/* Makes an ovs-vswitchd, linked with this file, one of a card that is a model:
 * fw-model.h in place of firmware and host, fw-devlink.h in place of devlink.
 *
 * That program is never installed, and the one that is does not contain any of
 * this.  The environment variable FW_MODEL says what card it is, as
 * "KEY=NUMBER,...": the members of struct fw_config, "latency_us" for commands
 * of the firmware, "devlink_us" for changes by devlink, "slow_udev".  FW_SYSFS
 * is a directory, empty at first, that makes functions and SFs outlive the
 * process; below "proc" in it are the processes that there are besides.
 *
 * Commands of ovs-appctl stand for what the host does, and make things fail.
 * Functions are given by their vhca ids, as in fw-model.h. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fw-devlink.h"
#include "fw-model-internal.h"
#include "mlx5-native-backend.h"
#include "mlx5-prm-emulation.h"
#include "mlx5-service.h"
#include "openvswitch/dynamic-string.h"
#include "unixctl.h"
#include "util.h"

static struct fw_config config = {
    .n_static_pfs = 1, .max_vfs = 8, .max_hotplug = 4, .n_sfs = 64,
    .max_queues = 5, .latency_us = 1000,
};
static unsigned int devlink_us = 1000;
static bool slow_udev;

static const struct {
    const char *key;
    unsigned int *value;
    bool *flag;
} keys[] = {
    { "n_static_pfs", &config.n_static_pfs, NULL },
    { "max_vfs", &config.max_vfs, NULL },
    { "max_hotplug", &config.max_hotplug, NULL },
    { "n_sfs", &config.n_sfs, NULL },
    { "max_queues", &config.max_queues, NULL },
    { "max_vf_msix", &config.max_vf_msix, NULL },
    { "num_vf_msix", &config.num_vf_msix, NULL },
    { "spare_vf_msix", &config.spare_vf_msix, NULL },
    { "n_lag_ports", &config.n_lag_ports, NULL },
    { "latency_us", &config.latency_us, NULL },
    { "devlink_us", &devlink_us, NULL },
    { "slow_udev", NULL, &slow_udev },
    { "mrg_rxbuf", NULL, &config.mrg_rxbuf },
    { "no_emulation", NULL, &config.no_emulation },
    { "no_queues", NULL, &config.no_queues },
    { "no_privilege", NULL, &config.no_privilege },
    { "no_hotplug", NULL, &config.no_hotplug },
    { "no_vuid", NULL, &config.no_vuid },
    { "on_manager", NULL, &config.on_manager },
};

static void
read_environment(void)
{
    const char *env = getenv("FW_MODEL");
    char *copy = xstrdup(env ? env : "");
    char *save_ptr = NULL;

    for (char *word = strtok_r(copy, ",", &save_ptr); word;
         word = strtok_r(NULL, ",", &save_ptr)) {
        char *eq = strchr(word, '=');
        unsigned int number;
        size_t i;

        if (!eq || !str_to_uint(eq + 1, 10, &number)) {
            ovs_fatal(0, "FW_MODEL: \"%s\"", word);
        }
        *eq = '\0';
        for (i = 0; i < ARRAY_SIZE(keys) && strcmp(keys[i].key, word); i++) {
            continue;
        }
        if (i == ARRAY_SIZE(keys)) {
            ovs_fatal(0, "FW_MODEL: \"%s\"", word);
        } else if (keys[i].value) {
            *keys[i].value = number;
        } else {
            *keys[i].flag = number;
        }
    }
    free(copy);
}

/* Functions outlive the process in a file: as they are after each command. */

struct state {
    size_t n_fns;
    struct fw_fn fns[FW_MAX_FNS];
};

static struct state *state;

static void
save(void)
{
    ovs_mutex_lock(&fw_mutex);
    memcpy(state->fns, fw.fns, fw.n_fns * sizeof fw.fns[0]);
    state->n_fns = fw.n_fns;
    ovs_mutex_unlock(&fw_mutex);
}

/* Nobody manages functions any more, and drivers' memory is not to be had, as
 * if the host had been too slow to notice. */
static void
load(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert(fd >= 0 && !ftruncate(fd, sizeof *state));
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 0);
    assert(state != MAP_FAILED);
    close(fd);
    if (state->n_fns) {
        fw.n_fns = state->n_fns;
        memcpy(fw.fns, state->fns, fw.n_fns * sizeof fw.fns[0]);
    }
    for (size_t i = 0; i < fw.n_fns; i++) {
        struct fw_fn *fn = &fw.fns[i];

        fn->emu = NULL;
        fn->memory = NULL;
        fn->pf = NULL;
        if (fn->kind == FW_VF) {
            fn->pf = &fw.fns[(fn->vhca_id - 300) / config.max_vfs];
        }
    }
}

static struct mlx5_devx_class class;

static int
save_open(const char *name, struct mlx5_devx **devxp)
{
    int error = fw_model_class.open(name, devxp);

    if (!error) {
        (*devxp)->class = &class;
    }
    return error;
}

static int
save_command(struct mlx5_devx *devx, const void *in, size_t in_len, void *out,
             size_t out_len)
{
    int error = fw_model_class.command(devx, in, in_len, out, out_len);

    save();
    return error;
}

static int
save_modify(struct mlx5_devx_obj *obj, const void *in, size_t in_len,
            void *out, size_t out_len)
{
    int error = fw_model_class.modify(obj, in, in_len, out, out_len);

    save();
    return error;
}

/* Commands.  Numbers are decimal or, with 0x, hexadecimal. */

#define MAX_ARGS 4

/* One that gets a function, unless 'has_fn' is false, and 'n_args' numbers,
 * which may all be left out, and answers with text. */
struct command {
    const char *name, *usage;
    bool has_fn;
    int n_args;
    char *(*cb)(struct fw_fn *, const unsigned int args[MAX_ARGS], int n);
};

static char *
cmd_probe(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
          int n OVS_UNUSED)
{
    return xstrdup(fw_host_probe(fn, UINT64_MAX, args[0], args[1])
                   ? "ok" : "failed");
}

static char *
cmd_status(struct fw_fn *fn, const unsigned int args[MAX_ARGS], int n)
{
    if (n) {
        fw_host_write_status(fn, args[0]);
    }
    return xasprintf("0x%x", fw_host_status(fn));
}

static char *
cmd_flr(struct fw_fn *fn, const unsigned int args[MAX_ARGS] OVS_UNUSED,
        int n OVS_UNUSED)
{
    fw_host_flr(fn);
    return xstrdup("started");
}

static char *
cmd_flr_done(struct fw_fn *fn, const unsigned int args[MAX_ARGS] OVS_UNUSED,
             int n OVS_UNUSED)
{
    return xstrdup(fw_host_flr_done(fn) ? "yes" : "no");
}

static char *
cmd_vfs(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
        int n OVS_UNUSED)
{
    fw_host_enable_vfs(fn, args[0]);
    return xstrdup("ok");
}

static char *
cmd_bdf(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
        int n OVS_UNUSED)
{
    fw_host_set_bdf(fn, args[0]);
    return xstrdup("ok");
}

static char *
cmd_config(struct fw_fn *fn, const unsigned int args[MAX_ARGS] OVS_UNUSED,
           int n OVS_UNUSED)
{
    uint16_t mtu, pairs, status;
    uint8_t mac[6];

    fw_host_get_config(fn, mac, &mtu, &pairs, &status);
    return xasprintf("mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u pairs=%u "
                     "link=%u features=0x%"PRIx64, mac[0], mac[1], mac[2],
                     mac[3], mac[4], mac[5], mtu, pairs, status & 1,
                     fw_host_features(fn));
}

static char *
cmd_pairs(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
          int n OVS_UNUSED)
{
    uint8_t data[2] = { args[0], args[0] >> 8 };

    fw_host_ctrl_post(fn, 4, 0, data, sizeof data);
    return xstrdup("posted");
}

static char *
cmd_ctrl_done(struct fw_fn *fn, const unsigned int args[MAX_ARGS] OVS_UNUSED,
              int n OVS_UNUSED)
{
    uint8_t ack;

    return (fw_host_ctrl_done(fn, &ack) ? xasprintf("%u", ack)
            : xstrdup("pending"));
}

static char *
cmd_queue(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
          int n OVS_UNUSED)
{
    return xstrdup(fw_queue_is_running(fn, args[0]) ? "running" : "stopped");
}

static char *
cmd_queue_port(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
               int n OVS_UNUSED)
{
    return xasprintf("%u", fw_queue_port(fn, args[0]));
}

static char *
cmd_queue_count(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
                int n OVS_UNUSED)
{
    fw_queue_count(fn, args[0], args[1]);
    return xstrdup("ok");
}

static char *
cmd_queue_error(struct fw_fn *fn, const unsigned int args[MAX_ARGS],
                int n OVS_UNUSED)
{
    fw_queue_error(fn, args[0]);
    return xstrdup("ok");
}

static char *
cmd_fail(struct fw_fn *fn OVS_UNUSED, const unsigned int args[MAX_ARGS],
         int n)
{
    fw_fail_from(args[0], n > 2 ? args[2] : 1, args[1]);
    return xstrdup("ok");
}

/* The next function that the backend tries to take over cannot be. */
static char *
cmd_fail_emulation(struct fw_fn *fn OVS_UNUSED,
                   const unsigned int args[MAX_ARGS] OVS_UNUSED,
                   int n OVS_UNUSED)
{
    fw_fail_create(MLX5_OBJ_NET_DEVICE_EMULATION);
    return xstrdup("ok");
}

static char *
cmd_hold(struct fw_fn *fn OVS_UNUSED, const unsigned int args[MAX_ARGS],
         int n OVS_UNUSED)
{
    fw_hold(args[0]);
    return xstrdup("ok");
}

static char *
cmd_count(struct fw_fn *fn OVS_UNUSED,
          const unsigned int args[MAX_ARGS] OVS_UNUSED, int n OVS_UNUSED)
{
    return xasprintf("calls=%u failed=%d objects=%u emulated=%u hotplugged=%u "
                     "vfs=%u sfs=%u", fw_n_calls(), fw_failed(),
                     fw_n_objects(),
                     fw_n_objects_of(MLX5_OBJ_NET_DEVICE_EMULATION),
                     fw_n_hotplugged(), fw_n_vfs(), fw_devlink_n_sfs());
}

static char *
cmd_main_calls(struct fw_fn *fn OVS_UNUSED,
               const unsigned int args[MAX_ARGS] OVS_UNUSED, int n OVS_UNUSED)
{
    return xasprintf("%u", fw_n_own_calls() + fw_devlink_n_own_requests());
}

static char *
cmd_refusal(struct fw_fn *fn OVS_UNUSED,
            const unsigned int args[MAX_ARGS] OVS_UNUSED, int n OVS_UNUSED)
{
    return xstrdup(fw_last_refusal());
}

static char *
cmd_sf_lose(struct fw_fn *fn OVS_UNUSED, const unsigned int args[MAX_ARGS],
            int n OVS_UNUSED)
{
    return xstrdup(fw_devlink_lose(args[0]) ? "ok" : "no such SF");
}

static char *
cmd_rep(struct fw_fn *fn OVS_UNUSED, const unsigned int args[MAX_ARGS],
        int n OVS_UNUSED)
{
    return xstrdup(fw_devlink_set_rep(args[0], args[1])
                   ? "ok" : "no such SF");
}

static char *
cmd_udev(struct fw_fn *fn OVS_UNUSED,
         const unsigned int args[MAX_ARGS] OVS_UNUSED, int n OVS_UNUSED)
{
    fw_devlink_rename();
    return xstrdup("ok");
}

static char *
cmd_sf_refuse(struct fw_fn *fn OVS_UNUSED, const unsigned int args[MAX_ARGS],
              int n OVS_UNUSED)
{
    fw_devlink_refuse(args[0]);
    return xstrdup("ok");
}

static char *
cmd_switchdev(struct fw_fn *fn OVS_UNUSED, const unsigned int args[MAX_ARGS],
              int n OVS_UNUSED)
{
    fw_devlink_set_switchdev(args[0]);
    return xstrdup("ok");
}

static const struct command commands[] = {
    { "fw/probe", "FUNCTION PAIRS SIZE", true, 2, cmd_probe },
    { "fw/status", "FUNCTION [STATUS]", true, 1, cmd_status },
    { "fw/flr", "FUNCTION", true, 0, cmd_flr },
    { "fw/flr-done", "FUNCTION", true, 0, cmd_flr_done },
    { "fw/vfs", "FUNCTION NUMBER", true, 1, cmd_vfs },
    { "fw/bdf", "FUNCTION BDF", true, 1, cmd_bdf },
    { "fw/config", "FUNCTION", true, 0, cmd_config },
    { "fw/pairs", "FUNCTION PAIRS", true, 1, cmd_pairs },
    { "fw/ctrl-done", "FUNCTION", true, 0, cmd_ctrl_done },
    { "fw/queue", "FUNCTION INDEX", true, 1, cmd_queue },
    { "fw/queue-port", "FUNCTION INDEX", true, 1, cmd_queue_port },
    { "fw/queue-count", "FUNCTION INDEX N", true, 2, cmd_queue_count },
    { "fw/queue-error", "FUNCTION INDEX", true, 1, cmd_queue_error },
    { "fw/fail", "N ERRNO [COUNT]", false, 3, cmd_fail },
    { "fw/fail-emulation", "", false, 0, cmd_fail_emulation },
    { "fw/hold", "0|1", false, 1, cmd_hold },
    { "fw/count", "", false, 0, cmd_count },
    { "fw/main-calls", "", false, 0, cmd_main_calls },
    { "fw/refusal", "", false, 0, cmd_refusal },
    { "fw/sf-lose", "SF", false, 1, cmd_sf_lose },
    { "fw/rep", "SF THERE", false, 2, cmd_rep },
    { "fw/udev", "", false, 0, cmd_udev },
    { "fw/sf-refuse", "N", false, 1, cmd_sf_refuse },
    { "fw/switchdev", "0|1", false, 1, cmd_switchdev },
};

static void
handle(struct unixctl_conn *conn, int argc, const char *argv[], void *c_)
{
    const struct command *c = c_;
    unsigned int args[MAX_ARGS] = { 0 };
    struct fw_fn *fn = NULL;
    char *text;
    int n = 0;

    for (int i = 1; i < argc; i++) {
        unsigned int number;

        if (!str_to_uint(argv[i], 0, &number)) {
            unixctl_command_reply_error(conn, "a number is needed");
            return;
        } else if (c->has_fn && i == 1) {
            fn = fw_host_find(number);
            if (!fn) {
                unixctl_command_reply_error(conn, "no such function");
                return;
            }
        } else {
            args[n++] = number;
        }
    }
    text = c->cb(fn, args, n);
    save();
    unixctl_command_reply(conn, text);
    free(text);
}

static void __attribute__((constructor))
fw_switch_init(void)
{
    const char *sysfs = getenv("FW_SYSFS");
    char *path;

    read_environment();
    if (!sysfs) {
        return;                 /* Somebody asks for --version, say. */
    }
    fw_model_create(&config);
    path = xasprintf("%s/functions", sysfs);
    load(path);
    free(path);
    class = fw_model_class;
    class.open = save_open;
    class.command = save_command;
    class.modify = save_modify;
    fw_devlink_create(sysfs, devlink_us, slow_udev);
    mlx5_service_proc = xasprintf("%s/proc", sysfs);
    mlx5_service_look_ms = 50;
    mlx5_native_devx = &class;
    mlx5_native_kernel = &fw_devlink;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct command *c = &commands[i];

        unixctl_command_register(c->name, c->usage, c->has_fn,
                                 c->has_fn + c->n_args, handle,
                                 CONST_CAST(struct command *, c));
    }
}
