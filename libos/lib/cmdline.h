/* The domain's command line: `ip=10.9.0.5/24 NAME=value ... -- argument "an argument"`. Before `--` stand settings of the
 * library OS (ip, gateway, dns, report) and environment variables; behind it the application's arguments. Without `--`
 * the first word that is no NAME=value starts the arguments. Double quotes hold a word together. Host-tested. */
#ifndef LIB_CMDLINE_H
#define LIB_CMDLINE_H

#include <stddef.h>

struct cmdline {
    char *settings[8], *environment[32], *arguments[32]; /* each ends with NULL */
    int setting_count, environment_count, argument_count;
};

/* Cuts `text` up in place. Words beyond what fits are dropped; returns how many were. */
int cmdline_parse(struct cmdline *line, char *text);
const char *cmdline_setting(const struct cmdline *line, const char *name); /* NULL when absent */

#endif
