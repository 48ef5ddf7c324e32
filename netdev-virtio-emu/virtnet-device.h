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

#ifndef VIRTNET_DEVICE_H
#define VIRTNET_DEVICE_H 1

/* The device model: one emulated virtio-net PCIe function.
 *
 * What it is
 * ==========
 *
 * A "struct virtnet_device" is everything that the controller knows about one
 * function: who it is (VUID, ids, PCI address), which scalable function (SF)
 * and representor carry its packets, what the operator configured, and what
 * the driver on the other side has told.  It contains no DevX, no vhost, no
 * OVSDB and no JSON: backends derive from it, the command tables and the
 * netdev class read it.
 *
 * Life cycle
 * ==========
 *
 *          virtnet_device_init()         driver writes the status register
 *                  |                      +-----------------------------+
 *                  v                      |                             |
 *              CREATED --> DRIVER_FOUND --> FEATURES_OK --> DRIVER_OK --+
 *                  ^             |                |              |      |
 *                  |             +-------- RESET <+--------------+      |
 *                  |                         |                          |
 *                  +-------------------------+ (driver gone)            |
 *                                                                       |
 *          any state --> UNPLUGGED (final) <----------------------------+
 *
 * A device is born CREATED.  The states up to DRIVER_OK follow the device
 * status field of VIRTIO 1.2, section 2.1, as far as the attachment shows it.
 * RESET is seen between a driver's reset (status 0 after another state) and
 * its next sign of life.
 *
 * Threads and ownership
 * =====================
 *
 * The main thread owns devices: only it creates, changes or destroys one, and
 * only it may read the members below, with the exception of those that a
 * backend documents for its own data path.  Packet threads reach a device
 * through a pointer published with RCU by the netdev, and use it only with the
 * representor operations of the backend class.
 *
 * A device is reference counted, because a port of the datapath may outlive
 * the function: the controller has one reference from birth to unplug, each
 * bound netdev has another.  Memory is returned when the last one is gone and
 * a grace period has passed. */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/types.h"
#include "ovs-atomic.h"
#include "smap.h"

struct netdev;
struct virtnet_backend;
struct virtnet_backend_class;
struct virtnet_change;
struct virtnet_life;
struct virtnet_pool;

/* Bounds.  Sources: VIRTIO 1.2, sections 2.7 and 5.1 (queue size, number of
 * pairs), and the command reference of the controller (SF numbers, MTU). */
#define VIRTNET_QUEUE_SIZE_MIN 4
#define VIRTNET_QUEUE_SIZE_MAX 32768
#define VIRTNET_MTU_MIN 68
#define VIRTNET_MTU_MAX 9216
#define VIRTNET_MAX_QUEUE_PAIRS 128
#define VIRTNET_SF_STATIC_MIN 1000
#define VIRTNET_SF_STATIC_MAX 1999
#define VIRTNET_SF_HOTPLUG_MIN 2000
#define VIRTNET_SF_HOTPLUG_MAX 2999
#define VIRTNET_SF_VF_MIN 3000

/* Interrupt moderation: a card counts microseconds and packets with this many
 * bits. */
#define VIRTNET_CQ_MAX UINT16_MAX

/* Defaults of a device whose creator does not say. */
#define VIRTNET_DEFAULT_MTU 1500
#define VIRTNET_DEFAULT_QUEUE_SIZE 256
#define VIRTNET_DEFAULT_QUEUE_PAIRS 1
#define VIRTNET_DEFAULT_SPEED 100000

enum virtnet_function_type {
    VIRTNET_STATIC_PF,          /* Made by the firmware configuration. */
    VIRTNET_HOTPLUG_PF,         /* Made by a command. */
    VIRTNET_VF,                 /* Made by SR-IOV of a static PF. */
};

enum virtnet_device_state {
    VIRTNET_STATE_CREATED,      /* No driver has been seen. */
    VIRTNET_STATE_DRIVER_FOUND, /* ACKNOWLEDGE and DRIVER. */
    VIRTNET_STATE_FEATURES_OK,  /* Features are negotiated. */
    VIRTNET_STATE_DRIVER_OK,    /* The driver is ready, queues run. */
    VIRTNET_STATE_RESET,        /* The driver has reset the device. */
    VIRTNET_STATE_UNPLUGGED,    /* The function is gone, or is going. */
};

/* Device status bits, VIRTIO 1.2, section 2.1. */
#define VIRTNET_STATUS_ACKNOWLEDGE  0x01
#define VIRTNET_STATUS_DRIVER       0x02
#define VIRTNET_STATUS_DRIVER_OK    0x04
#define VIRTNET_STATUS_FEATURES_OK  0x08
#define VIRTNET_STATUS_NEEDS_RESET  0x40
#define VIRTNET_STATUS_FAILED       0x80

/* PCI address without domain, as the host sees it:
 * bus << 8 | dev << 3 | fn. */
#define VIRTNET_BDF(BUS, DEV, FN) ((uint16_t) ((BUS) << 8 | (DEV) << 3 | (FN)))
#define VIRTNET_BDF_BUS(BDF) ((BDF) >> 8)
#define VIRTNET_BDF_DEV(BDF) (((BDF) >> 3) & 0x1f)
#define VIRTNET_BDF_FN(BDF) ((BDF) & 7)
#define VIRTNET_BDF_FMT "%02x:%02x.%x"
#define VIRTNET_BDF_ARGS(BDF) \
    VIRTNET_BDF_BUS(BDF), VIRTNET_BDF_DEV(BDF), VIRTNET_BDF_FN(BDF)

#define VIRTNET_NO_MSIX_VECTOR 0xffff

/* What an operator asks of a device, at birth or by modification. */
struct virtnet_device_config {
    struct eth_addr mac;        /* Permanent MAC address. */
    uint16_t mtu;               /* Bytes, as VIRTIO_NET_F_MTU gives it. */
    uint64_t features;          /* Offered: "device_feature". */
    uint16_t max_queue_pairs;   /* Data queue pairs, >= 1. */
    uint16_t max_queue_size;    /* Descriptors of each queue. */
    uint16_t num_msix;          /* MSI-X vectors. */
    uint32_t speed;             /* Mb/s. */
    bool link_up;               /* Link that the driver is to see. */
    bool transitional;          /* Also usable by virtio 0.9.5 drivers. */

    /* What only a modification sets.  Zero is what a device is born with. */
    bool rx_mode_set;           /* Is 'rx_mode' in force?  Otherwise the device
                                 * receives everything. */
    uint8_t rx_mode;            /* VIRTNET_RX_* bits. */
    uint16_t hash_types;        /* Hash types that a driver may choose from:
                                 * VIRTIO 1.2, section 5.1.6.4.3. */
    uint8_t rss_key_size;       /* Bytes. */
    uint16_t rx_dma_q_num;      /* Receive DMA queues, or 0 for any number. */
    bool aarfs;                 /* Accelerated RFS. */
    bool dim;                   /* Interrupt moderation by the device. */
    bool net_dim;               /* ...by the network driver of the card, */
    bool net_dim_set;           /* and has anybody said so? */
    bool drop_counter;          /* Count packets that find no buffer. */
    bool packet_counter;        /* Count packets by size. */
    uint8_t cq_period_mode;     /* Interrupt moderation of receive queues: */
    uint32_t cq_period;         /* as in struct virtnet_queue_info. */
    uint32_t cq_max_count;
};

/* Receive filter, in the order of VIRTIO 1.2, section 5.1.6.5.1. */
#define VIRTNET_RX_PROMISC  0x01
#define VIRTNET_RX_ALLMULTI 0x02
#define VIRTNET_RX_ALLUNI   0x04
#define VIRTNET_RX_NOMULTI  0x08
#define VIRTNET_RX_NOUNI    0x10
#define VIRTNET_RX_NOBCAST  0x20
#define VIRTNET_RX_ALL_BITS 0x3f

/* What the driver has said, as the backend last heard it. */
struct virtnet_driver_info {
    uint8_t status;             /* VIRTNET_STATUS_* bits. */
    uint64_t features;          /* Negotiated, valid from FEATURES_OK. */
    uint16_t enabled_pairs;     /* Data queue pairs that the driver runs. */
    uint16_t ring_pairs;        /* Those that have rings, in use or not: to
                                 * poll another queue means to stop packets
                                 * for a moment, so it is done beforehand. */
    uint16_t msix_config_vector; /* VIRTNET_NO_MSIX_VECTOR if none. */
    struct eth_addr ctrl_mac;   /* Set through the control queue, or zero. */
    bool attached;              /* Is a front end (or a host) connected? */
    bool migrating;             /* Is the guest on its way to another host? */
    int numa_id;                /* Node of the driver's memory, or -1. */
};

/* Ranges of lengths by which packets are counted: the greatest length of each,
 * in bytes, of a whole frame without FCS. */
#define VIRTNET_SIZES                                                   \
    VIRTNET_SIZE(64, "rx_64_or_less_octet_packets")                     \
    VIRTNET_SIZE(127, "rx_65_to_127_octet_packets")                     \
    VIRTNET_SIZE(255, "rx_128_to_255_octet_packets")                    \
    VIRTNET_SIZE(511, "rx_256_to_511_octet_packets")                    \
    VIRTNET_SIZE(1023, "rx_512_to_1023_octet_packets")                  \
    VIRTNET_SIZE(1522, "rx_1024_to_1522_octet_packets")                 \
    VIRTNET_SIZE(2047, "rx_1523_to_2047_octet_packets")                 \
    VIRTNET_SIZE(4095, "rx_2048_to_4095_octet_packets")                 \
    VIRTNET_SIZE(8191, "rx_4096_to_8191_octet_packets")                 \
    VIRTNET_SIZE(UINT32_MAX, "rx_8192_to_9022_octet_packets")
enum {
#define VIRTNET_SIZE(MAX, NAME) VIRTNET_SIZE_##MAX,
    VIRTNET_SIZES
#undef VIRTNET_SIZE
    VIRTNET_N_SIZES
};

/* What has gone wrong with a device since the process started, for "health":
 * the member, its group and its meaning. */
#define VIRTNET_HEALTH_COUNTERS                                             \
    /* Control plane: failures to set something up. */                      \
    VIRTNET_HEALTH(CP, sf_rqt_update_err)                                   \
    VIRTNET_HEALTH(CP, sf_drop_create_err)                                  \
    VIRTNET_HEALTH(CP, sf_tir_create_err)                                   \
    VIRTNET_HEALTH(CP, steer_rx_domain_err)                                 \
    VIRTNET_HEALTH(CP, steer_rx_table_err)                                  \
    VIRTNET_HEALTH(CP, sf_flows_apply_err)                                  \
    VIRTNET_HEALTH(CP, aarfs_flow_init_err)                                 \
    VIRTNET_HEALTH(CP, vlan_flow_init_err)                                  \
    VIRTNET_HEALTH(CP, drop_cnt_config_err)                                 \
    /* Data plane. */                                                       \
    VIRTNET_HEALTH(DP, sq_stall)        /* A send queue makes no progress. */ \
    VIRTNET_HEALTH(DP, dma_q_stall)     /* A read of the guest's memory does \
                                         * not. */                          \
    VIRTNET_HEALTH(DP, spurious_db_invoke) /* Doorbells without news. */    \
    VIRTNET_HEALTH(DP, aux_not_invoked)                                     \
    VIRTNET_HEALTH(DP, dma_q_errors)    /* Queues in error, recovered. */   \
    VIRTNET_HEALTH(DP, host_read_errors) /* Guest memory not readable. */

struct virtnet_health {
    bool fatal;                 /* Is the device unusable now? */
    uint64_t recover_counter;   /* Queues that were recovered. */
#define VIRTNET_HEALTH(GROUP, NAME) uint64_t NAME;
    VIRTNET_HEALTH_COUNTERS
#undef VIRTNET_HEALTH
};

/* One virtqueue, for "query" and "stats".  Numbers are since the queue was
 * last enabled. */
struct virtnet_queue_info {
    uint16_t index;             /* VIRTIO number: 0 = RX0, 1 = TX0, ... */
    uint16_t size;              /* Driver's number of descriptors. */
    uint16_t msix_vector;
    bool enabled;
    uint16_t notify_offset;
    uint64_t desc_addr;         /* Guest physical address of each area, as */
    uint64_t driver_addr;       /* far as the attachment tells; else zero. */
    uint64_t device_addr;
    uint64_t received_desc;     /* Descriptors taken from the driver. */
    uint64_t completed_desc;    /* Descriptors given back. */
    uint64_t bad_desc_errors;   /* Malformed descriptors. */
    uint64_t error_cqes;        /* Completions in error. */
    uint64_t exceed_max_chain;  /* Chains longer than allowed. */
    uint64_t invalid_buffer;    /* Buffers outside of guest memory. */
    uint64_t packets;           /* Whole packets moved. */
    uint64_t total_bytes;       /* Bytes of those packets. */
    uint64_t drops;             /* Packets dropped at this queue. */
    uint64_t sizes[VIRTNET_N_SIZES]; /* Packets by size, receive queues only,
                                 * since config.packet_counter was last set:
                                 * kept when it is cleared. */
    unsigned int core_id;       /* Packet thread that last served it. */
    uint32_t cq_period;         /* RQ interrupt moderation: microseconds, */
    uint32_t cq_max_count;      /* packets, */
    uint8_t cq_period_mode;     /* 0 default, 1 upon event, 2 upon cqe. */
};

/* Adds what '*info' has counted of descriptors, and its drops, to '*sum'. */
void virtnet_queue_info_add(struct virtnet_queue_info *sum,
                            const struct virtnet_queue_info *info);

/* Stores what '*sum' has of descriptors in 'counters', as custom counters of a
 * port, which all backends have.  Returns their number,
 * VIRTNET_N_QUEUE_TOTALS. */
#define VIRTNET_N_QUEUE_TOTALS 6
struct netdev_custom_counter;
size_t virtnet_put_queue_totals(const struct virtnet_queue_info *sum,
                                struct netdev_custom_counter *counters);

/* What "query --dbg_stats" counts of a queue. */
struct virtnet_debug_counters {
    uint64_t packets;
    uint64_t drops;
};

struct virtnet_device {
    /* Set by virtnet_device_init(), constant. */
    struct virtnet_backend *backend; /* Its class has the operations. */
    const struct virtnet_backend_class *class; /* The same one, for a device
                                * that outlives its backend. */
    enum virtnet_function_type type;
    struct ovs_refcount refcount;
    struct virtnet_life *life;  /* Of virtnet-life.c: while a step takes its
                                 * time. */

    /* Registry of the controller. */
    struct hmap_node vuid_node; /* By VUID. */
    struct hmap_node id_node;   /* By pf_id, and vf_id of a VF. */
    struct hmap_node rep_node;  /* By representor name. */
    struct hmap_node mac_node;  /* By config.mac. */
    struct hmap_node owner_node; /* By owner_port, if that is nonnull. */
    struct ovs_list list_node;  /* In order of ids: what "list" shows. */

    /* Identity.  pf_id is chosen by the controller, the rest by the backend's
     * "construct", since on hardware it is the firmware that knows. */
    char *vuid;                 /* "MT0000X00000VNETS1D0F0", owned. */
    unsigned int pf_id;         /* For a VF: its parent's. */
    unsigned int vf_id;         /* VFs only. */
    uint16_t bdf;               /* VIRTNET_BDF(). */
    uint16_t vhca_id;           /* For debugging. */

    /* Scalable function and representor. */
    char *ib_device;            /* Parent: "mlx5_0", ..., owned. */
    bool vfs_are_new;           /* Static PFs: has the host enabled 'num_vfs'
                                 * while nobody could tell it no? */
    uint32_t sf_num;            /* Chosen by the controller. */
    char rep_name[IFNAMSIZ];    /* "en3f0pf0sf2000"; also the port's name. */
    struct eth_addr rep_mac;    /* Of the switch's side: never the guest's. */
    int rep_ifindex;            /* Stable and non-zero, or 0 if none. */
    uint16_t sf_vhca_id;        /* For debugging. */

    /* Configuration in force.  Changed by virtnet_controller_apply_config()
     * alone. */
    struct virtnet_device_config config;
    struct virtnet_change *change; /* While it is, or NULL. */
    uint64_t n_changes_failed;  /* Of those, not put in force... */
    uint64_t n_drop_counters_failed; /* ...and those of config.drop_counter. */

    /* SR-IOV; see virtnet-sriov.h. */
    unsigned int max_vfs;       /* Static PF: VFs that it can have. */
    unsigned int num_vfs;       /* ...that the host has asked for... */
    unsigned int n_vfs;         /* ...that there are. */
    struct virtnet_pool *pool;  /* What they share; NULL without SR-IOV. */
    struct virtnet_device *pf;  /* VF: the PF that it belongs to, or NULL when
                                 * it has gone. */

    /* The driver, kept up to date by virtnet_device_driver_changed(). */
    enum virtnet_device_state state;
    struct virtnet_driver_info driver;
    bool flr;                   /* Reset by the host, and not in use since. */

    /* Where the counters of each queue stood when "query --stats_clear" was
     * said last; see virtnet-debug.h. */
    struct virtnet_debug_counters *cleared;
    unsigned int n_cleared;

    /* How a guest reaches the device: "vhost-user", "vfio-user", "pci"; and
     * where: for a socket, its path.  Set by the backend's "plug". */
    const char *attachment;
    char *attachment_path;      /* Owned, or NULL. */
    const char *attachment_mode; /* "client", "server", or NULL. */

    /* Who asked for it, for automatic ports and recovery.  Main thread. */
    char *bridge;               /* Bridge asked for at birth, or NULL. */
    char *owner_port;           /* Name of the Interface whose
                                 * options:hotplug made it, or NULL. */
    bool port_detached;         /* An operator deleted its automatic port. */
    char *port_status;          /* Why it has no port, owned, or NULL. */
    char *port_bridge;          /* Bridge whose port it is, owned, or NULL:
                                 * by the database, in force or not yet. */

    /* The netdev that is bound to the device, or NULL.  Belongs to
     * netdev-virtio-bind.c. */
    struct netdev *netdev;
};

/* For backends. */

/* Initializes the members that every device has.  Called by a backend's
 * "device_alloc" on zeroed memory.  'dev' starts with one reference. */
void virtnet_device_init(struct virtnet_device *, struct virtnet_backend *,
                         enum virtnet_function_type);

/* Frees what virtnet_device_init() and the controller have put into 'dev', not
 * 'dev' itself.  Called by a backend's "device_dealloc".  Any thread. */
void virtnet_device_uninit(struct virtnet_device *);

/* Tells the model what the driver has done: moves the state machine, logs the
 * transition and informs the observers of the controller.  Main thread, from
 * a backend's "run". */
void virtnet_device_driver_changed(struct virtnet_device *,
                                   const struct virtnet_driver_info *);

/* A step of the life of 'dev' that was answered with -EINPROGRESS has come out
 * as 'error', with one line in 'reason' or NULL.  May take the next steps, and
 * on failure the device is gone when this returns.  Main thread, from a
 * backend's "run". */
void virtnet_device_step_done(struct virtnet_device *, int error,
                              const char *reason);

/* The same of an "apply_config".  May call "apply_config" again, to undo it.
 */
void virtnet_device_config_done(struct virtnet_device *, int error,
                                const char *reason);

/* For everybody. */

/* Sets dev->port_status to a copy of 'status', or to nothing if it is NULL.
 * The observers are not told: it is there for those who ask, and when a bridge
 * goes, Open vSwitch would look at all ports for each whose device is said to
 * have changed.  Main thread. */
void virtnet_device_set_port_status(struct virtnet_device *,
                                    const char *status);

struct virtnet_device *virtnet_device_ref(const struct virtnet_device *);

/* Drops a reference.  The last one deallocates 'dev' after an RCU grace
 * period.  NULL is accepted.  Main thread. */
void virtnet_device_unref(struct virtnet_device *);

/* "static PF", "hotplug PF", "VF". */
const char *virtnet_function_type_name(enum virtnet_function_type);

/* "created", "driver found", "features ok", "driver ok", "reset",
 * "unplugged". */
const char *virtnet_device_state_name(enum virtnet_device_state);

/* Is a driver bound, i.e. must attributes be left alone? */
bool virtnet_device_has_driver(const struct virtnet_device *);

/* Virtqueues, with the control queue, that the device has and that the driver
 * has enabled. */
unsigned int virtnet_device_num_queues(const struct virtnet_device *);
unsigned int virtnet_device_enabled_queues(const struct virtnet_device *);

/* MSI-X vectors that are free for VFs of the PF 'pf': as its firmware says, or
 * else as the controller has counted. */
unsigned int virtnet_device_free_msix(const struct virtnet_device *pf);

/* Carrier as the switch sees it: configured up, and a driver is ready. */
bool virtnet_device_carrier(const struct virtnet_device *);

/* Number of queues of a ready driver that the switch polls: nonzero if packets
 * can go both ways. */
unsigned int virtnet_device_active_rxqs(const struct virtnet_device *);

#endif /* virtnet-device.h */
