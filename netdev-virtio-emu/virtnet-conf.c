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

/* The file virtnet.conf.  See virtnet-conf.h. */

#include <config.h>

#include "virtnet-conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Far more than all keys take. */
#define CONF_MAX_SIZE (64 * 1024)

/* Objects within objects. */
#define CONF_MAX_DEPTH 4

/* Other names in the file. */
static const struct {
    const char *alias, *conf;
} aliases[] = {
    { "vf.qp_num", "vf.max_queue_pairs" },
};

/* Keys of the file that may not be given together; with 'if_true', only if
 * both are 1. */
static const struct {
    const char *a, *b;
    bool if_true;
} exclusions[] = {
    { "is_lag", "single_port", true },
    { "ib_dev_lag", "ib_dev_p0", false },
    { "ib_dev_lag", "ib_dev_p1", false },
};

/* Keys that make sense only with others. */
static const struct {
    const char *key, *needs;
} needs[] = {
    { "dpa_core_start", "dpa_core_end" },
    { "dpa_core_end", "dpa_core_start" },
    { "vf.mac_base", "vf.vfs_per_pf" },
};

/* Keys of the file that are accepted and of no effect: always, if 'other' is
 * NULL; else if 'other' is (or with 'unless', is not) 'value', where NULL
 * stands for a key that is not given. */
static const struct {
    const char *key, *other, *value;
    bool unless;
    const char *why;            /* What follows "of no effect". */
} no_effects[] = {
    { "dpa_core_start", NULL, NULL, false,
      ": packet threads are those of the switch, see pmd-cpu-mask" },
    { "dpa_core_end", NULL, NULL, false,
      ": packet threads are those of the switch, see pmd-cpu-mask" },
    { "eth_vq_workers", NULL, NULL, false,
      ": packet threads are those of the switch, see pmd-cpu-mask" },
    { "admin_cmd_workers", NULL, NULL, false,
      ": one thread carries out all commands" },
    { "lm_prov", "lm_prov", "kernel", true, " unless \"kernel\"" },
    { "ib_dev_lag", "is_lag", "true", true, " unless is_lag is 1" },
    { "ib_dev_p0", "is_lag", "true", false, " while is_lag is 1" },
    { "ib_dev_p1", "is_lag", "true", false, " while is_lag is 1" },
    { "ib_dev_p1", "single_port", "true", false, " while single_port is 1" },
    { "vf.vfs_per_pf", "vf.mac_base", NULL, false, " without vf.mac_base" },
};

/* Parsing. */

struct parser {
    struct virtnet_conf *conf;
    const char *p;
    int line;
    int n_arrays;               /* That this is in: nothing in one counts. */
    bool failed;                /* No use in going on. */
};

/* Adds to 'list' what is about 'key' in 'line', and takes 'text'. */
static void
add(struct virtnet_conf_list *list, int line, const char *key, char *text)
{
    list->remarks = xrealloc(list->remarks,
                             (list->n + 1) * sizeof *list->remarks);
    list->remarks[list->n++] = (struct virtnet_conf_remark) {
        .line = line,
        .key = key && *key ? xasprintf("%s", key) : NULL,
        .text = text,
    };
}

static void OVS_PRINTF_FORMAT(4, 5)
problem(struct virtnet_conf *conf, int line, const char *key,
        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(&conf->problems, line, key, xvasprintf(format, args));
    va_end(args);
}

static void
syntax_error(struct parser *p, const char *what)
{
    if (!p->failed) {
        problem(p->conf, p->line, NULL, "%s", what);
        p->failed = true;
    }
}

static void
skip_space(struct parser *p)
{
    for (; *p->p && strchr(" \t\r\n", *p->p); p->p++) {
        p->line += *p->p == '\n';
    }
}

/* Returns the number of bytes of the character at 'p', RFC 3629, section 4, or
 * 0 if it is none.  Settings become a part of answers and of the database. */
static size_t
utf8_length(const char *p_)
{
    const unsigned char *p = (const unsigned char *) p_;
    size_t n = (p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2
                : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0);

    for (size_t i = 1; i < n; i++) {
        /* Not longer than need be, no surrogates, and not beyond the end. */
        unsigned char min = (i > 1 ? 0x80 : p[0] == 0xe0 ? 0xa0
                             : p[0] == 0xf0 ? 0x90 : 0x80);
        unsigned char max = (i > 1 ? 0xbf : p[0] == 0xed ? 0x9f
                             : p[0] == 0xf4 ? 0x8f : 0xbf);

        if (p[i] < min || p[i] > max) {
            return 0;
        }
    }
    return n;
}

/* Parses a string, at its quotation mark, into '*s'.  Escapes other than of
 * single characters are no use in any setting. */
static bool
parse_string(struct parser *p, struct ds *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *x;

    for (p->p++; *p->p != '"'; p->p++) {
        if ((unsigned char) *p->p < ' ') {
            syntax_error(p, *p->p ? "control character in a string"
                         : "string without end");
            return false;
        } else if (*p->p != '\\') {
            size_t n = utf8_length(p->p);

            if (!n) {
                syntax_error(p, "string that is not UTF-8");
                return false;
            }
            ds_put_char(s, *p->p);
            while (--n) {
                ds_put_char(s, *++p->p);
            }
            continue;
        }
        p->p++;
        x = *p->p ? strchr(from, *p->p) : NULL;
        if (!x) {
            syntax_error(p, "unknown escape in a string");
            return false;
        }
        ds_put_char(s, to[x - from]);
    }
    p->p++;
    return true;
}

/* Skips a number, as RFC 8259, section 6, has it.  Returns true if there is
 * one; '*integer' is whether it is not negative and has only digits. */
static bool
parse_number(struct parser *p, bool *integer)
{
    const char *start = p->p;
    size_t n;

    *integer = true;
    if (*p->p == '-') {
        *integer = false;
        p->p++;
    }
    n = strspn(p->p, "0123456789");
    if (!n || (n > 1 && *p->p == '0')) {
        p->p = start;
        return false;
    }
    p->p += n;
    if (*p->p == '.') {
        *integer = false;
        n = strspn(++p->p, "0123456789");
        p->p += n;
    }
    if (n && (*p->p == 'e' || *p->p == 'E')) {
        *integer = false;
        p->p++;
        p->p += *p->p == '+' || *p->p == '-';
        n = strspn(p->p, "0123456789");
        p->p += n;
    }
    return n > 0;
}

static const struct virtnet_setting *
lookup(const char *conf_key)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcmp(conf_key, aliases[i].alias)) {
            conf_key = aliases[i].conf;
        }
    }
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const struct virtnet_setting *s = &virtnet_settings_table[i];

        if (s->conf && !strcmp(s->conf, conf_key)) {
            return s;
        }
    }
    return NULL;
}

/* Is 'key' an object that has settings, like "vf"? */
static bool
is_group(const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < virtnet_n_settings; i++) {
        const char *conf = virtnet_settings_table[i].conf;

        if (conf && !strncmp(conf, key, n) && conf[n] == '.') {
            return true;
        }
    }
    return false;
}

/* Takes the value of 'key', of JSON type 'type' ('s' string, 'n' number that
 * is a whole one, 'f' other number, 'b' boolean). */
static void
take(struct parser *p, const char *key, int line, char type,
     const char *value)
{
    const struct virtnet_setting *s = lookup(key);
    struct virtnet_conf_value *v;
    char *why;

    if (p->n_arrays) {
        return;
    } else if (!s) {
        problem(p->conf, line, key,
                is_group(key) ? "must be an object" : "unknown key");
        return;
    }
    v = &p->conf->values[s - virtnet_settings_table];
    switch (s->type) {
    case VIRTNET_SETTING_BOOL:
        if (type != 'n' || strlen(value) != 1 || *value > '1') {
            problem(p->conf, line, key, "must be 0 or 1");
            return;
        }
        value = *value == '1' ? "true" : "false";
        break;
    case VIRTNET_SETTING_UINT:
    case VIRTNET_SETTING_POW2:
        if (type != 'n') {
            problem(p->conf, line, key, "must be a number from %u to %u",
                    s->min, s->max);
            return;
        }
        break;
    case VIRTNET_SETTING_STRING:
    case VIRTNET_SETTING_WORD:
    case VIRTNET_SETTING_MAC:
    case VIRTNET_SETTING_HEX:
    case VIRTNET_SETTING_CHOICE:
        if (type != 's') {
            problem(p->conf, line, key, "must be a string");
            return;
        }
        break;
    }
    why = virtnet_setting_check(s, value);
    if (why) {
        problem(p->conf, line, key, "\"%s\" %s", value, why);
        free(why);
    } else if (v->line) {
        problem(p->conf, line, key, "given already in line %d", v->line);
    } else {
        v->line = line;
        v->text = xasprintf("%s", value);
    }
}

static void parse_value(struct parser *, const char *key, int depth);
static void parse_object(struct parser *, const char *prefix, int depth);

/* Passes over an array, at its bracket. */
static void
skip_array(struct parser *p, const char *key, int depth)
{
    if (depth > CONF_MAX_DEPTH) {
        syntax_error(p, "too many arrays within arrays");
        return;
    }
    p->n_arrays++;
    do {
        p->p++;
        skip_space(p);
        if (*p->p != ']') {
            parse_value(p, key, depth);
            skip_space(p);
        }
    } while (!p->failed && *p->p == ',');
    p->n_arrays--;
    if (*p->p == ']') {
        p->p++;
    } else {
        syntax_error(p, "\",\" or \"]\" expected");
    }
}

/* Parses the value of 'key'. */
static void
parse_value(struct parser *p, const char *key, int depth)
{
    static const struct {
        const char *word;
        char type;
    } words[] = { { "true", 'b' }, { "false", 'b' }, { "null", '0' } };
    const char *start = p->p;
    int line = p->line;
    struct ds s = DS_EMPTY_INITIALIZER;
    bool integer;

    if (*p->p == '"') {
        if (parse_string(p, &s)) {
            take(p, key, line, 's', ds_cstr(&s));
        }
    } else if (*p->p == '{') {
        if (!is_group(key) && !p->n_arrays) {
            problem(p->conf, line, key, lookup(key)
                    ? "must not be an object" : "unknown key");
        }
        parse_object(p, key, depth + 1);
    } else if (*p->p == '[') {
        if (!p->n_arrays) {
            problem(p->conf, line, key, lookup(key) || is_group(key)
                    ? "must not be an array" : "unknown key");
        }
        skip_array(p, key, depth + 1);
    } else if (parse_number(p, &integer)) {
        for (const char *c = start; c < p->p; c++) {
            ds_put_char(&s, *c);
        }
        take(p, key, line, integer ? 'n' : 'f', ds_cstr(&s));
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
            size_t n = strlen(words[i].word);

            if (!strncmp(p->p, words[i].word, n)) {
                p->p += n;
                /* "null" is as good as nothing. */
                if (words[i].type == 'b') {
                    take(p, key, line, 'b', words[i].word);
                } else if (!lookup(key) && !is_group(key) && !p->n_arrays) {
                    problem(p->conf, line, key, "unknown key");
                }
                ds_destroy(&s);
                return;
            }
        }
        /* A word without quotation marks, perhaps. */
        p->p = start + strcspn(start, "\"{}[],: \t\r\n");
        if (p->p > start) {
            problem(p->conf, line, key, "value expected, not %.*s",
                    (int) (p->p - start), start);
        } else {
            syntax_error(p, "value expected");
        }
    }
    ds_destroy(&s);
}

/* Parses an object, at its brace, whose keys come behind 'prefix'. */
static void
parse_object(struct parser *p, const char *prefix, int depth)
{
    if (depth > CONF_MAX_DEPTH) {
        syntax_error(p, "too many objects within objects");
        return;
    }
    p->p++;
    skip_space(p);
    if (*p->p == '}') {
        p->p++;
        return;
    }
    while (!p->failed) {
        struct ds key = DS_EMPTY_INITIALIZER;
        int line;

        if (*p->p != '"') {
            syntax_error(p, "key in quotation marks expected");
            return;
        }
        ds_put_format(&key, "%s%s", prefix, *prefix ? "." : "");
        if (parse_string(p, &key)) {
            skip_space(p);
            if (*p->p != ':') {
                syntax_error(p, "\":\" expected");
            } else {
                p->p++;
                skip_space(p);
                parse_value(p, ds_cstr(&key), depth);
            }
        }
        ds_destroy(&key);
        if (p->failed) {
            return;
        }

        line = p->line;
        skip_space(p);
        if (*p->p == '}') {
            p->p++;
            return;
        } else if (*p->p == ',') {
            line = p->line;
            p->p++;
            skip_space(p);
            if (*p->p == '}') {
                /* A favourite.  What follows can be understood. */
                problem(p->conf, line, NULL, "comma before \"}\"");
                p->p++;
                return;
            }
        } else if (*p->p == '"') {
            problem(p->conf, line, NULL, "comma missing at the end");
        } else {
            syntax_error(p, "\",\" or \"}\" expected");
        }
    }
}

static const struct virtnet_conf_value *
value_of(const struct virtnet_conf *conf, const char *key)
{
    return &conf->values[lookup(key) - virtnet_settings_table];
}

/* Checks what concerns several keys. */
static void
check_together(struct virtnet_conf *conf)
{
    const struct virtnet_conf_value *start, *end;

    for (size_t i = 0; i < ARRAY_SIZE(exclusions); i++) {
        const struct virtnet_conf_value *a = value_of(conf, exclusions[i].a);
        const struct virtnet_conf_value *b = value_of(conf, exclusions[i].b);

        if (a->line && b->line
            && (!exclusions[i].if_true || (!strcmp(a->text, "true")
                                           && !strcmp(b->text, "true")))) {
            problem(conf, MAX(a->line, b->line), exclusions[i].a,
                    "excludes %s", exclusions[i].b);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        const struct virtnet_conf_value *a = value_of(conf, needs[i].key);
        const struct virtnet_conf_value *b = value_of(conf, needs[i].needs);

        if (a->line && (!b->line || !strcmp(b->text, "0"))) {
            problem(conf, a->line, needs[i].key, "needs %s", needs[i].needs);
        }
    }
    start = value_of(conf, "dpa_core_start");
    end = value_of(conf, "dpa_core_end");
    if (start->line && end->line && atoi(end->text) <= atoi(start->text)) {
        problem(conf, end->line, "dpa_core_end",
                "must be above dpa_core_start");
    }
}

/* Notes what is of no effect. */
static void
check_effects(struct virtnet_conf *conf)
{
    for (size_t i = 0; i < ARRAY_SIZE(no_effects); i++) {
        const char *other = no_effects[i].other;
        const char *value = no_effects[i].value;
        int line = value_of(conf, no_effects[i].key)->line;
        bool is = false;

        if (other) {
            const char *text = value_of(conf, other)->text;

            is = text && value ? !strcmp(text, value) : text == value;
        }
        if (line && (!other || is != no_effects[i].unless)) {
            add(&conf->notes, line, no_effects[i].key,
                xasprintf("of no effect%s", no_effects[i].why));
        }
    }
}

void
virtnet_conf_no_effect(struct virtnet_conf *conf, size_t i, const char *why)
{
    const struct virtnet_setting *s = &virtnet_settings_table[i];
    const struct virtnet_conf_value *v = &conf->values[i];

    if (v->line
        && (s->type != VIRTNET_SETTING_BOOL || strcmp(v->text, "false"))) {
        add(&conf->notes, v->line, s->conf,
            xasprintf("of no effect: %s", why));
    }
}

const char *
virtnet_conf_get(const struct virtnet_conf *conf, const char *key)
{
    return value_of(conf, key)->text;
}

void
virtnet_conf_remark(struct virtnet_conf *conf, struct virtnet_conf_list *list,
                    const char *key, const char *format, ...)
{
    int line = value_of(conf, key)->line;

    if (line) {
        va_list args;

        va_start(args, format);
        add(list, line, key, xvasprintf(format, args));
        va_end(args);
    }
}

static void
conf_parse(struct virtnet_conf *conf, const char *text)
{
    struct parser p = { .conf = conf, .p = text, .line = 1 };

    skip_space(&p);
    if (*p.p != '{') {
        syntax_error(&p, "not a JSON object");
        return;
    }
    parse_object(&p, "", 0);
    skip_space(&p);
    if (!p.failed && *p.p) {
        syntax_error(&p, "text behind the object");
    }
    check_together(conf);
    check_effects(conf);
}

/* Reads the regular file 'fd' into 'text', which has CONF_MAX_SIZE + 1 bytes.
 * Returns NULL, or what is wrong. */
static const char *
read_text(int fd, char *text)
{
    struct stat s;
    size_t size = 0;
    ssize_t n;

    if (fstat(fd, &s)) {
        return strerror(errno);
    } else if (!S_ISREG(s.st_mode)) {
        return "not a regular file";
    }
    while ((n = read(fd, text + size, CONF_MAX_SIZE + 1 - size)) > 0) {
        size += n;
        if (size > CONF_MAX_SIZE) {
            return "too large";
        }
    }
    if (n < 0) {
        return strerror(errno);
    }
    text[size] = '\0';
    return strlen(text) == size ? NULL : "it has a null byte";
}

void
virtnet_conf_read(struct virtnet_conf *conf, const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    memset(conf, 0, sizeof *conf);
    conf->values = xcalloc(virtnet_n_settings, sizeof *conf->values);
    if (fd < 0) {
        conf->missing = errno == ENOENT;
        problem(conf, 0, NULL, "%s", strerror(errno));
    } else {
        char *text = xmalloc(CONF_MAX_SIZE + 1);
        const char *why = read_text(fd, text);

        if (why) {
            problem(conf, 0, NULL, "%s", why);
        } else {
            conf_parse(conf, text);
        }
        free(text);
        close(fd);
    }
}

static void
free_list(struct virtnet_conf_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->remarks[i].key);
        free(list->remarks[i].text);
    }
    free(list->remarks);
}

void
virtnet_conf_destroy(struct virtnet_conf *conf)
{
    for (size_t i = 0; conf->values && i < virtnet_n_settings; i++) {
        free(conf->values[i].text);
    }
    free(conf->values);
    free_list(&conf->problems);
    free_list(&conf->notes);
}

/* Appends a line for each remark in 'list', which are 'what' the file 'path'
 * is. */
static void
format_list(const struct virtnet_conf_list *list, const char *path,
            const char *what, struct ds *s)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct virtnet_conf_remark *p = &list->remarks[i];

        ds_put_format(s, "%s%s: ", path, what);
        if (p->line) {
            ds_put_format(s, "line %d: ", p->line);
        }
        if (p->key) {
            ds_put_format(s, "%s: ", p->key);
        }
        ds_put_format(s, "%s\n", p->text);
    }
}

void
virtnet_conf_format(const struct virtnet_conf *conf, const char *path,
                    struct ds *s)
{
    if (!conf->problems.n) {
        ds_put_format(s, "%s is valid\n", path);
    }
    format_list(&conf->problems, path, " is invalid", s);
}

void
virtnet_conf_format_notes(const struct virtnet_conf *conf, const char *path,
                          struct ds *s)
{
    format_list(&conf->notes, path, ": note", s);
}
