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

/* The soft backend: its class, and what firmware would do.  See
 * soft-backend.h. */

#include <config.h>

#include "soft-backend.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_vhost.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "dpdk.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "smap.h"
#include "soft-eswitch.h"
#include "soft-mempool.h"
#include "soft-packet.h"
#include "soft-place.h"
#include "soft-socket.h"
#include "soft-unplug.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-controller.h"
#include "virtnet-feature.h"
#include "virtnet-pool.h"
#include "virtnet-settings.h"

VLOG_DEFINE_THIS_MODULE(virtnet_soft);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Bits of VIRTIO features. */
#define F(BIT) (UINT64_C(1) << (BIT))
#define F_MRG_RXBUF F(15)
#define F_CTRL_VQ F(17)
#define F_VERSION_1 F(32)
#define F_RING_PACKED F(34)
#define F_SR_IOV F(37)
#define F_USO (F(54) | F(55) | F(56)) /* GUEST_USO4, GUEST_USO6, HOST_USO. */

/* Interface indices of representors begin here, out of the kernel's way. */
#define FIRST_IFINDEX 0x10000

/* Identities of the functions and SFs for debugging: this plus a slot, twice
 * and once more. */
#define FIRST_VHCA_ID 0x100

/* Most descriptors in one chain that librte_vhost follows. */
#define MAX_CHAIN 256

/* Events that are dealt with at a time. */
#define MAX_EVENTS 1000

/* How long (ms) a front end must have been gone. */
#define GONE_MS 5000

/* How often (ms) rings are looked after: see soft_ring_check(). */
#define CHECK_INTERVAL_MS 1000

/* Sockets that are dealt with at a time. */
#define MAX_SOCKETS 32

struct soft_backend {
    struct virtnet_backend up;
    const struct virtnet_settings *settings;
    struct virtnet_backend_caps caps;
    struct virtnet_ib_device ib_devices[2];
    size_t n_ib_devices;

    struct soft_places places;
    long long int next_check;   /* When to see how the rings are. */
};

static struct soft_backend *
soft_backend_cast(const struct virtnet_backend *backend)
{
    return CONTAINER_OF(backend, struct soft_backend, up);
}

const struct virtnet_settings *
soft_device_settings(const struct virtnet_device *dev)
{
    return soft_backend_cast(dev->backend)->settings;
}

static int OVS_PRINTF_FORMAT(3, 4)
fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

/* Attachment. */

/* Has librte_vhost take care of the socket of 'sd'. */
static int
register_socket(struct soft_device *sd,
                const struct virtnet_device_config *config, char **errp)
{
    soft_rep_set_n_pairs(&sd->rep, config->max_queue_pairs);
    return soft_vhost_user_attach(&sd->vhost, config->features,
                                  config->max_queue_pairs, errp);
}

/* Lets a front end connect to 'sd', which is to have 'config', now or as soon
 * as there is one. */
static int
soft_attach(struct soft_device *sd, const struct virtnet_device_config *config,
            char **errp)
{
    struct stat s;
    int error;

    if (!virtnet_config_is_functional(config)) {
        return 0;
    } else if (sd->vhost.server || !lstat(sd->vhost.path, &s)) {
        return register_socket(sd, config, errp);
    }
    error = soft_socket_clear(sd->vhost.path, false, errp);
    if (!error) {
        soft_await_start(&sd->await, sd->vhost.path);
    }
    return error;
}

static void
soft_detach(struct soft_device *sd)
{
    soft_await_stop(&sd->await);
    soft_vhost_user_detach(&sd->vhost);
}

/* librte_vhost has no room for another socket.  Lets go of some whose front
 * end went long ago and took its socket along.  Not at once when it goes:
 * librte_vhost (22.11) still uses a socket for a moment after it has told that
 * the connection is gone, and does not notice when it is unregistered
 * meanwhile. */
static void
make_room(void)
{
    long long int now = time_msec();
    struct virtnet_device *dev;
    int n = 0;

    VIRTNET_FOR_EACH_DEVICE (dev) {
        struct soft_device *sd = soft_device_cast(dev);
        struct stat s;

        if (sd->vhost.registered && !sd->vhost.server && !dev->driver.attached
            && now > sd->gone_at + GONE_MS
            && lstat(sd->vhost.path, &s) && errno == ENOENT) {
            soft_vhost_user_detach(&sd->vhost);
            soft_await_start(&sd->await, sd->vhost.path);
            if (++n >= MAX_SOCKETS) {
                break;
            }
        }
    }
}

/* The socket of 'sd' has appeared. */
static void
socket_appeared(struct soft_device *sd)
{
    char *err = NULL;
    int error;

    error = register_socket(sd, &sd->up.config, &err);
    if (error == -ENOSPC) {
        free(err);
        make_room();
        error = register_socket(sd, &sd->up.config, &err);
    }
    if (error) {
        VLOG_WARN_RL(&rl, "%s: %s", sd->up.rep_name, err);
        free(err);
        soft_await_later(&sd->await, sd->vhost.path);
    }
}

/* Backend. */

/* Packet buffers of the usual size.  To make them takes a few tenths of a
 * second, during which the main loop would be away, so a thread does it before
 * there is a device that needs them; and they are kept when the last device
 * is gone. */
static struct {
    bool started;               /* Main thread only. */
    atomic_bool done;           /* Is 'pool' set? */
    unsigned int n_buffers;
    struct soft_mempool *pool;  /* NULL if there is not enough memory: then
                                 * the first device says so. */
} warm = { .done = false };

static void *
soft_warm_main(void *aux OVS_UNUSED)
{
    char *error = NULL;

    /* Nobody need wait for this thread, which reads nothing that RCU
     * protects. */
    ovsrcu_quiesce_start();
    if (soft_mempool_get(-1, VIRTNET_DEFAULT_MTU, warm.n_buffers, &warm.pool,
                         &error)) {
        VLOG_WARN("%s", error);
        free(error);
        warm.pool = NULL;
    }
    atomic_store_explicit(&warm.done, true, memory_order_release);
    return NULL;
}

/* Returns true when the packet buffers have been made, as far as possible. */
static bool
soft_is_warm(unsigned int n_buffers)
{
    bool done;

    if (!warm.started) {
        warm.started = true;
        warm.n_buffers = n_buffers;
        ovs_thread_create("virtnet_buffers", soft_warm_main, NULL);
    }
    atomic_read_explicit(&warm.done, &done, memory_order_acquire);
    return done;
}

/* A front end needs some ten file descriptors, and often a thousand are all
 * that a process may have unless it asks. */
static void
raise_fd_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit)) {
            VLOG_WARN("limit of file descriptors not raised: %s",
                      ovs_strerror(errno));
        }
    }
}

static int
soft_open(const struct virtnet_settings *settings,
          struct virtnet_backend **backendp, char **errp)
{
    struct virtnet_backend_caps *caps;
    struct soft_backend *sb;

    if (!dpdk_available()) {
        return fail(-EAGAIN, errp, "DPDK is not initialised: set "
                    "other_config:dpdk-init=true");
    }
    if (!soft_is_warm(settings->mempool_size)) {
        return fail(-EINPROGRESS, errp, "packet buffers are being made");
    }

    raise_fd_limit();
    sb = xzalloc(sizeof *sb);
    sb->up.class = &virtnet_soft_backend_class;
    sb->settings = settings;
    soft_places_init(&sb->places, settings);
    ovs_assert(FIRST_VHCA_ID + 2 * soft_max_slots() < UINT16_MAX);

    if (settings->is_lag) {
        sb->ib_devices[sb->n_ib_devices++] = (struct virtnet_ib_device) {
            .name = settings->ib_dev_lag,
            .pci_addr = "0000:03:00.0",
        };
    } else {
        sb->ib_devices[sb->n_ib_devices++] = (struct virtnet_ib_device) {
            .name = settings->ib_dev_p0,
            .pci_addr = "0000:03:00.0",
        };
        if (!settings->single_port) {
            sb->ib_devices[sb->n_ib_devices++] = (struct virtnet_ib_device) {
                .name = settings->ib_dev_p1,
                .pci_addr = "0000:03:00.1",
                .port = 1,
            };
        }
    }

    caps = &sb->caps;
    caps->emulation_manager = sb->ib_devices[0].name;
    caps->max_hotplug_devices = sb->places.max_ports;
    caps->max_vfs_per_pf = MIN(settings->num_vf, soft_max_vfs());
    caps->max_devices = (caps->max_hotplug_devices + settings->num_pf
                         + MIN(settings->num_pf * settings->num_vf,
                               settings->max_vfs));
    caps->max_virt_queues = 2 * VIRTNET_MAX_QUEUE_PAIRS;
    caps->max_tunnel_descriptors = MAX_CHAIN;
    caps->supported_features = soft_vhost_user_features();
    caps->default_features = caps->supported_features;
    caps->supported_features |= F_SR_IOV; /* It is the front end's affair. */
    if (settings->packed_vq) {
        /* Of the card, which does not take both, this may be expected. */
        caps->default_features &= ~F_USO;
    } else {
        caps->default_features &= ~F_RING_PACKED;
    }
    if (!settings->mrg_rxbuf) {
        caps->default_features &= ~F_MRG_RXBUF;
    }
    caps->left_out_features = (VIRTNET_CARD_FEATURES
                               & ~caps->supported_features);
    caps->required_features = F_VERSION_1;
    caps->virt_queue_types = settings->packed_vq ? 0x3 : 0x1;
    caps->event_modes = 0x5;

    *backendp = &sb->up;
    return 0;
}

static void
soft_close(struct virtnet_backend *backend, bool keep)
{
    struct soft_backend *sb = soft_backend_cast(backend);

    if (keep) {
        /* Front ends see their sockets close when the process ends, and not
         * before the ports are gone.  The devices still refer to 'sb'. */
        return;
    }
    soft_places_destroy(&sb->places);
    free(sb);
}

static void
soft_run(struct virtnet_backend *backend)
{
    struct soft_backend *sb = soft_backend_cast(backend);
    struct virtnet_driver_info info;
    struct soft_vhost_user *vu;

    /* A guest that never rests must not keep the main loop from the rest. */
    for (int i = 0; i < MAX_EVENTS; i++) {
        vu = soft_vhost_user_poll(&info);
        if (!vu) {
            break;
        }
        virtnet_device_driver_changed(vu->dev, &info);
        if (!info.attached) {
            soft_device_cast(vu->dev)->gone_at = time_msec();
        }
    }
    for (int i = 0; i < MAX_SOCKETS; i++) {
        struct soft_await *aw = soft_await_poll();

        if (!aw) {
            break;
        }
        socket_appeared(CONTAINER_OF(aw, struct soft_device, await));
    }
    soft_mempool_run();
    soft_unplug_run();
    if (time_msec() >= sb->next_check) {
        struct virtnet_device *dev;

        VIRTNET_FOR_EACH_DEVICE (dev) {
            soft_rep_check(&soft_device_cast(dev)->rep);
        }
        sb->next_check = time_msec() + CHECK_INTERVAL_MS;
    }
}

static void
soft_wait(struct virtnet_backend *backend)
{
    if (virtnet_controller_n_devices()) {
        poll_timer_wait_until(soft_backend_cast(backend)->next_check);
    }
    soft_unplug_wait();
    soft_await_wait();
    soft_vhost_user_wait();
    soft_mempool_wait();
}

static const struct virtnet_backend_caps *
soft_get_caps(const struct virtnet_backend *backend)
{
    return &soft_backend_cast(backend)->caps;
}

static size_t
soft_get_ib_devices(const struct virtnet_backend *backend,
                    const struct virtnet_ib_device **devs)
{
    const struct soft_backend *sb = soft_backend_cast(backend);

    *devs = sb->ib_devices;
    return sb->n_ib_devices;
}

static char *
soft_check_record(const struct virtnet_backend *backend,
                  const struct virtnet_record *record)
{
    return soft_place_check(&soft_backend_cast(backend)->places, record);
}

/* Devices. */

static struct virtnet_device *
soft_device_alloc(struct virtnet_backend *backend,
                  enum virtnet_function_type type)
{
    struct soft_device *sd = xzalloc_cacheline(sizeof *sd);

    virtnet_device_init(&sd->up, backend, type);
    ovsrcu_index_init(&sd->rep.vid, -1);
    soft_await_init(&sd->await);
    ovs_list_init(&sd->unplug_node);
    soft_vhost_user_init(&sd->vhost, &sd->rep, &sd->up);
    sd->rep.eswitch_port = soft_port_create(&sd->up);
    return &sd->up;
}

static void
soft_device_dealloc(struct virtnet_device *dev)
{
    struct soft_device *sd = soft_device_cast(dev);

    soft_port_destroy(sd->rep.eswitch_port);
    soft_rep_uninit(&sd->rep);
    virtnet_device_uninit(dev);
    free_cacheline(sd);
}

static int
soft_device_construct(struct virtnet_device *dev, char **errp)
{
    struct soft_backend *sb = soft_backend_cast(dev->backend);
    struct soft_device *sd = soft_device_cast(dev);
    struct soft_place place = { .slot = 0 };
    int error;

    error = soft_place_take(&sb->places, dev, &place, errp);
    if (error) {
        return error;
    }
    error = soft_rep_init(&sd->rep, dev->config.mtu,
                          sb->settings->mempool_size, 1, errp);
    if (error) {
        soft_place_release(&sb->places, place.slot);
        free(place.vuid);
        return error;
    }

    soft_moderation_set(&sd->rep.moderation, &dev->config);
    sd->slot = place.slot;
    free(dev->vuid);
    dev->vuid = place.vuid;
    dev->bdf = place.bdf;
    dev->vhca_id = FIRST_VHCA_ID + 2 * sd->slot;
    return 0;
}

static void
soft_device_destruct(struct virtnet_device *dev)
{
    struct soft_backend *sb = soft_backend_cast(dev->backend);
    struct soft_device *sd = soft_device_cast(dev);

    soft_vhost_user_uninit(&sd->vhost);
    soft_rep_release_memory(&sd->rep);
    soft_place_release(&sb->places, sd->slot);
    sd->slot = 0;
}

static int
soft_sf_create(struct virtnet_device *dev, char **errp)
{
    const struct soft_backend *sb = soft_backend_cast(dev->backend);
    const struct soft_device *sd = soft_device_cast(dev);
    const struct virtnet_ib_device *ib = NULL;
    uint32_t hash;

    for (size_t i = 0; i < sb->n_ib_devices; i++) {
        if (!strcmp(dev->ib_device, sb->ib_devices[i].name)) {
            ib = &sb->ib_devices[i];
        }
    }
    if (!ib) {
        return fail(VIRTNET_E_PORT_CTX, errp, "no RDMA device %s",
                    dev->ib_device);
    }

    if (!dev->rep_name[0]) {
        snprintf(dev->rep_name, sizeof dev->rep_name, "en3f%upf%usf%"PRIu32,
                 ib->port, ib->port, dev->sf_num);
    }
    dev->sf_vhca_id = dev->vhca_id + 1;
    dev->rep_ifindex = FIRST_IFINDEX + sd->slot;

    /* The same at every start, locally administered, and not the guest's. */
    hash = hash_string(dev->vuid, 0);
    dev->rep_mac = (struct eth_addr) {
        .ea = { 0x02, 0x00, hash >> 24, hash >> 16, hash >> 8, hash }
    };
    if (eth_addr_equals(dev->rep_mac, dev->config.mac)) {
        dev->rep_mac.ea[1] ^= 1;
    }
    return 0;
}

static void
soft_sf_destroy(struct virtnet_device *dev OVS_UNUSED)
{
}

static int
soft_device_plug(struct virtnet_device *dev, char **errp)
{
    const struct virtnet_settings *settings = soft_device_settings(dev);
    struct soft_device *sd = soft_device_cast(dev);
    bool server;
    char *path;
    int error;

    server = (dev->attachment_mode
              ? !strcmp(dev->attachment_mode, "server")
              : settings->vhost_server);
    path = xasprintf("%s/%s.sock", settings->socket_dir, dev->rep_name);
    sd->own_path = (!dev->attachment_path
                    || !strcmp(dev->attachment_path, path));
    if (!sd->own_path) {
        free(path);
        path = xstrdup(dev->attachment_path);
    }

    error = soft_vhost_user_open(&sd->vhost, path, server, sd->own_path,
                                 errp);
    if (!error && dev->config.link_up) {
        error = soft_attach(sd, &dev->config, errp);
        if (error) {
            soft_vhost_user_close(&sd->vhost, false);
        }
    }
    if (!error) {
        soft_rep_set_packet_counter(&sd->rep, dev->config.packet_counter);
        dev->attachment = "vhost-user";
        dev->attachment_mode = server ? "server" : "client";
        free(dev->attachment_path);
        dev->attachment_path = path;
    } else {
        free(path);
    }
    return error;
}

static int
soft_device_unplug(struct virtnet_device *dev, bool force, char **errp)
{
    struct soft_device *sd = soft_device_cast(dev);

    if (!force && virtnet_device_has_driver(dev)) {
        return fail(VIRTNET_E_UNPLUG_NOT_READY, errp,
                    "a driver is using the device");
    }

    /* In client mode the socket is the front end's.  In our own directory it
     * goes all the same: the next device of that name must not find this
     * one's guest there. */
    soft_await_stop(&sd->await);
    soft_vhost_user_close(&sd->vhost, (!virtnet_controller_restarting()
                                       && (sd->vhost.server
                                           || sd->own_path)));
    return soft_unplug_begin(sd, force) ? 0 : -EINPROGRESS;
}

static int
soft_apply_config(struct virtnet_device *dev,
                  const struct virtnet_device_config *new, uint32_t changed,
                  char **errp)
{
    struct soft_device *sd = soft_device_cast(dev);
    int error = 0;

    if (changed & (VIRTNET_CONFIG_FEATURES | VIRTNET_CONFIG_QUEUE_PAIRS
                   | VIRTNET_CONFIG_LINK)) {
        /* Front ends ask for these only when they connect. */
        soft_detach(sd);
        if (new->link_up) {
            error = soft_attach(sd, new, errp);
            if (error && dev->config.link_up) {
                char *err = NULL;

                if (soft_attach(sd, &dev->config, &err)) {
                    VLOG_ERR("%s: %s", dev->rep_name, err);
                    free(err);
                }
            }
        }
    }
    if (!error && changed & VIRTNET_CONFIG_PACKET_COUNTER) {
        soft_rep_set_packet_counter(&sd->rep, new->packet_counter);
    }
    if (!error && changed & (VIRTNET_CONFIG_DIM | VIRTNET_CONFIG_CQ)) {
        soft_moderation_set(&sd->rep.moderation, new);
    }
    if (!error && changed & VIRTNET_CONFIG_DROP_COUNTER) {
        soft_rep_set_drop_counter(&sd->rep, new->drop_counter);
    }
    if (!error && changed & VIRTNET_CONFIG_MAC
        && eth_addr_equals(dev->rep_mac, new->mac)) {
        dev->rep_mac.ea[1] ^= 1;
    }
    return error;
}

static void
soft_get_health(const struct virtnet_device *dev,
                struct virtnet_health *health)
{
    soft_rep_get_health(dev, health);
    soft_vhost_user_get_health(&soft_device_cast(dev)->vhost, health);
}

static int
soft_set_vfs(struct virtnet_device *dev OVS_UNUSED, unsigned int n OVS_UNUSED,
             char **errp OVS_UNUSED)
{
    return 0;
}

static int
soft_device_reset(struct virtnet_device *dev)
{
    struct soft_device *sd = soft_device_cast(dev);
    char *err = NULL;
    int error = 0;

    /* The front end connects again and starts from the beginning. */
    if (dev->config.link_up) {
        soft_detach(sd);
        error = soft_attach(sd, &dev->config, &err);
        if (error) {
            VLOG_ERR("%s: %s", dev->rep_name, err);
            free(err);
        }
    }
    return error;
}

static void
soft_save(const struct virtnet_device *dev, struct smap *record)
{
    const struct soft_device *sd = soft_device_cast(dev);

    if (!sd->own_path && dev->attachment_path) {
        smap_replace(record, "soft-socket", dev->attachment_path);
    }
    if (dev->attachment_mode) {
        smap_replace(record, "soft-vhost-mode", dev->attachment_mode);
    }
}

static int
soft_restore(struct virtnet_device *dev, const struct smap *record,
             char **errp OVS_UNUSED)
{
    const char *path = smap_get(record, "soft-socket");
    const char *mode = smap_get(record, "soft-vhost-mode");

    if (!dev->attachment_path) {
        dev->attachment_path = nullable_xstrdup(path);
    }
    if (!dev->attachment_mode && mode) {
        dev->attachment_mode = !strcmp(mode, "server") ? "server" : "client";
    }
    return 0;
}

/* Queues. */

static int
soft_get_queue_info(const struct virtnet_device *dev, unsigned int index,
                    struct virtnet_queue_info *info)
{
    const struct soft_device *sd = soft_device_cast(dev);
    unsigned int n_data = 2 * dev->config.max_queue_pairs;

    if (index >= n_data + !!(dev->config.features & F_CTRL_VQ)) {
        return VIRTNET_E_QUEUE_INDEX;
    }
    memset(info, 0, sizeof *info);
    info->index = index;
    info->notify_offset = index;
    info->msix_vector = VIRTNET_NO_MSIX_VECTOR;
    if (index < n_data) {
        soft_vhost_user_get_queue_info(&sd->vhost, index, info);
    } else {
        /* The front end serves the control queue itself. */
        info->enabled = (dev->state == VIRTNET_STATE_DRIVER_OK
                         && dev->driver.features & F_CTRL_VQ);
    }
    return 0;
}

/* What Open vSwitch sends. */
static void
soft_send(struct virtnet_device *dev, int qid, bool concurrent_txq,
          struct dp_packet_batch *batch)
{
    if (OVS_LIKELY(!concurrent_txq)) {
        soft_eswitch_set_queue_id(qid);
    }
    soft_rep_send(dev, qid, batch);
}

const struct virtnet_backend_class virtnet_soft_backend_class = {
    .type = "soft",

    .open = soft_open,
    .close = soft_close,
    .run = soft_run,
    .wait = soft_wait,
    .get_caps = soft_get_caps,
    .get_ib_devices = soft_get_ib_devices,

    .device_alloc = soft_device_alloc,
    .device_construct = soft_device_construct,
    .device_destruct = soft_device_destruct,
    .device_dealloc = soft_device_dealloc,
    .sf_create = soft_sf_create,
    .sf_destroy = soft_sf_destroy,
    .device_plug = soft_device_plug,
    .device_unplug = soft_device_unplug,
    .set_vfs = soft_set_vfs,
    .apply_config = soft_apply_config,
    .device_reset = soft_device_reset,
    .save = soft_save,
    .restore = soft_restore,
    .check_record = soft_check_record,

    .get_queue_info = soft_get_queue_info,
    .get_health = soft_get_health,
    .get_drops = soft_rep_get_drops,

    .rep_set_mtu = soft_rep_set_mtu,
    .rep_set_up = soft_rep_set_up,
    .rep_get_stats = soft_rep_get_stats,
    .rep_get_custom_stats = soft_rep_get_custom_stats,
    .rep_recv = soft_rep_recv,
    .rep_send = soft_send,
    .rep_rxq_enabled = soft_rep_rxq_enabled,

    .flow = &soft_flow_class,
};
