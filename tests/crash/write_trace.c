/* Notes, in order, what a process does to files below CRASH_DIR: writes, truncations, removals, renames, syncs.
 *
 * Loaded by LD_PRELOAD. An entry of CRASH_TRACE: kind (1 byte), length of the path (4), of the data (4), offset (8),
 * path, data. A file of SQLite's shared memory is left out: it is made anew after a crash. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

static ssize_t put(const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    return real(trace, data, size);
}

static int is_ours(const char *path) {
    const char *root = getenv("CRASH_DIR");
    size_t length = strlen(path);
    return root && strncmp(path, root, strlen(root)) == 0 && !(length > 4 && strcmp(path + length - 4, "-shm") == 0);
}

static void note(char kind, const char *path, const void *data, uint32_t size, uint64_t offset) {
    if (!is_ours(path)) return;
    if (trace < 0) {
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        trace = real(getenv("CRASH_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    char head[17];
    uint32_t length = strlen(path);
    head[0] = kind;
    memcpy(head + 1, &length, 4);
    memcpy(head + 5, &size, 4);
    memcpy(head + 9, &offset, 8);
    put(head, sizeof head);
    put(path, length);
    if (size) put(data, size);
}

static void note_fd(char kind, int fd, const void *data, uint32_t size, uint64_t offset) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    note(kind, path, data, size, offset);
}

/* The act and its note are one: another thread's must not come between them. */
#define WITH_LOCK(call, noting) do { \
    pthread_mutex_lock(&lock); __typeof__(call) done = call; if (done >= 0) { noting; } \
    pthread_mutex_unlock(&lock); return done; } while (0)

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    REAL(pwrite); WITH_LOCK(real(fd, data, size, offset), note_fd('W', fd, data, done, offset));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64); WITH_LOCK(real(fd, data, size, offset), note_fd('W', fd, data, done, offset));
}
ssize_t write(int fd, const void *data, size_t size) {
    REAL(write); WITH_LOCK(real(fd, data, size), note_fd('W', fd, data, done, lseek(fd, 0, SEEK_CUR) - done));
}
int ftruncate(int fd, off_t size) { REAL(ftruncate); WITH_LOCK(real(fd, size), note_fd('T', fd, 0, 0, size)); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); WITH_LOCK(real(fd, size), note_fd('T', fd, 0, 0, size)); }
int fsync(int fd) { REAL(fsync); WITH_LOCK(real(fd), note_fd('S', fd, 0, 0, 0)); }
int fdatasync(int fd) { REAL(fdatasync); WITH_LOCK(real(fd), note_fd('S', fd, 0, 0, 0)); }
int unlink(const char *path) { REAL(unlink); WITH_LOCK(real(path), note('U', path, 0, 0, 0)); }
int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat); WITH_LOCK(real(at, path, flags), note('U', path, 0, 0, 0));
}
int rename(const char *old, const char *fresh) {
    REAL(rename); WITH_LOCK(real(old, fresh), note('R', old, fresh, strlen(fresh), 0));
}

/* A file is there, empty, from its making on. */
#define OPEN(name, params, args) int name params { \
    REAL(name); int mode = 0; \
    if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); } \
    pthread_mutex_lock(&lock); \
    int was_there = access(path, F_OK) == 0; \
    int fd = real args; \
    if (fd >= 0 && (flags & O_CREAT) && !was_there) note_fd('C', fd, 0, 0, 0); \
    else if (fd >= 0 && (flags & O_TRUNC)) note_fd('T', fd, 0, 0, 0); \
    pthread_mutex_unlock(&lock); return fd; }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
