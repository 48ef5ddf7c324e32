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

/* Commands and their options: one table (virtnet-command-table.c), that the
 * daemon's parser, the "virtnet" program, its help, its completion and its
 * manual page share. */

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

    /* Not of the known program. */
    VIRTNET_CMD_WAIT,
    VIRTNET_CMD_EVENTS,
    VIRTNET_CMD_SRIOV,
    VIRTNET_CMD_FLR,
    VIRTNET_CMD_HOST,
    VIRTNET_N_COMMANDS
};

enum virtnet_option_type {
    VIRTNET_OPT_FLAG,           /* No argument. */
    VIRTNET_OPT_NUMBER,         /* Decimal, or hexadecimal with "0x". */
    VIRTNET_OPT_HEX,            /* Hexadecimal, with or without "0x". */
    VIRTNET_OPT_STRING,
    VIRTNET_OPT_PATH,           /* String that names a file. */
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
    bool positional;            /* Known by its place, not by a name? */
    const char *help;
};

struct virtnet_command {
    const char *name;           /* As it is typed. */
    const char *path;           /* With the command that it belongs to. */
    const struct virtnet_option *options; /* Ends with a null 'name'. */
    const struct virtnet_command *subcommands; /* Likewise; or NULL. */
    const char *help;
};

/* By virtnet_command_id. */
extern const struct virtnet_command virtnet_commands[VIRTNET_N_COMMANDS];

#define VIRTNET_MAX_OPTIONS 24

/* Parsed options of a command, or of a subcommand.  Texts are borrowed from
 * argv. */
struct virtnet_args {
    const struct virtnet_command *command; /* NULL: there is none. */
    struct {
        bool given;
        const char *text;       /* NULL for a flag. */
        uint64_t number;        /* NUMBER and HEX. */
    } values[VIRTNET_MAX_OPTIONS]; /* By index in command->options. */
    bool help;                  /* "-h" was given; nothing else counts. */
};

const struct virtnet_command *virtnet_command_lookup(const char *name);

/* Parses the 'argc' words of 'argv', without the name of the command, into
 * '*args' and, behind the name of a subcommand, '*sub'.  Returns true if they
 * are good; else stores one line in '*errp', which the caller must free.
 * '*command_failed' is the command or subcommand that it is about.
 * Thread-safe. */
bool virtnet_args_parse(struct virtnet_args *args, struct virtnet_args *sub,
                        const struct virtnet_command *,
                        int argc, const char *const argv[],
                        const struct virtnet_command **command_failed,
                        char **errp);

bool virtnet_command_has_option(const struct virtnet_command *,
                                const char *name);

/* Value of the option 'name', which the command must have. */
bool virtnet_arg_given(const struct virtnet_args *, const char *name);
const char *virtnet_arg_text(const struct virtnet_args *, const char *name);
uint64_t virtnet_arg_number(const struct virtnet_args *, const char *name);

/* Appends usage and help of 'command' to '*s'. */
void virtnet_command_usage(const struct virtnet_command *, struct ds *s);
void virtnet_command_help(const struct virtnet_command *, struct ds *s);

/* Appends the line that the program prints before the answer: the arguments,
 * in the notation of a Python dictionary.  Nothing if there is none. */
void virtnet_args_echo(const struct virtnet_args *args,
                       const struct virtnet_args *sub, struct ds *s);

/* Appends what an option's value is called in usage and help: " {a,b}",
 * " MTU", or nothing. */
void virtnet_option_metavar(const struct virtnet_option *, struct ds *s);

#endif /* virtnet-option.h */
