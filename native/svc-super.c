// The entry point. Selects the mode of this process: one command under PID 1 (`init`, or the name of another init), PID 1
// with the supervisor as its child, or a short command that the supervisor's file executes. Blocks every signal first, so
// that none is lost.
#include "handover.h"
#include "commands.h"

static const char *base_name(const char *path) {
  const char *base = path;
  for (; *path; path++)
    if (*path == '/') base = path + 1;
  return base;
}

/** The size of a memory page from the auxiliary vector, which follows the environment (getauxval(3)). */
static u64 page_size(char **envp) {
  while (*envp) envp++;
  for (u64 *pair = (u64 *)(envp + 1); pair[0]; pair += 2)
    if (pair[0] == 6 /* AT_PAGESZ */) return pair[1];
  return 4096;
}

static int is_one_of(const char *words, const char *word) {
  for (; *words; words++) {
    const char *end = *words == ' ' ? after(words + 1, word) : NULL;
    if (end && *end == ' ' && *word) return 1;
  }
  return 0;
}

/** The value of `NAME VALUE` or `NAME=VALUE` before `--`; null if it is not given. */
static const char *option(const struct start *start, const char *name) {
  for (int at = 2; at < start->argc && !same(start->argv[at], "--"); at++) {
    const char *value = after(start->argv[at], name);
    if (value && *value == '=') return value + 1;
    if (value && !*value) return start->argv[at + 1];
  }
  return NULL;
}

/** Whether the supervisor's file connects over TCP itself: `--url`, or SVC_SUPER_URL without `--socket`. */
static int is_remote(const struct start *start) {
  const char *url = variable(start->envp, "SVC_SUPER_URL");
  return option(start, "--url") || (url && *url && !option(start, "--socket"));
}

/** Executes the supervisor's file for a short command, with a connection to the supervisor if `connects`. */
static int command(const struct start *start, int connects) {
  struct handover handover = {0};
  add_line(&handover, "role=command", "");
  int connection = connects ? connect_control(start, option(start, "--socket"), &handover) : -1;
  if (connection >= 0) {
    // dup3(2) fails if both numbers are equal.
    if (connection == FD_CONTROL) sys_fcntl(connection, F_SETFD, 0);
    else sys_dup3(connection, FD_CONTROL, 0);
    add_line(&handover, "connected=1", "");
  }
  if (connection >= 0 && is_one_of(" exec shell ", start->argv[1])) return exec_on_terminal(start, &handover);
  if (same(start->argv[1], "top")) return run_on_screen(start, &handover);
  return hand_over(start, &handover, 0);
}

int explain_exec_failure(const struct start *start, char *const *argv, int error) {
  struct handover handover = {0};
  add_line(&handover, "role=explain", "");
  add_number(&handover, "errno=", error);
  add_line(&handover, "program=", argv[0]);
  return hand_over(start, &handover, 1);
}

static int run(int argc, char **argv, char **envp) {
  struct start start = {.argc = argc, .argv = argv, .envp = envp, .page = page_size(envp)};
  const sigmask all = ~0ull;
  sys_mask(&all, &start.blocked);
  sys(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &start.files);
  const char *name = argc > 0 ? base_name(argv[0]) : "";
  if (same(name, "tini-static")) name = "tini";
  if (same(name, "podman-init")) name = "catatonit";
  if (is_one_of(" tini docker-init dumb-init catatonit ", name)) return init(&start, name, argc, argv);
  if (argc > 1 && same(argv[1], "init")) return init(&start, "init", argc - 1, argv + 1);
  const char *word = argc > 1 ? argv[1] : "up";
  // `check --runtime` requests the ports that the services have open from the supervisor.
  int is_command = is_one_of(connected, word), connects = is_command && !is_remote(&start);
  for (int at = 2; at < argc && same(word, "check"); at++) connects |= same(argv[at], "--runtime");
  if (connects || is_command || is_one_of(unconnected, word)) return command(&start, connects);
  // `docker run IMAGE bash`.
  if (sys_getpid() == 1 && *word != '-' && !same(word, "up") && is_program(word, envp)) {
    argv[0] = "init";
    return init(&start, "init", argc, argv);
  }
  return supervise(&start);
}

#ifdef HOSTED
int main(int argc, char **argv, char **envp) { return run(argc, argv, envp); }
#else
__attribute__((noreturn, used)) void start_here(long *stack) {
  int argc = (int)stack[0];
  sys_exit(run(argc, (char **)(stack + 1), (char **)(stack + 2 + argc)));
}
#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start_here\n");
#else
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n bl start_here\n");
#endif
#endif
