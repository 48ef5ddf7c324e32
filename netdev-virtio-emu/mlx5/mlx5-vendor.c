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

/* The mlx5 backend in mode "vendor".  See mlx5-vendor.h. */

#include <config.h>

#include "mlx5-vendor.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "mlx5-base.h"
#include "mlx5-devlink.h"
#include "mlx5-port.h"
#include "mlx5-vendor-cli.h"
#include "mlx5-vendor-json.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-life.h"
#include "virtnet-registry.h"
#include "virtnet-settings.h"

VLOG_DEFINE_THIS_MODULE(mlx5_vendor);

COVERAGE_DEFINE(mlx5_vendor_appeared);
COVERAGE_DEFINE(mlx5_vendor_vanished);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

/* How long (ms) after one look at the service the next begins: at least this,
 * and three times as long as the look took, so that the service has most of
 * its time for others; doubled for each failure up to the maximum. */
#define CYCLE_MIN_MS 1000
#define CYCLE_MAX_MS 30000
#define CYCLE_FACTOR 3

/* The pause while somebody waits for the service to be there. */
#define HASTE_MS 200

/* A run of the program may take as long as this (ms): 504 VFs are slow. */
#define CLI_TIMEOUT_MS 60000

/* A device has gone when it is missing from so many lists in a row:
 * ordinarily, and after the service has failed, since it may be about to
 * start. */
#define MISSING_LISTS 2
#define MISSING_LISTS_AFTER_FAILURE 10

/* How long (ms) a request to the kernel may take. */
#define DEVLINK_TIMEOUT_MS 5000

struct vendor_device {
    struct mlx5_port port;
    char handle[MLX5_DL_HANDLE_LEN]; /* Of its SF's parent, for devlink. */
    uint32_t told_ifindex;      /* By the service. */
    int missing;                /* Lists that it has been missing from. */
    bool removed;               /* Perhaps, by a command of ours. */
    bool no_rep;                /* Has it been said that there is none? */
    bool had_rep;               /* Was there one at the last look? */
};

struct vendor {
    struct mlx5_base base;
    struct mlx5_vendor_cli *cli;
    struct mlx5_devlink *devlink;

    /* Looking at the service: "list", then "query". */
    bool looking, look_again;
    long long int look_started;
    long long int next_look;
    struct mlx5_vendor_list *list; /* Between the two. */
    unsigned int n_failures;    /* In a row. */
    bool has_failed;            /* Since all devices were last there. */
    char *problem;              /* Last one told, or NULL. */
    unsigned long long int n_looks, n_bad;
    uint64_t n_reps_lost;       /* Of devices that stayed. */

    /* Commands that wait for the next look to end. */
    struct ovs_list waiting;    /* Of struct command. */
    struct shash bridges;       /* VUID to "char *", of new devices. */
    char *opening;              /* Why it is not open yet. */
};

struct command {
    struct ovs_list node;
    struct vendor *v;
    char *name;                 /* "hotplug". */
    char *bridge;               /* Wanted for the new device, or NULL. */
    char *text;                 /* Answer. */
    virtnet_command_cb *cb;
    void *aux;
};

/* The one that is being opened. */
static struct vendor *opening;

/* A service that cannot be used yet: it may be started later than the switch,
 * long after it. */
static struct {
    char *program;              /* It is about this one, */
    char *reason;               /* ...last time, and has been logged. */
    unsigned int n_failures;    /* In a row, while nobody waits. */
    long long int tried_at, next_try;
} absent;

static struct vendor *
vendor_cast(const struct virtnet_backend *backend)
{
    return CONTAINER_OF(backend, struct vendor, base.up);
}

static struct vendor_device *
vendor_device_cast(const struct virtnet_device *dev)
{
    return CONTAINER_OF(dev, struct vendor_device, port.up);
}

/* Takes note of 'problem', which may be NULL, and logs what is new. */
static void
set_problem(struct vendor *v, const char *problem)
{
    if (!nullable_string_is_equal(v->problem, problem)) {
        if (problem) {
            VLOG_WARN("%s", problem);
        } else {
            VLOG_INFO("the service answers again");
        }
        free(v->problem);
        v->problem = nullable_xstrdup(problem);
    }
}

/* Devices. */

/* Finds the representor of 'vd' now.  Returns its ifindex, or 0. */
static uint32_t
find_rep(const struct vendor *v, const struct vendor_device *vd)
{
    char name[IF_NAMESIZE];
    const char *reason;

    /* Where devlink knows the card, nothing else counts. */
    if (mlx5_devlink_is_ready(v->devlink, &reason)
        && vd->handle[0] && mlx5_devlink_find_uplink(v->devlink, vd->handle)) {
        const struct mlx5_dl_port *port;

        port = mlx5_devlink_find_sf(v->devlink, vd->handle,
                                    vd->port.up.sf_num);
        return port ? port->ifindex : 0;
    }
    return (vd->told_ifindex && if_indextoname(vd->told_ifindex, name)
            ? vd->told_ifindex : 0);
}

/* Has packets of 'vd' go through the representor that it has now. */
static void
follow_rep(const struct vendor *v, struct vendor_device *vd)
{
    uint32_t ifindex = find_rep(v, vd);
    char buf[IF_NAMESIZE];
    const char *name = ifindex ? if_indextoname(ifindex, buf) : NULL;
    char *err = NULL;

    /* When udev has named it, port_changed() comes; if it does not, the next
     * look. */
    if (mlx5_port_is_being_named(&vd->port, name ? ifindex : 0, name)) {
        ifindex = 0;
    }
    if (ifindex == vd->port.rep.ifindex && (ifindex || vd->no_rep)) {
        return;
    }
    mlx5_rep_detach(&vd->port.rep);
    vd->port.up.rep_ifindex = 0;
    vd->no_rep = !ifindex;
    if (!ifindex) {
        err = xasprintf("there is no representor of SF %"PRIu32"%s",
                        vd->port.up.sf_num,
                        vd->port.naming ? " with a name" : "");
    } else if (!mlx5_rep_attach(&vd->port.rep, ifindex, &err)) {
        vd->port.up.rep_ifindex = ifindex;
        VLOG_INFO("%s: representor of SF %"PRIu32" is interface %"PRIu32,
                  vd->port.up.rep_name, vd->port.up.sf_num, ifindex);
    }
    if (err) {
        VLOG_WARN_RL(&rl, "%s: %s", vd->port.up.rep_name, err);
        free(err);
    }
    virtnet_controller_device_changed(&vd->port.up);
}

/* 'vd' is there, and so should its representor be.  (One that goes between
 * looks may go with its device.) */
static void
check_rep(struct vendor *v, struct vendor_device *vd)
{
    follow_rep(v, vd);
    v->n_reps_lost += vd->had_rep && !vd->port.rep.ifindex;
    vd->had_rep = vd->port.rep.ifindex != 0;
}

static void
port_changed(enum mlx5_devlink_event event OVS_UNUSED,
             const struct mlx5_dl_port *port, void *v_)
{
    struct vendor *v = v_;
    struct virtnet_device *dev;

    /* Tables are being filled, or something is about to change: the next look
     * tells all; only a representor that comes or goes is urgent. */
    if (port->flavour == MLX5_DL_PCI_SF && v != opening) {
        VIRTNET_FOR_EACH_DEVICE (dev) {
            if (dev->sf_num == port->sf_num) {
                follow_rep(v, vendor_device_cast(dev));
            }
        }
    }
}

static bool
config_differs(const struct virtnet_device_config *a,
               const struct virtnet_device_config *b)
{
    return (!eth_addr_equals(a->mac, b->mac) || a->mtu != b->mtu
            || a->features != b->features
            || a->max_queue_pairs != b->max_queue_pairs
            || a->max_queue_size != b->max_queue_size
            || a->num_msix != b->num_msix || a->speed != b->speed
            || a->link_up != b->link_up || a->transitional != b->transitional
            || a->hash_types != b->hash_types
            || a->rss_key_size != b->rss_key_size || a->aarfs != b->aarfs
            || a->dim != b->dim);
}

static bool
driver_differs(const struct virtnet_driver_info *a,
               const struct virtnet_driver_info *b)
{
    return (a->status != b->status || a->features != b->features
            || a->enabled_pairs != b->enabled_pairs
            || a->ring_pairs != b->ring_pairs
            || a->msix_config_vector != b->msix_config_vector
            || !eth_addr_equals(a->ctrl_mac, b->ctrl_mac)
            || a->attached != b->attached);
}

/* Puts what the service tells of 'vd' into the model. */
static void
take_info(struct vendor_device *vd, const struct mlx5_vendor_device *info,
          bool is_new)
{
    struct virtnet_device_config config = info->config;
    struct virtnet_driver_info driver = info->driver;
    struct virtnet_device *dev = &vd->port.up;
    bool changed;

    if (!info->has_features) {
        config.features = dev->config.features;
    }
    if (!info->has_status) {
        driver.status = dev->driver.status;
        driver.features = dev->driver.features;
    }
    driver.attached = driver.status != 0;
    driver.ring_pairs = driver.status & VIRTNET_STATUS_DRIVER_OK ? 1 : 0;
    driver.enabled_pairs = MAX(driver.enabled_pairs, driver.ring_pairs);

    vd->told_ifindex = info->rep_ifindex;
    if (info->pci_addr) {
        snprintf(vd->handle, sizeof vd->handle, "pci/%s", info->pci_addr);
        if (!mlx5_dl_handle_is_valid(vd->handle)) {
            vd->handle[0] = '\0';
        }
    }
    changed = (dev->max_vfs != info->max_vfs
               || dev->num_vfs != info->enabled_vfs
               || config_differs(&dev->config, &config));
    dev->max_vfs = info->max_vfs;
    dev->num_vfs = info->enabled_vfs;
    dev->vhca_id = info->vhca_id;
    dev->sf_vhca_id = info->sf_vhca_id;
    if (!is_new && !eth_addr_equals(dev->config.mac, config.mac)) {
        virtnet_registry_set_mac(dev, config.mac);
    }
    dev->config = config;
    if (is_new || driver_differs(&dev->driver, &driver)) {
        virtnet_device_driver_changed(dev, &driver);
    } else if (changed) {
        virtnet_controller_device_changed(dev);
    }
}

/* A device that has not been there. */
static void
appeared(struct vendor *v, const struct mlx5_vendor_device *info)
{
    struct vendor_device *vd;
    struct virtnet_device *dev;
    char *problem = NULL;
    char *bridge;

    if (!mlx5_parents_find(&v->base.parents, info->ib_device)) {
        problem = xasprintf("RDMA device \"%s\" is not in the settings",
                            info->ib_device ? info->ib_device : "");
    } else if (info->pf_id >= VIRTNET_MAX_PFS
               || info->vf_id >= VIRTNET_MAX_VFS
               || (info->type != VIRTNET_VF
                   && !virtnet_registry_pf_id_is_free(info->pf_id))) {
        problem = xasprintf("PF id %"PRIu32" cannot be used", info->pf_id);
    } else if (info->sf_num < virtnet_sf_min(info->type)
               || info->sf_num > virtnet_sf_max(info->type)
               || !virtnet_registry_sf_num_is_free(info->sf_num)) {
        problem = xasprintf("SF number %"PRIu32" cannot be used",
                            info->sf_num);
    } else if (virtnet_device_by_rep(info->rep_name)) {
        problem = xasprintf("representor %s is another one's",
                            info->rep_name);
    }
    if (problem) {
        VLOG_WARN_RL(&rl, "%s: left out: %s", info->vuid, problem);
        free(problem);
        v->n_bad++;
        return;
    }

    dev = v->base.up.class->device_alloc(&v->base.up, info->type);
    vd = vendor_device_cast(dev);
    dev->vuid = xstrdup(info->vuid);
    dev->pf_id = info->pf_id;
    dev->vf_id = info->vf_id;
    dev->bdf = info->bdf;
    dev->ib_device = xstrdup(info->ib_device);
    dev->sf_num = info->sf_num;
    dev->attachment = "pci";
    ovs_strlcpy(dev->rep_name, info->rep_name, sizeof dev->rep_name);
    /* The switch's side has an address of its own, not the guest's. */
    dev->rep_mac = mlx5_port_make_mac(info->config.mac);
    bridge = shash_find_and_delete(&v->bridges, dev->vuid);
    dev->bridge = bridge;
    mlx5_rep_init(&vd->port.rep, info->config.mtu);
    take_info(vd, info, true);
    COVERAGE_INC(mlx5_vendor_appeared);
    VLOG_INFO("%s %s: appeared, "VIRTNET_BDF_FMT", SF %"PRIu32", "
              "representor %s", virtnet_function_type_name(dev->type),
              dev->vuid, VIRTNET_BDF_ARGS(dev->bdf), dev->sf_num,
              dev->rep_name);
    check_rep(v, vd);
    virtnet_adopt(dev);
}

static void
vanished(struct vendor_device *vd)
{
    COVERAGE_INC(mlx5_vendor_vanished);
    VLOG_INFO("%s %s: vanished", virtnet_function_type_name(vd->port.up.type),
              vd->port.up.vuid);
    virtnet_vanish(&vd->port.up);
}

/* Is 'dev', missing from 'list', in the way of a device of the list? */
static bool
is_replaced(const struct mlx5_vendor_list *list,
            const struct virtnet_device *dev)
{
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct mlx5_vendor_device *info = &list->devices[i];

        if (info->sf_num == dev->sf_num
            || !strcmp(info->rep_name, dev->rep_name)
            || ((info->type == VIRTNET_VF) == (dev->type == VIRTNET_VF)
                && info->pf_id == dev->pf_id && info->vf_id == dev->vf_id)) {
            return true;
        }
    }
    return false;
}

/* Makes the registry what 'list' says. */
static void
apply(struct vendor *v, const struct mlx5_vendor_list *list)
{
    int limit = (v->has_failed ? MISSING_LISTS_AFTER_FAILURE
                 : MISSING_LISTS);
    struct virtnet_device *dev;
    struct shash known = SHASH_INITIALIZER(&known);
    struct shash infos = SHASH_INITIALIZER(&infos);
    size_t n_missing = 0;

    for (size_t i = 0; i < list->n_devices; i++) {
        shash_add(&infos, list->devices[i].vuid, &list->devices[i]);
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        struct vendor_device *vd = vendor_device_cast(dev);
        const struct mlx5_vendor_device *info = shash_find_data(&infos,
                                                                dev->vuid);

        if (info && info->type == dev->type && info->pf_id == dev->pf_id
            && info->vf_id == dev->vf_id && info->sf_num == dev->sf_num) {
            vd->missing = 0;
            vd->removed = false;
            take_info(vd, info, false);
            check_rep(v, vd);
            shash_add(&known, dev->vuid, dev);
        } else if (info || vd->removed || is_replaced(list, dev)
                   || (!list->n_bad && ++vd->missing >= limit)) {
            vanished(vd);
        } else {
            n_missing++;
        }
    }
    for (size_t i = 0; i < list->n_devices; i++) {
        if (!shash_find(&known, list->devices[i].vuid)) {
            appeared(v, &list->devices[i]);
        }
    }
    if (!n_missing) {
        v->has_failed = false;
    }
    shash_destroy(&known);
    shash_destroy(&infos);
}

/* Looking. */

static void
answer_waiting(struct vendor *v)
{
    struct command *c;

    LIST_FOR_EACH_POP (c, node, &v->waiting) {
        c->cb(0, NULL, c->text, c->aux);
        free(c->name);
        free(c->bridge);
        free(c->text);
        free(c);
    }
}

/* How long (ms) to wait after a look that began at 'started', which is the
 * last of 'n_failures' in a row that were in vain. */
static long long int
pause_after(long long int started, unsigned int n_failures)
{
    long long int took = time_msec() - started;
    long long int pause = MAX(CYCLE_MIN_MS, CYCLE_FACTOR * took);

    if (n_failures) {
        pause <<= MIN(n_failures - 1, 5);
    }
    return MIN(pause, CYCLE_MAX_MS);
}

/* Ends a look, with 'problem' if it was in vain. */
static void
look_done(struct vendor *v, const char *problem)
{
    v->looking = false;
    v->n_looks++;
    mlx5_vendor_list_destroy(v->list);
    v->list = NULL;
    if (problem) {
        v->n_failures++;
        v->has_failed = true;
    } else {
        v->n_failures = 0;
    }
    set_problem(v, problem);
    v->next_look = time_msec() + pause_after(v->look_started, v->n_failures);
    if (v->look_again) {
        v->next_look = 0;
    } else {
        answer_waiting(v);
    }
}

/* Adds what only "query" tells to the list. */
static void
merge(struct mlx5_vendor_list *list, const struct mlx5_vendor_list *query)
{
    struct shash infos = SHASH_INITIALIZER(&infos);

    for (size_t i = 0; i < query->n_devices; i++) {
        shash_add(&infos, query->devices[i].vuid, &query->devices[i]);
    }
    for (size_t i = 0; i < list->n_devices; i++) {
        struct mlx5_vendor_device *dev = &list->devices[i];
        const struct mlx5_vendor_device *q = shash_find_data(&infos,
                                                             dev->vuid);

        if (q && q->has_features) {
            dev->has_features = true;
            dev->config.features = q->config.features;
        }
        if (q && q->has_status) {
            dev->has_status = true;
            dev->driver = q->driver;
        }
    }
    shash_destroy(&infos);
}

static void
query_done(const struct mlx5_vendor_answer *answer, void *v_)
{
    struct vendor *v = v_;
    char *problem = NULL;

    if (answer->error) {
        problem = xstrdup(answer->reason);
    } else {
        struct mlx5_vendor_list *query = mlx5_vendor_parse_list(answer->json,
                                                                &problem);
        if (query) {
            merge(v->list, query);
            mlx5_vendor_list_destroy(query);
        }
    }
    /* What the list says is good all the same. */
    if (v != opening) {
        apply(v, v->list);
        look_done(v, problem);
    } else {
        free(v->opening);
        v->opening = problem;
        problem = NULL;
        v->looking = false;
    }
    free(problem);
}

static void
list_done(const struct mlx5_vendor_answer *answer, void *v_)
{
    static const char *const argv[] = { "query", "-a", "-b" };
    struct vendor *v = v_;
    char *problem = NULL;

    if (answer->error) {
        problem = xstrdup(answer->reason);
    } else {
        v->list = mlx5_vendor_parse_list(answer->json, &problem);
    }
    if (v->list && v->list->problem) {
        v->n_bad += v->list->n_bad;
        VLOG_WARN_RL(&rl, "%s", v->list->problem);
    }
    if (v->list) {
        mlx5_vendor_cli_submit(v->cli, false, ARRAY_SIZE(argv), argv,
                               query_done, v);
    } else if (v != opening) {
        look_done(v, problem);
    } else {
        free(v->opening);
        v->opening = problem;
        problem = NULL;
        v->looking = false;
    }
    free(problem);
}

static void
look(struct vendor *v)
{
    static const char *const argv[] = { "list" };

    v->looking = true;
    v->look_again = false;
    v->look_started = time_msec();
    mlx5_vendor_list_destroy(v->list);
    v->list = NULL;
    mlx5_vendor_cli_submit(v->cli, false, ARRAY_SIZE(argv), argv, list_done,
                           v);
}

/* Backend. */

/* The service tells the address of a parent only with its devices. */
static const char *
find_pci_addr(const struct mlx5_vendor_list *list, const char *ib_device)
{
    const char *pci_addr = "0000:00:00.0";

    for (size_t i = 0; i < list->n_devices; i++) {
        if (nullable_string_is_equal(list->devices[i].ib_device, ib_device)
            && list->devices[i].pci_addr) {
            pci_addr = list->devices[i].pci_addr;
        }
    }
    return pci_addr;
}

static void
vendor_destroy(struct vendor *v)
{
    struct shash_node *node;

    mlx5_vendor_cli_destroy(v->cli, true);
    answer_waiting(v);
    mlx5_devlink_close(v->devlink);
    mlx5_vendor_list_destroy(v->list);
    SHASH_FOR_EACH (node, &v->bridges) {
        free(node->data);
    }
    shash_destroy(&v->bridges);
    mlx5_base_uninit(&v->base);
    free(v->problem);
    free(v->opening);
    free(v);
}

/* Forgets that the service could not be used. */
static void
forget_absence(void)
{
    free(absent.program);
    free(absent.reason);
    memset(&absent, 0, sizeof absent);
}

/* The service cannot be used yet, for the reason 'reason', which it takes
 * over; 'v' has found that out. */
static void
note_absence(const struct vendor *v, const char *program, char *reason)
{
    if (!nullable_string_is_equal(absent.reason, reason)) {
        VLOG_WARN("%s; it is waited for", reason);
    }
    free(absent.reason);
    absent.reason = reason;
    if (!absent.program) {
        absent.program = xstrdup(program);
    }
    absent.n_failures += !virtnet_controller_starting();
    absent.tried_at = time_msec();
    absent.next_try = (absent.tried_at
                       + pause_after(v->look_started, absent.n_failures));
}

/* How long (ms) a run may take; tests have no minute. */
static int
cli_timeout(void)
{
    const char *s = getenv("VIRTNET_TEST_CLI_TIMEOUT");
    unsigned int ms;

    return s && str_to_uint(s, 10, &ms) ? ms : CLI_TIMEOUT_MS;
}

static int
vendor_open(const struct virtnet_settings *s,
            struct virtnet_backend **backendp, char **errp)
{
    struct virtnet_ib_device wanted[MLX5_MAX_PARENTS];
    struct virtnet_backend_caps *caps;
    struct vendor *v = opening;
    struct mlx5_vendor_list *list;
    size_t n;

    if (!s->mlx5_cli) {
        *errp = xstrdup("other_config:virtnet-mlx5-cli does not say where "
                        "the virtnet program of NVIDIA's service is");
        return -ENOENT;
    }
    if (absent.program && strcmp(absent.program, s->mlx5_cli)) {
        forget_absence();
    }
    if (!v && absent.reason
        && time_msec() < (virtnet_controller_starting()
                          ? absent.tried_at + HASTE_MS : absent.next_try)) {
        *errp = xstrdup(absent.reason);
        return -EAGAIN;
    }
    if (!v) {
        v = opening = xzalloc(sizeof *v);
        v->base.up.class = &virtnet_mlx5_vendor_class;
        ovs_list_init(&v->waiting);
        shash_init(&v->bridges);
        v->cli = mlx5_vendor_cli_create(s->mlx5_cli, cli_timeout());
        v->devlink = mlx5_devlink_open(&mlx5_dl_linux, DEVLINK_TIMEOUT_MS,
                                       port_changed, v);
        look(v);
    }
    mlx5_devlink_run(v->devlink);
    mlx5_vendor_cli_run(v->cli);
    if (v->looking) {
        *errp = xstrdup(absent.reason ? absent.reason
                        : "NVIDIA's service has not answered yet");
        return -EAGAIN;
    } else if (!v->list || v->opening) {
        note_absence(v, s->mlx5_cli, v->opening);
        *errp = xstrdup(absent.reason);
        v->opening = NULL;
        opening = NULL;
        vendor_destroy(v);
        return -EAGAIN;
    }

    list = v->list;
    n = mlx5_wanted_parents(s, wanted);
    for (size_t i = 0; i < n; i++) {
        mlx5_parents_add(&v->base.parents, &wanted[i],
                         find_pci_addr(list, wanted[i].name));
    }
    if (list->emulation_manager
        && !mlx5_parents_find(&v->base.parents, list->emulation_manager)) {
        const char *names[] = { list->emulation_manager };

        mlx5_complain_of_lag(s, names, ARRAY_SIZE(names));
    }
    caps = &v->base.caps;
    caps->external = true;
    caps->emulation_manager = xstrdup(list->emulation_manager
                                      ? list->emulation_manager
                                      : wanted[0].name);
    caps->max_hotplug_devices = list->max_hotplug_devices;
    caps->max_devices = list->max_devices;
    caps->max_virt_queues = list->max_virt_queues;
    caps->max_tunnel_descriptors = list->max_tunnel_descriptors;
    caps->supported_features = list->supported_features;
    caps->default_features = list->supported_features;
    caps->virt_queue_types = list->virt_queue_types;
    caps->event_modes = list->event_modes;
    v->look_started = time_msec();
    opening = NULL;
    if (absent.reason) {
        VLOG_INFO("the service answers");
        forget_absence();
    }
    *backendp = &v->base.up;
    return 0;
}

static void
vendor_close(struct virtnet_backend *backend, bool keep)
{
    struct vendor *v = vendor_cast(backend);

    if (!keep) {
        vendor_destroy(v);
    } else {
        /* The program must not outlive us; ports are used to the last. */
        mlx5_vendor_cli_destroy(v->cli, false);
        v->cli = NULL;
    }
}

/* What NVIDIA's service decides. */
static const char *
vendor_no_effect(const struct virtnet_backend *backend OVS_UNUSED,
                 const char *key)
{
    static const char *const of_devices[] = {
        "virtnet-max-vfs", "virtnet-max-hotplug-with-vfs", "virtnet-recovery",
        "virtnet-ib-dev-for-static-pf", "virtnet-static-pf-mac-base",
        "virtnet-static-pf-features", "virtnet-vf-mac-base",
        "virtnet-vf-features", "virtnet-vf-vfs-per-pf",
        "virtnet-vf-max-queue-pairs", "virtnet-vf-max-queue-size",
        "virtnet-packed-vq", "virtnet-mrg-rxbuf", "virtnet-sf-pool-percent",
        "virtnet-sf-pool-force-destroy", "virtnet-lm-prov",
    };

    for (size_t i = 0; i < ARRAY_SIZE(of_devices); i++) {
        if (!strcmp(key, of_devices[i])) {
            return "NVIDIA's service makes and remembers the devices: see "
                   "its own virtnet.conf";
        }
    }
    return mlx5_firmware_says(key, true);
}

static int
vendor_enumerate(struct virtnet_backend *backend,
                 void (*cb)(struct virtnet_device *, void *) OVS_UNUSED,
                 void *aux OVS_UNUSED, char **errp OVS_UNUSED)
{
    struct vendor *v = vendor_cast(backend);

    apply(v, v->list);
    look_done(v, NULL);
    return 0;
}

static void
vendor_run(struct virtnet_backend *backend)
{
    struct vendor *v = vendor_cast(backend);

    mlx5_devlink_run(v->devlink);
    mlx5_vendor_cli_run(v->cli);
    if (!v->looking && time_msec() >= v->next_look) {
        look(v);
        mlx5_vendor_cli_run(v->cli);
    }
}

static void
vendor_wait(struct virtnet_backend *backend)
{
    struct vendor *v = vendor_cast(backend);

    mlx5_devlink_wait(v->devlink);
    mlx5_vendor_cli_wait(v->cli);
    if (!v->looking) {
        poll_timer_wait_until(v->next_look);
    }
}

/* Commands. */

static void
command_done(const struct mlx5_vendor_answer *answer, void *c_)
{
    struct command *c = c_;
    struct vendor *v = c->v;
    struct virtnet_device *dev;
    const struct json *vuid;

    if (answer->error) {
        c->cb(answer->error, answer->reason, NULL, c->aux);
        free(c->name);
        free(c->bridge);
        free(c);
        return;
    }
    /* Without the line of arguments. */
    c->text = xstrdup(answer->text + (strspn(answer->text, " \n")));
    if (c->text[0] == '{' && c->text[1] == '\'') {
        char *body = xstrdup(c->text + strcspn(c->text, "\n"));

        free(c->text);
        c->text = xstrdup(body + strspn(body, "\n"));
        free(body);
    }
    if (answer->json->type == JSON_OBJECT && c->bridge) {
        vuid = shash_find_data(json_object(answer->json), "vuid");
        if (vuid && vuid->type == JSON_STRING) {
            free(shash_replace(&v->bridges, json_string(vuid), c->bridge));
            c->bridge = NULL;
        }
    }
    ovs_list_push_back(&v->waiting, &c->node);
    if (!strcmp(c->name, "hotplug") || !strcmp(c->name, "unplug")
        || !strcmp(c->name, "modify")) {
        /* Whoever has asked shall find it done. */
        if (!strcmp(c->name, "unplug")
            && !mlx5_vendor_get_errno(answer->json)) {
            VIRTNET_FOR_EACH_DEVICE (dev) {
                struct vendor_device *vd = vendor_device_cast(dev);

                /* If it is missing from the next list, it is this one. */
                vd->removed = dev->type == VIRTNET_HOTPLUG_PF;
            }
        }
        if (v->looking) {
            v->look_again = true;
        } else {
            v->next_look = 0;
        }
    } else {
        ovs_list_remove(&c->node);
        c->cb(0, NULL, c->text, c->aux);
        free(c->name);
        free(c->bridge);
        free(c->text);
        free(c);
    }
}

static bool
vendor_command(struct virtnet_backend *backend, const char *name, int argc,
               const char *const argv[], virtnet_command_cb *cb, void *aux)
{
    static const char *const passed[] = { "hotplug", "unplug", "modify",
                                          "query", "stats", "health" };
    static const char *const ours[] = { "--vhost-path", "--vhost-mode",
                                        "--count" };
    struct vendor *v = vendor_cast(backend);
    struct command *c;
    const char **args;
    int n = 0;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(passed) && strcmp(name, passed[i]); i++) {
        continue;
    }
    if (i == ARRAY_SIZE(passed)) {
        return false;
    }
    for (int j = 0; j < argc; j++) {
        for (i = 0; i < ARRAY_SIZE(ours); i++) {
            if (!strncmp(argv[j], ours[i], strlen(ours[i]))) {
                char *why = xasprintf("%s is not for devices of a card",
                                      ours[i]);

                cb(VIRTNET_E_NOT_SUPPORTED, why, NULL, aux);
                free(why);
                return true;
            }
        }
    }

    c = xzalloc(sizeof *c);
    c->v = v;
    c->name = xstrdup(name);
    c->cb = cb;
    c->aux = aux;
    args = xmalloc((argc + 1) * sizeof *args);
    args[n++] = name;
    for (int j = 0; j < argc; j++) {
        if (!strcmp(name, "hotplug") && !strcmp(argv[j], "--bridge")
            && j + 1 < argc) {
            free(c->bridge);
            c->bridge = xstrdup(argv[++j]);
        } else if (!strcmp(name, "hotplug")
                   && !strncmp(argv[j], "--bridge=", 9)) {
            free(c->bridge);
            c->bridge = xstrdup(argv[j] + 9);
        } else {
            args[n++] = argv[j];
        }
    }
    mlx5_vendor_cli_submit(v->cli, true, n, args, command_done, c);
    free(args);
    return true;
}

/* Devices. */

static struct virtnet_device *
vendor_device_alloc(struct virtnet_backend *backend,
                    enum virtnet_function_type type)
{
    struct vendor_device *vd = xzalloc(sizeof *vd);

    mlx5_port_init(&vd->port, backend, type);
    return &vd->port.up;
}

static int
vendor_device_construct(struct virtnet_device *dev OVS_UNUSED, char **errp)
{
    *errp = xstrdup("NVIDIA's service makes the devices: use \"virtnet "
                    "hotplug\"");
    return VIRTNET_E_NOT_SUPPORTED;
}

static void
vendor_device_destruct(struct virtnet_device *dev)
{
    mlx5_rep_detach(&vendor_device_cast(dev)->port.rep);
}

static void
vendor_device_dealloc(struct virtnet_device *dev)
{
    struct vendor_device *vd = vendor_device_cast(dev);

    mlx5_port_uninit(&vd->port);
    free(vd);
}

static int
vendor_sf_create(struct virtnet_device *dev OVS_UNUSED,
                 char **errp OVS_UNUSED)
{
    return VIRTNET_E_NOT_SUPPORTED;
}

static void
vendor_sf_destroy(struct virtnet_device *dev OVS_UNUSED)
{
}

static int
vendor_device_plug(struct virtnet_device *dev OVS_UNUSED,
                   char **errp OVS_UNUSED)
{
    return VIRTNET_E_NOT_SUPPORTED;
}

static int
vendor_device_unplug(struct virtnet_device *dev OVS_UNUSED,
                     bool force OVS_UNUSED, char **errp)
{
    if (virtnet_controller_restarting()) {
        return 0;               /* It is only let go of. */
    }
    *errp = xstrdup("NVIDIA's service removes devices: use \"virtnet "
                    "unplug\"");
    return VIRTNET_E_NOT_SUPPORTED;
}

static int
vendor_get_queue_info(const struct virtnet_device *dev, unsigned int index,
                      struct virtnet_queue_info *info)
{
    if (index >= virtnet_device_num_queues(dev)) {
        return VIRTNET_E_QUEUE_INDEX;
    }
    memset(info, 0, sizeof *info);
    info->index = index;
    info->msix_vector = VIRTNET_NO_MSIX_VECTOR;
    return 0;
}

static void
vendor_get_trouble(const struct virtnet_backend *backend,
                   struct virtnet_trouble *trouble)
{
    const struct vendor *v = vendor_cast(backend);
    const struct virtnet_device *dev;

    trouble->reps_lost = v->n_reps_lost;
    if (v->problem) {
        svec_add(&trouble->lines, v->problem);
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (!vendor_device_cast(dev)->port.rep.ifindex) {
            svec_add_nocopy(&trouble->lines, xasprintf(
                                "%s: there is no representor %s of SF "
                                "%"PRIu32, dev->vuid, dev->rep_name,
                                dev->sf_num));
        }
    }
}

const struct virtnet_backend_class virtnet_mlx5_vendor_class = {
    .type = "mlx5",

    .open = vendor_open,
    .close = vendor_close,
    .run = vendor_run,
    .wait = vendor_wait,
    MLX5_BASE_OPS,
    .no_effect = vendor_no_effect,
    .enumerate = vendor_enumerate,
    .command = vendor_command,
    .get_trouble = vendor_get_trouble,

    .device_alloc = vendor_device_alloc,
    .device_construct = vendor_device_construct,
    .device_destruct = vendor_device_destruct,
    .device_dealloc = vendor_device_dealloc,
    .sf_create = vendor_sf_create,
    .sf_destroy = vendor_sf_destroy,
    .device_plug = vendor_device_plug,
    .device_unplug = vendor_device_unplug,

    .get_queue_info = vendor_get_queue_info,

    MLX5_PORT_OPS,
};
