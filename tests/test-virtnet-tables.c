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

/* Tests of the tables that the daemon and the "virtnet" program share: options
 * of commands, features, errors, settings. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "virtnet-conf.h"
#include "virtnet-error.h"
#include "virtnet-feature.h"
#include "virtnet-json.h"
#include "virtnet-modify.h"
#include "virtnet-option.h"

#define CHECK(CONDITION)                                                \
    do {                                                                \
        if (!(CONDITION)) {                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,          \
                    #CONDITION);                                        \
            exit(1);                                                    \
        }                                                               \
    } while (0)

/* Options. */

/* Parses 'words', which are separated by blanks.  Returns NULL, or the
 * complaint, which the caller must free. */
static char *
parse(const struct virtnet_command *command, const char *words,
      struct virtnet_args *args, struct virtnet_args *sub, char **copy)
{
    const struct virtnet_command *failed;
    const char *argv[32];
    char *save_ptr = NULL;
    int argc = 0;
    char *error;

    *copy = xstrdup(words);
    for (char *w = strtok_r(*copy, " ", &save_ptr); w;
         w = strtok_r(NULL, " ", &save_ptr)) {
        CHECK(argc < ARRAY_SIZE(argv));
        argv[argc++] = w;
    }
    return (virtnet_args_parse(args, sub, command, argc, argv, &failed,
                               &error) ? NULL : error);
}

/* Checks that 'words' give the line 'echo', or, if that is NULL, that they are
 * refused with 'complaint'. */
static void
check_line(const char *name, const char *words, const char *echo,
           const char *complaint)
{
    const struct virtnet_command *command = virtnet_command_lookup(name);
    struct ds s = DS_EMPTY_INITIALIZER;
    struct virtnet_args args, sub;
    char *error, *copy;

    CHECK(command);
    error = parse(command, words, &args, &sub, &copy);
    if (echo) {
        CHECK(!error);
        virtnet_args_echo(&args, &sub, &s);
        if (strcmp(ds_cstr(&s), echo)) {
            ovs_fatal(0, "%s %s: %s", name, words, ds_cstr(&s));
        }
    } else if (!error || strcmp(error, complaint)) {
        ovs_fatal(0, "%s %s: %s", name, words, error);
    }
    ds_destroy(&s);
    free(error);
    free(copy);
}

/* Checks that 'words' ask for help, whatever else is missing. */
static void
check_help(const char *name, const char *words)
{
    struct virtnet_args args, sub;
    char *error, *copy;

    error = parse(virtnet_command_lookup(name), words, &args, &sub, &copy);
    CHECK(!error && (args.help || sub.help));
    free(copy);
}

/* The lines of the command reference. */
static void
test_echo(void)
{
    check_line("unplug", "-p 0", "{'id': '0x0'}\n", NULL);
    check_line("query", "-p 0 -b",
               "{'all': '0x0', 'pf': '0x0', 'dbg_stats': '0x0', "
               "'brief': '0x1', 'latency_stats': '0x0', "
               "'stats_clear': '0x0'}\n", NULL);
    check_line("query", "-p 0 -v 0 -b",
               "{'all': '0x0', 'vf': '0x0', 'pf': '0x0', 'dbg_stats': '0x0', "
               "'brief': '0x1', 'latency_stats': '0x0', "
               "'stats_clear': '0x0'}\n", NULL);
    check_line("stats", "-p 0 -q 0", "{'pf': '0x0', 'queue_id': '0x0'}\n",
               NULL);
    check_line("modify", "-p 0 device -l 0",
               "{'pf': '0x0', 'all': '0x0', 'subcmd': '0x0', "
               "'link': '0x0'}\n", NULL);
    check_line("modify", "-p 0 device -dim enable",
               "{'pf': '0x0', 'all': '0x0', 'subcmd': '0x0', "
               "'dim_config': 'enable'}\n", NULL);
    check_line("modify", "-p 0 device -netdim enable",
               "{'pf': '0x0', 'all': '0x0', 'subcmd': '0x0', "
               "'net_dim_config': 'enable'}\n", NULL);
    check_line("modify", "-p 0 device -f 0x8900010300e7982f",
               "{'pf': '0x0', 'all': '0x0', 'subcmd': '0x0', "
               "'features': '0x8900010300e7982f'}\n", NULL);
    check_line("log", "-l info", "{'level': 'info'}\n", NULL);
    check_line("update", "-s", "{'start': '0x1'}\n", NULL);
    check_line("update", "-t", "{'status': '0x1'}\n", NULL);
    check_line("health", "-p 0 show",
               "{'pf': '0x0', 'all': '0x0', 'subcmd': '0x0'}\n", NULL);
    check_line("hotplug", "-i mlx5_0 -m x -t 1500 -qp 1 -s 1024", "", NULL);
    check_line("list", "", "", NULL);
    check_line("version", "", "", NULL);
    check_line("restart", "", "", NULL);
    check_line("validate", "-f x", "", NULL);
    check_line("modify", "-u X queue -e event -n 10 -c 30",
               "{'vuid': 'X', 'all': '0x0', 'subcmd': '0x1', "
               "'period_mode': 'event', 'period': '0xa', "
               "'max_count': '0x1e'}\n", NULL);
}

static void
test_usage(void)
{
    check_line("query", "", NULL,
               "one of the arguments --all --pf --vuid is required");
    check_line("query", "-a -p 0", NULL,
               "argument --pf: not allowed with argument --all");
    check_line("query", "-v 0 -a", NULL,
               "argument --vf: needs argument --pf");
    check_line("query", "-p", NULL, "argument --pf: expected one argument");
    check_line("query", "-p 0 -b=1", NULL,
               "argument --brief: ignored explicit argument '1'");
    check_line("query", "-p -b", NULL,
               "argument --pf: expected one argument");
    check_line("query", "-p=0 -bq1",
               "{'all': '0x0', 'pf': '0x0', 'queue_id': '0x1', "
               "'dbg_stats': '0x0', 'brief': '0x1', 'latency_stats': '0x0', "
               "'stats_clear': '0x0'}\n", NULL);
    check_line("query", "-ab",
               "{'all': '0x1', 'dbg_stats': '0x0', 'brief': '0x1', "
               "'latency_stats': '0x0', 'stats_clear': '0x0'}\n", NULL);
    check_line("query", "-abx", NULL, "unrecognized arguments: -abx");
    check_line("query", "-x", NULL, "unrecognized arguments: -x");
    check_line("query", "-a=", NULL,
               "argument --all: ignored explicit argument ''");
    check_line("query", "-p 0 --brief=1", NULL,
               "argument --brief: ignored explicit argument '1'");
    check_line("query", "-p 0 x", NULL, "unrecognized arguments: x");
    check_line("query", "-p 0 --v 1", NULL, "ambiguous option: --v");
    check_line("query", "-p0 --que=3",
               "{'all': '0x0', 'pf': '0x0', 'queue_id': '0x3', "
               "'dbg_stats': '0x0', 'brief': '0x0', 'latency_stats': '0x0', "
               "'stats_clear': '0x0'}\n", NULL);
    check_line("hotplug", "-m x -t 1500 -qp 1 -s 8", NULL,
               "the following arguments are required: --ib_device");
    check_line("hotplug", "-i x -m x -t 1500 -s 8", NULL,
               "one of the arguments --max_queues --max_queue_pairs is "
               "required");
    check_line("hotplug", "-i x -m x -t 1500 -s 8 -n 3 -qp 1", NULL,
               "argument --max_queue_pairs: not allowed with argument "
               "--max_queues");
    check_line("modify", "-p 0", NULL,
               "the following arguments are required: {device,queue}");
    check_line("modify", "-p 0 devices", NULL,
               "invalid choice: 'devices' (choose from {device,queue})");
    check_line("modify", "device -l 0", NULL,
               "one of the arguments --pf --vuid --all is required");
    check_line("modify", "", NULL,
               "the following arguments are required: {device,queue}");
    check_line("modify", "-p 0 -a device -l 0", NULL,
               "argument --all: not allowed with argument --pf");
    check_line("health", "-p 0", NULL,
               "the following arguments are required: {show}");
    check_help("modify", "device -h");
    check_help("modify", "-p 0 queue --help");
    check_help("modify", "device -l 0 -h -x");
    check_help("health", "show -h");
    check_help("query", "-p 0 -a -h");
    CHECK(!virtnet_command_lookup("nonsense"));
}

/* Each option of 'command', with good values and bad ones. */
static void
check_options(const struct virtnet_command *command)
{
    const struct virtnet_option *o;

    for (o = command->options; o->name; o++) {
        const char *good = (o->type == VIRTNET_OPT_FLAG ? ""
                            : o->type == VIRTNET_OPT_STRING
                              || o->type == VIRTNET_OPT_PATH ? "text"
                            : "0x1f");
        static const char *const bad[] = { "-1", "0xg", "1x", "enabled" };
        struct virtnet_command alone = *command;
        struct virtnet_option options[2] = { *o, { .name = NULL } };
        struct virtnet_args args, sub;
        char *words, *copy, *error;
        char *choice = NULL;

        CHECK(o - command->options < VIRTNET_MAX_OPTIONS);
        CHECK(o->help && *o->help);
        CHECK(!o->choices == (o->type != VIRTNET_OPT_CHOICE));
        for (const struct virtnet_option *p = command->options; p != o; p++) {
            CHECK(strcmp(p->name, o->name));
            CHECK(!p->brief || !o->brief || strcmp(p->brief, o->brief));
        }

        /* By itself, whatever goes with it. */
        options[0].required = options[0].group_required = false;
        options[0].group = 0;
        if (!strcmp(o->name, "vf")) {
            continue;           /* See test_usage(). */
        }
        alone.options = options;
        alone.subcommands = NULL;
        if (o->choices) {
            choice = xmemdup0(o->choices, strcspn(o->choices, ","));
            good = choice;
        }
        for (int i = 0; i < 2; i++) {
            if (!i && !o->brief) {
                continue;
            }
            words = (o->positional ? xstrdup(good)
                     : xasprintf("%s%s %s", i ? "--" : "-",
                                 i ? o->name : o->brief, good));
            error = parse(&alone, words, &args, &sub, &copy);
            CHECK(!error);
            CHECK(args.values[0].given);
            if (o->type == VIRTNET_OPT_FLAG) {
                CHECK(!args.values[0].text);
            } else {
                CHECK(!strcmp(virtnet_arg_text(&args, o->name), good));
            }
            if (o->type == VIRTNET_OPT_NUMBER || o->type == VIRTNET_OPT_HEX) {
                CHECK(virtnet_arg_number(&args, o->name) == 0x1f);
            }
            free(words);
            free(copy);
        }
        for (size_t i = 0; strcmp(good, "text") && i < ARRAY_SIZE(bad); i++) {
            words = (o->positional ? xstrdup(bad[i])
                     : xasprintf("--%s%s%s", o->name,
                                 o->type == VIRTNET_OPT_FLAG ? "=" : " ",
                                 bad[i]));
            error = parse(&alone, words, &args, &sub, &copy);
            CHECK(error);
            free(error);
            free(words);
            free(copy);
        }
        free(choice);
    }
    for (const struct virtnet_command *c = command->subcommands;
         c && c->name; c++) {
        CHECK(!strncmp(c->path, command->name, strlen(command->name)));
        check_options(c);
    }
}

static void
test_options(void)
{
    const struct virtnet_command *modify = virtnet_command_lookup("modify");

    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        CHECK(virtnet_command_lookup(virtnet_commands[i].name)
              == &virtnet_commands[i]);
        check_options(&virtnet_commands[i]);
    }
    /* What "modify" can do and what its options are is the same. */
    for (int i = 0; i < VIRTNET_N_ATTRS; i++) {
        const struct virtnet_command *c = &modify->subcommands[
            i >= VIRTNET_ATTR_PERIOD_MODE];

        CHECK(virtnet_command_has_option(c, virtnet_attr_name(i)));
    }
    for (int k = 0, n = 0; k < 2; k++) {
        for (const struct virtnet_option *o = modify->subcommands[k].options;
             o->name; o++, n++) {
            CHECK(n < VIRTNET_N_ATTRS);
        }
        CHECK(!k || n == VIRTNET_N_ATTRS);
    }
}

/* Features. */

/* Masks that the command reference shows, and what they mean. */
static void
test_features(void)
{
    static const struct {
        uint64_t mask;
        const char *bits;
    } masks[] = {
        { UINT64_C(0x230047082b), "0 1 3 5 11 16 17 18 22 32 33 37 " },
        { UINT64_C(0x8900010300e7182f),
          "0 1 2 3 5 11 12 16 17 18 21 22 23 32 33 40 56 59 63 " },
        { UINT64_C(0x8900010300e7982f),
          "0 1 2 3 5 11 12 15 16 17 18 21 22 23 32 33 40 56 59 63 " },
        { UINT64_C(0x8b00037700ef982f),
          "0 1 2 3 5 11 12 15 16 17 18 19 21 22 23 32 33 34 36 37 38 40 41 "
          "56 57 59 63 " },
        { UINT64_C(0x8930012700e7182f),
          "0 1 2 3 5 11 12 16 17 18 21 22 23 32 33 34 37 40 52 53 56 59 63 "
        },
        { UINT64_C(0x80000), "19 " },
        { 0, "" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        struct ds bits = DS_EMPTY_INITIALIZER;
        struct virtnet_json j;
        char *save_ptr = NULL;
        char *text, *head;

        virtnet_json_init(&j);
        virtnet_json_bits(&j, NULL, virtnet_feature_bits, masks[i].mask);
        text = virtnet_json_steal(&j);
        CHECK(!strstr(text, "UNKNOWN"));
        head = xasprintf("{\n  \"value\": \"0x%"PRIx64"\"", masks[i].mask);
        CHECK(!strncmp(text, head, strlen(head)));
        for (char *line = strtok_r(text, "\n", &save_ptr); line;
             line = strtok_r(NULL, "\n", &save_ptr)) {
            int bit;

            if (ovs_scan(line, "  \" %d\": \"VIRTIO_", &bit)) {
                ds_put_format(&bits, "%d ", bit);
            }
        }
        if (strcmp(ds_cstr(&bits), masks[i].bits)) {
            ovs_fatal(0, "0x%"PRIx64": %s", masks[i].mask, ds_cstr(&bits));
        }
        ds_destroy(&bits);
        free(head);
        free(text);
    }
    /* In order, and each once. */
    for (const struct virtnet_bit *b = virtnet_feature_bits + 1; b->name;
         b++) {
        CHECK(b->bit > b[-1].bit && b->bit < 64);
    }
}

/* Errors. */

static void
test_errors(void)
{
    static const struct {
        int error;
        const char *name, *text;
    } rows[] = {
        { -1000, "FEATURE_VALIDATE", "Failed to validate device feature" },
        { -1001, "DEV_NOT_FOUND", "Failed to find device" },
        { -1004, "DRIVER_LOADED",
          "Failed - Virtio driver should not be loaded" },
        { -1010, "MTU_INVALID", "Failed - MTU is invalid" },
        { -1032, "VQ_PERIOD", "Failed to update VQ period" },
        { -1042, "QUEUE_SIZE_POW2",
          "Error - Queue size must be greater than 2 and is power of 2" },
        { -1044, "SF_POOL_BUSY", "SF pool is creating, try again later" },
        { -1046, "NOT_SUPPORTED", "The option is not supported" },
        { -1050, "QUEUE_INDEX", "Queue index is invalid" },
        { -1065, "UNPLUG_NOT_READY", "Error - Device is not ready to be "
          "unplugged please check host and retry" },
        { -1073, "QUEUES_INVALID", "Failed - QUEUES is invalid" },
        { -1075, "DEBUGFS_DEL", "Failed to delete from debugfs file" },
    };

    CHECK(VIRTNET_N_ERRORS == 76);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK(!strcmp(virtnet_strerror(rows[i].error), rows[i].text));
        CHECK(!strcmp(virtnet_error_name(rows[i].error), rows[i].name));
    }
    for (int i = 0; i < VIRTNET_N_ERRORS; i++) {
        CHECK(virtnet_error_name(-VIRTNET_ERROR_BASE - i));
    }
    CHECK(!virtnet_error_name(-1076));
    CHECK(!virtnet_error_name(-999));
    CHECK(!strcmp(virtnet_strerror(0), "Success"));
    CHECK(!strcmp(virtnet_strerror(-16), "Device or resource busy"));
}

/* Settings. */

static void
test_settings(void)
{
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];
        char *why;

        CHECK(!strncmp(s->key, "virtnet-", 8) && s->help && *s->help);
        CHECK(i || s->section);
        for (size_t k = 0; k < i; k++) {
            const struct virtnet_setting *t = &virtnet_settings_table[k];

            CHECK(strcmp(t->key, s->key) && t->offset != s->offset);
            CHECK(!s->conf || !t->conf || strcmp(s->conf, t->conf));
        }
        if (s->def) {
            why = virtnet_setting_check(s, s->def);
            CHECK(!why);
        }
        if (s->type == VIRTNET_SETTING_UINT
            || s->type == VIRTNET_SETTING_POW2) {
            char *edge[4] = {
                xasprintf("%u", s->min), xasprintf("%u", s->max),
                xasprintf("%d", (int) s->min - 1),
                xasprintf("%u", s->max + 1),
            };

            CHECK(s->min < s->max);
            for (int k = 0; k < 4; k++) {
                why = virtnet_setting_check(s, edge[k]);
                CHECK(!why == (k < 2));
                free(why);
                free(edge[k]);
            }
        }
        why = virtnet_setting_check(s, "");
        CHECK(why);
        free(why);
    }
}

/* The tables, for tests/check-cases: a line each, its words separated by
 * tabs, "-" where there is nothing. */

static const char *
or_dash(const char *text)
{
    return text ? text : "-";
}

static void
print_command(const struct virtnet_command *command)
{
    static const char *const types[] = {
        [VIRTNET_OPT_FLAG] = "flag",
        [VIRTNET_OPT_NUMBER] = "number",
        [VIRTNET_OPT_HEX] = "hex",
        [VIRTNET_OPT_STRING] = "string",
        [VIRTNET_OPT_PATH] = "path",
        [VIRTNET_OPT_CHOICE] = "choice",
    };

    printf("command\t%s\t%s\n", command->path, command->help);
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
               o->positional ? "argument" : "option", command->path, o->name,
               or_dash(o->brief), types[o->type], or_dash(o->choices),
               o->help);
    }
    for (const struct virtnet_command *c = command->subcommands;
         c && c->name; c++) {
        print_command(c);
    }
}

static void
print_tables(void)
{
    static const char *const types[] = {
        [VIRTNET_SETTING_BOOL] = "bool",
        [VIRTNET_SETTING_UINT] = "uint",
        [VIRTNET_SETTING_POW2] = "pow2",
        [VIRTNET_SETTING_STRING] = "string",
        [VIRTNET_SETTING_WORD] = "word",
        [VIRTNET_SETTING_MAC] = "mac",
        [VIRTNET_SETTING_HEX] = "hex",
        [VIRTNET_SETTING_CHOICE] = "choice",
    };

    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        print_command(&virtnet_commands[i]);
    }
    for (int i = 0; i < VIRTNET_N_ERRORS; i++) {
        int error = -VIRTNET_ERROR_BASE - i;

        printf("error\t%d\t%s\t%s\n", error, virtnet_error_name(error),
               virtnet_strerror(error));
    }
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];

        printf("setting\t%s\t%s\t%s\t%s\t%u\t%u\n", s->key,
               or_dash(s->conf), types[s->type], or_dash(s->def), s->min,
               s->max);
    }
}

int
main(int argc, char *argv[])
{
    if (argc == 2 && !strcmp(argv[1], "print")) {
        print_tables();
        return 0;
    }
    test_echo();
    test_usage();
    test_options();
    test_features();
    test_errors();
    test_settings();
    return 0;
}
