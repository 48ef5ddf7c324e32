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

/* The "virtnet" command: what operators of virtio-net controllers know, as a
 * client of the controller inside ovs-vswitchd.
 *
 * Parses its options with the daemon's own tables, sends them as
 * "virtnet/COMMAND", and prints the arguments and the answer as scripts expect
 * them.  Exit status: 0 if the answer says so, 1 if it does not or if there is
 * no daemon, 2 if the options make no sense. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "dirs.h"
#include "fatal-signal.h"
#include "jsonrpc.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-option.h"

#define EXIT_USAGE 2

static void
put_commands(struct ds *s)
{
    ds_put_char(s, '{');
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        ds_put_format(s, "%s%s", i ? "," : "", virtnet_commands[i].name);
    }
    ds_put_char(s, '}');
}

static void
put_usage(struct ds *s)
{
    ds_put_cstr(s, "usage: virtnet [-h] [-v] [--target TARGET] ");
    put_commands(s);
    ds_put_cstr(s, " ...\n");
}

static void
print_help(void)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    put_usage(&s);
    ds_put_format(&s, "\nvirtio-net-controller command line interface v%s\n"
                  "\npositional arguments:\n"
                  "                        ** Use -h for sub-command usage\n",
                  VIRTNET_VERSION);
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        ds_put_format(&s, "    %-20s%s%s\n", virtnet_commands[i].name,
                      virtnet_commands[i].help,
                      virtnet_commands[i].available
                      ? "" : " (not available in this version)");
    }
    ds_put_cstr(&s, "\noptions:\n"
                "  -h, --help            show this help message and exit\n"
                "  -v, --version         show version and exit\n"
                "  --target TARGET       name of the daemon (ovs-vswitchd), "
                "or path of its\n"
                "                        control socket\n");
    fputs(ds_cstr(&s), stdout);
    ds_destroy(&s);
}

/* Prints a script for bash-completion, made from the tables. */
static void
print_completion(void)
{
    puts("# bash completion for virtnet\n"
         "_virtnet() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
         "    case ${COMP_WORDS[1]} in");
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        printf("    %s) words='-h --help", virtnet_commands[i].name);
        for (const struct virtnet_option *o = virtnet_commands[i].options;
             o->name; o++) {
            if (o->brief) {
                printf(" -%s", o->brief);
            }
            printf(" --%s", o->name);
        }
        puts("' ;;");
    }
    puts("    esac");
    fputs("    if test $COMP_CWORD = 1; then words='-h -v", stdout);
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        printf(" %s", virtnet_commands[i].name);
    }
    puts("'; fi\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -F _virtnet virtnet");
}

OVS_NO_RETURN static void
usage_error(const struct virtnet_command *command, const char *error)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (command) {
        virtnet_command_usage(command, &s);
    } else {
        put_usage(&s);
    }
    ds_put_format(&s, "virtnet%s%s: error: %s\n", command ? " " : "",
                  command ? command->name : "", error);
    fputs(ds_cstr(&s), stderr);
    ds_destroy(&s);
    exit(EXIT_USAGE);
}

OVS_NO_RETURN static void
no_daemon(const char *what, int error)
{
    fprintf(stderr, "virtnet: %s: %s\n", what, ovs_strerror(error));
    exit(EXIT_FAILURE);
}

static struct jsonrpc *
connect_to_target(const char *target)
{
    struct jsonrpc *client;
    char *path;
    int error;

    if (target[0] == '/') {
        path = xstrdup(target);
    } else {
        char *pidfile = xasprintf("%s/%s.pid", ovs_rundir(), target);
        pid_t pid = read_pidfile(pidfile);

        if (pid < 0) {
            no_daemon(pidfile, -pid);
        }
        free(pidfile);
        path = xasprintf("%s/%s.%ld.ctl", ovs_rundir(), target,
                         (long int) pid);
    }
    error = unixctl_client_create(path, &client);
    if (error) {
        no_daemon(path, error);
    }
    free(path);
    return client;
}

#if VIRTNET_OVS_VERSION >= 30500
/* Answers are JSON since 3.5: a string, for text. */
typedef struct json *answer;

static char *
answer_to_string(answer a)
{
    return (a->type == JSON_STRING ? xstrdup(json_string(a))
            : json_to_string(a, JSSF_SORT | JSSF_PRETTY));
}

#define answer_destroy json_destroy
#else
typedef char *answer;
#define answer_to_string xstrdup
#define answer_destroy free
#endif

/* Does 'text', an answer, say that all is well? */
static bool
is_success(const char *text)
{
    struct json *json = json_from_string(text);
    bool ok = true;

    if (json->type == JSON_OBJECT) {
        const struct json *errno_ = shash_find_data(json_object(json),
                                                    "errno");

        if (errno_) {
            ok = errno_->type == JSON_INTEGER && !errno_->integer;
        } else {
            ok = !shash_find(json_object(json), "Error");
        }
    }
    json_destroy(json);
    return ok;
}

static int
run(const char *target, const struct virtnet_command *command, int argc,
    char *argv[])
{
    struct jsonrpc *client = connect_to_target(target);
    char *method = xasprintf("virtnet/%s", command->name);
    answer result, error;
    int status = EXIT_SUCCESS;
    int retval;

    retval = unixctl_client_transact(client, method, argc, argv, &result,
                                     &error);
    if (retval) {
        no_daemon("no answer", retval < 0 ? EPIPE : retval);
    }
    if (error) {
        char *text = answer_to_string(error);

        fprintf(stderr, "virtnet: %s%s", text,
                *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
        free(text);
        status = EXIT_FAILURE;
    } else {
        char *text = answer_to_string(result);

        printf("%s%s", text,
               *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
        status = is_success(text) ? EXIT_SUCCESS : EXIT_FAILURE;
        free(text);
    }
    answer_destroy(result);
    answer_destroy(error);
    free(method);
    jsonrpc_close(client);
    return status;
}

int
main(int argc, char *argv[])
{
    const struct virtnet_command *command;
    const char *target = "ovs-vswitchd";
    struct ds s = DS_EMPTY_INITIALIZER;
    struct virtnet_args args;
    char *error;
    int status;
    int i;

    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);

    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
            print_help();
            return EXIT_SUCCESS;
        } else if (!strcmp(argv[i], "-v") || !strcmp(argv[i], "--version")) {
            puts("v" VIRTNET_VERSION);
            return EXIT_SUCCESS;
        } else if (!strcmp(argv[i], "--print-completion")) {
            print_completion();
            return EXIT_SUCCESS;
        } else if (!strcmp(argv[i], "--target") && i + 1 < argc) {
            target = argv[++i];
        } else if (!strncmp(argv[i], "--target=", 9)) {
            target = argv[i] + 9;
        } else {
            usage_error(NULL, xasprintf("unrecognized arguments: %s",
                                        argv[i]));
        }
    }
    if (i >= argc) {
        print_help();
        return EXIT_USAGE;
    }
    command = virtnet_command_lookup(argv[i]);
    if (!command) {
        put_commands(&s);
        usage_error(NULL, xasprintf("invalid choice: '%s' (choose from %s)",
                                    argv[i], ds_cstr(&s)));
    }
    i++;

    if (command->available || (i < argc && (!strcmp(argv[i], "-h")
                                            || !strcmp(argv[i], "--help")))) {
        if (!virtnet_args_parse(&args, command, argc - i,
                                (const char *const *) argv + i, &error)) {
            usage_error(command, error);
        }
        if (args.help) {
            virtnet_command_help(command, &s);
            fputs(ds_cstr(&s), stdout);
            ds_destroy(&s);
            return EXIT_SUCCESS;
        }
        virtnet_args_echo(&args, &s);
        fputs(ds_cstr(&s), stdout);
        fflush(stdout);
    }
    ds_destroy(&s);
    status = run(target, command, argc - i, argv + i);
    if (fflush(stdout)) {
        return EXIT_FAILURE;
    }
    return status;
}
