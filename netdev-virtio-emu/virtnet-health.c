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

/* Health.  See virtnet-health.h. */

#include <config.h>

#include "virtnet-health.h"

#include <stddef.h>
#include <string.h>

#include "svec.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-controller.h"
#include "virtnet-feature.h"
#include "virtnet-firmware.h"
#include "virtnet-json.h"
#include "virtnet-life.h"
#include "virtnet-settings.h"

enum health_group { CP, DP };

static const struct {
    enum health_group group;
    const char *key;
    size_t offset;              /* In struct virtnet_health. */
} counters[] = {
#define VIRTNET_HEALTH(GROUP, NAME) \
    { GROUP, #NAME, offsetof(struct virtnet_health, NAME) },
    VIRTNET_HEALTH_COUNTERS
#undef VIRTNET_HEALTH
};

/* Returns the uint64_t that is at 'offset' in the structure at 'base'. */
static uint64_t
get_member(const void *base, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const char *) base + offset, sizeof value);
    return value;
}

static void
put_group(struct virtnet_json *j, const char *key, enum health_group group,
          const struct virtnet_health *health)
{
    virtnet_json_begin_object(j, key);
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        if (counters[i].group == group) {
            virtnet_json_number(j, counters[i].key,
                                get_member(health, counters[i].offset));
        }
    }
    virtnet_json_end_object(j);
}

void
virtnet_device_count_errors(const struct virtnet_device *dev,
                            uint64_t *cp_errors, uint64_t *dp_errors)
{
    struct virtnet_health health;

    virtnet_device_get_health(dev, &health);
    *cp_errors = *dp_errors = 0;
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        *(counters[i].group == CP ? cp_errors : dp_errors)
            += get_member(&health, counters[i].offset);
    }
}

void
virtnet_device_get_health(const struct virtnet_device *dev,
                          struct virtnet_health *health)
{
    memset(health, 0, sizeof *health);
    if (dev->backend->class->get_health) {
        dev->backend->class->get_health(dev, health);
    }
    health->sf_rqt_update_err += dev->n_changes_failed;
    health->drop_cnt_config_err += dev->n_drop_counters_failed;
    if (dev->driver.status & (VIRTNET_STATUS_FAILED
                              | VIRTNET_STATUS_NEEDS_RESET)) {
        health->fatal = true;
    }
}

void
virtnet_json_health(struct virtnet_json *j, const struct virtnet_device *dev)
{
    struct virtnet_health health;

    virtnet_device_get_health(dev, &health);
    virtnet_json_begin_object(j, NULL);
    virtnet_json_number(j, "pf_id", dev->pf_id);
    if (dev->type == VIRTNET_VF) {
        virtnet_json_number(j, "vf_id", dev->vf_id);
    }
    virtnet_json_string(j, "type", virtnet_function_type_name(dev->type));
    virtnet_json_string(j, "vuid", dev->vuid);
    virtnet_json_bits(j, "dev_status", virtnet_status_bits,
                      dev->driver.status);
    virtnet_json_string(j, "health_status", health.fatal ? "Fatal" : "Good");
    virtnet_json_number(j, "health_recover_counter", health.recover_counter);
    virtnet_json_begin_object(j, "dev_health_details");
    put_group(j, "control_plane_errors", CP, &health);
    put_group(j, "data_plane_errors", DP, &health);
    virtnet_json_end_object(j);
    virtnet_json_end_object(j);
}

/* What could not be undone: its names, and how much there is. */
static const struct {
    const char *key;
    size_t offset;              /* In struct virtnet_leftovers. */
} leftovers[] = {
    { "firmware_objects", offsetof(struct virtnet_leftovers, objects) },
    { "functions", offsetof(struct virtnet_leftovers, functions) },
    { "sfs", offsetof(struct virtnet_leftovers, sfs) },
    { "configurations", offsetof(struct virtnet_leftovers, configs) },
};

/* Returns true if there is anything. */
static bool
get_leftovers(struct virtnet_leftovers *left)
{
    const struct virtnet_backend *backend = virtnet_controller_backend();
    bool any = false;

    memset(left, 0, sizeof *left);
    if (backend && backend->class->get_leftovers) {
        backend->class->get_leftovers(backend, left);
    }
    left->configs += virtnet_n_configs_left;
    for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
        any |= get_member(left, leftovers[i].offset) != 0;
    }
    return any;
}

static void
get_trouble(struct virtnet_trouble *trouble)
{
    const struct virtnet_backend *backend = virtnet_controller_backend();

    memset(trouble, 0, sizeof *trouble);
    svec_init(&trouble->lines);
    if (backend && backend->class->get_trouble) {
        backend->class->get_trouble(backend, trouble);
    }
}

static void
put_lines(struct virtnet_json *j, const char *key, const struct svec *lines)
{
    if (lines->n) {
        virtnet_json_begin_array(j, key);
        for (size_t i = 0; i < lines->n; i++) {
            virtnet_json_string(j, NULL, lines->names[i]);
        }
        virtnet_json_end_array(j);
    }
}

void
virtnet_json_controller_health(struct virtnet_json *j, const char *key)
{
    const char *reason;
    bool running = virtnet_controller_is_running(&reason);
    unsigned int n_coming, n_going, n_changing;
    struct virtnet_leftovers left;
    bool any_left = get_leftovers(&left);
    struct svec exceeded = SVEC_EMPTY_INITIALIZER;
    struct virtnet_trouble trouble;
    bool busy, any_lost;

    if (running) {
        virtnet_firmware_exceeded_limits(&exceeded);
    }
    get_trouble(&trouble);
    any_lost = trouble.sfs_lost || trouble.reps_lost;
    virtnet_life_count(&n_coming, &n_going, &n_changing);
    busy = n_coming || n_going || n_changing;
    if (running && !virtnet_settings_problems(NULL, NULL) && !busy
        && !any_left && !exceeded.n && !any_lost && !trouble.lines.n) {
        goto out;
    }
    virtnet_json_begin_object(j, key);
    virtnet_json_string(j, "type", "controller");
    virtnet_json_string(j, "health_status",
                        running && !trouble.fatal ? "Good" : "Fatal");
    if (!running) {
        virtnet_json_string(j, "reason",
                            reason ? reason : "the controller is starting");
    }
    virtnet_settings_problems(j, "config_errors");
    put_lines(j, "limits_exceeded", &exceeded);
    put_lines(j, "problems", &trouble.lines);
    if (any_lost) {
        virtnet_json_begin_object(j, "taken_away");
        virtnet_json_number(j, "sfs", trouble.sfs_lost);
        virtnet_json_number(j, "representors", trouble.reps_lost);
        virtnet_json_end_object(j);
    }
    if (any_left) {
        virtnet_json_begin_object(j, "not_undone");
        for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
            virtnet_json_number(j, leftovers[i].key,
                                get_member(&left, leftovers[i].offset));
        }
        virtnet_json_end_object(j);
    }
    if (busy) {
        virtnet_json_begin_object(j, "in_progress");
        virtnet_json_number(j, "devices_being_plugged", n_coming);
        virtnet_json_number(j, "devices_being_unplugged", n_going);
        virtnet_json_number(j, "devices_being_modified", n_changing);
        virtnet_json_end_object(j);
    }
    virtnet_json_end_object(j);
out:
    svec_destroy(&exceeded);
    svec_destroy(&trouble.lines);
}
