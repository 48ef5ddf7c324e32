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

/* Settings from other_config:virtnet-*.  See virtnet-settings.h. */

#include <config.h>

#include "virtnet-settings.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "util.h"
#include "virtnet-conf.h"
#include "virtnet-json.h"

VLOG_DEFINE_THIS_MODULE(virtnet_settings);

/* What is wrong in the database: key to a line.  Each is named in the log
 * once, however often the database is read. */
static struct shash complaints = SHASH_INITIALIZER(&complaints);

/* What is wrong with the file, a line each, or NULL. */
static char *file_problems;

/* The file that settings are from, and where in it: line of each setting, by
 * index in virtnet_settings_table, or 0. */
static char *file_name;
static int *file_lines;

/* Which settings are as the database says, by the same index. */
static bool *from_database;

/* Takes 'line'. */
static void
complain__(const char *key, char *line)
{
    const char *last = shash_find_data(&complaints, key);

    if (last && !strcmp(last, line)) {
        free(line);
    } else {
        VLOG_WARN("%s", line);
        free(shash_replace(&complaints, key, line));
    }
}

static void OVS_PRINTF_FORMAT(2, 3)
complain(const char *key, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain__(key, xvasprintf(format, args));
    va_end(args);
}

/* Returns the index of the setting 'key', or that behind the last one. */
static size_t
setting_index(const char *key)
{
    size_t i = 0;

    while (i < virtnet_n_settings
           && strcmp(virtnet_settings_table[i].key, key)) {
        i++;
    }
    return i;
}

void
virtnet_settings_complain(const char *key, const char *format, ...)
{
    size_t i = setting_index(key);
    struct ds line = DS_EMPTY_INITIALIZER;
    va_list args;

    if (file_lines && i < virtnet_n_settings && file_lines[i]) {
        ds_put_format(&line, "%s: line %d: %s: ", file_name, file_lines[i],
                      virtnet_settings_table[i].conf);
    } else {
        ds_put_format(&line, "other_config:%s: ", key);
    }
    va_start(args, format);
    ds_put_format_valist(&line, format, args);
    va_end(args);
    complain__(key, ds_steal_cstr(&line));
}

static void
content(const char *key)
{
    free(shash_find_and_delete(&complaints, key));
}

enum virtnet_setting_source
virtnet_settings_source(const char *key)
{
    size_t i = setting_index(key);

    return (i >= virtnet_n_settings ? VIRTNET_SETTING_DEFAULT
            : file_lines && file_lines[i] ? VIRTNET_SETTING_FILE
            : from_database && from_database[i] ? VIRTNET_SETTING_DATABASE
            : VIRTNET_SETTING_DEFAULT);
}

/* Is there no setting 'key' of the database, though it looks like one? */
static bool
is_unknown_key(const char *key)
{
    return (!strncmp(key, "virtnet-", strlen("virtnet-"))
            && strncmp(key, VIRTNET_IFACE_ID_HEAD,
                       strlen(VIRTNET_IFACE_ID_HEAD))
            && setting_index(key) >= virtnet_n_settings);
}

/* Complains of keys of 'other_config' that do not exist, and no more of those
 * that it has no longer. */
static void
check_keys(const struct smap *other_config)
{
    struct shash_node *complaint;
    struct smap_node *node;

    SHASH_FOR_EACH_SAFE (complaint, &complaints) {
        if (is_unknown_key(complaint->name)
            && !smap_get(other_config, complaint->name)) {
            free(complaint->data);
            shash_delete(&complaints, complaint);
        }
    }
    SMAP_FOR_EACH (node, other_config) {
        if (is_unknown_key(node->key)) {
            complain(node->key, "other_config:%s: unknown key", node->key);
        }
    }
}

/* Stores 'value', which is good or the default, as the setting 's'.  NULL is
 * 0, or no text. */
static void
setting_store(struct virtnet_settings *settings,
              const struct virtnet_setting *s, const char *value)
{
    void *p = (char *) settings + s->offset;

    switch (s->type) {
    case VIRTNET_SETTING_BOOL:
        *(bool *) p = value && !strcmp(value, "true");
        break;

    case VIRTNET_SETTING_CHOICE:
        *(bool *) p = value && !strcmp(value, s->choices[1]);
        break;

    case VIRTNET_SETTING_UINT:
    case VIRTNET_SETTING_POW2: {
        unsigned int x = 0;

        if (value && !str_to_uint(value, 10, &x)) {
            OVS_NOT_REACHED();
        }
        *(unsigned int *) p = x;
        break;
    }

    case VIRTNET_SETTING_STRING:
    case VIRTNET_SETTING_WORD:
    case VIRTNET_SETTING_MAC:
    case VIRTNET_SETTING_HEX:
        free(*(char **) p);
        *(char **) p = nullable_xstrdup(value);
        break;
    }
}

/* Returns what 'other_config' says of 's', if that is good. */
static const char *
setting_get(const struct virtnet_setting *s, const struct smap *other_config)
{
    const char *value = other_config ? smap_get(other_config, s->key) : NULL;
    char *why;

    if (!value || !*value
        /* 0 is how a number is said not to be given. */
        || (!s->def && s->type == VIRTNET_SETTING_POW2
            && !strcmp(value, "0"))) {
        content(s->key);
        return NULL;
    }
    why = virtnet_setting_check(s, value);
    if (!why) {
        content(s->key);
        return value;
    }
    complain(s->key, "other_config:%s: \"%s\" %s; using %s%s%s", s->key,
             value, why, s->def ? "\"" : "", s->def ? s->def : "the default",
             s->def ? "\"" : "");
    free(why);
    return NULL;
}

/* Reads the file of 'settings'.  If anything is wrong with it, says so and
 * leaves '*conf' without values. */
static void
read_file(const struct virtnet_settings *settings, bool explicit,
          struct virtnet_conf *conf)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    virtnet_conf_read(conf, settings->conf_file);
    if (conf->problems.n && (!conf->missing || explicit)) {
        virtnet_conf_format(conf, settings->conf_file, &s);
        ds_chomp(&s, '\n');
    }
    if (s.length
        && (!file_problems || strcmp(file_problems, ds_cstr(&s)))) {
        char *save_ptr = NULL;
        char *copy = xstrdup(ds_cstr(&s));

        for (char *line = strtok_r(copy, "\n", &save_ptr); line;
             line = strtok_r(NULL, "\n", &save_ptr)) {
            VLOG_WARN("%s", line);
        }
        VLOG_WARN("%s: ignored", settings->conf_file);
        free(copy);
    }
    free(file_problems);
    file_problems = s.length ? ds_steal_cstr(&s) : NULL;
    if (conf->problems.n) {
        virtnet_conf_destroy(conf);
        memset(conf, 0, sizeof *conf);
    }
    free(file_name);
    file_name = xstrdup(settings->conf_file);
    if (!file_lines) {
        file_lines = xmalloc(virtnet_n_settings * sizeof *file_lines);
    }
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        file_lines[i] = conf->values ? conf->values[i].line : 0;
    }
}

/* Settles what cannot be together, whoever said it. */
static void
settle(struct virtnet_settings *settings)
{
    if (settings->is_lag && settings->single_port) {
        virtnet_settings_complain("virtnet-single-port",
                                  "excludes virtnet-is-lag; ignored");
        settings->single_port = false;
    }
    if ((settings->dpa_core_start || settings->dpa_core_end)
        && settings->dpa_core_end <= settings->dpa_core_start) {
        virtnet_settings_complain("virtnet-dpa-core-end", "must be above "
                                  "virtnet-dpa-core-start; both ignored");
        settings->dpa_core_start = settings->dpa_core_end = 0;
    }
}

void
virtnet_settings_from_smap(struct virtnet_settings *settings,
                           const struct smap *other_config, bool ports_only)
{
    struct virtnet_conf conf = { .values = NULL };

    if (!from_database) {
        from_database = xcalloc(virtnet_n_settings, sizeof *from_database);
    }
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];
        const char *value = NULL;

        if (ports_only && s->at_start) {
            continue;
        }
        if (conf.values) {
            value = conf.values[i].text;
        }
        if (value) {
            content(s->key);
            from_database[i] = false;
        } else {
            value = setting_get(s, other_config);
            from_database[i] = value != NULL;
        }
        setting_store(settings, s, value ? value : s->def);
        if (s->offset == offsetof(struct virtnet_settings, conf_file)
            && other_config) {
            /* No row before this one can be in the file. */
            read_file(settings, value != NULL, &conf);
        }
    }
    virtnet_conf_destroy(&conf);
    if (other_config) {
        check_keys(other_config);
    }
    settle(settings);

    /* Directories whose default depends on where Open vSwitch lives. */
    if (!settings->socket_dir) {
        settings->socket_dir = xasprintf("%s/virtnet", ovs_rundir());
    }
    if (!settings->recovery_dir) {
        settings->recovery_dir = xasprintf("%s/virtnet/recovery",
                                           ovs_dbdir());
    }
}

struct virtnet_parent_settings
virtnet_settings_of_parent(const struct virtnet_settings *s,
                           const char *ib_device)
{
    const struct {
        const char *ib_device;
        struct virtnet_parent_settings settings;
    } parents[] = {
        { s->ib_dev_p0, { s->bridge_p0, s->uplink_p0 } },
        { s->ib_dev_p1, { s->bridge_p1, s->uplink_p1 } },
        { s->ib_dev_lag, { s->bridge_lag, s->uplink_lag } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
        if (nullable_string_is_equal(ib_device, parents[i].ib_device)) {
            return parents[i].settings;
        }
    }
    return (struct virtnet_parent_settings) { .bridge = NULL };
}

bool
virtnet_settings_problems(struct virtnet_json *j, const char *key)
{
    const struct shash_node **nodes;

    if (!file_problems && shash_is_empty(&complaints)) {
        return false;
    } else if (!j) {
        return true;
    }
    virtnet_json_begin_array(j, key);
    if (file_problems) {
        char *copy = xstrdup(file_problems);
        char *save_ptr = NULL;

        for (char *line = strtok_r(copy, "\n", &save_ptr); line;
             line = strtok_r(NULL, "\n", &save_ptr)) {
            virtnet_json_string(j, NULL, line);
        }
        free(copy);
    }
    nodes = shash_sort(&complaints);
    for (size_t i = 0; i < shash_count(&complaints); i++) {
        virtnet_json_string(j, NULL, nodes[i]->data);
    }
    free(nodes);
    virtnet_json_end_array(j);
    return true;
}
