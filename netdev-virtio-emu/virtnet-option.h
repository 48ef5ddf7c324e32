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

#ifndef VIRTNET_OPTION_H
#define VIRTNET_OPTION_H 1

/* Commands and their options: one table, that the daemon's parser, the
 * "virtnet" program, its help, its completion and its manual page share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ds;

enum virtnet_command_id {
    VIRTNET_CMD_HOTPLUG,
    VIRTNET_CMD_UNPLUG,
    VIRTNET_CMD_LIST,
    VIRTNET_CMD_QUERY,
    VIRTNET_CMD_MODIFY,
    VIRTNET_CMD_LOG,
    VIRTNET_CMD_VERSION,
    VIRTNET_CMD_RESTART,
    VIRTNET_CMD_VALIDATE,
    VIRTNET_CMD_UPDATE,
    VIRTNET_CMD_HEALTH,
    VIRTNET_CMD_DEBUG,
    VIRTNET_CMD_STATS,
    VIRTNET_N_COMMANDS
};

enum virtnet_option_type {
    VIRTNET_OPT_FLAG,           /* No argument. */
    VIRTNET_OPT_NUMBER,         /* Decimal, or hexadecimal with "0x". */
    VIRTNET_OPT_HEX,            /* Hexadecimal, with or without "0x". */
    VIRTNET_OPT_STRING,
    VIRTNET_OPT_CHOICE,         /* One of 'choices'. */
};

/* Options in the same group exclude each other. */
#define VIRTNET_GROUP_NONE 0

struct virtnet_option {
    const char *name;           /* Long, without dashes; names the value. */
    const char *brief;          /* Short, without dash, or NULL. */
    enum virtnet_option_type type;
    bool required;              /* By the command; see also 'group'. */
    int group;                  /* Of exclusive options, or 0. */
    bool group_required;        /* Must one of the group be given? */
    const char *choices;        /* VIRTNET_OPT_CHOICE: "a,b". */
    const char *echo;           /* Name in the echo line, or NULL. */
    bool echo_always;           /* Echo it as 0 when it is not given? */
    const char *help;
};

struct virtnet_command {
    const char *name;
    bool available;             /* In this release? */
    const struct virtnet_option *options; /* Ends with a null 'name'. */
    const struct virtnet_command *subcommands; /* Likewise; or NULL. */
    const char *help;
};

/* By virtnet_command_id. */
extern const struct virtnet_command virtnet_commands[VIRTNET_N_COMMANDS];

#define VIRTNET_MAX_OPTIONS 24

/* Parsed options.  Texts are borrowed from argv. */
struct virtnet_args {
    const struct virtnet_command *command;
    struct {
        bool given;
        const char *text;       /* NULL for a flag. */
        uint64_t number;        /* NUMBER and HEX. */
    } values[VIRTNET_MAX_OPTIONS]; /* By index in command->options. */
    bool help;                  /* "-h" was given; nothing else counts. */
};

const struct virtnet_command *virtnet_command_lookup(const char *name);

/* Parses the 'argc' words of 'argv', without the name of the command.  Returns
 * true if they are good; else stores one line in '*errp', which the caller
 * must free.  Thread-safe. */
bool virtnet_args_parse(struct virtnet_args *, const struct virtnet_command *,
                        int argc, const char *const argv[], char **errp);

/* Value of the option 'name', which the command must have. */
bool virtnet_arg_given(const struct virtnet_args *, const char *name);
const char *virtnet_arg_text(const struct virtnet_args *, const char *name);
uint64_t virtnet_arg_number(const struct virtnet_args *, const char *name);

/* Appends usage and help of 'command' to '*s'. */
void virtnet_command_usage(const struct virtnet_command *, struct ds *s);
void virtnet_command_help(const struct virtnet_command *, struct ds *s);

/* Appends the line that the program prints before the answer: the arguments,
 * in the notation of a Python dictionary.  Nothing if there is none. */
void virtnet_args_echo(const struct virtnet_args *, struct ds *s);

#endif /* virtnet-option.h */
