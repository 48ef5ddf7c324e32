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

#ifndef VIRTNET_CONF_H
#define VIRTNET_CONF_H 1

/* Settings: the table of all of them, and the file "virtnet.conf".
 *
 * A setting can be given as other_config:virtnet-* of Open_vSwitch, most of
 * them also in a JSON file that operators of the known controller have.  One
 * table, virtnet_settings_table, says for both what there is, with defaults,
 * ranges and meanings; the parser of the database's settings, that of the
 * file, "virtnet validate" and Documentation/settings.md come from it.  It is
 * in virtnet-setting-table.c, and the file's parser in virtnet-conf.c.
 *
 * The parser of the file finds all that is wrong at once, each with its line
 * and key, which is why it is not that of Open vSwitch's lib/.  It needs the C
 * library and dynamic strings alone, so that "virtnet validate" works without
 * the daemon.
 *
 * Security model: the file is the administrator's, but no content may crash
 * or stall the switch.  Its size and its depth are limited, and only a regular
 * file is read. */

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

struct ds;

enum virtnet_setting_type {
    VIRTNET_SETTING_BOOL,       /* "true", "false"; in the file 1, 0. */
    VIRTNET_SETTING_UINT,       /* Decimal number within [min, max]. */
    VIRTNET_SETTING_POW2,       /* Likewise, a power of two. */
    VIRTNET_SETTING_STRING,     /* Any nonempty text. */
    VIRTNET_SETTING_WORD,       /* Letters and digits, 'max' at most. */
    VIRTNET_SETTING_MAC,        /* Unicast MAC address of 17 characters. */
    VIRTNET_SETTING_HEX,        /* Feature bits, hexadecimal, in a text. */
    VIRTNET_SETTING_CHOICE,     /* 'choices[0]' is false, [1] is true. */
};

struct virtnet_setting {
    const char *key;            /* In other_config. */
    const char *conf;           /* In the file, e.g. "vf.mac_base", or NULL. */
    enum virtnet_setting_type type;
    size_t offset;              /* In struct virtnet_settings. */
    bool at_start;              /* Read only when the controller starts. */
    const char *def;            /* Default, as text; NULL for none or 0. */
    unsigned int min, max;      /* UINT and POW2; of WORD, characters. */
    const char *choices[2];     /* CHOICE. */
    const char *section;        /* Of the documentation; NULL: as before. */
    const char *help;
};

extern const struct virtnet_setting virtnet_settings_table[];
extern const size_t virtnet_n_settings;

/* Returns NULL if 'value', as in other_config, is good for 'setting', else
 * what it is not, e.g. "is not a number from 1 to 2", which the caller must
 * free. */
char *virtnet_setting_check(const struct virtnet_setting *setting,
                            const char *value);

/* What there is to say about a file. */
struct virtnet_conf_list {
    struct virtnet_conf_remark {
        int line;               /* 0 if it is about no line. */
        char *key;              /* NULL if it is about none. */
        char *text;
    } *remarks;
    size_t n;
};

/* What a file says, or what is wrong with it. */
struct virtnet_conf {
    struct virtnet_conf_value {
        int line;               /* 0: not given. */
        char *text;             /* As in other_config. */
    } *values;                  /* By index in virtnet_settings_table. */
    struct virtnet_conf_list problems; /* What is wrong. */
    struct virtnet_conf_list notes; /* What is good, but of no effect, or
                                     * somebody should know. */
    bool missing;               /* Is there no such file? */
};

/* Reads the file 'path'. */
void virtnet_conf_read(struct virtnet_conf *, const char *path);
void virtnet_conf_destroy(struct virtnet_conf *);

/* Notes that the setting with index 'i' in virtnet_settings_table is of no
 * effect, since 'why', if the file has it.  One that is "false" asks for
 * nothing. */
void virtnet_conf_no_effect(struct virtnet_conf *, size_t i, const char *why);

/* Returns what the file says of 'key', as in other_config, or NULL. */
const char *virtnet_conf_get(const struct virtnet_conf *, const char *key);

/* Adds to 'list', one of the file's, what shows only where what it says of
 * 'key' is used.  Does nothing if it says nothing of that. */
void virtnet_conf_remark(struct virtnet_conf *, struct virtnet_conf_list *list,
                         const char *key, const char *format, ...)
    OVS_PRINTF_FORMAT(4, 5);

/* Appends a line of verdict on the file 'path', or one for each problem. */
void virtnet_conf_format(const struct virtnet_conf *, const char *path,
                         struct ds *);

/* Appends a line for each note on the file 'path'. */
void virtnet_conf_format_notes(const struct virtnet_conf *, const char *path,
                               struct ds *);

/* Appends the tables of Documentation/settings.md. */
void virtnet_settings_document(struct ds *);

#endif /* virtnet-conf.h */
