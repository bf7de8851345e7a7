/* The first instructions of dist/svc-super, ahead of the runtime's own. The runtime takes its settings from the
   environment and from nowhere else, and obeys whatever else it finds there. So this gives it another: our settings first,
   the word that says so behind them, and every variable of the container that the runtime would obey under a name that it
   does not know. Where the dynamic linker has obeyed one before this code could run (LD_PRELOAD), the same file is executed
   once more with that environment; the pid, the arguments and the descriptors stay.
   Signals that PID 1 may be sent before it has loaded what listens wait from here on, across exec too: the kernel would
   drop them (signal(7)).

   No library, no data of its own, position-independent. compile.ts makes code.ts of it; scripts/build.ts puts that into the
   binary and behind it what is meant here by `after`. */

/* From the build: how far the runtime's own entry is from ours, in bytes, and how far the C library's `environ` (0: that
   library finds the environment again by itself, as musl does, and has to be executed with it). Then lists of words, each
   word and each list ended by a zero: settings; names, or beginnings of them, that the linker obeys, and that the runtime
   obeys; the word that says so; the prefix of a name that is kept from both. */
struct after {
  long runtime;
  long environ;
  char words[];
};
extern const struct after after __attribute__((visibility("hidden")));
extern char start[] __attribute__((visibility("hidden")));

#define PATH_ROOM 4096
#define WORD_ROOM 64
#define AT_FDCWD -100
#define PROT_READ_WRITE 3
#define MAP_PRIVATE_ANONYMOUS 0x22
#define SIG_BLOCK 0
#define AT_NULL 0
#define AT_BASE 7
/* SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM: those that src/up.ts listens to. */
#define EARLY (1UL << 0 | 1UL << 1 | 1UL << 2 | 1UL << 9 | 1UL << 11 | 1UL << 14)

#if defined(__x86_64__)
enum { READLINKAT = 267, EXECVE = 59, GETPID = 39, RT_SIGPROCMASK = 14, MMAP = 9 };
__asm__(".pushsection .text.start,\"ax\"\n"
        ".globl start\n"
        "start:\n"
        "  endbr64\n"
        "  mov %rsp, %rdi\n"
        "  push %rdx\n" /* what the dynamic linker hands to the runtime */
        "  sub $8, %rsp\n"
        "  call settle\n"
        "  add $8, %rsp\n"
        "  pop %rdx\n"
        "  jmp *%rax\n"
        ".popsection\n");

/* Two more arguments are -1 and 0, as mmap(2) wants them for memory without a file. */
static long kernel(long number, long a, long b, long c, long d) {
  long result;
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = -1;
  register long sixth __asm__("r9") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { READLINKAT = 78, EXECVE = 221, GETPID = 172, RT_SIGPROCMASK = 135, MMAP = 222 };
__asm__(".pushsection .text.start,\"ax\"\n"
        ".globl start\n"
        "start:\n"
        "  hint #38\n" /* bti jc */
        "  stp x0, x30, [sp, #-16]!\n" /* x0: what the dynamic linker hands to the runtime */
        "  add x0, sp, #16\n"
        "  bl settle\n"
        "  mov x16, x0\n"
        "  ldp x0, x30, [sp], #16\n"
        "  br x16\n"
        ".popsection\n");

/* Two more arguments are -1 and 0, as mmap(2) wants them for memory without a file. */
static long kernel(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = -1;
  register long x5 __asm__("x5") = 0;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#endif

static long length(const char *text) {
  long count = 0;
  while (text[count] != 0) count++;
  return count;
}

static int is_same(const char *text, const char *other) {
  while (*text != 0 && *text == *other) text++, other++;
  return *text == *other;
}

static char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter; }

/* Whatever the case: the allocator knows `mimalloc_verbose` too. */
static int begins_with(const char *text, const char *beginning) {
  while (*beginning != 0 && lower(*text) == lower(*beginning)) text++, beginning++;
  return *beginning == 0;
}

static int contains(char **environment, const char *variable) {
  for (; *environment != 0; environment++)
    if (is_same(*environment, variable)) return 1;
  return 0;
}

/* Behind the list that begins here. */
static const char *skip(const char *words) {
  while (*words != 0) words += length(words) + 1;
  return words + 1;
}

static int is_among(const char *variable, const char *beginnings) {
  for (; *beginnings != 0; beginnings += length(beginnings) + 1)
    if (begins_with(variable, beginnings)) return 1;
  return 0;
}

/* Both return where the next one goes. */
static char *append(char *to, const char *text) {
  while (*text != 0) *to++ = *text++;
  return to;
}

static char *append_number(char *to, long number) {
  if (number >= 10) to = append_number(to, number / 10);
  *to++ = '0' + number % 10;
  return to;
}

/* In whatever order: an emulator may have changed it (qemu-user does). */
static int is_settled(char **environment, const char *settings, const char *word) {
  for (; *settings != 0; settings += length(settings) + 1)
    if (!contains(environment, settings)) return 0;
  return contains(environment, word);
}

/* Whether the kernel has started this file, and not somebody the dynamic linker with this file as an argument. The list of
   what the kernel tells stands behind the environment (getauxval(3)). */
static int is_main(char **environment) {
  while (*environment != 0) environment++;
  for (long *told = (long *)(environment + 1); *told != AT_NULL; told += 2)
    if (*told == AT_BASE) return told[1] != 0;
  return 0;
}

static void execute(char **argv, char **environment) {
  char path[PATH_ROOM];
  /* By its path, so that it has its own name in lists of processes; by the kernel's link where that is gone. */
  long size = kernel(READLINKAT, AT_FDCWD, (long)"/proc/self/exe", (long)path, PATH_ROOM - 1);
  if (size > 0) {
    path[size] = 0;
    kernel(EXECVE, (long)path, (long)argv, (long)environment, 0);
  }
  kernel(EXECVE, (long)"/proc/self/exe", (long)argv, (long)environment, 0);
}

/* `stack` is what the kernel has laid there: the number of arguments, they, and the environment, each list ended by a zero.
   Returns where to go on. */
__attribute__((used)) long settle(long *stack) {
  long runtime = (long)start + after.runtime;
  char **argv = (char **)(stack + 1);
  char **theirs = argv + *stack + 1;
  const char *settings = after.words;
  const char *linker = skip(settings);
  const char *obeyed = skip(linker);
  const char *settled = skip(obeyed);
  const char *kept = skip(settled);
  long pid = kernel(GETPID, 0, 0, 0, 0);

  char word[WORD_ROOM];
  char *end = append_number(append(word, settled), pid);
  *end++ = 0;
  if (is_settled(theirs, settings, word)) return runtime;

  long count = 2; /* the word, and the zero at the end */
  long room = end - word;
  int wants = after.environ == 0;
  for (const char *setting = settings; *setting != 0; setting += length(setting) + 1) count++;
  for (char **at = theirs; *at != 0; at++, count++) {
    wants |= is_among(*at, linker);
    room += length(kept) + length(*at) + 1;
  }
  /* Not on the stack: it has to last. */
  char **environment = (char **)kernel(MMAP, 0, count * sizeof *environment + room, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS);
  if ((unsigned long)environment > -4096UL) return runtime;
  char **next = environment;
  char *text = (char *)(environment + count);
  for (const char *setting = settings; *setting != 0; setting += length(setting) + 1) *next++ = (char *)setting;
  *next++ = text;
  text = append(text, word) + 1;
  for (char **at = theirs; *at != 0; at++) {
    int renamed = is_among(*at, linker) || is_among(*at, obeyed);
    *next++ = renamed ? text : *at;
    if (renamed) text = append(append(text, kept), *at) + 1;
  }

  if (pid == 1) {
    unsigned long early = EARLY;
    kernel(RT_SIGPROCMASK, SIG_BLOCK, (long)&early, 0, sizeof early);
  }
  /* Once at most. */
  if (wants && is_main(theirs) && !contains(theirs, word)) execute(argv, environment);
  if (after.environ != 0) *(char ***)(start + after.environ) = environment;
  return runtime;
}
