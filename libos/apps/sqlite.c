/* SQLite at work: one transaction after the other into a database, as an application does that must not lose any.
 * Arguments: [PATH [PAUSE_MS]], /tmp/work.db and 5 by default. On SIGTERM it closes, opens again, checks the database and
 * every row of it, says "sqlite: N rows, ok", and ends with 0. */
#include <flexcapsule.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t over;
static void finish(int number) { over = number; }

static void run(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        printf("sqlite: %s: %s\n", sql, error);
        exit(1);
    }
}

static int one_row(void *to, int columns, char **values, char **names)
{
    (void)names;
    snprintf(to, 64, "%s", columns && values[0] ? values[0] : "");
    return 0;
}

static void ask(sqlite3 *db, const char *sql, char answer[64])
{
    if (sqlite3_exec(db, sql, one_row, answer, NULL) != SQLITE_OK) {
        printf("sqlite: %s: %s\n", sql, sqlite3_errmsg(db));
        exit(1);
    }
}

static sqlite3 *opened(const char *path)
{
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        printf("sqlite: cannot open %s: %s\n", path, sqlite3_errmsg(db));
        exit(1);
    }
    return db;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/tmp/work.db";
    struct timespec pause = {0, (argc > 2 ? atol(argv[2]) : 5) * 1000000};
    char answer[64] = "", kept[64] = "", wrong[64] = "", sound[64] = "";
    long rows = 0, most = 2000;
    signal(SIGTERM, finish);
    sqlite3 *db = opened(path);
    run(db, "CREATE TABLE work (n INTEGER PRIMARY KEY, square INTEGER, text TEXT)");
    printf("sqlite: %s, writing to %s\n", sqlite3_libversion(), path);
    while (!over) {
        char sql[256];
        rows++;
        snprintf(sql, sizeof sql,
                 "BEGIN; INSERT INTO work VALUES (%ld, %ld, hex(randomblob(20))); DELETE FROM work WHERE n <= %ld; COMMIT", rows,
                 rows * rows, rows - most);
        run(db, sql);
        nanosleep(&pause, NULL);
    }
    sqlite3_close(db);
    db = opened(path);
    ask(db, "PRAGMA integrity_check", sound);
    ask(db, "SELECT max(n) FROM work", answer);
    ask(db, "SELECT count(*) FROM work", kept);
    ask(db, "SELECT count(*) FROM work WHERE square <> n * n OR length(text) <> 40", wrong);
    bool complete = atol(answer) == rows && atol(kept) == (rows < most ? rows : most);
    if (strcmp(sound, "ok") || !complete || strcmp(wrong, "0")) {
        printf("sqlite: FAIL: integrity %s, last row %s of %ld, %s kept, wrong rows %s\n", sound, answer, rows, kept, wrong);
        return 1;
    }
    printf("sqlite: %ld rows, %s, %u moves\n", rows, sound, flexcapsule_moves());
    return 0;
}
