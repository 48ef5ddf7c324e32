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

#ifndef VIRTNET_RECORD_H
#define VIRTNET_RECORD_H 1

/* What is remembered of a device, as JSON.
 *
 * The keys that the recovery files of the known controller have come first and
 * mean the same; those after them are what it takes to bring the very same
 * device back.
 *
 * JSON is read as if an enemy had written it: type and range of each member
 * are checked.
 *
 * Functions are for the main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "smap.h"
#include "virtnet-device.h"

struct json;

/* What is known of a device from its file.  Text members are owned, and NULL
 * where there is nothing. */
struct virtnet_record {
    char *vuid;
    enum virtnet_function_type type;
    unsigned int pf_id;
    unsigned int vf_id;         /* VFs only. */
    unsigned int num_vfs;       /* Static PFs: what the host asked for. */
    uint16_t bdf;
    char *ib_device;
    uint32_t sf_num;
    struct virtnet_device_config config;
    char *bridge;
    char *owner_port;
    char *attachment_path;
    bool has_attachment_mode;
    bool attachment_server;     /* Valid if 'has_attachment_mode'. */
    struct smap backend;        /* What the backend's "save" added. */
};

/* Returns what is to be remembered of 'dev' as it is now.  The caller must
 * json_destroy() it. */
struct json *virtnet_record_to_json(const struct virtnet_device *dev);

/* Returns what 'json' tells of the device with 'vuid', which the caller must
 * destroy.  If it makes no device, returns NULL and stores a line in '*errp',
 * which the caller must free. */
struct virtnet_record *virtnet_record_from_json(const char *vuid,
                                                const struct json *json,
                                                char **errp);

/* Frees 'record', which may be NULL. */
void virtnet_record_destroy(struct virtnet_record *record);

/* Copies 'record' into 'dev', which is fresh from "device_alloc". */
void virtnet_record_to_device(const struct virtnet_record *record,
                              struct virtnet_device *dev);

#endif /* virtnet-record.h */
