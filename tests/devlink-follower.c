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

/* Follows the devlink of the kernel that it runs on, by mlx5-devlink.h, and
 * tells and asks what "ovs-appctl -t SOCKET" wants to know and to have:
 *
 *     ports                       the table, a line "HANDLE/INDEX FLAVOUR
 *                                 IFINDEX NAME" for each port,
 *                                 for SFs with "SF MAC STATE OPSTATE"
 *     events, forget              what has happened since the start or the
 *                                 last "forget", a line for each
 *     stats
 *     eswitch HANDLE              "switchdev" or "legacy"
 *     new-sf HANDLE PF SF [MAC]   an SF with its devices, which are told
 *     del-sf HANDLE INDEX
 *     set-mac HANDLE INDEX MAC    of the function of a port
 *     set-state HANDLE INDEX active|inactive
 *     del-port HANDLE INDEX       whatever it is
 *     exit
 *
 * What fails is answered with the errno's text and the one line that a user
 * would see.
 *
 * usage: devlink-follower SOCKET [BYTES]
 *
 * BYTES is how much of notifications the kernel is to keep, for less than the
 * plugin has it keep. */

#include <config.h>
#undef NDEBUG
#include "mlx5-devlink.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "sset.h"
#include "unixctl.h"
#include "util.h"

/* How long (ms) a request may take: the machine may be a slow one. */
#define TIMEOUT_MS 20000

/* The kernel, with less room. */
static struct mlx5_dl_kernel kernel;
static int room;

static struct mlx5_devlink *dl;
static struct ds events = DS_EMPTY_INITIALIZER;

/* Ports that there have been, as "HANDLE INDEX". */
static struct sset seen = SSET_INITIALIZER(&seen);

static bool exiting;

static int
open_small(enum mlx5_dl_purpose purpose, uint32_t group,
           struct mlx5_dl_socket **socketp)
{
    int error = mlx5_dl_linux.open(purpose, group, socketp);

    if (!error && purpose != MLX5_DL_REQUESTS) {
        assert(!setsockopt(mlx5_dl_linux.get_fd(*socketp), SOL_SOCKET,
                           SO_RCVBUF, &room, sizeof room));
    }
    return error;
}

static void
put_port(struct ds *ds, const struct mlx5_dl_port *p)
{
    static const struct {
        uint16_t flavour;
        const char *name;
    } names[] = {
        { MLX5_DL_PHYSICAL, "physical" },
        { MLX5_DL_PCI_PF, "pcipf" },
        { MLX5_DL_PCI_VF, "pcivf" },
        { MLX5_DL_PCI_SF, "pcisf" },
    };
    const char *flavour = "other";

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].flavour == p->flavour) {
            flavour = names[i].name;
        }
    }
    ds_put_format(ds, "%s/%"PRIu32" %s %"PRIu32" %s", p->handle, p->index,
                  flavour, p->ifindex, p->netdev[0] ? p->netdev : "-");
    if (p->flavour == MLX5_DL_PCI_SF) {
        ds_put_format(ds, " %"PRIu32" "ETH_ADDR_FMT" %s %s", p->sf_num,
                      ETH_ADDR_ARGS(p->hw_addr),
                      p->active ? "active" : "inactive",
                      p->attached ? "attached" : "detached");
    }
    ds_put_char(ds, '\n');
}

static void
port_cb(enum mlx5_devlink_event event, const struct mlx5_dl_port *p,
        void *aux OVS_UNUSED)
{
    static const char *const names[] = {
        [MLX5_DEVLINK_ADDED] = "added",
        [MLX5_DEVLINK_CHANGED] = "changed",
        [MLX5_DEVLINK_RENAMED] = "renamed",
        [MLX5_DEVLINK_REMOVED] = "removed",
        [MLX5_DEVLINK_LOST] = "lost",
    };
    char *key = xasprintf("%s %"PRIu32, p->handle, p->index);

    sset_add(&seen, key);
    free(key);
    ds_put_format(&events, "%s ", names[event]);
    put_port(&events, p);
}

/* Looking. */

static void
cmd_ports(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    const char **keys = sset_sort(&seen);
    struct ds ds = DS_EMPTY_INITIALIZER;
    const char *reason;

    if (!mlx5_devlink_is_ready(dl, &reason)) {
        unixctl_command_reply_error(conn, reason ? reason : "not yet");
        free(keys);
        return;
    }
    for (size_t i = 0; i < sset_count(&seen); i++) {
        const struct mlx5_dl_port *p;
        char handle[MLX5_DL_HANDLE_LEN];
        uint32_t index;

        assert(ovs_scan(keys[i], "%79s %"SCNu32, handle, &index));
        p = mlx5_devlink_find(dl, handle, index);
        if (p) {
            /* All ways to find it lead to it. */
            assert(!p->ifindex
                   || mlx5_devlink_find_ifindex(dl, p->ifindex) == p);
            assert(p->flavour != MLX5_DL_PHYSICAL
                   || mlx5_devlink_find_uplink(dl, handle));
            put_port(&ds, p);
        }
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
    free(keys);
}

static void
cmd_events(struct unixctl_conn *conn, int argc OVS_UNUSED,
           const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    unixctl_command_reply(conn, ds_cstr(&events));
}

static void
cmd_forget(struct unixctl_conn *conn, int argc OVS_UNUSED,
           const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    ds_clear(&events);
    unixctl_command_reply(conn, NULL);
}

static void
cmd_stats(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    const struct mlx5_devlink_stats *s = mlx5_devlink_get_stats(dl);
    char *text = xasprintf("created=%llu destroyed=%llu failed=%llu left=%llu "
                           "lost=%llu reps_lost=%llu resyncs=%llu",
                           s->created, s->destroyed, s->failed, s->left,
                           s->lost, s->reps_lost, s->resyncs);

    unixctl_command_reply(conn, text);
    free(text);
}

/* Asking by the thread, as the controller does. */

static void
reply(struct unixctl_conn *conn, int error, const char *reason)
{
    if (error) {
        char *text = xasprintf("%s: %s", ovs_strerror(-error), reason);

        unixctl_command_reply_error(conn, text);
        free(text);
    } else {
        unixctl_command_reply(conn, "done");
    }
}

static void
created_cb(int error, const char *reason, const struct mlx5_sf *sf, void *conn)
{
    if (error) {
        reply(conn, error, reason);
    } else {
        struct ds ds = DS_EMPTY_INITIALIZER;

        ds_put_format(&ds, "%s %s ", sf->aux_dev, sf->rdma_dev);
        put_port(&ds, &sf->port);
        unixctl_command_reply(conn, ds_cstr(&ds));
        ds_destroy(&ds);
    }
}

static void
destroyed_cb(int error, const char *reason, void *conn)
{
    reply(conn, error, reason);
}

static void
cmd_new_sf(struct unixctl_conn *conn, int argc, const char *argv[],
           void *aux OVS_UNUSED)
{
    struct mlx5_sf_spec spec = {
        .pf_num = atoi(argv[2]),
        .sf_num = atoi(argv[3]),
        .rdma = true,
        .timeout_ms = TIMEOUT_MS,
    };

    if (argc > 4) {
        assert(eth_addr_from_string(argv[4], &spec.mac));
    }
    ovs_strlcpy(spec.handle, argv[1], sizeof spec.handle);
    mlx5_devlink_create_sf(dl, &spec, created_cb, conn);
}

static void
cmd_del_sf(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
           void *aux OVS_UNUSED)
{
    mlx5_devlink_destroy_sf(dl, argv[1], atoi(argv[2]), TIMEOUT_MS,
                            destroyed_cb, conn);
}

/* Asking one thing at a time. */

static int
eswitch_cb(const struct nlmsghdr *nlh, void *switchdev)
{
    return mlx5_dl_parse_eswitch(nlh, switchdev);
}

static void
cmd_request(struct unixctl_conn *conn, int argc, const char *argv[],
            void *aux OVS_UNUSED)
{
    uint32_t index = argc > 2 ? atoi(argv[2]) : 0;
    uint64_t buf[MLX5_DL_REQUEST_SIZE / 8];
    const char *what = argv[0];
    struct nlmsghdr *nlh = NULL;
    bool switchdev = false;
    struct mlx5_dl_conn c;
    struct eth_addr mac;
    char *err = NULL;
    int error;

    error = mlx5_dl_connect(&c, &mlx5_dl_linux, TIMEOUT_MS, NULL, &err);
    if (!error) {
        if (!strcmp(what, "eswitch")) {
            nlh = mlx5_dl_get_eswitch(buf, c.family, argv[1]);
        } else if (!strcmp(what, "set-mac")) {
            assert(eth_addr_from_string(argv[3], &mac));
            nlh = mlx5_dl_set_hw_addr(buf, c.family, argv[1], index, mac);
        } else if (!strcmp(what, "set-state")) {
            nlh = mlx5_dl_set_state(buf, c.family, argv[1], index,
                                    !strcmp(argv[3], "active"));
        } else {
            nlh = mlx5_dl_del_port(buf, c.family, argv[1], index);
        }
        error = mlx5_dl_transact(&c, nlh, argc == 2 ? eswitch_cb : NULL,
                                 &switchdev, what, &err);
        mlx5_dl_disconnect(&c);
    }
    if (!error && argc == 2) {
        unixctl_command_reply(conn, switchdev ? "switchdev" : "legacy");
    } else {
        reply(conn, error, err);
    }
    free(err);
}

static void
cmd_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    exiting = true;
    unixctl_command_reply(conn, NULL);
}

int
main(int argc, char *argv[])
{
    static const struct {
        const char *name, *usage;
        int min_args, max_args;
        unixctl_cb_func *cb;
    } commands[] = {
        { "ports", "", 0, 0, cmd_ports },
        { "events", "", 0, 0, cmd_events },
        { "forget", "", 0, 0, cmd_forget },
        { "stats", "", 0, 0, cmd_stats },
        { "new-sf", "HANDLE PF SF [MAC]", 3, 4, cmd_new_sf },
        { "del-sf", "HANDLE INDEX", 2, 2, cmd_del_sf },
        { "eswitch", "HANDLE", 1, 1, cmd_request },
        { "set-mac", "HANDLE INDEX MAC", 3, 3, cmd_request },
        { "set-state", "HANDLE INDEX STATE", 3, 3, cmd_request },
        { "del-port", "HANDLE INDEX", 2, 2, cmd_request },
        { "exit", "", 0, 0, cmd_exit },
    };
    struct unixctl_server *server;

    set_program_name(argv[0]);
    if (argc < 2 || argc > 3) {
        ovs_fatal(0, "usage: %s SOCKET [BYTES]", argv[0]);
    }
    kernel = mlx5_dl_linux;
    if (argc == 3) {
        room = atoi(argv[2]);
        kernel.open = open_small;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        unixctl_command_register(commands[i].name, commands[i].usage,
                                 commands[i].min_args,
                                 commands[i].max_args, commands[i].cb, NULL);
    }
    if (unixctl_server_create(argv[1], &server)) {
        ovs_fatal(0, "%s: not opened", argv[1]);
    }
    dl = mlx5_devlink_open(&kernel, TIMEOUT_MS, port_cb, NULL);
    while (!exiting) {
        mlx5_devlink_run(dl);
        unixctl_server_run(server);
        mlx5_devlink_wait(dl);
        unixctl_server_wait(server);
        if (exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }
    mlx5_devlink_close(dl);
    unixctl_server_destroy(server);
    ds_destroy(&events);
    sset_destroy(&seen);
    return 0;
}
