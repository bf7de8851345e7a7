// `svc-super init`: starts one command, forwards signals to it, reaps orphans and returns the command's exit code. If it is
// called by the name of tini, dumb-init or catatonit, it has the options and semantics of that program. Reads no file, keeps
// no descriptor.
#include "svc-super.h"

enum flavour { INIT, TINI, DUMB_INIT, CATATONIT };
enum { AS_IT_IS = 0xff, USAGE = 64, SI_FROM_KERNEL = 0x80, SI_FROM_QUEUE = -1 };

/** The settings that result from the name, the environment and the options. */
struct options {
  enum flavour flavour;
  int subreaper, group, session, pause, warn, verbose, parent_signal;
  /** For each signal the one to forward instead; 0: none, AS_IT_IS: not set yet. */
  u8 rewrite[SIGNALS + 1];
  /** Exit codes that become 0, as a bit set. */
  u64 success[4];
};

/** siginfo_t (sigaction(2)), passed whole to rt_sigqueueinfo(2). */
struct caught { i32 signal, error, code, pad, pid; u8 rest[108]; };

// Arrays of characters, not of pointers: relocations are not applied to this program.
static const char names[SIGSYS + 1][7] = {"", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
  "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM",
  "PROF", "WINCH", "IO", "PWR", "SYS"};
/** The option letters of each flavour; `:` follows a letter that takes a value. */
static const char letters[4][16] = {"sgce:r:p:wvlh", "sge:p:wvlhV", "cr:vhV", "gPhLV"};
/** The option letter, then the long name. */
static const char long_names[5][14] = {"hhelp", "Vversion", "vverbose", "rrewrite", "csingle-child"};
static const char help[] =
  "Usage: svc-super init [OPTION]... [--] COMMAND [ARGUMENT]...\n"
  "Runs COMMAND, forwards every signal to it, reaps every orphan, and exits with its exit code.\n\n"
  "  -g          forward signals to the process group of COMMAND\n"
  "  -c          forward signals to COMMAND only (default)\n"
  "  -r SIG:SIG  forward the second signal in place of the first, 0: none; repeatable\n"
  "  -e CODE     exit with 0 if COMMAND exits with CODE; repeatable\n"
  "  -p SIG      get this signal when the parent process ends\n"
  "  -s          adopt orphans even if this is not PID 1 (init always does)\n"
  "  -w          report each orphan that was reaped\n"
  "  -v          report actions; repeatable\n"
  "  -h, -l      print this help, the license\n\n"
  "Called as tini, docker-init, dumb-init or catatonit, it has that program's options. Variables: TINI_SUBREAPER,\n"
  "TINI_KILL_PROCESS_GROUP, TINI_VERBOSITY, DUMB_INIT_SETSID=0 (as -c), DUMB_INIT_DEBUG=1 (as -vv).\n";
static const char license[] = "svc-super is free software under the MIT license: see LICENSE.\n";

static const struct { i32 error; char text[60]; } errors[] = {
  {ENOENT, "no such file, or its interpreter does not exist"},
  {EACCES, "permission denied, or not an executable file"},
  {ENOEXEC, "not a program for this machine"},
  {ENOTDIR, "a part of the path is not a directory"},
  {ELOOP, "too many symbolic links"},
  {E2BIG, "arguments and environment are too long"},
  {ENOMEM, "not enough memory"},
  {ETXTBSY, "the file is open for writing"},
  {EAGAIN, "too many processes. Raise the limit (pids.max, `ulimit -u`)"},
};

/** Prints `text`, the number and `rest` on standard error. */
static void report(const char *text, i64 number, const char *rest) {
  char digits[24];
  append_number(digits, digits + sizeof digits, number);
  MESSAGE(text, digits, rest);
}

static void report_failure(const char *what, const char *name, int error) {
  const char *reason = "the kernel refused it";
  char digits[24];
  append_number(digits, digits + sizeof digits, error);
  for (size_t at = 0; at < sizeof errors / sizeof *errors; at++)
    if (errors[at].error == error) reason = errors[at].text;
  MESSAGE("cannot ", what, " ", name, ": ", reason, " (errno ", digits, ")");
}

static void print(const char *text) {
  for (size_t left = strlen(text); left > 0;) {
    long done = sys_write(1, text, left);
    if (done <= 0 && done != -EINTR) return;
    if (done > 0) text += done, left -= (size_t)done;
  }
}

/** The number of a signal given as `TERM`, `SIGTERM` or `15` (0 for `0`); -1 if it is invalid. */
static int parse_signal(const char *text) {
  i64 number = parse_number(text);
  if (number >= 0) return number <= SIGNALS ? (int)number : -1;
  const char *name = after(text, "SIG");
  for (int signal = 1; signal <= SIGSYS; signal++)
    if (same(names[signal], name ? name : text)) return signal;
  return -1;
}

/** Applies `SIG:SIG`; 0 if it is invalid. */
static int parse_rewrite(struct options *options, const char *text) {
  char from[16];
  size_t size = 0;
  while (text[size] && text[size] != ':' && size + 1 < sizeof from) from[size] = text[size], size++;
  from[size] = 0;
  int signal = parse_signal(from), other = text[size] == ':' ? parse_signal(text + size + 1) : -1;
  if (signal <= 0 || other < 0) return 0;
  options->rewrite[signal] = (u8)other;
  return 1;
}

/** Applies one option. Returns 0 if its value is invalid, -1 if the option ends the program with success. */
static int apply(struct options *options, char letter, const char *value) {
  i64 code;
  switch (letter) {
    case 's': options->subreaper = 1; return 1;
    case 'g': options->group = 1; return 1;
    case 'c': options->group = options->session = 0; return 1;
    case 'w': options->warn = 1; return 1;
    case 'v': options->verbose += options->flavour == DUMB_INIT ? 2 : 1; return 1;
    case 'P': options->pause = 1; return 1;
    case 'r': return parse_rewrite(options, value);
    case 'p': return (options->parent_signal = parse_signal(value)) > 0;
    case 'e':
      code = parse_number(value);
      if (code < 0 || code > 255) return 0;
      options->success[code / 64] |= 1ull << (code % 64);
      return 1;
    case 'h': print(help); return -1;
    // `docker info` parses the version that docker-init prints.
    case 'V':
      print(options->flavour == DUMB_INIT ? "dumb-init v1.2.5 (svc-super)\n" : "tini version 0.19.0 (svc-super)\n");
      return -1;
    default: print(license); return -1;
  }
}

/**
 * Applies the options of words[0]. Returns the number of words used (2 if words[1] is a value), 0 if an option is invalid,
 * -1 if an option ends the program with success.
 */
static int parse_word(struct options *options, char *const *words) {
  const char *word = words[0] + 1, *value = NULL;
  char only[2] = "";
  if (*word == '-') {
    for (size_t at = 0; at < sizeof long_names / sizeof *long_names; at++) {
      const char *rest = after(word + 1, long_names[at] + 1);
      if (rest && (!*rest || *rest == '=')) only[0] = long_names[at][0], value = *rest ? rest + 1 : NULL;
    }
    word = only;
    if (!*word) return 0;
  }
  for (; *word; word++) {
    const char *known = letters[options->flavour];
    while (*known && *known != *word) known++;
    if (!*known || *word == ':') return 0;
    if (known[1] != ':') {
      int result = value ? 0 : apply(options, *word, NULL);
      if (result <= 0) return result;
      continue;
    }
    int taken = 1;
    if (!value) value = word[1] && word != only ? word + 1 : (taken = 2, words[1]);
    return value && apply(options, *word, value) ? taken : 0;
  }
  return 1;
}

static void parse_environment(struct options *options, char *const *envp) {
  const char *value;
  if (options->flavour <= TINI) {
    options->subreaper = variable(envp, "TINI_SUBREAPER") != NULL;
    options->group = variable(envp, "TINI_KILL_PROCESS_GROUP") != NULL;
    if ((value = variable(envp, "TINI_VERBOSITY"))) options->verbose = (int)parse_number(value);
  }
  if (options->flavour == INIT || options->flavour == DUMB_INIT) {
    if ((value = variable(envp, "DUMB_INIT_SETSID")) && same(value, "0")) options->group = options->session = 0;
    if ((value = variable(envp, "DUMB_INIT_DEBUG")) && same(value, "1")) options->verbose = 3;
  }
  if (options->flavour == CATATONIT && variable(envp, "CATATONIT_DEBUG")) options->verbose = 3;
}

/** Whether a signal stops a job: SIGTSTP, typed at the terminal, or SIGTTIN or SIGTTOU, for a job in the background. */
static int is_stop(int signal) { return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU; }

/** Sets the signals that have no rewrite: forwarded unchanged, not forwarded, or (dumb-init's session) SIGSTOP instead. */
static void fill_rewrites(struct options *options) {
  sigmask dropped = 0;
  if (options->flavour == TINI || options->flavour == CATATONIT)
    dropped = sigbit(SIGFPE) | sigbit(SIGILL) | sigbit(SIGSEGV) | sigbit(SIGBUS) | sigbit(SIGABRT) | sigbit(SIGTRAP) |
      sigbit(SIGSYS) | sigbit(SIGTTIN) | sigbit(SIGTTOU);
  if (options->flavour == CATATONIT) dropped |= sigbit(SIGTSTP);
  for (int signal = 1; signal <= SIGNALS; signal++) {
    if (options->rewrite[signal] != AS_IT_IS) continue;
    options->rewrite[signal] = dropped & sigbit(signal) ? 0 : options->session && is_stop(signal) ? SIGSTOP : (u8)signal;
  }
}

/** If the foreground process group of the terminal at standard input is `from`, makes it `to`; otherwise returns 0. */
static int hand_terminal(int from, int to) {
  int group = -1;
  return sys(__NR_ioctl, 0, TIOCGPGRP, &group) == 0 && group == from && sys(__NR_ioctl, 0, TIOCSPGRP, &to) == 0;
}

/** Replaces our pid in LISTEN_PID by the command's, as catatonit does: sd_listen_fds(3) accepts no other. */
static void adopt_listeners(char **envp, char room[32]) {
  const char *value = variable(envp, "LISTEN_PID");
  if (!value || parse_number(value) != sys(__NR_getppid)) return;
  while (!after(*envp, "LISTEN_PID=")) envp++;
  *envp = room;
  append_number(append(room, room + 32, "LISTEN_PID="), room + 32, sys_getpid());
}

/** In the child: executes the command. Returns an exit code if that fails. */
static int run_command(const struct start *start, const struct options *options, char **argv, int group,
                       const struct kernel_sigaction *child_action) {
  char room[32];
  if (options->flavour == DUMB_INIT) {
    const struct kernel_sigaction standard = {0, 0, 0, 0};
    for (int signal = 1; signal <= SIGSYS; signal++) sys_action(signal, &standard, NULL);  // EINVAL for KILL and STOP
    if (options->session) {
      sys(__NR_setsid);                  // cannot fail: a new process leads no process group
      sys(__NR_ioctl, 0, TIOCSCTTY, 0);  // fails if standard input is not a terminal, or that of another session
    }
  } else {
    sys(__NR_setpgid, 0, 0);  // cannot fail: a new process leads no session
    hand_terminal(group, (int)sys_getpid());
    sys_action(SIGCHLD, child_action, NULL);
  }
  if (options->flavour == CATATONIT) adopt_listeners(start->envp, room);
  const sigmask none = 0;
  sys_mask(options->flavour == DUMB_INIT ? &none : &start->blocked, NULL);
  int error = (int)-execute(argv[0], argv, start->envp);
  if (options->flavour == INIT) explain_exec_failure(start, argv, error);  // returns only without the supervisor's file
  int code = options->flavour == DUMB_INIT ? 2 : options->flavour == CATATONIT ? 1 : error == ENOENT ? 127
    : error == EACCES || options->flavour == INIT ? 126 : 1;
  report_failure("execute", argv[0], error);
  return code;
}

/**
 * Stops our own process group after the command was stopped by the terminal, so that the shell above sees a stopped job.
 * The kernel discards SIGTSTP for PID 1 and for an orphaned process group (setpgid(2)), where no shell can continue the
 * job: then a command that Ctrl-Z stopped is continued at once. After SIGTTIN or SIGTTOU it would only stop again, because it
 * is in the background: it stays stopped until SIGCONT. Returns whether the job is still stopped.
 */
static int suspend(int child, int group, int signal) {
  int foreground;
  if (sys(__NR_ioctl, 0, TIOCGPGRP, &foreground) != 0) return 0;
  hand_terminal(child, group);
  const sigmask all = ~0ull, others = ~sigbit(SIGTSTP);
  sigmask pending = 0;
  sys_kill(0, SIGTSTP);
  sys_mask(&others, NULL);
  sys_mask(&all, NULL);
  sys(__NR_rt_sigpending, &pending, sizeof pending);
  // If this process was stopped and continued, SIGCONT is pending, and serve() forwards it.
  if (pending & sigbit(SIGCONT) || signal != SIGTSTP) return 1;
  hand_terminal(group, child);
  sys_kill(-child, SIGCONT);
  return 0;
}

/** A command that obeys a forwarded stop does so within this time, milliseconds. */
enum { STOP_WITHIN = 1000 };
/** In place of a time: the terminal has stopped the job, which is the command's whole process group. */
enum { JOB_STOPPED = -1 };

/**
 * Reaps all processes that have ended. Returns the exit code of the command if it is one of them, else -1. With `job`, a
 * command that was stopped is a stopped job, unless `forwarded_until` is in the future: then this is the stop that was forwarded,
 * and clears it. Sets JOB_STOPPED in its place if the job stays stopped.
 */
static int reap(const struct options *options, int child, int group, int job, i64 *forwarded_until) {
  int status, code = -1;
  for (long pid; (pid = sys_wait4(-1, &status, WNOHANG | (job ? WUNTRACED : 0))) > 0;) {
    if ((status & 0xff) == 0x7f) {
      int signal = status >> 8 & 0xff;
      if (pid != child) continue;
      int by_terminal = *forwarded_until <= sys_now() && is_stop(signal);
      *forwarded_until = by_terminal && suspend(child, group, signal) ? JOB_STOPPED : 0;
    } else if (pid == child) {
      code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
      if (options->verbose > 1) report("the command has ended with exit code ", code, "");
    } else if (options->warn || options->verbose > 2) report("reaped orphan ", pid, "");
  }
  return code;
}

/**
 * Forwards a signal, rewritten, to the command, or to its process group if `whole` or an option says so. A process gets the
 * value that sigqueue(3) gave the signal; kill(2) sends none to a group. Returns 0 if the signal is not forwarded.
 */
static int forward(const struct options *options, int child, int whole, struct caught *caught) {
  int signal = options->rewrite[caught->signal], many = whole || options->group || options->session;
  if (options->verbose > 2) report(signal ? "forwards signal " : "does not forward signal ", caught->signal, "");
  if (!signal) return 0;
  // To the process: for one process, or if there is no such group yet or any more.
  long result = many ? sys_kill(-child, signal) : -ESRCH;
  if (result == -ESRCH && caught->code == SI_FROM_QUEUE) result = sys(__NR_rt_sigqueueinfo, child, signal, caught);
  if (result == -ESRCH || result == -EAGAIN) result = sys_kill(child, signal);
  if (result < 0 && options->verbose > 0) report_failure("forward a signal to", "the command", (int)-result);
  return 1;
}

/** Forwards signals and reaps processes until the command ends. Returns the exit code. */
static int serve(const struct options *options, int child, int group, sigmask ignore_once) {
  const sigmask all = ~0ull;
  struct caught caught;
  // `stop_until`: a stop was forwarded, so a stop of the command before this time does not come from the terminal; a later one does,
  // because the command has ignored the forwarded one. dumb-init stops itself after each one that arrives, also if it forwards none.
  i64 stop_until = 0;
  int job = options->flavour != DUMB_INIT;
  for (;;) {
    long signal = sys(__NR_rt_sigtimedwait, &all, &caught, NULL, sizeof all);
    if (signal < 0) continue;  // EINTR after a stop; no other error is possible
    if (signal == SIGCHLD) {
      int code = reap(options, child, group, job, &stop_until);
      if (code < 0) continue;
      hand_terminal(child, group);
      if (options->session && options->rewrite[SIGTERM]) sys_kill(-child, options->rewrite[SIGTERM]);
      return options->success[code / 64] >> (code % 64) & 1 ? 0 : code;
    }
    if (options->pause) {
      if (signal == SIGINT || signal == SIGTERM) return 0;
    } else if (ignore_once & sigbit(signal)) {
      ignore_once &= ~sigbit(signal);
    } else {
      // SIGTTIN and SIGTTOU from the kernel are for our own process group, which is in the background.
      if (options->flavour == INIT && caught.code == SI_FROM_KERNEL && is_stop((int)signal) && signal != SIGTSTP) continue;
      if (signal == SIGCONT && job) hand_terminal(group, child);
      int whole = signal == SIGCONT && stop_until == JOB_STOPPED;
      if (signal == SIGCONT) stop_until = 0;
      if (forward(options, child, whole, &caught) && is_stop((int)signal)) stop_until = sys_now() + STOP_WITHIN;
      // PID 1 cannot stop, but its SIGSTOP would discard a SIGCONT that has arrived since (signal(7)).
      if (!job && is_stop((int)signal) && sys_getpid() != 1) sys_kill((int)sys_getpid(), SIGSTOP);
    }
  }
}

int init(const struct start *start, const char *as, int argc, char **argv) {
  struct options options = {.verbose = 1};
  options.flavour = same(as, "init") ? INIT : same(as, "dumb-init") ? DUMB_INIT : same(as, "catatonit") ? CATATONIT : TINI;
  const int usage = options.flavour == INIT ? USAGE : 1;
  options.session = options.flavour == DUMB_INIT;
  memset(options.rewrite, AS_IT_IS, sizeof options.rewrite);
  parse_environment(&options, start->envp);
  int at = 1, taken = 1, marked = 0;
  for (; at < argc && argv[at][0] == '-' && argv[at][1] && !marked; at += taken) {
    marked = same(argv[at], "--");
    taken = marked ? 1 : parse_word(&options, argv + at);
    if (taken < 0) return 0;
    if (taken == 0) {
      MESSAGE(as, ": `", argv[at], "` is an unknown option, or its value is invalid. See `svc-super init -h`.");
      return usage;
    }
  }
  fill_rewrites(&options);
  argv += at;
  if (at >= argc && !options.pause) {
    MESSAGE(as, ": the command is missing. See `svc-super init -h`.");
    return usage;
  }
  // tini also takes `COMMAND -- ARGUMENT...`.
  if (!marked && argc - at > 1 && same(argv[1], "--") && (options.flavour == TINI || options.flavour == CATATONIT)) {
    argv[1] = argv[0];
    argv++;
  }
  // Cannot fail: the signal is valid.
  if (options.parent_signal) sys(__NR_prctl, PR_SET_PDEATHSIG, options.parent_signal, 0, 0, 0);
  int is_first = sys_getpid() == 1;
  if (options.subreaper || (!is_first && (options.flavour == INIT || options.flavour == CATATONIT))) {
    long result = sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (result < 0) report("orphans are not reaped: the kernel refuses PR_SET_CHILD_SUBREAPER (errno ", -result, ")");
  } else if (!is_first && options.flavour == TINI && options.verbose > 0)
    MESSAGE("orphans are not reaped: this is not PID 1. Set TINI_SUBREAPER, or use -s.");
  sigmask ignore_once = 0;
  // The kernel sends SIGHUP and SIGCONT to a session leader that gives up its terminal (ioctl_tty(2)).
  if (options.session && sys(__NR_ioctl, 0, TIOCNOTTY) == 0 && sys(__NR_getsid, 0) == sys_getpid())
    ignore_once = sigbit(SIGHUP) | sigbit(SIGCONT);
  // If SIGCHLD is ignored the kernel keeps no exit codes (wait(2)); the command inherits the original setting.
  const struct kernel_sigaction standard = {0, 0, 0, 0};
  struct kernel_sigaction child_action = {0, 0, 0, 0};
  sys_action(SIGCHLD, &standard, &child_action);
  int group = (int)sys(__NR_getpgid, 0), child = 0;
  if (!options.pause) {
    child = (int)sys_fork();
    if (child == 0) sys_exit(run_command(start, &options, argv, group, &child_action));
    if (child < 0) {
      report_failure("start", argv[0], -child);
      return options.flavour == INIT ? 126 : 1;
    }
    if (options.verbose > 1) report("started the command as process ", child, "");
  }
  if (options.flavour >= DUMB_INIT) sys(__NR_chdir, "/");  // as dumb-init and catatonit do, so that no file system stays busy
  // Only the command keeps inherited descriptors: a pipe ends when it closes them. Before Linux 5.9 we keep them too.
  sys(__NR_close_range, 3, ~0u, 0);
  return serve(&options, child, group, ignore_once);
}

