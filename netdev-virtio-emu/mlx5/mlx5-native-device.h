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

#ifndef MLX5_NATIVE_DEVICE_H
#define MLX5_NATIVE_DEVICE_H 1

/* What the files of the mlx5 backend in mode "native" share.
 *
 * mlx5-native-backend.c is the class, from open to close; mlx5-native-event.c
 * is what firmware tells; mlx5-native-device.c is about functions as devices,
 * and mlx5-native-sf.c about their SFs, and about what is left of devices that
 * are gone. */

#include <stdbool.h>
#include <stdint.h>

#include "mlx5-base.h"
#include "mlx5-devlink.h"
#include "mlx5-native-open.h"
#include "mlx5-native.h"
#include "mlx5-port.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

/* How long (ms) a request to the kernel may take. */
#define NATIVE_DEVLINK_TIMEOUT_MS 5000

struct native {
    struct mlx5_base base;
    struct mlx5_native *fw;
    struct mlx5_devlink *devlink;
    struct mlx5_service_watch *service;
    bool rival;                 /* Has NVIDIA's service been started? */

    struct hmap devices;        /* Of struct native_device, by vhca_id. */
    struct ovs_list waiting;    /* Of struct native_device: for SFs, */
    struct ovs_list naming;     /* ...and for representors, and names, */
    struct ovs_list late;       /* ...and for those that have come late. */
    struct ovs_list changed;    /* Of struct native_device: PFs' VFs. */
    long long int changed_at;   /* When to look at 'changed' (again). */
    struct ovs_list changes;    /* Of struct native_change. */
    struct ovs_list tails;      /* Of struct tail. */
    uint64_t n_functions_left;  /* See virtnet_leftovers. */
    uint64_t n_sfs_left;
    uint64_t n_sfs_lost;        /* See virtnet_trouble. */
    uint64_t n_reps_lost;
    bool told_strangers;        /* See tell_strangers(). */
    bool syncing;               /* Is the controller being told of VFs? */
};

struct native_device {
    struct mlx5_port port;
    struct hmap_node node;      /* In native->devices while managed. */
    bool managed;
    struct ovs_list list_node;  /* In native->waiting, ->naming, ->late, or
                                 * empty. */

    char handle[MLX5_DL_HANDLE_LEN]; /* Of its SF's parent, for devlink. */
    bool has_sf;
    uint32_t sf_index;          /* devlink's number. */
    char rdma_dev[MLX5_SF_NAME_LEN]; /* Of its SF. */
    bool sf_lost;               /* Has somebody else taken it away? */
    struct tail *tail;          /* What it is about to leave behind. */

    struct native_change *change; /* Of its configuration, or NULL. */

    int unplug_error;           /* While it is taken over again. */
    char *unplug_reason;

    /* Static PFs: what the host has enabled. */
    struct mlx5_emu_function *vfs;
    size_t n_vfs;
    int free_vf_msix;           /* Vectors for them, -1 if firmware does not
                                 * tell. */
    bool vfs_gone;              /* Has it disabled them in between? */
    struct ovs_list changed_node; /* In native->changed, or empty. */

    struct mlx5_native_stats stats; /* As last seen. */
};

/* A change of configuration that firmware has been asked for. */
struct native_change {
    struct ovs_list node;       /* In native->changes. */
    struct native_device *nd;   /* NULL when it has gone. */
};

/* What is left of a device that is gone. */
struct tail {
    struct ovs_list node;       /* In native->tails. */
    struct native *n;
    struct native_device *nd;   /* If it is not gone yet. */

    bool has_function;          /* To be released, or unplugged. */
    bool released;
    bool unplug;
    uint16_t vhca_id;
    int tries;
    long long int retry_at;     /* LLONG_MAX while something is awaited. */

    bool has_sf;                /* To be deleted. */
    uint32_t sf_num;
    uint32_t sf_index;
    char handle[MLX5_DL_HANDLE_LEN];
};

static inline struct native *
native_cast(const struct virtnet_backend *backend)
{
    return CONTAINER_OF(backend, struct native, base.up);
}

static inline struct native_device *
native_device_cast(const struct virtnet_device *dev)
{
    return CONTAINER_OF(dev, struct native_device, port.up);
}

static inline struct native *
native_of(const struct native_device *nd)
{
    return native_cast(nd->port.up.backend);
}

/* devlink's name of the parent 'ib'. */
void native_parent_handle(const struct virtnet_ib_device *ib,
                          char handle[MLX5_DL_HANDLE_LEN]);

/* Refuses what is not to be begun while NVIDIA's service is there, if it
 * is. */
int native_refuse_for_rival(const struct native *, char **errp);

/* News. */

/* Does what 'event', of which the caller frees what is left, asks for. */
void native_handle_event(struct native *, struct mlx5_native_event *event);

/* Tells the controller of VFs that hosts have enabled or disabled, as soon as
 * it has time for that.  It is not to ask for others meanwhile. */
void native_sync_vfs(struct native *);
int native_set_vfs(struct virtnet_device *, unsigned int n, char **errp);

/* Devices. */

struct virtnet_device *native_device_alloc(struct virtnet_backend *,
                                           enum virtnet_function_type);
void native_device_dealloc(struct virtnet_device *);
int native_device_construct(struct virtnet_device *, char **errp);
void native_device_destruct(struct virtnet_device *);
int native_device_plug(struct virtnet_device *, char **errp);
int native_device_unplug(struct virtnet_device *, bool force, char **errp);
int native_apply_config(struct virtnet_device *,
                        const struct virtnet_device_config *new,
                        uint32_t changed, char **errp);

/* A hotplug PF may have gone with the power, and VFs are not known before
 * their PF is, but all of them have the card's serial number. */
char *native_check_record(const struct virtnet_backend *,
                          const struct virtnet_record *);

/* The one that is managed with 'vhca_id', or NULL. */
struct native_device *native_find_device(const struct native *,
                                         uint16_t vhca_id);

/* Is its function managed?  Then events find it. */
void native_set_managed(struct native_device *, bool managed);

/* Has the function made, if there is none, and managed. */
void native_take_function(struct native_device *);

/* SFs. */

bool native_sf_num_is_free(const struct virtnet_backend *,
                           const char *ib_device, uint32_t sf_num);
int native_sf_create(struct virtnet_device *, char **errp);
void native_sf_destroy(struct virtnet_device *);

/* What is recorded of them. */
void native_sf_save(const struct virtnet_device *, struct smap *record);
int native_sf_restore(struct virtnet_device *, const struct smap *record,
                      char **errp);

/* Has somebody else taken away what 'nd' needs?  Returns one line then, which
 * the caller frees, or NULL. */
char *native_sf_get_problem(const struct native_device *nd);

/* 'nd' hears of its port from now on: sees what has changed before. */
void native_sf_catch_up(struct native_device *nd);

/* Has the SF of 'nd' deleted, when its function lets go of it. */
void native_sf_drop(struct native_device *nd);

/* Go on with devices that wait for devlink or for a tail, or refuse them if
 * there is no devlink. */
void native_sf_start_waiting(struct native *);
void native_sf_refuse_waiting(struct native *);

/* Go on with those that have waited long enough for a name, and wake up for
 * that. */
void native_sf_run_naming(struct native *);
void native_sf_wait_naming(struct native *);

/* For mlx5_devlink_open(), with the "struct native". */
mlx5_devlink_port_cb native_sf_port_changed;

/* Tails. */

/* Has the function of 'nd' released, and unplugged if it is a hotplug PF. */
void native_tail_begin(struct native_device *nd);

/* The tail of the function 'vhca_id', or NULL. */
struct tail *native_tail_find(const struct native *, uint16_t vhca_id);

/* Does what is next. */
void native_tail_go_on(struct tail *);

/* Firmware has unplugged the function of 'tail', or not. */
void native_tail_unplugged(struct tail *, int error, const char *reason);

#endif /* mlx5-native-device.h */
