// Starts programs. The child reports a failure, by step and errno, through a pipe that exec closes. PID 1 polls the pipe,
// so it never waits for the exec. The child applies the settings that need privileges before it changes its user.
// Never interprets an exit status.
#include "spawn.h"

enum { AF_UNIX = 1, SOCK_DGRAM = 2, SOL_SOCKET = 1, SO_PASSCRED = 16 };
/** Descriptors that are left for PID 1 itself. */
enum { SPARE_FILES = 16 };

int read_spawn(struct reader *from, struct spawn *spawn) {
  spawn->run = get_u32(from);
  spawn->stop_signal = get_u32(from);
  spawn->mark = get_u64(from);
  spawn->given = get_u32(from);
  spawn->uid = get_u32(from);
  spawn->gid = get_u32(from);
  spawn->umask = get_u32(from);
  spawn->nice = (i32)get_u32(from);
  spawn->oom_score = (i32)get_u32(from);
  spawn->group_count = get_u32(from);
  spawn->groups = from->at;
  for (u32 at = 0; at < spawn->group_count && !from->bad; at++) get_u32(from);
  spawn->cpu_words = get_u32(from);
  spawn->cpus = from->at;
  for (u32 at = 0; at < spawn->cpu_words && !from->bad; at++) get_u64(from);
  spawn->limit_count = get_u32(from);
  spawn->limits = from->at;
  for (u32 at = 0; at < spawn->limit_count && !from->bad; at++) get_u32(from), get_u64(from), get_u64(from);
  spawn->notify = get_text(from);
  spawn->cwd = get_text(from);
  spawn->cgroup = get_text(from);
  spawn->stream_count = get_u32(from);
  if (spawn->stream_count > STREAMS_MOST) return 0;
  for (u32 at = 0; at < spawn->stream_count; at++) {
    struct stream *stream = &spawn->streams[at];
    stream->target = get_u32(from);
    stream->kind = get_u32(from);
    stream->which = get_u32(from);
    stream->path = get_text(from);
    if (stream->target > 255 || stream->kind > STREAM_PATH || stream->which >= STREAMS_MOST) return 0;
  }
  spawn->arguments = get_texts(from, &spawn->argument_count);
  spawn->variables = get_texts(from, &spawn->variable_count);
  return !from->bad && from->at == from->end && spawn->argument_count > 0 && spawn->stop_signal <= SIGNALS;
}

enum { STAT_MOST = 512 };

/** A field of /proc/<pid>/stat (proc_pid_stat(5)), from the third on; "" if there is no such process. */
static const char *stat_field(int pid, int wanted, char *text) {
  char path[32], *limit = path + sizeof path;
  append(append_number(append(path, limit, "/proc/"), limit, pid), limit, "/stat");
  long fd = sys_open(path, O_RDONLY);
  if (fd < 0) return "";
  long size = sys_read((int)fd, text, STAT_MOST - 1);
  sys_close((int)fd);
  if (size <= 0) return "";
  text[size] = 0;
  // The name is in parentheses and may contain any byte: fields are counted from the last `)`.
  char *at = text + size;
  while (at > text && *at != ')') at--;
  for (int field = 2; *at && field < wanted; at++) field += *at == ' ';
  return at;
}

/** A field of /proc/<pid>/stat that is a number; 0 if there is no such process. */
static u64 stat_number(int pid, int wanted) {
  char text[STAT_MOST];
  const char *at = stat_field(pid, wanted, text);
  u64 number = 0;
  for (; *at >= '0' && *at <= '9'; at++) number = number * 10 + (u64)(*at - '0');
  return number;
}

u64 start_time(int pid) { return stat_number(pid, 22); }
int parent_of(int pid) { return (int)stat_number(pid, 4); }
char process_state(int pid) {
  char text[STAT_MOST];
  return *stat_field(pid, 3, text);
}

static void fail(struct run *run, enum step step, long result) {
  run->phase = RUN_FAILED;
  run->failure[0] = step;
  run->failure[1] = (i32)-result;
}

void close_run(struct run *run) {
  for (u32 at = 0; at < run->pipe_count; at++) sys_close(run->pipes[at]);
  run->pipe_count = 0;
  if (run->notify >= 0) sys_close(run->notify);
  if (run->exec_report >= 0) sys_close(run->exec_report);
  run->notify = run->exec_report = -1;
}

/**
 * Opens a datagram socket in the abstract namespace (unix(7)) that receives the credentials of senders: sd_notify(3).
 */
static long open_notify(const char *name) {
  struct { u16 family; char path[108]; } address = {.family = AF_UNIX};
  size_t size = strlen(name);
  if (size > sizeof address.path - 1) return -ENAMETOOLONG;
  memcpy(address.path + 1, name, size);
  long fd = sys(__NR_socket, AF_UNIX, SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  const int on = 1;
  long failure = sys(__NR_bind, fd, &address, (long)(sizeof address.family + 1 + size));
  if (failure == 0) failure = sys(__NR_setsockopt, fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  if (failure == 0) return fd;
  sys_close((int)fd);
  return failure;
}

long open_null(void) {
  enum { NULL_DEVICE = 1 << 8 | 3 };  // null(4)
  struct status found;
  int ends[2];
  long fd = sys_open("/dev/null", O_RDWR);
  if (fd >= 0 && sys_stat(AT_FDCWD, "/dev/null", &found, 0) == 0 && (found.mode & S_IFMT) == S_IFCHR && found.rdev == NULL_DEVICE)
    return fd;
  // A regular file of that name would collect the output of all services, and be read by them.
  if (fd >= 0) sys_close((int)fd);
  long failure = sys(__NR_pipe2, ends, O_CLOEXEC);
  if (failure < 0) return failure;
  sys_close(ends[1]);
  return ends[0];
}

// The functions below run in the child.

/** The writing end of the pipe that reports a failure. */
static int report;

__attribute__((noreturn)) static void give_up(enum step step, long result, u32 index) {
  i32 failure[3] = {step, (i32)-result, (i32)index};
  sys_write(report, failure, sizeof failure);
  sys_exit(127);
}

static void must(enum step step, long result) {
  if (result < 0) give_up(step, result, 0);
}

/** Moves the streams to their descriptors: first to numbers above all targets, so that none is overwritten. */
static void place_streams(const struct spawn *spawn, const int *writing_ends) {
  int sources[STREAMS_MOST];
  u32 above = 3, pipe = 0;
  for (u32 at = 0; at < spawn->stream_count; at++)
    if (spawn->streams[at].target >= above) above = spawn->streams[at].target + 1;
  long moved = sys_fcntl(report, F_DUPFD_CLOEXEC, above);
  must(STEP_STREAMS, moved);
  report = (int)moved;
  for (u32 at = 0; at < spawn->stream_count; at++) {
    const struct stream *stream = &spawn->streams[at];
    // `which`: the access mode of a path, or the index of an earlier pipe.
    long source = stream->kind == STREAM_NULL   ? open_null()
                  : stream->kind == STREAM_PATH ? sys_open(stream->path, (int)stream->which | O_NOCTTY)
                  : stream->kind == STREAM_SAME ? writing_ends[stream->which]
                                                : writing_ends[pipe++];
    if (source >= 0) source = sys_fcntl((int)source, F_DUPFD_CLOEXEC, above);
    if (source < 0) give_up(STEP_STREAMS, source, stream->target);
    sources[at] = (int)source;
  }
  for (u32 at = 0; at < spawn->stream_count; at++) must(STEP_STREAMS, sys_dup3(sources[at], (int)spawn->streams[at].target, 0));
}

/**
 * Enters a cgroup before exec, so that the program's memory counts there: memory that a process has already stays with its old
 * cgroup.
 */
static void enter_cgroup(const char *path) {
  long fd = sys_open(path, O_WRONLY);
  must(STEP_CGROUP, fd);
  // 0 is the process that writes (cgroups(7)).
  must(STEP_CGROUP, sys_write((int)fd, "0", 1));
}

static void set_oom_score(i32 value) {
  char text[16];
  char *end = append_number(text, text + sizeof text, value);
  long fd = sys_open("/proc/self/oom_score_adj", O_WRONLY);
  must(STEP_OOM_SCORE, fd);
  must(STEP_OOM_SCORE, sys_write((int)fd, text, (size_t)(end - text)));
}

static void set_limits(const struct start *start, const struct spawn *spawn) {
  struct limit locks, file_limit = start->files;
  sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &file_limit, NULL);
  // The mark of the run is stored in a limit that Linux has not enforced since 2.4 (getrlimit(2)) and that every
  // descendant inherits. If the kernel does not store it, the supervisor finds the processes by variables of their
  // environment.
  if (spawn->mark && sys(__NR_prlimit64, 0, RLIMIT_LOCKS, NULL, &locks) == 0) {
    locks.soft = spawn->mark;
    sys(__NR_prlimit64, 0, RLIMIT_LOCKS, &locks, NULL);
  }
  for (u32 at = 0; at < spawn->limit_count; at++) {
    struct { u32 resource; u64 soft, hard; } __attribute__((packed)) wanted;
    memcpy(&wanted, spawn->limits + at * sizeof wanted, sizeof wanted);
    struct limit limit = {wanted.soft, wanted.hard};
    long result = sys(__NR_prlimit64, 0, wanted.resource, &limit, NULL);
    if (result < 0) give_up(STEP_LIMIT, result, wanted.resource);
  }
}

/** Whether this process already runs as that user, and not as root: then a change is neither needed nor permitted. */
static int is_user(u32 uid, u32 gid) { return uid != 0 && sys(__NR_geteuid) == (long)uid && sys(__NR_getegid) == (long)gid; }

/** Changes the groups first: the calls for groups need privileges that setresuid(2) drops. */
static void set_user(u32 uid, u32 gid, u32 count, const void *groups) {
  if (is_user(uid, gid)) return;
  must(STEP_USER, sys(__NR_setgroups, count ? count : 1, count ? groups : &gid));
  must(STEP_USER, sys(__NR_setresgid, gid, gid, gid));
  must(STEP_USER, sys(__NR_setresuid, uid, uid, uid));
}

/** The array of pointers for execve(2). Allocated in the child, so that PID 1 need not free it. */
static char **make_pointers(const char *texts, u32 count) {
  long found = sys(__NR_mmap, 0, (count + 1ul) * sizeof(char *), 3 /* PROT_READ|WRITE */, 0x22 /* MAP_PRIVATE|ANONYMOUS */, -1, 0);
  if (found < 0 && found > -4096) give_up(STEP_EXEC, found, 0);
  char **pointers = (char **)found;
  for (u32 at = 0; at < count; at++, texts += strlen(texts) + 1) pointers[at] = (char *)texts;
  return pointers;
}

void end_with_parent(int parent) {
  if (parent == 0) return;
  sys(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (sys(__NR_getppid) != parent) sys_exit(127);
}

__attribute__((noreturn)) static void execute_program(const struct start *start, const struct spawn *spawn, const int *writing_ends, int parent) {
  sys(__NR_setsid);
  char **argv = make_pointers(spawn->arguments, spawn->argument_count);
  char **envp = make_pointers(spawn->variables, spawn->variable_count);
  place_streams(spawn, writing_ends);
  if (spawn->given & GIVEN_TERMINAL) {
    must(STEP_TERMINAL, sys(__NR_ioctl, 0, TIOCSCTTY, 0));
    // A program of another user can then open the terminal by its path, as after login(1). Its streams work without this.
    if (spawn->given & GIVEN_USER) sys(__NR_fchown, 0, spawn->uid, -1);
  }
  if (*spawn->cgroup) enter_cgroup(spawn->cgroup);
  if (spawn->given & GIVEN_OOM_SCORE) set_oom_score(spawn->oom_score);
  if (spawn->given & GIVEN_NICE) must(STEP_NICE, sys(__NR_setpriority, 0, 0, spawn->nice));
  if (spawn->cpu_words) must(STEP_CPUS, sys(__NR_sched_setaffinity, 0, spawn->cpu_words * sizeof(u64), spawn->cpus));
  set_limits(start, spawn);
  if (spawn->given & GIVEN_UMASK) sys(__NR_umask, spawn->umask);
  if (spawn->given & GIVEN_USER) set_user(spawn->uid, spawn->gid, spawn->group_count, spawn->groups);
  if (*spawn->cwd) must(STEP_CWD, sys(__NR_chdir, spawn->cwd));
  end_with_parent(parent);
  sys_mask(&start->blocked, NULL);
  give_up(STEP_EXEC, execute(argv[0], argv, envp), 0);
}

// The functions below run in PID 1.

/** Opens PID 1's descriptors of a run. Returns 0 or minus an errno, with the step in `run->failure[0]`. */
static long prepare(const struct spawn *spawn, struct run *run, int *writing_ends, int *report_ends) {
  struct limit files;
  int newest = -1, ends[2];
  run->failure[0] = STEP_DESCRIPTORS;
  for (u32 at = 0; at < spawn->stream_count; at++) {
    const struct stream *stream = &spawn->streams[at];
    if (stream->kind == STREAM_SAME && stream->which >= run->pipe_count) return -EINVAL;
    if (stream->kind != STREAM_PIPE) continue;
    long failure = sys(__NR_pipe2, ends, O_CLOEXEC);
    if (failure < 0) return failure;
    run->pipes[run->pipe_count] = ends[0];
    writing_ends[run->pipe_count++] = newest = ends[1];
    // With this owner a program of another user can open the pipe again, as /dev/stdout. A failure is ignored: without the
    // privilege for fchown(2) the child cannot change its user either, and reports that.
    if (spawn->given & GIVEN_USER) sys(__NR_fchown, ends[1], spawn->uid, spawn->gid);
  }
  long failure = sys(__NR_pipe2, report_ends, O_CLOEXEC | O_NONBLOCK);
  if (failure < 0) return failure;
  run->exec_report = report_ends[0];
  if (report_ends[1] > newest) newest = report_ends[1];
  if (sys(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &files) == 0 && (u64)newest + SPARE_FILES >= files.soft) return -EMFILE;
  if (!*spawn->notify) return 0;
  run->failure[0] = STEP_NOTIFY;
  long notify = open_notify(spawn->notify);
  if (notify < 0) return notify;
  run->notify = (i32)notify;
  return 0;
}

static void close_ends(const int *ends, u32 count) {
  for (u32 at = 0; at < count; at++)
    if (ends[at] >= 0) sys_close(ends[at]);
}

void start_run(const struct start *start, const struct spawn *spawn, struct run *run, int parent) {
  int writing_ends[STREAMS_MOST], report_ends[2] = {-1, -1};
  *run = (struct run){.id = spawn->run, .exec_report = -1, .notify = -1, .stop_signal = spawn->stop_signal, .mark = spawn->mark};
  long result = prepare(spawn, run, writing_ends, report_ends);
  enum step step = (enum step)run->failure[0];
  if (result == 0) {
    step = STEP_FORK;
    result = sys_fork();
    if (result == 0) {
      report = report_ends[1];
      execute_program(start, spawn, writing_ends, parent);
    }
  }
  close_ends(writing_ends, run->pipe_count);
  close_ends(report_ends + 1, 1);
  if (result < 0) {
    close_run(run);
    fail(run, step, result);
    return;
  }
  run->pid = (i32)result;
  run->phase = RUN_STARTING;
  run->start = start_time(run->pid);
}

void finish_start(struct run *run) {
  i32 found[3];
  // EAGAIN: the child has not executed the program yet. A child that was reaped reports nothing more: its exit status is the
  // result, even if another process has opened the pipe through /proc/PID/fd, so that the pipe does not end.
  long size = sys_read(run->exec_report, found, sizeof found);
  if (size == -EAGAIN && !run->exited) return;
  sys_close(run->exec_report);
  run->exec_report = -1;
  run->phase = size == (long)sizeof found ? RUN_FAILED : RUN_EXECUTING;
  if (run->phase == RUN_FAILED) memcpy(run->failure, found, sizeof found);
}
