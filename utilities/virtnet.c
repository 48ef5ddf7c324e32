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
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "virtnet-host-command.h"
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
        ds_put_format(&s, "    %-20s%s\n", virtnet_commands[i].name,
                      virtnet_commands[i].help);
    }
    for (const struct virtnet_host_command *c = virtnet_host_commands;
         c->name; c++) {
        ds_put_format(&s, "    %-20s%s\n", c->name, c->help);
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
    for (int i = 0; i < VIRTNET_N_HOST_COMMANDS; i++) {
        printf(" %s", virtnet_host_commands[i].name);
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
                  command ? command->path : "", error);
    fputs(ds_cstr(&s), stderr);
    ds_destroy(&s);
    exit(EXIT_USAGE);
}

OVS_NO_RETURN static void
no_daemon(const char *what, int error)
{
    fprintf(stderr, "virtnet: %s: %s\n", what, strerror(error));
    exit(EXIT_FAILURE);
}

/* The daemon's control socket speaks JSON-RPC 1.0, RFC 7047, section 4.1, one
 * request and one reply at a time. */

static int
connect_to(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof un.sun_path) {
        no_daemon(path, ENAMETOOLONG);
    }
    strcpy(un.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &un, sizeof un)) {
        no_daemon(path, errno);
    }
    return fd;
}

static int
connect_to_target(const char *target)
{
    const char *rundir = getenv("OVS_RUNDIR");
    char *path, *pidfile;
    int pid, fd;
    FILE *stream;

    if (target[0] == '/') {
        return connect_to(target);
    }
    if (!rundir) {
        rundir = OVS_RUNDIR;
    }
    pidfile = xasprintf("%s/%s.pid", rundir, target);
    stream = fopen(pidfile, "r");
    if (!stream) {
        no_daemon(pidfile, errno);
    }
    if (fscanf(stream, "%d", &pid) != 1) {
        no_daemon(pidfile, ESRCH);
    }
    fclose(stream);
    free(pidfile);
    path = xasprintf("%s/%s.%d.ctl", rundir, target, pid);
    fd = connect_to(path);
    free(path);
    return fd;
}

static void
put_json_string(struct ds *s, const char *text)
{
    ds_put_char(s, '"');
    for (; *text; text++) {
        unsigned char c = *text;

        if (c == '"' || c == '\\') {
            ds_put_char(s, '\\');
            ds_put_char(s, c);
        } else if (c < ' ') {
            ds_put_format(s, "\\u%04x", c);
        } else {
            ds_put_char(s, c);
        }
    }
    ds_put_char(s, '"');
}

static void
put_utf8(struct ds *s, unsigned int c)
{
    if (c < 0x80) {
        ds_put_char(s, c);
    } else if (c < 0x800) {
        ds_put_char(s, 0xc0 | c >> 6);
        ds_put_char(s, 0x80 | (c & 0x3f));
    } else {
        ds_put_char(s, 0xe0 | c >> 12);
        ds_put_char(s, 0x80 | (c >> 6 & 0x3f));
        ds_put_char(s, 0x80 | (c & 0x3f));
    }
}

/* Appends to '*out' what the JSON string at 'p', behind its quotation mark,
 * says.  Returns what follows it, or NULL if it does not end. */
static const char *
get_json_string(const char *p, struct ds *out)
{
    for (; *p != '"'; p++) {
        if (!*p) {
            return NULL;
        } else if (*p != '\\') {
            ds_put_char(out, *p);
            continue;
        }
        p++;
        if (*p == 'u') {
            char hex[5] = "";

            for (int i = 0; i < 4 && p[1]; i++) {
                hex[i] = *++p;
            }
            put_utf8(out, strtoul(hex, NULL, 16));
        } else if (!*p) {
            return NULL;
        } else {
            static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
            const char *x = strchr(from, *p);

            ds_put_char(out, x ? to[x - from] : *p);
        }
    }
    return p + 1;
}

/* Looks for member 'key', a string or null, of the object in 'text', a whole
 * reply.  Appends its value to '*out'; returns false if it is null.  Strings
 * are skipped as such, so nothing in one can be taken for a key. */
static bool
get_reply_member(const char *text, const char *key, struct ds *out)
{
    int depth = 0;

    for (const char *p = text; p && *p; ) {
        if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else if (*p == '"') {
            struct ds s = DS_EMPTY_INITIALIZER;
            bool match;

            p = get_json_string(p + 1, &s);
            match = depth == 1 && p && *p == ':' && !strcmp(ds_cstr(&s), key);
            ds_destroy(&s);
            if (match) {
                p += 1 + strspn(p + 1, " ");
                return *p == '"' && get_json_string(p + 1, out);
            }
        } else {
            p++;
        }
    }
    return false;
}

/* Is 'text' a whole JSON object? */
static bool
is_whole(const char *text)
{
    int depth = 0;
    bool in_string = false;

    for (const char *p = text; *p; p++) {
        if (in_string) {
            if (*p == '\\') {
                if (!*++p) {
                    return false;
                }
            } else if (*p == '"') {
                in_string = false;
            }
        } else if (*p == '"') {
            in_string = true;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if ((*p == '}' || *p == ']') && !--depth) {
            return true;
        }
    }
    return false;
}

static void
transact(int fd, const char *method, int argc, char *argv[], struct ds *reply)
{
    struct ds request = DS_EMPTY_INITIALIZER;
    const char *p;
    size_t left;

    ds_put_cstr(&request, "{\"id\":0,\"method\":");
    put_json_string(&request, method);
    ds_put_cstr(&request, ",\"params\":[");
    for (int i = 0; i < argc; i++) {
        if (i) {
            ds_put_char(&request, ',');
        }
        put_json_string(&request, argv[i]);
    }
    ds_put_cstr(&request, "]}");
    for (p = ds_cstr(&request), left = request.length; left > 0; ) {
        ssize_t n = send(fd, p, left, MSG_NOSIGNAL);

        if (n < 0) {
            no_daemon("no answer", errno);
        }
        p += n;
        left -= n;
    }
    ds_destroy(&request);

    for (;;) {
        char buf[65536];
        ssize_t n = recv(fd, buf, sizeof buf - 1, 0);

        if (n <= 0) {
            no_daemon("no answer", n ? errno : EPIPE);
        }
        buf[n] = '\0';
        ds_put_cstr(reply, buf);
        /* A whole reply ends with the brace; look no more often than that. */
        if (buf[n - 1] == '}' || buf[n - 1] == '\n') {
            if (is_whole(ds_cstr(reply))) {
                return;
            }
        }
    }
}

static int
run(const char *target, const char *command, int argc, char *argv[])
{
    int fd = connect_to_target(target);
    char *method = xasprintf("virtnet/%s", command);
    struct ds reply = DS_EMPTY_INITIALIZER;
    struct ds text = DS_EMPTY_INITIALIZER;
    int status = EXIT_FAILURE;
    FILE *out = stdout;
    const char *s;

    transact(fd, method, argc, argv, &reply);
    if (get_reply_member(ds_cstr(&reply), "error", &text)) {
        out = stderr;
        fputs("virtnet: ", out);
    } else if (get_reply_member(ds_cstr(&reply), "result", &text)) {
        const char *number = strstr(ds_cstr(&text), "\n  \"errno\": ");

        /* Answers to actions say so themselves; of the others, only one that
         * there is no device is a failure. */
        if (number ? !strncmp(number + 12, "0,", 2)
            : !strstr(ds_cstr(&text), "\n  \"Error\": ")) {
            status = EXIT_SUCCESS;
        }
    }
    s = ds_cstr(&text);
    fprintf(out, "%s%s", s, *s && s[strlen(s) - 1] == '\n' ? "" : "\n");
    ds_destroy(&reply);
    ds_destroy(&text);
    free(method);
    close(fd);
    return status;
}

/* Commands that have words instead of options, and no echo line. */
static int
run_host_command(const char *target, const struct virtnet_host_command *c,
                 int argc, char *argv[])
{
    bool help = argc && (!strcmp(argv[0], "-h") || !strcmp(argv[0], "--help"));

    if (help || argc < c->min_args || argc > c->max_args) {
        fprintf(help ? stdout : stderr, "usage: virtnet %s %s\n\n%s\n",
                c->name, c->args, c->help);
        return help ? EXIT_SUCCESS : EXIT_USAGE;
    }
    return run(target, c->name, argc, argv);
}

int
main(int argc, char *argv[])
{
    const struct virtnet_host_command *host_command;
    const struct virtnet_command *command, *failed;
    const char *target = "ovs-vswitchd";
    struct ds s = DS_EMPTY_INITIALIZER;
    struct virtnet_args args, sub;
    char *error;
    int status;
    int i;

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
    host_command = virtnet_host_command_lookup(argv[i]);
    if (host_command) {
        return run_host_command(target, host_command, argc - i - 1,
                                argv + i + 1);
    }
    command = virtnet_command_lookup(argv[i]);
    if (!command) {
        put_commands(&s);
        usage_error(NULL, xasprintf("invalid choice: '%s' (choose from %s)",
                                    argv[i], ds_cstr(&s)));
    }
    i++;

    if (!virtnet_args_parse(&args, &sub, command, argc - i,
                            (const char *const *) argv + i, &failed,
                            &error)) {
        usage_error(failed, error);
    }
    if (args.help || sub.help) {
        virtnet_command_help(args.help ? command : sub.command, &s);
        fputs(ds_cstr(&s), stdout);
        ds_destroy(&s);
        return EXIT_SUCCESS;
    }
    virtnet_args_echo(&args, &sub, &s);
    fputs(ds_cstr(&s), stdout);
    fflush(stdout);
    ds_destroy(&s);
    status = run(target, command->name, argc - i, argv + i);
    if (fflush(stdout)) {
        return EXIT_FAILURE;
    }
    return status;
}
