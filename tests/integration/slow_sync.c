/* Preloaded into a program: whatever makes bytes durable first takes as many milliseconds as the file
   PARLEY_SLOW_SYNC says (8 bytes, may change at any time). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* milliseconds;

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("PARLEY_SLOW_SYNC");
  if (path == NULL) return;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void* seen = mmap(NULL, sizeof *milliseconds, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (seen != MAP_FAILED) milliseconds = seen;
}

static void take_time(int file, int needs_dsync) {
  if (milliseconds == NULL || *milliseconds <= 0) return;
  const int saved = errno;
  if (!needs_dsync || (fcntl(file, F_GETFL) & O_DSYNC) != 0) {
    const struct timespec length = {*milliseconds / 1000, *milliseconds % 1000 * 1000000};
    nanosleep(&length, NULL);
  }
  errno = saved;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define SLOW(result, name, parameters, arguments, needs_dsync) \
  result name parameters {                                     \
    take_time(file, needs_dsync);                              \
    return NEXT(name) arguments;                               \
  }

SLOW(int, fsync, (int file), (file), 0)
SLOW(int, fdatasync, (int file), (file), 0)
SLOW(ssize_t, write, (int file, const void* bytes, size_t count), (file, bytes, count), 1)
SLOW(ssize_t, writev, (int file, const struct iovec* parts, int count), (file, parts, count), 1)
SLOW(ssize_t, pwrite, (int file, const void* bytes, size_t count, off_t offset),
     (file, bytes, count, offset), 1)
SLOW(ssize_t, pwrite64, (int file, const void* bytes, size_t count, off64_t offset),
     (file, bytes, count, offset), 1)
SLOW(ssize_t, pwritev, (int file, const struct iovec* parts, int count, off_t offset),
     (file, parts, count, offset), 1)
SLOW(ssize_t, pwritev64, (int file, const struct iovec* parts, int count, off64_t offset),
     (file, parts, count, offset), 1)
SLOW(ssize_t, pwritev2, (int file, const struct iovec* parts, int count, off_t offset, int flags),
     (file, parts, count, offset, flags), 1)
