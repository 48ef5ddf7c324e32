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

#ifndef VIRTNET_BACKEND_PROVIDER_H
#define VIRTNET_BACKEND_PROVIDER_H 1

/* Provider interface for virtio-net device backends.
 *
 * A backend is what makes an emulated virtio-net function exist and moves its
 * packets: the firmware and eSwitch of a DPU, or software that stands for
 * them.  The controller (virtnet-controller.h) decides what shall exist and
 * remembers it; a backend carries it out.  The controller knows no DevX and no
 * vhost; a backend knows no JSON, no OVSDB and no bridge.  Everything that
 * passes between them is in this header, which is meant to be all that the
 * author of another backend has to read besides virtnet-device.h.
 *
 *
 * Data Structures
 * ===============
 *
 * Three structures make up a backend:
 *
 *   - "struct virtnet_backend_class": a table of functions, one instance for
 *     each kind of backend, registered once with
 *     virtnet_backend_register_class().
 *
 *   - "struct virtnet_backend": an open backend, e.g. one emulation manager.
 *     A backend embeds it as the first member of a structure of its own.
 *
 *   - "struct virtnet_device": one emulated function.  Likewise embedded.
 *
 *
 * Life Cycle
 * ==========
 *
 * Of a backend: "open" and "close".  Between them the main loop calls "run"
 * and "wait" every time around.
 *
 * Of a device, always from the main thread and in this order:
 *
 *   1. "device_alloc": memory, with virtnet_device_init() done on it.
 *
 *   2. The controller fills in what it decides: 'pf_id' (and 'vf_id'),
 *      'ib_device', 'sf_num', 'config'.
 *
 *   3. "device_construct": the function comes into being, invisible to the
 *      host.  The backend fills in 'vuid', 'bdf', 'vhca_id'; if only plugging
 *      gives the function a name, in "device_plug".
 *
 *   4. "sf_create": the scalable function and its representor come into being.
 *      The backend fills in 'rep_name', 'rep_mac', 'rep_ifindex'.
 *
 *   5. "device_plug": the function becomes visible to the host, a driver may
 *      bind.  The backend fills in 'attachment' and its siblings.
 *
 *   6. The device lives: "apply_config", "device_reset", queries, packets, and
 *      virtnet_device_driver_changed() from the backend's "run".
 *
 *   7. "device_unplug": no longer visible; when it returns 0 the data path has
 *      stopped.  Then "sf_destroy", "device_destruct": each undoes one step.
 *
 *   8. "device_dealloc", when the last reference is gone and a grace period of
 *      RCU has passed.  It may run in another thread, and only frees memory.
 *
 * If one of the steps 3 to 5 fails the controller undoes those before it, in
 * reverse order, and nothing remains.
 *
 * A step that takes longer than the main loop may be away returns -EINPROGRESS
 * and goes on beside it.  When it is over, the backend calls, from "run",
 * virtnet_device_step_done() with what the step would have returned.  Until
 * then the controller leaves the device alone.  That holds for
 * "device_construct", "sf_create", "device_plug", and "device_unplug" without
 * 'force'.  What undoes a step never waits: what has to be done for it later,
 * the backend does with data of its own, and the device may be gone by then.
 *
 * "apply_config" may take its time likewise, and then the backend calls
 * virtnet_device_config_done().  The device lives on meanwhile, with its old
 * configuration; if it is unplugged nobody waits any more: after
 * "device_destruct" nothing is called.
 *
 * The reason for so many steps is the hardware: firmware, devlink and the host
 * are three parties that may each refuse, and a device that is half made must
 * be whole or gone.  A software backend may do nothing in some of them.
 *
 *
 * Restart
 * =======
 *
 * A device shall survive the process.  The controller keeps a record for each
 * device and calls the same steps again at the next start, with identity
 * ('vuid', 'bdf', 'sf_num', 'rep_name') already filled in: "device_construct"
 * must then bring back exactly that device, or refuse.  Backends whose
 * functions live on in firmware find them by "enumerate" instead.  What a
 * backend itself must remember it adds to the record as strings by "save" and
 * gets back by "restore", called between steps 2 and 3.
 *
 *
 * Errors
 * ======
 *
 * Functions that return "int" return 0 or a negative number as described in
 * virtnet-error.h.  Those with an 'errp' store one line of text there on
 * failure, for the operator, owned by the caller; they may leave it NULL when
 * the number says it all.  A function that fails leaves everything as it was.
 *
 *
 * Threads
 * =======
 *
 * The main thread calls everything but the group "Packets", which packet
 * threads (PMD threads, or the main thread for packets of the slow path) call
 * at any time between the moment the netdev has bound the device and one grace
 * period after it let go: also while the main thread is in another function,
 * also after "device_destruct".  These never block, allocate from the heap or
 * log per packet.  They must not be called for the same queue from two threads
 * at a time, except where stated.
 *
 * A backend may have threads of its own.  They never touch a "struct
 * virtnet_device"; they leave word and wake the main thread (see "seq.h"), and
 * "run" does the rest. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/list.h"
#include "svec.h"
#include "virtnet-device.h"
#include "virtnet-error.h"

struct dp_packet_batch;
struct netdev_custom_counter;
struct netdev_stats;
struct smap;
struct virtnet_record;
struct virtnet_settings;

/* What a backend can do. */
struct virtnet_backend_caps {
    const char *emulation_manager;  /* Name of the managing RDMA device. */
    unsigned int max_hotplug_devices;
    unsigned int max_devices;       /* Of all kinds. */
    unsigned int max_vfs_per_pf;
    unsigned int max_vf_msix;       /* MSI-X vectors of a VF; 0: any, */
    unsigned int min_vf_msix;       /* ...and none at all, too. */
    unsigned int max_virt_queues;   /* Per device, with the control queue. */
    unsigned int max_tunnel_descriptors;
    uint64_t supported_features;    /* Bits that a device may offer. */
    uint64_t default_features;      /* Offered unless told otherwise. */
    uint64_t required_features;     /* Offered whatever was told. */
    uint64_t left_out_features;     /* Asked for where there is a card, and
                                     * nothing here: left out, not refused. */
    uint64_t packed_excludes;       /* Features that do not go with packed
                                     * virtqueues. */
    unsigned int packed_max_mtu;    /* MTU with those at most, 0 if any. */
    uint32_t virt_queue_types;      /* Bit 0: split.  Bit 1: packed. */
    uint32_t event_modes;           /* Bit 0: no MSI-X.  Bit 2: MSI-X. */

    /* Does somebody else make, number and remember the functions?  Then the
     * controller makes none when it starts and keeps no records; devices come
     * and go by virtnet_adopt() and virtnet_vanish() of virtnet-life.h, and
     * "command" carries out what operators ask for. */
    bool external;

    /* Is there a card, whose firmware says what static PFs ('num_pfs') and VFs
     * ('max_vfs_per_pf') there can be, and a host, which resets functions and
     * has VFs made?  Otherwise settings and commands stand for them. */
    bool card;
    unsigned int num_pfs;
};

/* What could not be undone, so that a card is not as the switch says.  Numbers
 * since the backend was opened but for 'objects', which are there now. */
struct virtnet_leftovers {
    uint64_t objects;               /* Of firmware.  They are tried again. */
    uint64_t functions;             /* Left plugged. */
    uint64_t sfs;
    uint64_t configs;               /* In force, although refused. */
};

/* What is wrong with what a backend rests on. */
struct virtnet_trouble {
    /* Taken away by somebody else, since the backend was opened. */
    uint64_t sfs_lost;
    uint64_t reps_lost;             /* Representors whose SF stayed. */

    bool fatal;                     /* Can no device be of any use? */
    struct svec lines;              /* What there is now, for operators. */
};

/* An RDMA device that functions can have as parent. */
struct virtnet_ib_device {
    const char *name;               /* "mlx5_0". */
    const char *pci_addr;           /* "0000:03:00.0". */
    unsigned int port;              /* 0, 1; 0 for a bond. */
};

struct virtnet_backend {
    const struct virtnet_backend_class *class;
};

/* The answer to a command: 'error' is 0 and 'text' is JSON; or 'error' is a
 * negative number and 'reason' one line, or NULL. */
typedef void virtnet_command_cb(int error, const char *reason,
                                const char *text, void *aux);

/* Bits of 'changed' of "apply_config": which members differ. */
enum virtnet_config_bit {
    VIRTNET_CONFIG_MAC = 1 << 0,
    VIRTNET_CONFIG_MTU = 1 << 1,
    VIRTNET_CONFIG_FEATURES = 1 << 2,
    VIRTNET_CONFIG_QUEUE_PAIRS = 1 << 3,
    VIRTNET_CONFIG_QUEUE_SIZE = 1 << 4,
    VIRTNET_CONFIG_MSIX = 1 << 5,
    VIRTNET_CONFIG_SPEED = 1 << 6,
    VIRTNET_CONFIG_LINK = 1 << 7,
    VIRTNET_CONFIG_RX_MODE = 1 << 8, /* rx_mode_set, rx_mode. */
    VIRTNET_CONFIG_RSS = 1 << 9, /* hash_types, rss_key_size. */
    VIRTNET_CONFIG_RX_DMA_QS = 1 << 10,
    VIRTNET_CONFIG_AARFS = 1 << 11,
    VIRTNET_CONFIG_DIM = 1 << 12, /* dim, net_dim, net_dim_set. */
    VIRTNET_CONFIG_DROP_COUNTER = 1 << 13,
    VIRTNET_CONFIG_PACKET_COUNTER = 1 << 14,
    VIRTNET_CONFIG_CQ = 1 << 15, /* cq_period_mode, cq_period,
                                  * cq_max_count. */
};

struct virtnet_backend_class {
    /* Name of the kind, as in other_config:virtnet-backend: "soft", "mlx5". */
    const char *type;

    /* ## ------- ## */
    /* ## Backend ## */
    /* ## ------- ## */

    /* Opens the backend with 'settings', which stay valid until "close".
     * Stores it in '*backendp'; its class may be a more special one.  -EAGAIN
     * means that something that it rests on is not there yet, -EINPROGRESS
     * that opening takes its time; the controller tries again.  Mandatory. */
    int (*open)(const struct virtnet_settings *settings,
                struct virtnet_backend **backendp, char **errp);

    /* Closes 'backend', which has no devices any more, and frees it.
     *
     * With 'keep', the process is ending instead.  The devices have not been
     * unplugged, and will be brought back by the next process: guests are to
     * be left as they are as far as that depends on the backend (what a guest
     * owns, such as a socket that it listens on, stays), 'backend' and the
     * devices stay in memory, and nothing but the "Packets" group and the
     * rep_* functions is called any more.  Mandatory. */
    void (*close)(struct virtnet_backend *backend, bool keep);

    /* Does what is to be done and arranges to be woken.  Here a backend calls
     * virtnet_device_driver_changed().  Optional. */
    void (*run)(struct virtnet_backend *backend);
    void (*wait)(struct virtnet_backend *backend);

    /* Constant while the backend is open.  Mandatory. */
    const struct virtnet_backend_caps *(*get_caps)(
        const struct virtnet_backend *backend);

    /* Returns why the setting 'key' is of no effect as long as the backend is
     * open (one that is a boolean: if it is true), and what to do instead if
     * there is something; or NULL if it has an effect, or the backend does not
     * know.  Optional. */
    const char *(*no_effect)(const struct virtnet_backend *backend,
                             const char *key);

    /* Stores in '*devs' an array of parents, valid until "close", and returns
     * their number.  Mandatory. */
    size_t (*get_ib_devices)(const struct virtnet_backend *backend,
                             const struct virtnet_ib_device **devs);

    /* Calls 'cb' for every function that exists already: those that the
     * firmware configuration made, and those that outlived the last process.
     * 'cb' may take the device over or leave it.  Optional. */
    int (*enumerate)(struct virtnet_backend *backend,
                     void (*cb)(struct virtnet_device *, void *aux),
                     void *aux, char **errp);

    /* Carries out the command 'name' ("hotplug", "query", ...) of an operator,
     * whose 'argc' arguments 'argv' have been found to be good.  Returns true
     * if it does that, and then calls 'cb' once: before it returns, or from
     * "run" or "close".  Optional: NULL if the controller carries out all
     * commands itself. */
    bool (*command)(struct virtnet_backend *backend, const char *name,
                    int argc, const char *const argv[],
                    virtnet_command_cb *cb, void *aux);

    /* ## ------- ## */
    /* ## Devices ## */
    /* ## ------- ## */

    /* See "Life Cycle" above.  All mandatory. */
    struct virtnet_device *(*device_alloc)(struct virtnet_backend *backend,
                                           enum virtnet_function_type type);
    int (*device_construct)(struct virtnet_device *dev, char **errp);
    void (*device_destruct)(struct virtnet_device *dev);
    void (*device_dealloc)(struct virtnet_device *dev);

    int (*sf_create)(struct virtnet_device *dev, char **errp);
    void (*sf_destroy)(struct virtnet_device *dev);

    int (*device_plug)(struct virtnet_device *dev, char **errp);

    /* Takes the function away from the host.  Without 'force', refuses with
     * VIRTNET_E_UNPLUG_NOT_READY while a driver holds it.  With 'force', the
     * driver sees a surprise removal, at once or soon.  While
     * virtnet_controller_restarting(), the device is about to come back:
     * whatever belongs to its front end stays. */
    int (*device_unplug)(struct virtnet_device *dev, bool force, char **errp);

    /* Asks in the host's place for 'n' VFs of the static PF 'dev', from or to
     * zero, before the controller makes or removes them by the steps above.
     * Optional: NULL if VFs come and go by the host's doing alone; then the
     * backend calls virtnet_sriov_set() when it hears of that. */
    int (*set_vfs)(struct virtnet_device *dev, unsigned int n, char **errp);

    /* Returns how many MSI-X vectors are free for VFs of the PF 'pf', or -1 if
     * nobody but the controller knows.  Optional. */
    int (*get_free_msix)(const struct virtnet_device *pf);

    /* Has nobody else made an SF with number 'sf_num' below 'ib_device', so
     * that "sf_create" can make one for a new device?  The controller knows
     * those of its devices only.  Optional: NULL if there are no others. */
    bool (*sf_num_is_free)(const struct virtnet_backend *backend,
                           const char *ib_device, uint32_t sf_num);

    /* Stores what could not be undone in '*left', which is zeroed.
     * Optional. */
    void (*get_leftovers)(const struct virtnet_backend *backend,
                          struct virtnet_leftovers *left);

    /* Adds what is wrong to '*trouble', which is zeroed, with a line for each
     * thing that lasts.  Optional. */
    void (*get_trouble)(const struct virtnet_backend *backend,
                        struct virtnet_trouble *trouble);

    /* Makes one SF in advance, for whatever device is made next.  -EAGAIN
     * means that it takes some time: "run" is to wake the main loop, and the
     * controller asks again.  Optional: NULL if there is nothing to make. */
    int (*sf_prepare)(struct virtnet_backend *backend, char **errp);

    /* Puts 'new' in force, where it differs from dev->config in the members
     * that 'changed' names.  All or nothing.  The controller has checked that
     * the rules about a bound driver are kept, and on success assigns
     * dev->config.  While one is under way (-EINPROGRESS) there is no other
     * for 'dev'.  Optional: NULL if nothing can be changed. */
    int (*apply_config)(struct virtnet_device *dev,
                        const struct virtnet_device_config *new,
                        uint32_t changed, char **errp);

    /* Resets the device as a function-level reset does.  Optional. */
    int (*device_reset)(struct virtnet_device *dev);

    /* Adds to, or takes from, the record of the device what only the backend
     * understands.  Keys must be prefixed with the class's type and '-'.
     * Optional. */
    void (*save)(const struct virtnet_device *dev, struct smap *record);
    int (*restore)(struct virtnet_device *dev, const struct smap *record,
                   char **errp);

    /* Returns NULL if 'record' may be that of a device of this backend, which
     * may have gone; or why it must be that of another card, or a forgery, in
     * a line that the caller must free.  Optional. */
    char *(*check_record)(const struct virtnet_backend *backend,
                          const struct virtnet_record *record);

    /* ## ------ ## */
    /* ## Queues ## */
    /* ## ------ ## */

    /* Fills in '*info' for virtqueue 'index' (VIRTIO numbering).  Returns
     * VIRTNET_E_QUEUE_INDEX if the device has no such queue.  Mandatory. */
    int (*get_queue_info)(const struct virtnet_device *dev,
                          unsigned int index,
                          struct virtnet_queue_info *info);

    /* Fills in '*health', which is zeroed.  Optional: NULL if nothing is
     * counted. */
    void (*get_health)(const struct virtnet_device *dev,
                       struct virtnet_health *health);

    /* Packets that found no buffer in a receive queue since
     * config.drop_counter was last set; they only grow.  Optional. */
    uint64_t (*get_drops)(const struct virtnet_device *dev);

    /* ## ----------- ## */
    /* ## Representor ## */
    /* ## ----------- ## */

    /* The switch's end of the device.  "rx" is what the switch receives, i.e.
     * what the driver transmits. */

    /* Lets packets of up to 'mtu' bytes of payload through, both ways.  Any
     * memory is found before anything changes: -ENOMEM leaves the old MTU in
     * force.  Takes effect without stopping packet threads.  Mandatory. */
    int (*rep_set_mtu)(struct virtnet_device *dev, int mtu);

    /* Administrative state of the port: when down, packets are dropped both
     * ways.  Mandatory. */
    void (*rep_set_up)(struct virtnet_device *dev, bool up);

    /* Adds the counters of the representor to '*stats' (members that it knows
     * only; the others stay UINT64_MAX).  They never go back while the device
     * lives, whatever the driver does.  Mandatory. */
    void (*rep_get_stats)(const struct virtnet_device *dev,
                          struct netdev_stats *stats);

    /* Stores in '*counters' an array that the caller frees, and returns its
     * size.  Names must be plain words.  Optional. */
    size_t (*rep_get_custom_stats)(const struct virtnet_device *dev,
                                   struct netdev_custom_counter **counters);

    /* ## ------- ## */
    /* ## Packets ## */
    /* ## ------- ## */

    /* Receives up to NETDEV_MAX_BURST packets from rx queue 'qid' into
     * 'batch', as netdev_class's "rxq_recv" does: 0, or EAGAIN (positive,
     * since it goes to the datapath unchanged).  Mandatory. */
    int (*rep_recv)(struct virtnet_device *dev, int qid,
                    struct dp_packet_batch *batch, int *qfill);

    /* Sends 'batch' and takes ownership of its packets.  Those that cannot be
     * sent are dropped and counted.  'qid' is any number: the backend maps it
     * to a queue that the driver has enabled, and locks if needed, so several
     * threads may call this at a time.  Unless 'concurrent_txq' is true, it is
     * this thread's own, for all ports.  Mandatory. */
    void (*rep_send)(struct virtnet_device *dev, int qid, bool concurrent_txq,
                     struct dp_packet_batch *batch);

    /* Are packets for "rep_send" to be complete, whatever the driver can do:
     * no checksum or segmentation left for others? */
    bool rep_complete;

    /* Returns what DPDK is to probe ("dpdk-devargs" of Open vSwitch) for a
     * port that stands for the representor of 'dev', which the caller must
     * free.  Stores in '*pci' the address of the PCI function that it needs
     * for that, or NULL if it needs none.  Returns NULL if there is no such
     * port.
     *
     * With such a port packets do not go through "rep_recv" and "rep_send".
     * Optional: NULL if there never is one. */
    char *(*rep_get_devargs)(const struct virtnet_device *dev,
                             const char **pci);

    /* From now on others move the packets of 'dev', until "rep_set_up" is
     * called.  Mandatory where there is "rep_get_devargs". */
    void (*rep_yield)(struct virtnet_device *dev);

    /* Are representors network interfaces of the kernel called 'rep_name'?
     * Then they can be ports of bridges of the kernel datapath, too, where
     * none of these functions is called. */
    bool rep_is_netdev;

    /* Is there any use in polling rx queue 'qid' now?  Mandatory. */
    bool (*rep_rxq_enabled)(const struct virtnet_device *dev, int qid);

    /* Offload of flows: see the flow provider.  NULL if there is none. */
    const struct virtnet_flow_class *flow;
};

/* Makes 'class' known.  Main thread, at start.  'class' must stay valid. */
void virtnet_backend_register_class(const struct virtnet_backend_class *);

/* Returns the class of 'type', or NULL. */
const struct virtnet_backend_class *virtnet_backend_lookup_class(
    const char *type);

/* What "no_effect" of 'backend', which may be NULL, says of 'key'. */
const char *virtnet_backend_no_effect(const struct virtnet_backend *,
                                      const char *key);

/* The backends of this build. */
extern const struct virtnet_backend_class virtnet_soft_backend_class;
extern const struct virtnet_backend_class virtnet_mlx5_backend_class;

#endif /* virtnet-backend-provider.h */
