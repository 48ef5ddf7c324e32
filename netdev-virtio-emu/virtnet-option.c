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

/* Parsing options and describing them.  See virtnet-option.h. */

#include <config.h>

#include "virtnet-option.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Looking up. */

const struct virtnet_command *
virtnet_command_lookup(const char *name)
{
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        if (!strcmp(virtnet_commands[i].name, name)) {
            return &virtnet_commands[i];
        }
    }
    return NULL;
}

bool
virtnet_command_has_option(const struct virtnet_command *command,
                           const char *name)
{
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (!strcmp(o->name, name)) {
            return true;
        }
    }
    return false;
}

static size_t
option_index(const struct virtnet_command *command, const char *name)
{
    for (size_t i = 0; ; i++) {
        ovs_assert(command->options[i].name);
        if (!strcmp(command->options[i].name, name)) {
            return i;
        }
    }
}

bool
virtnet_arg_given(const struct virtnet_args *args, const char *name)
{
    return args->values[option_index(args->command, name)].given;
}

const char *
virtnet_arg_text(const struct virtnet_args *args, const char *name)
{
    return args->values[option_index(args->command, name)].text;
}

uint64_t
virtnet_arg_number(const struct virtnet_args *args, const char *name)
{
    return args->values[option_index(args->command, name)].number;
}

/* Parsing. */

static bool OVS_PRINTF_FORMAT(2, 3)
bad(char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return false;
}

static bool
is_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);

    while (choices) {
        if (n && !strncmp(choices, value, n)
            && (!choices[n] || choices[n] == ',')) {
            return true;
        }
        choices = strchr(choices, ',');
        choices = choices ? choices + 1 : NULL;
    }
    return false;
}

/* Finds the option that 'name', a word without its two dashes, names; an
 * unambiguous beginning is enough.  If the word has its value with it, stores
 * that in '*value'. */
static const struct virtnet_option *
find_long(const struct virtnet_command *command, const char *name,
          const char **value, char **errp)
{
    const struct virtnet_option *found = NULL;
    size_t n = strcspn(name, "=");

    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (!o->positional && !strncmp(o->name, name, n)) {
            if (!o->name[n]) {
                found = o;
                break;
            } else if (found) {
                bad(errp, "ambiguous option: --%s", name);
                return NULL;
            }
            found = o;
        }
    }
    if (found && name[n] == '=') {
        *value = name + n + 1;
    }
    return found;
}

/* Likewise, for 'letters' behind one dash.  "-qp" is an option of its own;
 * "-p0" and "-p=0" are "-p 0"; "-ab" is "-a -b", of which '*more' is "b". */
static const struct virtnet_option *
find_brief(const struct virtnet_command *command, const char *letters,
           const char **value, const char **more)
{
    const struct virtnet_option *found = NULL;
    size_t n = strcspn(letters, "=");

    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (!o->brief) {
            continue;
        } else if (strlen(o->brief) == n && !strncmp(o->brief, letters, n)) {
            if (letters[n]) {
                *value = letters + n + 1;
            }
            return o;
        } else if (!o->brief[1] && o->brief[0] == letters[0]) {
            found = o;
        }
    }
    if (found && found->type == VIRTNET_OPT_FLAG) {
        *more = letters + 1;
    } else if (found) {
        *value = letters + 1;
    }
    return found;
}

/* What messages call 'o': "--pf", or "PF" if it is known by its place. */
static const char *
spell(const struct virtnet_option *o, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s", o->positional ? "" : "--", o->name);
    for (char *p = buf; o->positional && *p; p++) {
        *p = toupper((unsigned char) *p);
    }
    return buf;
}

static bool
parse_value(const struct virtnet_option *o, const char *text,
            uint64_t *number, char **errp)
{
    unsigned long long int x = 0;
    bool hex = !strncmp(text, "0x", 2) || !strncmp(text, "0X", 2);
    char name[32];

    switch (o->type) {
    case VIRTNET_OPT_FLAG:
    case VIRTNET_OPT_STRING:
    case VIRTNET_OPT_PATH:
        break;
    case VIRTNET_OPT_NUMBER:
        if (text[0] == '-' || !str_to_ullong(text, hex ? 16 : 10, &x)) {
            return bad(errp, "argument %s: invalid number: '%s'",
                       spell(o, name, sizeof name), text);
        }
        break;
    case VIRTNET_OPT_HEX:
        if (text[0] == '-' || !str_to_ullong(text, 16, &x)) {
            return bad(errp, "argument --%s: invalid hexadecimal number: "
                       "'%s'", o->name, text);
        }
        break;
    case VIRTNET_OPT_CHOICE:
        if (!is_choice(o->choices, text)) {
            return bad(errp, "argument --%s: invalid choice: '%s' (choose "
                       "from %s)", o->name, text, o->choices);
        }
        break;
    }
    *number = x;
    return true;
}

/* Checks what concerns the options as a whole. */
static bool
check_args(const struct virtnet_args *args, char **errp)
{
    const struct virtnet_option *options = args->command->options;

    for (size_t i = 0; options[i].name; i++) {
        const struct virtnet_option *o = &options[i];
        bool any = args->values[i].given;

        if (o->required && !any) {
            char name[32];

            return bad(errp, "the following arguments are required: %s",
                       spell(o, name, sizeof name));
        }
        if (o->group == VIRTNET_GROUP_NONE) {
            continue;
        }
        for (size_t j = 0; options[j].name; j++) {
            if (j != i && options[j].group == o->group
                && args->values[j].given) {
                if (args->values[i].given) {
                    return bad(errp, "argument --%s: not allowed with "
                               "argument --%s", options[MAX(i, j)].name,
                               options[MIN(i, j)].name);
                }
                any = true;
            }
        }
        if (o->group_required && !any) {
            struct ds s = DS_EMPTY_INITIALIZER;

            for (size_t j = i; options[j].name; j++) {
                if (options[j].group == o->group) {
                    ds_put_format(&s, "%s--%s", s.length ? " " : "",
                                  options[j].name);
                }
            }
            *errp = xasprintf("one of the arguments %s is required",
                              ds_cstr(&s));
            ds_destroy(&s);
            return false;
        }
    }
    for (size_t i = 0; options[i].name; i++) {
        if (!strcmp(options[i].name, "vf") && args->values[i].given
            && !virtnet_arg_given(args, "pf")) {
            return bad(errp, "argument --vf: needs argument --pf");
        }
    }
    return true;
}

/* Can 'word' be the value of an option?  Numbers can be negative, though none
 * of them makes sense. */
static bool
is_value(const char *word)
{
    return word[0] != '-' || !word[1] || (word[1] >= '0' && word[1] <= '9');
}

/* Returns the first argument of 'args' that is known by its place and has not
 * been given yet, or NULL. */
static const struct virtnet_option *
next_positional(const struct virtnet_args *args)
{
    for (size_t i = 0; args->command->options[i].name; i++) {
        const struct virtnet_option *o = &args->command->options[i];

        if (o->positional && !args->values[i].given) {
            return o;
        }
    }
    return NULL;
}

/* Parses options of 'command' up to the end, or to the name of a subcommand.
 * Stores the number of words that were used in '*n_used'. */
static bool
parse_options(struct virtnet_args *args,
              const struct virtnet_command *command, int argc,
              const char *const argv[], int *n_used, char **errp)
{
    const char *more = NULL;    /* Letters of this word that are left. */
    int i;

    memset(args, 0, sizeof *args);
    args->command = command;
    for (i = 0; i < argc; i += !more) {
        const struct virtnet_option *o;
        const char *word = argv[i];
        const char *letters = more ? more : word + 1;
        const char *value = NULL;
        size_t index;

        if (!more && (!strcmp(word, "-h") || !strcmp(word, "--help"))) {
            args->help = true;
            return true;
        } else if (!more && word[0] != '-') {
            if (command->subcommands) {
                break;
            }
            o = next_positional(args);
            value = word;
        } else if (!more && (!word[1] || !strcmp(word, "--"))) {
            o = NULL;
        } else if (!more && word[1] == '-') {
            o = find_long(command, word + 2, &value, errp);
        } else {
            more = NULL;
            o = find_brief(command, letters, &value, &more);
        }
        if (!o) {
            return *errp ? false
                   : bad(errp, "unrecognized arguments: %s", word);
        }
        index = o - command->options;
        ovs_assert(index < VIRTNET_MAX_OPTIONS);
        if (o->type == VIRTNET_OPT_FLAG) {
            if (value) {
                return bad(errp, "argument --%s: ignored explicit argument "
                           "'%s'", o->name, value);
            }
        } else {
            if (!value) {
                if (i + 1 >= argc || !is_value(argv[i + 1])) {
                    return bad(errp, "argument --%s: expected one argument",
                               o->name);
                }
                value = argv[++i];
            }
            if (!parse_value(o, value, &args->values[index].number, errp)) {
                return false;
            }
            args->values[index].text = value;
        }
        args->values[index].given = true;
    }
    *n_used = i;
    return true;
}

static void
put_subcommands(const struct virtnet_command *command, struct ds *s)
{
    for (const struct virtnet_command *c = command->subcommands; c->name;
         c++) {
        ds_put_format(s, "%c%s", c == command->subcommands ? '{' : ',',
                      c->name);
    }
    ds_put_char(s, '}');
}

bool
virtnet_args_parse(struct virtnet_args *args, struct virtnet_args *sub,
                   const struct virtnet_command *command,
                   int argc, const char *const argv[],
                   const struct virtnet_command **command_failed, char **errp)
{
    const struct virtnet_command *c;
    struct ds s = DS_EMPTY_INITIALIZER;
    int n = 0;

    *errp = NULL;
    *command_failed = command;
    memset(sub, 0, sizeof *sub);
    if (!parse_options(args, command, argc, argv, &n, errp)) {
        return false;
    } else if (args->help) {
        return true;
    } else if (!command->subcommands) {
        return check_args(args, errp);
    }

    for (c = command->subcommands; n < argc && c->name; c++) {
        if (!strcmp(c->name, argv[n])) {
            *command_failed = c;
            if (!parse_options(sub, c, argc - n - 1, argv + n + 1, &n,
                               errp)) {
                return false;
            } else if (sub->help) {
                return true;    /* Whatever the command itself lacks. */
            } else if (!check_args(sub, errp)) {
                return false;
            }
            *command_failed = command;
            return check_args(args, errp);
        }
    }
    put_subcommands(command, &s);
    if (n < argc) {
        bad(errp, "invalid choice: '%s' (choose from %s)", argv[n],
            ds_cstr(&s));
    } else {
        bad(errp, "the following arguments are required: %s", ds_cstr(&s));
    }
    ds_destroy(&s);
    return false;
}

/* Help. */

void
virtnet_option_metavar(const struct virtnet_option *o, struct ds *s)
{
    if (o->type == VIRTNET_OPT_CHOICE) {
        ds_put_format(s, " {%s}", o->choices);
    } else if (o->type != VIRTNET_OPT_FLAG) {
        ds_put_char(s, ' ');
        for (const char *p = o->name; *p; p++) {
            ds_put_char(s, *p == '-' ? '_' : *p >= 'a' && *p <= 'z'
                        ? *p - 'a' + 'A' : *p);
        }
    }
}

void
virtnet_command_usage(const struct virtnet_command *command, struct ds *s)
{
    ds_put_format(s, "usage: virtnet %s [-h]", command->path);
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (o->positional) {
            virtnet_option_metavar(o, s);
            continue;
        }
        ds_put_cstr(s, o->required ? " " : " [");
        ds_put_format(s, "%s%s", o->brief ? "-" : "--",
                      o->brief ? o->brief : o->name);
        virtnet_option_metavar(o, s);
        ds_put_cstr(s, o->required ? "" : "]");
    }
    if (command->subcommands) {
        ds_put_char(s, ' ');
        put_subcommands(command, s);
        ds_put_cstr(s, " ...");
    }
    ds_put_char(s, '\n');
}

/* Has 'command' arguments that are known by their places? */
static bool
is_positional(const struct virtnet_command *command)
{
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (o->positional) {
            return true;
        }
    }
    return false;
}

void
virtnet_command_help(const struct virtnet_command *command, struct ds *s)
{
    virtnet_command_usage(command, s);
    ds_put_format(s, "\n%s\n", command->help);
    if (command->subcommands) {
        ds_put_cstr(s, "\npositional arguments:\n");
        for (const struct virtnet_command *c = command->subcommands; c->name;
             c++) {
            ds_put_format(s, "  %s\n        %s\n", c->name, c->help);
        }
    }
    if (is_positional(command)) {
        ds_put_cstr(s, "\npositional arguments:\n");
    }
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (o->positional) {
            ds_put_char(s, ' ');
            virtnet_option_metavar(o, s);
            ds_put_format(s, "\n        %s\n", o->help);
        }
    }
    ds_put_cstr(s, "\noptions:\n"
                "  -h, --help\n        show this help message and exit\n");
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (o->positional) {
            continue;
        }
        ds_put_cstr(s, "  ");
        if (o->brief) {
            ds_put_format(s, "-%s", o->brief);
            virtnet_option_metavar(o, s);
            ds_put_cstr(s, ", ");
        }
        ds_put_format(s, "--%s", o->name);
        virtnet_option_metavar(o, s);
        ds_put_format(s, "\n        %s\n", o->help);
    }
}

/* Appends a member of the echo line.  '*first' tells whether it is the first
 * one. */
static void
put_echo(struct ds *s, bool *first, const char *key, const char *value)
{
    ds_put_format(s, "%s'%s': '%s'", *first ? "{" : ", ", key, value);
    *first = false;
}

static void
echo_options(const struct virtnet_args *args, struct ds *s, bool *first)
{
    for (size_t i = 0; args->command->options[i].name; i++) {
        const struct virtnet_option *o = &args->command->options[i];
        char number[32];

        if (!o->echo || (!o->echo_always && !args->values[i].given)) {
            continue;
        }
        snprintf(number, sizeof number, "0x%"PRIx64,
                 o->type == VIRTNET_OPT_FLAG ? args->values[i].given
                 : args->values[i].number);
        put_echo(s, first, o->echo,
                 o->type == VIRTNET_OPT_FLAG || o->type == VIRTNET_OPT_NUMBER
                 ? number : args->values[i].text);
    }
}

void
virtnet_args_echo(const struct virtnet_args *args,
                  const struct virtnet_args *sub, struct ds *s)
{
    bool first = true;

    echo_options(args, s, &first);
    if (sub->command && !first) {
        char number[32];

        snprintf(number, sizeof number, "0x%x",
                 (unsigned int) (sub->command - args->command->subcommands));
        put_echo(s, &first, "subcmd", number);
        echo_options(sub, s, &first);
    }
    if (!first) {
        ds_put_cstr(s, "}\n");
    }
}
