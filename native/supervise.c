// Starts PID 1 with the supervisor as its child: checks the kernel's features, opens the control socket, starts the
// supervisor, and enters the loop. The loop blocks only in poll(2), and keeps events as state until the socket has room,
// so that a supervisor that reads nothing needs no memory. If the start fails, prints the reason and exits. Never reads
// the configuration.
#include "supervise.h"

enum { DEFAULT_GRACE = 9000 };
#define NO_DESCRIPTORS "cannot supervise: no descriptors can be opened. Raise the limit of open files (ulimit -n)"
static const struct settings default_settings = {
  .hung_after = 30000, .stop_wait = 2000, .pause_most = 5000, .deaths_before_most = 5, .deaths_young_most = 20};

/** The stop signals until the supervisor sends its own (REQUEST_HELLO). */
#define DEFAULT_STOP (sigbit(SIGTERM) | sigbit(SIGINT) | sigbit(SIGQUIT) | sigbit(SIGPWR) | sigbit(SIGRTMIN + 3))

struct pid1 pid1;

__attribute__((noreturn)) void leave(int code) {
  close_control();
  // When PID 1 exits, the kernel kills its whole namespace. Otherwise the supervisor would outlive its parent and continue
  // to print.
  if (!pid1.is_init && pid1.supervisor > 0) {
    sys_kill(pid1.supervisor, SIGKILL);
    sys_wait4(pid1.supervisor, NULL, 0);
  }
  sys_exit(code);
}

/** Whether /proc shows the processes of this PID namespace. The supervisor needs that. */
static int has_proc(void) {
  char self[16] = {0};
  long size = sys(__NR_readlinkat, AT_FDCWD, "/proc/self", self, sizeof self - 1);
  return size > 0 && parse_number(self) == pid1.self;
}

/** Whether the kernel stores the mark of a run in a resource limit; gVisor does not. */
static int has_marks(void) {
  struct limit before, marked, found;
  if (sys(__NR_prlimit64, 0, RLIMIT_LOCKS, NULL, &before) < 0) return 0;
  // As large as the marks of src/pid1/children.ts: the hard limit may be lower.
  marked = (struct limit){1ull << 53, before.hard};
  int is_stored = sys(__NR_prlimit64, 0, RLIMIT_LOCKS, &marked, NULL) == 0 && sys(__NR_prlimit64, 0, RLIMIT_LOCKS, NULL, &found) == 0 &&
    found.soft == marked.soft;
  sys(__NR_prlimit64, 0, RLIMIT_LOCKS, &before, NULL);
  return is_stored;
}

int supervise(const struct start *start) {
  pid1.start = start;
  pid1.self = (int)sys_getpid();
  pid1.is_init = pid1.self == 1;
  pid1.grace = DEFAULT_GRACE;
  pid1.stop_signals = DEFAULT_STOP;
  pid1.settings = default_settings;
  pid1.socket = -1;
  if (!has_proc()) {
    MESSAGE("cannot supervise: /proc does not show the processes of this PID namespace. Mount it: mount -t proc proc /proc");
    return 78;
  }
  if (!pid1.is_init) sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // The buffers contain environments, which core dumps must not. madvise(2) accepts whole pages only.
  u64 page = start->page ? start->page : 4096, from = (u64)&pid1 & ~(page - 1);
  sys(__NR_madvise, from, (((u64)&pid1 + sizeof pid1 + page - 1) & ~(page - 1)) - from, MADV_DONTDUMP);
  // The supervisor opens descriptors of this process through /proc. If its file is executable and not readable, the
  // kernel permits that only for a dumpable process.
  sys(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  for (int fd = 0; fd < 3; fd++)
    if (sys_fcntl(fd, F_GETFD, 0) == -EBADF) {
      int null = (int)open_null();
      if (null >= 0 && null != fd) sys_dup3(null, fd, 0), sys_close(null);
      if (null >= 0) sys_fcntl(fd, F_SETFD, 0);
    }
  if (sys(__NR_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
    for (int fd = 3; fd < 1024; fd++) sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
  const struct limit most = {start->files.hard, start->files.hard};
  sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &most, NULL);
  pid1.signals = (int)sys_signalfd(~0ull);
  if (pid1.signals < 0) {
    MESSAGE(NO_DESCRIPTORS);
    return EXIT_BUG;
  }
  // With the default capacity of 64 KiB (pipe(7)), writer and reader often wait for each other.
  sys_fcntl(1, F_SETPIPE_SZ, 1 << 20);
  sys_fcntl(2, F_SETPIPE_SZ, 1 << 20);
  add_line(&pid1.handover, "role=supervise", "");
  add_number(&pid1.handover, "pid=", pid1.self);
  add_number(&pid1.handover, "marks=", has_marks());
  pid1.control = listen_control(start, &pid1.handover);
  long failure = launch_supervisor();
  if (failure == -EMFILE || failure == -ENFILE) {
    MESSAGE(NO_DESCRIPTORS);
    leave(EXIT_BUG);
  }
  if (failure == -EAGAIN) MESSAGE("cannot start the supervisor: no process can be created. Raise the limit of processes (ulimit -u, pids.max)");
  else if (failure < 0) {
    char number[24];
    append_number(number, number + sizeof number, -failure);
    MESSAGE("cannot start the supervisor: ", failure == -ENOMEM ? "no memory is left" : "the kernel refuses it", " (errno ", number, ")");
  }
  if (failure < 0) leave(EXIT_BUG);
  loop();
}
