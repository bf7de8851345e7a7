// Executes the supervisor's file with a fixed environment. The runtime takes its settings from the environment, and no
// variable that is meant for a service may change them. The container's arguments and environment are passed through a
// pipe or a file in memory, unchanged.
#include "handover.h"

enum { RLIMIT_DATA = 2, RLIMIT_STACK = 3, RLIMIT_AS = 9, EXIT_CONFIG = 78 };
enum { PIPE_USUAL = 64 << 10, PIPE_MOST = 1 << 20, PATH_MOST = 4096, SETTINGS = 14 };

/**
 * The runtime uses as few threads as possible: when a service has used up the process limit, the creation of another
 * thread aborts the runtime (oven-sh/bun#36979). No timer wakes an idle supervisor, and freed memory is returned at
 * once. Each kind of runtime ignores the settings of the other.
 */
static const char settings[SETTINGS][44] = {
  "BUN_JSC_numberOfGCMarkers=1",
  "BUN_JSC_useConcurrentGC=0",
  "BUN_JSC_useConcurrentJIT=0",
  // WebAssembly is interpreted, because each of its compilers needs a thread.
  "BUN_JSC_useBBQJIT=0",
  "BUN_JSC_useOMGJIT=0",
  // Code that runs for a few milliseconds, such as that which reads the configuration, is not compiled.
  "BUN_JSC_thresholdForJITAfterWarmUp=20000",
  "BUN_JSC_thresholdForJITSoon=20000",
  "BUN_JSC_useWasmFaultSignalHandler=0",
  // With the real memory size of the machine, the heap for 500 busy services grows to 700 MB before garbage collection;
  // with this value, to 300 MB.
  "BUN_JSC_forceRAMSize=134217728",
  "BUN_JSC_useWarmUpMarkedBlocks=0",
  "BUN_GC_TIMER_DISABLE=1",
  "JSC_SIGNAL_FOR_GC=62",
  "MIMALLOC_PURGE_DELAY=0",
  // Two stopped terminals (XOFF) can block one thread each; one thread is left for other work.
  "UV_THREADPOOL_SIZE=3",
};

void add_line(struct handover *handover, const char *key, const char *value) {
  char *end = handover->lines + handover->size, *limit = handover->lines + sizeof handover->lines - 1;
  handover->size = (u32)(append(append(end, limit, key), limit, value) + 1 - handover->lines);
}

void add_number(struct handover *handover, const char *key, i64 number) {
  char text[24];
  append_number(text, text + sizeof text, number);
  add_line(handover, key, text);
}

/** A buffer for writes, so that a hundred variables do not need a hundred system calls. */
struct batch {
  int fd;
  u32 size;
  long failure;
  char bytes[16384];
};

/**
 * Opens the store of the handover, which is written completely before it is read: `ends[0]` reads, `ends[1]` writes. A
 * pipe holds the usual amount (pipe(7)). A larger amount needs a file in memory, which an old kernel, a seccomp filter
 * or a limit on file sizes may refuse.
 */
static long open_store(size_t size, int *ends, int *is_file) {
  long fd = size > PIPE_USUAL ? sys(__NR_memfd_create, "svc-super", 1 /* MFD_CLOEXEC */) : -1;
  *is_file = fd >= 0 && sys(__NR_ftruncate, fd, size) == 0;
  ends[0] = ends[1] = (int)fd;
  if (*is_file) return 0;
  if (fd >= 0) {
    // A file size limit (ulimit -f) leaves SIGXFSZ pending, which would end this process later: ignoring it discards it.
    const struct kernel_sigaction ignored = {.handler = 1};
    struct kernel_sigaction before;
    if (sys_action(SIGXFSZ, &ignored, &before) == 0) sys_action(SIGXFSZ, &before, NULL);
    sys_close((int)fd);
  }
  fd = sys(__NR_pipe2, ends, O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0 && size > PIPE_USUAL) sys_fcntl(ends[1], F_SETPIPE_SZ, PIPE_MOST);
  return fd;
}

static void flush_batch(struct batch *batch) {
  for (u32 at = 0; at < batch->size && batch->failure == 0;) {
    long written = sys_write(batch->fd, batch->bytes + at, batch->size - at);
    if (written > 0) at += (u32)written;
    else if (written != -EINTR) batch->failure = written;
  }
  batch->size = 0;
}

static void add_bytes(struct batch *batch, const char *bytes, size_t size) {
  while (size > 0) {
    if (batch->size == sizeof batch->bytes) flush_batch(batch);
    size_t part = sizeof batch->bytes - batch->size < size ? sizeof batch->bytes - batch->size : size;
    memcpy(batch->bytes + batch->size, bytes, part);
    batch->size += (u32)part, bytes += part, size -= part;
  }
}

long make_handover(const struct start *start, struct handover *handover) {
  static struct batch batch;
  u32 variables = 0;
  size_t size = sizeof handover->lines;
  for (int at = 0; at < start->argc; at++) size += strlen(start->argv[at]) + 1;
  for (; start->envp[variables]; variables++) size += strlen(start->envp[variables]) + 1;
  add_number(handover, "protocol=", 1);
  add_number(handover, "now=", sys_now());
  add_number(handover, "page=", (i64)start->page);
  add_number(handover, "soft_files=", (i64)start->files.soft);
  add_number(handover, "hard_files=", (i64)start->files.hard);
  for (int fd = 0; fd < 3; fd++) {
    u8 terminal[64];
    add_number(handover, fd == 0 ? "terminal0=" : fd == 1 ? "terminal1=" : "terminal2=", sys(__NR_ioctl, fd, TCGETS, terminal) == 0);
  }
  add_number(handover, "arguments=", start->argc);
  add_number(handover, "variables=", variables);
  add_line(handover, "", "");
  int ends[2], is_file;
  long failure = open_store(size, ends, &is_file);
  if (failure < 0) return failure;
  batch.fd = ends[1];
  add_bytes(&batch, handover->lines, handover->size);
  for (int at = 0; at < start->argc; at++) add_bytes(&batch, start->argv[at], strlen(start->argv[at]) + 1);
  for (u32 at = 0; at < variables; at++) add_bytes(&batch, start->envp[at], strlen(start->envp[at]) + 1);
  flush_batch(&batch);
  if (is_file) sys(__NR_lseek, ends[0], 0, 0);
  else sys_close(ends[1]);
  return batch.failure < 0 ? batch.failure : ends[0];
}

/**
 * The limits that the supervisor's runtime needs, bytes. With less it crashes at its start (measured on x86-64: it
 * reserves 411 MB of address space, 290 MB of data and 150 KB of stack, and hardly uses them).
 */
static const struct { int resource; u64 least; char what[32]; } needs[] = {  // no pointers: nothing relocates them
  {RLIMIT_AS, 512ull << 20, "address space (ulimit -v)"},
  {RLIMIT_DATA, 384ull << 20, "data (ulimit -d)"},
  {RLIMIT_STACK, 256ull << 10, "stack (ulimit -s)"},
};

/**
 * Raises soft limits that are too small for the supervisor's file. Services keep the original limits, because PID 1
 * starts them. Returns 0 if a hard limit is too small, or a soft limit cannot be raised.
 */
static int raise_limits(int is_silent) {
  for (u32 at = 0; at < sizeof needs / sizeof *needs; at++) {
    struct limit found;
    if (sys(__NR_prlimit64, 0, needs[at].resource, NULL, &found) < 0 || found.soft >= needs[at].least) continue;
    char is[24], least[24];
    append_number(least, least + sizeof least, (i64)(needs[at].least >> 10));
    if (found.hard >= needs[at].least) {
      // An unlimited stack changes how memory is laid out (setrlimit(2)).
      found.soft = needs[at].resource == RLIMIT_STACK && found.hard > 8ull << 20 ? 8ull << 20 : found.hard;
      if (sys(__NR_prlimit64, 0, needs[at].resource, &found, NULL) == 0) continue;
      if (!is_silent)
        MESSAGE("cannot run the supervisor: the soft limit of ", needs[at].what, " is too small, and the kernel or a seccomp filter does not let it "
            "be raised. Start svc-super with a soft limit of at least ", least, " KiB");
      return 0;
    }
    if (is_silent) return 0;
    append_number(is, is + sizeof is, (i64)(found.hard >> 10));
    MESSAGE("cannot run the supervisor: the hard limit of ", needs[at].what, " is ", is, " KiB, and it needs ", least,
        " KiB. Raise the limit; to limit a service, set its `limits` in services.yaml");
    return 0;
  }
  return 1;
}

int execute_supervisor(const struct start *start, int is_optional) {
  static const char name[] = "svc-super-supervisor";
  char path[PATH_MOST + sizeof name], *envp[SETTINGS + 2], number[24];
  u32 count = 0;
  long size = sys(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", path, PATH_MOST - 1);
  if (size < 0) {
    // The runtime also finds its own code there.
    if (!is_optional) MESSAGE("cannot run the supervisor: /proc is not mounted. Mount it: mount -t proc proc /proc");
    return is_optional ? 127 : EXIT_CONFIG;
  }
  while (size > 0 && path[size - 1] != '/') size--;
  append(path + size, path + sizeof path, name);
  while (count < SETTINGS) envp[count] = (char *)settings[count], count++;
  // PATH is used only if the supervisor's file begins with `#!/usr/bin/env`.
  for (char **variable = start->envp; *variable; variable++)
    if (after(*variable, "PATH=")) {
      envp[count++] = *variable;
      break;
    }
  envp[count] = NULL;
  char *const argv[] = {path, NULL};
  if (!raise_limits(is_optional)) return is_optional ? 127 : EXIT_CONFIG;
  long failure = sys_execve(path, argv, envp);
  append_number(number, number + sizeof number, -failure);
  if (is_optional) return 127;
  struct status found;
  if (sys_stat(AT_FDCWD, path, &found, 0) < 0)
    MESSAGE("cannot find ", path, ": svc-super is two files. Copy svc-super-supervisor into the same folder (`svc-super init` works without it)");
  else
    MESSAGE("cannot execute ", path, " (errno ", number, "): it must be executable, and built for this machine and C library");
  return 127;
}

int hand_over(const struct start *start, struct handover *handover, int is_optional) {
  long fd = make_handover(start, handover);
  if (fd < 0) {
    if (!is_optional) MESSAGE(NO_HANDOVER);
    return is_optional ? 127 : 70;
  }
  if (fd != FD_HANDOVER) sys_dup3((int)fd, FD_HANDOVER, 0);
  else sys_fcntl(FD_HANDOVER, F_SETFD, 0);
  sys_mask(&start->blocked, NULL);
  return execute_supervisor(start, is_optional);
}
