// The start of PID 1 with the supervisor as its child: checks what the machine offers, opens the control socket, starts the
// supervisor, and enters the loop. The loop blocks only in poll(2), and keeps events as state until the socket has room,
// so that a supervisor that reads nothing costs no memory. If the start fails, prints the reason and exits. Never reads
// the configuration.
#include "supervise.h"

enum { DEFAULT_GRACE = 9000 };
/**
 * Signals that keep their default action in the supervisor, which ignores all others so that none ends it. 32 and 33
 * belong to libc; 62 is the runtime's (JSC_SIGNAL_FOR_GC in handover.c).
 */
#define KEPT_SIGNALS (sigbit(SIGCHLD) | sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGABRT) | sigbit(SIGBUS) | sigbit(SIGFPE) | \
                      sigbit(SIGSEGV) | sigbit(SIGSYS) | sigbit(SIGKILL) | sigbit(SIGSTOP) | sigbit(SIGCONT) | sigbit(32) | \
                      sigbit(33) | sigbit(62))

/** The stop signals until the supervisor sends its own (REQUEST_HELLO). */
#define DEFAULT_STOP (sigbit(SIGTERM) | sigbit(SIGINT) | sigbit(SIGQUIT) | sigbit(SIGPWR) | sigbit(SIGRTMIN + 3))

struct pid1 pid1;

__attribute__((noreturn)) void leave(int code) {
  close_control();
  // When PID 1 exits, the kernel kills its whole namespace. Elsewhere the supervisor would outlive its parent and go on
  // printing.
  if (!pid1.is_init && pid1.supervisor > 0) {
    sys_kill(pid1.supervisor, SIGKILL);
    sys_wait4(pid1.supervisor, NULL, 0);
  }
  sys_exit(code);
}

/** Whether /proc shows the processes of this PID namespace. Without it nothing can be supervised. */
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
  int works = sys(__NR_prlimit64, 0, RLIMIT_LOCKS, &marked, NULL) == 0 && sys(__NR_prlimit64, 0, RLIMIT_LOCKS, NULL, &found) == 0 &&
    found.soft == marked.soft;
  sys(__NR_prlimit64, 0, RLIMIT_LOCKS, &before, NULL);
  return works;
}

/**
 * Moves descriptors to the numbers that the supervisor expects, from FD_SOCKET on; first above these, so that none is
 * overwritten.
 */
static void place_descriptors(int *fds, int count) {
  for (int at = 0; at < count; at++)
    if (fds[at] >= 0) fds[at] = (int)sys_fcntl(fds[at], F_DUPFD_CLOEXEC, FD_SOCKET + count);
  for (int at = 0; at < count; at++)
    if (fds[at] >= 0) sys_dup3(fds[at], FD_SOCKET + at, 0);
}

__attribute__((noreturn)) static void start_supervisor(struct handover *handover, int socket, int idle) {
  const struct kernel_sigaction ignored = {.handler = 1};
  const sigmask none = 0;
  int fds[] = {socket, (int)make_handover(pid1.start, handover), pid1.control, idle};
  if (fds[1] < 0) {
    SAY(NO_HANDOVER);
    sys_exit(EXIT_BUG);
  }
  sys(__NR_setsid);
  if (!pid1.is_init) sys(__NR_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
  for (int signal = 1; signal <= SIGNALS; signal++)
    if (!(KEPT_SIGNALS & sigbit(signal))) sys_action(signal, &ignored, NULL);
  place_descriptors(fds, 4);
  sys_mask(&none, NULL);
  sys_exit(execute_supervisor(pid1.start, 0));
}

int supervise(const struct start *start) {
  int ends[2], idle[2];
  struct handover handover = {0};
  pid1.start = start;
  pid1.self = (int)sys_getpid();
  pid1.is_init = pid1.self == 1;
  pid1.grace = DEFAULT_GRACE;
  pid1.stop_signals = DEFAULT_STOP;
  if (!has_proc()) {
    SAY("cannot supervise: /proc does not show the processes of this PID namespace. Mount it: mount -t proc proc /proc");
    return 78;
  }
  if (!pid1.is_init) sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
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
  if (pid1.signals < 0 || sys(__NR_socketpair, 1, 1 | O_CLOEXEC | O_NONBLOCK, 0, ends) < 0 || sys(__NR_pipe2, idle, O_CLOEXEC) < 0) {
    SAY("cannot supervise: no descriptors can be opened. Raise the limit of open files (ulimit -n)");
    return EXIT_BUG;
  }
  pid1.socket = ends[0];
  // With the initial capacity of 64 KiB (pipe(7)), writer and reader wait for each other again and again.
  sys_fcntl(1, F_SETPIPE_SZ, 1 << 20);
  sys_fcntl(2, F_SETPIPE_SZ, 1 << 20);
  add_line(&handover, "role=supervise", "");
  add_number(&handover, "pid=", pid1.self);
  add_number(&handover, "marks=", has_marks());
  pid1.control = listen_control(start, &handover);
  long pid = sys_fork();
  if (pid == 0) start_supervisor(&handover, ends[1], idle[0]);
  sys_close(ends[1]);
  sys_close(idle[1]);
  sys_close(idle[0]);
  if (pid < 0) {
    SAY("cannot start the supervisor: no process can be made. Raise the limit of processes (ulimit -u, pids.max)");
    leave(EXIT_BUG);
  }
  pid1.supervisor = (int)pid;
  loop();
}
