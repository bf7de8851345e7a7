/* Executes a contestant as PID 1 of a new PID namespace and writes the times of its exec and its exit to standard output,
   between the events of the services (mark.c), which it passes on. `stage PIPE OUTPUT LINES -- CMD...`: standard output and
   standard error are a pipe, as in containers. If LINES is above zero its reader counts lines, otherwise it stores the
   output in the file OUTPUT. A line `PID SIGNAL` on standard input sends this signal and reports the time. At the end of
   standard input all processes are killed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int events;
static pid_t init;

static void tell(const char *event, long value) {
  struct timespec time;
  char line[128];
  clock_gettime(CLOCK_MONOTONIC, &time);
  int length = snprintf(line, sizeof line, "%lld stage %s %ld\n", time.tv_sec * 1000000000LL + time.tv_nsec, event, value);
  if (write(events, line, length) < 0) _exit(74);
}

static void fail(const char *what) {
  perror(what);
  exit(71);
}

/* Reads the contestant's output as fast as possible; reports when the expected line has arrived, or how many lines there
   were when no more arrive for a while. */
static void drain(int from, int file, long lines) {
  static char buffer[1 << 20];
  const int counts = lines > 0;
  long seen = 0;
  for (ssize_t got; (got = read(from, buffer, sizeof buffer)) != 0;) {
    if (got < 0) continue;
    if (!counts) {
      if (write(file, buffer, got) < 0) _exit(74);
      continue;
    }
    for (char *at = buffer; (at = memchr(at, '\n', buffer + got - at)) != NULL; at += 1) seen += 1;
    if (lines > 0 && seen >= lines) {
      tell("drained", seen);
      lines = 0;
    }
    struct pollfd more = {from, POLLIN, 0};
    if (lines > 0 && poll(&more, 1, 2000) == 0) tell("silent", seen);
  }
  _exit(0);
}

/* The contents of the pipe, unchanged; lines are complete because each was one short write. */
static void pass_on(void) {
  char buffer[65536];
  for (ssize_t got; (got = read(events, buffer, sizeof buffer)) > 0;) {
    for (ssize_t done = 0; done < got;) {
      ssize_t wrote = write(STDOUT_FILENO, buffer + done, got - done);
      if (wrote < 0) exit(74);
      done += wrote;
    }
  }
}

/* 0 if there will be no more requests. */
static int obey(void) {
  static char text[4096];
  static size_t held;
  ssize_t got = read(STDIN_FILENO, text + held, sizeof text - held - 1);
  if (got <= 0) {
    kill(init, SIGKILL);
    return 0;
  }
  held += got;
  text[held] = '\0';
  for (char *end; (end = strchr(text, '\n')) != NULL; memmove(text, end + 1, held - (end + 1 - text) + 1), held = strlen(text)) {
    int pid, number;
    if (sscanf(text, "%d %d", &pid, &number) != 2 || pid <= 1) continue;
    tell("signalled", number);
    if (kill(pid, number) < 0) tell("cannot-signal", errno);
  }
  return 1;
}

int main(int count, char **argument) {
  if (count < 6 || strcmp(argument[4], "--") != 0) return 64;
  const long lines = atol(argument[3]);
  if (mkfifo(argument[1], 0666) < 0 && errno != EEXIST) fail(argument[1]);
  events = open(argument[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (events < 0) fail(argument[1]);
  fcntl(events, F_SETPIPE_SZ, 1 << 20);
  const int file = open(argument[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  int output[2];
  if (file < 0 || pipe2(output, O_CLOEXEC) < 0) fail(argument[2]);
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(output[1]);
    drain(output[0], file, lines);
  }
  close(output[0]);
  sigset_t children, none;
  sigemptyset(&none);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  const int changes = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) fail("unshare (needs root)");
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail("mount");
  init = fork();
  if (init == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0) fail("mount /proc");
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    dup2(output[1], STDERR_FILENO);
    if (nothing > 2) close(nothing);
    sigprocmask(SIG_SETMASK, &none, NULL);
    tell("exec", getpid());
    execvp(argument[5], argument + 5);
    perror(argument[5]);
    _exit(127);
  }
  if (init < 0) fail("fork");
  close(output[1]);
  tell("init", init);
  for (int orders = STDIN_FILENO;;) {
    struct pollfd sources[] = {{events, POLLIN, 0}, {orders, POLLIN, 0}, {changes, POLLIN, 0}};
    if (poll(sources, 3, -1) < 0) continue;
    if (sources[2].revents) {
      struct signalfd_siginfo info;
      while (read(changes, &info, sizeof info) > 0) continue;
      int status;
      for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != init) continue;
        tell("end", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        pass_on();
        exit(0);
      }
    }
    if (sources[1].revents && !obey()) orders = -1;
    if (sources[0].revents) {
      /* A pause, so that passing events on costs little while many services start: events contain their own times. The time of
         the exit is taken here, without waiting for it. */
      struct pollfd end = {changes, POLLIN, 0};
      poll(&end, 1, 3);
      pass_on();
    }
  }
}
