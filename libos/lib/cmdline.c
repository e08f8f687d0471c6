#include "lib/cmdline.h"

#include <string.h>

static const char *const own[] = {"ip=", "gateway=", "dns=", "report="};

static char *next_word(char **text)
{
    char *from = *text + strspn(*text, " \t\n"), *to = from, *word = from;
    int quoted = 0;
    if (!*from)
        return NULL;
    for (; *from && (quoted || !strchr(" \t\n", *from)); from++)
        if (*from == '"')
            quoted = !quoted;
        else
            *to++ = *from;
    *text = *from ? from + 1 : from;
    *to = 0;
    return word;
}

static int put(char **list, int *count, int room, char *word)
{
    if (*count >= room - 1)
        return 1;
    list[(*count)++] = word;
    return 0;
}

static int is_own(const char *word)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strncmp(word, own[i], strlen(own[i])))
            return 1;
    return 0;
}

int cmdline_parse(struct cmdline *line, char *text)
{
    int dropped = 0, arguments = 0;
    memset(line, 0, sizeof *line);
    for (char *word; (word = next_word(&text));) {
        if (!arguments && !strcmp(word, "--")) {
            arguments = 1;
            continue;
        }
        if (!arguments && (!strchr(word, '=') || *word == '=' || *word == '-'))
            arguments = 1;
        if (arguments)
            dropped += put(line->arguments, &line->argument_count, 32, word);
        else if (is_own(word))
            dropped += put(line->settings, &line->setting_count, 8, word);
        else
            dropped += put(line->environment, &line->environment_count, 32, word);
    }
    return dropped;
}

const char *cmdline_setting(const struct cmdline *line, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < line->setting_count; i++)
        if (!strncmp(line->settings[i], name, length) && line->settings[i][length] == '=')
            return line->settings[i] + length + 1;
    return NULL;
}
