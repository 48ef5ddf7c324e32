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

/* The life of a scalable function.  See mlx5-devlink-sf.h. */

#include <config.h>

#include "mlx5-devlink-sf.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"
#include "timeval.h"
#include "util.h"

/* How often (ms) to look whether something has happened. */
#define POLL_MS 10

/* sysfs. */

/* Reads a decimal number from a file. */
static bool
read_number(const char *path, uint32_t *x)
{
    unsigned int number;
    bool ok;
    FILE *f;

    f = fopen(path, "r");
    if (!f) {
        return false;
    }
    ok = fscanf(f, "%u", &number) == 1;
    fclose(f);
    if (ok) {
        *x = number;
    }
    return ok;
}

/* Stores the name of the first thing in a directory in 'name'. */
static bool
first_entry(const char *path, char name[MLX5_SF_NAME_LEN])
{
    struct dirent *de;
    bool found = false;
    DIR *dir;

    dir = opendir(path);
    if (!dir) {
        return false;
    }
    while (!found && (de = readdir(dir)) != NULL) {
        if (de->d_name[0] != '.' && strlen(de->d_name) < MLX5_SF_NAME_LEN) {
            ovs_strlcpy(name, de->d_name, MLX5_SF_NAME_LEN);
            found = true;
        }
    }
    closedir(dir);
    return found;
}

/* Is the device at 'path' below the PCI device of 'handle'? */
static bool
has_parent(const char *path, const char *handle)
{
    const char *parent = strchr(handle, '/');
    char *real = realpath(path, NULL);
    bool found = false;

    if (real && parent) {
        char *wanted = xasprintf("%s/", parent);

        found = strstr(real, wanted) != NULL;
        free(wanted);
    }
    free(real);
    return found;
}

#define AUX_PREFIX "mlx5_core.sf."

struct aux_id {
    int id;
    int distance;               /* From where it is expected. */
};

static int
compare_distances(const void *a_, const void *b_)
{
    const struct aux_id *a = a_, *b = b_;

    return a->distance < b->distance ? -1 : a->distance > b->distance;
}

/* Stores in '*idsp' an array of the numbers of auxiliary devices of SFs, which
 * are not those of the SFs, with the ones next to 'hint' first: to read what
 * each says takes long where there are hundreds. */
static size_t
list_aux_ids(const char *root, int hint, struct aux_id **idsp)
{
    size_t n = 0, allocated = 0;
    DIR *dir = opendir(root);
    struct dirent *de;

    *idsp = NULL;
    while (dir && (de = readdir(dir)) != NULL) {
        int id;

        if (!strncmp(de->d_name, AUX_PREFIX, strlen(AUX_PREFIX))
            && str_to_int(de->d_name + strlen(AUX_PREFIX), 10, &id)) {
            if (n >= allocated) {
                *idsp = x2nrealloc(*idsp, &allocated, sizeof **idsp);
            }
            (*idsp)[n++] = (struct aux_id) { id, abs(id - hint) };
        }
    }
    if (dir) {
        closedir(dir);
    }
    if (n) {
        qsort(*idsp, n, sizeof **idsp, compare_distances);
    }
    return n;
}

int
mlx5_sf_find_devices(const char *sysfs, const char *handle, uint32_t sf_num,
                     int *hint, struct mlx5_sf *sf)
{
    char *root = xasprintf("%s/bus/auxiliary/devices", sysfs);
    int error = -ENOENT;
    struct aux_id *ids;
    size_t n;

    sf->aux_dev[0] = sf->rdma_dev[0] = '\0';
    n = list_aux_ids(root, *hint, &ids);
    for (size_t i = 0; i < n && error; i++) {
        char *device = xasprintf("%s/" AUX_PREFIX "%d", root, ids[i].id);
        char *path = xasprintf("%s/sfnum", device);
        uint32_t number;

        if (read_number(path, &number) && number == sf_num
            && has_parent(device, handle)) {
            char *rdma = xasprintf("%s/infiniband", device);

            *hint = ids[i].id;
            snprintf(sf->aux_dev, sizeof sf->aux_dev, AUX_PREFIX "%d",
                     *hint);
            first_entry(rdma, sf->rdma_dev);
            free(rdma);
            error = 0;
        }
        free(path);
        free(device);
    }
    free(ids);
    free(root);
    return error;
}

/* devlink. */

struct one_port {
    uint16_t family;
    bool found;
    struct mlx5_dl_port port;
};

static int
one_port_cb(const struct nlmsghdr *nlh, void *one_)
{
    struct one_port *one = one_;
    enum mlx5_dl_what what;
    struct mlx5_dl_port port;
    int error;

    error = mlx5_dl_parse_port(nlh, one->family, &what, &port);
    if (!error && what == MLX5_DL_PORT) {
        one->found = true;
        one->port = port;
    }
    return error;
}

static int
get_port(struct mlx5_dl_conn *conn, const char *handle, uint32_t index,
         struct mlx5_dl_port *port, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];
    struct one_port one = { .family = conn->family };
    int error;

    error = mlx5_dl_transact(conn, mlx5_dl_get_port(request, conn->family,
                                                    handle, index),
                             one_port_cb, &one, "port", errp);
    if (!error && (!one.found || one.port.index != index
                   || strcmp(one.port.handle, handle))) {
        error = mlx5_dl_fail(-EBADMSG, errp, "port: not what was asked for");
    }
    if (!error) {
        *port = one.port;
    }
    return error;
}

static int
eswitch_cb(const struct nlmsghdr *nlh, void *switchdev)
{
    return mlx5_dl_parse_eswitch(nlh, switchdev);
}

int
mlx5_sf_get_mode(struct mlx5_dl_conn *conn, const char *handle,
                 bool *switchdev, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];

    *switchdev = false;
    return mlx5_dl_transact(conn, mlx5_dl_get_eswitch(request, conn->family,
                                                      handle),
                            eswitch_cb, switchdev, handle, errp);
}

static int
set_state(struct mlx5_dl_conn *conn, const char *handle, uint32_t index,
          bool active, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];

    return mlx5_dl_transact(conn, mlx5_dl_set_state(request, conn->family,
                                                    handle, index, active),
                            NULL, NULL, active ? "activation"
                            : "deactivation", errp);
}

/* Finds the SF with the numbers of 'spec'.  Returns 0, -ENOENT, or why it
 * cannot be told. */
static int
find_sf(struct mlx5_dl_conn *conn, const struct mlx5_sf_spec *spec,
        struct mlx5_dl_port *port, char **errp)
{
    struct mlx5_dl_port *ports = NULL;
    size_t n = 0;
    int error;

    error = mlx5_dl_list_ports(conn, &ports, &n, errp);
    if (!error) {
        error = -ENOENT;
        for (size_t i = 0; i < n; i++) {
            if (ports[i].flavour == MLX5_DL_PCI_SF
                && !strcmp(ports[i].handle, spec->handle)
                && !ports[i].external && !ports[i].controller
                && ports[i].pf_num == spec->pf_num
                && ports[i].sf_num == spec->sf_num) {
                *port = ports[i];
                error = 0;
            }
        }
    }
    free(ports);
    return error;
}

/* Waits for what mlx5_sf_create() waits for. */
static int
wait_ready(struct mlx5_dl_conn *conn, const struct mlx5_sf_spec *spec,
           struct mlx5_sf *sf, char **errp)
{
    long long int deadline = time_msec() + spec->timeout_ms;

    for (;;) {
        const char *missing;
        int error, hint;

        error = get_port(conn, spec->handle, sf->port.index, &sf->port, errp);
        if (error) {
            return error;
        }
        hint = conn->last_aux + 1;
        mlx5_sf_find_devices(conn->kernel->sysfs, spec->handle, spec->sf_num,
                             &hint, sf);
        missing = (!sf->port.attached ? "its driver"
                   : !spec->reuse
                     && (!sf->port.ifindex || !sf->port.netdev[0])
                   ? "its representor"
                   : !sf->aux_dev[0] ? "its auxiliary device"
                   : spec->rdma && !sf->rdma_dev[0] ? "its RDMA device"
                   : NULL);
        if (!missing) {
            conn->last_aux = hint;
            return 0;
        } else if (time_msec() >= deadline || mlx5_dl_is_stopped(conn)) {
            return mlx5_dl_fail(-ETIMEDOUT, errp, "SF %"PRIu32" of %s is "
                                "still without %s after %d ms", spec->sf_num,
                                spec->handle, missing, spec->timeout_ms);
        }
        mlx5_dl_pause(conn, POLL_MS);
    }
}

/* Undoes what has been done for an SF that is not to be. */
static void
undo(struct mlx5_dl_conn *conn, const struct mlx5_sf_spec *spec,
     bool know_index, uint32_t index, bool *leftp, char **errp)
{
    atomic_bool *stop = conn->stop;
    struct mlx5_dl_port port = { .index = index };
    char *err = NULL;
    int error = 0;

    conn->stop = NULL;          /* This must be done all the same. */
    if (!know_index) {
        error = find_sf(conn, spec, &port, &err);
        index = port.index;
    }
    if (!error) {
        error = mlx5_sf_destroy(conn, spec->handle, index, spec->timeout_ms,
                                &err);
    }
    if (error && error != -ENOENT) {
        char *why = *errp;

        *errp = xasprintf("%s; SF %"PRIu32" of %s may be left: %s",
                          why ? why : "", spec->sf_num, spec->handle,
                          err ? err : ovs_strerror(-error));
        free(why);
        *leftp = true;
    }
    free(err);
    conn->stop = stop;
}

/* Takes the SF of 'spec', which is there. */
static int
reuse(struct mlx5_dl_conn *conn, const struct mlx5_sf_spec *spec,
      struct mlx5_sf *sf, char **errp)
{
    int error;

    error = get_port(conn, spec->handle, spec->index, &sf->port, errp);
    if (!error && (sf->port.flavour != MLX5_DL_PCI_SF
                   || sf->port.sf_num != spec->sf_num)) {
        error = mlx5_dl_fail(-ENODEV, errp, "port %"PRIu32" of %s is not SF "
                             "%"PRIu32, spec->index, spec->handle,
                             spec->sf_num);
    }
    if (!error && !sf->port.active) {
        error = set_state(conn, spec->handle, spec->index, true, errp);
    }
    return error ? error : wait_ready(conn, spec, sf, errp);
}

int
mlx5_sf_create(struct mlx5_dl_conn *conn, const struct mlx5_sf_spec *spec,
               struct mlx5_sf *sf, bool *leftp, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];
    struct one_port one = { .family = conn->family };
    bool switchdev;
    int error;

    memset(sf, 0, sizeof *sf);
    *leftp = false;
    *errp = NULL;
    if (!mlx5_dl_handle_is_valid(spec->handle)) {
        return mlx5_dl_fail(-EINVAL, errp, "\"%s\" is not a device of "
                            "devlink", spec->handle);
    } else if (spec->reuse) {
        return reuse(conn, spec, sf, errp);
    }
    error = mlx5_sf_get_mode(conn, spec->handle, &switchdev, errp);
    if (error) {
        return error;
    } else if (!switchdev) {
        return mlx5_dl_fail(-EOPNOTSUPP, errp, "the eSwitch of %s is not in "
                            "switchdev mode: devlink dev eswitch set %s mode "
                            "switchdev", spec->handle, spec->handle);
    }

    /* If the answer to the next request is lost, only that there was none
     * before tells that it is ours. */
    error = find_sf(conn, spec, &sf->port, errp);
    if (!error) {
        return mlx5_dl_fail(-EEXIST, errp, "%s has an SF %"PRIu32" already",
                            spec->handle, spec->sf_num);
    } else if (error != -ENOENT) {
        return error;
    }

    error = mlx5_dl_transact(conn, mlx5_dl_new_sf(request, conn->family,
                                                  spec->handle, spec->pf_num,
                                                  spec->sf_num),
                             one_port_cb, &one, "new SF", errp);
    if (error == -EEXIST) {
        return error;           /* Somebody else's. */
    } else if (error == -EOPNOTSUPP) {
        char *why = *errp;

        /* mlx5_core knows only that there are none, other drivers not even
         * that. */
        *errp = xasprintf("%s; SFs need PER_PF_NUM_SF=1 and PF_TOTAL_SF of "
                          "the firmware and a kernel with CONFIG_MLX5_SF",
                          why);
        free(why);
    }
    if (!error && (!one.found || one.port.flavour != MLX5_DL_PCI_SF
                   || one.port.sf_num != spec->sf_num
                   || strcmp(one.port.handle, spec->handle))) {
        error = mlx5_dl_fail(-EBADMSG, errp, "new SF: the answer is about "
                             "something else");
        one.found = false;
    }
    sf->port = one.port;
    if (!error && !eth_addr_is_zero(spec->mac)) {
        error = mlx5_dl_transact(
            conn, mlx5_dl_set_hw_addr(request, conn->family, spec->handle,
                                      sf->port.index, spec->mac),
            NULL, NULL, "hardware address", errp);
    }
    if (!error) {
        error = set_state(conn, spec->handle, sf->port.index, true, errp);
    }
    if (!error) {
        error = wait_ready(conn, spec, sf, errp);
    }
    if (error) {
        undo(conn, spec, one.found, sf->port.index, leftp, errp);
    }
    return error;
}

int
mlx5_sf_destroy(struct mlx5_dl_conn *conn, const char *handle,
                uint32_t index, int timeout_ms, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];
    long long int deadline = time_msec() + timeout_ms;
    struct mlx5_dl_port port;
    int error;

    if (!mlx5_dl_handle_is_valid(handle)) {
        return mlx5_dl_fail(-EINVAL, errp, "\"%s\" is not a device of "
                            "devlink", handle);
    }
    error = get_port(conn, handle, index, &port, errp);
    if (!error && port.flavour != MLX5_DL_PCI_SF) {
        return mlx5_dl_fail(-EINVAL, errp, "port %"PRIu32" of %s is not an "
                            "SF", index, handle);
    }
    if (!error && port.active) {
        error = set_state(conn, handle, index, false, errp);
        while (!error && port.attached && time_msec() < deadline
               && !mlx5_dl_is_stopped(conn)) {
            error = get_port(conn, handle, index, &port, errp);
            if (!error && port.attached) {
                mlx5_dl_pause(conn, POLL_MS);
            }
        }
    }
    /* A driver that does not let go is made to. */
    if (!error || error == -ETIMEDOUT) {
        error = mlx5_dl_transact(conn, mlx5_dl_del_port(request, conn->family,
                                                        handle, index),
                                 NULL, NULL, "deletion", errp);
    }
    if (error == -ENODEV || error == -ENOENT) {
        error = 0;
    }
    if (!error) {
        free(*errp);
        *errp = NULL;
    }
    return error;
}
