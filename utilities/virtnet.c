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
 * no daemon, 2 if the options make no sense, 3 if the time to wait ran out. */

#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "virtnet-conf.h"
#include "virtnet-option.h"

#define EXIT_USAGE 2
#define EXIT_TIMEOUT 3

/* How long (s) a request for events waits for one. */
#define EVENTS_POLL_S 30

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
    ds_put_cstr(&s, "\noptions:\n"
                "  -h, --help            show this help message and exit\n"
                "  -v, --version         show version and exit\n"
                "  --target TARGET       name of the daemon (ovs-vswitchd), "
                "or path of its\n"
                "                        control socket\n");
    fputs(ds_cstr(&s), stdout);
    ds_destroy(&s);
}

/* Prints the words that may follow 'command'. */
static void
print_words(const struct virtnet_command *command)
{
    fputs("-h --help", stdout);
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (o->brief) {
            printf(" -%s", o->brief);
        }
        if (!o->positional) {
            printf(" --%s", o->name);
        }
    }
    for (const struct virtnet_command *c = command->subcommands;
         c && c->name; c++) {
        printf(" %s", c->name);
    }
}

/* Prints what is proposed as the value of each option of 'command', if it has
 * one: what there is to choose from, names of files, or nothing. */
static void
print_values(const struct virtnet_command *command, const char *path)
{
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        if (o->type == VIRTNET_OPT_FLAG || o->positional) {
            continue;
        }
        printf("    %s:--%s", path, o->name);
        if (o->brief) {
            printf("|%s:-%s", path, o->brief);
        }
        if (o->type == VIRTNET_OPT_CHOICE) {
            printf(") words='%s'; words=${words//,/ } ;;\n", o->choices);
        } else {
            puts(o->type == VIRTNET_OPT_PATH ? ") words= files=yes ;;"
                 : ") words= ;;");
        }
    }
}

/* Prints a script for bash-completion, made from the tables.  A "=" between an
 * option and its value is a word of its own. */
static void
print_completion(void)
{
    puts("# bash completion for virtnet\n"
         "_virtnet() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} words= path= files= w\n"
         "    local prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    if test \"$cur\" = =; then\n"
         "        cur=\n"
         "    elif test \"$prev\" = =; then\n"
         "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
         "    fi\n"
         "    for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "        case $path/$w in");
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        const struct virtnet_command *command = &virtnet_commands[i];

        printf("        /%s) path=%s ;;\n", command->name, command->name);
        for (const struct virtnet_command *c = command->subcommands;
             c && c->name; c++) {
            printf("        %s/%s) path=%s/%s ;;\n", command->name, c->name,
                   command->name, c->name);
        }
    }
    puts("        esac\n"
         "    done\n"
         "    case $path in");
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        const struct virtnet_command *command = &virtnet_commands[i];

        printf("    %s) words='", command->name);
        print_words(command);
        puts("' ;;");
        for (const struct virtnet_command *c = command->subcommands;
             c && c->name; c++) {
            printf("    %s/%s) words='", command->name, c->name);
            print_words(c);
            puts("' ;;");
        }
    }
    fputs("    '') words='-h -v --target", stdout);
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        printf(" %s", virtnet_commands[i].name);
    }
    puts("' ;;\n"
         "    esac\n"
         "    case $path:$prev in\n"
         "    :--target) words= files=yes ;;");
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        const struct virtnet_command *command = &virtnet_commands[i];

        print_values(command, command->name);
        for (const struct virtnet_command *c = command->subcommands;
             c && c->name; c++) {
            char *path = xasprintf("%s/%s", command->name, c->name);

            print_values(c, path);
            free(path);
        }
    }
    puts("    esac\n"
         "    if test -n \"$files\"; then\n"
         "        compopt -o filenames 2>/dev/null\n"
         "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "    else\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "    fi\n"
         "}\n"
         "complete -F _virtnet virtnet");
}

/* Prints 'text' for a manual page. */
static void
print_roff(const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
}

static void
print_man_command(const struct virtnet_command *command)
{
    fputs(".SS \"", stdout);
    print_roff(command->path);
    puts("\"");
    print_roff(command->help);
    puts(".");
    for (const struct virtnet_option *o = command->options; o->name; o++) {
        struct ds value = DS_EMPTY_INITIALIZER;

        virtnet_option_metavar(o, &value);
        fputs(".TP\n\\fB", stdout);
        if (o->brief) {
            printf("\\-%s\\fR", o->brief);
            print_roff(ds_cstr(&value));
            fputs(", \\fB", stdout);
        }
        if (o->positional) {
            print_roff(ds_cstr(&value) + 1);
            fputs("\\fR", stdout);
        } else {
            fputs("\\-\\-", stdout);
            print_roff(o->name);
            fputs("\\fR", stdout);
            print_roff(ds_cstr(&value));
        }
        puts(o->required ? " (required)" : "");
        print_roff(o->help);
        putchar('\n');
        ds_destroy(&value);
    }
    for (const struct virtnet_command *c = command->subcommands;
         c && c->name; c++) {
        print_man_command(c);
    }
}

/* Prints the manual page, made from the tables. */
static void
print_man(void)
{
    printf(".TH virtnet 8 \"\" \"ovs\\-virtio\\-emu %s\" "
           "\"Open vSwitch Manual\"\n"
           ".SH NAME\n"
           "virtnet \\- control emulated virtio\\-net devices\n"
           ".SH SYNOPSIS\n"
           ".B virtnet\n"
           "[\\fB\\-\\-target\\fR \\fItarget\\fR] \\fIcommand\\fR "
           "[\\fIoption\\fR]...\n"
           ".br\n"
           ".B virtnet\n"
           "\\fB\\-h\\fR | \\fB\\-v\\fR\n"
           ".SH DESCRIPTION\n"
           "Sends \\fIcommand\\fR to the virtio\\-net controller in\n"
           "\\fBovs\\-vswitchd\\fR(8) and prints the arguments, as a Python\n"
           "dictionary, and the answer, in JSON.  "
           "\\fBovs\\-appctl virtnet/\\fIcommand\\fR does\n"
           "the same without the arguments.  The beginning of a long option\n"
           "is enough if no other begins so.\n"
           ".SH OPTIONS\n"
           ".TP\n\\fB\\-\\-target\\fR \\fItarget\\fR\n"
           "Name of the daemon, or path of its control socket.  The default\n"
           "is \\fBovs\\-vswitchd\\fR.\n"
           ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n"
           "Prints help; behind a command, on that command.\n"
           ".TP\n\\fB\\-v\\fR, \\fB\\-\\-version\\fR\nPrints the version.\n"
           ".SH COMMANDS\n", VIRTNET_VERSION);
    for (size_t i = 0; i < VIRTNET_N_COMMANDS; i++) {
        print_man_command(&virtnet_commands[i]);
    }
    puts(".SH \"EXIT STATUS\"\n"
         ".TP\n0\nSuccess.\n"
         ".TP\n1\nThe answer has an error, or there is no daemon.\n"
         ".TP\n2\nThe options make no sense.\n"
         ".TP\n3\n\\fBwait\\fR or \\fBevents \\-\\-count\\fR ran out of "
         "time.\n"
         ".SH ENVIRONMENT\n"
         ".TP\n.B OVS_RUNDIR\nDirectory of the daemon's pidfile and control "
         "socket.\n"
         ".TP\n.B OVS_CTL_TIMEOUT\nSeconds after which to give up if there "
         "is no answer.\nThe default is never.\n"
         ".SH \"SEE ALSO\"\n"
         "\\fBovs\\-vswitchd\\fR(8), \\fBovs\\-appctl\\fR(8), "
         "\\fBovs\\-vswitchd.conf.db\\fR(5)");
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
    /* What a socket says when the time that it was given is over. */
    if (error == EAGAIN) {
        error = ETIMEDOUT;
    }
    fprintf(stderr, "virtnet: %s: %s\n", what, strerror(error));
    exit(EXIT_FAILURE);
}

/* For how many seconds to wait for the daemon, which the environment says, as
 * it does to ovs-appctl; 0 for ever. */
static int
get_patience(void)
{
    const char *s = getenv("OVS_CTL_TIMEOUT");
    int patience = s ? atoi(s) : 0;

    return MAX(patience, 0);
}

/* The daemon's control socket speaks JSON-RPC 1.0, RFC 7047, section 4.1, one
 * request and one reply at a time. */

/* Returns a socket that is connected to 'path' and gives up after 'patience'
 * seconds, or -1 with errno. */
static int
connect_to(const char *path, int patience)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct timeval tv = { .tv_sec = patience };
    int fd;

    if (strlen(path) >= sizeof un.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(un.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (patience > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    }
    if (connect(fd, (struct sockaddr *) &un, sizeof un)) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Returns the process id in 'pidfile', or 0 with errno. */
static int
read_pid(const char *pidfile)
{
    FILE *stream = fopen(pidfile, "r");
    int pid = 0;

    if (stream) {
        if (fscanf(stream, "%d", &pid) != 1) {
            pid = 0;
            errno = ESRCH;
        }
        fclose(stream);
    }
    return pid;
}

/* The same to 'target', the name of a daemon or the path of its socket.
 * Stores in '*what', which the caller must free, what an error is about. */
static int
try_target(const char *target, int patience, char **what)
{
    const char *rundir = getenv("OVS_RUNDIR");
    int pid;

    if (target[0] == '/') {
        *what = xasprintf("%s", target);
        return connect_to(target, patience);
    }
    if (!rundir) {
        rundir = OVS_RUNDIR;
    }
    *what = xasprintf("%s/%s.pid", rundir, target);
    pid = read_pid(*what);
    if (!pid) {
        return -1;
    }
    free(*what);
    *what = xasprintf("%s/%s.%d.ctl", rundir, target, pid);
    return connect_to(*what, patience);
}

static int
connect_to_target(const char *target)
{
    char *what;
    int fd = try_target(target, get_patience(), &what);

    if (fd < 0) {
        no_daemon(what, errno);
    }
    free(what);
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

/* Returns 0, or an errno if there was no answer. */
static int
try_transact(int fd, const char *method, int argc, char *argv[],
             struct ds *reply)
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
            int error = errno;

            ds_destroy(&request);
            return error;
        }
        p += n;
        left -= n;
    }
    ds_destroy(&request);

    for (;;) {
        char buf[65536];
        ssize_t n = recv(fd, buf, sizeof buf - 1, 0);

        if (n <= 0) {
            return n ? errno : EPIPE;
        }
        buf[n] = '\0';
        ds_put_cstr(reply, buf);
        /* A whole reply ends with the brace; look no more often than that. */
        if (buf[n - 1] == '}' || buf[n - 1] == '\n') {
            if (is_whole(ds_cstr(reply))) {
                return 0;
            }
        }
    }
}

static void
transact(int fd, const char *method, int argc, char *argv[], struct ds *reply)
{
    int error = try_transact(fd, method, argc, argv, reply);

    if (error) {
        no_daemon("no answer", error);
    }
}

/* Returns 'status', or a failure if not all of what was printed has gone
 * out. */
static int
flushed(int status)
{
    return fflush(stdout) || ferror(stdout) ? EXIT_FAILURE : status;
}

/* Prints 'text', with a line's end if it has none. */
static void
print_text(FILE *out, const char *text)
{
    fprintf(out, "%s%s", text,
            *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
}

/* If 'reply' is that the daemon could make nothing of the request, prints
 * why. */
static bool
print_refusal(const char *reply)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    bool refused = get_reply_member(reply, "error", &text);

    if (refused) {
        fputs("virtnet: ", stderr);
        print_text(stderr, ds_cstr(&text));
    }
    ds_destroy(&text);
    return refused;
}

static int
run(const char *target, const char *command, int argc, char *argv[])
{
    int fd = connect_to_target(target);
    char *method = xasprintf("virtnet/%s", command);
    struct ds reply = DS_EMPTY_INITIALIZER;
    struct ds text = DS_EMPTY_INITIALIZER;
    int status = EXIT_FAILURE;

    transact(fd, method, argc, argv, &reply);
    if (!print_refusal(ds_cstr(&reply))
        && get_reply_member(ds_cstr(&reply), "result", &text)) {
        const char *number = strstr(ds_cstr(&text), "\n  \"errno\": ");

        /* Answers to actions say so themselves; of the others, only one that
         * there is no device is a failure. */
        if (number ? !strncmp(number + 12, "0,", 2)
            : !strstr(ds_cstr(&text), "\n  \"Error\": ")) {
            status = EXIT_SUCCESS;
        } else if (number && !strcmp(command, "wait")
                   && atoi(number + 12) == -ETIMEDOUT) {
            status = EXIT_TIMEOUT;
        }
        print_text(stdout, ds_cstr(&text));
    }
    ds_destroy(&reply);
    ds_destroy(&text);
    free(method);
    close(fd);
    return flushed(status);
}

/* How long (s) the check of a file waits for a daemon. */
#define VALIDATE_PATIENCE_S 5

/* Prints what the daemon finds wrong with some line of the file 'path', if
 * there is a daemon: it knows what the firmware configuration is.  Returns
 * true if it finds nothing. */
static bool
ask_about(const char *target, const char *path)
{
    static const char verdict[] = " is invalid: line ";
    char *argv[] = { xasprintf("-f"), realpath(path, NULL) };
    struct ds reply = DS_EMPTY_INITIALIZER;
    struct ds text = DS_EMPTY_INITIALIZER;
    char *what, *save_ptr = NULL;
    bool valid = true;
    int fd;

    fd = argv[1] ? try_target(target, VALIDATE_PATIENCE_S, &what) : -1;
    if (fd >= 0 && !try_transact(fd, "virtnet/validate", 2, argv, &reply)
        && get_reply_member(ds_cstr(&reply), "error", &text)) {
        for (char *line = strtok_r(text.string, "\n", &save_ptr); line;
             line = strtok_r(NULL, "\n", &save_ptr)) {
            size_t n = strlen(argv[1]);

            if (!strncmp(line, argv[1], n)
                && !strncmp(line + n, verdict, strlen(verdict))) {
                printf("%s%s\n", path, line + n);
                valid = false;
            }
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (argv[1]) {
        free(what);
    }
    free(argv[0]);
    free(argv[1]);
    ds_destroy(&reply);
    ds_destroy(&text);
    return valid;
}

/* Checks a configuration file, for which no daemon is needed.  The verdict is
 * all that scripts know on standard output, so notes are on standard error. */
static int
run_validate(const char *target, const char *path)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ds notes = DS_EMPTY_INITIALIZER;
    struct virtnet_conf conf;
    bool valid;

    virtnet_conf_read(&conf, path);
    valid = !conf.problems.n && ask_about(target, path);
    if (valid || conf.problems.n) {
        virtnet_conf_format(&conf, path, &s);
        fputs(ds_cstr(&s), stdout);
    }
    virtnet_conf_format_notes(&conf, path, &notes);
    fputs(ds_cstr(&notes), stderr);
    ds_destroy(&notes);
    virtnet_conf_destroy(&conf);
    ds_destroy(&s);
    return flushed(valid ? EXIT_SUCCESS : EXIT_FAILURE);
}

static long long int
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Prints the events of 'text', a line each, but no more than '*left', which it
 * counts down.  Returns the number of the last one. */
static unsigned long long int
print_events(char *text, unsigned long long int since,
             unsigned long long int *left)
{
    char *save_ptr = NULL;

    for (char *line = strtok_r(text, "\n", &save_ptr); line && *left;
         line = strtok_r(NULL, "\n", &save_ptr)) {
        if (!strncmp(line, "{\"seq\": ", 8)) {
            since = strtoull(line + 8, NULL, 10);
        }
        if (!strstr(line, "\"event\": \"none\"")) {
            puts(line);
            --*left;
        }
    }
    return since;
}

/* Follows events: asks for those behind the last one again and again. */
static int
run_events(const char *target, const struct virtnet_args *args)
{
    bool limited = virtnet_arg_given(args, "timeout");
    unsigned long long int left = UINT64_MAX;
    long long int deadline = LLONG_MAX;
    unsigned long long int since = 0;
    int fd = connect_to_target(target);
    bool first = !virtnet_arg_given(args, "since");
    int patience = get_patience();
    int poll_s = (patience ? MIN(MAX(patience - 1, 1), EVENTS_POLL_S)
                  : EVENTS_POLL_S);

    if (limited) {
        deadline = now_ms() + 1000 * (long long int) MIN(
            virtnet_arg_number(args, "timeout"), UINT32_MAX);
    }
    if (virtnet_arg_given(args, "count")) {
        left = virtnet_arg_number(args, "count");
    }
    if (!first) {
        since = virtnet_arg_number(args, "since");
    }
    while (left) {
        long long int wait_ms = MIN(deadline - now_ms(), poll_s * 1000LL);
        char *words[] = { xasprintf("--timeout"),
                          xasprintf("%lld", first || wait_ms < 0 ? 0
                                    : (wait_ms + 999) / 1000),
                          xasprintf("--since"), xasprintf("%llu", since) };
        struct ds reply = DS_EMPTY_INITIALIZER;
        struct ds text = DS_EMPTY_INITIALIZER;
        bool refused;

        transact(fd, "virtnet/events", first ? 2 : 4, words, &reply);
        refused = print_refusal(ds_cstr(&reply));
        if (!refused) {
            if (!get_reply_member(ds_cstr(&reply), "result", &text)) {
                no_daemon("no events", EPROTO);
            }
            since = print_events(ds_cstr(&text), since, &left);
        }
        first = false;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
            free(words[i]);
        }
        ds_destroy(&reply);
        ds_destroy(&text);
        if (refused || flushed(EXIT_SUCCESS)) {
            return EXIT_FAILURE;
        } else if (left && wait_ms <= 0) {
            break;
        }
    }
    close(fd);
    return (left && virtnet_arg_given(args, "count") ? EXIT_TIMEOUT
            : EXIT_SUCCESS);
}

int
main(int argc, char *argv[])
{
    const struct virtnet_command *command, *failed;
    const char *target = "ovs-vswitchd";
    struct ds s = DS_EMPTY_INITIALIZER;
    struct virtnet_args args, sub;
    char *error;
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
        } else if (!strcmp(argv[i], "--print-man")) {
            print_man();
            return EXIT_SUCCESS;
        } else if (!strcmp(argv[i], "--print-settings")) {
            virtnet_settings_document(&s);
            fputs(ds_cstr(&s), stdout);
            ds_destroy(&s);
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
    if (command == &virtnet_commands[VIRTNET_CMD_VALIDATE]) {
        return run_validate(target, virtnet_arg_text(&args, "file"));
    } else if (command == &virtnet_commands[VIRTNET_CMD_EVENTS]) {
        return run_events(target, &args);
    }
    virtnet_args_echo(&args, &sub, &s);
    fputs(ds_cstr(&s), stdout);
    fflush(stdout);
    ds_destroy(&s);
    return run(target, command->name, argc - i, argv + i);
}
